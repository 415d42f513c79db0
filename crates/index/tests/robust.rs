//! What may happen to an index, and what is there afterwards: the same as if it had not.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failure fails the test")]

mod world;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use inferlog_index::{FollowOptions, IndexError, SqliteEngine, State};
use inferlog_record::body::DecisionOpened;
use inferlog_record::{Entry, Event, PayloadRole, Reason, Reference, SystemName, Why};
use rusqlite::Connection;
use world::dump::{check_rollups, dump, open, rows};
use world::stories::{entry, event, id, stories, time};
use world::{World, catch_up};

fn small() -> FollowOptions {
    FollowOptions { batch_entries_max: 1, ..FollowOptions::default() }
}

fn alone(world: &World, dir: &Path) -> Vec<String> {
    let path = dir.join("alone.sqlite");
    catch_up(&mut world.follower(&path));
    dump(&path)
}

#[test]
fn two_followers_of_one_file_write_each_entry_once() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("index.sqlite");
    let mut world = World::new();
    world.log("alpha");
    let entries: Vec<_> = stories(3, 1_500).into_iter().map(|(_, entry)| ("alpha", entry)).collect();
    world.publish(&entries[..200]);
    let stop = AtomicBool::new(false);
    let (one, two) = (world.follower_with(&path, small()), world.follower_with(&path, small()));
    let status = one.status();
    std::thread::scope(|scope| {
        scope.spawn(|| one.run(&stop));
        scope.spawn(|| two.run(&stop));
        for chunk in entries[200..].chunks(50) {
            world.publish(chunk);
            std::thread::sleep(Duration::from_millis(15));
        }
        let is_done = || status.get().logs.first().is_some_and(|log| log.next == 1_500);
        let waited = (0..300).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            is_done() && status.get().state == State::Following
        });
        let seen = status.get();
        stop.store(true, Ordering::Release);
        assert!(waited, "{seen:?}");
    });
    assert_eq!(status.get().state, State::Stopped);
    check_rollups(&path);
    assert!(dump(&path) == alone(&world, temp.path()), "not as one follower alone would have it");
}

#[test]
fn a_follower_that_dies_at_any_call_leaves_whole_batches() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("index.sqlite");
    let mut world = World::new();
    world.log("alpha");
    let entries: Vec<_> = stories(5, 2_500).into_iter().map(|(_, entry)| ("alpha", entry)).collect();
    world.publish(&entries);
    let mut rng = fastrand::Rng::with_seed(1);
    let mut deaths = 0;
    loop {
        let engine = world::dying::Dying::new(SqliteEngine::open(&path).unwrap(), rng.usize(1..30));
        match world.follower_of(engine, small()).catch_up(&mut |_| ControlFlow::Continue(())) {
            Ok(caught) => {
                assert!(caught.is_complete);
                break;
            }
            Err(_) => deaths += 1,
        }
        check_rollups(&path);
    }
    assert!(deaths > 3, "{deaths}");
    assert!(dump(&path) == alone(&world, temp.path()), "not as one follower alone would have it");
}

#[test]
fn an_index_that_is_rebuilt_under_a_follower_is_followed_on() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("index.sqlite");
    let mut world = World::new();
    world.log("alpha");
    let entries: Vec<_> = stories(9, 600).into_iter().map(|(_, entry)| ("alpha", entry)).collect();
    world.publish(&entries[..300]);
    let mut one = world.follower(&path);
    catch_up(&mut one);
    let cursor = |world: &World| {
        let log = world.dir("alpha");
        inferlog_log::Cursor::open(std::sync::Arc::new(world.fs.clone()), &log, "index")
            .unwrap()
            .load()
            .unwrap()
    };
    assert_eq!(cursor(&world), 300);
    let mut two = world.follower(&path);
    two.clear().unwrap();
    assert_eq!(
        (cursor(&world), rows(&open(&path), "SELECT count(*) FROM event").concat()),
        (0, "Integer(0)".to_owned())
    );
    world.publish(&entries[300..]);
    // The first one finds the new file, and what it remembers of the old one does no harm.
    catch_up(&mut one);
    assert_eq!(catch_up(&mut two).entries, 0);
    assert!(dump(&path) == alone(&world, temp.path()), "not as one follower alone would have it");
}

