//! A log that forked is refused, and what proves it is kept for whoever asks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use inferlog_disk::RealFs;
use inferlog_witness::{FORKS_PROVED_MAX, FORKS_UNPROVED_MAX, Fork, ForkKind, Request, forks, newest};
use support::{TestLog, key, witness};
use tempfile::tempdir;

/// A log that was cosigned at `size`, then restored at `cut` and written to otherwise up to `grown`.
fn fork(size: u64, cut: u64, grown: u64) -> (TestLog, TestLog) {
    let honest = TestLog::of(size);
    let mut forked = honest.cut_to(cut);
    forked.grow_to(grown, "forked");
    (honest, forked)
}

#[test]
fn a_restored_log_with_new_entries_is_refused_with_the_proof() {
    for (size, cut, grown, kind) in [
        (7, 5, 7, ForkKind::SameSize),
        (8, 5, 8, ForkKind::SameSize),
        (7, 5, 9, ForkKind::OtherPrefix),
        (300, 299, 777, ForkKind::OtherPrefix),
        // Proofs from a power of two do not hold the old root: this one cannot be shown from a single request.
        (8, 5, 11, ForkKind::Unproved),
    ] {
        let (honest, forked) = fork(size, cut, grown);
        let dir = tempdir().unwrap();
        let witness = witness(dir.path(), &[&honest]);
        assert_eq!(witness.add_checkpoint(&honest.body(0, size)).status(), 200);
        // As such a log asks: it learns the size, and proves from there.
        let conflict = witness.add_checkpoint(&forked.body(cut, grown));
        assert_eq!((conflict.status(), conflict.body()), (409, format!("{size}\n")));
        assert_eq!(conflict.fork().is_some(), grown == size, "two roots of one size are seen at once");
        let refused = witness.add_checkpoint(&forked.body(size, grown));
        assert_eq!(refused.status(), 422);
        let shown = refused.fork().unwrap();
        assert_eq!(shown.kind, kind, "{size} {cut} {grown}");
        assert!(refused.body().contains(&honest.checkpoint(size).to_string()));
        assert!(refused.body().contains(&forked.checkpoint(grown).to_string()));
        // Kept, once, and checked without the witness's word.
        let kept = forks(&RealFs, dir.path(), &honest.origin).unwrap();
        assert_eq!(kept.as_slice(), std::slice::from_ref(shown));
        kept[0].verify(&[honest.vkey()]).unwrap();
        if kind == ForkKind::OtherPrefix {
            assert_eq!(kept[0].prefix_root, Some(forked.root(size).to_base64()));
        }
        let still = newest(&RealFs, dir.path(), &honest.origin, &key()).unwrap().unwrap();
        assert_eq!(still.checkpoint.root(), honest.root(size), "the fork changed nothing");
    }
}

#[test]
fn a_fork_that_is_not_one_does_not_verify() {
    let (honest, forked) = fork(7, 5, 9);
    let dir = tempdir().unwrap();
    let witness = witness(dir.path(), &[&honest]);
    witness.add_checkpoint(&honest.body(0, 7));
    let real = witness.add_checkpoint(&forked.body(7, 9)).fork().unwrap().clone();
    real.verify(&[honest.vkey()]).unwrap();
    let mut longer = honest.clone();
    longer.grow_to(9, "honest");
    type Edit = fn(&mut Fork, &TestLog);
    let edits: [(&str, Edit); 5] = [
        ("one history", |fork, longer| fork.refused = longer.checkpoint(9).to_string()),
        ("another kind", |fork, _| fork.kind = ForkKind::SameSize),
        ("another prefix", |fork, longer| fork.prefix_root = Some(longer.root(6).to_base64())),
        ("a proof cut off", |fork, _| drop(fork.proof.pop())),
        ("a note that nobody signed", |fork, _| fork.newest = fork.newest.replacen("\n7\n", "\n6\n", 1)),
    ];
    for (what, edit) in edits {
        let mut edited = real.clone();
        edit(&mut edited, &longer);
        assert!(edited.verify(&[honest.vkey()]).is_err(), "{what}");
    }
    assert!(real.verify(&[TestLog::new(&honest.origin, 1).vkey()]).is_err(), "signed by another log");
}

#[test]
fn what_is_kept_is_bounded_and_noise_does_not_push_out_proof() {
    let honest = TestLog::of(7);
    let dir = tempdir().unwrap();
    let witness = witness(dir.path(), &[&honest]);
    witness.add_checkpoint(&honest.body(0, 7));
    let mut longer = honest.clone();
    longer.grow_to(60, "honest");
    for size in 20..60 {
        let mut proof = longer.request(7, size).proof;
        proof.last_mut().unwrap().0[0] ^= 1;
        let body = Request::new(7, proof, longer.checkpoint(size)).unwrap().to_string();
        assert_eq!(witness.add_checkpoint(body.as_bytes()).status(), 422);
    }
    for size in 8..60 {
        let (_, forked) = fork(7, 5, size);
        assert_eq!(witness.add_checkpoint(&forked.body(7, size)).status(), 422);
    }
    let kept = forks(&RealFs, dir.path(), &honest.origin).unwrap();
    let proved = kept.iter().filter(|fork| fork.is_proof()).count();
    assert_eq!((proved, kept.len() - proved), (FORKS_PROVED_MAX, FORKS_UNPROVED_MAX));
    assert!(kept[..proved].iter().all(Fork::is_proof), "proofs come first");
    assert_eq!(witness.add_checkpoint(&longer.body(7, 60)).status(), 200, "the honest log goes on");
}
