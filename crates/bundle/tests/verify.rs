//! A bundle by the real writer is verified: what is told about it, by whose word, and what other keys and checkpoints make of it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

#[path = "../../audit/tests/agentic/mod.rs"]
mod agentic;
#[path = "../../audit/tests/sealed/mod.rs"]
mod sealed;
mod support;
#[path = "../../audit/tests/world/mod.rs"]
mod world;

use std::io::Cursor;
use std::sync::LazyLock;

use inferlog_bundle::layout::{Disclosed, Entries, Facts};
use inferlog_bundle::verify::{BUILD, BundleReport, Check, KeySource, Outcome, VerifyOptions, verify};
use inferlog_bundle::zip::ZipSource;
use inferlog_merkle::{Checkpoint, Hash, Policy};
use support::archive::Packing;
use support::{Files, Key, Made, WITNESS, check, places, witness};

/// A bundle with everything, and what its reader knows from elsewhere.
static ALL: LazyLock<(Vec<u8>, VerifyOptions)> = LazyLock::new(|| {
    let made = Made::new();
    (made.bundle(&["*"], true), made.known())
});

fn files() -> Files {
    Files::unpack(&ALL.0).unwrap()
}

fn known() -> VerifyOptions {
    ALL.1.clone()
}

fn outcome(report: &BundleReport, check: Check) -> Outcome {
    report.checks.iter().find(|one| one.check == check).unwrap().outcome
}

fn origin() -> String {
    known().keys[0].name().to_owned()
}

#[test]
fn everything_is_checked_and_told() {
    let report = check(&files(), &known());
    assert_eq!((report.ok, places(&report)), (true, Vec::<String>::new()));
    for one in &report.checks {
        assert_eq!(one.outcome, Outcome::Passed, "{one:?}");
    }
    let log = &report.logs[0];
    assert_eq!((log.key_from, log.signed_by.len(), log.size), (KeySource::Given, 1, 30));
    let cosignature = &log.cosignatures[0];
    assert_eq!((cosignature.name.as_str(), cosignature.verified), (WITNESS, true));
    assert_eq!(cosignature.at.as_deref(), Some("2027-01-15T08:00:00.000000000Z"));
    assert!(log.timestamps[0].trusted && log.timestamps[0].by.as_deref().unwrap().contains("authority"));
    let counts = &report.counts;
    assert_eq!((counts.decisions, counts.entries, counts.system_entries), (8, 29, 4));
    assert_eq!((counts.payloads, counts.disclosed, counts.undisclosed), (244, 243, 0));
    assert_eq!((counts.erased, counts.not_captured, counts.sealed, counts.shared_files), (1, 2, 243, 2));
    let text = report.to_text(false);
    for said in [
        "complete to 30 entries",
        "the key you gave",
        "cosigned by witness.example",
        "timestamped at",
        "No fault: every record",
    ] {
        assert!(text.contains(said), "{said} in {text}");
    }
    assert!(text.contains("nothing was left out"), "what it does not prove stands there too");
}

#[test]
fn the_progress_ends_with_every_file() {
    let (mut last, mut calls) = (None, 0);
    let files = files();
    let report = verify(&files, &known(), &mut |progress| {
        calls += 1;
        last = Some(progress);
    });
    let last = last.unwrap();
    assert_eq!(
        (last.files, last.files_total, last.bytes),
        (report.counts.files, report.counts.files, report.counts.bytes)
    );
    assert_eq!(calls, files.0.len());
}

#[test]
fn without_a_key_it_is_the_bundles_own_word() {
    let report = check(&files(), &VerifyOptions::default());
    assert!(report.ok);
    assert_eq!(report.logs[0].key_from, KeySource::Bundle);
    assert_eq!(outcome(&report, Check::Cosignatures), Outcome::Unchecked);
    assert_eq!(outcome(&report, Check::Timestamps), Outcome::Unchecked);
    let text = report.to_text(false);
    assert!(text.contains("signed by the key that the bundle itself brings"), "{text}");
    assert!(!text.contains("No fault: every record"), "{text}");
    assert!(text.contains("(not checked: no key given)"), "{text}");
}

/// Whoever has no key of the log makes a log of his own: nothing in the bundle shows it, and any key from elsewhere does.
#[test]
fn another_key_is_another_log() {
    let strange = VerifyOptions { keys: vec![Key::of_nobody().vkey(&origin())], ..VerifyOptions::default() };
    let report = check(&files(), &strange);
    assert_eq!(places(&report), ["manifest manifest", "checkpoint logs/0/checkpoint", "report report.note"]);
    let elsewhere =
        VerifyOptions { keys: vec![Key::of_log().vkey("elsewhere.example/log")], ..VerifyOptions::default() };
    let report = check(&files(), &elsewhere);
    assert_eq!(places(&report), ["checkpoint logs/0/checkpoint"]);
    assert!(
        report.faults[0].what.contains("are of others: elsewhere.example/log"),
        "{}",
        report.faults[0].what
    );
    // One key more does no harm.
    let mut both = known();
    both.keys.extend(elsewhere.keys);
    assert!(check(&files(), &both).ok);
}