#[test]
fn an_entry_that_is_none_stops_the_log_until_it_is_skipped() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("index.sqlite");
    let mut world = World::new();
    world.log("alpha");
    let good: Vec<_> = stories(2, 20).into_iter().map(|(_, entry)| ("alpha", entry)).collect();
    world.publish(&good[..10]);
    world.publish(&[("alpha", b"{\"events\":[{\"id\":1}],\"v\":1}".to_vec())]);
    world.publish(&good[10..]);
    world.log("beta");
    world.publish(&[("beta", good[0].1.clone())]);
    let mut follower = world.follower(&path);
    let error = follower.catch_up(&mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(&error, IndexError::Entry { index: 10, .. }), "{error}");
    assert!(error.to_string().contains("inferlog followers skip"));
    let status = follower.status().get();
    let log = &status.logs[0];
    assert_eq!((log.next, log.size, log.lag_entries()), (10, 21, 11), "what stands before it is there");
    assert!(log.lag_ns() > 0);
    assert_eq!(status.logs[1].next, 1, "the other log is not held up");
    let origin = log.name.origin.clone();
    follower.skip(&origin, 1, "damaged by hand").unwrap();
    catch_up(&mut follower);
    assert_eq!(
        rows(&open(&path), "SELECT next, skipped FROM logs WHERE system = 'alpha'"),
        ["Integer(21) Integer(1)"]
    );
    assert_eq!(
        rows(&open(&path), "SELECT first, last, reason FROM skip"),
        ["Integer(10) Integer(10) Text(\"damaged by hand\")"]
    );
    check_rollups(&path);
}

#[test]
fn what_stands_before_a_damaged_bundle_is_followed_and_what_stands_behind_it_after_a_skip() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("index.sqlite");
    let mut world = World::new();
    world.log("alpha");
    let entries: Vec<_> = stories(7, 800).into_iter().map(|(_, entry)| ("alpha", entry)).collect();
    world.publish(&entries);
    // The length of its first entry: nothing of the bundle can be told from anything else.
    world.fs.flip_bit(&world.dir("alpha").path().join("tile/entries/001"), 0, 7).unwrap();
    let mut follower = world.follower(&path);
    let error = follower.catch_up(&mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(&error, IndexError::Read { .. }), "{error}");
    let log = follower.status().get().logs[0].clone();
    assert_eq!((log.next, log.size), (256, 800), "it stands where the damage begins");
    follower.skip(&log.name.origin, 256, "damaged by hand").unwrap();
    catch_up(&mut follower);
    assert_eq!(
        rows(&open(&path), "SELECT next, skipped FROM logs WHERE system = 'alpha'"),
        ["Integer(800) Integer(256)"]
    );
    check_rollups(&path);
}

#[test]
fn an_event_in_parts_has_all_its_payloads_once() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("index.sqlite");
    let mut world = World::new();
    world.log("alpha");
    let mut opened =
        Event::new(id(0, 1), SystemName::new("alpha").unwrap(), time(0), DecisionOpened::default());
    opened.payloads = (0..1_500)
        .map(|n| {
            Reference::not_captured(id(0, 100 + n), PayloadRole::InputRaw, Reason::Because(Why::NotProvided))
        })
        .collect();
    let late = Event::new(id(0, 2), SystemName::new("alpha").unwrap(), time(0), DecisionOpened::default());
    let parts = Entry::new(Some(id(0, 0)), vec![opened, late]).into_parts().unwrap();
    assert!(parts.len() >= 3);
    let parts: Vec<_> = parts.iter().map(|part| ("alpha", part.to_bytes().unwrap())).collect();
    // Cut by a batch within the write, and retried as a whole.
    world.publish(&parts[..1]);
    let mut follower = world.follower(&path);
    catch_up(&mut follower);
    world.publish(&parts[1..]);
    catch_up(&mut follower);
    world.publish(&parts);
    catch_up(&mut follower);
    let connection = open(&path);
    let answer = |sql| rows(&connection, sql).concat();
    assert_eq!(
        answer("SELECT count(*), count(DISTINCT payload) FROM payload_refs"),
        "Integer(1500) Integer(1500)"
    );
    assert_eq!(
        answer("SELECT events, payloads, payloads_absent, turns FROM decisions"),
        "Integer(2) Integer(1500) Integer(1500) Integer(2)"
    );
    assert_eq!(answer("SELECT count(*) FROM continuation"), format!("Integer({})", parts.len() - 1));
    check_rollups(&path);
    let in_order =
        "SELECT group_concat(hex(payload)) FROM (SELECT payload FROM payload_ref ORDER BY event, place)";
    let by_id = "SELECT group_concat(hex(payload)) FROM (SELECT payload FROM payload_ref ORDER BY payload)";
    assert_eq!(answer(in_order), answer(by_id), "in the order in which the event has them");
}

