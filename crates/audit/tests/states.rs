//! One decision that has every state that a content can be in, told in every form.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

mod every;
mod purge;
mod sealed;
mod world;

use std::collections::BTreeSet;
use std::path::Path;

use every::states;
use inferlog_audit::account::{explain, to_html};
use inferlog_audit::coverage::{CoverageOptions, cover};
use inferlog_audit::drill::{Choice, DRILL_FORMAT, DrillOptions, DrillReport, drill_system, named};
use inferlog_audit::{States, TextOptions, story};
use inferlog_log::{LogReader, list_logs};
use inferlog_record::{Entry, Timestamp};
use inferlog_registry::Snapshot;
use world::{DAY_NS, DIR, START_NS};

#[test]
fn every_state_is_told_apart() {
    let told = states();
    let story = told.story();
    let states = &story.states;
    assert_eq!(
        (states.present, states.held, states.redacted, states.erased, states.purged),
        (2, 2, 1, 1, 1),
        "{}",
        story.to_text(TextOptions::default())
    );
    assert_eq!((states.not_captured, states.missing, states.spans_redacted), (1, 1, 5));
    insta::assert_snapshot!("show", story.to_text(TextOptions { color: false, full: true }));
    let account = told.account();
    assert_eq!(account.states, *states);
    insta::assert_snapshot!("text", account.to_text(TextOptions::default()));
    insta::assert_snapshot!("markdown", account.to_markdown());
    insta::assert_snapshot!("json", serde_json::to_string_pretty(&account.contents).unwrap());
    let prov = account.to_prov();
    for said in ["erased under the erasure event", "purged under the policy credit/3", "held by"] {
        assert!(prov.contains(said), "{said}: {prov}");
    }
    let html = to_html(&account);
    insta::assert_binary_snapshot!("states.html", html.clone().into_bytes());
    for mark in [
        "⊘</i> erased",
        "⊖</i> purged",
        "◉</i> held",
        "▬</i> redacted",
        "○</i> not captured",
        "‼</i> missing",
    ] {
        assert!(html.contains(mark), "{mark}");
    }
}

/// Whoever asks for the reasons is told what is there and no word of the rest.
#[test]
fn the_draft_of_an_explanation_says_what_it_cannot_show() {
    let told = states();
    let account = told.account();
    insta::assert_snapshot!("explain", explain(&account, None).unwrap().to_text());
}

#[test]
fn a_decision_of_which_nothing_is_left_is_said_to_be_purged_if_it_ever_was() {
    let told = states();
    let error = story(&told.sealer.world.fs, Path::new(DIR), told.gone, &told.options()).unwrap_err();
    insta::assert_snapshot!("gone", error.to_string());
}

#[test]
fn coverage_judges_what_is_left() {
    let told = states();
    let options = CoverageOptions { now: Timestamp(START_NS + 4 * DAY_NS), ..CoverageOptions::default() };
    let report = cover(&told.sealer.world.fs, Path::new(DIR), &options, &mut |_| {}).unwrap();
    insta::assert_snapshot!("coverage", report.to_text(false, false));
}

/// What coverage counts of the window is what the stories of its decisions say, each for itself.
#[test]
fn coverage_counts_what_became_of_each_content_as_each_story_does() {
    let told = states();
    let fs = &told.sealer.world.fs;
    let options = CoverageOptions { now: Timestamp(START_NS + 4 * DAY_NS), ..CoverageOptions::default() };
    let counted = cover(fs, Path::new(DIR), &options, &mut |_| {}).unwrap().systems[0].contents;
    let counts = |of: &States| {
        let States { erased, held, missing, not_captured, present, purged, redacted, spans_redacted } = *of;
        [erased, held, missing, not_captured, present, purged, redacted, spans_redacted]
    };
    let log = list_logs(&**fs, Path::new(DIR)).unwrap().remove(0);
    let (reader, mut decisions) = (LogReader::new(fs.clone(), log), BTreeSet::new());
    let visit = |_, bytes: &[u8]| {
        decisions.extend(Entry::from_bytes(bytes).unwrap().decision);
        true
    };
    reader.scan(0, reader.size().unwrap(), visit).unwrap();
    let mut sum = [0; 8];
    for decision in decisions {
        let one = story(fs, Path::new(DIR), decision, &told.options()).unwrap();
        sum.iter_mut().zip(counts(&one.states)).for_each(|(sum, one)| *sum += one);
    }
    assert_eq!(counts(&counted), sum);
    assert!(sum.iter().all(|count| *count > 0), "each is there: {sum:?}");
}

#[test]
fn a_drill_fails_for_what_is_missing_alone() {
    let told = states();
    let (fs, dir) = (&told.sealer.world.fs, Path::new(DIR));
    let registry = Snapshot::load(fs, &dir.join("registry")).unwrap();
    let until = Timestamp(START_NS + 4 * DAY_NS);
    let options = DrillOptions {
        keys: Vec::new(),
        openings: &told.sealer.vault,
        registry: &registry,
        hash_artefacts: false,
        strict: false,
        until,
    };
    let asked = [told.decision, told.gone].into();
    let drawn = named(fs, dir, &asked, &mut |_, _| {}).unwrap();
    let drill = |drawn| drill_system(fs, dir, drawn, &options, None, &mut |_| {}).unwrap();
    let systems: Vec<_> = drawn.systems.iter().map(drill).collect();
    let mut checked = systems[0].checked.clone();
    checked.add(&systems[1].checked);
    let report = DrillReport {
        format: DRILL_FORMAT,
        passed: systems.iter().all(|system| system.passed),
        began: until,
        ended: until,
        choice: Choice::Named { decisions: 2 },
        replayed: false,
        artefacts_hashed: false,
        sampled: systems.iter().map(|system| system.sampled).sum(),
        failed: systems.iter().map(|system| system.failed).sum(),
        checked,
        systems,
    };
    insta::assert_snapshot!("drill", report.to_text(false));
}

#[test]
fn verify_counts_them() {
    let told = states();
    let report = world::look::check(&told.sealer.sim);
    // What is missing is the one fault.
    assert_eq!(report.fault_count, 1, "{:#?}", report.faults);
    let counts = &report.logs[0].payloads;
    assert_eq!((counts.missing, counts.redacted, counts.spans_redacted), (1, 1, 5));
    assert!(report.notices.iter().any(|notice| notice.what.contains("announced, and no event says")));
}
