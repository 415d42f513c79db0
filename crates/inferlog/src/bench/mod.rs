//! What recording costs here, against the bare disk, the bare work and the bare proxy.
//!
//! Phases alternate within rounds, so that whatever else the machine does meets all of them, and each number is the median of
//! the rounds. Two recorders are open: one on the disk as it is, one on the same disk with a millisecond added to every sync,
//! as a network disk has.

mod detect;
mod floor;
mod gateway;
pub(crate) mod index;
mod measure;
pub(crate) mod memory;
mod recorder;
mod report;
mod sample;
mod stream;
mod verification;
mod work;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use inferlog::{Instance, Settings, real_env};
use inferlog_capture::recorder::System;
use inferlog_disk::SlowSyncFs;
use inferlog_record::SystemName;
use inferlog_vault::RootSource;
use parking_lot::Mutex;

use crate::output::Failure;
use floor::{Batches, Floor, FloorFile};
use gateway::Ways;
use measure::{core_count, cpu_class, median};
use recorder::Phase;
pub(crate) use report::Results;
use report::{Comparison, GatewayRow, RecorderRow, StreamRow, Verification};
use sample::{Samples, WRITES_PER_DECISION};

/// Rounds that medians are taken over.
const ROUNDS: usize = 5;
/// Writers at a time.
const WRITERS: [usize; 3] = [1, 8, 64];
/// Connections at a time.
const CONNECTIONS: [usize; 3] = [1, 16, 64];
/// Streams at a time.
const STREAMS: [usize; 2] = [1, 16];
/// Added to every sync in the second half of the Recorder's phases.
const SLOW_SYNC: Duration = Duration::from_millis(1);
/// The bare disk gets this share of the time of the Recorder's phase before it.
const FLOOR_SHARE: u32 = 2;

/// A recorder in a directory of its own.
struct Bench {
    instance: Instance,
    system: System,
    sync_added: Duration,
    floor: Arc<Mutex<FloorFile>>,
}

impl Bench {
    async fn open(dir: &Path, sync_added: Duration) -> Result<Self, Failure> {
        let mut env = real_env();
        if !sync_added.is_zero() {
            env.fs = Arc::new(SlowSyncFs::new(env.fs, sync_added));
        }
        let mut settings = Settings::new(dir);
        settings.root_key = Some(RootSource::File(dir.join("root")));
        std::fs::create_dir_all(dir)?;
        let floor = Arc::new(Mutex::new(FloorFile::create(&*env.fs, dir)?));
        let instance = Instance::open(env, &settings).await?;
        let system = instance.recorder.system(&SystemName::new("bench")?).await?;
        Ok(Self { instance, system, sync_added, floor })
    }

    /// The Recorder with so many writers, then the bare disk with what these wrote.
    async fn record(
        &self,
        samples: &Arc<Samples>,
        writers: usize,
        time: Duration,
    ) -> Result<(Phase, Floor), Failure> {
        let (data, file) = (self.instance.data.clone(), self.floor.clone());
        let before = Batches::newest(&data)?;
        let phase = recorder::run(&self.instance.recorder, &self.system, samples, writers, time).await?;
        // What the integrator still has to do would slow the bare disk down.
        self.instance.recorder.integrate().await?;
        let floor = move || file.lock().replay(&Batches::read(&data, before)?, time / FLOOR_SHARE);
        Ok((phase, tokio::task::spawn_blocking(floor).await??))
    }
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// The Recorder, the bare disk and the bare work.
    Recorder,
    /// The gateway and the plain proxy.
    Gateway,
    /// The gateway and the plain proxy, with answers that stream.
    Stream,
    /// Verification.
    Verify,
    /// The index: its follower, its answers, its size.
    Index,
    /// Detectors of personal data, alone and at the gateway's door.
    Detect,
}

impl Part {
    /// What is measured unless parts are named.
    pub(crate) const USUAL: [Self; 4] = [Self::Recorder, Self::Gateway, Self::Stream, Self::Verify];
}

