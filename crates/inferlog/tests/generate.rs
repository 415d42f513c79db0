//! What is generated to measure and to test with is a log like any other.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::{BTreeMap, HashSet};

use inferlog::audit::{Options as VerifyOptions, verify};
use inferlog::generate::{Options, SYSTEMS, Traffic, write};
use inferlog::real_env;
use inferlog::record::body::Body;
use inferlog::record::{Entry, Event, Kind, validate};

const DECISIONS: u64 = 12_000;

fn entries(options: &Options) -> Vec<(usize, Vec<Entry>)> {
    let read = |write: Result<(usize, Vec<_>), _>| {
        let (system, appends): (usize, Vec<inferlog::log::Append>) = write.unwrap();
        let entries = appends.iter().map(|append| Entry::from_bytes(&append.entry).unwrap());
        (system, entries.collect())
    };
    Traffic::new(options).unwrap().map(read).collect()
}

fn events(writes: Vec<(usize, Vec<Entry>)>) -> Vec<Event> {
    writes.into_iter().flat_map(|(_, parts)| Entry::join(parts).unwrap().events).collect()
}

#[test]
fn every_event_says_what_it_should() {
    let writes = entries(&Options { sealed: true, ..Options::new(DECISIONS) });
    assert!(writes.iter().any(|(_, parts)| parts.len() > 1), "no entry was too long for one");
    let (mut kinds, mut ids, mut again, mut last) = (BTreeMap::new(), HashSet::new(), 0, 0);
    for event in events(writes) {
        validate(&event).unwrap_or_else(|violations| panic!("{violations:?}\n{event:?}"));
        assert!(event.logged_at.nanos() >= last, "{event:?} is earlier than what was logged before it");
        last = event.logged_at.nanos();
        *kinds.entry(event.kind().unwrap()).or_insert(0) += 1;
        again += u64::from(!ids.insert(event.id));
        if let Body::Inference(body) = &event.body {
            assert!(body.model.requested.as_ref().is_some_and(|name| !name.is_unlisted()));
        }
    }
    assert_eq!(kinds[&Kind::DecisionOpened], DECISIONS);
    let total: u64 = kinds.values().sum();
    assert!((4.0..4.6).contains(&(total as f64 / DECISIONS as f64)), "{total} events: {kinds:?}");
    let rare = [Kind::Label, Kind::Human, Kind::SystemChanged, Kind::Access, Kind::Alert, Kind::SessionEnded];
    assert!(rare.iter().all(|kind| kinds.contains_key(kind)), "{kinds:?}");
    assert!(again > 10, "{again} events came twice");
}

#[test]
fn the_same_options_give_the_same_entries() {
    let options = Options::new(500);
    assert_eq!(entries(&options), entries(&options));
    assert_ne!(entries(&options), entries(&Options { seed: 2, ..options }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_a_real_one() {
    let dir = tempfile::tempdir().unwrap();
    let written = write(dir.path(), &Options::new(2_000)).await.unwrap();
    let report = verify(&real_env().fs, dir.path(), &VerifyOptions::default(), &|_| {}).unwrap();
    assert!(report.ok, "{:?}", report.faults);
    assert_eq!((report.size, written.decisions), (written.entries, 2_000));
    assert_eq!(report.logs.len(), SYSTEMS.len());
}
