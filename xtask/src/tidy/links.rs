//! Links between documents. Links to elsewhere are not followed: the checks run without a network.

use std::path::Path;

use super::Finding;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for file in tree.with_ending(&[".md"]) {
        let text = tree.text(file)?.unwrap_or_default();
        let folder = tree.root.join(file).parent().unwrap_or(Path::new("")).to_owned();
        for (number, target) in targets(&text) {
            if !folder.join(target).exists() {
                let what = format!("links to {target}, which does not exist");
                findings.push(Finding::new(format!("{file}:{number}"), what));
            }
        }
    }
    Ok(findings)
}

/// The files that `[text](target)` links name, with their line numbers, from 1.
fn targets(text: &str) -> Vec<(usize, &str)> {
    let mut targets = Vec::new();
    let mut in_code = false;
    for (number, line) in text.lines().enumerate() {
        in_code ^= line.trim_start().starts_with("```");
        if in_code {
            continue;
        }
        for (start, _) in line.match_indices("](") {
            let Some((target, _)) = line[start + 2..].split_once(')') else { continue };
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains("://") && !file.starts_with("mailto:") {
                targets.push((number + 1, file));
            }
        }
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_links_to_files_alone() {
        let text =
            "[a](b.md#part), [c](https://example.org/d)\n```\n[x](y)\n```\nsee [e](#f) and [g](../h.rs)\n";
        assert_eq!(targets(text), [(1, "b.md"), (5, "../h.rs")]);
    }
}
