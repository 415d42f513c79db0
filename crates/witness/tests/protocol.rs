//! Every status of c2sp.org/tlog-witness, in the order in which the specification checks, and what is kept of each.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use inferlog_disk::RealFs;
use inferlog_merkle::{Checkpoint, Hash, SignedNote};
use inferlog_witness::{
    Answer, ForkKind, PROOF_LINES_MAX, REQUEST_BYTES_MAX, Reply, Request, SIZE_TYPE, forks, newest,
};
use support::{NOW_NS, TestCosigner, TestLog, key, witness};
use tempfile::tempdir;

/// What a request must be answered with: status, and a piece of the body.
fn check(answer: &Answer, status: u16, says: &str) {
    assert_eq!(answer.status(), status, "{answer:?}");
    assert!(answer.body().contains(says), "{answer:?}");
    assert!(answer.body().ends_with('\n'));
    assert_eq!(answer.content_type() == SIZE_TYPE, status == 409);
}

#[test]
fn requests_that_are_none_are_400() {
    let dir = tempdir().unwrap();
    let log = TestLog::of(8);
    let witness = witness(dir.path(), &[&log]);
    let note = log.checkpoint(8).to_string();
    let hash = log.root(3).to_base64();
    let unsigned = note.split("\n\n").next().unwrap();
    let lines = |count: usize| format!("{hash}\n").repeat(count);
    let cases: &[(&str, String)] = &[
        ("nothing", String::new()),
        ("no empty line", format!("old 0\n{}", unsigned)),
        ("no old size", format!("\n\n{note}")),
        ("another word", format!("new 0\n\n{note}")),
        ("two spaces", format!("old  0\n\n{note}")),
        ("a leading zero", format!("old 00\n\n{note}")),
        ("a sign", format!("old +0\n\n{note}")),
        ("a negative size", format!("old -1\n\n{note}")),
        ("a size beyond 64 bits", format!("old 18446744073709551616\n\n{note}")),
        ("a carriage return", format!("old 0\r\n\n{note}")),
        ("a space at the end", format!("old 0 \n\n{note}")),
        ("a hash that is cut off", format!("old 3\n{}\n\n{note}", &hash[..40])),
        ("a hash without padding", format!("old 3\n{}\n\n{note}", hash.trim_end_matches('='))),
        ("a hash that is too long", format!("old 3\n{hash}{hash}\n\n{note}")),
        ("too many hashes", format!("old 3\n{}\n{note}", lines(PROOF_LINES_MAX + 1))),
        ("no signature", format!("old 0\n\n{unsigned}\n")),
        ("no newline at the end", format!("old 0\n\n{}", note.trim_end())),
        ("a checkpoint without root", format!("old 0\n\n{}", log.sign(format!("{}\n8\n", log.origin)))),
        (
            "a size that is no number",
            format!("old 0\n\n{}", log.sign(format!("{}\neight\n{hash}\n", log.origin))),
        ),
        ("more than is read", format!("old 0\n\n{note}{}", " ".repeat(REQUEST_BYTES_MAX))),
    ];
    for (what, body) in cases {
        let answer = witness.add_checkpoint(body.as_bytes());
        assert_eq!(answer.status(), 400, "{what}: {answer:?}");
        assert!(matches!(answer, Answer::Malformed(_)), "{what}");
    }
    assert_eq!(witness.add_checkpoint(&[0xff, b'\n', b'\n', 0xff]).status(), 400);
    // The longest proof is read, and does not verify.
    let longest = format!("old 0\n{}\n{note}", lines(PROOF_LINES_MAX));
    check(&witness.add_checkpoint(longest.as_bytes()), 422, "does not verify");
    assert_eq!(newest(&RealFs, dir.path(), &log.origin, &key()).unwrap(), None);
}

