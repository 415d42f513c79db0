//! Promise 1 for the whole writer: Recorder, vault and log on one disk that fails, tears and forgets. What was acknowledged
//! is there, and opens, unless it was erased; what was erased never opens again.
//!
//! `SEEDS=10000 cargo test --release -p inferlog-capture --test whole_writer` is the long run; `SEED=n` repeats one (threads
//! run freely, so that a seed decides the faults and not the interleaving).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test")]

#[path = "support/simulated.rs"]
mod simulated;

use inferlog_capture::recorder::{EraseRequest, RecordError, Target};
use inferlog_disk::sim::{Fault, How, Keep, SimFs};
use inferlog_log::NodeLock;
use inferlog_record::Id;
use inferlog_record::body::OrderKind;
use simulated::{open, read, record, system_name};
use std::collections::BTreeMap;

const SEEDS_SHORT: u64 = 300;
const PEOPLE: [&str; 3] = ["ada@example.org", "bob@example.org", "eve@example.org"];

/// What must be there.
#[derive(Default)]
struct Model {
    acked: BTreeMap<Id, Acked>,
    number: u64,
}

struct Acked {
    person: usize,
    text: String,
    /// Told to be erased: `Some(true)` if that was acknowledged, `Some(false)` if it failed and may yet be finished.
    erased: Option<bool>,
}

#[test]
fn the_whole_writer_loses_nothing_and_forgets_what_it_erased() {
    let one = std::env::var("SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    let count = std::env::var("SEEDS").map_or(SEEDS_SHORT, |seeds| seeds.parse().unwrap());
    let seeds = one.map_or(0..count, |seed| seed..seed + 1);
    let (mut fired, mut acked, mut erased) = (0, 0, 0);
    for seed in seeds.clone() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let outcome = std::panic::catch_unwind(|| runtime.block_on(run_seed(seed)));
        let (fs, model) =
            outcome.unwrap_or_else(|_| panic!("seed {seed} failed: SEED={seed} repeats its faults"));
        fired += fs.faults_fired();
        acked += model.acked.len();
        erased += model.acked.values().filter(|acked| acked.erased == Some(true)).count();
    }
    println!(
        "{} seeds: {fired} faults struck, {acked} decisions acknowledged, {erased} erased",
        seeds.end - seeds.start
    );
    assert!(
        one.is_some() || (fired > count / 4 && acked as u64 > count && erased > 0),
        "the faults must strike"
    );
}

async fn run_seed(seed: u64) -> (SimFs, Model) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let (mut fs, mut model) = (SimFs::new(seed), Model::default());
    for _ in 0..rng.u64(2..6) {
        inject(&fs, &mut rng);
        let before = fs.faults_fired();
        if let Err(error) = live(&fs, &mut model, &mut rng).await {
            assert!(fs.faults_fired() > before, "failed without a fault: {error}");
        }
        fs = match rng.u8(0..4) {
            0 => fs.kill(),
            1 => fs.crash_keeping(Keep::Nothing),
            _ => fs.crash(),
        };
        check(&fs, &mut model, seed).await;
    }
    (fs, model)
}

fn inject(fs: &SimFs, rng: &mut fastrand::Rng) {
    fs.clear_faults();
    let how = [How::NoEffect, How::Applied, How::Partial, How::PowerLoss][rng.usize(..4)];
    match rng.u8(0..4) {
        0 => {}
        1 => fs.inject(Fault::on(|call| call.op.changes()).after(rng.u64(0..600)).times(1).how(how)),
        2 => fs.inject(Fault::on(|call| call.op.syncs()).chance(0.004).how(how)),
        _ => {
            let keystore = |call: &inferlog_disk::sim::Call| {
                call.path.starts_with("/data/keystore") && call.op.changes()
            };
            fs.inject(Fault::on(keystore).after(rng.u64(0..60)).times(1).how(how));
        }
    }
}

/// One life: decisions, a few at a time, and now and then an erasure. It ends at the first error, or by itself.
async fn live(fs: &SimFs, model: &mut Model, rng: &mut fastrand::Rng) -> Result<(), RecordError> {
    let recorder = open(fs).await?;
    let system = recorder.system(&system_name()).await?;
    let mut outcome = Ok(());
    for _ in 0..rng.usize(1..14) {
        outcome = match rng.u8(0..6) {
            0 => recorder.integrate().await,
            1 => erase(&recorder, model, rng.usize(..PEOPLE.len())).await,
            _ => decide(&system, model, rng).await,
        };
        if outcome.is_err() {
            break;
        }
    }
    // The process ends here, without a word: what runs on in its threads meets a dead disk.
    let dead = fs.clone();
    tokio::task::spawn_blocking(move || drop((system, recorder, dead))).await?;
    outcome
}

async fn decide(
    system: &inferlog_capture::recorder::System,
    model: &mut Model,
    rng: &mut fastrand::Rng,
) -> Result<(), RecordError> {
    let mut going = Vec::new();
    for _ in 0..rng.usize(1..5) {
        model.number += 1;
        let person = rng.usize(..PEOPLE.len());
        let filler = "x".repeat(rng.usize(..3_000));
        let text = format!("{{\"number\":{},\"filler\":\"{filler}\"}}", model.number);
        let system = system.clone();
        going.push(tokio::spawn(async move {
            let id = record(&system, PEOPLE[person], &text).await?;
            Ok::<_, RecordError>((id, Acked { person, text, erased: None }))
        }));
    }
    let mut outcome = Ok(());
    for decision in going {
        match decision.await? {
            Ok((id, acked)) => drop(model.acked.insert(id, acked)),
            Err(error) => outcome = Err(error),
        }
    }
    outcome
}

async fn erase(
    recorder: &inferlog_capture::recorder::Recorder,
    model: &mut Model,
    person: usize,
) -> Result<(), RecordError> {
    let target = Target::Subject(PEOPLE[person].as_bytes().to_vec());
    let outcome = recorder.erase(EraseRequest::new(target, OrderKind::Request)).await;
    for acked in model.acked.values_mut().filter(|acked| acked.person == person && acked.erased != Some(true))
    {
        acked.erased = Some(outcome.is_ok());
    }
    outcome.map(drop)
}

/// Opens a copy of the disk without faults, and reads everything back with its keys.
async fn check(fs: &SimFs, model: &mut Model, seed: u64) {
    let copy = fs.fork(seed);
    let recorder = open(&copy).await.expect("recovery without faults");
    recorder.integrate().await.expect("integration without faults");
    recorder.close().await.expect("a clean end");
    drop(recorder);
    let (_, stored) = read(&copy);
    let env = simulated::env(&copy);
    let lock = NodeLock::take(&*env.fs, std::path::Path::new(simulated::DATA)).unwrap();
    let vault = simulated::vault(&env, &lock).unwrap();
    let stored: BTreeMap<Id, _> = stored.into_iter().collect();
    for (id, acked) in &model.acked {
        let found = stored.get(id).unwrap_or_else(|| panic!("decision {id} is lost"));
        let opened = found.open(&vault);
        match (acked.erased, opened) {
            (None, Ok(text)) => assert_eq!(text, acked.text.as_bytes()),
            (Some(true), Err(_)) | (Some(false), _) => {}
            (None, Err(error)) => panic!("decision {id} does not open: {error}"),
            (Some(true), Ok(_)) => panic!("decision {id} was erased and opens"),
        }
    }
}