#[test]
fn bundles_of_other_tools_are_the_same_bundle() {
    for packing in Packing::OTHERS {
        let archive = files().pack(packing);
        let source = ZipSource::new(Cursor::new(&archive)).unwrap();
        let report = verify(&source, &known(), &mut |_| {});
        assert!(report.ok, "{packing:?}: {:?}", report.faults);
    }
}

/// One bundle shows everything, another some of it, a third nothing: all are proved, and say how much is not shown.
#[test]
fn what_is_not_disclosed_is_counted_and_no_fault() {
    let made = Made::new();
    let mut expected = None;
    for (roles, disclosed) in
        [(&[][..], 0), (&["input.*"][..], 11), (&["output.raw", "input.raw"][..], 211), (&["*"][..], 243)]
    {
        let files = Files::unpack(&made.bundle(roles, false)).unwrap();
        let report = check(&files, &made.known());
        assert!(report.ok, "{roles:?}: {:?}", report.faults);
        let counts = &report.counts;
        assert_eq!((counts.disclosed, counts.disclosed + counts.undisclosed), (disclosed, 243), "{roles:?}");
        assert_eq!(counts.erased, 1, "{roles:?}");
        assert_eq!(outcome(&report, Check::Sealed), Outcome::Absent);
        // The same entries and proofs, whatever is shown of them.
        let entries: Vec<_> =
            files.0.into_iter().filter(|(path, _)| path.starts_with("decisions/")).collect();
        assert_eq!(*expected.get_or_insert_with(|| entries.clone()), entries);
    }
}

#[test]
fn witnesses_and_policies_are_asked_for_what_they_are() {
    let (_, vkey) = witness();
    let other =
        inferlog_merkle::VerifierKey::new("other.example/witness", vkey.kind(), vkey.public_key()).unwrap();
    let policy = |text: &str| text.parse::<Policy>().unwrap();
    let reader = |witnesses: Vec<_>, text: Option<&str>| VerifyOptions {
        witnesses,
        policy: text.map(policy),
        ..known()
    };
    let satisfied = format!("witness w {vkey}\nquorum w\n");
    let missing = format!("witness o {other}\nquorum o\n");
    let table = [
        (reader(vec![vkey.clone()], None), vec![]),
        (reader(vec![vkey.clone(), other.clone()], None), vec![]),
        (reader(vec![other.clone()], None), vec!["cosignatures logs/0/checkpoint"]),
        (reader(vec![], Some(&satisfied)), vec![]),
        (reader(vec![], Some(&missing)), vec!["cosignatures logs/0/checkpoint"]),
    ];
    for (options, expected) in table {
        let report = check(&files(), &options);
        assert_eq!(places(&report), expected, "{:?}", options.policy);
    }
    let report = check(&files(), &reader(vec![vkey, other], None));
    assert!(
        report.notices.iter().any(|notice| notice.contains("other.example/witness did not cosign")),
        "{:?}",
        report.notices
    );
}

#[test]
fn a_checkpoint_that_the_reader_holds_is_compared() {
    let note = String::from_utf8(files().0["logs/0/checkpoint"].clone()).unwrap();
    let text = note.split("\n\n").next().unwrap().to_owned() + "\n";
    let here: Checkpoint = text.parse().unwrap();
    let signed = |key: &Key, origin: &str, size: u64, root: Hash| {
        key.note(origin, &Checkpoint::new(origin, size, root).unwrap().to_string())
    };
    let (log, nobody, origin) = (Key::of_log(), Key::of_nobody(), origin());
    let table = [
        ("its own", note.clone().into_bytes(), Some(true), "the very checkpoint that you hold (size 30)"),
        (
            "a fork",
            signed(&log, &origin, here.size(), Hash([1; 32])),
            Some(false),
            "different records to different readers",
        ),
        ("an older one", signed(&log, &origin, 3, Hash([1; 32])), None, "a bundle alone cannot show"),
        ("a newer one", signed(&log, &origin, 300, Hash([1; 32])), None, "a bundle alone cannot show"),
        (
            "of another log",
            signed(&log, "elsewhere", 30, Hash([1; 32])),
            Some(false),
            "no log of this bundle",
        ),
        ("by another key", signed(&nobody, &origin, 30, here.root()), Some(false), "no known key signed"),
        ("none", b"30 entries".to_vec(), Some(false), "neither a checkpoint"),
    ];
    for (what, held, same, said) in table {
        let report = check(&files(), &VerifyOptions { against: vec![held], ..known() });
        let against = &report.against[0];
        assert_eq!(against.same, same, "{what}: {}", against.what);
        assert!(against.what.contains(said), "{what}: {}", against.what);
        assert_eq!(report.ok, same != Some(false), "{what}");
    }
}

