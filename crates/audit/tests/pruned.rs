//! What a purge leaves, verified: nothing more is believed than that it is gone, and that the log says so.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

mod purge;
mod world;

use std::path::PathBuf;
use std::sync::Arc;

use inferlog_audit::{FaultKind, Report};
use inferlog_disk::Fs;
use inferlog_disk::sim::SimFs;
use inferlog_log::packs::{list_kept_packs, list_packs};
use inferlog_record::Count;
use inferlog_record::body::{Basis, HoldPlaced, Purge, Purged, Scope};
use purge::{LAST, Pruned, keeps, purge, released, with_pruner};
use world::look::{check, only, overwrite};

fn notice(report: &Report, text: &str) -> bool {
    report.notices.iter().any(|notice| notice.what.contains(text))
}

/// The file of kept entries of the first bundle.
fn kept(pruned: &Pruned) -> PathBuf {
    pruned.world.dir("credit").kept_bundle(0)
}

#[test]
fn a_pruned_log_is_proved() {
    let pruned = Pruned::new();
    let report = check(&pruned.fs);
    assert!(report.ok, "{:#?}", report.faults);
    let log = &report.logs[0];
    assert_eq!((log.first, log.payloads.entries_purged, log.payloads.entries_kept), (512, 510, 2));
    // The held decision's two, and those of the decisions after the purged range.
    let left = log.size - 512 - 5;
    assert_eq!((log.payloads.kept, log.payloads.present, log.payloads.missing), (2, 2 + left, 0));
    assert!(notice(
        &report,
        "2 payloads are kept that were held when their packs were purged; 1 hold stands"
    ));
    let text = report.to_text(false);
    assert!(text.contains("510 entries purged, 2 of these bundles kept"), "{text}");
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/v1/audit/pruned")
}

/// A pruned log of the first format, with a hold and an erasure, kept for ever. `UPDATE=1` writes it if it is not there.
#[test]
fn the_frozen_pruned_log_is_read_for_ever() {
    if std::env::var_os("UPDATE").is_some() && !folder().exists() {
        let pruned = Pruned::new();
        let log = pruned.world.dir("credit").path().to_owned();
        let mut dirs = vec![log];
        while let Some(dir) = dirs.pop() {
            for entry in pruned.fs.read_dir(&dir).unwrap() {
                if entry.is_dir {
                    dirs.push(entry.path);
                    continue;
                }
                let path = folder().join("good").join(entry.path.strip_prefix(world::DIR).unwrap());
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, pruned.fs.read(&entry.path).unwrap()).unwrap();
            }
        }
        std::fs::write(
            folder().join("good/node"),
            pruned.fs.read(&PathBuf::from(world::DIR).join("node")).unwrap(),
        )
        .unwrap();
        let origin = check(&pruned.fs).logs[0].origin.clone();
        std::fs::write(folder().join("vkey"), format!("{}\n", world::OneKey::new().vkey(&origin))).unwrap();
    }
    let fs: Arc<dyn Fs> = Arc::new(inferlog_disk::RealFs);
    let key = std::fs::read_to_string(folder().join("vkey")).unwrap().trim().parse().unwrap();
    let options = inferlog_audit::Options { keys: vec![key], ..inferlog_audit::Options::default() };
    let report = inferlog_audit::verify(&fs, &folder().join("good"), &options, &|_| {}).unwrap();
    assert!(report.ok, "{:#?}", report.faults);
    let log = &report.logs[0];
    assert_eq!((log.size, log.first), (777, 512));
    assert_eq!((log.payloads.entries_purged, log.payloads.entries_kept, log.payloads.kept), (510, 2, 2));
}

