//! A crash, or a failure, at every call to the file system while a person is erased under a hold and the hold is released.
//! Whatever happened, the next start leaves one of the states that were asked for: nothing begun, or the keys destroyed, the
//! certificate there once; what the hold kept is kept while it stands, and goes when it does not.
//!
//! `EVERY=1 cargo test --release -p inferlog-capture --test erasure_crash` breaks every call in every way; by default every call
//! loses power, and every seventh fails in each of the other ways.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

#[path = "support/keeping.rs"]
mod keeping;
#[path = "support/simulated.rs"]
mod simulated;

use inferlog_capture::recorder::{ErasurePhase as Phase, RecordError, Recorder};
use inferlog_disk::sim::{Fault, How, Keep, SimFs};
use inferlog_record::body::Basis;
use inferlog_record::{Entry, Id};
use keeping::{World, hold_decisions, person, pseudonym, record};
use simulated::{open, read, system_name};

struct Setup {
    fs: SimFs,
    held: Id,
    free: Id,
    shared: Id,
    bob: Id,
    hold: Id,
    entries: Vec<Entry>,
}

async fn setup() -> Setup {
    let mut world = World::new(1);
    let (recorder, system) = world.open().await;
    let held = record(&system, &["ada", "bob"]).await;
    let (free, shared) = (record(&system, &["ada"]).await, record(&system, &["bob", "ada"]).await);
    let bob = record(&system, &["bob"]).await;
    let hold = hold_decisions(&system, &[held]).await;
    recorder.integrate().await.unwrap();
    world.set_cursor("sqlite", 1_000);
    recorder.close().await.unwrap();
    drop((recorder, system));
    let entries = read(&world.fs).0;
    Setup { fs: world.fs, held, free, shared, bob, hold, entries }
}

/// How far it came, as the caller was told.
#[derive(Default, Debug)]
struct Acked {
    erased: bool,
    released: bool,
}

async fn live(fs: &SimFs, setup: &Setup, acked: &mut Acked) -> Result<(), RecordError> {
    let recorder = open(fs).await?;
    let outcome = erase_and_release(&recorder, setup, acked).await;
    let dead = fs.clone();
    tokio::task::spawn_blocking(move || drop((recorder, dead))).await?;
    outcome
}

async fn erase_and_release(recorder: &Recorder, setup: &Setup, acked: &mut Acked) -> Result<(), RecordError> {
    let system = recorder.system(&system_name()).await?;
    recorder.erase(person("ada")).await?;
    acked.erased = true;
    system.release_hold(setup.hold, Basis::Internal, None, None).await?;
    acked.released = true;
    recorder.close().await
}

/// Starts anew, and holds what is there against what was told. Twice: the second time from what is durable alone.
async fn check(fs: &SimFs, setup: &Setup, acked: &Acked, what: &str) {
    let mut fs = fs.fork(7);
    for round in 0..2 {
        let recorder = open(&fs).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        let system = recorder.system(&system_name()).await.unwrap();
        recorder.integrate().await.unwrap();
        let (entries, stored) = read(&fs);
        assert_eq!(entries[..setup.entries.len()], setup.entries, "{what}: what was proved before");
        let status = recorder.erasures().await.unwrap();
        let stands = !system.holds().is_empty();
        assert!(!status.is_empty() || !acked.erased, "{what}: an acknowledged erasure is lost");
        assert!(!stands || !acked.released, "{what}: an acknowledged release is lost");
        let is_erased = !status.is_empty();
        let opens = |decision: Id| {
            let mut of_it = stored.iter().filter(|(id, _)| *id == decision);
            of_it.all(|(_, stored)| stored.open(recorder.vault()).is_ok())
        };
        let found = [setup.free, setup.shared, setup.held, setup.bob].map(opens);
        assert_eq!(
            found,
            [!is_erased, !is_erased, !is_erased || stands, true],
            "{what}, round {round}: {status:?}"
        );
        assert_eq!(pseudonym(&recorder, "ada").is_none(), is_erased, "{what}");
        assert!(pseudonym(&recorder, "bob").is_some(), "{what}");
        assert_eq!(status.len(), usize::from(is_erased) + usize::from(is_erased && !stands), "{what}");
        for one in &status {
            assert!(matches!(one.phase, Phase::Completed(_)), "{what}: {one:?}");
            assert!(system.certificate(one.event).await.unwrap().is_some(), "{what}");
        }
        let told: Vec<&Entry> = entries.iter().filter(|entry| completes(entry)).collect();
        assert_eq!(told.len(), status.len(), "{what}: one completion each");
        drop((system, recorder));
        fs = fs.crash_keeping(Keep::Nothing);
    }
}

fn completes(entry: &Entry) -> bool {
    entry.events.iter().any(|event| match &event.body {
        inferlog_record::body::Body::Erasure(body) => body.certificate.is_some(),
        _ => false,
    })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

#[test]
fn a_crash_after_every_step_leaves_what_was_asked_for() {
    let setup = block_on(setup());
    let calls = {
        let (fs, mut acked) = (setup.fs.fork(0), Acked::default());
        block_on(live(&fs, &setup, &mut acked)).unwrap();
        assert!(acked.erased && acked.released);
        block_on(check(&fs, &setup, &acked, "no fault"));
        fs.call_count()
    };
    assert!(calls > 200, "{calls}");
    let every = if std::env::var_os("EVERY").is_some() { 1 } else { 7 };
    let (mut cut, mut done) = (0, 0);
    for (number, how) in [How::PowerLoss, How::NoEffect, How::Applied, How::Partial].into_iter().enumerate() {
        let step = if how == How::PowerLoss { 1 } else { every };
        for call in (number as u64 % step..calls).step_by(step as usize) {
            let (fs, mut acked) = (setup.fs.fork(call), Acked::default());
            fs.inject(Fault::at(call).how(how));
            let outcome = block_on(live(&fs, &setup, &mut acked));
            fs.clear_faults();
            cut += u64::from(outcome.is_err());
            done += u64::from(acked.erased);
            let what = format!("call {call} of {calls}, {how:?}, {acked:?}, {:?}", outcome.err());
            let fs = if call % 2 == 0 || how == How::PowerLoss { fs.crash() } else { fs.kill() };
            block_on(check(&fs, &setup, &acked, &what));
        }
    }
    assert!(cut > calls / 4 && done > 0, "the faults must strike: {cut} of {calls}, {done}");
}
