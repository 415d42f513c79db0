//! Many at once, with sizes that are right, stale and wrong: what is remembered never goes back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::sync::atomic::{AtomicU64, Ordering};

use inferlog_disk::RealFs;
use inferlog_witness::{Reply, newest};
use support::{TestLog, key, witness};
use tempfile::tempdir;

const THREADS: u64 = 8;
const REQUESTS: u64 = 150;
const SIZE_MAX: u64 = 400;

#[test]
fn races_never_roll_back() {
    let dir = tempdir().unwrap();
    let log = TestLog::of(SIZE_MAX);
    let witness = witness(dir.path(), &[&log]);
    let (largest, given, conflicts) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (witness, log, largest, given, conflicts) = (&witness, &log, &largest, &given, &conflicts);
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(thread);
                let mut old = 0;
                for _ in 0..REQUESTS {
                    // Mostly a little ahead, so that many fit into the run; sometimes far behind.
                    let size = (old + random.u64(0..4)).min(SIZE_MAX);
                    let from = if random.u8(0..8) == 0 { random.u64(0..=size) } else { old.min(size) };
                    let before = largest.load(Ordering::SeqCst);
                    let request = log.request(from, size);
                    let answer = witness.add_checkpoint(request.to_string().as_bytes());
                    match Reply::read(answer.status(), answer.body().as_bytes(), &request.note, &key()) {
                        Reply::Cosigned { .. } => {
                            assert!(size >= before, "{size} was cosigned after {before} was given out");
                            largest.fetch_max(size, Ordering::SeqCst);
                            given.fetch_add(1, Ordering::SeqCst);
                            old = size;
                        }
                        Reply::Has(theirs) => {
                            assert!(theirs >= before, "it says {theirs} after {before} was given out");
                            conflicts.fetch_add(1, Ordering::SeqCst);
                            old = theirs;
                        }
                        Reply::Refused(refusal) => panic!("{refusal:?}"),
                    }
                }
            });
        }
    });
    let kept = newest(&RealFs, dir.path(), &log.origin, &key()).unwrap().unwrap();
    assert_eq!(kept.checkpoint.size(), largest.load(Ordering::SeqCst));
    assert_eq!(kept.checkpoint.root(), log.root(kept.checkpoint.size()));
    let (given, conflicts) = (given.into_inner(), conflicts.into_inner());
    assert!(given > 50 && conflicts > 50, "{given} given, {conflicts} conflicts: not a race");
}