/// Between any two steps of a purge: nothing is a fault, and what is not finished is told.
#[test]
fn a_purge_that_is_not_finished_is_told() {
    let mut before = Pruned::before();
    assert!(check(&before.fs).ok);
    before.say(Purge { kept: Count(2), ..purge(Purged::Payloads, Some("default")) });
    before.world.integrate();
    let report = check(&before.fs);
    assert!(report.ok, "{:#?}", report.faults);
    assert!(notice(&report, "the purge is not finished, or the pack was put back"), "{:#?}", report.notices);

    let after = Pruned::before().purge_payloads();
    let report = check(&after.fs);
    assert!(report.ok, "{:#?}", report.faults);
    // 510 entries of the range and their payloads, without what is held.
    assert_eq!((report.logs[0].payloads.purged, report.logs[0].payloads.kept), (510, 2));

    let mut announced = Pruned::before().purge_payloads();
    announced.say(purge(Purged::Entries, None));
    announced.world.integrate();
    let report = check(&announced.fs);
    assert!(report.ok, "{:#?}", report.faults);
    assert!(notice(&report, "is not finished: the log still begins at 0"), "{:#?}", report.notices);
}

/// A bundle that is still there after `pruned` was written, and a kept copy beside its pack: a crash leaves both.
#[test]
fn what_a_crash_leaves_is_no_fault() {
    let before = Pruned::before();
    let bundle = before.world.dir("credit").path().join("tile/entries/000");
    let pack = list_packs(&*before.world.fs, before.world.dir("credit")).unwrap().remove(0);
    let copies = [bundle, pack.pack, pack.index].map(|path| (before.fs.read(&path).unwrap(), path));
    let pruned = before.purge_payloads().purge_entries();
    for (bytes, path) in copies {
        inferlog_disk::create_dir_all(&pruned.fs, path.parent().unwrap()).unwrap();
        overwrite(&pruned.fs, &path, &bytes);
    }
    let report = check(&pruned.fs);
    assert!(report.ok, "{:#?}", report.faults);
    assert!(notice(&report, "1 bundles before entry 512 are still there"), "{:#?}", report.notices);
    assert!(notice(&report, "the purge is not finished, or the pack was put back"), "{:#?}", report.notices);
}

#[test]
fn every_byte_of_what_was_kept_counts() {
    let pruned = Pruned::new();
    let (dir, path) = (pruned.world.dir("credit"), kept(&pruned));
    let length = pruned.fs.read(&path).unwrap().len() as u64;
    let mut rng = fastrand::Rng::with_seed(7);
    let mut flip = |path: &PathBuf, byte: u64| -> Report {
        let fs = pruned.fs.fork(byte);
        fs.flip_bit(path, byte, rng.u8(0..8)).unwrap();
        check(&fs)
    };
    for byte in (0..length).step_by(3).chain(length - 4..length) {
        let report = flip(&path, byte);
        assert!(!report.ok, "byte {byte}");
        let is_here = report.faults.iter().any(|fault| fault.file.ends_with("kept/entries/0000000000"));
        assert!(is_here, "byte {byte}: {:#?}", report.faults);
    }
    for byte in 0..4 {
        let report = flip(&dir.pruned(), byte);
        assert!(!report.ok, "byte {byte} of pruned");
    }
    let pack = list_kept_packs(&pruned.fs, dir).unwrap().remove(0);
    for byte in (0..pruned.fs.read(&pack.pack).unwrap().len() as u64).step_by(17) {
        let report = flip(&pack.pack, byte);
        let is_here = report.faults.iter().any(|fault| fault.file.contains("kept/packs/"));
        assert!(is_here, "byte {byte}: {:#?}", report.faults);
    }
    for byte in 0..pruned.fs.read(&pack.index).unwrap().len() as u64 {
        assert!(notice(&flip(&pack.index, byte), "not the index of its pack"), "byte {byte}");
    }
}

