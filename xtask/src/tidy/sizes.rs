//! Sizes of files. A long file is a place where everybody meets; the ratchet lets none grow.

use std::collections::BTreeMap;
use std::fs;

use super::Finding;
use super::tree::Tree;

/// No source file is longer.
const FILE_LINES_MAX: usize = 800;
/// A file above this stands in the ratchet.
const FILE_LINES_FREE: usize = 400;
/// A README is read in one sitting.
const README_LINES_MAX: usize = 100;

const RATCHET: &str = "xtask/ratchet.toml";
const RATCHET_HEAD: &str = "\
# Source files over 400 lines, and the length each has. A number here only goes down: `cargo xtask tidy --fix` lowers it.
# Before you add a line, look for the seam along which the file can be split.
";

/// Endings of files that people write and read as code.
const CODE: &[&str] = &[".rs", ".py", ".go", ".ts", ".js", ".sh", ".sql", ".css", ".html"];

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>, String> {
    Ok(judge(&long_files(tree)?, &ratchet(tree)?))
}

pub(super) fn check_readme(tree: &Tree) -> Result<Vec<Finding>, String> {
    let Ok(Some(text)) = tree.text("README.md") else {
        return Ok(vec![Finding::new(
            "README.md",
            "is missing; it says what this is and how to start, on one screen or two",
        )]);
    };
    let lines = text.lines().count();
    let what = format!("has {lines} lines; move detail into docs/ until it has {README_LINES_MAX}");
    Ok(if lines > README_LINES_MAX { vec![Finding::new("README.md", what)] } else { vec![] })
}

/// Lowers the ratchet to the sizes that files have, and drops those that need it no more. Adds none.
pub(super) fn lower(tree: &Tree) -> Result<(), String> {
    let long = long_files(tree)?;
    let mut text = format!("{RATCHET_HEAD}\n[lines]\n");
    for (file, allowed) in ratchet(tree)? {
        if let Some(lines) = long.get(&file) {
            text.push_str(&format!("\"{file}\" = {}\n", allowed.min(*lines)));
        }
    }
    fs::write(tree.root.join(RATCHET), text).map_err(|error| format!("{RATCHET}: {error}"))
}

/// Code files longer than is free, with their lengths.
fn long_files(tree: &Tree) -> Result<BTreeMap<String, usize>, String> {
    let mut long = BTreeMap::new();
    // A snapshot is what a test compares with; nobody writes it.
    for file in tree.with_ending(CODE).filter(|file| !file.contains(".snap.")) {
        let lines = tree.text(file)?.map_or(0, |text| text.lines().count());
        if lines > FILE_LINES_FREE {
            long.insert(file.to_owned(), lines);
        }
    }
    Ok(long)
}

fn ratchet(tree: &Tree) -> Result<BTreeMap<String, usize>, String> {
    let text = tree.text(RATCHET)?.unwrap_or_default();
    let table: toml::Table = text.parse().map_err(|error| format!("{RATCHET}: {error}"))?;
    let mut sizes = BTreeMap::new();
    for (file, lines) in table.get("lines").and_then(toml::Value::as_table).into_iter().flatten() {
        let lines = lines.as_integer().and_then(|lines| usize::try_from(lines).ok());
        sizes.insert(
            file.clone(),
            lines.ok_or_else(|| format!("{RATCHET}: `{file}` must be a number of lines"))?,
        );
    }
    Ok(sizes)
}

fn judge(long: &BTreeMap<String, usize>, ratchet: &BTreeMap<String, usize>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, &lines) in long {
        let what = match ratchet.get(file) {
            _ if lines > FILE_LINES_MAX => {
                format!("has {lines} lines; split it, {FILE_LINES_MAX} is the limit")
            }
            None => format!("has {lines} lines; split it, or list it in {RATCHET} if there is no good seam"),
            Some(&allowed) if lines > allowed => {
                format!("has grown from {allowed} to {lines} lines; split it")
            }
            Some(&allowed) if lines < allowed => {
                format!(
                    "has shrunk from {allowed} to {lines} lines; run `cargo xtask tidy --fix` to keep it so"
                )
            }
            Some(_) => continue,
        };
        findings.push(Finding::new(file, what));
    }
    for file in ratchet.keys().filter(|file| !long.contains_key(*file)) {
        let what = format!("{file} is short or gone; run `cargo xtask tidy --fix` to drop its line");
        findings.push(Finding::new(RATCHET, what));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratchet_turns_one_way() {
        let table: &[(usize, Option<usize>, Option<&str>)] = &[
            (401, None, Some("split it, or list it")),
            (500, Some(500), None),
            (501, Some(500), Some("has grown")),
            (499, Some(500), Some("has shrunk")),
            (801, Some(801), Some("800 is the limit")),
        ];
        for (lines, allowed, expected) in table {
            let long = BTreeMap::from([("a.rs".to_owned(), *lines)]);
            let ratchet = allowed.map(|allowed| ("a.rs".to_owned(), allowed)).into_iter().collect();
            let findings = judge(&long, &ratchet);
            match expected {
                None => assert_eq!(findings, [], "{lines} {allowed:?}"),
                Some(expected) => assert!(findings[0].what.contains(expected), "{findings:?}"),
            }
        }
        let stale = BTreeMap::from([("b.rs".to_owned(), 500)]);
        assert!(judge(&BTreeMap::new(), &stale)[0].what.contains("short or gone"));
    }
}
