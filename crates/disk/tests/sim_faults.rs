//! How calls of the simulated disk fail, what it records, and what it runs out of.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use inferlog_disk::sim::{Event, Fault, How, Keep, Op, Outcome, SECTOR_BYTES, SimFs};
use inferlog_disk::{File, Fs, Open};

fn create(fs: &SimFs, path: &str, bytes: &[u8]) -> Box<dyn File> {
    let file = fs.open(Path::new(path), Open::CreateNew).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file
}

fn read(fs: &SimFs, path: &str) -> Vec<u8> {
    fs.read(Path::new(path)).unwrap()
}

/// A durable file `/f` holding `old`.
fn with_file() -> (SimFs, Box<dyn File>) {
    let fs = SimFs::new(0);
    let file = create(&fs, "/f", b"old");
    file.sync_data().unwrap();
    fs.sync_dir(Path::new("/")).unwrap();
    (fs, file)
}

#[test]
fn a_call_fails_without_effect_or_after_it() {
    let path = Path::new("/f");
    type Case = (Op, fn(&SimFs, &dyn File) -> bool, fn(&SimFs) -> bool);
    let cases: [Case; 8] = [
        (Op::Write, |_, file| file.write_all_at(b"new", 0).is_ok(), |fs| read(fs, "/f") == b"new"),
        (Op::SetLen, |_, file| file.set_len(1).is_ok(), |fs| read(fs, "/f") == b"o"),
        (Op::Allocate, |_, file| file.allocate(9).is_ok(), |fs| read(fs, "/f").len() == 9),
        (
            Op::Create,
            |fs, _| fs.open(Path::new("/g"), Open::CreateNew).is_ok(),
            |fs| read_dir(fs).contains("g"),
        ),
        (Op::CreateDir, |fs, _| fs.create_dir(Path::new("/d")).is_ok(), |fs| read_dir(fs).contains("d")),
        (
            Op::Rename,
            |fs, _| fs.rename(Path::new("/f"), Path::new("/g")).is_ok(),
            |fs| read_dir(fs).contains("g"),
        ),
        (Op::Remove, |fs, _| fs.remove_file(Path::new("/f")).is_ok(), |fs| read_dir(fs).is_empty()),
        (Op::Lock, |fs, _| fs.lock(Path::new("/lock")).is_ok(), |fs| read_dir(fs).contains("lock")),
    ];
    for (op, call, effect) in cases {
        for (how, expected) in [(How::NoEffect, false), (How::Applied, true)] {
            let (fs, file) = with_file();
            fs.inject(Fault::nth(op, 0).how(how));
            assert!(!call(&fs, &*file), "{op:?} {how:?} reported success");
            assert_eq!(fs.faults_fired(), 1);
            assert_eq!(effect(&fs), expected, "{op:?} {how:?}");
        }
        let (fs, file) = with_file();
        assert!(call(&fs, &*file) && effect(&fs), "{op:?} fails without a fault");
    }
    let (fs, _file) = with_file();
    fs.inject(Fault::nth(Op::Lock, 0).how(How::Applied));
    assert!(fs.lock(path).is_err());
    fs.lock(path).expect("a lock that was reported failed is held by nobody");
}

fn read_dir(fs: &SimFs) -> BTreeSet<String> {
    fs.read_dir(Path::new("/")).unwrap().into_iter().map(|entry| entry.name).collect()
}

#[test]
fn reads_fail_too() {
    let (fs, file) = with_file();
    fs.inject(Fault::on(|call| !call.op.changes()));
    assert!(file.read_at(&mut [0], 0).is_err());
    assert!(file.read_exact_at(&mut [0], 0).is_err());
    assert!(file.len().is_err());
    assert!(fs.open(Path::new("/f"), Open::Read).is_err());
    assert!(fs.read_dir(Path::new("/")).is_err());
    assert!(fs.exists(Path::new("/")).is_err());
    assert!(fs.free_bytes(Path::new("/")).is_err());
    assert_eq!(fs.faults_fired(), 7);
}

#[test]
fn a_partial_write_leaves_a_prefix() {
    let mut lens = BTreeSet::new();
    for seed in 0..50 {
        let fs = SimFs::new(seed);
        let file = create(&fs, "/f", b"");
        fs.inject(Fault::nth(Op::Write, 0).how(How::Partial).kind(ErrorKind::StorageFull));
        assert!(file.write_all_at(b"0123456789", 0).unwrap_err().is_full());
        let found = read(&fs, "/f");
        assert!(b"0123456789".starts_with(&found) && found.len() < 10, "{found:?}");
        lens.insert(found.len());
    }
    assert!(lens.len() > 5, "{lens:?}");
}

