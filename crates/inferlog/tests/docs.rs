//! What the documentation shows must work.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

use std::path::Path;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

/// The code blocks of a language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let (mut blocks, mut open) = (Vec::new(), None);
    for line in page.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(found), None) => open = Some((found == language, String::new())),
            (Some(_), Some((true, block))) => blocks.push(block),
            (None, Some((is_wanted, block))) => open = Some((is_wanted, block + line + "\n")),
            _ => {}
        }
    }
    blocks
}

#[test]
fn the_example_of_a_configuration_is_one() {
    let page = read("docs/configuration.md");
    let examples = blocks(&page, "toml");
    assert_eq!(examples.len(), 1);
    let routes = inferlog::capture::config::routes(&examples[0], &|_| None).unwrap();
    let names: Vec<_> = routes.iter().map(|route| route.name.to_string()).collect();
    assert_eq!(names, ["credit", "triage"]);
}

#[test]
fn every_command_in_the_readme_exists_with_its_flags() {
    let page = read("README.md");
    let mut commands = 0;
    for block in blocks(&page, "") {
        for line in
            block.replace("\\\n", " ").lines().filter_map(|line| line.trim().strip_prefix("inferlog "))
        {
            let words: Vec<&str> = line.split('#').next().unwrap().split_whitespace().collect();
            // The command and the one below it, as in `policy check FILE`.
            let named =
                words.iter().take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
            let named = named.take_while(|word| !word.starts_with('-'));
            let help = std::process::Command::new(env!("CARGO_BIN_EXE_inferlog"))
                .args(named)
                .arg("--help")
                .output()
                .unwrap();
            assert!(help.status.success(), "{line}");
            let help = String::from_utf8(help.stdout).unwrap();
            for flag in words.iter().filter(|word| word.starts_with("--")) {
                assert!(help.contains(flag), "`{flag}` of `inferlog {line}` is not in its help");
            }
            commands += 1;
        }
    }
    assert!(commands >= 7, "{commands}");
}
