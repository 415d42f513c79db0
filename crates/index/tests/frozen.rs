//! Frozen indexes under fixtures/v1/index, in a folder for each version of the schema but the first: the good one of this version is
//! read and followed on; those of older versions are made anew; the corrupt one and the one of a later schema are refused.
//!
//! `UPDATE=1` writes those that are missing. A frozen file is never replaced: a new version of the schema gets a new folder.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failure fails the test")]

mod world;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use inferlog_index::{IndexError, SqliteEngine};
use world::dump::{check_rollups, dump, open, rows};
use world::stories::stories;
use world::{World, catch_up};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/v1/index/schema-2")
}

/// The log that the good index was made of, so many entries of it.
fn log_of(world: &mut World, from: usize, to: usize) {
    if from == 0 {
        world.log("alpha");
    }
    let entries: Vec<_> = stories(11, 40).into_iter().map(|(_, entry)| ("alpha", entry)).collect();
    world.publish(&entries[from..to]);
}

/// Writes what is missing.
fn update() {
    let (good, corrupt, newer) =
        (folder().join("good.sqlite"), folder().join("corrupt.sqlite"), folder().join("newer.sqlite"));
    std::fs::create_dir_all(folder()).unwrap();
    if !good.exists() {
        let mut world = World::new();
        log_of(&mut world, 0, 25);
        catch_up(&mut world.follower(&good));
        let connection = open(&good);
        connection.execute_batch("PRAGMA journal_mode = DELETE; VACUUM").unwrap();
    }
    if !corrupt.exists() {
        let mut bytes = std::fs::read(&good).unwrap();
        // A page of the schema.
        bytes[4_096 + 1_000..4_096 + 1_400].fill(0xa5);
        bytes[100..108].fill(0xff);
        std::fs::write(&corrupt, &bytes[..16_384]).unwrap();
    }
    if !newer.exists() {
        let sql = "CREATE TABLE log (other); PRAGMA application_id = 0x696c6f67; PRAGMA user_version = 3";
        open(&newer).execute_batch(sql).unwrap();
    }
}

/// A copy of a frozen file, for SQLite writes beside it and into it.
fn copy(name: &str, to: &Path) -> PathBuf {
    if std::env::var_os("UPDATE").is_some() {
        update();
    }
    let path = to.join("index.sqlite");
    std::fs::copy(folder().join(name), &path).unwrap();
    path
}

#[test]
fn the_good_one_is_read_and_followed_on() {
    let temp = tempfile::tempdir().unwrap();
    let path = copy("good.sqlite", temp.path());
    let answer = |sql| rows(&open(&path), sql).concat();
    assert_eq!(answer("PRAGMA user_version"), "Integer(2)");
    assert_eq!(answer("SELECT next, skipped FROM logs"), "Integer(25) Integer(0)");
    assert_eq!(
        answer("SELECT count(*), sum(events), sum(payloads), sum(tokens_input) FROM decisions"),
        "Integer(16) Integer(37) Integer(26) Integer(996)"
    );
    // A view of a kind of event that came since is added when the index is opened.
    drop(SqliteEngine::open(&path).unwrap());
    let schema = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name";
    let fresh = temp.path().join("fresh.sqlite");
    drop(SqliteEngine::open(&fresh).unwrap());
    let is_same = rows(&open(&path), schema) == rows(&open(&fresh), schema);
    assert!(is_same, "the schema has changed: raise SCHEMA_VERSION, and freeze an index of the new one");
    let mut world = World::new();
    log_of(&mut world, 0, 25);
    log_of(&mut world, 25, 40);
    assert_eq!(catch_up(&mut world.follower(&path)).entries, 15);
    check_rollups(&path);
    let alone = temp.path().join("alone.sqlite");
    catch_up(&mut world.follower(&alone));
    assert!(dump(&path) == dump(&alone), "what this version adds does not fit what the frozen one has");
}

#[test]
fn the_others_are_refused() {
    let temp = tempfile::tempdir().unwrap();
    let refused = |name| SqliteEngine::open(&copy(name, temp.path())).map(drop).unwrap_err();
    assert!(matches!(refused("newer.sqlite"), IndexError::Newer { found: 3, known: 2, .. }));
    let error = refused("corrupt.sqlite");
    assert!(matches!(error, IndexError::Damaged { .. }), "{error}");
    // Refused is not touched: a rebuild is asked for by name.
    let path = temp.path().join("index.sqlite");
    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(folder().join("corrupt.sqlite")).unwrap());
    drop(SqliteEngine::anew(&path).unwrap());
    let mut world = World::new();
    log_of(&mut world, 0, 40);
    world.follower(&path).catch_up(&mut |_| ControlFlow::Continue(())).unwrap();
    check_rollups(&path);
}

#[test]
fn one_of_an_older_schema_is_derived_again() {
    let temp = tempfile::tempdir().unwrap();
    let path = copy("../good.sqlite", temp.path());
    assert_eq!(rows(&open(&path), "PRAGMA user_version"), ["Integer(1)"]);
    let mut world = World::new();
    log_of(&mut world, 0, 25);
    assert_eq!(catch_up(&mut world.follower(&path)).entries, 25);
    let alone = temp.path().join("alone.sqlite");
    catch_up(&mut world.follower(&alone));
    assert!(dump(&path) == dump(&alone));
}
