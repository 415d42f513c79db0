//! The index: how fast it follows, alone and beside a gateway that is busy; how fast it answers; how large it is.
//!
//! Two generated logs: one that is followed over and over, in rounds with what it is held against, and with references as long as
//! the gateway's; and a large one without payloads, that is followed once and then asked.

mod asked;
mod base;
mod beside;
mod finds;
mod report;
mod size;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use inferlog::generate::{self, Options, Written};
use inferlog::real_env;
use inferlog_index::{FollowOptions, Follower, SqliteEngine, sqlite_path};

use super::measure::{Stopwatch, median};
use super::report::Comparison;
use crate::output::Failure;
pub(crate) use report::IndexResults;
use report::{Built, Followed};

/// Rounds that medians are taken over.
const ROUNDS: usize = 5;
/// Events of the log that is followed over and over, at most.
const ROUND_EVENTS_MAX: u64 = 400_000;
/// Events to a decision, for a log of so many events; generated decisions have a little more.
const EVENTS_PER_DECISION: u64 = 4;

/// What to measure with.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Events of the large log.
    pub(crate) events: u64,
    /// How long the gateway is asked without a follower, in all rounds together.
    pub(crate) alone: Duration,
    /// Where the large log and its index are kept, and used again if they are there.
    pub(crate) keep: Option<PathBuf>,
}

/// Measures in `dir`, an empty directory.
pub(crate) async fn run(dir: &Path, plan: &Plan, tell: impl Fn(String)) -> Result<IndexResults, Failure> {
    let mut results = IndexResults { rounds: ROUNDS, ..IndexResults::default() };
    let rounds = dir.join("rounds");
    tell("generating the log that is followed over and over".into());
    let events = plan.events.min(ROUND_EVENTS_MAX);
    let options = Options { sealed: true, ..Options::new(events / EVENTS_PER_DECISION) };
    let written = generate::write(&rounds, &options).await?;
    results.followed = Some(follow_in_rounds(&rounds, &written, &tell).await?);
    tell("the follower beside a gateway".into());
    results.beside = Some(beside::run(&rounds, plan.alone / ROUNDS as u32, &tell).await?);
    std::fs::remove_dir_all(&rounds)?;

    let large = plan.keep.clone().unwrap_or_else(|| dir.join("large"));
    tell(format!("generating {} events", plan.events));
    let generated = generate_once(&large, plan.events).await?;
    let asking = move || ask(&large, generated);
    tell("following them, then asking".into());
    let (built, asked) = tokio::task::spawn_blocking(asking).await??;
    (results.built, results.asked) = (Some(built), Some(asked));
    Ok(results)
}

/// The plain scan, the plain insert and the follower, one after another.
async fn follow_in_rounds(
    dir: &Path,
    written: &Written,
    tell: &impl Fn(String),
) -> Result<Followed, Failure> {
    let (mut scans, mut inserts, mut follows) = (Vec::new(), Vec::new(), Vec::new());
    let mut index_bytes = 0;
    for round in 1..=ROUNDS {
        tell(format!("round {round} of {ROUNDS}: plain scan, plain insert, follower"));
        let dir = dir.to_owned();
        let measured = tokio::task::spawn_blocking(move || {
            let phases = (base::scan(&dir)?, base::insert(&dir, &dir.join("plain.sqlite"))?, follow(&dir)?);
            let index_bytes = std::fs::metadata(sqlite_path(&dir))?.len();
            clear(&dir)?;
            Ok::<_, Failure>((phases, index_bytes))
        });
        let ((scan, insert, follow), bytes) = measured.await??;
        scans.push(scan);
        inserts.push(insert);
        follows.push(follow);
        index_bytes = bytes;
    }
    let rate = |phases: &[Phase]| median(phases.iter().map(|phase| phase.events as f64 / phase.seconds));
    let followed = rate(&follows);
    Ok(Followed {
        events: written.events,
        entry_bytes_per_event: written.entry_bytes as f64 / written.events as f64,
        events_per_second: followed,
        cores: median(follows.iter().map(|phase| phase.cores)),
        against_insert: Comparison::new(followed, rate(&inserts)),
        against_scan: Comparison::new(followed, rate(&scans)),
        index_bytes_per_event: index_bytes as f64 / written.events as f64,
    })
}

/// One thing that was done with all events of a log.
#[derive(Clone, Copy, Debug)]
struct Phase {
    events: u64,
    seconds: f64,
    cores: f64,
}

/// Follows all of a data directory into its index.
fn follow(dir: &Path) -> Result<Phase, Failure> {
    let path = sqlite_path(dir);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let watch = Stopwatch::start();
    let engine = SqliteEngine::open(&path)?;
    let mut follower = Follower::new(real_env().fs, dir, engine, FollowOptions::default());
    follower.catch_up(&mut |_| ControlFlow::Continue(()))?;
    let (seconds, cores) = (watch.seconds(), watch.cores());
    drop(follower);
    Ok(Phase { events: size::events(&path)?, seconds, cores })
}

/// Removes the index of a data directory.
fn clear(dir: &Path) -> Result<(), Failure> {
    match sqlite_path(dir).parent() {
        Some(index) if index != dir => Ok(std::fs::remove_dir_all(index)?),
        _ => Err(Failure::new("the index does not stand in a directory of its own")),
    }
}

/// Generates a log, unless it was kept. Tells how many events a second that gave.
async fn generate_once(dir: &Path, events: u64) -> Result<Option<f64>, Failure> {
    if dir.join("logs").exists() {
        return Ok(None);
    }
    let watch = Stopwatch::start();
    let written = generate::write(dir, &Options::new(events / EVENTS_PER_DECISION)).await?;
    Ok(Some(written.events as f64 / watch.seconds()))
}

/// Follows the large log, unless that was kept too, and asks its index.
fn ask(dir: &Path, generated: Option<f64>) -> Result<(Built, asked::Asked), Failure> {
    let path = sqlite_path(dir);
    let phase = match path.exists() {
        true => None,
        false => Some(follow(dir)?),
    };
    let size = size::measure(&path)?;
    let built = Built {
        events: size.events,
        generated_events_per_second: generated,
        seconds: phase.map(|phase| phase.seconds),
        events_per_second: phase.map(|phase| phase.events as f64 / phase.seconds),
        index_bytes_per_event: size.bytes as f64 / size.events as f64,
        tables: size.tables,
    };
    Ok((built, asked::run(dir, &path)?))
}
