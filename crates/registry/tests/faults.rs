//! Every call of the writer fails, each way, and power is lost after each: what is there then is the registry before or the
//! one after, whole, and what was acknowledged is there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_disk::sim::{Fault, How, Keep, SimFs, Torn};
use inferlog_record::{ClearName, Timestamp};
use inferlog_registry::{Registration, Registry, Snapshot, check};

const DIR: &str = "/data/registry";

fn name(text: &str) -> ClearName {
    ClearName::new(text).unwrap()
}

fn prompt(version: usize) -> Registration {
    // Longer than a sector, so that it can be torn.
    Registration::prompt(name("greeting"), None, format!("{version}: {} {{{{name}}}}", "Hello ".repeat(300)))
}

fn open(fs: &SimFs) -> inferlog_registry::Result<Registry> {
    Registry::open(Arc::new(fs.clone()), Path::new(DIR))
}

fn add(registry: &Registry, version: usize) -> inferlog_registry::Result<()> {
    registry.add(&prompt(version), Timestamp::from_millis(version as u64)).map(drop)
}

/// How many versions there are; each must be whole.
fn versions(fs: &SimFs) -> usize {
    let fs: Arc<dyn Fs> = Arc::new(fs.clone());
    assert_eq!(check(&fs, Path::new(DIR)), []);
    let snapshot = Snapshot::load(&fs, Path::new(DIR)).unwrap();
    let count = snapshot.entries().len();
    for version in 1..=count {
        let text = format!("{version}: {} Ada", "Hello ".repeat(300));
        let found = snapshot.match_prompt(&text).expect("registered");
        assert_eq!(found.version.as_str(), version.to_string());
        assert_eq!(found.variables, [("name".to_owned(), "Ada".to_owned())]);
    }
    count
}

/// Two versions, and a third one begun.
fn work(fs: &SimFs) -> (usize, inferlog_registry::Result<()>) {
    let mut done = 0;
    let mut run = || {
        for version in 1..=3 {
            // Opened anew each time: that writes too.
            add(&open(fs)?, version)?;
            done = version;
        }
        Ok(())
    };
    let result = run();
    (done, result)
}

fn disk(seed: u64) -> SimFs {
    let fs = SimFs::new(seed);
    fs.create_dir(Path::new("/data")).unwrap();
    fs.sync_dir(Path::new("/")).unwrap();
    fs
}

fn calls() -> std::ops::Range<u64> {
    let fs = disk(0);
    let before = fs.call_count();
    work(&fs).1.unwrap();
    before..fs.call_count()
}

#[test]
fn every_call_fails_and_power_is_lost() {
    let calls = calls();
    assert!(calls.end - calls.start > 30, "{calls:?}");
    for call in calls {
        for how in [How::NoEffect, How::Applied, How::Partial, How::PowerLoss] {
            for keep in [Keep::Nothing, Keep::Everything, Keep::Any] {
                let fs = disk(call);
                fs.set_torn(Torn::OldOrNew);
                fs.inject(Fault::at(call).how(how));
                let (done, result) = work(&fs);
                // A file that is looked for and not there is no error, however that was told.
                assert!(
                    result.is_err() || (how == How::Applied && done == 3),
                    "call {call} {how:?}: swallowed"
                );
                assert!(fs.faults_fired() > 0);
                fs.clear_faults();
                let fs = fs.crash_keeping(keep);
                let found = versions(&fs);
                assert!(
                    found == done || found == done + 1,
                    "call {call} {how:?} {keep:?}: {done} acknowledged, {found} found"
                );
                // It goes on as if nothing had happened.
                for version in found + 1..=4 {
                    add(&open(&fs).unwrap(), version).unwrap();
                }
                assert_eq!(versions(&fs.crash_keeping(Keep::Nothing)), 4);
            }
        }
    }
}

#[test]
fn a_process_goes_on_after_a_failed_call() {
    for call in calls() {
        for how in [How::NoEffect, How::Applied] {
            let fs = disk(call);
            let Ok(registry) = open(&fs) else { continue };
            fs.inject(Fault::at(call).how(how));
            let mut acknowledged = 0;
            for version in 1..=4 {
                // What failed is tried once more, and rests on nothing that the failure left.
                if add(&registry, version).is_ok() || add(&registry, version).is_ok() {
                    acknowledged = version;
                }
            }
            assert_eq!(acknowledged, 4);
            fs.clear_faults();
            assert_eq!(registry.snapshot().entries().len(), 4);
            assert_eq!(versions(&fs.crash_keeping(Keep::Nothing)), 4, "call {call} {how:?}");
        }
    }
}

#[test]
fn what_was_killed_is_made_durable_before_it_is_relied_on() {
    for call in calls() {
        let fs = disk(call);
        fs.inject(Fault::at(call).how(How::Applied));
        drop(work(&fs).1);
        fs.clear_faults();
        // The process dies, the machine does not: the next one reads what may not be durable, then power is lost.
        let fs = fs.kill();
        let seen = open(&fs).unwrap().snapshot().entries().len();
        assert_eq!(versions(&fs.crash_keeping(Keep::Nothing)), seen, "call {call}");
    }
}

#[test]
fn a_full_disk_is_told_and_leaves_what_was() {
    let fs = disk(7);
    let registry = open(&fs).unwrap();
    add(&registry, 1).unwrap();
    fs.set_capacity(Some(4096));
    let error = add(&registry, 2).unwrap_err();
    assert!(error.to_string().contains("cannot write"), "{error}");
    assert_eq!(registry.snapshot().entries().len(), 1);
    fs.set_capacity(None);
    add(&registry, 2).unwrap();
    assert_eq!(versions(&fs.crash()), 2);
}
