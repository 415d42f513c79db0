//! An erasure while others record: keys that are born meanwhile are not lost, whatever becomes of the erasure.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/simulated.rs"]
mod simulated;

use inferlog_capture::recorder::{
    Decision, EraseRequest, NewContent, NewDecision, NewEvent, Recorder, Target, closed,
};
use inferlog_disk::sim::{Call, Fault, Op, SimFs};
use inferlog_disk::{Fs, ManualClock, SlowSyncFs, replace_file};
use inferlog_log::{Env, NodeLock};
use inferlog_record::body::{DecisionOpened, ExchangeEnd, OrderKind, Outcome};
use inferlog_record::{Id, MediaType, PayloadRole};
use simulated::{open, open_in, read, record, system_name};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A world in which a sync takes so long that there is time for races.
fn slow(fs: &SimFs) -> Env {
    let env = simulated::env(fs);
    Env { fs: Arc::new(SlowSyncFs::new(env.fs, Duration::from_millis(20))), ..env }
}

/// A decision about nobody: its key is in a page of the day, with those of others.
fn opening() -> NewDecision {
    let content = NewContent::personal(MediaType::Json, "{}");
    NewDecision::new(NewEvent::new(DecisionOpened::default()).with(PayloadRole::InputRaw, content))
}

async fn finish(mut decision: Decision) -> Id {
    let end = NewEvent::new(closed(Outcome::Answered, ExchangeEnd::Complete));
    decision.finish(vec![end]).await.unwrap().id()
}

async fn until(condition: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("waited for nothing");
}

/// Ends the process in order, starts another on the same disk, and reads these decisions.
async fn assert_readable(fs: &SimFs, recorder: Recorder, decisions: &[Id]) {
    recorder.close().await.unwrap();
    drop(recorder);
    let fs = fs.crash();
    open(&fs).await.unwrap().close().await.unwrap();
    let env = simulated::env(&fs);
    let lock = NodeLock::take(&*env.fs, Path::new(simulated::DATA)).unwrap();
    let vault = simulated::vault(&env, &lock).unwrap();
    let (_, stored) = read(&fs);
    for decision in decisions {
        let (_, found) = stored.iter().find(|(id, _)| id == decision).expect("the decision is there");
        assert_eq!(found.open(&vault).as_deref(), Ok(&b"{}"[..]), "an acknowledged payload opens");
    }
}

/// Whoever asked for the erasure goes away in the middle of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_that_nobody_waits_for_still_keeps_others_out() {
    let fs = SimFs::new(1);
    let recorder = open_in(slow(&fs)).await.unwrap();
    let system = recorder.system(&system_name()).await.unwrap();
    let erased = Target::Decision(finish(system.begin(opening()).await.unwrap()).await);
    recorder.integrate().await.unwrap();
    let is_rewriting = || fs.files().keys().any(|path| path.to_string_lossy().ends_with(".1"));
    tokio::select! {
        _ = recorder.erase(EraseRequest::new(erased, OrderKind::Request)) => panic!("it was to be left alone"),
        () = until(is_rewriting) => {}
    }
    let mut decisions = Vec::new();
    for _ in 0..3 {
        decisions.push(finish(system.begin(opening()).await.unwrap()).await);
    }
    drop(system);
    assert_readable(&fs, recorder, &decisions).await;
}

/// An erasure that failed is carried out before the next one, while the openings of decisions are on their way to the disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_that_is_made_up_for_waits_for_what_is_queued() {
    let fs = SimFs::new(2);
    let recorder = open_in(slow(&fs)).await.unwrap();
    let system = recorder.system(&system_name()).await.unwrap();
    let erased = Target::Decision(finish(system.begin(opening()).await.unwrap()).await);
    recorder.integrate().await.unwrap();
    let rewrite = |call: &Call| call.op == Op::Create && call.path.starts_with("/data/keystore/pages/");
    fs.inject(Fault::on(rewrite).times(1));
    recorder.erase(EraseRequest::new(erased.clone(), OrderKind::Request)).await.unwrap_err();
    assert_eq!(fs.faults_fired(), 1);
    let mut decision = system.begin(opening()).await.unwrap();
    let (opened, erased) =
        tokio::join!(decision.opened(), recorder.erase(EraseRequest::new(erased, OrderKind::Request)));
    opened.unwrap();
    erased.unwrap();
    let id = finish(decision).await;
    drop(system);
    assert_readable(&fs, recorder, &[id]).await;
}

/// The clock was set back between two erasures. A keystore restored from between them sees the second one again.
#[tokio::test]
async fn a_restored_keystore_sees_later_erasures_again_though_the_clock_went_back() {
    let fs = SimFs::new(3);
    let clock = Arc::new(ManualClock::new(1_795_219_200_000_000_000));
    let recorder = open_in(Env { clock: clock.clone(), ..simulated::env(&fs) }).await.unwrap();
    let system = recorder.system(&system_name()).await.unwrap();
    let ada = record(&system, "ada", "{}").await.unwrap();
    let bob = record(&system, "bob", "{}").await.unwrap();
    let erase = async |person: &str| {
        recorder.erase(EraseRequest::new(Target::Subject(person.into()), OrderKind::Request)).await.unwrap();
    };
    erase("ada").await;
    let is_keys = |path: &Path| path.starts_with("/data/keystore") || path == Path::new(simulated::ROOT);
    let backup: Vec<_> = fs.files().into_iter().filter(|(path, _)| is_keys(path)).collect();
    clock.set_now_ns(1_795_219_100_000_000_000);
    erase("bob").await;
    recorder.close().await.unwrap();
    drop((system, recorder));

    for path in fs.files().into_keys().filter(|path| is_keys(path)) {
        fs.remove_file(&path).unwrap();
    }
    for (path, bytes) in backup {
        replace_file(&fs, &path, &bytes).unwrap();
    }
    open(&fs).await.unwrap().close().await.unwrap();
    let env = simulated::env(&fs);
    let lock = NodeLock::take(&*env.fs, Path::new(simulated::DATA)).unwrap();
    let vault = simulated::vault(&env, &lock).unwrap();
    let (_, stored) = read(&fs);
    for person in [ada, bob] {
        let (_, found) = stored.iter().find(|(id, _)| *id == person).unwrap();
        assert!(found.open(&vault).is_err(), "what was erased stays erased");
    }
}
