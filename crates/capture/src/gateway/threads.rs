//! Decisions that go on over several exchanges: an agent's.
//!
//! What makes exchanges one decision is what their route says ([`JoinBy`]), or the header `inferlog-decision`. The first begins
//! the decision, the others join it. It ends with the exchange that says so, with the application's word, or when nothing
//! came for the route's idle time. The table is this process's own: what a crash leaves open, recovery closes as interrupted.

use crate::gateway::call::{Asked, Called};
use crate::gateway::calls::Calls;
use crate::gateway::describe;
use crate::gateway::step::Step;
use crate::gateway::verdict::Verdict;
use crate::gateway::{Inner, Lane};
use crate::recorder::{Ongoing, RecordError};
use crate::route::{DECISION, JoinBy, Route};
use crate::wire;
use bytes::Bytes;
use inferlog_record::body::{ErrorCode, ExchangeEnd, Outcome};
use inferlog_record::{Id, SystemName};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Longest text that may make exchanges one decision, bytes.
const KEY_BYTES_MAX: usize = 1024;
/// Open decisions at one time; beyond, those that lie idle longest are closed first.
const THREADS_MAX: usize = 16_384;
/// Decisions that are closed at one time.
const CLOSED_AT_ONCE_MAX: usize = 256;
/// Time between two looks for decisions that lie idle.
pub(crate) const SWEEP_PERIOD: Duration = Duration::from_millis(500);

/// What exchanges of one decision have in common: the system, a text and where it stands, and the persons it is about. An
/// exchange about another person is another decision: one key opens it all. So is one with the same text elsewhere, as of a
/// session `7` and a user `7`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    system: SystemName,
    /// None for the header [`DECISION`].
    by: Option<JoinBy>,
    text: Bytes,
    subjects: Vec<Bytes>,
}

impl Key {
    /// The key of a request; none where nothing ties it to others.
    pub(crate) fn of(route: &Route, asked: &Asked, subjects: &[Bytes]) -> Option<Self> {
        let header =
            |name: &str| asked.head.headers.get(name).map(|value| Bytes::copy_from_slice(value.as_bytes()));
        let text = |join: &JoinBy| match join {
            JoinBy::Trace => trace(&header("traceparent")?),
            JoinBy::Header(name) => header(name.as_str()),
            JoinBy::Pointer(pointer) => wire::texts(asked.content.legible(), pointer, 1).pop(),
        };
        let named = header(DECISION.as_str()).map(|text| (None, text));
        let joined = route.join.iter().filter_map(|by| Some((Some(by.clone()), text(by)?)));
        let mut keys = named.into_iter().chain(joined);
        let (by, text) = keys.find(|(_, text)| !text.is_empty() && text.len() <= KEY_BYTES_MAX)?;
        Some(Self { system: route.system.clone(), by, text, subjects: subjects.to_vec() })
    }

    /// The decision that the key itself names; one that is no more than a session's or a trace's names none.
    pub(crate) fn decision(&self) -> Option<Id> {
        if self.by.is_some() {
            return None;
        }
        std::str::from_utf8(&self.text).ok()?.parse().ok()
    }
}

/// The trace id of a `traceparent`: `00-<32 hex>-<16 hex>-<2 hex>`.
fn trace(traceparent: &Bytes) -> Option<Bytes> {
    let id = traceparent.get(3..35)?;
    let is_valid = id.iter().all(u8::is_ascii_hexdigit) && id.iter().any(|digit| *digit != b'0');
    is_valid.then(|| traceparent.slice(3..35))
}

/// The place of a key: held while the first exchange begins the decision, so that a second one joins it.
pub(crate) type Slot = Arc<tokio::sync::Mutex<Option<Arc<Thread>>>>;

/// The decisions that go on.
#[derive(Default)]
pub(crate) struct Threads {
    slots: Mutex<HashMap<Key, Slot>>,
    /// Those that nothing joins any more, and that are not closed yet: exchanges are under way in them, or their end could not
    /// be recorded.
    left: Mutex<Vec<Arc<Thread>>>,
}

impl Threads {
    pub(crate) fn slot(&self, key: &Key) -> Slot {
        self.slots.lock().entry(key.clone()).or_default().clone()
    }