#[test]
fn pruned_says_no_more_and_no_less_than_the_purges() {
    let pruned = Pruned::new();
    let path = pruned.world.dir("credit").pruned();
    // Raised: the bundle is there all the same, and no purge says that it should not be.
    let raised = pruned.fs.fork(1);
    overwrite(&raised, &path, b"768\n");
    let report = check(&raised);
    assert_eq!(only(&report, FaultKind::Pruned).file, "logs/credit/0/".to_owned() + &tail(&path));
    // Raised, and the bundle gone: its entries are.
    let gone = raised.fork(2);
    gone.remove_file(&pruned.world.dir("credit").path().join("tile/entries/002")).unwrap();
    let report = check(&gone);
    let fault = report.faults.iter().find(|fault| fault.kind == FaultKind::Pruned).unwrap();
    assert!(fault.what.contains("512 to 767 are gone, and no purge says so"), "{fault:#?}");
    // Lowered, or not there: what is said to be there is not.
    let lowered = pruned.fs.fork(3);
    overwrite(&lowered, &path, b"256\n");
    let report = check(&lowered);
    assert!(
        report.faults.iter().any(|fault| fault.file.ends_with("tile/entries/001")),
        "{:#?}",
        report.faults
    );
    let absent = pruned.fs.fork(4);
    absent.remove_file(&path).unwrap();
    assert!(!check(&absent).ok);
    for garbage in [&b"0\n"[..], b"512", b"0512\n", b"511\n", b"999999999999\n", b""] {
        let fs = pruned.fs.fork(5);
        overwrite(&fs, &path, garbage);
        let report = check(&fs);
        assert!(report.faults.iter().any(|fault| fault.kind == FaultKind::Pruned), "{garbage:?}");
    }
}

fn tail(path: &std::path::Path) -> String {
    let parts: Vec<_> =
        path.components().rev().take(2).map(|part| part.as_os_str().to_str().unwrap()).collect();
    format!("{}/{}", parts[1], parts[0])
}

/// The records of a file of kept entries.
fn records(bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    inferlog_log::kept::decode(0, bytes)
        .unwrap()
        .into_iter()
        .map(|(index, entry)| (index, entry.to_vec()))
        .collect()
}

