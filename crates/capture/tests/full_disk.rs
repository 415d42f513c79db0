//! A disk that is full for a while, wherever the writer meets its end: nothing acknowledged is lost, and once there is room
//! the same process records again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/simulated.rs"]
mod simulated;

use inferlog_capture::recorder::Recorder;
use inferlog_disk::sim::{Call, Fault, How, Op, SimFs};
use inferlog_log::NodeLock;
use inferlog_record::Id;
use simulated::{open, read, record, system_name};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_was_full_for_a_while_needs_no_restart() {
    let runs: Vec<_> = (0..120).map(|sectors| tokio::spawn(run(sectors))).collect();
    let mut refused = 0;
    for (sectors, run) in runs.into_iter().enumerate() {
        refused += run.await.unwrap_or_else(|error| panic!("{sectors} sectors left: {error}"));
    }
    assert!(refused > 0, "the disk was never full");
}

/// The keystore meets the end of the disk first: its table, a page, a page that is new, its marks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keystore_that_met_a_full_disk_needs_no_restart() {
    let hows = [How::NoEffect, How::Partial].into_iter();
    let runs = hows.flat_map(|how| (0..24).map(move |after| tokio::spawn(keystore(how, after))));
    for run in runs.collect::<Vec<_>>() {
        run.await.unwrap();
    }
}

async fn keystore(how: How, after: u64) {
    let fs = SimFs::new(after);
    let recorder = open(&fs).await.unwrap();
    let system = recorder.system(&system_name()).await.unwrap();
    let takes_space = |call: &Call| {
        call.path.starts_with("/data/keystore") && matches!(call.op, Op::Create | Op::Write | Op::Rename)
    };
    fs.inject(Fault::on(takes_space).kind(ErrorKind::StorageFull).after(after).times(1).how(how));
    let mut acked = Vec::new();
    for person in 0..6 {
        acked.extend(record(&system, &format!("person {person}"), "{}").await);
        recorder.integrate().await.unwrap();
    }
    assert_eq!(fs.faults_fired(), 1, "{how:?} after {after}");
    acked.push(record(&system, "eve", "{}").await.unwrap());
    assert_readable(&fs, recorder, acked).await;
}

/// Fills a disk that has so many sectors left, then makes room. How many decisions were refused.
async fn run(sectors: u64) -> usize {
    let fs = SimFs::new(sectors);
    let recorder = open(&fs).await.unwrap();
    let (acked, refused) = fill(&fs, &recorder, sectors * 512).await;
    assert_readable(&fs, recorder, acked).await;
    refused
}

/// Nothing was given up meanwhile, and everything is there and opens after a crash.
async fn assert_readable(fs: &SimFs, recorder: Recorder, acked: Vec<Id>) {
    let health = recorder.health();
    assert_eq!((health.log.poisoned, health.keystore_failed), (None, None));
    recorder.close().await.unwrap();
    drop(recorder);
    let fs = fs.crash();
    open(&fs).await.unwrap().close().await.unwrap();
    let env = simulated::env(&fs);
    let lock = NodeLock::take(&*env.fs, Path::new(simulated::DATA)).unwrap();
    let vault = simulated::vault(&env, &lock).unwrap();
    let (_, stored) = read(&fs);
    for id in acked {
        let (_, found) = stored.iter().find(|(decision, _)| *decision == id).expect("it is there");
        found.open(&vault).expect("it opens");
    }
}

/// Records while there are only so many bytes left, and when there is room again.
async fn fill(fs: &SimFs, recorder: &Recorder, left: u64) -> (Vec<Id>, usize) {
    let system = recorder.system(&system_name()).await.unwrap();
    let mut acked = vec![record(&system, "ada", "{}").await.unwrap()];
    recorder.integrate().await.unwrap();
    let used: usize = fs.files().values().map(|bytes| bytes.len().next_multiple_of(512)).sum();
    fs.set_capacity(Some(used as u64 + left));
    for person in 0..12 {
        acked.extend(record(&system, &format!("person {person}"), &"x".repeat(3_000)).await);
        tokio::time::sleep(Duration::from_millis(8)).await;
    }
    fs.set_capacity(None);
    for _ in 0..300 {
        if recorder.health().log.poisoned.is_some() || recorder.health().log.stalled.is_none() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let refused = 13 - acked.len();
    acked.push(record(&system, "eve", "{}").await.unwrap());
    (acked, refused)
}
