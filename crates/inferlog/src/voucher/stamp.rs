//! A timestamping authority: asked from time to time for the time of what is published.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use inferlog_capture::config;
use inferlog_capture::gateway::TimestampSample;
use inferlog_log::{Env, list_vouched, read_vouched};
use inferlog_merkle::SignedNote;
use parking_lot::Mutex;

use super::authority::Authority;
use super::keep;
use super::logs::{OwnLog, newest_logs};
use crate::output::Failure;

/// Time between two looks at most: whether a timestamp is due, and again after a failure.
const LOOK_PERIOD: Duration = Duration::from_secs(60);
/// A log that does not grow is stamped this often.
const IDLE_PERIOD: Duration = Duration::from_secs(86_400);

/// Whom the configuration asks for the time.
#[derive(Debug)]
pub(crate) struct Timestamping {
    authority: Authority,
    period: Duration,
}

impl Timestamping {
    /// Reads `[timestamps]` of a configuration and the roots that it names.
    pub(crate) fn read(configuration: &str) -> Result<Option<Self>, Failure> {
        let Some(config) = config::timestamps(configuration)? else { return Ok(None) };
        Ok(Some(Self { authority: Authority::new(&config)?, period: config.period }))
    }
}

/// An authority at work.
#[derive(Debug)]
pub(super) struct Stamping {
    timestamping: Timestamping,
    env: Env,
    data: PathBuf,
    /// Whether nobody else puts `vouched/` in order.
    is_alone: bool,
    /// By origin.
    standings: Mutex<BTreeMap<String, Standing>>,
    /// Why the last round did not begin.
    trouble: Mutex<Option<String>>,
}

#[derive(Clone, Debug, Default)]
struct Standing {
    system: String,
    last: Option<Last>,
    failures: u64,
    /// Why there was no timestamp when one was due last.
    trouble: Option<String>,
}

/// The newest timestamp.
#[derive(Clone, Copy, Debug)]
struct Last {
    size: u64,
    time_ns: u64,
}

/// Rounds without end.
pub(super) async fn run(stamping: Arc<Stamping>) {
    loop {
        stamping.round().await;
        tokio::time::sleep(stamping.timestamping.period.min(LOOK_PERIOD)).await;
    }
}

impl Stamping {
    pub(super) fn new(timestamping: Timestamping, env: Env, data: PathBuf, is_alone: bool) -> Self {
        let (standings, trouble) = Default::default();
        Self { timestamping, env, data, is_alone, standings, trouble }
    }

    /// Has what is published stamped, where that is due.
    async fn round(self: &Arc<Self>) {
        let this = self.clone();
        let logs = blocking(move || newest_logs(&this.env.fs, &this.data)).await;
        let logs = match logs {
            Ok(logs) => logs,
            Err(why) => {
                if self.trouble.lock().replace(why.clone()).as_ref() != Some(&why) {
                    tracing::error!(why, "nothing is timestamped: the logs cannot be read");
                }
                return;
            }
        };
        *self.trouble.lock() = None;
        for log in logs {
            self.log(log).await;
        }
    }

    async fn log(self: &Arc<Self>, log: OwnLog) {
        let known = self.standings.lock().get(&log.origin).cloned();
        let mut standing = match known {
            Some(standing) => standing,
            None => {
                Standing { system: log.system.clone(), last: self.last(&log).await, ..Standing::default() }
            }
        };
        let system = log.system.as_str();
        match (self.stamp(&log, standing.last).await, standing.trouble.take()) {
            (Ok(last), before) => {
                if before.is_some() {
                    tracing::info!(system, "the timestamping authority stamps again");
                }
                standing.last = last;
            }
            (Err(why), before) => {
                if before.as_ref() != Some(&why) {
                    tracing::warn!(system, log = log.origin, why, "no timestamp; it is asked again");
                }
                standing.failures += 1;
                standing.trouble = Some(why);
            }
        }
        self.standings.lock().insert(log.origin, standing);
    }

