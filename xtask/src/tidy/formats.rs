//! Every format of docs/format.md has a frozen example: a format without one changes by accident.

use std::fs;

use super::Finding;
use super::tree::Tree;

const PAGE: &str = "docs/format.md";
const FIXTURES: &str = "fixtures/v1/";

/// Files that a format page's tree of the data directory names, one format each, without a magic of their own.
const NAMES: &[&str] = &["node", "log", "checkpoint", "twin", "id", "absorbed"];

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>, String> {
    let page = tree.text(PAGE)?.ok_or("docs/format.md is not text")?;
    let fixtures: Vec<&String> = tree.files.iter().filter(|file| file.starts_with(FIXTURES)).collect();
    let mut contents = Vec::with_capacity(fixtures.len());
    for file in &fixtures {
        contents.push(fs::read(tree.root.join(file)).map_err(|error| format!("{file}: {error}"))?);
    }
    let mut findings = Vec::new();
    for (line, magic) in magics(&page) {
        if !contents.iter().any(|content| contains(content, magic.as_bytes())) {
            let what = format!(
                "no file under {FIXTURES} holds the magic `{magic}`: freeze an example of this format"
            );
            findings.push(Finding::new(format!("{PAGE}:{line}"), what));
        }
    }
    for name in NAMES {
        if !fixtures.iter().any(|file| file.rsplit('/').next() == Some(name)) {
            findings.push(Finding::new(
                PAGE,
                format!("no file named `{name}` under {FIXTURES}: freeze an example"),
            ));
        }
    }
    Ok(findings)
}

/// The magics that the page sets: `IL` and two to six capitals or digits, in backticks. With line numbers, each once.
fn magics(page: &str) -> Vec<(usize, &str)> {
    let mut magics: Vec<(usize, &str)> = Vec::new();
    for (number, line) in page.lines().enumerate() {
        for word in line.split('`').skip(1).step_by(2) {
            let is_magic = (4..=8).contains(&word.len())
                && word.starts_with("IL")
                && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
            if is_magic && !magics.iter().any(|(_, seen)| *seen == word) {
                magics.push((number + 1, word));
            }
        }
    }
    magics
}

fn contains(content: &[u8], wanted: &[u8]) -> bool {
    content.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magics_are_found_once_each() {
        let page = "| 0 | 8 | `ILWALSG1` |\ntext ILNOT and `ILBT`, `ILBT`, `Illness`, `ILLONGERTHAN8`\n";
        assert_eq!(magics(page), [(1, "ILWALSG1"), (2, "ILBT")]);
    }

    #[test]
    fn content() {
        assert!(contains(b"xxILBTyy", b"ILBT"));
        assert!(!contains(b"ILB", b"ILBT"));
    }
}
