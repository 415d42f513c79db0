//! A decision being recorded: opened at once, finished later, never forgotten.

use crate::recorder::draft::{NewContent, NewDecision, NewEvent};
use crate::recorder::write::{Steps, decision_appends};
use crate::recorder::{RecordError, System};
use inferlog_log::{Append, AppendError, Appended, Pending};
use inferlog_record::body::{DecisionClosed, ErrorCode, ExchangeEnd, Outcome};
use inferlog_record::{
    Capture, CaptureMethod, ClearName, Completeness, Count, Id, MediaType, PayloadRole, Timestamp,
};
use std::future::Future;
use std::pin::Pin;

/// Content above which sealing is moved off the threads that serve requests, bytes. Below, moving costs more than sealing.
const SEAL_INLINE_BYTES_MAX: usize = 128 << 10;

/// A decision that was opened. Finish it; if it is dropped before, its record is closed as aborted, as far as that is possible
/// at that moment, and otherwise as `interrupted` by the next start.
#[must_use = "a decision that is dropped is recorded as aborted"]
pub struct Decision {
    system: System,
    steps: Steps,
    opening: Opening,
    state: Progress,
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

/// A decision whose record is durable. Later events can be added as long as this is kept.
pub struct Recorded {
    system: System,
    steps: Steps,
    index: u64,
}

impl System {
    /// Opens a decision: mints its id and queues its opening, which [`Decision::opened`] waits for. If this future is
    /// dropped before it is done, nothing was opened.
    pub async fn begin(&self, new: NewDecision) -> Result<Decision, RecordError> {
        let _gate = self.inner.gate.read().await;
        self.inner.check_open()?;
        let NewDecision { subjects, class, opened } = new;
        let mut steps = Steps::begin(self, &subjects, class).inspect_err(|error| self.inner.note(error))?;
        let appends = self.build(&mut steps, vec![opened]).await?;
        let pending = self.state.log.submit(appends).await?;
        // Nothing is awaited between the queue and here: from now on the decision exists, and its drop says so.
        let opening = Opening::Waiting(Box::pin(pending.durable()));
        Ok(Decision { system: self.clone(), steps, opening, state: Progress::Open })
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

    async fn write(&self, steps: &mut Steps, events: Vec<NewEvent>) -> Result<Pending, RecordError> {
        let _gate = self.inner.gate.read().await;
        self.inner.check_open()?;
        let appends = self.build(steps, events).await?;
        Ok(self.state.log.submit(appends).await?)
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

    /// Records the rest, a `decision.closed` at its end, and waits until all of the decision is durable.
    pub async fn finish(mut self, events: Vec<NewEvent>) -> Result<Recorded, RecordError> {
        let pending = self.system.write(&mut self.steps, events).await?;
        self.state = Progress::Finishing;
        let index = pending.durable().await?.index;
        // The log keeps its order: what was queued before is durable too, unless it was refused.
        self.opened().await?;
        self.steps.mark_durable();
        self.state = Progress::Finished;
        Ok(Recorded { system: self.system.clone(), steps: self.steps.clone(), index })
    }
}

impl Drop for Decision {
    fn drop(&mut self) {
        if self.state == Progress::Finished || matches!(self.opening, Opening::Settled(Err(_))) {
            return;
        }
        let (system, mut steps) = (self.system.clone(), self.steps.clone());
        let closed = aborted(&system);
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

impl Recorded {
    /// The decision's id.
    pub fn id(&self) -> Id {
        self.steps.decision
    }

    /// The time, as its events state it.
    pub fn now(&self) -> Timestamp {
        self.system.now()
    }

    /// Index of the entry that closed it, in the log of its system.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Adds later events: a delivery that failed, a review. Waits until they are durable.
    pub async fn add(&mut self, events: Vec<NewEvent>) -> Result<u64, RecordError> {
        let pending = self.system.write(&mut self.steps, events).await?;
        Ok(pending.durable().await?.index)
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
