//! No dead files: every `.rs` file is a target, or named by a `mod` of one. And every library says what it is.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use super::Finding;
use super::tree::{Tree, array, text};

/// A library's own documentation has at least so many lines: it is the crate's design.
const LIBRARY_DOC_LINES_MIN: usize = 3;

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>, String> {
    let mut reached = BTreeSet::new();
    for package in tree.members() {
        reached.extend(sources(tree, package)?);
    }
    let mut findings = Vec::new();
    for file in tree.with_ending(&[".rs"]) {
        let ours = file.starts_with("crates/") || file.starts_with("xtask/");
        if ours && !reached.contains(file) {
            findings.push(Finding::new(file, "no `mod` names this file: delete it, or name it"));
        }
        if file.starts_with("crates/") && file.ends_with("/src/lib.rs") {
            let source = tree.text(file)?.unwrap_or_default();
            let lines = source.lines().take_while(|line| line.starts_with("//!")).count();
            if lines < LIBRARY_DOC_LINES_MIN {
                findings.push(Finding::new(
                    format!("{file}:1"),
                    "begin with `//!`: what the crate is, and its design",
                ));
            }
        }
    }
    Ok(findings)
}

/// The files that a package's targets are made of, wherever they lie.
pub(super) fn sources(tree: &Tree, package: &Value) -> Result<BTreeSet<String>, String> {
    let mut reached = BTreeSet::new();
    for target in array(&package["targets"]) {
        walk(tree, &tree.relative(text(&target["src_path"])), true, &mut reached)?;
    }
    Ok(reached)
}

/// Follows the `mod` lines of a file. `is_root` is set for a target's root file, whose modules lie beside it.
fn walk(tree: &Tree, file: &str, is_root: bool, reached: &mut BTreeSet<String>) -> Result<(), String> {
    if !tree.root.join(file).is_file() || !reached.insert(file.to_owned()) {
        return Ok(());
    }
    let Some(source) = tree.text(file)? else { return Ok(()) };
    let path = Path::new(file);
    let beside = path.parent().unwrap_or(Path::new(""));
    let below = match path.file_stem().and_then(|stem| stem.to_str()) {
        _ if is_root => beside.to_owned(),
        Some("mod") => beside.to_owned(),
        Some(stem) => beside.join(stem),
        None => beside.to_owned(),
    };
    for named in named_files(&source) {
        let candidates = match &named {
            Named::Module(name) => vec![below.join(format!("{name}.rs")), below.join(name).join("mod.rs")],
            Named::Path(name) => vec![beside.join(name)],
        };
        for candidate in candidates {
            walk(tree, &normal(&candidate), false, reached)?;
        }
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Named {
    /// `mod name;`
    Module(String),
    /// `#[path = "name"]` or `include!("name")`
    Path(String),
}

/// The files that a source names. Modules written inside braces name none: a file below one counts as dead.
fn named_files(source: &str) -> Vec<Named> {
    let mut named = Vec::new();
    for line in source.lines().map(str::trim) {
        let line = line.split("//").next().unwrap_or_default().trim();
        for opening in ["#[path = \"", "include!(\""] {
            if let Some((name, _)) = line.split_once(opening).and_then(|(_, rest)| rest.split_once('"')) {
                named.push(Named::Path(name.to_owned()));
            }
        }
        let mut words =
            line.split_whitespace().skip_while(|word| word.starts_with("pub") || word.ends_with(')'));
        if let (Some("mod"), Some(name)) = (words.next(), words.next())
            && let Some(name) = name.strip_suffix(';')
        {
            named.push(Named::Module(name.to_owned()));
        }
    }
    named
}

/// A relative path without `.` and `..`.
fn normal(path: &Path) -> String {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => _ = normal.pop(),
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let source = "\
            mod a;\n  pub mod b;\npub(crate) mod c;\npub(in crate::x) mod d;\n// mod e;\nmod f { }\nlet modest = 1;\n\
            #[path = \"../g.rs\"]\nmod h;\n";
        let module = |name: &str| Named::Module(name.to_owned());
        let expected = [
            module("a"),
            module("b"),
            module("c"),
            module("d"),
            Named::Path("../g.rs".to_owned()),
            module("h"),
        ];
        assert_eq!(named_files(source), expected);
    }

    #[test]
    fn paths() {
        assert_eq!(normal(Path::new("a/b/../c/./d.rs")), "a/c/d.rs");
    }
}
