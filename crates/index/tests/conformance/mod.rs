//! What every engine does, whichever it is.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod concurrent;
mod personal;

use inferlog_index::{
    Counters, DecisionRow, Engine, EventNo, EventRow, Facet, IndexError, LatencyRow, LogName, RefKind,
    RefRow, RollupRow, Rows, Shared,
};
use inferlog_record::{Digest, Id, KeyId};

/// A place where engines write.
pub trait Store: Sync {
    /// Another engine on it.
    fn engine(&self) -> Box<dyn Engine>;
    /// How the engine writes bytes, from hexadecimal digits.
    fn bytes(&self, hex: &str) -> String;
    /// Rows of a question, columns separated by `|`.
    fn ask(&self, sql: &str) -> Vec<String>;
}

/// A name, and what is shown.
type Part = (&'static str, fn(&dyn Store));

/// Runs everything against an empty store, which is emptied again in between.
pub fn conformance(store: &dyn Store) {
    let parts: [Part; 14] = [
        ("cursors", cursors),
        ("rows come back", rows_come_back),
        ("a rollback leaves nothing", rollback_leaves_nothing),
        ("an error leaves nothing", error_leaves_nothing),
        ("who ends between leaves nothing", ending_between_leaves_nothing),
        ("rollups are added to", rollups_are_added_to),
        ("skips", skips),
        ("erasures", personal::erasures),
        ("withheld keys", personal::withheld),
        ("several keystores", personal::keystores),
        ("purges of payloads", personal::purges),
        ("one log, several followers", concurrent::one_log),
        ("one decision, several logs", concurrent::one_decision),
        ("a decision that changes while it is waited for", concurrent::another_facet),
    ];
    for (name, part) in parts {
        println!("conformance: {name}");
        store.engine().clear().unwrap();
        part(store);
    }
}

pub fn log(name: &str) -> LogName {
    LogName {
        origin: format!("example.org/{name}"),
        system: "alpha".to_owned(),
        shard: name.to_owned(),
        epoch: "20260101".to_owned(),
        keystore: "1".repeat(32),
    }
}

pub fn id(number: u64) -> Id {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    Id::new(1_700_000_000_000 + number, &random)
}

pub fn facet(outcome: &str) -> Facet {
    Facet {
        system: "alpha".to_owned(),
        model: Some("m\"odel".to_owned()),
        outcome: Some(outcome.to_owned()),
        ..Facet::default()
    }
}

pub fn event(no: EventNo, number: u64, decision: Option<EventNo>, common: i32) -> EventRow {
    EventRow {
        no,
        id: id(number),
        decision,
        common,
        logged_ns: 1_700_000_000_000_000_001,
        started_ns: Some(i64::MIN),
        ended_ns: None,
        rest: r#"{"b":{"text":"ü\u001f\\u0000"},"n":[1,2.5,null]}"#.to_owned(),
    }
}

pub fn decision(no: EventNo, number: u64) -> DecisionRow {
    let mut counters = Counters::default();
    counters.0.iter_mut().zip(1..).for_each(|(counter, value)| *counter = value);
    DecisionRow {
        no,
        id: id(number),
        facet: facet("answered"),
        session: Some(id(999)),
        started_ns: 1_700_000_000_000_000_000,
        ended_ns: Some(1_700_000_001_000_000_000),
        time_to_first_byte_ns: None,
        counters,
        opened_no: no.0,
        model_no: 0,
        closed_no: i64::MAX,
        last_no: no.0 + 3,
    }
}

/// Numbers of a kind of event and of a facet.
pub fn interned(engine: &mut dyn Engine, outcome: &str) -> (i32, i32) {
    let common =
        Shared::Common { kind: "decision.opened".to_owned(), json: r#"{"system":"alpha"}"#.to_owned() };
    let numbers = engine.intern(&[common, Shared::Facet(facet(outcome))]).unwrap();
    (numbers[0], numbers[1])
}

fn cursors(store: &dyn Store) {
    let mut engine = store.engine();
    assert!(engine.logs().unwrap().is_empty());
    let mut first = engine.begin(&log("a")).unwrap();
    assert_eq!((first.next, first.identified, first.newest_ns), (0, 0, 0));
    assert!(first.log > 0, "the number of an event is not 0, which means none");
    (first.next, first.identified, first.newest_ns) = (7, 5, 99);
    engine.commit(first).unwrap();
    let second = engine.begin(&log("b")).unwrap();
    assert_ne!(second.log, first.log);
    engine.rollback().unwrap();
    // Another engine sees what was committed; a rollback moved nothing.
    let mut engine = store.engine();
    assert_eq!(engine.begin(&log("a")).unwrap(), first);
    engine.rollback().unwrap();
    let logs = engine.logs().unwrap();
    let (name, position) = &logs[0];
    assert_eq!((name, position.next), (&log("a"), 7));
}

/// A row in every table, read back in SQL and by the engine.
fn rows_come_back(store: &dyn Store) {
    let mut engine = store.engine();
    let position = engine.begin(&log("a")).unwrap();
    let no = |index| EventNo::new(position.log, index, 0).unwrap();
    let (common, facet_no) = interned(&mut *engine, "answered");
    let kind = RefKind {
        role: "input.raw".to_owned(),
        class: None,
        media_type: None,
        encoding: None,
        state: "present".to_owned(),
        reason: None,
    };
    let term = Shared::Term { aspect: "tool", name: "lookup".to_owned() };
    let shared = engine.intern(&[Shared::RefKind(kind), term.clone(), term]).unwrap();
    assert_eq!(shared[1], shared[2]);
    let reference = RefRow {
        event: no(0),
        place: 0,
        payload: id(50),
        ref_kind: shared[0],
        size: Some(12),
        key_id: Some(KeyId { page: 7, slot: 9 }),
        commitment: Some(Digest([1; 32])),
        sealed: Some(Digest([2; 32])),
        sha256: None,
        first: Some(id(51)),
    };
    let rows = Rows {
        events: vec![event(no(0), 1, Some(no(0)), common), event(no(1), 2, None, common)],
        refs: vec![reference],
        continuations: vec![(no(3), no(0))],
        inserted: vec![(decision(no(0), 10), facet_no)],
        subjects: vec![(personal::person(1), no(0))],
        terms: vec![(shared[1], no(0))],
        mentions: vec![(id(10), no(1))],
        ..Rows::default()
    };
    engine.write(&rows).unwrap();
    engine.commit(position).unwrap();
    for table in
        ["event", "payload_ref", "continuation", "decision", "decision_subject", "decision_term", "mention"]
    {
        let expected = if table == "event" { "2" } else { "1" };
        assert_eq!(store.ask(&format!("SELECT count(*) FROM {table}")), [expected], "{table}");
    }
    engine.begin(&log("a")).unwrap();
    let mut loaded = engine.load(&[id(10), id(11)]).unwrap();
    assert_eq!(loaded.len(), 1);
    let mut row = loaded.remove(&id(10)).unwrap();
    assert_eq!(row, decision(no(0), 10));
    let found = engine.events(&[id(1), id(2), id(3)]).unwrap();
    assert_eq!((found.len(), found[&id(2)]), (2, no(1)));
    // Changed, it is another facet's.
    row.facet = facet("failed");
    (row.session, row.ended_ns, row.counters.0[3]) = (None, None, -5);
    let other = engine.intern(&[Shared::Facet(facet("failed"))]).unwrap()[0];
    assert_ne!(other, facet_no);
    // What is there already may be said again.
    let (subjects, terms, mentions) = (rows.subjects, rows.terms, rows.mentions);
    let rows = Rows { updated: vec![(row.clone(), other)], subjects, terms, mentions, ..Rows::default() };
    engine.write(&rows).unwrap();
    assert_eq!(engine.load(&[id(10)]).unwrap()[&id(10)], row);
    engine.commit(position).unwrap();
}

fn rollback_leaves_nothing(store: &dyn Store) {
    let mut engine = store.engine();
    let position = engine.begin(&log("a")).unwrap();
    let no = EventNo::new(position.log, 0, 0).unwrap();
    interned(&mut *engine, "answered");
    engine.rollback().unwrap();
    assert_eq!(store.ask("SELECT count(*) FROM facet"), ["0"]);
    // The numbers that it was given are not valid any more.
    engine.begin(&log("a")).unwrap();
    let (common, facet_no) = interned(&mut *engine, "answered");
    let rows = Rows {
        events: vec![event(no, 1, Some(no), common)],
        inserted: vec![(decision(no, 10), facet_no)],
        ..Rows::default()
    };
    engine.write(&rows).unwrap();
    engine.commit(position).unwrap();
    engine.begin(&log("a")).unwrap();
    assert_eq!(engine.load(&[id(10)]).unwrap()[&id(10)], decision(no, 10));
    engine.rollback().unwrap();
}

fn error_leaves_nothing(store: &dyn Store) {
    let mut engine = store.engine();
    let mut position = engine.begin(&log("a")).unwrap();
    let no = EventNo::new(position.log, 0, 0).unwrap();
    let (common, _) = interned(&mut *engine, "answered");
    let twice =
        Rows { events: vec![event(no, 1, None, common), event(no, 2, None, common)], ..Rows::default() };
    let error: IndexError = engine.write(&twice).unwrap_err();
    assert!(!error.to_string().is_empty());
    position.next = 3;
    assert!(engine.commit(position).is_err(), "there is nothing to commit");
    assert_eq!(engine.begin(&log("a")).unwrap().next, 0);
    let (common, _) = interned(&mut *engine, "answered");
    let once = Rows { events: vec![event(no, 1, None, common)], ..Rows::default() };
    engine.write(&once).unwrap();
    engine.commit(position).unwrap();
    assert_eq!(store.ask("SELECT count(*) FROM event e JOIN common USING (common)"), ["1"]);
}

/// A process that ends in the middle, as far as the store can tell.
fn ending_between_leaves_nothing(store: &dyn Store) {
    let mut engine = store.engine();
    let position = engine.begin(&log("a")).unwrap();
    let no = EventNo::new(position.log, 0, 0).unwrap();
    let (common, facet_no) = interned(&mut *engine, "answered");
    let rows = Rows {
        events: vec![event(no, 1, Some(no), common)],
        inserted: vec![(decision(no, 10), facet_no)],
        minutes: vec![rollup(0, facet_no, 1)],
        ..Rows::default()
    };
    engine.write(&rows).unwrap();
    drop(engine);
    let mut engine = store.engine();
    assert_eq!(engine.begin(&log("a")).unwrap().next, 0);
    engine.rollback().unwrap();
    for table in ["event", "decision", "facet", "rollup_minute"] {
        assert_eq!(store.ask(&format!("SELECT count(*) FROM {table}")), ["0"], "{table}");
    }
}

pub fn rollup(start_ns: i64, facet: i32, decisions: i64) -> RollupRow {
    let mut counters = Counters::default();
    counters.0[1] = decisions * 3;
    RollupRow { start_ns, facet, decisions, ended: decisions, latency_sum_ns: decisions * 10, counters }
}

fn rollups_are_added_to(store: &dyn Store) {
    let mut engine = store.engine();
    let position = engine.begin(&log("a")).unwrap();
    let (_, one) = interned(&mut *engine, "answered");
    let (_, two) = interned(&mut *engine, "failed");
    let latency = |facet, decisions| LatencyRow { start_ns: 60, facet, bucket: 5, decisions };
    for (first, second) in [(4, 1), (2, 0), (-6, 1)] {
        let minutes = vec![rollup(60, one, first), rollup(60, two, second)];
        let latency_minutes = vec![latency(one, first), latency(two, second)];
        let hours = minutes.clone();
        let latency_hours = latency_minutes.clone();
        let rows = Rows { minutes, hours, latency_minutes, latency_hours, ..Rows::default() };
        engine.write(&rows).unwrap();
    }
    engine.commit(position).unwrap();
    // What nothing is left of is no row.
    for table in ["rollup_minute", "rollup_hour"] {
        let found =
            store.ask(&format!("SELECT decisions, ended, latency_sum_ns, events, turns FROM {table}"));
        assert_eq!(found, ["2|2|20|6|0"], "{table}");
    }
    for table in ["latency_minute", "latency_hour"] {
        assert_eq!(store.ask(&format!("SELECT bucket, decisions FROM {table}")), ["5|2"], "{table}");
    }
}

fn skips(store: &dyn Store) {
    let mut engine = store.engine();
    for reason in ["damaged", "damaged for good"] {
        let mut position = engine.begin(&log("a")).unwrap();
        engine.skip(position.log, 4, 9, reason, 77).unwrap();
        position.next = 10;
        engine.commit(position).unwrap();
    }
    assert_eq!(store.ask("SELECT first, last, reason, skipped_ns FROM skip"), ["4|9|damaged for good|77"]);
}