#[test]
fn a_decision_over_several_epochs_is_one() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("index.sqlite");
    let mut world = World::new();
    world.log("alpha");
    let first = world.dir("alpha");
    let decision = id(0, 7);
    let say = |n: u64, kind: &str, at, body| entry(Some(decision), &[event(id(at, n), kind, at, body)]);
    world.publish(&[("alpha", say(1, "decision.opened", 0, serde_json::json!({"route": "r"})))]);
    world.publish(&[("alpha", say(2, "decision.closed", 90, serde_json::json!({"outcome": "answered"})))]);
    world.log("alpha");
    assert_ne!(world.dir("alpha"), first);
    world.publish(&[("alpha", say(3, "human", 9_000, serde_json::json!({"action": "override"})))]);
    let mut follower = world.follower(&path);
    catch_up(&mut follower);
    let answer =
        rows(&open(&path), "SELECT route, outcome, overridden, events, latency_ns FROM decisions").concat();
    assert_eq!(answer, "Text(\"r\") Text(\"answered\") Integer(1) Integer(3) Integer(90000000)");
    assert_eq!(rows(&open(&path), "SELECT count(*), sum(next) FROM logs").concat(), "Integer(2) Integer(3)");
}

#[test]
fn a_decision_whose_end_is_seen_first_is_completed_by_its_opening() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("index.sqlite");
    let mut world = World::new();
    world.log("alpha");
    world.log("beta");
    let decision = id(0, 7);
    let say = |n: u64, kind: &str, at, body| entry(Some(decision), &[event(id(at, n), kind, at, body)]);
    world.publish(&[("alpha", say(2, "label", 90_000, serde_json::json!({"name": "repaid"})))]);
    let mut follower = world.follower(&path);
    catch_up(&mut follower);
    let answer = || {
        let sql = "SELECT d.opened_no > 0, v.outcome, v.route, v.started_at FROM decision d JOIN decisions v USING (no)";
        rows(&open(&path), sql).concat()
    };
    assert_eq!(answer(), format!("Integer(0) Text(\"open\") Null Text(\"{}\")", time(90_000)));
    world.publish(&[("beta", say(1, "decision.opened", 10, serde_json::json!({"route": "r"})))]);
    catch_up(&mut follower);
    assert_eq!(answer(), format!("Integer(1) Text(\"open\") Text(\"r\") Text(\"{}\")", time(10)));
    check_rollups(&path);
}

#[test]
fn readers_do_not_hold_the_follower_up() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("index.sqlite");
    let mut world = World::new();
    world.log("alpha");
    let entries: Vec<_> = stories(4, 200).into_iter().map(|(_, entry)| ("alpha", entry)).collect();
    world.publish(&entries[..100]);
    let mut follower = world.follower(&path);
    catch_up(&mut follower);
    let mut reader: Connection = open(&path);
    let snapshot = reader.transaction().unwrap();
    let count = |of: &Connection| rows(of, "SELECT sum(next) FROM log").concat();
    assert_eq!(count(&snapshot), "Integer(100)");
    world.publish(&entries[100..]);
    catch_up(&mut follower);
    assert_eq!((count(&snapshot), count(&open(&path))), ("Integer(100)".into(), "Integer(200)".into()));
}
