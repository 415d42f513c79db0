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
use crate::recorder::Ongoing;
use crate::route::{DECISION, JoinBy, Route};
use crate::wire;
use bytes::Bytes;
use inferlog_record::body::{ErrorCode, ExchangeEnd, Outcome};
use inferlog_record::{Id, SystemName};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Longest text that may make exchanges one decision, bytes.
const KEY_BYTES_MAX: usize = 1024;
/// Open decisions at one time; beyond, those that lie idle longest are closed first.
const THREADS_MAX: usize = 16_384;
/// Time between two looks for decisions that lie idle.
pub(crate) const SWEEP_PERIOD: Duration = Duration::from_millis(500);

/// What exchanges of one decision have in common: the system, a text, and the persons it is about. An exchange about another
/// person is another decision: one key opens it all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    system: SystemName,
    text: Bytes,
    subjects: Vec<Bytes>,
}

impl Key {
    /// The key of a request; none where nothing ties it to others.
    pub(crate) fn of(route: &Route, asked: &Asked, subjects: &[Bytes]) -> Option<Self> {
        let header =
            |name: &str| asked.head.headers.get(name).map(|value| Bytes::copy_from_slice(value.as_bytes()));
        let by = |join: &JoinBy| match join {
            JoinBy::Trace => trace(&header("traceparent")?),
            JoinBy::Header(name) => header(name.as_str()),
            JoinBy::Pointer(pointer) => wire::texts(asked.content.legible(), pointer, 1).pop(),
        };
        let text = header(DECISION.as_str()).or_else(|| route.join.iter().find_map(by))?;
        let is_usable = !text.is_empty() && text.len() <= KEY_BYTES_MAX;
        is_usable.then(|| Self { system: route.system.clone(), text, subjects: subjects.to_vec() })
    }

    /// The decision that the key itself names.
    pub(crate) fn decision(&self) -> Option<Id> {
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
}

impl Threads {
    pub(crate) fn slot(&self, key: &Key) -> Slot {
        self.slots.lock().entry(key.clone()).or_default().clone()
    }

    /// Decisions to be closed now: idle for their time, or too many. They leave the table.
    fn idle(&self, all: bool) -> Vec<Arc<Thread>> {
        let mut slots = self.slots.lock();
        let mut over = slots.len().saturating_sub(THREADS_MAX);
        let mut idle = Vec::new();
        slots.retain(|_, slot| {
            // Somebody is joining, or about to: a slot is handed out under the lock held here.
            if Arc::strong_count(slot) > 1 {
                return true;
            }
            let Ok(found) = slot.try_lock() else { return true };
            let Some(thread) = found.as_ref() else { return false };
            if thread.is_over() {
                return thread.in_flight() > 0;
            }
            let is_idle = thread.is_idle() || (thread.in_flight() == 0 && (all || over > 0));
            if is_idle {
                over = over.saturating_sub(1);
                idle.push(thread.clone());
            }
            !is_idle
        });
        idle
    }
}

impl Inner {
    /// Closes decisions that lie idle; with `all`, every one that no exchange is under way for.
    pub(crate) async fn close_threads(&self, all: bool) {
        for thread in self.threads.idle(all) {
            let events = describe::ending(&thread.lane, thread.outcome(all), thread.last_inference());
            if let Err(error) = thread.ongoing.end(events).await {
                tracing::warn!(decision = %thread.ongoing.id(), %error, "a decision that lay idle could not be closed");
            }
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

    /// Whether nothing joins it any more: it was closed, or is about to be.
    pub(crate) fn is_over(&self) -> bool {
        self.ongoing.is_closed() || self.state.lock().is_ending
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

    fn is_idle(&self) -> bool {
        let state = self.state.lock();
        state.in_flight == 0 && state.idle_since.elapsed() >= self.lane.route.limits.idle_time_max
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
