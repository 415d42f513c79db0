//! No cosignature that was given out is ever forgotten: each call of the file system fails, in each way, the process goes on or is
//! started anew, and then the power goes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::path::Path;
use std::sync::Arc;

use inferlog_disk::sim::{Fault, How, SimFs};
use inferlog_disk::{Fs, create_dir_all};
use inferlog_witness::{Answer, Reply, Witness, newest};
use support::{STATE, TestLog, key, witness_in};

/// The sizes that the log wants cosigned, one after the other.
const SIZES: [u64; 4] = [3, 4, 9, 12];
/// What a crash leaves is drawn so many times.
const CRASHES: u64 = 4;

#[test]
fn a_cosignature_survives_every_fault_and_crash() {
    let log = TestLog::of(40);
    let calls = {
        let fs = prepared(0, &log);
        let before = fs.call_count();
        let witness = open(&fs);
        assert_eq!(ask_all(&witness, &log), 12);
        fs.call_count() - before
    };
    assert!(calls > 40, "the run is too short to prove anything: {calls} calls");
    let mut survived = 0;
    for call in 0..calls {
        for how in [How::NoEffect, How::Applied, How::Partial, How::PowerLoss] {
            for restarts in [false, true] {
                survived += run(&log, call, how, restarts);
            }
        }
    }
    assert!(survived > 0);
}

/// One life with one fault in it, another after the crash. Answers how many crashes were survived.
fn run(log: &TestLog, call: u64, how: How, restarts: bool) -> u64 {
    let what = format!("call {call} {how:?}, restarts: {restarts}");
    let mut fs = prepared(call, log);
    fs.inject(Fault::at(fs.call_count() + call).how(how));
    let mut given = 0;
    if let Some(witness) = try_open(&fs) {
        given = ask_all(&witness, log);
    }
    if restarts {
        // What is readable now may not be durable; the next process reads it nevertheless.
        fs = fs.kill();
        if let Some(witness) = try_open(&fs) {
            given = given.max(ask_all(&witness, log));
        }
    }
    for seed in 0..CRASHES {
        let after = fs.fork(seed).crash();
        check(&after, log, given, &what);
    }
    CRASHES
}

fn check(fs: &SimFs, log: &TestLog, given: u64, what: &str) {
    let witness = open(fs);
    let kept = newest(fs, Path::new(STATE), &log.origin, &key()).unwrap();
    let size = kept.as_ref().map_or(0, |kept| kept.checkpoint.size());
    assert!(size >= given, "{what}: it gave out {given} and remembers {size}");
    if let Some(kept) = kept {
        assert_eq!(kept.checkpoint.root(), log.root(size), "{what}");
    }
    // One that was restored from before the last cosignature, and written to, is refused.
    if given > 0 {
        let mut forked = log.cut_to(given - 1);
        forked.grow_to(30, "forked");
        for old in [0, given - 1, size] {
            let status = witness.add_checkpoint(&forked.body(old, 30)).status();
            assert!([409, 422].contains(&status), "{what}: a fork got {status}");
        }
    }
    assert_eq!(witness.add_checkpoint(&log.body(size, 40)).status(), 200, "{what}: the log goes on");
}

/// A state directory that is durable, with the log in it.
fn prepared(seed: u64, log: &TestLog) -> SimFs {
    let fs = SimFs::new(seed);
    create_dir_all(&fs, Path::new(STATE)).unwrap();
    drop(witness_in(Arc::new(fs.clone()), Path::new(STATE), &[log]));
    fs
}

fn try_open(fs: &SimFs) -> Option<Witness> {
    let clock = Arc::new(inferlog_disk::ManualClock::new(support::NOW_NS));
    let fs: Arc<dyn Fs> = Arc::new(fs.clone());
    Witness::open(fs, clock, STATE.into(), Arc::new(support::TestCosigner::new())).ok()
}

fn open(fs: &SimFs) -> Witness {
    try_open(fs).unwrap()
}

/// Asks for every size, as a log does that learns from 409. The largest size that it got a cosignature of.
fn ask_all(witness: &Witness, log: &TestLog) -> u64 {
    let (mut old, mut given) = (0, 0);
    for size in SIZES {
        for _ in 0..3 {
            if old > size {
                break;
            }
            let request = log.request(old, size);
            let answer = witness.add_checkpoint(request.to_string().as_bytes());
            match Reply::read(answer.status(), answer.body().as_bytes(), &request.note, &key()) {
                Reply::Cosigned { .. } => {
                    (old, given) = (size, size);
                    break;
                }
                Reply::Has(theirs) => old = theirs,
                Reply::Refused(refusal) => {
                    assert_eq!(refusal.status, 500, "{answer:?}");
                    assert!(matches!(answer, Answer::Failed(_)));
                    assert!(!answer.body().contains('\u{2014}'), "no cosignature with a failure");
                }
            }
        }
    }
    given
}
