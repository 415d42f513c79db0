//! What a follower says of itself, to whoever asks from another thread.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use inferlog_disk::{Clock, SystemClock};

use crate::engine::{LogName, Position};

/// A follower's status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// What it is doing.
    pub state: State,
    /// Times it could not go on.
    pub failures: u64,
    /// Every log that it follows, in the order of their origins.
    pub logs: Vec<LogStatus>,
}

/// What a follower is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Everything under the checkpoints was there when they were last looked at.
    Following,
    /// More waits than one batch holds.
    #[default]
    CatchingUp,
    /// It could not go on, and tries again.
    Failing {
        /// Why, and what to do.
        why: String,
        /// Since when, nanoseconds since 1970.
        since_ns: u64,
    },
    /// It was asked to end.
    Stopped,
}

/// How far one log was followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStatus {
    /// The log.
    pub name: LogName,
    /// The first entry whose events are not there yet.
    pub next: u64,
    /// Entries under the log's checkpoint.
    pub size: u64,
    /// The first entry whose payloads were not looked at for identifiers and content.
    pub identified: u64,
    /// When the newest event that is there was logged, nanoseconds since 1970; 0 if there is none.
    pub newest_ns: i64,
    /// When the oldest entry that is not there was logged; `None` if all are there.
    pub oldest_waiting_ns: Option<i64>,
}

impl LogStatus {
    /// Entries that are not there yet.
    pub fn lag_entries(&self) -> u64 {
        self.size.saturating_sub(self.next)
    }

    /// The age of the oldest entry that is not there, nanoseconds; 0 if all are.
    pub fn lag_ns(&self) -> u64 {
        let now = i64::try_from(SystemClock.now_ns()).unwrap_or(i64::MAX);
        self.oldest_waiting_ns.map_or(0, |oldest| u64::try_from(now.saturating_sub(oldest)).unwrap_or(0))
    }

    pub(super) fn at(&mut self, position: Position) {
        self.next = position.next;
        self.identified = position.identified;
        self.newest_ns = position.newest_ns;
    }
}

/// A view on the status of a follower that may run on another thread. A clone looks at the same one.
#[derive(Clone, Debug, Default)]
pub struct StatusHandle(Arc<Mutex<Status>>);

impl StatusHandle {
    /// The status now.
    pub fn get(&self) -> Status {
        self.lock().clone()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self, state: State) {
        let mut status = self.lock();
        // How long it has been failing is told from the first failure.
        match (&mut status.state, state) {
            (State::Failing { why, .. }, State::Failing { why: now, .. }) => *why = now,
            (was, state) => *was = state,
        }
    }

    pub(super) fn log(&self, name: &LogName, change: impl FnOnce(&mut LogStatus)) {
        let mut status = self.lock();
        let at = match status.logs.binary_search_by(|log| log.name.origin.cmp(&name.origin)) {
            Ok(at) => at,
            Err(at) => {
                let new = LogStatus {
                    name: name.clone(),
                    next: 0,
                    size: 0,
                    identified: 0,
                    newest_ns: 0,
                    oldest_waiting_ns: None,
                };
                status.logs.insert(at, new);
                at
            }
        };
        change(&mut status.logs[at]);
    }
}
