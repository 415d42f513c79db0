//! A crash, or a failure, at every call to the file system while what is due is purged. Whatever happened: nothing is gone that is not due
//! or that a hold keeps, and whatever is gone has its event in the log; and what is left goes in the next run.
//!
//! `EVERY=1 cargo test --release -p inferlog-capture --test purge_faults` breaks every call in every way; by default every fifth call
//! loses power, and every nineteenth fails in each of the other ways.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test")]

#[path = "support/retaining.rs"]
mod retaining;

use inferlog_capture::recorder::RecordError;
use inferlog_disk::sim::{Fault, How, Keep};
use inferlog_record::Id;
use inferlog_record::body::Purged;
use retaining::{DAY, Found, World, decide};
use std::collections::BTreeMap;

/// Decisions of the first days: enough for some bundles of entries to go.
const FIRST_DAYS: u32 = 2;
const DECISIONS_A_DAY: u32 = 180;
/// Days until the first are due, and the margin.
const DAYS: u32 = 13;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Kept for longer, by its class or because it is young.
    Young,
    /// Due and held.
    Held,
    /// Due.
    Due,
}

struct Setup {
    world: World,
    fates: BTreeMap<Id, Fate>,
}

async fn setup() -> Setup {
    let mut world = World::new(1);
    let mut fates = BTreeMap::new();
    let (recorder, system) = world.open().await.unwrap();
    for day in 0..DAYS {
        let count = if day < FIRST_DAYS { DECISIONS_A_DAY } else { 2 };
        for number in 0..count {
            let is_long = number % 20 == 1;
            let id = decide(&system, if is_long { "long" } else { "short" }, "ada").await.unwrap();
            let fate = if is_long || day >= FIRST_DAYS { Fate::Young } else { Fate::Due };
            fates.insert(id, fate);
        }
        world.clock.advance(DAY);
    }
    let due: Vec<Id> = fates.iter().filter(|(_, fate)| **fate == Fate::Due).map(|(id, _)| *id).collect();
    let held: Vec<Id> = due.into_iter().step_by(50).collect();
    retaining::hold(&system, &held).await;
    fates.extend(held.into_iter().map(|id| (id, Fate::Held)));
    world.end(recorder, system).await;
    Setup { world, fates }
}

/// Opens the disk, purges, and ends without a word.
async fn live(world: &mut World) -> Result<(), RecordError> {
    let (recorder, system) = world.open().await?;
    let outcome = recorder.purge(None).await;
    let fs = world.fs.clone();
    tokio::task::spawn_blocking(move || drop((recorder, system, fs))).await?;
    let done = outcome?;
    assert!(done[0].frozen.is_empty(), "{:?}", done[0].frozen);
    Ok(())
}

/// What is there, held against what is due and what the log says of it.
async fn check(world: &mut World, setup: &Setup, is_over: bool, what: &str) {
    let (recorder, system) = world.open().await.unwrap_or_else(|error| panic!("{what}: {error}"));
    recorder.integrate().await.unwrap();
    let found = world.found(&recorder);
    let ledger = system.ledger();
    let covers = |kind: Purged, index: u64| {
        ledger
            .purges()
            .filter_map(|told| told.purge())
            .any(|purge| purge.what == kind && (purge.first.0..=purge.last.0).contains(&index))
    };
    for (id, fate) in &setup.fates {
        let of_it: Vec<&Found> = found.iter().filter(|found| found.decision == Some(*id)).collect();
        let opens = of_it.iter().filter(|found| found.opens.as_ref().is_some_and(Result::is_ok)).count();
        match fate {
            Fate::Young | Fate::Held => {
                assert_eq!((of_it.len(), opens), (2, 1), "{what}: {fate:?} {id}: {of_it:?}");
            }
            Fate::Due => {
                for found in &of_it {
                    let is_gone = matches!(found.opens, Some(Err(_)));
                    assert!(!is_gone || covers(Purged::Payloads, found.index), "{what}: {found:?}");
                }
                assert!(!is_over || opens == 0, "{what}: {id} is due and opens");
            }
        }
    }
    let first = world.first();
    assert!(first == 0 || covers(Purged::Entries, first - 1), "{what}: entries went without an event");
    assert!(!is_over || first > 0, "{what}: no entry went");
    if is_over {
        assert!(
            world.packs("short").iter().all(|day| *day >= world.day(FIRST_DAYS)),
            "{what}: packs are left"
        );
    }
    world.end(recorder, system).await;
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

#[test]
fn a_purge_that_breaks_anywhere_goes_on_and_takes_nothing_too_early() {
    let setup = block_on(setup());
    let before = setup.world.entries().len();
    let mut whole = setup.world.fork(99);
    let calls = whole.fs.call_count();
    block_on(async {
        live(&mut whole).await.unwrap();
        check(&mut whole, &setup, true, "without faults").await;
    });
    let calls = whole.fs.call_count() - calls;
    assert!(whole.entries().len() < before, "entries went");
    let every = std::env::var("EVERY").is_ok();
    let mut tried = 0;
    for (how, step) in [(How::PowerLoss, 5), (How::NoEffect, 19), (How::Applied, 19), (How::Partial, 19)] {
        for call in (0..calls).step_by(if every { 1 } else { step }) {
            let mut world = setup.world.fork(call);
            world.fs.inject(Fault::on(|call| call.op.changes()).after(call).times(1).how(how));
            let what = format!("{how:?} at change {call}");
            let fired = world.fs.faults_fired();
            let outcome = block_on(live(&mut world));
            if world.fs.faults_fired() == fired {
                outcome.unwrap_or_else(|error| panic!("{what}: failed without a fault: {error}"));
                break;
            }
            tried += 1;
            world.fs.clear_faults();
            world.crash(if call % 2 == 0 { Some(Keep::Nothing) } else { None });
            block_on(async {
                check(&mut world, &setup, false, &what).await;
                live(&mut world).await.unwrap_or_else(|error| panic!("{what}: {error}"));
                check(&mut world, &setup, true, &what).await;
            });
        }
    }
    println!("{tried} purges broke");
    assert!(tried > 20, "the faults must strike");
}
