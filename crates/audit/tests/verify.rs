//! What `verify` says of sound directories, and that it finds and locates every flipped byte (promise 5).

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail by panicking, and says what it did"
)]

mod world;

use std::path::Path;
use std::sync::Arc;

use inferlog_audit::{Options, Report, verify};
use inferlog_disk::Fs;
use inferlog_disk::sim::SimFs;
use world::{DIR, World};

fn run(fs: &SimFs, options: &Options) -> Report {
    let fs: Arc<dyn Fs> = Arc::new(fs.clone());
    verify(&fs, Path::new(DIR), options, &|_| {}).unwrap()
}

fn small() -> (SimFs, World) {
    let (fs, mut world) = World::sim(256 << 10);
    world.create("credit");
    world.create("triage");
    world.fill("credit", 150, 300);
    world.fill("triage", 3, 1000);
    world.integrate();
    world.fill("credit", 7, 300);
    world.integrate();
    (fs, world)
}

#[test]
fn a_sound_directory_has_no_faults() {
    let (fs, world) = small();
    let report = run(&fs, &Options::default());
    assert_eq!(report.faults, [], "{:#?}", report.faults);
    assert!(report.ok);
    assert_eq!(report.size, world.size("credit") + world.size("triage"));
    assert_eq!(report.payloads, report.size, "one payload is born with each of these entries");
}

/// A flipped byte is found in its file, and blamed on no other; `at` tells whether the place that is named fits.
fn flip_is_found(fs: &SimFs, path: &Path, at: u64, bit: u8) {
    let flipped = fs.fork(at);
    flipped.flip_bit(path, at, bit).unwrap();
    let report = run(&flipped, &Options::default());
    let file = path.strip_prefix(DIR).unwrap().display().to_string();
    let place = format!("{file}, byte {at}, bit {bit}: {:#?}", report.faults);
    assert!(!report.ok && report.fault_count > 0, "not found: {place}");
    assert!(report.faults.iter().all(|fault| fault.file == file), "another file is blamed: {place}");
    assert!(report.fault_count <= 2, "one flip, many faults: {place}");
    let before = report.faults.iter().filter_map(|fault| fault.offset).all(|offset| offset <= at);
    assert!(before, "the place is after the flip: {place}");
}

/// Bytes of a file that count, as format.md has it.
fn counts(world: &World, path: &Path, at: u64, content: &[u8]) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    if path.extension().is_some_and(|extension| extension == "wal") {
        // Free space follows the last batch.
        let position = world.recovered.writer.position();
        return name != format!("{:016x}.wal", position.incarnation) || at < position.end;
    }
    // The time of day in `created` is nobody's to check.
    let created = name == "log" && (content.len() > 40) && (22..42).contains(&at);
    !created && name != "lock" && !name.ends_with(".spare")
}

#[test]
fn every_flipped_byte_is_found_in_its_file() {
    let (fs, world) = small();
    let mut rng = fastrand::Rng::with_seed(3);
    let mut flips = 0;
    for (path, content) in fs.files() {
        let length = content.len() as u64;
        let mut places: Vec<u64> = (0..length.min(80)).chain(length.saturating_sub(40)..length).collect();
        places.extend(std::iter::repeat_with(|| rng.u64(0..length.max(1))).take(60));
        places.retain(|at| *at < length && counts(&world, &path, *at, &content));
        places.sort_unstable();
        places.dedup();
        flips += places.len();
        for at in places {
            flip_is_found(&fs, &path, at, rng.u8(0..8));
        }
    }
    println!("{flips} flips");
    assert!(flips > 2_000);
}

#[test]
fn a_registry_that_is_not_what_was_registered_is_a_fault() {
    let (fs, _world) = small();
    let dir = Path::new(DIR);
    let shared: Arc<dyn Fs> = Arc::new(fs.clone());
    let registry = inferlog_registry::Registry::open(shared, &dir.join("registry")).unwrap();
    let prompt = inferlog_registry::Registration::prompt(world::name("greeting"), None, "Be kind.");
    registry.add(&prompt, inferlog_record::Timestamp(1)).unwrap();
    assert!(run(&fs, &Options::default()).ok);
    flip_is_found(&fs, &dir.join("registry/index"), 70, 1);
}