/// Measures in `dir`, an empty directory; the Recorder's phases take `time` together. Tells what it does through `tell`.
pub(crate) async fn run(
    dir: &Path,
    time: Duration,
    parts: &[Part],
    tell: impl Fn(String),
) -> Result<Results, Failure> {
    let samples = Arc::new(Samples::new(sample::CONTENT_BYTES));
    let benches = [
        Bench::open(&dir.join("plain"), Duration::ZERO).await?,
        Bench::open(&dir.join("slow"), SLOW_SYNC).await?,
    ];
    let ways = Ways::start(&benches[0].instance.recorder).await?;
    let phases = || benches.iter().flat_map(|bench| WRITERS.map(|writers| (bench, writers)));
    let (mut recorded, mut work, mut served) = (vec![Vec::new(); 6], Vec::new(), vec![Vec::new(); 3]);
    let mut streamed = vec![Vec::new(); STREAMS.len()];
    let slice = time / (ROUNDS * recorded.len()) as u32;
    for round in 1..=ROUNDS {
        if parts.contains(&Part::Recorder) {
            tell(format!("round {round} of {ROUNDS}: Recorder, bare disk, bare work"));
            for ((bench, writers), measured) in phases().zip(&mut recorded) {
                measured.push(bench.record(&samples, writers, slice).await?);
            }
            let (vault, samples) = (benches[0].instance.vault.clone(), samples.clone());
            let bare =
                tokio::task::spawn_blocking(move || work::decisions_per_second(&vault, &samples, slice));
            work.push(bare.await??);
        }
        if parts.contains(&Part::Gateway) {
            tell(format!("round {round} of {ROUNDS}: gateway, plain proxy"));
            for (connections, measured) in CONNECTIONS.into_iter().zip(&mut served) {
                let proxy = gateway::run(ways.proxy, connections, slice).await?;
                measured.push((gateway::run(ways.gateway, connections, slice).await?, proxy));
            }
        }
        if parts.contains(&Part::Stream) {
            tell(format!("round {round} of {ROUNDS}: streams through gateway, plain proxy"));
            for (streams, measured) in STREAMS.into_iter().zip(&mut streamed) {
                measured.push(streams_once(&ways, streams, slice).await?);
            }
        }
    }
    let mut detected = None;
    if parts.contains(&Part::Detect) {
        tell("detectors, gateway with and without them".into());
        detected = Some(detect::run(&benches[0].instance.recorder, time).await?);
    }
    drop(ways);
    for bench in &benches {
        bench.instance.recorder.close().await?;
    }
    let mut results = Results { detect: detected, ..Results::of_this_machine() };
    if parts.contains(&Part::Verify) {
        tell("verification".into());
        results.verification = Some(verify(&dir.join("verify")).await?);
    }
    if parts.contains(&Part::Recorder) {
        let bare = median(work);
        results.sync_p50_us = Some(median(recorded[0].iter().map(|(_, floor)| floor.p50_us)));
        results.work_decisions_per_second = Some(bare);
        let rows =
            phases().zip(&recorded).map(|((bench, writers), of)| recorder_row(bench, writers, of, bare));
        results.recorder = rows.collect();
    }
    if parts.contains(&Part::Gateway) {
        let rows = CONNECTIONS.into_iter().zip(&served).map(|(connections, of)| gateway_row(connections, of));
        results.gateway = rows.collect();
    }
    if parts.contains(&Part::Stream) {
        let rows = STREAMS.into_iter().zip(&streamed).map(|(streams, of)| stream_row(streams, of));
        results.stream = rows.collect();
    }
    Ok(results)
}

impl Results {
    /// Nothing measured yet.
    pub(crate) fn of_this_machine() -> Self {
        Self { cores: core_count(), cpu: cpu_class(), rounds: ROUNDS, ..Self::default() }
    }
}

/// The phases of one round with so many streams: gateway and proxy in haste, gateway and proxy at a model's pace.
type StreamPhases = [stream::Phase; 4];

async fn streams_once(ways: &Ways, streams: usize, slice: Duration) -> Result<StreamPhases, Failure> {
    let (proxy, gateway) = (ways.stream_proxy, ways.stream_gateway);
    let hurried_proxy = stream::run(proxy, streams, slice, false).await?;
    let hurried = stream::run(gateway, streams, slice, false).await?;
    let paced_proxy = stream::run(proxy, streams, slice, true).await?;
    let paced = stream::run(gateway, streams, slice, true).await?;
    Ok([hurried, hurried_proxy, paced, paced_proxy])
}

