//! `inferlog coverage` through the binary: judged, accepted, counted again; beside a process that serves and without one.
//!
//! `INFERLOG_DECISIONS=1000000 cargo test --release -p inferlog --test coverage -- --nocapture` says how long a million takes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that fails, fails here"
)]

mod support;

use std::path::Path;
use std::time::Instant;

use inferlog::generate::{Options, write};
use inferlog::real_env;
use inferlog_audit::coverage::{CoverageOptions, cover};
use inferlog_record::Timestamp;
use serde_json::Value;
use support::{REQUEST, World, model};

fn ids(report: &Value, accepted: bool) -> Vec<String> {
    let findings = report["systems"][0]["findings"].as_array().unwrap().iter();
    let is_accepted = |finding: &Value| finding["acceptance"]["in_force"] == true;
    let of = findings.filter(|finding| is_accepted(finding) == accepted);
    of.map(|finding| finding["id"].as_str().unwrap().to_owned()).collect()
}

/// Whether any file holds this text.
fn holds(dir: &Path, text: &str) -> bool {
    std::fs::read_dir(dir).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match std::fs::symlink_metadata(&path).unwrap().file_type() {
            kind if kind.is_dir() => holds(&path, text),
            kind if kind.is_file() => {
                memchr::memmem::find(&std::fs::read(&path).unwrap(), text.as_bytes()).is_some()
            }
            _ => false,
        }
    })
}

#[test]
fn a_finding_is_judged_accepted_and_counts_again() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    for person in ["4711", "4712"] {
        serve.infer(person, REQUEST);
    }
    let data = world.data();
    let data = data.to_str().unwrap();
    let report = |fail_on: &str| world.run(&["coverage", "--data", data, "--json", "--fail-on", fail_on]);
    let first = report("info");
    first.expect(1);
    let first = first.json();
    assert_eq!(first["format"], "inferlog-coverage/1");
    assert_eq!(first["systems"][0]["counts"]["decisions"], 2);
    let found = ids(&first, false);
    assert!(!found.is_empty());
    report("never").expect(0);
    let accept = |finding: &str, until: &str| {
        let reason = "a-reason-that-nobody-reads";
        let why = ["--reason", reason, "--until", until, "--actor", "kim"];
        world.run(&[&["coverage", "accept", finding, "--data", data][..], &why].concat())
    };
    // Through the process that serves, then with nobody serving.
    accept(&found[0], "2199-01-01").expect(0);
    assert_eq!(ids(&report("never").json(), true), found[..1]);
    drop(serve);
    for finding in &found[1..] {
        accept(finding, "2199-01-01").expect(0);
    }
    let all = report("info");
    assert_eq!(ids(&all.json(), false), [""; 0]);
    all.expect(0);
    assert!(!holds(&world.data(), "a-reason-that-nobody-reads"), "the reason stands in clear");
    let text = world.run(&["coverage", "--data", data]);
    assert!(text.stdout().contains("until 2199-01-01"), "{}", text.stdout());
    let by = &all.json()["systems"][0]["acceptances"][0]["by"];
    assert_eq!(by.as_str().unwrap_or_default().len(), 36, "a pseudonym");
}

#[test]
fn what_cannot_be_done_is_said() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    serve.infer("4711", REQUEST);
    drop(serve);
    let data = world.data();
    let data = data.to_str().unwrap();
    let accept = ["coverage", "accept", "model-alias/x", "--data", data];
    for (args, why) in [
        (&["coverage", "--data", "nowhere"][..], "not a data directory"),
        (&["coverage"], "--data"),
        (&["coverage", "--data", data, "--profile", "strict"], "human-in-the-loop"),
        (&["coverage", "--data", data, "--system", "other"], "there is no log of other"),
        (&["coverage", "--data", data, "--since", "1h", "--until", "2h"], "the window is empty"),
        (&["coverage", "--data", data, "--usage", "nowhere.csv"], "nowhere.csv"),
        (&[&accept[..], &["--reason", "r", "--until", "2020-01-01"]].concat(), "not in the future"),
        (&[&accept[..], &["--reason", " ", "--until", "2199-01-01"]].concat(), "say why"),
        (&[&accept[..], &["--reason", "r", "--until", "2199-01-01"]].concat(), "no system has the finding"),
        (
            &["coverage", "accept", "nonsense", "--data", data, "--reason", "r", "--until", "2199-01-01"],
            "no finding's id",
        ),
    ] {
        let run = world.run(args);
        run.expect(2);
        assert!(run.stderr().contains(why), "{args:?}: {}", run.stderr());
    }
}

/// What is generated has no fault but those that it has on purpose.
#[test]
fn a_large_log_is_judged_in_one_pass() {
    let decisions = std::env::var("INFERLOG_DECISIONS").map_or(20_000, |text| text.parse().unwrap());
    let temp = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // Otherwise no answer is recorded, which is found.
    let sealed = decisions <= 100_000;
    let options = Options { sealed, ..Options::new(decisions) };
    let written = runtime.block_on(write(temp.path(), &options)).unwrap();
    let options = CoverageOptions {
        since: Some("2026-03-01T00:00:00.000000000Z".parse::<Timestamp>().unwrap()),
        now: "2026-06-01T00:00:00.000000000Z".parse().unwrap(),
        ..CoverageOptions::default()
    };
    let (began, mut last) = (Instant::now(), Default::default());
    let report = cover(&real_env().fs, temp.path(), &options, &mut |progress| last = progress).unwrap();
    let took = began.elapsed().as_secs_f64();
    eprintln!("{decisions} decisions, {} entries: judged in {took:.1} s", written.entries);
    assert_eq!((last.entries, last.entries_total), (written.entries, written.entries));
    let sum = |count: fn(&inferlog_audit::coverage::Counts) -> u64| {
        report.systems.iter().map(|system| count(&system.counts)).sum::<u64>()
    };
    assert_eq!(sum(|counts| counts.decisions), decisions);
    // An event whose payloads go on in a further entry is one.
    assert_eq!(sum(|counts| counts.events), written.events);
    for system in &report.systems {
        assert_eq!(system.notices, [""; 0]);
        let mut rules: Vec<&str> = system.findings.iter().map(|finding| finding.rule).collect();
        rules.dedup();
        eprintln!("{}: {rules:?}", system.system);
        assert!(!rules.contains(&"field"), "{:#?}", system.findings);
        assert_eq!(rules.contains(&"no-output"), !sealed, "{:#?}", system.findings);
    }
}
