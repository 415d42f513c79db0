//! Purges on a disk that fails, one call after the other: whatever fails and whatever a crash drops, what was to be kept is there,
//! and the same calls again complete what was begun.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a failure fails the test")]

mod world;

use std::sync::Arc;

use inferlog_disk::sim::{Fault, How, Keep, Op};
use inferlog_log::prune::{prune_entries, purge_packs};
use inferlog_log::{Append, LogError, LogReader, Payloads};
use world::{DAY_NS, Life, START_NS, World, gone_of_entries, gone_of_packs, places, with_pruner};

/// What is removed, one after the other. Later ones take from what earlier ones kept.
#[derive(Clone, Copy, Debug)]
enum Purge {
    Packs { class: &'static str, last: u64, keep: fn(u64) -> bool },
    Entries { upto: u64, keep: fn(u64) -> bool },
}

const PURGES: [Purge; 5] = [
    Purge::Packs { class: "default", last: 300, keep: |index| index % 4 == 0 },
    Purge::Entries { upto: 300, keep: |index| index % 50 == 0 },
    Purge::Packs { class: "default", last: 500, keep: |index| index % 4 == 0 && index > 100 },
    Purge::Entries { upto: 600, keep: |index| index % 50 == 0 && index > 300 },
    Purge::Packs { class: "long", last: 600, keep: |_| false },
];

/// Small entries, some with a payload of their class and day. The day goes on every hundred entries.
fn append(world: &mut World, life: &mut Life, count: u64) {
    let first = world.models["alpha"].acked.len() as u64;
    let appends = (first..first + count).map(|index| {
        let mut payloads = Payloads::default();
        if index % 10 < 2 {
            payloads.push(u128::from(index).to_be_bytes(), format!("payload of {index}").as_bytes());
        }
        let class = if index % 10 == 1 { "long" } else { "default" }.to_owned();
        let logged_at_ns = START_NS + index / 100 * DAY_NS;
        let entry = format!("entry {index}").into_bytes();
        ("alpha".to_owned(), Append { entry, class, logged_at_ns, payloads, ..Append::default() })
    });
    let appends = appends.collect();
    assert!(world.commit(life, appends));
}

/// Late in the log, of the first day: frames that are durable and not integrated when something fails.
fn append_late(world: &mut World, life: &mut Life) {
    let index = world.models["alpha"].acked.len() as u64;
    let mut payloads = Payloads::default();
    payloads.push(u128::from(index).to_be_bytes(), b"late");
    let entry = format!("entry {index}").into_bytes();
    let append =
        Append { entry, class: "default".into(), logged_at_ns: START_NS, payloads, ..Append::default() };
    world.commit(life, vec![("alpha".to_owned(), append)]);
}

/// A log of some days, on a disk that has all of it.
fn filled() -> World {
    let mut world = World::new(1);
    let mut life = world.start().unwrap();
    world.create(&mut life, "alpha").unwrap();
    for _ in 0..4 {
        append(&mut world, &mut life, 200);
        world.integrate(&mut life).unwrap();
    }
    drop(life);
    world.fs = world.fs.crash_keeping(Keep::Everything);
    world
}

fn copy(of: &World) -> World {
    let mut world = World::new(1);
    world.fs = of.fs.fork(of.fs.call_count());
    world.models = of.models.clone();
    world
}

/// Carries one purge out, and notes what it was to remove.
fn purge(world: &mut World, life: Life, purge: Purge) -> (Life, Result<(), LogError>) {
    // What is looked at here does not count as a call.
    let fs = world.fs.fork(0);
    let reader = LogReader::new(Arc::new(fs.clone()), life.logs["alpha"].1.clone());
    let model = world.models.get_mut("alpha").unwrap();
    match purge {
        Purge::Packs { class, last, keep } => {
            let gone = gone_of_packs(&places(&fs, &reader, class).0, last, &keep);
            model.perhaps_gone_payloads.extend(&gone);
            let (life, result) = with_pruner(world, life, "alpha", |pruner| {
                purge_packs(pruner, class, last, &|index, _| keep(index)).map(drop)
            });
            if result.is_ok() {
                world.models.get_mut("alpha").unwrap().gone_payloads.extend(gone);
            }
            (life, result)
        }
        Purge::Entries { upto, keep } => {
            let (_, gone) = gone_of_entries(&reader, upto, &keep);
            model.perhaps_gone.extend(&gone);
            let (life, result) = with_pruner(world, life, "alpha", |pruner| {
                prune_entries(pruner, upto, &|index, _| keep(index)).map(drop)
            });
            if result.is_ok() {
                world.models.get_mut("alpha").unwrap().gone.extend(gone);
            }
            (life, result)
        }
    }
}

/// All purges from one on, until one fails. Returns which, and the life.
fn purges(world: &mut World, mut life: Life, from: usize) -> (Life, Option<(usize, LogError)>) {
    for (number, one) in PURGES.iter().enumerate().skip(from) {
        append_late(world, &mut life);
        let (next, result) = purge(world, life, *one);
        life = next;
        if let Err(error) = result {
            return (life, Some((number, error)));
        }
    }
    (life, None)
}

/// What follows the failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Crash(Keep),
    Kill,
    /// The same process calls again, and the machine crashes after that.
    Again,
}