    /// Takes a decision that nothing joins any more. It is closed when nothing is under way in it.
    pub(crate) fn leave(&self, thread: Arc<Thread>) {
        if !thread.is_done() {
            self.left.lock().push(thread);
        }
    }

    /// Decisions to be closed now: idle for their time, or too many. They leave the table.
    fn idle(&self, all: bool) -> Vec<Arc<Thread>> {
        let mut slots = self.slots.lock();
        let is_crowded = slots.len() > THREADS_MAX;
        let (mut idle, mut waiting) = (Vec::new(), Vec::new());
        slots.retain(|key, slot| {
            // Somebody is joining, or about to: a slot is handed out under the lock held here.
            if Arc::strong_count(slot) > 1 {
                return true;
            }
            let Ok(found) = slot.try_lock() else { return true };
            let Some(thread) = found.as_ref() else { return false };
            if thread.is_over() {
                // One that was to be ended goes on if that is not recorded.
                let is_under_way = thread.in_flight() > 0;
                if !is_under_way {
                    self.leave(thread.clone());
                }
                return is_under_way;
            }
            let Some(since) = thread.idle_since() else { return true };
            if all || since.elapsed() >= thread.lane.route.limits.idle_time_max {
                idle.push(thread.clone());
                return false;
            }
            if is_crowded {
                waiting.push((since, key.clone(), thread.clone()));
            }
            true
        });
        waiting.sort_unstable_by_key(|(since, ..)| *since);
        waiting.truncate(slots.len().saturating_sub(THREADS_MAX));
        for (_, key, thread) in waiting {
            slots.remove(&key);
            idle.push(thread);
        }
        drop(slots);
        self.left.lock().retain(|thread| {
            let is_waiting = thread.in_flight() > 0;
            if !is_waiting && !thread.is_done() {
                idle.push(thread.clone());
            }
            is_waiting
        });
        idle
    }
}

impl Inner {
    /// Closes decisions that lie idle; with `all`, every one that no exchange is under way for.
    pub(crate) async fn close_threads(&self, all: bool) {
        let mut idle = self.threads.idle(all).into_iter();
        let mut failed = None;
        loop {
            // Together, they share syncs of the log: one after the other, they would come in faster than they go.
            let mut closing = JoinSet::new();
            for thread in idle.by_ref().take(CLOSED_AT_ONCE_MAX) {
                closing.spawn_on(async move { (thread.close(all).await, thread) }, &self.runtime);
            }
            if closing.is_empty() {
                break;
            }
            while let Some(closed) = closing.join_next().await {
                let Ok((Err(error), thread)) = closed else { continue };
                let comes_right = ["disk_full", "log_poisoned"].contains(&error.code());
                let decision = thread.ongoing.id();
                if comes_right {
                    self.threads.leave(thread);
                }
                failed.get_or_insert((decision, error));
            }
        }
        if let Some((decision, error)) = failed {
            tracing::warn!(%decision, %error, "decisions that lay idle could not be closed, this one first");
        }
    }
}

/// A decision that goes on.
pub(crate) struct Thread {
    pub(crate) ongoing: Ongoing,
    pub(crate) lane: Arc<Lane>,
    /// Calls of tools in it.
    pub(crate) calls: Arc<Mutex<Calls>>,
    /// The event that opened it; none where it was begun before and is gone on with.
    opened: Option<Id>,
    state: Mutex<State>,
}

/// What the exchanges so far left for the next.
struct State {
    in_flight: u32,
    idle_since: Instant,
    last: Last,
    /// Whether a request that came said that it is the last: what comes after it is another decision.
    is_ending: bool,
}

/// How the latest exchange ended.
#[derive(Clone, Copy)]
pub(crate) struct Last {
    pub(crate) outcome: Outcome,
    pub(crate) exchange: ExchangeEnd,
    pub(crate) error: Option<ErrorCode>,
    pub(crate) status: Option<u16>,
    /// The latest model call.
    inference: Option<Id>,
}

impl Thread {
    /// The decision that the exchange of this step begins.
    pub(crate) fn new(ongoing: Ongoing, lane: Arc<Lane>, step: &Step) -> Arc<Self> {
        Self::with(ongoing, lane, step.calls.clone(), Some(step.admitted))
    }

