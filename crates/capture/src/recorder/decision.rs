//! A decision being recorded: opened at once, finished later, never forgotten.
//!
//! One exchange is one [`Decision`]: what it records first and what it records last. Where several exchanges share a decision,
//! [`Ongoing`] is what they share: the first begins it, the others join, and it ends when somebody closes it.

use crate::recorder::draft::{NewContent, NewDecision, NewEvent};
use crate::recorder::identities::Firsts;
use crate::recorder::write::{Steps, decision_appends};
use crate::recorder::{RecordError, Recorder, System};
use inferlog_log::{Append, AppendError, Appended, Pending};
use inferlog_record::body::{DecisionClosed, Delivery, ErrorCode, ExchangeEnd, Outcome};
use inferlog_record::{
    Capture, CaptureMethod, ClearName, Completeness, Count, Id, MediaType, PayloadRole, Timestamp,
};
use parking_lot::Mutex;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Content above which sealing is moved off the threads that serve requests, bytes. Below, moving costs more than sealing.
const SEAL_INLINE_BYTES_MAX: usize = 128 << 10;

/// A write that has its place in the log's order.
struct Written {
    pending: Pending,
    firsts: Firsts,
}

impl Written {
    async fn durable(self) -> Result<Appended, AppendError> {
        let appended = self.pending.durable().await?;
        self.firsts.keep();
        Ok(appended)
    }
}

/// A decision that was opened. Finish it; if it is dropped before, its record is closed as aborted, as far as that is possible
/// at that moment, and otherwise as `interrupted` by the next start.
#[must_use = "a decision that is dropped is recorded as aborted"]
pub struct Decision {
    system: System,
    steps: Steps,
    opening: Opening,
    state: Progress,
    /// What other exchanges join, where they may.
    shared: Option<Ongoing>,
}

enum Opening {
    Waiting(Pin<Box<dyn Future<Output = Result<Appended, AppendError>> + Send>>),
    Settled(Result<Appended, AppendError>),
}

#[derive(Clone, Copy, PartialEq)]
enum Progress {
    Open,
    Finishing,
    Finished,
}

/// An exchange whose record is durable, and its decision.
pub struct Recorded {
    ongoing: Ongoing,
    index: u64,
}

/// A decision that more may be added to: exchanges that join it, and events. Cheap to clone.
#[derive(Clone)]
pub struct Ongoing {
    pub(super) system: System,
    pub(super) steps: Arc<Mutex<Steps>>,
}

impl System {
    /// Opens a decision: mints its id and queues its opening, which [`Decision::opened`] waits for. If this future is
    /// dropped before it is done, nothing was opened.
    pub async fn begin(&self, new: NewDecision) -> Result<Decision, RecordError> {
        let _gate = self.inner.gate.read().await;
        self.inner.check_open()?;
        let NewDecision { subjects, class, opened, more } = new;
        let mut steps = Steps::begin(self, &subjects, class).inspect_err(|error| self.inner.note(error))?;
        let events = std::iter::once(opened).chain(more).collect();
        let appends = self.build(&mut steps, events).await?;
        let pending = self.state.log.submit(appends).await?;
        // Nothing is awaited between the queue and here: from now on the decision exists, and its drop says so.
        let opening = Opening::Waiting(Box::pin(pending.durable()));
        Ok(Decision { system: self.clone(), steps, opening, state: Progress::Open, shared: None })
    }

    /// An id for an event or a payload that others refer to before it is recorded.
    pub fn mint(&self) -> Result<Id, RecordError> {
        self.inner.minter.id()
    }

    async fn build(&self, steps: &mut Steps, events: Vec<NewEvent>) -> Result<Vec<Append>, RecordError> {
        self.try_build(steps, events).await.inspect_err(|error| self.inner.note(error))
    }

