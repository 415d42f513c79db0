//! What is told of followers.

use inferlog_index::{LogStatus, Skipped, State, Status};
use serde::{Deserialize, Serialize};

/// One follower.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FollowerReport {
    /// Its name: the kind of store, and a number where there are several.
    pub(crate) name: String,
    /// Where what it derives is.
    pub(crate) store: String,
    /// `following`, `catching up`, `failing`, `stopped`.
    pub(crate) state: String,
    /// Why it fails, and what to do.
    pub(crate) why: Option<String>,
    /// Times it failed.
    pub(crate) failures: u64,
    /// How far it is in each log.
    pub(crate) logs: Vec<LogReport>,
    /// Entries that were left out on purpose.
    pub(crate) skipped: Vec<SkippedReport>,
}

/// How far a log was followed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LogReport {
    /// Its origin.
    pub(crate) log: String,
    /// The system.
    pub(crate) system: String,
    /// The first entry that is not there yet.
    pub(crate) next: u64,
    /// Entries under the checkpoint.
    pub(crate) size: u64,
    /// The first entry whose payloads were not looked at for external ids and content.
    pub(crate) identified: u64,
    /// Entries that are not there yet.
    pub(crate) lag_entries: u64,
    /// Age of the oldest of them.
    pub(crate) lag_seconds: f64,
    /// What the follower's cursor says, on which erasures and purges wait; `None` before it was looked up, or if there is none.
    #[serde(default)]
    pub(crate) cursor: Option<u64>,
    /// Erasures that the cursor has not passed.
    #[serde(default)]
    pub(crate) erasures_waiting: u64,
    /// Purges that the cursor has not passed.
    #[serde(default)]
    pub(crate) purges_waiting: u64,
}

/// Entries that were left out on purpose.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SkippedReport {
    pub(crate) log: String,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) reason: String,
    pub(crate) at: String,
}

const NS_PER_SECOND: f64 = 1e9;

impl FollowerReport {
    /// What a follower says of itself.
    pub(super) fn new(name: &str, store: String, status: Status, failures: u64) -> Self {
        let (state, why) = match status.state {
            State::Following => ("following", None),
            State::CatchingUp => ("catching up", None),
            State::Failing { why, .. } => ("failing", Some(why)),
            State::Stopped => ("stopped", None),
        };
        Self {
            name: name.to_owned(),
            store,
            state: state.to_owned(),
            why,
            failures,
            logs: status.logs.iter().map(LogReport::from).collect(),
            skipped: Vec::new(),
        }
    }

    /// Entries that are not there yet, of all logs.
    pub(crate) fn lag_entries(&self) -> u64 {
        self.logs.iter().map(|log| log.lag_entries).sum()
    }

    /// Age of the oldest of them, seconds.
    pub(crate) fn lag_seconds(&self) -> f64 {
        self.logs.iter().map(|log| log.lag_seconds).fold(0.0, f64::max)
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.why.is_some()
    }
}

impl From<&LogStatus> for LogReport {
    fn from(log: &LogStatus) -> Self {
        Self {
            log: log.name.origin.clone(),
            system: log.name.system.clone(),
            next: log.next,
            size: log.size,
            identified: log.identified,
            lag_entries: log.lag_entries(),
            lag_seconds: log.lag_ns() as f64 / NS_PER_SECOND,
            cursor: None,
            erasures_waiting: 0,
            purges_waiting: 0,
        }
    }
}

impl From<Skipped> for SkippedReport {
    fn from(skipped: Skipped) -> Self {
        let Skipped { origin, first, last, reason, at } = skipped;
        Self { log: origin, first, last, reason, at: at.to_string() }
    }
}

impl SkippedReport {
    /// The entries, in words.
    pub(crate) fn to_text(&self) -> String {
        let Self { log, first, last, reason, .. } = self;
        let entries =
            if first == last { format!("entry {first}") } else { format!("entries {first} to {last}") };
        format!("{entries} of {log} ({reason})")
    }
}
