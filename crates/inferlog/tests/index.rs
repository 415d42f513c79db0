//! The index behind a serving process and without one: fresh, asked, broken and built again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

mod support;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{REQUEST, Run, Serve, World, get, model};

/// How long after its answer a decision may be missing from the index.
const VISIBLE: Duration = Duration::from_secs(2);

fn ids(found: &Run) -> Vec<String> {
    found.lines().iter().map(|line| line["decision"].as_str().unwrap().to_owned()).collect()
}

fn find(world: &World, more: &[&str]) -> Vec<String> {
    ids(&world.ok(&[&["find", "--json"], more].concat()))
}

fn failing(world: &World, args: &[&str], status: i32) -> String {
    let data = world.data();
    let run = world.run(&[args, &["--data", data.to_str().unwrap()]].concat());
    run.expect(status);
    run.stderr()
}

/// A decision for each of some persons; of the last one the model makes an error.
fn decide(serve: &Serve, persons: usize) -> Vec<String> {
    let body = |person: usize| {
        if person + 1 == persons {
            r#"{"inputs":[]}"#.to_owned()
        } else {
            REQUEST.replace("a-1", &format!("call-{person}"))
        }
    };
    (0..persons).map(|person| serve.infer(&format!("47{person}"), &body(person)).1).collect()
}