/// The page of another build is signed and cannot be made again: it is not called checked, and not called wrong.
#[test]
fn the_page_of_another_build_is_left_open() {
    let made = Made::new();
    let mut files =
        Files::unpack(&made.bundle_of(&made.decisions[..1], &[], false, "inferlog/9.9.9")).unwrap();
    assert!(check(&files, &made.known()).ok, "where it makes the same page all is well");
    let mut page = files.0["report.html"].clone();
    page.extend_from_slice(b"<p>later</p>\n");
    let text = format!("inferlog bundle report v1\n{}\n", sha256(&page));
    files.0.insert("report.html".into(), page);
    let report = check(&files, &made.known());
    assert_eq!(places(&report), ["report report.note"], "nobody else can change it");
    files.0.insert("report.note".into(), Key::of_log().note(&made.origin, &text));
    let report = check(&files, &made.known());
    assert!(report.ok);
    assert_eq!(outcome(&report, Check::Report), Outcome::Unchecked);
    let said = &report.checks.last().unwrap().what;
    assert!(said.contains("inferlog/9.9.9") && said.contains(BUILD), "{said}");
}

/// Names that a terminal would obey reach it as what they are.
#[test]
fn a_hostile_bundle_does_not_speak_to_the_terminal() {
    let mut files = files();
    let mut facts: Facts = serde_json::from_slice(&files.0["bundle.json"]).unwrap();
    facts.logs[0].origin = "\u{1b}[2J\u{202e}gnihton".into();
    files.0.insert("bundle.json".into(), serde_json::to_vec(&facts).unwrap());
    let text = check(&files, &known()).to_text(false);
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
}

/// An opening that an erasure should have made impossible: somebody kept the key.
#[test]
fn content_that_was_erased_and_is_opened_is_a_fault() {
    let made = Made::new();
    let mut files = Files::unpack(&made.bundle(&["*"], false)).unwrap();
    let guarantor = "guarantor";
    // The key of another payload under the name of the erased one: it is refused before it is tried.
    let path = format!("openings/{}.json", made.agentic.draft.decision);
    let mut disclosed: Disclosed = serde_json::from_slice(&files.0[&path]).unwrap();
    let entries =
        String::from_utf8(files.0[&format!("decisions/{}.json", made.agentic.draft.decision)].clone())
            .unwrap();
    let opened: Vec<String> = disclosed.openings.iter().map(|opened| opened.payload.to_string()).collect();
    let erased = entries.split("\\\"payload\\\":\\\"").skip(1).map(|rest| rest[..36].to_owned()).find(|id| {
        !opened.contains(id) && entries.matches(id.as_str()).count() == 1 && {
            let after = entries.split_once(id.as_str()).unwrap().1;
            after[..200.min(after.len())].contains("present")
        }
    });
    let Some(erased) = erased else { panic!("no payload of the {guarantor}") };
    disclosed.openings[0].payload = erased.parse().unwrap();
    files.0.insert(path.clone(), serde_json::to_vec(&disclosed).unwrap());
    let report = check(&files, &made.known());
    assert!(places(&report).contains(&format!("openings {path} payload {erased}")), "{:?}", report.faults);
}

/// An entry that was too long for one stands in parts: without its second half the first is not passed off as all of it.
#[test]
fn parts_of_a_write_belong_together() {
    let made = Made::new();
    let last = *made.decisions.last().unwrap();
    let good = Files::unpack(&made.bundle_of(&[last], &[], false, BUILD)).unwrap();
    assert!(check(&good, &made.known()).ok);
    let path = format!("decisions/{last}.json");
    let entries: Entries = serde_json::from_slice(&good.0[&path]).unwrap();
    assert_eq!(entries.entries.len(), 3, "the opening, and an answer in two parts");
    for (taken, said) in
        [(2, "part 2 of the 2 that were written with it"), (1, "part 1 before it is missing")]
    {
        let mut left = entries.clone();
        left.entries.remove(taken);
        let mut files = good.clone();
        files.0.insert(path.clone(), serde_json::to_vec(&left).unwrap());
        let report = check(&files, &made.known());
        let told = report.faults.iter().find(|fault| fault.check == Check::Entries).unwrap();
        assert_eq!(told.file, path);
        assert!(told.what.contains(said), "{}", told.what);
    }
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(bytes))
}
