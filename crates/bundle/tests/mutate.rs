//! A bundle by the real writer, changed in every file and in every member of every JSON file, by three attackers: one who changes
//! bytes and nothing else, one who makes the sums anew and has no key, one who has the log's key but cannot make its witnesses and
//! its tree say something else. Each change must be a fault in the right file, but for those that say less and nothing false.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

#[path = "../../audit/tests/agentic/mod.rs"]
mod agentic;
#[path = "mutate/change.rs"]
mod change;
#[path = "../../audit/tests/sealed/mod.rs"]
mod sealed;
mod support;
#[path = "../../audit/tests/world/mod.rs"]
mod world;

use std::sync::LazyLock;

use change::{Change, json_changes, plain_changes};
use inferlog_bundle::verify::{BundleReport, VerifyOptions};
use support::{Files, Key, Made, UNLISTED, check, sum};

/// A bundle of three decisions with everything, and what its reader knows from elsewhere.
static BUNDLE: LazyLock<(Files, VerifyOptions)> = LazyLock::new(|| {
    let made = Made::new();
    let of = |id| made.decisions.iter().position(|other| *other == id).unwrap();
    let agentic = of(made.agentic.draft.decision);
    let chosen = [made.decisions[0], made.decisions[1], made.decisions[agentic]];
    (Files::unpack(&made.bundle_of(&chosen, &["*"], true, support::BUILD)).unwrap(), made.known())
});

/// Signs the sums and the page, and makes the page anew unless it is the page that was changed.
fn sign(files: &mut Files, key: &Key, changed: &str) {
    support::sign(files, BUNDLE.1.keys[0].name(), key, changed);
}

/// Files of which one may be blamed for what was changed in another.
fn may_be_blamed(change: &Change, blamed: &str) -> bool {
    let changed = change.path.as_str();
    // A list that does not fit the files: nobody can say which of them is wrong.
    if changed == "SHA256SUMS" || change.other_path() == Some(blamed) {
        return true;
    }
    let pairs: &[(&str, &[&str])] = &[
        ("bundle.json", &["logs/", "openings/", "sealed/"]),
        ("decisions.json", &["bundle.json"]),
        ("decisions/", &["decisions.json"]),
        ("openings/", &["decisions.json"]),
        ("SHA256SUMS", &["manifest"]),
        ("report.html", &["report.note"]),
    ];
    let others =
        pairs.iter().filter(|(prefix, _)| changed.starts_with(prefix)).flat_map(|(_, others)| *others);
    changed == blamed || others.into_iter().any(|other| blamed.starts_with(other))
}

/// Changes by whoever has the log's key that say less, or something that nothing in a bundle could contradict. Each of these is
/// passed by, and nothing else is.
const SAYS_LESS: &[(&str, &str)] = &[
    // What a person reads, and a program that the reader is told to look at.
    ("README.txt", "bytes"),
    ("docs/bundle.md", "bytes"),
    ("docs/format.md", "bytes"),
    ("verify.py", "bytes"),
    // Optional: what the logs say of gaps follows from entries that the bundle does not have.
    ("coverage.json", "*"),
    // The build's name. Its page is then another build's.
    ("bundle.json", "change /build"),
    // What the exporter asked for, as long as it covers what is there.
    ("bundle.json", "append /disclosure/roles"),
    ("bundle.json", "repeat /disclosure/roles"),
    // A bundle tells of the system's life what concerns its decisions.
    ("logs/0/system.json", "drop /entries"),
    // Sealed bytes that are not there: their maker might have none any more.
    ("sealed/", "drop /sealed"),
    // The order of what is disclosed carries nothing.
    ("openings/", "reverse /openings"),
    ("sealed/", "reverse /sealed"),
    // Shared content that is not there: its SHA-256 is in the entries, and whoever has it can show it.
    ("shared/", "taken out"),
    // The newline at the end of JSON.
    ("", "newline"),
];

fn says_less(path: &str, what: &str) -> bool {
    SAYS_LESS
        .iter()
        .any(|(prefix, change)| path.starts_with(prefix) && (*change == "*" || what.starts_with(change)))
}

#[derive(Default)]
struct Tally {
    tried: usize,
    /// Changes that nobody noticed, or for which another file was blamed.
    wrong: Vec<String>,
}

