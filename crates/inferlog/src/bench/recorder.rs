//! The Recorder under load: writers that each record one decision after another, waiting for both of its writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use inferlog_capture::recorder::{RecordError, Recorder, System};
use tokio::task::JoinSet;

use super::measure::{Stopwatch, percentile};
use super::sample::Samples;
use crate::output::Failure;

/// How often the integrator's lag is looked at.
const LAG_PERIOD: Duration = Duration::from_millis(25);

/// One phase.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Phase {
    pub(crate) decisions_per_second: f64,
    /// Of one durable write: from its submission to its acknowledgement, microseconds.
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) cores: f64,
    /// The longest that an acknowledged write waited for a checkpoint, milliseconds.
    pub(crate) lag_ms_max: f64,
}

/// Records decisions with so many writers for so long.
pub(crate) async fn run(
    recorder: &Recorder,
    system: &System,
    samples: &Arc<Samples>,
    writers: usize,
    time: Duration,
) -> Result<Phase, Failure> {
    let next = Arc::new(AtomicUsize::new(0));
    let (watch, end) = (Stopwatch::start(), Instant::now() + time);
    let mut tasks = JoinSet::new();
    for _ in 0..writers {
        tasks.spawn(write(system.clone(), samples.clone(), next.clone(), end));
    }
    let mut lag_ns_max = 0;
    while Instant::now() < end {
        tokio::time::sleep(LAG_PERIOD).await;
        lag_ns_max = lag_ns_max.max(recorder.health().log.lag_ns);
    }
    let mut waits = Vec::new();
    while let Some(done) = tasks.join_next().await {
        waits.append(&mut done??);
    }
    let decisions = waits.len() as f64 / super::sample::WRITES_PER_DECISION;
    Ok(Phase {
        decisions_per_second: decisions / watch.seconds(),
        cores: watch.cores(),
        p50_us: percentile(&mut waits, 500).into(),
        p99_us: percentile(&mut waits, 990).into(),
        lag_ms_max: lag_ns_max as f64 / 1e6,
    })
}

/// One writer. Answers how long each durable write took, microseconds.
async fn write(
    system: System,
    samples: Arc<Samples>,
    next: Arc<AtomicUsize>,
    end: Instant,
) -> Result<Vec<u32>, RecordError> {
    let mut waits = Vec::new();
    let mut wait = |since: Instant| waits.push(since.elapsed().as_micros().try_into().unwrap_or(u32::MAX));
    while Instant::now() < end {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        let mut decision = system.begin(samples.decision(number, None)).await?;
        decision.opened().await?;
        wait(began);
        let began = Instant::now();
        decision.finish(samples.rest(number)).await?;
        wait(began);
    }
    Ok(waits)
}
