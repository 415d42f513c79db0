//! `verify` where a keystore of before a purge and an erasure was put back: the log is whole, and says of what is gone why it is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "../../capture/tests/support/retaining.rs"]
mod retaining;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_audit::{Options, verify};
use inferlog_capture::recorder::{EraseRequest, ErasureOutcome, Target};
use inferlog_disk::{Fs, replace_file};
use inferlog_record::body::OrderKind;
use retaining::{DATA, DAY, Found, World, decide};

fn keystore(world: &World) -> BTreeMap<PathBuf, Vec<u8>> {
    let is_keys = |path: &Path| path.starts_with("/data/keystore") || path.starts_with("/home");
    world.fs.files().into_iter().filter(|(path, _)| is_keys(path)).collect()
}

fn assert_verifies(world: &World, what: &str) {
    let fs: Arc<dyn Fs> = Arc::new(world.fs.clone());
    let report = verify(&fs, Path::new(DATA), &Options::default(), &|_| {}).unwrap();
    assert!(report.ok, "{what}: {:?}", report.faults.iter().take(5).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_verifies_whose_keystore_was_put_back() {
    let mut world = World::new(1);
    let (recorder, system) = world.open().await.unwrap();
    for day in 0..13 {
        for number in 0..if day < 2 { 180 } else { 2 } {
            let person = if number % 3 == 0 { "ada" } else { "bob" };
            decide(&system, if number % 20 == 1 { "long" } else { "short" }, person).await.unwrap();
        }
        world.clock.advance(DAY);
    }
    recorder.integrate().await.unwrap();
    let before = keystore(&world);
    let purged = recorder.purge(None).await.unwrap();
    assert!(purged[0].keys > 0 && purged[0].entries > 0, "{purged:?}");
    let between = keystore(&world);
    let request = EraseRequest::new(Target::Subject(b"ada".to_vec()), OrderKind::Request);
    assert_eq!(recorder.erase(request).await.unwrap()[0].outcome, ErasureOutcome::Completed);
    let opens = |found: Vec<Found>| -> Vec<(u64, bool)> {
        let of_decisions = found.into_iter().filter(|found| found.decision.is_some());
        of_decisions.map(|found| (found.index, matches!(found.opens, Some(Ok(_))))).collect()
    };
    let expected = opens(world.found(&recorder));
    world.end(recorder, system).await;
    assert_verifies(&world, "as it was");

    for (backup, what) in [(&before, "before both"), (&between, "before the erasure")] {
        keystore(&world).keys().for_each(|path| world.fs.remove_file(path).unwrap());
        backup.iter().for_each(|(path, bytes)| replace_file(&world.fs, path, bytes).unwrap());
        let (recorder, system) = world.open().await.unwrap();
        assert_eq!(opens(world.found(&recorder)), expected, "{what}");
        world.end(recorder, system).await;
        assert_verifies(&world, what);
    }
}
