//! Which payloads the words of a disclosure cover.

#![allow(clippy::unwrap_used, reason = "a test that fails, fails here")]

use inferlog_bundle::layout::Disclosure;
use inferlog_record::{DataClass, PayloadRole};

fn disclosure(roles: &[&str], classes: &[&str]) -> Disclosure {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Disclosure { classes: owned(classes), roles: owned(roles), sealed: false }
}

#[test]
fn a_role_is_covered_by_its_name_its_family_or_all() {
    let covered = |roles: &[&str]| {
        let disclosure = disclosure(roles, &[]);
        let of = PayloadRole::ALL.iter().filter(|role| disclosure.covers(**role, DataClass::Personal));
        of.map(|role| role.as_str()).collect::<Vec<_>>()
    };
    assert!(covered(&[]).is_empty());
    assert_eq!(covered(&["*"]), PayloadRole::TEXTS);
    assert_eq!(covered(&["output.final"]), ["output.final"]);
    assert_eq!(covered(&["input.*", "error"]), ["input.raw", "input.enriched", "input.assembled", "error"]);
    assert_eq!(covered(&["human.*"]), ["human.before", "human.after", "human.reason"]);
    // A family is named with its dot: what begins alike by chance is another role.
    assert!(covered(&["in*", "tool*", "*.raw", ".*", ""]).is_empty());
}

#[test]
fn classes_narrow_and_open_nothing() {
    let by_class = |roles: &[&str], classes: &[&str]| {
        let disclosure = disclosure(roles, classes);
        DataClass::ALL.iter().filter(|class| disclosure.covers(PayloadRole::InputRaw, **class)).count()
    };
    assert_eq!(by_class(&["*"], &[]), DataClass::ALL.len());
    assert_eq!(by_class(&["*"], &["personal"]), 1);
    assert_eq!(by_class(&["input.raw"], &["pseudonymous", "shared"]), 2);
    assert_eq!(by_class(&["output.raw"], &["personal"]), 0);
    assert_eq!(by_class(&[], &["personal"]), 0);
}

#[test]
fn a_word_that_covers_nothing_is_refused_with_what_there_is() {
    disclosure(&["*", "input.*", "prompt"], &["personal", "shared"]).check().unwrap();
    for wrong in ["output", "in*", "input.", "Input.raw", "", "**"] {
        let told = disclosure(&[wrong], &[]).check().unwrap_err();
        assert!(told.contains("no payload has the role") && told.contains("output.final"), "{told}");
    }
    let told = disclosure(&["*"], &["secret"]).check().unwrap_err();
    assert!(told.contains("personal, pseudonymous, shared"), "{told}");
}