fn fail_one(filled: &World, call: u64, how: How, then: Then) {
    let what = format!("call {call} {how:?} {then:?}");
    println!("{what}");
    let mut world = copy(filled);
    let life = world.start().unwrap();
    world.fs.inject(Fault::at(call).how(how));
    let (life, failed) = purges(&mut world, life, 0);
    assert_eq!(world.fs.faults_fired(), 1, "{what}");
    world.fs.clear_faults();
    // Where the failure is of no consequence, all is done.
    let from = failed.as_ref().map_or(PURGES.len(), |(number, _)| *number);
    if then == Then::Again {
        let (life, result) = purge(&mut world, life, PURGES[from.min(PURGES.len() - 1)]);
        result.unwrap_or_else(|error| panic!("{what}, again: {error}"));
        drop(life);
        forget_gone(&mut world);
    } else {
        drop(life);
    }
    world.fs = match then {
        Then::Crash(keep) => world.fs.crash_keeping(keep),
        Then::Kill => world.fs.kill(),
        Then::Again => world.fs.crash_keeping(Keep::Nothing),
    };
    // As at every start: what the log says is gone is removed again, and the rest follows.
    complete(&mut world, &what);
    if then == Then::Kill {
        forget_gone(&mut world);
        world.fs = world.fs.crash();
        complete(&mut world, &what);
    }
    world.fs = world.fs.crash_keeping(Keep::Nothing);
    let life = world.start().unwrap_or_else(|error| panic!("{what}, at last: {error}"));
    let left = world.fs.files().into_keys().find(|path| path.to_string_lossy().contains("/.tmp-"));
    assert_eq!(left, None, "{what}");
    drop(life);
}

/// One life that carries all purges out.
fn complete(world: &mut World, what: &str) {
    let life = world.start().unwrap_or_else(|error| panic!("{what}: {error}"));
    let (mut life, failed) = purges(world, life, 0);
    assert!(failed.is_none(), "{what}: {failed:?}");
    world.integrate(&mut life).unwrap();
}

/// The machine did not crash since a removal's sync failed: names that are not seen any more may come back when it does.
fn forget_gone(world: &mut World) {
    let model = world.models.get_mut("alpha").unwrap();
    model.gone.clear();
    model.gone_payloads.clear();
}

#[test]
fn every_single_call_of_a_purge_fails() {
    let filled = filled();
    let calls = {
        let mut world = copy(&filled);
        let life = world.start().unwrap();
        let before = world.fs.call_count();
        let (_, failed) = purges(&mut world, life, 0);
        assert!(failed.is_none(), "{failed:?}");
        let model = &world.models["alpha"];
        assert!(model.gone.len() > 400 && model.gone_payloads.len() > 40, "the purges must do something");
        world.fs.calls().split_off(before as usize)
    };
    assert!(calls.len() > 300, "{}", calls.len());
    let thens = [
        Then::Crash(Keep::Any),
        Then::Again,
        Then::Kill,
        Then::Crash(Keep::Nothing),
        Then::Crash(Keep::Everything),
    ];
    let state = filled.fs.files().into_keys().find(|path| path.ends_with("state")).unwrap();
    let epoch = state.parent().unwrap().file_name().unwrap().to_owned();
    let mut cases = 0;
    for (number, call) in calls.iter().enumerate().filter(|(_, call)| !call.path.starts_with("/data/wal")) {
        let hows: &[How] = match call.op {
            Op::Write => &[How::NoEffect, How::Applied, How::Partial, How::PowerLoss],
            op if op.changes() => &[How::NoEffect, How::Applied, How::PowerLoss],
            // Reads are many and alike.
            _ if number % 5 == 0 => &[How::NoEffect],
            _ => &[],
        };
        // On the directory that `state` is in, what the same process does after the failure matters most.
        if call.op == Op::SyncDir && call.path.ends_with(&epoch) {
            fail_one(&filled, call.index, How::NoEffect, Then::Again);
            cases += 1;
        }
        for (at, how) in hows.iter().enumerate() {
            // Each call fails in each way; what follows takes turns.
            let then = match how {
                How::PowerLoss => thens[[0, 3, 4][number % 3]],
                _ => thens[(number + at) % thens.len()],
            };
            fail_one(&filled, call.index, *how, then);
            cases += 1;
        }
    }
    println!("{} calls, {cases} failures", calls.len());
}