#[test]
fn what_is_answered_is_in_the_index_within_two_seconds() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let path = world.data().join("index").join("index.sqlite");
    for _ in 0..5 {
        let id = serve.infer("4711", REQUEST).1;
        let answered = Instant::now();
        loop {
            let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
            let seen = rusqlite::Connection::open_with_flags(&path, flags).and_then(|index| {
                let sql = "SELECT outcome FROM decisions WHERE id = ?1";
                index.query_row(sql, [&id], |row| row.get::<_, Option<String>>(0))
            });
            if matches!(&seen, Ok(Some(outcome)) if outcome == "answered") {
                break;
            }
            assert!(answered.elapsed() < VISIBLE, "{id}: {seen:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let metrics = get(serve.address, "/metrics").1;
    for line in [
        "inferlog_follower_up{follower=\"sqlite\"} 1",
        "inferlog_follower_lag_entries{follower=\"sqlite\"} 0",
        "inferlog_follower_lag_seconds{follower=\"sqlite\"} 0.0",
        "inferlog_follower_failures_total{follower=\"sqlite\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    let followers = world.ok(&["followers", "--json"]).lines();
    assert_eq!(
        (&followers[0]["name"], &followers[0]["state"]),
        (&Value::from("sqlite"), &Value::from("following"))
    );
    assert_eq!(followers[0]["logs"][0]["lag_entries"], 0);
    assert_eq!(serve.stop(), 0);
}

#[test]
fn each_condition_finds_its_decisions_served_and_not() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let all = decide(&serve, 6);
    let (first, last) = (all[0].as_str(), all[5].as_str());
    let attach = |kind: &str, more: &[&str]| drop(world.ok(&[&[kind, "--decision", first], more].concat()));
    attach("label", &["--name", "complaint", "--origin", "feedback", "--value", "json:true"]);
    attach("tool-call", &["--name", "scorecard", "--arguments", "text:4711"]);
    attach(
        "human",
        &["--action", "override", "--reviewer", "dana", "--before", "text:1", "--after", "text:0"],
    );
    conditions(&world, &all);
    assert_eq!(find(&world, &["--external-id", "call-3"]), [all[3].clone()]);
    assert_eq!(find(&world, &["--external-id", "call-9"]), [""; 0]);
    assert_eq!(serve.stop(), 0);
    conditions(&world, &all);
    assert_eq!(find(&world, &["--external-id", "call-3"]), [all[3].clone()]);

    let subject = world.ok(&["find", "--json", "--limit", "1"]).lines()[0]["subjects"][0].clone();
    assert_eq!(find(&world, &["--subject", subject.as_str().unwrap()]), [last]);
    let scanned = find(&world, &["--scan"]);
    assert_eq!(scanned, find(&world, &[]));
    let same = |line: &Value| {
        ["outcome", "model", "started_at", "ended_at", "route", "subjects"].map(|name| line[name].clone())
    };
    let (scan, index) =
        (world.ok(&["find", "--json", "--scan"]).lines(), world.ok(&["find", "--json"]).lines());
    assert!(scan.iter().map(same).eq(index.iter().map(same)), "{scan:?}\n{index:?}");
}

fn conditions(world: &World, all: &[String]) {
    for args in [
        &["--overridden", "yes"][..],
        &["--label", "complaint"],
        &["--tool", "scorecard"],
        &["--text", "SCORECARD"],
        &["--label", "complaint", "--tool", "scorecard", "--outcome", "answered"],
    ] {
        assert_eq!(find(world, args), all[..1], "{args:?}");
    }
    assert_eq!(find(world, &["--outcome", "failed"]), all[5..]);
    assert_eq!(find(world, &["--model", "cred", "--version", "3"]).len(), 5);
    assert_eq!(find(world, &["--overridden", "no"]), all[1..]);
    assert_eq!(find(world, &["--tool", "other"]), [""; 0]);
    let page = world.ok(&["find", "--json", "--limit", "2"]);
    assert_eq!(ids(&page), all[4..]);
    let token = page.lines()[0]["token"].as_str().unwrap().to_owned();
    assert_eq!(find(world, &["--limit", "3", "--before", &token]), all[1..4]);
    let counted = world.ok(&["find", "--count", "--json"]).json();
    assert_eq!((&counted["decisions"], &counted["outcomes"]["failed"]), (&Value::from(6), &Value::from(1)));
}

#[test]
fn stats_sum_up_what_was_decided() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    decide(&serve, 6);
    let stats = world.ok(&["stats", "--json", "--group", "outcome"]).json();
    let total = &stats["total"];
    assert_eq!((&total["decisions"], &total["outcomes"]["failed"]), (&Value::from(6), &Value::from(1)));
    assert_eq!(total["cost"], Value::Null);
    let (p50, p99) =
        (total["latency_ms"]["p50"].as_f64().unwrap(), total["latency_ms"]["p99"].as_f64().unwrap());
    assert!(p50 > 0.0 && p50 <= p99, "{total}");
    let rows = stats["rows"].as_array().unwrap();
    let answered = rows.iter().find(|row| row["group"]["outcome"] == "answered").unwrap();
    assert_eq!(answered["decisions"], 5);
    std::fs::write(
        world.path("prices.toml"),
        "[[price]]\nmodel = \"*\"\ncurrency = \"EUR\"\ninput = 1\noutput = 2\n",
    )
    .unwrap();
    let priced = world.ok(&["stats", "--json", "--prices", "prices.toml", "--by", "hour"]).json();
    assert_eq!(priced["total"]["unpriced_decisions"], 0);
    let text = world.ok(&["stats", "--group", "model", "--by", "minute"]).stdout();
    assert!(text.contains("credit") && text.contains("16.67 %"), "{text}");
    assert_eq!(serve.stop(), 0);
}

#[test]
fn an_index_that_is_broken_stops_nobody_and_is_built_again() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let all = decide(&serve, 3);
    assert_eq!(find(&world, &[]), all);
    assert_eq!(serve.stop(), 0);
    let path = world.data().join("index").join("index.sqlite");
    for (broken, says) in [(damage as fn(&PathBuf), "is damaged"), (outdate, "has schema version 99")] {
        broken(&path);
        let said = failing(&world, &["find"], 2);
        assert!(
            said.contains(says) && said.contains("followers rebuild") && said.contains("--scan"),
            "{said}"
        );
        let before = find(&world, &["--scan"]).len();
        // Recording goes on.
        let serve = world.serve(model(), &[]);
        assert_eq!(serve.infer("4711", REQUEST).0, 200);
        assert_eq!(get(serve.address, "/readyz").0, 200);
        let failed = serve_failures(&serve);
        assert!(failed > 0);
        let listed = failing_list(&world);
        assert_eq!(listed["state"], "failing", "{listed}");
        // While it serves, whose follower then goes on.
        world.ok(&["followers", "rebuild"]);
        let id = serve.infer("4712", REQUEST).1;
        let began = Instant::now();
        while find(&world, &[]).last() != Some(&id) {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "the follower does not go on: {}",
                failing_list(&world)
            );
        }
        assert_eq!(serve.stop(), 0);
        let scanned = find(&world, &["--scan"]);
        world.ok(&["followers", "rebuild"]);
        assert_eq!(find(&world, &[]), scanned);
        assert_eq!(scanned.len(), before + 2);
    }
}

fn damage(path: &PathBuf) {
    let _ = std::fs::remove_file(path.with_extension("sqlite-wal"));
    std::fs::write(
        path,
        b"this is no index at all, and longer than a header of SQLite is, which has a hundred bytes; so.",
    )
    .unwrap();
}

fn outdate(path: &PathBuf) {
    rusqlite::Connection::open(path).unwrap().pragma_update(None, "user_version", 99).unwrap();
}

fn serve_failures(serve: &Serve) -> u64 {
    let began = Instant::now();
    loop {
        let metrics = get(serve.address, "/metrics").1;
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix("inferlog_follower_failures_total{follower=\"sqlite\"} "));
        let failures = line.unwrap().parse().unwrap();
        if failures > 0 || began.elapsed() > Duration::from_secs(5) {
            return failures;
        }
    }
}

fn failing_list(world: &World) -> Value {
    let data = world.data();
    world.run(&["followers", "--json", "--data", data.to_str().unwrap()]).lines()[0].clone()
}