    async fn try_build(&self, steps: &mut Steps, events: Vec<NewEvent>) -> Result<Vec<Append>, RecordError> {
        if events.iter().map(NewEvent::bytes).sum::<usize>() <= SEAL_INLINE_BYTES_MAX {
            return decision_appends(self, steps, events);
        }
        let (system, mut copy) = (self.clone(), steps.clone());
        let built = tokio::task::spawn_blocking(move || {
            let appends = decision_appends(&system, &mut copy, events)?;
            Ok::<_, RecordError>((appends, copy))
        });
        let (appends, after) = built.await??;
        *steps = after;
        Ok(appends)
    }

    async fn write(&self, steps: &mut Steps, events: Vec<NewEvent>) -> Result<Written, RecordError> {
        let _gate = self.inner.gate.read().await;
        self.inner.check_open()?;
        let mut firsts = Firsts::of(self, steps.decision, &events)?;
        let mut appends = firsts.take();
        appends.extend(self.build(steps, events).await?);
        Ok(Written { pending: self.state.log.submit(appends).await?, firsts })
    }
}

impl Decision {
    /// The decision's id.
    pub fn id(&self) -> Id {
        self.steps.decision
    }

    /// Waits until the opening is durable. May be dropped and called again.
    pub async fn opened(&mut self) -> Result<(), RecordError> {
        if let Opening::Waiting(waiting) = &mut self.opening {
            let settled = waiting.as_mut().await;
            if settled.is_ok() {
                self.steps.mark_durable();
            }
            self.opening = Opening::Settled(settled);
        }
        match &self.opening {
            Opening::Settled(Err(error)) => Err(error.clone().into()),
            _ => Ok(()),
        }
    }

    /// Queues events without waiting for them; [`Decision::finish`] does.
    pub async fn note(&mut self, events: Vec<NewEvent>) -> Result<(), RecordError> {
        self.system.write(&mut self.steps, events).await.map(drop)
    }

    /// Records the rest, a `decision.closed` at its end unless the decision goes on, and waits until all of it is durable.
    /// Where it fails the decision is still open, and may be finished with less.
    pub async fn finish(&mut self, events: Vec<NewEvent>) -> Result<Recorded, RecordError> {
        let pending = self.system.write(&mut self.steps, events).await?;
        self.state = Progress::Finishing;
        let index = pending.durable().await?.index;
        // The log keeps its order: what was queued before is durable too, unless it was refused.
        self.opened().await?;
        self.steps.mark_durable();
        self.state = Progress::Finished;
        let ongoing = self.shared.clone().unwrap_or_else(|| self.ongoing());
        ongoing.steps.lock().follow(&self.steps);
        Recorder { inner: self.system.inner.clone() }.remember(&ongoing);
        Ok(Recorded { ongoing, index })
    }

    /// What further exchanges and events are added to. From now on this exchange's end is not the decision's.
    pub fn share(&mut self) -> Ongoing {
        let ongoing = self.ongoing();
        self.shared = Some(ongoing.clone());
        ongoing
    }

    fn ongoing(&self) -> Ongoing {
        Ongoing { system: self.system.clone(), steps: Arc::new(Mutex::new(self.steps.fork())) }
    }
}

impl Drop for Decision {
    fn drop(&mut self) {
        if self.state == Progress::Finished || matches!(self.opening, Opening::Settled(Err(_))) {
            return;
        }
        let (system, mut steps) = (self.system.clone(), self.steps.clone());
        let closed = if self.shared.is_some() { broken_off(&system) } else { aborted(&system) };
        self.system.inner.runtime.spawn(async move {
            let closed = async { system.write(&mut steps, vec![closed]).await?.durable().await.map_err(RecordError::from) };
            if let Err(error) = closed.await {
                tracing::warn!(decision = %steps.decision, %error, "a decision that was given up could not be closed");
            }
        });
    }
}

/// The end of a decision that somebody dropped.
fn aborted(system: &System) -> NewEvent {
    let mut event = NewEvent::new(closed(Outcome::Aborted, ExchangeEnd::Unknown));
    event.ended_at = Some(system.inner.minter.now());
    event.capture = Some(capture_of_recorder());
    event
}