    /// A decision that was begun before, and may have ended.
    pub(crate) fn resumed(ongoing: Ongoing, lane: Arc<Lane>) -> Arc<Self> {
        let calls = lane.ledgers.of(ongoing.id());
        Self::with(ongoing, lane, calls, None)
    }

    fn with(ongoing: Ongoing, lane: Arc<Lane>, calls: Arc<Mutex<Calls>>, opened: Option<Id>) -> Arc<Self> {
        let last = Last {
            outcome: Outcome::Aborted,
            exchange: ExchangeEnd::Unknown,
            error: None,
            status: None,
            inference: None,
        };
        let state = Mutex::new(State { in_flight: 0, idle_since: Instant::now(), last, is_ending: false });
        Arc::new(Self { ongoing, lane, calls, opened, state })
    }

    /// Counts an exchange in, as long as the guard is there. What is entered after one that ends the decision, does not join it.
    pub(crate) fn enter(self: &Arc<Self>, ends: bool) -> Guard {
        let mut state = self.state.lock();
        state.in_flight += 1;
        state.is_ending |= ends;
        drop(state);
        Guard(self.clone())
    }

    /// Whether nothing joins it any more: it was closed, or is about to be, or its keys were destroyed, so that nothing of what
    /// joins would be recorded.
    pub(crate) fn is_over(&self) -> bool {
        self.ongoing.is_closed() || self.state.lock().is_ending || self.ongoing.is_erased()
    }

    /// Whether nothing is under way in it, and it was closed: what was under way then does not open it again.
    fn is_done(&self) -> bool {
        let state = self.state.lock();
        state.in_flight == 0 && (state.is_ending || self.ongoing.is_closed())
    }

    /// Records its end.
    async fn close(&self, is_stopping: bool) -> Result<(), RecordError> {
        let events = describe::ending(&self.lane, self.outcome(is_stopping), self.last_inference());
        self.ongoing.end(events).await.map(drop)
    }

    /// The exchange that was to end it was not recorded.
    pub(crate) fn goes_on(&self) {
        self.state.lock().is_ending = false;
    }

    /// Exchanges under way.
    pub(crate) fn in_flight(&self) -> u32 {
        self.state.lock().in_flight
    }

    /// What a request that brings nothing comes after: the latest model call that has ended, or the opening.
    pub(crate) fn latest(&self) -> Option<Id> {
        self.calls.lock().latest.or(self.opened)
    }

    /// Since when nothing is under way in it, if nothing is.
    fn idle_since(&self) -> Option<Instant> {
        let state = self.state.lock();
        (state.in_flight == 0).then_some(state.idle_since)
    }

    fn last_inference(&self) -> Option<Id> {
        self.state.lock().last.inference
    }

    /// How the decision ends if nothing more comes: as its latest exchange, unless a tool was still to be called when the
    /// process ended.
    fn outcome(&self, is_stopping: bool) -> Last {
        let last = self.state.lock().last;
        let is_waiting = last.inference.is_some_and(|inference| self.calls.lock().is_waiting(inference));
        if is_stopping && is_waiting {
            let (outcome, exchange) = (Outcome::Interrupted, ExchangeEnd::Interrupted);
            return Last { outcome, exchange, error: None, ..last };
        }
        last
    }

    /// Remembers how an exchange ended.
    pub(crate) fn exchanged(&self, step: &Step, called: &Called, verdict: &Verdict) {
        self.ongoing.follow(step.inference);
        let told = if let Called::Told(told) = called { Some(told) } else { None };
        self.state.lock().last = Last {
            outcome: verdict.outcome,
            exchange: verdict.exchange,
            error: verdict.error,
            status: told.map(|told| told.head.status.as_u16()),
            inference: Some(step.inference),
        };
    }

    /// Remembers that a request was refused.
    pub(crate) fn refused(&self, verdict: &Verdict) {
        let last = &mut self.state.lock().last;
        let Verdict { outcome, exchange, error, .. } = *verdict;
        *last = Last { outcome, exchange, error, status: None, inference: last.inference };
    }
}

/// An exchange under way in a decision.
pub(crate) struct Guard(Arc<Thread>);

impl Guard {
    pub(crate) fn thread(&self) -> &Arc<Thread> {
        &self.0
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.in_flight -= 1;
        state.idle_since = Instant::now();
    }
}