#[test]
fn an_entry_that_cannot_be_read_is_left_out_on_the_record() {
    let world = World::new();
    let serve = world.serve(model(), &["--index", "none"]);
    let all = decide(&serve, 4);
    assert!(!world.data().join("index").exists(), "no index follows");
    // The entry that ended the second decision no longer parses.
    let entry = spoil(&world, &all[1]);
    let said = failing(&world, &["find"], 2);
    assert!(said.contains(&format!("entry {entry}")) && said.contains("followers skip"), "{said}");
    let started = &world.ok(&["tail", "--json", "-n", "1", "--kind", "recorder.started"]).lines()[0];
    let origin = started["log"].as_str().unwrap().to_owned();
    let (to, beyond) = (entry.to_string(), (entry + 1_000).to_string());
    let skip = |to: &str| {
        ["followers", "skip", "--log", &origin, "--to", to, "--reason", "spoilt by a test"].map(str::to_owned)
    };
    let refused = skip(&beyond);
    let refused: Vec<&str> = refused.iter().map(String::as_str).collect();
    assert!(failing(&world, &refused, 2).contains("no entry"));
    let args = skip(&to);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    world.ok(&args);
    let found = world.ok(&["find", "--json"]);
    assert!(
        found.stderr().contains(&format!("entry {entry} of {origin} (spoilt by a test)")),
        "{}",
        found.stderr()
    );
    let lines = found.lines();
    let second = lines.iter().find(|line| line["decision"] == all[1].as_str()).unwrap();
    assert_eq!(second["outcome"], Value::Null, "its end is what was left out");
    assert_eq!(lines.len(), all.len());
    assert_eq!(serve.stop(), 0);
    assert_eq!(world.ok(&["followers", "--json"]).lines()[0]["skipped"][0]["first"], entry);
    let alerts = world.ok(&["tail", "--json", "--kind", "alert"]).lines();
    assert_eq!(alerts.last().unwrap()["event"]["body"]["monitor"], "follower-skip");
    assert_eq!(alerts.last().unwrap()["event"]["body"]["samples"], 1);
}

/// Spoils the entry that closed a decision, in place. Its index.
fn spoil(world: &World, decision: &str) -> u64 {
    let closed = world.ok(&["tail", "--json", "--decision", decision, "--kind", "decision.closed"]).lines();
    let dir = world.log_dir().join("tile/entries/000.p");
    let id = closed[0]["event"]["id"].as_str().unwrap();
    for file in std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()) {
        let mut bytes = std::fs::read(&file).unwrap();
        let Some(at) = memchr::memmem::find(&bytes, id.as_bytes()) else { continue };
        let start = memchr::memmem::rfind(&bytes[..at], b"{\"decision\"").unwrap();
        bytes[start] = b'#';
        std::fs::write(&file, bytes).unwrap();
    }
    closed[0]["index"].as_u64().unwrap()
}

#[test]
fn a_locked_index_delays_no_request_and_is_named() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let all = decide(&serve, 3);
    assert_eq!(find(&world, &[]), all);
    let holder = rusqlite::Connection::open(world.data().join("index").join("index.sqlite")).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    let late = serve.infer("4719", REQUEST).1;
    assert!(began.elapsed() < Duration::from_secs(2), "a request waited for the index");
    // What is there is answered for, and what is not is said.
    let found = world.ok(&["find", "--json"]);
    assert_eq!(ids(&found), all);
    assert!(found.stderr().contains("behind") && found.stderr().contains("locked"), "{}", found.stderr());
    holder.execute_batch("ROLLBACK").unwrap();
    let began = Instant::now();
    while !find(&world, &[]).contains(&late) {
        assert!(began.elapsed() < Duration::from_secs(20), "the follower does not go on");
    }
    assert_eq!(serve.stop(), 0);
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let said = failing(&world, &["find"], 2);
    assert!(said.contains("is locked by another process") && said.contains("--scan"), "{said}");
}

#[test]
fn tail_follows_over_a_restart_and_ends_with_its_reader() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let first = serve.infer("4711", REQUEST).1;
    let data = world.data();
    let args = ["tail", "-f", "--json", "--kind", "decision.closed", "--data", data.to_str().unwrap()];
    let mut tail = world.command(&args).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let mut next = || {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        line["decision"].as_str().unwrap().to_owned()
    };
    assert_eq!(next(), first);
    let second = serve.infer("4712", REQUEST).1;
    assert_eq!(next(), second);
    assert_eq!(serve.stop(), 0);
    let serve = world.serve(model(), &[]);
    let third = serve.infer("4713", REQUEST).1;
    assert_eq!(next(), third);
    // Its reader leaves while nothing happens.
    drop(lines);
    let began = Instant::now();
    let status = loop {
        if let Some(status) = tail.try_wait().unwrap() {
            break status;
        }
        assert!(began.elapsed() < Duration::from_secs(5), "tail does not end");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "{status}");
    assert_eq!(serve.stop(), 0);
}
