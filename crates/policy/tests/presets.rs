//! The presets: well formed, not refused, and said in plain words.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

use inferlog_policy::{PRESETS, Policy, Severity};

#[test]
fn no_preset_is_refused_and_each_says_what_it_rests_on() {
    for preset in PRESETS {
        let policy = Policy::parse(preset.text).unwrap_or_else(|error| panic!("{}: {error}", preset.name));
        let refused: Vec<_> =
            policy.check().into_iter().filter(|finding| finding.severity == Severity::Refused).collect();
        assert_eq!(refused, [], "{}", preset.name);
        assert!(preset.text.contains("an example to edit, to be checked by your counsel"), "{}", preset.name);
        assert!(!preset.text.contains("2026"), "{}: no date that the law may move", preset.name);
        for line in preset.text.lines() {
            assert!(line.chars().count() <= 170, "{}: {line}", preset.name);
        }
    }
}

#[test]
fn presets_in_plain_words() {
    for preset in PRESETS {
        let policy = Policy::parse(preset.text).unwrap();
        insta::assert_snapshot!(preset.name, policy.explain().to_string());
    }
}
