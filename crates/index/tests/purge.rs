//! After a purge of entries an index holds what one that is built anew from the remaining log holds: every table, sums included.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failure fails the test")]

mod world;

use std::ops::ControlFlow;
use std::path::Path;

use inferlog_index::{FollowOptions, SqliteEngine};
use world::dump::{check_rollups, dump, open, rows};
use world::dying::Dying;
use world::purges::Purge;
use world::stories::stories;
use world::{World, catch_up};

/// Two logs, each followed to its end before the next begins.
fn world_of(seed: u64, entries: usize, path: &Path) -> World {
    let mut world = World::new();
    let entries = stories(seed, entries);
    for log in ["alpha", "beta"] {
        world.log(log);
        let of_log: Vec<_> = entries.iter().filter(|(name, _)| *name == log).cloned().collect();
        for part in of_log.chunks(211) {
            world.publish(part);
            catch_up(&mut world.follower(path));
        }
    }
    world
}

fn assert_as_new(world: &World, path: &Path) {
    check_rollups(path);
    let temp = tempfile::tempdir().unwrap();
    let fresh = temp.path().join("fresh.sqlite");
    let options = FollowOptions { name: "fresh".to_owned(), ..FollowOptions::default() };
    catch_up(&mut world.follower_with(&fresh, options));
    let (purged, fresh) = (dump(path), dump(&fresh));
    assert!(purged.len() > 300, "{}", purged.len());
    for (purged, fresh) in purged.iter().zip(&fresh) {
        assert_eq!(purged, fresh);
    }
    assert_eq!(purged.len(), fresh.len());
}

const PURGES: [(&str, u64, u64); 5] =
    [("alpha", 256, 1), ("alpha", 768, 2), ("beta", 256, 3), ("alpha", 1024, 4), ("alpha", 1280, 9)];

#[test]
fn what_is_left_is_what_the_remaining_log_gives() {
    for seed in 0..4 {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("index.sqlite");
        let mut world = world_of(seed, 3_000, &path);
        for (log, upto, kept) in PURGES {
            let purge = Purge::new(log, upto, kept);
            let said = purge.say(&mut world);
            catch_up(&mut world.follower(&path));
            // The cursor waits for the rows, and the rows for the log.
            assert_eq!(world.cursor(log, "index"), said);
            let events = rows(&open(&path), "SELECT count(*) FROM event");
            purge.carry_out(&world);
            catch_up(&mut world.follower(&path));
            assert_ne!(rows(&open(&path), "SELECT count(*) FROM event"), events);
            assert_eq!(world.cursor(log, "index"), said + 1);
            assert_as_new(&world, &path);
        }
        // What comes later is merged with what is left.
        let late: Vec<_> = stories(seed + 50, 300);
        world.publish(&late);
        catch_up(&mut world.follower(&path));
        assert_as_new(&world, &path);
    }
}

#[test]
fn whoever_ends_in_the_midst_of_a_purge_goes_on_with_it() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("index.sqlite");
    let mut world = world_of(7, 1_800, &path);
    let purge = Purge::new("alpha", 768, 5);
    let said = purge.say(&mut world);
    purge.carry_out(&world);
    let mut calls = 1;
    loop {
        let engine = Dying::new(SqliteEngine::open(&path).unwrap(), calls);
        let mut follower = world.follower_of(engine, FollowOptions::default());
        let done = follower.catch_up(&mut |_| ControlFlow::Continue(()));
        drop(follower);
        assert!(calls < 10_000, "{done:?}");
        if done.is_ok_and(|caught| caught.is_complete) {
            break;
        }
        let is_due = rows(&open(&path), "SELECT count(*) FROM purge_due") == ["Integer(1)"];
        assert!(world.cursor("alpha", "index") <= said || !is_due);
        calls += 1 + calls / 16;
    }
    assert!(calls > 20, "{calls}");
    catch_up(&mut world.follower(&path));
    assert_eq!(world.cursor("alpha", "index"), said + 1);
    assert_as_new(&world, &path);
}

#[test]
fn whoever_is_broken_off_claims_no_more_than_the_store_has() {
    let temp = tempfile::tempdir().unwrap();
    let (path, copy) = (temp.path().join("index.sqlite"), temp.path().join("copy.sqlite"));
    let mut world = world_of(9, 1_200, &path);
    // A purge of entries that was read and not carried out.
    let said = Purge::new("alpha", 512, 3).say(&mut world);
    let broken_off = world.follower(&path).catch_up(&mut |_| ControlFlow::Break(())).unwrap();
    assert_eq!((broken_off.entries, world.cursor("alpha", "index")), (1, said));
    // A store that loses what was committed last, as a server does at a crash that need not flush commits.
    let before = world.cursor("beta", "index");
    std::fs::copy(&path, &copy).unwrap();
    world.publish(&[("beta", stories(10, 1).remove(0).1)]);
    let mut lost = false;
    world
        .follower(&path)
        .catch_up(&mut |progress| {
            if progress.entries == 0 {
                return ControlFlow::Continue(());
            }
            std::fs::rename(&copy, &path).unwrap();
            for end in ["-wal", "-shm"] {
                let _ = std::fs::remove_file(path.with_file_name(format!("index.sqlite{end}")));
            }
            lost = true;
            ControlFlow::Break(())
        })
        .unwrap();
    assert!(lost);
    assert_eq!(world.cursor("beta", "index"), before);
}

#[test]
fn a_store_that_comes_back_after_the_purge_has_what_is_left() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("index.sqlite");
    let mut world = World::new();
    world.log("alpha");
    let all: Vec<_> = stories(8, 1_900).into_iter().map(|(_, entry)| ("alpha", entry)).collect();
    world.publish(&all[..700]);
    catch_up(&mut world.follower(&path));
    world.publish(&all[700..]);
    // Nobody waited for it: it was forgotten, say.
    let purge = Purge::new("alpha", 1_024, 6);
    purge.carry_out(&world);
    purge.say(&mut world);
    catch_up(&mut world.follower(&path));
    check_rollups(&path);
    let removed = "SELECT count(*) FROM event WHERE no >> 48 = 1 AND (no & 281474976710655) >> 10 < 1024";
    let kept = "SELECT count(*) FROM event WHERE no >> 48 = 1";
    assert_ne!(rows(&open(&path), removed), ["Integer(0)"], "what is kept is there");
    let temp = tempfile::tempdir().unwrap();
    let fresh = temp.path().join("fresh.sqlite");
    catch_up(&mut world.follower(&fresh));
    for sql in [removed, kept, "SELECT id, events FROM decisions ORDER BY 1"] {
        assert_eq!(rows(&open(&path), sql), rows(&open(&fresh), sql));
    }
}
