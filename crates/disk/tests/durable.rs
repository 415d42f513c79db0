//! The durable operations on a disk that fails at every call, both ways, and loses power at every call.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::Path;

use inferlog_disk::sim::{Fault, How, Keep, Op, SimFs};
use inferlog_disk::{Fs, Result, create_dir_all, read_optional, replace_file};

const TWIN: &str = "/d/twin";

fn with_twin(seed: u64) -> SimFs {
    let fs = SimFs::new(seed);
    create_dir_all(&fs, Path::new("/d")).unwrap();
    replace_file(&fs, Path::new(TWIN), b"old").unwrap();
    fs
}

fn replace(fs: &SimFs) -> Result<()> {
    replace_file(fs, Path::new(TWIN), b"new")
}

/// Runs `operation` with a fault at each of its calls in turn, and gives what is left to `check`.
fn at_every_call(
    make: impl Fn(u64) -> SimFs,
    operation: impl Fn(&SimFs) -> Result<()>,
    how: How,
    check: impl Fn(&SimFs),
) {
    let first = make(0).call_count();
    let fs = make(0);
    operation(&fs).unwrap();
    let end = fs.call_count();
    assert!(end > first);
    for call in first..end {
        for seed in 0..30 {
            let fs = make(seed);
            fs.inject(Fault::at(call).how(how));
            assert!(operation(&fs).is_err(), "call {call} failed unnoticed");
            assert_eq!(fs.faults_fired(), 1);
            fs.clear_faults();
            check(&fs);
        }
    }
}

#[test]
fn a_replacement_is_durable_when_it_returns() {
    let fs = with_twin(0);
    replace(&fs).unwrap();
    assert_eq!(fs.crash_keeping(Keep::Nothing).read(Path::new(TWIN)).unwrap(), b"new");
}

#[test]
fn a_replacement_that_fails_anywhere_leaves_old_or_new_and_can_be_repeated() {
    for how in [How::NoEffect, How::Applied, How::Partial, How::PowerLoss] {
        let check = |fs: &SimFs| {
            if how != How::PowerLoss {
                let again = fs.fork(0);
                replace(&again).unwrap();
                assert_eq!(again.crash_keeping(Keep::Nothing).read(Path::new(TWIN)).unwrap(), b"new");
            }
            let fs = fs.crash();
            let found = fs.read(Path::new(TWIN)).unwrap();
            assert!(found == b"old" || found == b"new", "{how:?}: {found:?}");
            replace(&fs).unwrap();
            assert_eq!(fs.crash_keeping(Keep::Nothing).read(Path::new(TWIN)).unwrap(), b"new");
        };
        at_every_call(with_twin, replace, how, check);
    }
}

#[test]
fn a_first_file_is_there_whole_or_not_at_all() {
    let make = |seed| {
        let fs = SimFs::new(seed);
        create_dir_all(&fs, Path::new("/d")).unwrap();
        fs
    };
    at_every_call(make, replace, How::PowerLoss, |fs| {
        let found = read_optional(&fs.crash(), Path::new(TWIN)).unwrap();
        assert!(matches!(found.as_deref(), None | Some(b"new")), "{found:?}");
    });
}

/// The check on the check: with any one sync left out, some crash is caught.
#[test]
fn each_sync_of_a_replacement_is_needed() {
    let careless = |fs: &SimFs, data: bool, dir: bool| {
        let (tmp, twin) = (Path::new("/d/.tmp-twin"), Path::new(TWIN));
        let file = fs.open(tmp, inferlog_disk::Open::CreateNew)?;
        file.write_all_at(b"new", 0)?;
        if data {
            file.sync_data()?;
        }
        fs.rename(tmp, twin)?;
        if dir { fs.sync_dir(Path::new("/d")) } else { Ok(()) }
    };
    let found = |data, dir| -> BTreeSet<Vec<u8>> {
        let crashed = (0..100).map(|seed| {
            let fs = with_twin(seed);
            careless(&fs, data, dir).unwrap();
            fs.crash().read(Path::new(TWIN)).unwrap()
        });
        crashed.collect()
    };
    assert_eq!(found(true, true), BTreeSet::from([b"new".to_vec()]));
    assert!(found(false, true).contains(b"".as_slice()), "no crash shows the missing fdatasync");
    assert!(found(true, false).contains(b"old".as_slice()), "no crash shows the missing directory sync");
}

#[test]
fn directories_are_durable_from_the_top_down() {
    let deep = Path::new("/a/b/c");
    let fs = SimFs::new(0);
    create_dir_all(&fs, deep).unwrap();
    assert!(fs.crash_keeping(Keep::Nothing).exists(deep).unwrap());
    for how in [How::NoEffect, How::Applied, How::PowerLoss] {
        at_every_call(
            SimFs::new,
            |fs| create_dir_all(fs, deep),
            how,
            |fs| {
                let fs = fs.crash();
                create_dir_all(&fs, deep).unwrap();
                assert!(fs.crash_keeping(Keep::Nothing).exists(deep).unwrap(), "{how:?}");
            },
        );
    }
}

#[test]
fn a_directory_left_unsynced_by_a_killed_process_is_synced_by_the_next() {
    let fs = SimFs::new(0);
    fs.create_dir(Path::new("/a")).unwrap();
    let fs = fs.kill();
    create_dir_all(&fs, Path::new("/a/b")).unwrap();
    assert!(fs.calls().iter().any(|call| call.op == Op::SyncDir && call.path == Path::new("/")));
    assert!(fs.crash_keeping(Keep::Nothing).exists(Path::new("/a/b")).unwrap());
}

#[test]
fn a_directory_whose_sync_failed_can_be_synced_again() {
    let fs = SimFs::new(0);
    fs.inject(Fault::nth(Op::SyncDir, 1));
    assert!(create_dir_all(&fs, Path::new("/a")).is_err());
    create_dir_all(&fs, Path::new("/a")).unwrap();
    assert!(fs.crash_keeping(Keep::Nothing).exists(Path::new("/a")).unwrap());
}
