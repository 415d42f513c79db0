//! Decisions that go on over several exchanges: an agent's.
//!
//! What makes exchanges one decision is what their route says ([`JoinBy`]), or the header `inferlog-decision`. The first begins
//! the decision, the others join it. It ends with the exchange that says so, with the application's word, or when nothing
//! came for the route's idle time. The table is this process's own: what a crash leaves open, recovery closes as interrupted.

use crate::gateway::call::{Asked, Called, Moment};
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
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Longest text that may make exchanges one decision, bytes.
const KEY_BYTES_MAX: usize = 1024;
/// Open decisions at one time; beyond, those that lie idle longest are closed first.
const THREADS_MAX: usize = 16_384;
/// Calls of tools that a decision remembers until their results come.
const CALLS_MAX: usize = 4_096;
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
            // Somebody is joining.
            let Ok(found) = slot.try_lock() else { return true };
            let Some(thread) = found.as_ref() else { return Arc::strong_count(slot) > 1 };
            if thread.ongoing.is_closed() {
                return false;
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
            if let Err(error) = thread.ongoing.add(events).await {
                tracing::warn!(decision = %thread.ongoing.id(), %error, "a decision that lay idle could not be closed");
            }
        }
    }
}

/// A decision that goes on.
pub(crate) struct Thread {
    pub(crate) ongoing: Ongoing,
    pub(crate) lane: Arc<Lane>,
    state: Mutex<State>,
}

/// What the exchanges so far left for the next.
struct State {
    in_flight: u32,
    idle_since: Instant,
    /// Calls that the model asked for and that no result came for.
    calls: Vec<AskedCall>,
    /// Calls whose results were recorded: a request that is sent again brings them again.
    answered: HashSet<String>,
    attempts: HashMap<(String, Bytes), u32>,
    tools: u64,
    last: Last,
}

/// How the latest exchange ended.
#[derive(Clone, Copy)]
pub(crate) struct Last {
    pub(crate) outcome: Outcome,
    pub(crate) exchange: ExchangeEnd,
    pub(crate) error: Option<ErrorCode>,
    pub(crate) status: Option<u16>,
    inference: Option<Id>,
}

/// A call of a tool that the model asked for.
#[derive(Clone)]
pub(crate) struct AskedCall {
    pub(crate) call: String,
    pub(crate) name: String,
    pub(crate) arguments: Bytes,
    /// The model call that asked for it, and when it had answered.
    pub(crate) inference: Id,
    pub(crate) at: Moment,
}

/// A result as it is counted in its decision.
pub(crate) struct Counted {
    /// The call that asked for it, if the decision knows of it.
    pub(crate) asked: Option<AskedCall>,
    /// Which attempt of the same call it is, from 1.
    pub(crate) attempt: u32,
    /// Its place among the decision's tool calls, from 1.
    pub(crate) seq: u64,
}

impl Thread {
    pub(crate) fn new(ongoing: Ongoing, lane: Arc<Lane>) -> Arc<Self> {
        let last = Last {
            outcome: Outcome::Aborted,
            exchange: ExchangeEnd::Unknown,
            error: None,
            status: None,
            inference: None,
        };
        let state = State {
            in_flight: 0,
            idle_since: Instant::now(),
            calls: Vec::new(),
            answered: HashSet::new(),
            attempts: HashMap::new(),
            tools: 0,
            last,
        };
        Arc::new(Self { ongoing, lane, state: Mutex::new(state) })
    }

    /// Counts an exchange in, as long as the guard is there.
    pub(crate) fn enter(self: &Arc<Self>) -> Guard {
        self.state.lock().in_flight += 1;
        Guard(self.clone())
    }

    fn in_flight(&self) -> u32 {
        self.state.lock().in_flight
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
        let state = self.state.lock();
        if is_stopping && !state.calls.is_empty() {
            return Last {
                outcome: Outcome::Interrupted,
                exchange: ExchangeEnd::Interrupted,
                error: None,
                ..state.last
            };
        }
        state.last
    }

    /// Counts a tool's result; `None` if it was recorded before. The name and arguments are those that the request repeats.
    pub(crate) fn result(&self, call: &str, name: &str, arguments: Option<&Bytes>) -> Option<Counted> {
        let mut state = self.state.lock();
        if !call.is_empty() && !state.answered.insert(call.to_owned()) {
            return None;
        }
        let is_it = |asked: &AskedCall| {
            if call.is_empty() { name.is_empty() || asked.name == name } else { asked.call == call }
        };
        let at = state.calls.iter().position(is_it);
        let asked = at.map(|at| state.calls.remove(at));
        let same = match &asked {
            Some(asked) => (asked.name.clone(), asked.arguments.clone()),
            None => (name.to_owned(), arguments.cloned().unwrap_or_default()),
        };
        if state.attempts.len() >= CALLS_MAX {
            state.attempts.clear();
        }
        let attempt = state.attempts.entry(same).or_default();
        *attempt += 1;
        let attempt = *attempt;
        state.tools += 1;
        Some(Counted { asked, attempt, seq: state.tools })
    }

    /// Remembers what an exchange left: the calls it asked for, and how it ended.
    pub(crate) fn exchanged(&self, step: &Step, called: &Called, verdict: &Verdict, called_at: Moment) {
        self.ongoing.follow(step.inference);
        let mut state = self.state.lock();
        let told = if let Called::Told(told) = called { Some(told) } else { None };
        state.last = Last {
            outcome: verdict.outcome,
            exchange: verdict.exchange,
            error: verdict.error,
            status: told.map(|told| told.head.status.as_u16()),
            inference: Some(step.inference),
        };
        let at = called_at.then();
        for call in told.iter().flat_map(|told| &told.facts.tool_calls) {
            if state.calls.len() >= CALLS_MAX {
                state.calls.remove(0);
            }
            let (call, name, arguments) = (call.call.clone(), call.name.clone(), call.arguments.clone());
            state.calls.push(AskedCall { call, name, arguments, inference: step.inference, at });
        }
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