#[test]
fn strangers_are_404_and_false_signatures_403() {
    let dir = tempdir().unwrap();
    let (log, stranger) = (TestLog::of(8), TestLog::new("example.org/other", 8));
    let witness = witness(dir.path(), &[&log]);
    check(&witness.add_checkpoint(&stranger.body(0, 0)), 404, "does not know the log");

    // Of a known log, signed by another's key under another's name, and under its own.
    let text = log.checkpoint(8).text().to_owned();
    let by_stranger = stranger.sign(text.clone());
    let body = Request::new(0, vec![], by_stranger).unwrap().to_string();
    check(&witness.add_checkpoint(body.as_bytes()), 403, "no known key signed");
    let impostor = TestLog::new(&log.origin, 8).sign(text.clone());
    let body = Request::new(0, vec![], impostor).unwrap().to_string();
    check(&witness.add_checkpoint(body.as_bytes()), 403, "no known key signed");

    // The right name and id, and a false signature: beside a good one too.
    let good = log.checkpoint(8);
    let altered = SignedNote::parse(good.to_string().replacen("\n8\n", "\n9\n", 1).as_bytes()).unwrap();
    let body = Request::new(0, vec![], altered.clone()).unwrap().to_string();
    check(&witness.add_checkpoint(body.as_bytes()), 403, "is false");
    let mut both = good.clone();
    both.push(altered.signatures()[0].clone()).unwrap();
    assert_eq!(both.signatures().len(), 2);
    let mut mixed = SignedNote::new(altered.text().to_owned()).unwrap();
    mixed.push(good.signatures()[0].clone()).unwrap();
    let body = Request::new(0, vec![], mixed).unwrap().to_string();
    check(&witness.add_checkpoint(body.as_bytes()), 403, "is false");

    // A line that is no signature.
    let line = good.to_string().replace("= \n", "").trim_end().trim_end_matches('=').to_owned();
    for (note, status) in
        [(line.clone() + "\n", 403), (line.replacen(&log.origin, "example.org/x", 1) + "\n", 404)]
    {
        assert_eq!(witness.add_checkpoint(format!("old 0\n\n{note}").as_bytes()).status(), status, "{note}");
    }

    // Signatures of unknown keys are passed over, and not kept.
    let mut many = log.checkpoint(8);
    many.push(stranger.sign(text).signatures()[0].clone()).unwrap();
    let body = Request::new(0, vec![], many).unwrap().to_string();
    check(&witness.add_checkpoint(body.as_bytes()), 200, "\u{2014} witness.example/w1 ");
    let kept = newest(&RealFs, dir.path(), &log.origin, &key()).unwrap().unwrap();
    let names: Vec<_> = kept.note.signatures().iter().map(|signature| signature.name()).collect();
    assert_eq!(names, [log.origin.as_str(), "witness.example/w1"]);
}

#[test]
fn sizes_are_checked_before_proofs() {
    let dir = tempdir().unwrap();
    let log = TestLog::of(20);
    let witness = witness(dir.path(), &[&log]);
    let beyond = Request::new(9, vec![], log.checkpoint(8)).unwrap().to_string();
    check(&witness.add_checkpoint(beyond.as_bytes()), 400, "old size 9 is larger");
    check(&witness.add_checkpoint(&log.body(3, 8)), 409, "0\n");
    check(&witness.add_checkpoint(&log.body(0, 8)), 200, "\u{2014} witness.example/w1 ");
    for (old, size) in [(0, 8), (0, 12), (3, 5), (3, 12), (12, 20)] {
        let answer = witness.add_checkpoint(&log.body(old, size));
        assert_eq!((answer.status(), answer.body().as_str()), (409, "8\n"), "old {old} size {size}");
        assert_eq!(answer.fork(), None);
    }
    // Even where the proof is nonsense: what the witness has is what the log needs to know.
    let nonsense = Request::new(3, vec![Hash([1; 32])], log.checkpoint(12)).unwrap().to_string();
    check(&witness.add_checkpoint(nonsense.as_bytes()), 409, "8\n");
    check(&witness.add_checkpoint(&log.body(8, 8)), 200, "\u{2014}");
    check(&witness.add_checkpoint(&log.body(8, 20)), 200, "\u{2014}");
    check(&witness.add_checkpoint(&log.body(8, 20)), 409, "20\n");
}

#[test]
fn proofs_that_do_not_hold_are_422() {
    let dir = tempdir().unwrap();
    let log = TestLog::of(20);
    let witness = witness(dir.path(), &[&log]);
    let ask = |old, proof, size| {
        let body = Request::new(old, proof, log.checkpoint(size)).unwrap().to_string();
        witness.add_checkpoint(body.as_bytes())
    };
    check(&ask(0, vec![Hash([1; 32])], 7), 422, "does not verify");
    check(&ask(0, vec![], 7), 200, "\u{2014}");
    let proof = log.request(7, 20).proof;
    check(&ask(7, vec![], 20), 422, "wrong number of hashes");
    check(&ask(7, proof[1..].to_vec(), 20), 422, "does not verify");
    check(&ask(7, [proof.as_slice(), &[Hash([1; 32])]].concat(), 20), 422, "wrong number of hashes");
    check(&ask(7, vec![Hash([1; 32])], 7), 422, "wrong number of hashes");
    for at in 0..proof.len() {
        let mut changed = proof.clone();
        changed[at].0[31] ^= 1;
        let answer = ask(7, changed, 20);
        check(&answer, 422, "the proof leads to the root");
        assert_eq!(
            answer.fork().map(|fork| fork.kind),
            Some(ForkKind::Unproved),
            "no fork is proved by a bad proof"
        );
    }
    check(&ask(7, proof, 20), 200, "\u{2014}");
    // Of unproved ones some are kept, none is called a proof.
    let kept = forks(&RealFs, dir.path(), &log.origin).unwrap();
    assert!(!kept.is_empty() && kept.iter().all(|fork| !fork.is_proof()));
}