    /// Has the published checkpoint stamped, if that is due. Gives the newest timestamp then.
    async fn stamp(self: &Arc<Self>, log: &OwnLog, last: Option<Last>) -> Result<Option<Last>, String> {
        let reading = log.clone();
        let Some((note, checkpoint)) = blocking(move || reading.published()).await? else { return Ok(last) };
        let size = checkpoint.size();
        if !is_due(last, size, self.env.clock.now_ns(), self.timestamping.period) {
            return Ok(last);
        }
        let mut nonce = [0; 8];
        self.env.rng.fill(&mut nonce).map_err(|error| error.to_string())?;
        let text = note.text().as_bytes();
        let (response, stamp) = self.timestamping.authority.stamp(text, u64::from_be_bytes(nonce)).await?;
        let (log, is_alone) = (log.clone(), self.is_alone);
        let kept = move || {
            keep::stamp(log.fs(), log.dir(), size, &note, &response)?;
            // Without witnesses there is no policy that some would satisfy and others not.
            if is_alone { keep::thin(log.fs(), log.dir(), &|_| true) } else { Ok(()) }
        };
        blocking(kept).await.map_err(|why| format!("its timestamp could not be kept: {why}"))?;
        Ok(Some(Last { size, time_ns: stamp.time_ns }))
    }

    /// The newest timestamp that is kept and whose authority the roots vouch for. What cannot be read counts for nothing: there
    /// will be a new one.
    async fn last(self: &Arc<Self>, log: &OwnLog) -> Option<Last> {
        let (this, log) = (self.clone(), log.clone());
        blocking(move || this.last_kept(&log)).await.ok().flatten()
    }

    fn last_kept(&self, log: &OwnLog) -> Result<Option<Last>, Failure> {
        for size in list_vouched(log.fs(), log.dir())?.into_iter().rev() {
            let Some(vouched) = read_vouched(log.fs(), log.dir(), size)? else { continue };
            let note = SignedNote::parse(&vouched.note)?;
            let text = note.text().as_bytes();
            let authority = &self.timestamping.authority;
            let stamps = vouched.timestamps.iter().filter_map(|response| authority.verify(response, text));
            if let Some(time_ns) = stamps.map(|stamp| stamp.time_ns).max() {
                return Ok(Some(Last { size, time_ns }));
            }
        }
        Ok(None)
    }

    /// How the authority stands to each log, for metrics.
    pub(super) fn sample(&self) -> Vec<TimestampSample> {
        let standings = self.standings.lock();
        let samples = standings.values().map(|standing| TimestampSample {
            system: standing.system.clone(),
            is_up: standing.trouble.is_none(),
            failures: standing.failures,
            size: standing.last.map_or(0, |last| last.size),
            time: standing.last.map_or(0, |last| last.time_ns / 1_000_000_000),
        });
        samples.collect()
    }
}

/// Whether a checkpoint of this size is to be stamped: a first one; a larger one, a period after the last; or the same one, after a
/// day.
fn is_due(last: Option<Last>, size: u64, now_ns: u64, period: Duration) -> bool {
    let Some(last) = last else { return size > 0 };
    let elapsed = Duration::from_nanos(now_ns.saturating_sub(last.time_ns));
    elapsed >= if size > last.size { period } else { period.max(IDLE_PERIOD) }
}

/// Runs what blocks off the threads that serve; its failure in words.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(move || work().map_err(|failure| failure.to_string())).await;
    done.unwrap_or_else(|error| Err(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_due_when_the_log_grew_or_a_day_passed() {
        const HOUR: Duration = Duration::from_secs(3_600);
        let hours = |hours: u64| hours * HOUR.as_nanos() as u64;
        let last = Some(Last { size: 5, time_ns: hours(100) });
        assert!(!is_due(None, 0, hours(0), HOUR), "there is nothing yet");
        assert!(is_due(None, 1, hours(0), HOUR));
        for (size, now, expected) in [
            (6, 100, false),
            (6, 101, true),
            (5, 101, false),
            (5, 123, false),
            (5, 124, true),
            // A clock that was set back.
            (6, 99, false),
        ] {
            assert_eq!(is_due(last, size, hours(now), HOUR), expected, "{size} at {now}");
        }
        assert!(
            !is_due(last, 5, hours(130), 48 * HOUR),
            "a longer period counts for a log that does not grow, too"
        );
    }
}
