//! Memory in use over a million decisions: it must not grow with the log.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use inferlog_capture::recorder::{RecordError, System};
use serde::Serialize;
use tokio::task::JoinSet;

use super::Bench;
use super::measure::{descriptor_count, resident_bytes};
use super::sample::Samples;
use crate::output::Failure;

/// Decisions recorded in all.
pub(crate) const DECISIONS: usize = 1_000_000;
const STEPS: usize = 10;
const WRITERS: usize = 64;
const CONTENT_BYTES: usize = 256;
/// Persons that the decisions are about.
const SUBJECTS: usize = 50_000;

/// The process after so many decisions.
#[derive(Debug, Serialize)]
pub(crate) struct Reading {
    pub(crate) decisions: usize,
    pub(crate) seconds: f64,
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) descriptors: Option<usize>,
}

/// Records a million decisions and gives a reading after each tenth.
pub(crate) async fn run(
    dir: &Path,
    mut reading: impl FnMut(Reading) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let bench = Bench::open(dir, std::time::Duration::ZERO).await?;
    let samples = Arc::new(Samples::new(CONTENT_BYTES));
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    for step in 1..=STEPS {
        let end = DECISIONS / STEPS * step;
        let mut tasks = JoinSet::new();
        for _ in 0..WRITERS {
            tasks.spawn(write(bench.system.clone(), samples.clone(), next.clone(), end));
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        next.store(end, Ordering::Relaxed);
        reading(Reading {
            decisions: end,
            seconds: began.elapsed().as_secs_f64(),
            resident_bytes: resident_bytes(),
            descriptors: descriptor_count(),
        })?;
    }
    Ok(bench.instance.recorder.close().await?)
}

async fn write(
    system: System,
    samples: Arc<Samples>,
    next: Arc<AtomicUsize>,
    end: usize,
) -> Result<(), RecordError> {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= end {
            return Ok(());
        }
        let subject = format!("person-{}", number % SUBJECTS);
        let mut decision = system.begin(samples.decision(number, Some(subject))).await?;
        decision.finish(samples.rest(number)).await?;
    }
}
