//! Words that must not stand in a committed file.

use super::Finding;
use super::tree::Tree;

/// A word, and what to do about it.
struct Banned {
    /// In two halves, so that this file does not contain it.
    halves: [&'static str; 2],
    /// Only in files with one of these endings; everywhere if empty.
    endings: &'static [&'static str],
    instead: &'static str,
}

const MACHINE: &str = "a path of one machine: make it relative";
const HOST: &str = "a registry's host: name the package alone, clients know their registry";
const UNFINISHED: &str = "unfinished: finish it, or open an issue and delete the line";
const RUST: &[&str] = &[".rs"];

const BANNED: &[Banned] = &[
    Banned { halves: ["/wo", "rk/"], endings: &[], instead: MACHINE },
    Banned { halves: ["/ro", "ot/"], endings: &[], instead: MACHINE },
    Banned { halves: ["static.crates", ".io"], endings: &[], instead: HOST },
    Banned { halves: ["index.crates", ".io"], endings: &[], instead: HOST },
    Banned { halves: ["pypi", ".org"], endings: &[], instead: HOST },
    Banned { halves: ["python", "hosted.org"], endings: &[], instead: HOST },
    Banned { halves: ["registry.", "npmjs"], endings: &[], instead: HOST },
    Banned { halves: ["deb.", "debian.org"], endings: &[], instead: HOST },
    Banned { halves: ["todo", "!("], endings: RUST, instead: UNFINISHED },
    Banned { halves: ["unimplemented", "!("], endings: RUST, instead: UNFINISHED },
    Banned { halves: ["FIX", "ME"], endings: &[], instead: UNFINISHED },
    Banned { halves: ["TO", "DO"], endings: &[], instead: UNFINISHED },
    Banned {
        halves: ["(unsafe", "_code,"],
        endings: RUST,
        instead: "unsafe stands in one file: see UNSAFE_HERE",
    },
    Banned { halves: ["#[ig", "nore"], endings: RUST, instead: "a test runs or it is deleted" },
    Banned {
        halves: ["August ", "2026"],
        endings: &[],
        instead: "Articles 12 to 15 apply from 2 December 2027 or 2 August 2028 (Regulation (EU) 2026/1744)",
    },
];

/// The one file with unsafe code: it says why.
const UNSAFE_HERE: &str = "crates/disk/src/kernel_clock.rs";

/// Made by a program, or frozen: nobody writes words there.
fn is_exempt(file: &str) -> bool {
    file.starts_with("fixtures/")
        || ["Cargo.lock", "package-lock.json", "requirements.txt"].iter().any(|name| file.ends_with(name))
}

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| !is_exempt(file)) {
        if let Some(text) = tree.text(file)? {
            findings.extend(search(file, &text));
        }
    }
    Ok(findings)
}

fn search(file: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for banned in BANNED {
        if file == UNSAFE_HERE && banned.halves[0] == "(unsafe" {
            continue;
        }
        if !banned.endings.is_empty() && !banned.endings.iter().any(|ending| file.ends_with(ending)) {
            continue;
        }
        let word = banned.halves.concat();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| contains_word(line, &word)) {
            let place = format!("{file}:{}", number + 1);
            findings.push(Finding::new(place, format!("`{word}`: {} ({})", banned.instead, line.trim())));
        }
    }
    findings
}

/// Whether the word stands in the line, not as a part of a longer one: nor a path as the middle of a longer path.
fn contains_word(line: &str, word: &str) -> bool {
    let is_inner = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let begins_open = |word: &str| word.starts_with(|c: char| c == '/' || c.is_alphanumeric());
    line.match_indices(word).any(|(start, _)| {
        let starts_inside = is_inner(line[..start].chars().next_back()) && begins_open(word);
        let ends_inside =
            is_inner(line[start + word.len()..].chars().next()) && is_inner(word.chars().next_back());
        !starts_inside && !ends_inside
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_banned_word_is_found() {
        for banned in BANNED {
            let line = format!("x {} y", banned.halves.concat());
            assert_eq!(search("a.rs", &line).len(), 1, "{line}");
        }
    }

    #[test]
    fn parts_of_longer_words_are_not() {
        let line = ["Mastodon ", "FIX", "MEUP ", "crates/vault/src/ro", "ot/file.rs"].concat();
        assert_eq!(search("a.rs", &line), []);
    }

    #[test]
    fn some_words_are_banned_in_rust_alone() {
        let line = ["call todo", "!() there"].concat();
        assert_eq!(search("a.md", &line), []);
        assert_eq!(search("a.rs", &line).len(), 1);
    }
}