#[test]
fn empty_trees_have_the_empty_root() {
    let dir = tempdir().unwrap();
    let log = TestLog::of(4);
    let witness = witness(dir.path(), &[&log]);
    let ask = |size, root, proof| {
        let text = Checkpoint::new(&log.origin, size, root).unwrap().to_string();
        let body = Request::new(0, proof, log.sign(text)).unwrap().to_string();
        witness.add_checkpoint(body.as_bytes())
    };
    check(&ask(0, Hash([1; 32]), vec![]), 422, "root of the empty tree");
    check(&ask(0, log.root(0), vec![Hash([1; 32])]), 422, "does not verify");
    check(&ask(0, log.root(0), vec![]), 200, "\u{2014}");
    check(&ask(0, log.root(0), vec![]), 200, "\u{2014}");
    check(&ask(4, log.root(4), vec![]), 200, "\u{2014}");
    check(&ask(0, log.root(0), vec![]), 409, "4\n");
}

#[test]
fn extension_lines_are_cosigned_with_the_rest() {
    let dir = tempdir().unwrap();
    let log = TestLog::of(4);
    let witness = witness(dir.path(), &[&log]);
    let extended = |lines: &[&str]| {
        let lines = lines.iter().map(|&line| line.to_owned()).collect();
        let text = Checkpoint::with_extension(&log.origin, 4, log.root(4), lines).unwrap().to_string();
        log.sign(text)
    };
    for (old, lines) in [(0, vec!["a line", "another"]), (4, vec![]), (4, vec!["a third"])] {
        let note = extended(&lines);
        let request = Request::new(old, vec![], note.clone()).unwrap();
        let answer = witness.add_checkpoint(request.to_string().as_bytes());
        let reply = Reply::read(answer.status(), answer.body().as_bytes(), &note, &key());
        assert!(matches!(reply, Reply::Cosigned { time, .. } if time == NOW_NS / 1_000_000_000), "{reply:?}");
        let kept = newest(&RealFs, dir.path(), &log.origin, &key()).unwrap().unwrap();
        assert_eq!(kept.checkpoint.extension(), lines);
    }
}

#[test]
fn what_a_log_believes_of_an_answer() {
    let log = TestLog::of(4);
    let dir = tempdir().unwrap();
    let witness = witness(dir.path(), &[&log]);
    let note = log.checkpoint(4);
    let body = witness.add_checkpoint(&log.body(0, 4)).body();
    let read = |status, body: &str| Reply::read(status, body.as_bytes(), &note, &key());
    let refused = |reply: Reply| match reply {
        Reply::Refused(refusal) => format!("{}: {}; {}", refusal.status, refusal.said, refusal.advice()),
        other => panic!("{other:?}"),
    };
    assert!(matches!(read(200, &body), Reply::Cosigned { .. }));
    let others = TestCosigner::of("witness.example/w2", [3; 32]);
    let beside = format!("garbage\n{}{body}", log.checkpoint(4).signatures()[0]);
    assert!(matches!(read(200, &beside), Reply::Cosigned { .. }), "lines of others are passed over");
    let stranger = Reply::read(200, body.as_bytes(), &note, inferlog_witness::Cosign::key(&others));
    assert!(refused(stranger).contains("no cosignature by witness.example/w2"));
    assert!(refused(Reply::read(200, body.as_bytes(), &log.checkpoint(3), &key())).contains("is false"));
    assert!(refused(read(200, "")).contains("no cosignature"));
    assert_eq!(read(409, "17\n"), Reply::Has(17));
    for bad in ["17", "017\n", "\n", "17\n\n", "-1\n"] {
        assert!(refused(read(409, bad)).contains("409 and no size"), "{bad:?}");
    }
    for (status, says) in [
        (403, "other keys"),
        (404, "does not know this log"),
        (422, "older copy"),
        (503, "asked again"),
        (418, "operator"),
    ] {
        assert!(refused(read(status, "no\u{7}pe")).contains(says));
    }
    assert!(!refused(read(500, "a\u{1b}[31mb")).contains('\u{1b}'));
}