#[test]
fn a_failed_sync_drops_what_it_should_have_kept() {
    let (fs, file) = with_file();
    file.write_all_at(b"new", 0).unwrap();
    fs.inject(Fault::nth(Op::SyncData, 0));
    assert!(file.sync_data().is_err());
    assert_eq!(read(&fs, "/f"), b"new", "the page stays readable");
    file.sync_data().expect("the second sync succeeds");
    let lost = fs.fork(0).crash_keeping(Keep::Everything);
    assert_eq!(read(&lost, "/f"), b"old", "the second sync wrote a page that counts as clean");
    let either: BTreeSet<_> = (0..100).map(|seed| read(&fs.fork(seed).crash(), "/f")).collect();
    assert_eq!(
        either,
        BTreeSet::from([b"old".to_vec(), b"new".to_vec()]),
        "some pages may have been written"
    );
    file.write_all_at(b"n", 0).unwrap();
    file.sync_data().unwrap();
    assert_eq!(
        read(&fs.crash_keeping(Keep::Nothing), "/f"),
        b"new",
        "writing the sector again makes it durable"
    );
}

#[test]
fn a_failed_sync_drops_the_length_as_well() {
    let (fs, file) = with_file();
    file.set_len(100).unwrap();
    fs.inject(Fault::nth(Op::SyncData, 0));
    assert!(file.sync_data().is_err());
    file.sync_data().unwrap();
    assert_eq!(read(&fs.fork(0).crash_keeping(Keep::Everything), "/f").len(), 3);
    file.write_all_at(b"x", 50).unwrap();
    file.sync_data().unwrap();
    assert_eq!(read(&fs.crash_keeping(Keep::Nothing), "/f").len(), 100, "bytes need the length to be found");
}

#[test]
fn a_sync_that_works_and_reports_failure_keeps_everything() {
    let (fs, file) = with_file();
    file.write_all_at(b"new", 0).unwrap();
    create(&fs, "/g", b"");
    fs.inject(Fault::on(|call| call.op.syncs()).how(How::Applied));
    assert!(file.sync_data().is_err());
    assert!(fs.sync_dir(Path::new("/")).is_err());
    let fs = fs.crash_keeping(Keep::Nothing);
    fs.clear_faults();
    assert_eq!(read(&fs, "/f"), b"new");
    assert!(fs.exists(Path::new("/g")).unwrap());
}

#[test]
fn a_failed_directory_sync_drops_names_until_they_are_changed_again() {
    let (fs, _file) = with_file();
    create(&fs, "/g", b"").sync_data().unwrap();
    fs.inject(Fault::nth(Op::SyncDir, 0));
    assert!(fs.sync_dir(Path::new("/")).is_err());
    fs.sync_dir(Path::new("/")).expect("the second sync succeeds");
    assert!(fs.exists(Path::new("/g")).unwrap());
    let lost = fs.fork(0).crash_keeping(Keep::Everything);
    assert!(!lost.exists(Path::new("/g")).unwrap(), "the second sync made a dropped name durable");
    fs.rename(Path::new("/g"), Path::new("/h")).unwrap();
    fs.sync_dir(Path::new("/")).unwrap();
    assert!(fs.crash_keeping(Keep::Nothing).exists(Path::new("/h")).unwrap());
}

#[test]
fn faults_pick_their_calls() {
    let failing = |fault: Fault| -> Vec<u64> {
        let (fs, file) = with_file();
        let first = fs.call_count();
        fs.inject(fault);
        let failed =
            (0..6).filter(|&n| if n % 2 == 0 { file.len().is_err() } else { file.set_len(n).is_err() });
        let failed = failed.collect();
        assert_eq!(fs.call_count(), first + 6);
        failed
    };
    assert_eq!(failing(Fault::on(|_| true)), [0, 1, 2, 3, 4, 5]);
    assert_eq!(failing(Fault::on(|call| call.op == Op::Len).after(1)), [2, 4]);
    assert_eq!(failing(Fault::on(|call| call.op == Op::Len).after(1).times(1)), [2]);
    assert_eq!(failing(Fault::nth(Op::SetLen, 2)), [5]);
    assert_eq!(failing(Fault::on(|call| call.bytes == 3)), [3]);
    let (fs, _file) = with_file();
    assert_eq!(failing(Fault::at(fs.call_count() + 4)), [4]);

    let fs = SimFs::new(0);
    fs.inject(Fault::on(|_| true).chance(0.25));
    let failed = (0..1_000).filter(|_| fs.exists(Path::new("/")).is_err()).count();
    assert!((150..350).contains(&failed), "{failed}");
    fs.clear_faults();
    assert!((0..100).all(|_| fs.exists(Path::new("/")).is_ok()));
}

#[test]
fn space_runs_out_where_it_ends() {
    let sector = SECTOR_BYTES as u64;
    let fs = SimFs::new(0);
    fs.set_capacity(Some(3 * sector));
    assert_eq!(fs.free_bytes(Path::new("/")).unwrap(), 3 * sector);
    let file = create(&fs, "/f", &[1; 600]);
    assert_eq!(fs.free_bytes(Path::new("/")).unwrap(), sector);
    let error = file.write_all_at(&[2; 2_000], 600).unwrap_err();
    assert!(error.is_full(), "{error}");
    assert_eq!(file.len().unwrap(), 3 * sector, "a write leaves what fits");
    assert_eq!(read(&fs, "/f")[600..], [2; 3 * SECTOR_BYTES - 600]);
    file.write_all_at(&[3; 600], 0).expect("overwriting needs no space");

    fs.remove_file(Path::new("/f")).unwrap();
    assert_eq!(fs.free_bytes(Path::new("/")).unwrap(), 0, "open files keep their space");
    drop(file);
    assert_eq!(fs.free_bytes(Path::new("/")).unwrap(), 3 * sector);
}