fn file(records: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, entry) in records {
        bytes.extend_from_slice(&index.to_be_bytes());
        bytes.extend_from_slice(&(entry.len() as u16).to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    let crc = crc32c::crc32c(&bytes);
    [bytes, crc.to_be_bytes().to_vec()].concat()
}

/// With right checksums.
#[test]
fn kept_entries_cannot_be_taken_away_or_exchanged() {
    let pruned = Pruned::new();
    let path = kept(&pruned);
    let good = records(&pruned.fs.read(&path).unwrap());
    assert_eq!(good.iter().map(|(index, _)| *index).collect::<Vec<_>>(), pruned.held_entries);
    let changed = |records: &[(u64, Vec<u8>)]| {
        let fs = pruned.fs.fork(1);
        overwrite(&fs, &path, &file(records));
        check(&fs)
    };
    let fault = changed(&good[..1]);
    assert!(only(&fault, FaultKind::Kept).what.contains("1 of 2 entries"), "{:#?}", fault.faults);
    let exchanged = [(good[0].0, good[1].1.clone()), (good[1].0, good[0].1.clone())];
    let report = changed(&exchanged);
    let indices: Vec<_> = report.faults.iter().filter_map(|fault| fault.index).collect();
    assert!(pruned.held_entries.iter().all(|index| indices.contains(index)), "{:#?}", report.faults);
    let moved = [(good[0].0 + 2, good[0].1.clone()), (good[1].0 + 2, good[1].1.clone())];
    assert!(!changed(&moved).ok);
    let gone = pruned.fs.fork(2);
    gone.remove_file(&path).unwrap();
    assert!(only(&check(&gone), FaultKind::Kept).what.contains("2 of 2 entries"));
    // Of a payload that is kept the pack is gone, though its entry is there: nothing says that it may be.
    let pack = list_kept_packs(&pruned.fs, pruned.world.dir("credit")).unwrap().remove(0);
    let gone = pruned.fs.fork(3);
    gone.remove_file(&pack.pack).unwrap();
    let report = check(&gone);
    assert_eq!(report.fault_count, 2, "{:#?}", report.faults);
    assert!(report.faults.iter().all(|fault| fault.kind == FaultKind::MissingPayload));
    assert!(report.faults[0].what.contains("a hold kept it from the purge that covers it"));
}

/// A pack is removed, or a bundle, and the log says nothing or another thing.
#[test]
fn nothing_is_removed_without_its_event() {
    let before = Pruned::before();
    let packs = list_packs(&*before.world.fs, before.world.dir("credit")).unwrap();
    let remove = |fs: &SimFs| {
        fs.remove_file(&packs[0].pack).unwrap();
        fs.remove_file(&packs[0].index).unwrap();
    };
    let gone = before.fs.fork(1);
    remove(&gone);
    let report = check(&gone);
    assert!(
        report.fault_count > 100 && report.faults.iter().all(|one| one.kind == FaultKind::MissingPayload)
    );
    assert_eq!(report.logs[0].payloads.missing, report.fault_count);
    for forged in [
        Purge { last: Count(9), ..purge(Purged::Payloads, Some("default")) },
        purge(Purged::Payloads, Some("long")),
        purge(Purged::Entries, None),
    ] {
        let mut other = Pruned::before();
        other.say(forged);
        other.world.integrate();
        remove(&other.fs);
        assert!(!check(&other.fs).ok);
    }
}

#[test]
fn a_purge_whose_numbers_are_not_those_of_its_range_is_found() {
    for (forged, is_found) in [
        (Purge { entries: Count(511), ..purge(Purged::Entries, None) }, true),
        (Purge { last: Count(90_000), ..purge(Purged::Entries, None) }, true),
        (Purge { first: Count(600), ..purge(Purged::Entries, None) }, true),
        (Purge { entries: Count(509), kept: Count(3), ..purge(Purged::Entries, None) }, true),
        (purge(Purged::Entries, None), false),
    ] {
        let mut pruned = Pruned::before().purge_payloads();
        pruned.say(forged.clone());
        pruned.world.integrate();
        let held = pruned.held;
        let (world, _) = with_pruner(pruned.world, "credit", |pruner| {
            inferlog_log::prune::prune_entries(pruner, LAST + 1, &keeps(held)).unwrap()
        });
        let report = check(&pruned.fs);
        assert_eq!(!report.ok, is_found, "{forged:#?}: {:#?}", report.faults);
        drop(world);
    }
}

/// A hold that is placed after a purge keeps nothing from it; one that was released does not any more.
#[test]
fn what_a_hold_keeps_depends_on_when_it_stood() {
    let mut pruned = Pruned::new();
    let scope = Scope { decisions: vec![pruned.decisions[3]].into(), ..Scope::default() };
    let hold = pruned.world.id();
    pruned.say(HoldPlaced { basis: Basis::Internal, by: None, hold, incident: None, scope });
    pruned.say(released(pruned.hold));
    pruned.world.integrate();
    let report = check(&pruned.fs);
    assert!(report.ok, "{:#?}", report.faults);
    assert!(notice(&report, "1 hold stands"), "{:#?}", report.notices);
    // The next purge takes what was held.
    pruned.say(Purge { kept: Count(0), ..purge(Purged::Payloads, Some("default")) });
    pruned.say(Purge { kept: Count(0), entries: Count(2), ..purge(Purged::Entries, None) });
    pruned.world.integrate();
    let nobody = pruned.decisions[0];
    let (world, ()) = with_pruner(pruned.world, "credit", |pruner| {
        inferlog_log::prune::purge_packs(pruner, "default", LAST, &|_, _| false).unwrap();
        inferlog_log::prune::prune_entries(pruner, LAST + 1, &keeps(nobody)).unwrap();
    });
    let report = check(&pruned.fs);
    assert!(report.ok, "{:#?}", report.faults);
    assert_eq!((report.logs[0].payloads.entries_kept, report.logs[0].payloads.kept), (0, 0));
    let fs: Arc<dyn Fs> = Arc::new(pruned.fs.clone());
    let reader = inferlog_log::LogReader::new(fs, world.dir("credit").clone());
    assert!(reader.entry(pruned.held_entries[0], world.size("credit")).unwrap_err().is_pruned());
}
