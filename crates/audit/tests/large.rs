//! Logs of more than one unit of work, and of more than one level of tiles; and a log that grows while it is verified.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod world;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use inferlog_audit::{Fault, FaultKind, Options, Progress, verify};
use inferlog_disk::sim::SimFs;
use inferlog_disk::{Fs, RealFs};
use inferlog_record::body::Clock;
use world::{DIR, NoBirths, World, name};

/// Entries of one unit of work: 16 bundles.
const UNIT: u64 = 16 * 256;

fn faults(fs: &SimFs) -> Vec<Fault> {
    let fs: Arc<dyn Fs> = Arc::new(fs.clone());
    verify(&fs, Path::new(DIR), &Options::default(), &|_| {}).unwrap().faults
}

/// Where a pack is cut for the threads, a damaged row or record must not be mistaken for anything else.
#[test]
fn damage_at_the_cuts_between_units_is_placed() {
    let (fs, mut world) = World::sim(4 << 20);
    world.create("credit");
    for _ in 0..5 {
        let batch: Vec<_> = (0..1000).flat_map(|_| world.decision("credit", "default", 40).1).collect();
        world.commit("credit", &batch);
    }
    world.integrate();
    assert!(faults(&fs).is_empty());
    let packs = inferlog_log::packs::list_packs(&fs, world.dir("credit")).unwrap();
    assert_eq!(packs.len(), 1);
    let rows = fs.read(&packs[0].index).unwrap();
    let row = |number: u64| {
        let row = &rows[number as usize * 16..][..16];
        (u64::from_be_bytes(row[..8].try_into().unwrap()), u64::from_be_bytes(row[8..].try_into().unwrap()))
    };
    let mut rng = fastrand::Rng::with_seed(4);
    for cut in [UNIT, 2 * UNIT] {
        // One payload is born with each entry: the row's number is the entry's.
        for number in cut - 1..cut + 1 {
            assert_eq!(row(number).0, number);
            for byte in 0..16 {
                let flipped = fs.fork(number);
                flipped.flip_bit(&packs[0].index, number * 16 + byte, rng.u8(0..8)).unwrap();
                let found = faults(&flipped);
                assert!((1..=2).contains(&found.len()), "row {number} byte {byte}: {found:#?}");
                let is_right =
                    |fault: &Fault| fault.kind == FaultKind::PackIndex && fault.offset == Some(number * 16);
                assert!(found.iter().all(is_right), "row {number} byte {byte}: {found:#?}");
            }
            let (start, end) = (row(number).1, row(number + 1).1);
            for byte in (start..end).step_by(7) {
                let flipped = fs.fork(number);
                flipped.flip_bit(&packs[0].pack, byte, rng.u8(0..8)).unwrap();
                let found = faults(&flipped);
                assert_eq!(found.len(), 1, "record {number} byte {byte}: {found:#?}");
                assert_eq!(
                    (found[0].kind, found[0].offset, found[0].index),
                    (FaultKind::Pack, Some(start), Some(number))
                );
            }
        }
    }
    // An index that ends early, or is gone: the pack itself is asked, and nothing else is blamed.
    for keep in [0, 10, UNIT, UNIT + 1, 9_999] {
        let cut = fs.fork(keep);
        let file = cut.open(&packs[0].index, inferlog_disk::Open::Write).unwrap();
        file.set_len(keep * 16).unwrap();
        let found = faults(&cut);
        assert_eq!(found.len(), 1, "{keep} rows: {found:#?}");
        assert_eq!((found[0].kind, found[0].offset), (FaultKind::PackIndex, Some(keep * 16)));
    }
}

/// Each level of tiles has a tile that is damaged in turn.
#[test]
fn a_flip_in_a_tile_of_each_level_is_placed() {
    let (fs, mut world) = World::sim(4 << 20);
    world.create("credit");
    let append = world.life(
        "credit",
        Clock {
            by: None,
            disregard_first: None,
            disregard_last: None,
            max_error_ns: None,
            offset_ns: None,
            source: name("none"),
            synchronised: false,
        },
    );
    let batch = vec![append; 8_192];
    for _ in 0..8 {
        world.commit("credit", &batch);
    }
    world.commit("credit", &batch[..700]);
    world.integrate();
    assert_eq!(world.size("credit"), 65_536 + 700);
    let root = world.dir("credit").path().to_owned();
    let mut rng = fastrand::Rng::with_seed(6);
    for (file, length) in [
        ("tile/0/000", 8192),
        ("tile/0/255", 8192),
        ("tile/0/256", 8192),
        ("tile/0/258.p/188", 188 * 32),
        ("tile/1/000", 8192),
        ("tile/1/001.p/2", 64),
        ("tile/2/000.p/1", 32),
        ("tile/entries/000", 2000),
        ("tile/entries/258.p/188", 2000),
    ] {
        for _ in 0..6 {
            let at = rng.u64(0..length);
            let flipped = fs.fork(at);
            flipped.flip_bit(&root.join(file), at, rng.u8(0..8)).unwrap();
            let found = faults(&flipped);
            assert_eq!(found.len(), 1, "{file} byte {at}: {found:#?}");
            assert!(found[0].file.ends_with(file), "{file} byte {at}: {found:#?}");
            let offset = found[0].offset.unwrap();
            let is_near = if file.contains("entries") {
                offset <= at && at < offset + 400
            } else {
                offset == at / 32 * 32
            };
            assert!(is_near, "{file} byte {at}: {found:#?}");
        }
    }
}

/// A verification beside a running node reports no fault that is none, and what it reports as verified was signed.
#[test]
fn a_log_that_grows_is_verified_as_it_stands() {
    let dir = tempfile::tempdir().unwrap();
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    let mut world = World::new(fs.clone(), dir.path(), 256 << 10, Arc::new(NoBirths));
    world.create("credit");
    world.fill("credit", 10, 200);
    world.integrate();
    let done = AtomicBool::new(false);
    let sizes: Vec<u64> = std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..150 {
                for _ in 0..4 {
                    let batch: Vec<_> =
                        (0..5).flat_map(|_| world.decision("credit", "default", 200).1).collect();
                    world.commit("credit", &batch);
                }
                world.integrate();
            }
            done.store(true, Ordering::Release);
        });
        let mut sizes = Vec::new();
        while !done.load(Ordering::Acquire) {
            let report = verify(&fs, dir.path(), &Options::default(), &|_| {}).unwrap();
            assert!(report.ok, "{:#?}", report.faults);
            sizes.push(report.size);
        }
        sizes
    });
    assert!(sizes.len() > 3 && sizes.is_sorted() && sizes[0] < sizes[sizes.len() - 1], "{sizes:?}");
}

#[test]
fn progress_grows_to_the_end() {
    let (fs, mut world) = World::sim(1 << 20);
    world.create("credit");
    world.fill("credit", 3_000, 30);
    world.integrate();
    let (calls, last) = (AtomicU64::new(0), parking_lot::Mutex::new(Progress::default()));
    let fs: Arc<dyn Fs> = Arc::new(fs);
    let told = |progress: Progress| {
        let mut last = last.lock();
        assert!(progress.bundles > last.bundles && progress.bytes > last.bytes);
        *last = progress;
        calls.fetch_add(1, Ordering::Relaxed);
    };
    let report = verify(&fs, Path::new(DIR), &Options::default(), &told).unwrap();
    let last = *last.lock();
    assert_eq!((last.bundles, last.bundles_total), (24, 24));
    assert_eq!(last.bytes, report.bytes);
    assert!(calls.load(Ordering::Relaxed) >= 2);
}