#[test]
fn an_allocation_keeps_its_promise() {
    let sector = SECTOR_BYTES as u64;
    let fs = SimFs::new(0);
    fs.set_capacity(Some(4 * sector));
    let file = create(&fs, "/f", b"");
    assert!(file.allocate(4 * sector + 1).unwrap_err().is_full());
    assert_eq!((file.len().unwrap(), fs.free_bytes(Path::new("/")).unwrap()), (0, 4 * sector));
    file.allocate(3 * sector).unwrap();
    let other = create(&fs, "/g", b"takes the last sector");
    assert!(other.write_all_at(b"x", sector).unwrap_err().is_full());
    file.write_all_at(&[1; 3 * SECTOR_BYTES], 0).expect("reserved");
    file.set_len(sector).unwrap();
    assert_eq!(fs.free_bytes(Path::new("/")).unwrap(), 2 * sector, "cutting off frees");
    file.set_len(100 * sector).unwrap();
    assert_eq!(fs.free_bytes(Path::new("/")).unwrap(), 2 * sector, "holes take no space");
    assert!(file.write_all_at(&[1; 3 * SECTOR_BYTES], 9 * sector).unwrap_err().is_full());
}

#[test]
fn every_call_is_recorded_with_its_outcome() {
    let fs = SimFs::new(0);
    let file = create(&fs, "/f", b"abc");
    fs.inject(Fault::nth(Op::SyncData, 0).how(How::Applied));
    assert!(file.sync_data().is_err());
    file.sync_data().unwrap();
    fs.mark("ack 1");
    assert!(fs.open(Path::new("/missing"), Open::Read).is_err());
    fs.rename(Path::new("/f"), Path::new("/g")).unwrap();
    let fs = fs.crash();
    let events: Vec<String> = fs
        .events()
        .into_iter()
        .map(|event| match event {
            Event::Call(call) => {
                let to = call.to.map(|to| format!(" to {}", to.display())).unwrap_or_default();
                format!(
                    "{} {:?} {}{to} {} {:?}",
                    call.index,
                    call.op,
                    call.path.display(),
                    call.bytes,
                    call.outcome
                )
            }
            other => format!("{other:?}"),
        })
        .collect();
    let expected = [
        "0 Create /f 0 Done",
        "1 Write /f 3 Done",
        "2 SyncData /f 0 FailedAfterEffect",
        "3 SyncData /f 0 Done",
        "Mark(\"ack 1\")",
        "4 Open /missing 0 Failed",
        "5 Rename /f to /g 0 Done",
        "Crash",
    ];
    assert_eq!(events, expected);
    assert_eq!((fs.call_count(), fs.calls().len()), (6, 6));
    assert_eq!(fs.calls()[3].outcome, Outcome::Done);
}

#[test]
fn a_bit_rots_on_the_disk() {
    let (fs, file) = with_file();
    file.write_all_at(b"n", 0).unwrap();
    fs.flip_bit(Path::new("/f"), 1, 0).unwrap();
    assert_eq!(read(&fs, "/f"), b"nmd");
    for seed in 0..20 {
        assert_eq!(read(&fs.fork(seed).crash(), "/f")[1..], *b"md");
    }
    assert!(fs.flip_bit(Path::new("/f"), 3, 0).unwrap_err().is_not_found());
    assert!(fs.flip_bit(Path::new("/none"), 0, 0).unwrap_err().is_not_found());
}

#[test]
fn remains_hold_what_was_overwritten_and_removed() {
    let (fs, file) = with_file();
    assert!(fs.remains().is_empty());
    fs.keep_remains();
    file.write_all_at(b"secret", 0).unwrap();
    file.write_all_at(b"public", 0).unwrap();
    create(&fs, "/g", b"gone");
    fs.remove_file(Path::new("/g")).unwrap();
    let fs = fs.crash();
    let remains: Vec<_> = fs.remains().into_iter().map(|r| (r.path, r.offset, r.bytes)).collect();
    let expected = [("/f", b"secret".as_slice()), ("/f", b"public"), ("/g", b"gone")];
    assert_eq!(remains, expected.map(|(path, bytes)| (path.into(), 0, bytes.to_vec())));
}

#[test]
fn absurd_offsets_are_refused() {
    let (_fs, file) = with_file();
    assert_eq!(file.write_all_at(b"x", u64::MAX).unwrap_err().kind(), ErrorKind::FileTooLarge);
    assert_eq!(file.set_len(1 << 62).unwrap_err().kind(), ErrorKind::FileTooLarge);
    assert_eq!(file.allocate(1 << 62).unwrap_err().kind(), ErrorKind::FileTooLarge);
}
