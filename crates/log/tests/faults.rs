//! Promise 1 and 3: no acknowledged entry is lost, and every checkpoint stays true, on a disk that fails, tears and forgets.
//!
//! `SEEDS=10000 cargo test --release -p inferlog-log --test faults` is the long run; `SEED=n` repeats one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test")]

mod world;

use inferlog_disk::sim::{Event, Fault, How, Keep, Op, Outcome, SimFs};
use inferlog_log::Flags;
use inferlog_log::wal::format::frame_bytes;
use world::{Life, World};

/// Seeds of the short run.
const SEEDS_SHORT: u64 = 300;

fn env(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

#[test]
fn random_faults_lose_nothing_acknowledged() {
    let seeds = match env("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..env("SEEDS").unwrap_or(SEEDS_SHORT),
    };
    let mut fired = 0;
    let (mut lives, mut acked) = (0, 0);
    for seed in seeds.clone() {
        let outcome = std::panic::catch_unwind(|| run_seed(seed));
        let (seed_fired, seed_lives, seed_acked) =
            outcome.unwrap_or_else(|_| panic!("seed {seed} failed: SEED={seed} repeats it"));
        fired += seed_fired;
        lives += seed_lives;
        acked += seed_acked;
    }
    println!(
        "{} seeds: {lives} lives, {fired} faults struck, {acked} entries acknowledged",
        seeds.end - seeds.start
    );
    assert!(seeds.end - seeds.start < 100 || (fired > 50 && acked > 1000), "the faults must strike");
}

/// Several lives of one node, each ended by a fault, a kill or a crash.
fn run_seed(seed: u64) -> (u64, u64, usize) {
    let mut world = World::new(seed);
    let lives = world.rng.u64(2..7);
    for _ in 0..lives {
        inject_random(&mut world);
        let fired = world.fs.faults_fired();
        match live(&mut world) {
            Ok(()) => {}
            Err(error) => assert!(world.fs.faults_fired() > fired, "failed without a fault: {error}"),
        }
        end(&mut world);
    }
    world.fs.clear_faults();
    world.fs = world.fs.crash();
    world.start().expect("recovery without faults");
    let acked = world.models.values().map(|model| model.acked.len()).sum();
    (world.fs.faults_fired(), lives, acked)
}

fn inject_random(world: &mut World) {
    world.fs.clear_faults();
    let how = [How::NoEffect, How::Applied, How::Partial, How::PowerLoss][world.rng.usize(..4)];
    let skip = world.rng.u64(0..400);
    match world.rng.u8(0..4) {
        0 => {}
        1 => world.fs.inject(Fault::on(|call| call.op.changes()).after(skip).times(1).how(how)),
        2 => world.fs.inject(Fault::on(|call| call.op.syncs()).chance(0.01).how(how)),
        _ => world.fs.inject(Fault::on(|_| true).chance(0.004).how(how)),
    }
}

fn live(world: &mut World) -> Result<(), inferlog_log::LogError> {
    let mut life = world.start()?;
    for system in ["alpha", "beta"] {
        if !life.logs.contains_key(system) {
            world.create(&mut life, system)?;
        }
    }
    for _ in 0..world.rng.usize(1..40) {
        let what = world.rng.u8(..);
        if what < 40 {
            world.integrate(&mut life)?;
        } else if what < 60 {
            if !squeeze(world, &mut life) {
                return Ok(());
            }
        } else if !random_commit(world, &mut life) {
            return Ok(());
        }
    }
    Ok(())
}

fn random_commit(world: &mut World, life: &mut Life) -> bool {
    // Some batches are long, so that bundles and tiles fill up and directories of partial ones come and go.
    let length = if world.rng.u8(..) < 48 { world.rng.usize(60..180) } else { world.rng.usize(1..6) };
    let batch = (0..length).map(|_| {
        let system = if world.rng.bool() { "alpha" } else { "beta" };
        let mut append = world.random_append();
        if length > 6 {
            append.entry.truncate(40);
            append.payloads = inferlog_log::Payloads::default();
        }
        (system.to_owned(), append)
    });
    let batch: Vec<_> = batch.collect();
    world.commit(life, batch)
}

/// A disk without space: what may use the reserve is taken while it lasts. False if the process must end.
fn squeeze(world: &mut World, life: &mut Life) -> bool {
    world.fs.set_capacity(Some(0));
    let mut goes_on = true;
    for _ in 0..world.rng.usize(1..12) {
        let mut append = world.random_append();
        append.payloads = inferlog_log::Payloads::default();
        let is_reserved = world.rng.bool();
        append.flags = if is_reserved { append.flags.and(Flags::RESERVED) } else { append.flags };
        let left = life.recovered.writer.reserved_bytes_left();
        let fits = frame_bytes(&append) as u64 <= left;
        let before = world.models["alpha"].acked.len();
        goes_on = world.commit(life, vec![("alpha".into(), append)]);
        let is_taken = world.models["alpha"].acked.len() > before;
        assert!(!goes_on || is_taken || !is_reserved || !fits, "{left} bytes of the reserve were left");
        if !goes_on {
            break;
        }
    }
    world.fs.set_capacity(None);
    goes_on
}

/// The process ends: killed, or with the machine.
fn end(world: &mut World) {
    world.fs = match world.rng.u8(0..5) {
        0 => world.fs.kill(),
        1 => world.fs.crash_keeping(Keep::Nothing),
        2 => world.fs.crash_keeping(Keep::Everything),
        _ => world.fs.crash(),
    };
}

/// A fixed life, long enough to fill segments, bundles and packs, and to end in an open decision.
fn script(world: &mut World) -> Result<(), inferlog_log::LogError> {
    let mut life = world.start()?;
    for system in ["alpha", "beta"] {
        if !life.logs.contains_key(system) {
            world.create(&mut life, system)?;
        }
    }
    for step in 0..24 {
        if !random_commit(world, &mut life) {
            return Ok(());
        }
        if step % 8 == 7 {
            world.integrate(&mut life)?;
        }
    }
    Ok(())
}

#[test]
fn every_single_call_fails_both_ways() {
    let calls = {
        let mut world = World::new(1);
        script(&mut world).unwrap();
        world.fs.calls()
    };
    assert!(calls.len() > 300, "the script must do something");
    for call in &calls {
        // A call that changes nothing leaves nothing different for a crash to find.
        let (hows, ends): (&[How], &[bool]) = match call.op.changes() {
            true => (&[How::NoEffect, How::Applied, How::Partial, How::PowerLoss], &[true, false]),
            false => (&[How::NoEffect, How::Applied], &[false]),
        };
        for how in hows {
            for crash in ends {
                fail_one(call.index, *how, *crash);
            }
        }
    }
}

fn fail_one(call: u64, how: How, crash: bool) {
    let mut world = World::new(1);
    world.fs.inject(Fault::at(call).how(how));
    if let Err(error) = script(&mut world) {
        assert!(world.fs.faults_fired() > 0, "call {call}: failed without a fault: {error}");
    }
    world.fs.clear_faults();
    world.fs = if crash || how == How::PowerLoss { world.fs.crash() } else { world.fs.kill() };
    let what = format!("call {call} {how:?} crash {crash}");
    let mut life = world.start().unwrap_or_else(|error| panic!("{what}: {error}"));
    for system in ["alpha", "beta"] {
        if !life.logs.contains_key(system) {
            world.create(&mut life, system).unwrap();
        }
    }
    assert!(random_commit(&mut world, &mut life), "{what}: appends again");
    world.integrate(&mut life).unwrap();
    drop(life);
    world.fs = world.fs.crash();
    world.start().unwrap_or_else(|error| panic!("{what}, second start: {error}"));
}

/// Promise 2, on the simulated disk: at every acknowledgement nothing that was written to the WAL is unsynced.
#[test]
fn no_acknowledgement_precedes_its_sync() {
    let mut world = World::new(2);
    script(&mut world).unwrap();
    let mut unsynced = std::collections::BTreeSet::new();
    let mut acks = 0;
    for event in world.fs.events() {
        match event {
            Event::Call(call) if call.path.starts_with("/data/wal") && call.outcome == Outcome::Done => {
                match call.op {
                    Op::Write => drop(unsynced.insert(call.path)),
                    Op::SyncData => drop(unsynced.remove(&call.path)),
                    Op::Rename | Op::Create => drop(unsynced.insert("/data/wal".into())),
                    Op::SyncDir => drop(unsynced.remove(&call.path)),
                    _ => {}
                }
            }
            Event::Mark(mark) if mark == "ack" => {
                acks += 1;
                assert!(unsynced.is_empty(), "acknowledged while {unsynced:?} was not durable");
            }
            _ => {}
        }
    }
    assert_eq!(acks, 24);
}

/// Space: a full disk refuses appends without harm, and once there is room the same process goes on.
#[test]
fn a_full_disk_refuses_and_recovers() {
    let mut world = World::new(3);
    let mut life = world.start().unwrap();
    world.create(&mut life, "alpha").unwrap();
    let used: usize = world.fs.files().values().map(Vec::len).sum();
    world.fs.set_capacity(Some(used as u64 + 8192));
    let mut refused = 0;
    for _ in 0..200 {
        let before = world.models["alpha"].acked.len();
        let append = world.random_append();
        assert!(
            world.commit(&mut life, vec![("alpha".into(), append)]),
            "a full disk does not poison the writer"
        );
        refused += usize::from(world.models["alpha"].acked.len() == before);
    }
    assert!(refused > 0, "the disk was never full");
    world.fs.set_capacity(None);
    for _ in 0..50 {
        let append = world.random_append();
        assert!(world.commit(&mut life, vec![("alpha".into(), append)]));
    }
    world.integrate(&mut life).unwrap();
    drop(life);
    world.fs = world.fs.crash();
    world.start().unwrap();
}

/// A disk that fills while nothing is integrated still has the room to integrate all of it.
#[test]
fn a_full_wal_leaves_room_to_drain() {
    let mut world = World::new(5);
    let mut life = world.start().unwrap();
    world.create(&mut life, "alpha").unwrap();
    world.fs.set_capacity(Some(2 << 20));
    let mut refused = 0;
    while refused < 20 {
        let before = world.models["alpha"].acked.len();
        let append = world.random_append();
        assert!(world.commit(&mut life, vec![("alpha".into(), append)]));
        refused += usize::from(world.models["alpha"].acked.len() == before);
    }
    assert!(world.models["alpha"].acked.len() > 50, "the disk was not used");
    world.integrate(&mut life).expect("room to integrate");
    let append = world.random_append();
    assert!(world.commit(&mut life, vec![("alpha".into(), append)]));
    assert_eq!(
        world.models["alpha"].acked.len() as u64,
        life.recovered.integrator.size(life.logs["alpha"].0) + 1
    );
}

#[test]
fn the_simulation_can_fail_this_suite() {
    // A writer that lied about its sync would be caught: drop the sync's effect without an error and look.
    let mut world = World::new(4);
    let mut life = world.start().unwrap();
    world.create(&mut life, "alpha").unwrap();
    let append = world.random_append();
    let file = life.recovered.writer.position();
    assert!(world.commit(&mut life, vec![("alpha".into(), append)]));
    let forked: SimFs = world.fs.fork(9);
    let path = inferlog_log::wal::segment_path(std::path::Path::new("/data/wal"), file.incarnation);
    forked.flip_bit(&path, file.end + 50, 3).unwrap();
    world.fs = forked;
    let lost = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.start().map(|_| ())));
    assert!(lost.is_err(), "a lost acknowledged entry must fail the check");
}
