//! An index that is locked, damaged, of a later version or in a place that cannot be written: said clearly, and nothing else is lost.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failure fails the test")]

mod world;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use inferlog_index::{IndexError, SqliteEngine, State, sqlite_path};
use world::dump::{dump, open};
use world::stories::stories;
use world::{World, catch_up};

fn said(path: &Path) -> (IndexError, String) {
    let error = SqliteEngine::open(path).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()), "{text}");
    (error, text)
}

#[test]
fn what_is_no_index_of_ours_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("index.sqlite");
    std::fs::write(&path, [7; 9_000]).unwrap();
    let (error, text) = said(&path);
    assert!(
        matches!(error, IndexError::Damaged { .. })
            && text.contains("rebuild it with `inferlog followers rebuild`")
    );
    std::fs::remove_file(&path).unwrap();
    open(&path).execute_batch("CREATE TABLE other (a); PRAGMA user_version = 1").unwrap();
    let (error, text) = said(&path);
    assert!(matches!(error, IndexError::Damaged { .. }) && text.contains("something else"), "{text}");
    // What another program has made is left alone; a rebuild is asked for by name.
    assert_eq!(world::dump::rows(&open(&path), "SELECT count(*) FROM other"), ["Integer(0)"]);
}

#[test]
fn a_later_schema_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("index.sqlite");
    drop(SqliteEngine::open(&path).unwrap());
    open(&path).execute_batch("PRAGMA user_version = 3").unwrap();
    let (error, text) = said(&path);
    assert!(
        matches!(error, IndexError::Newer { found: 3, known: 2, .. }) && text.contains("newer inferlog"),
        "{text}"
    );
}

#[test]
fn a_place_that_cannot_be_written_is_told() {
    let temp = tempfile::tempdir().unwrap();
    std::fs::write(temp.path().join("index"), "a file").unwrap();
    let (error, text) = said(&sqlite_path(temp.path()));
    assert!(matches!(error, IndexError::Unwritable { .. }), "{text}");
}

#[test]
fn a_follower_waits_while_another_holds_the_file_and_then_goes_on() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("index.sqlite");
    let mut world = World::new();
    world.log("alpha");
    let entries: Vec<_> = stories(1, 60).into_iter().map(|(_, entry)| ("alpha", entry)).collect();
    world.publish(&entries);
    let follower = world.follower(&path);
    let status = follower.status();
    let holder = open(&path);
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| follower.run(&stop));
        let wait = |wanted: &dyn Fn() -> bool| {
            (0..400).any(|_| {
                std::thread::sleep(Duration::from_millis(50));
                wanted()
            })
        };
        let failing = wait(
            &|| matches!(&status.get().state, State::Failing { why, .. } if why.contains("locked by another process")),
        );
        let lag = status.get().logs.first().map(|log| (log.lag_entries(), log.lag_ns() > 0));
        holder.execute_batch("ROLLBACK").unwrap();
        let going = wait(&|| status.get().state == State::Following);
        stop.store(true, Ordering::Release);
        assert!(failing && going, "{:?}", status.get());
        assert_eq!(lag, Some((60, true)));
    });
    let alone = temp.path().join("alone.sqlite");
    catch_up(&mut world.follower(&alone));
    assert!(dump(&path) == dump(&alone));
}

#[test]
fn a_file_damaged_while_it_is_followed_is_told_and_rebuilt() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("index.sqlite");
    let mut world = World::new();
    world.log("alpha");
    let entries: Vec<_> = stories(1, 400).into_iter().map(|(_, entry)| ("alpha", entry)).collect();
    world.publish(&entries[..300]);
    catch_up(&mut world.follower(&path));
    let connection = open(&path);
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(connection);
    let mut bytes = std::fs::read(&path).unwrap();
    world.publish(&entries[300..]);
    // First the newest rows, then all but the header: the second is not even opened.
    let len = bytes.len();
    bytes[len / 4 * 3..].fill(0x5a);
    std::fs::write(&path, &bytes).unwrap();
    let mut follower = world.follower(&path);
    let error = follower.catch_up(&mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, IndexError::Damaged { .. }), "{error}");
    drop(follower);
    bytes[100..].fill(0x5a);
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(said(&path).0, IndexError::Damaged { .. }));
    drop(SqliteEngine::anew(&path).unwrap());
    catch_up(&mut world.follower(&path));
    let alone = temp.path().join("alone.sqlite");
    catch_up(&mut world.follower(&alone));
    assert!(dump(&path) == dump(&alone));
}