/// The end of an exchange of a decision that goes on, which somebody dropped.
fn broken_off(system: &System) -> NewEvent {
    let mut event = NewEvent::new(Delivery { end: Some(ExchangeEnd::Unknown), of: None, part: None });
    event.ended_at = Some(system.inner.minter.now());
    event.capture = Some(capture_of_recorder());
    event
}

impl Ongoing {
    pub(crate) fn new(system: System, steps: Steps) -> Self {
        Self { system, steps: Arc::new(Mutex::new(steps)) }
    }

    /// The decision's id.
    pub fn id(&self) -> Id {
        self.steps.lock().decision
    }

    /// The system that it is recorded in.
    pub fn system(&self) -> &System {
        &self.system
    }

    /// Queues the beginning of a further exchange, a `decision.joined` first; [`Decision::opened`] waits for it.
    pub async fn join(&self, events: Vec<NewEvent>) -> Result<Decision, RecordError> {
        let mut steps = self.steps.lock().fork();
        let pending = self.system.write(&mut steps, events).await?;
        self.steps.lock().follow(&steps);
        let opening = Opening::Waiting(Box::pin(pending.durable()));
        let (system, shared) = (self.system.clone(), Some(self.clone()));
        Ok(Decision { system, steps, opening, state: Progress::Open, shared })
    }

    /// Adds events, and waits until they are durable: index of the last entry that holds them.
    pub async fn add(&self, events: Vec<NewEvent>) -> Result<u64, RecordError> {
        let mut steps = self.steps.lock().fork();
        let pending = self.system.write(&mut steps, events).await?;
        self.steps.lock().follow(&steps);
        let index = pending.durable().await?.index;
        steps.mark_durable();
        Ok(index)
    }

    /// Events that are recorded from now on come after this one, unless they say otherwise.
    pub fn follow(&self, last: Id) {
        self.steps.lock().set_last(last);
    }

    /// Whether it was closed and nothing joined it since, or its recorder was closed.
    pub fn is_closed(&self) -> bool {
        self.steps.lock().is_closed() || self.system.inner.check_open().is_err()
    }
}

impl Recorded {
    /// The decision's id.
    pub fn id(&self) -> Id {
        self.ongoing.id()
    }

    /// The time, as its events state it.
    pub fn now(&self) -> Timestamp {
        self.ongoing.system.now()
    }

    /// What further exchanges and events are added to.
    pub fn ongoing(&self) -> &Ongoing {
        &self.ongoing
    }

    /// Index of the entry that closed it, in the log of its system.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Adds later events: a delivery that failed, a review. Waits until they are durable.
    pub async fn add(&self, events: Vec<NewEvent>) -> Result<u64, RecordError> {
        self.ongoing.add(events).await
    }
}

/// A `decision.closed` with no more than its ends.
pub fn closed(outcome: Outcome, exchange: ExchangeEnd) -> DecisionClosed {
    let (error, status, time_to_first_byte_ns) = (None, None, None);
    DecisionClosed { error, exchange: Some(exchange), outcome, status, time_to_first_byte_ns }
}

/// What the Recorder itself says of events that it adds.
pub(crate) fn capture_of_recorder() -> Capture {
    Capture {
        adapter: ClearName::or_unlisted("recorder"),
        adapter_version: ClearName::or_unlisted(env!("CARGO_PKG_VERSION")),
        bytes_dropped: Count(0),
        completeness: Completeness::EventOnly,
        method: CaptureMethod::Layer,
    }
}

/// The payload `error`: its code and a message.
pub fn error_payload(code: ErrorCode, message: &str) -> (PayloadRole, NewContent) {
    let json = serde_json::json!({ "code": code.as_str(), "message": message });
    (PayloadRole::Error, NewContent::personal(MediaType::Json, json.to_string()))
}