fn stream_row(streams: usize, measured: &[StreamPhases]) -> StreamRow {
    let of = |which: usize, value: fn(&stream::Phase) -> f64| {
        median(measured.iter().map(|phases| value(&phases[which])))
    };
    let rate = of(0, |phase| phase.events_per_second);
    let (cores, proxy_cores) = (of(0, |phase| phase.cores), of(1, |phase| phase.cores));
    let proxy_rate = of(1, |phase| phase.events_per_second);
    StreamRow {
        streams,
        events_per_second: rate,
        cores,
        against_proxy: Comparison::new(rate, proxy_rate),
        against_proxy_per_core: Comparison::new(rate / cores, proxy_rate / proxy_cores),
        first_p50_us: of(2, |phase| phase.first_p50_us),
        proxy_first_p50_us: of(3, |phase| phase.first_p50_us),
        delay_p50_us: of(2, |phase| phase.delay_p50_us),
        delay_p99_us: of(2, |phase| phase.delay_p99_us),
        proxy_delay_p50_us: of(3, |phase| phase.delay_p50_us),
        proxy_delay_p99_us: of(3, |phase| phase.delay_p99_us),
    }
}

async fn verify(dir: &Path) -> Result<Verification, Failure> {
    let entry_bytes = verification::write_log(dir).await?;
    let mut phases = Vec::new();
    for _ in 0..ROUNDS {
        let dir = dir.to_owned();
        phases.push(tokio::task::spawn_blocking(move || verification::run(&dir, core_count())).await??);
    }
    Ok(Verification {
        entries: verification::ENTRIES,
        entry_bytes,
        entries_per_second: median(phases.iter().map(|phase| phase.entries_per_second)),
        entries_per_second_per_core: median(phases.iter().map(|phase| phase.entries_per_second_per_core)),
    })
}

fn recorder_row(bench: &Bench, writers: usize, measured: &[(Phase, Floor)], work: f64) -> RecorderRow {
    let of = |value: fn(&Phase) -> f64| median(measured.iter().map(|(phase, _)| value(phase)));
    let (rate, cores) = (of(|phase| phase.decisions_per_second), of(|phase| phase.cores));
    let floor = median(measured.iter().map(|(_, floor)| floor.frames_per_second / WRITES_PER_DECISION));
    RecorderRow {
        writers,
        sync_ms_added: bench.sync_added.as_secs_f64() * 1e3,
        decisions_per_second: rate,
        writes_per_second: rate * WRITES_PER_DECISION,
        p50_us: of(|phase| phase.p50_us),
        p99_us: of(|phase| phase.p99_us),
        cores,
        lag_ms_max: measured.iter().map(|(phase, _)| phase.lag_ms_max).fold(0.0, f64::max),
        against_disk: Comparison::new(rate, floor),
        against_work_per_core: Comparison::new(rate / cores, work),
    }
}

fn gateway_row(connections: usize, measured: &[(gateway::Phase, gateway::Phase)]) -> GatewayRow {
    let gateway =
        |value: fn(&gateway::Phase) -> f64| median(measured.iter().map(|(gateway, _)| value(gateway)));
    let proxy = |value: fn(&gateway::Phase) -> f64| median(measured.iter().map(|(_, proxy)| value(proxy)));
    let (rate, cores) = (gateway(|phase| phase.requests_per_second), gateway(|phase| phase.cores));
    let (proxy_rate, proxy_cores) = (proxy(|phase| phase.requests_per_second), proxy(|phase| phase.cores));
    GatewayRow {
        connections,
        requests_per_second: rate,
        p50_us: gateway(|phase| phase.p50_us),
        p99_us: gateway(|phase| phase.p99_us),
        cores,
        proxy_p50_us: proxy(|phase| phase.p50_us),
        proxy_cores,
        against_proxy: Comparison::new(rate, proxy_rate),
        against_proxy_per_core: Comparison::new(rate / cores, proxy_rate / proxy_cores),
    }
}
