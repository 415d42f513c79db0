//! The account of an agent's decision in the formats that programs and terminals read.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

mod agentic;
mod sealed;
mod world;

use std::path::Path;

use agentic::{Agentic, agentic};
use inferlog_audit::account::{Account, Completeness, reconstruct};
use inferlog_audit::{Openings, StoryOptions, TextOptions};
use serde_json::Value;
use world::DIR;

fn account(world: &Agentic, is_opened: bool) -> Account {
    let openings = is_opened.then_some(&world.sealer.vault as &dyn Openings);
    let options = StoryOptions { openings, ..StoryOptions::default() };
    reconstruct(&world.sealer.world.fs, Path::new(DIR), world.draft.decision, &options, None).unwrap()
}

#[test]
fn a_terminal_shows_it() {
    let account = account(&agentic(), true);
    insta::assert_snapshot!("text", account.to_text(TextOptions::default()));
    let painted = account.to_text(TextOptions { color: true, full: true });
    assert!(painted.contains("\u{1b}[32m"), "what is well is green");
}

#[test]
fn without_keys_it_says_so() {
    let text = account(&agentic(), false).to_text(TextOptions::default());
    assert!(text.contains("contents left sealed, so it is not known whether they open"), "{text}");
    assert!(!text.contains("18,000 euros"), "{text}");
    insta::assert_snapshot!("text-sealed", text);
}

#[test]
fn markdown_shows_it() {
    insta::assert_snapshot!("markdown", account(&agentic(), true).to_markdown());
}

#[test]
fn programs_read_it() {
    let account = account(&agentic(), true);
    insta::assert_snapshot!("json", serde_json::to_string_pretty(&account).unwrap());
    assert_eq!(account.verdict.completeness, Completeness::CompleteWithExplainedAbsences);
    assert!(account.proof.proved);
}

#[test]
fn prov_says_what_came_of_what() {
    let prov = account(&agentic(), true).to_prov();
    insta::assert_snapshot!("prov", prov);
    // Whatever a relation names is there.
    let document: Value = serde_json::from_str(&prov).unwrap();
    let has = |kinds: &[&str], name: &Value| {
        kinds.iter().any(|kind| !document[*kind][name.as_str().unwrap()].is_null())
    };
    let ends: [(&str, &[(&str, &str)]); 5] = [
        ("used", &[("prov:activity", "activity"), ("prov:entity", "entity")]),
        ("wasGeneratedBy", &[("prov:activity", "activity"), ("prov:entity", "entity")]),
        ("wasInformedBy", &[("prov:informed", "activity"), ("prov:informant", "activity")]),
        ("wasAssociatedWith", &[("prov:activity", "activity"), ("prov:agent", "agent")]),
        ("wasDerivedFrom", &[("prov:generatedEntity", "entity"), ("prov:usedEntity", "entity")]),
    ];
    for (relation, ends) in ends {
        let relations = document[relation].as_object().unwrap();
        assert!(!relations.is_empty(), "{relation}");
        for (end, kind) in ends {
            assert!(relations.values().all(|one| has(&[kind], &one[*end])), "{relation} {end}");
        }
    }
    assert!(!prov.contains("18,000 euros"), "it holds no content");
}
