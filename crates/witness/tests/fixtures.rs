//! The frozen examples: what was written once is read for ever, and still written the same.
//!
//! `UPDATE=1` writes those that are missing. A frozen file is never replaced: a new version of a format gets a new folder.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]
#![expect(clippy::disallowed_methods, reason = "reads and writes the frozen files themselves")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use inferlog_disk::RealFs;
use inferlog_merkle::Policy;
use inferlog_witness::{ForkKind, Request, forks, known_logs, log_folder, newest};
use support::{NOW_NS, TestCosigner, TestLog, key, witness};
use tempfile::{TempDir, tempdir};

const FILES: [&str; 4] = ["log", "newest", "fork.json", "request"];

fn fixtures(which: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/v1/witness").join(which)
}

fn frozen(which: &str, name: &str) -> Vec<u8> {
    let path = fixtures(which).join(name);
    fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}: UPDATE=1 writes what is missing", path.display()))
}

/// The same files as this build writes them: a log of 7 entries that was cosigned, and a fork of it that was refused.
fn written() -> [Vec<u8>; FILES.len()] {
    let (dir, honest) = (tempdir().unwrap(), TestLog::of(7));
    let witness = witness(dir.path(), &[&honest]);
    assert_eq!(witness.add_checkpoint(&honest.body(0, 7)).status(), 200);
    let mut forked = honest.cut_to(5);
    forked.grow_to(9, "forked");
    assert_eq!(witness.add_checkpoint(&forked.body(7, 9)).status(), 422);
    let folder = dir.path().join("logs").join(log_folder(&honest.origin));
    let fork = fs::read_dir(folder.join("forks")).unwrap().next().unwrap().unwrap().path();
    [folder.join("log"), folder.join("newest"), fork]
        .map(|path| fs::read(path).unwrap())
        .into_iter()
        .chain([forked.body(7, 9)])
        .collect::<Vec<_>>()
        .try_into()
        .unwrap()
}

/// A state directory with these files in it.
fn state(log: &[u8], newest: &[u8], fork: &[u8]) -> TempDir {
    let dir = tempdir().unwrap();
    let folder = dir.path().join("logs").join(log_folder(&TestLog::of(0).origin));
    fs::create_dir_all(folder.join("forks")).unwrap();
    fs::write(folder.join("log"), log).unwrap();
    fs::write(folder.join("newest"), newest).unwrap();
    fs::write(folder.join("forks/proved-00.json"), fork).unwrap();
    dir
}

#[test]
fn today_writes_what_was_frozen() {
    let update = std::env::var_os("UPDATE").is_some();
    for (name, bytes) in FILES.iter().zip(written()) {
        let path = fixtures("good").join(name);
        if update && !path.exists() {
            fs::write(&path, &bytes).unwrap();
        }
        assert_eq!(String::from_utf8(frozen("good", name)), String::from_utf8(bytes), "{name}");
    }
}

#[test]
fn what_was_frozen_is_read() {
    let [log, newest_bytes, fork, request] = FILES.map(|name| frozen("good", name));
    let state = state(&log, &newest_bytes, &fork);
    let honest = TestLog::of(7);
    let logs = known_logs(&RealFs, state.path()).unwrap();
    assert_eq!(
        (logs[0].origin.as_str(), logs[0].keys.as_slice()),
        (honest.origin.as_str(), &[honest.vkey()][..])
    );
    let newest = newest(&RealFs, state.path(), &honest.origin, &key()).unwrap().unwrap();
    assert_eq!((newest.checkpoint.size(), newest.time), (7, NOW_NS / 1_000_000_000));
    let forks = forks(&RealFs, state.path(), &honest.origin).unwrap();
    assert_eq!(forks[0].kind, ForkKind::OtherPrefix);
    forks[0].verify(&logs[0].keys).unwrap();
    let parsed = Request::parse(&request).unwrap();
    assert_eq!((parsed.old_size, parsed.checkpoint.size()), (7, 9));
    assert_eq!(parsed.to_string().into_bytes(), request, "a request is written as it was read");
}

#[test]
fn what_is_damaged_is_refused_and_named() {
    let [log, newest_bytes, fork, _] = FILES.map(|name| frozen("good", name));
    let origin = TestLog::of(0).origin;
    let bad = state(&frozen("corrupt", "log"), &newest_bytes, &fork);
    let error = known_logs(&RealFs, bad.path()).unwrap_err().to_string();
    assert!(error.contains("log is damaged") && error.contains("key id"), "{error}");

    let bad = state(&log, &frozen("corrupt", "newest"), &fork);
    let error = newest(&RealFs, bad.path(), &origin, &key()).unwrap_err().to_string();
    assert!(error.contains("newest is damaged") && error.contains("is false"), "{error}");
    // Whoever asks gets no cosignature, and the file stays for whoever looks into it.
    let honest = TestLog::of(9);
    let clock = std::sync::Arc::new(inferlog_disk::ManualClock::new(NOW_NS));
    let cosigner = std::sync::Arc::new(TestCosigner::new());
    let witness =
        inferlog_witness::Witness::open(std::sync::Arc::new(RealFs), clock, bad.path().to_owned(), cosigner)
            .unwrap();
    for old in [0, 7] {
        assert_eq!(witness.add_checkpoint(&honest.body(old, 9)).status(), 500);
    }

    let bad = state(&log, &newest_bytes, &frozen("corrupt", "fork.json"));
    let forks = forks(&RealFs, bad.path(), &origin).unwrap();
    assert!(forks[0].verify(&[honest.vkey()]).is_err(), "a root that the proof does not lead to");

    assert!(Request::parse(&frozen("corrupt", "request")).is_err());
}

#[test]
fn policies() {
    let good = String::from_utf8(frozen("good", "policy")).unwrap();
    let policy: Policy = good.parse().unwrap();
    assert_eq!((policy.logs().len(), policy.witnesses().count(), policy.quorum()), (1, 6, "X-and-Y"));
    let bad = String::from_utf8(frozen("corrupt", "policy")).unwrap();
    assert!(
        bad.parse::<Policy>().unwrap_err().to_string().starts_with("line 12: "),
        "{:?}",
        bad.parse::<Policy>()
    );
}