impl Tally {
    /// Holds a report of a changed bundle against what should be said.
    fn judge(&mut self, who: &str, change: &Change, report: &BundleReport, blamed: &dyn Fn(&str) -> bool) {
        self.tried += 1;
        let is_blamed = report.faults.iter().any(|fault| blamed(&fault.file));
        if is_blamed {
            return;
        }
        let said: Vec<String> =
            report.faults.iter().take(3).map(|fault| format!("{}: {}", fault.file, fault.what)).collect();
        self.wrong.push(format!("{who}: {} {}: {said:?}", change.path, change.what));
    }

    fn end(self, at_least: usize) {
        let shown: Vec<&String> = self.wrong.iter().take(40).collect();
        assert!(self.wrong.is_empty(), "{} of {} changes: {shown:#?}", self.wrong.len(), self.tried);
        assert!(self.tried >= at_least, "only {} changes were tried", self.tried);
    }
}

fn all_changes(files: &Files) -> Vec<Change> {
    let mut changes = plain_changes(files);
    for path in files.0.keys().filter(|path| path.ends_with(".json")) {
        changes.extend(json_changes(files, path));
    }
    changes
}

#[test]
fn what_was_not_changed_passes() {
    let (files, known) = &*BUNDLE;
    assert!(check(files, known).ok);
    // The tools of the attackers make the same bundle of the same files.
    let mut same = files.clone();
    sum(&mut same);
    sign(&mut same, &Key::of_log(), "");
    assert_eq!(same, *files);
}

/// Changed on its way: every change of every byte that counts is in the file where it was made.
#[test]
fn a_change_is_found_where_it_was_made() {
    let (files, known) = &*BUNDLE;
    let mut tally = Tally::default();
    for change in plain_changes(files) {
        let report = check(&change.apply(files), known);
        let path = change.path.clone();
        tally.judge("changed", &change, &report, &|blamed| {
            blamed == path || (path == "SHA256SUMS" && blamed == "manifest")
        });
    }
    tally.end(200);
}

/// Changed by somebody who makes the sums and the page fit: the signature is not his to make. With a key of his own, which he lists
/// in the bundle, he convinces nobody who has the log's.
#[test]
fn without_the_logs_key_nothing_can_be_changed() {
    let (files, known) = &*BUNDLE;
    let mut tally = Tally::default();
    let origin = known.keys[0].name();
    for change in plain_changes(files) {
        if UNLISTED.contains(&change.path.as_str()) {
            continue;
        }
        let mut summed = change.apply(files);
        sum(&mut summed);
        let report = check(&summed, known);
        tally.judge("unsigned", &change, &report, &|blamed| blamed == "manifest");
        let mut signed = summed;
        let own = Key::of_nobody();
        signed.0.insert("logs/0/keys".into(), format!("{}\n", own.vkey(origin)).into_bytes());
        sum(&mut signed);
        sign(&mut signed, &own, "");
        let report = check(&signed, known);
        let unknown = |blamed: &str| ["manifest", "logs/0/checkpoint"].contains(&blamed);
        tally.judge("with a key of his own", &change, &report, &unknown);
        // Nor whoever has no key at all, as long as the checkpoint is the log's: that one is not signed by the key beside it.
        let report = check(&signed, &VerifyOptions::default());
        let unsigned = |blamed: &str| ["logs/0/checkpoint", "bundle.json"].contains(&blamed);
        tally.judge("and no reader's key", &change, &report, &unsigned);
    }
    tally.end(500);
}

/// Changed by whoever has the log's key, sums, page and signatures made anew.
#[test]
fn with_the_logs_key_nothing_false_can_be_said() {
    let (files, known) = &*BUNDLE;
    let (mut tally, mut passed) = (Tally::default(), vec![0; SAYS_LESS.len()]);
    for change in all_changes(files) {
        let mut changed = change.apply(files);
        if change.path != "SHA256SUMS" {
            sum(&mut changed);
        }
        sign(&mut changed, &Key::of_log(), &change.path);
        let report = check(&changed, known);
        if report.ok && says_less(&change.path, &change.what) {
            let row = SAYS_LESS.iter().position(|(prefix, what)| {
                change.path.starts_with(prefix) && (*what == "*" || change.what.starts_with(what))
            });
            passed[row.unwrap()] += 1;
            continue;
        }
        tally.judge("signed", &change, &report, &|blamed| may_be_blamed(&change, blamed));
    }
    let unused: Vec<_> =
        SAYS_LESS.iter().zip(&passed).filter(|(_, passed)| **passed == 0).map(|(row, _)| row).collect();
    tally.end(1_000);
    assert!(unused.is_empty(), "noticed by now, so that these need no excuse: {unused:?}");
}
