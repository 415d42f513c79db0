//! A decision being recorded: opened at once, finished later, never forgotten.
//!
//! One exchange is one [`Decision`]: what it records first and what it records last. Where several exchanges share a decision,
//! [`Ongoing`] is what they share: the first begins it, the others join, and it ends when somebody closes it.

use crate::recorder::draft::{NewContent, NewDecision, NewEvent};
use crate::recorder::ongoing::{Ongoing, Recorded};
use crate::recorder::queue::{Room, Written};
use crate::recorder::sample::{Place, Selection, Unselected};
use crate::recorder::write::{Mark, Steps};
use crate::recorder::{RecordError, Recorder, System};
use inferlog_log::{AppendError, Appended};
use inferlog_record::body::{Body, DecisionClosed, Delivery, ErrorCode, ExchangeEnd, Outcome};
use inferlog_record::{
    Capture, CaptureMethod, ClearName, Completeness, Count, Id, MediaType, PayloadRole, Why,
};
use std::future::Future;
use std::pin::Pin;

/// A decision that was opened. Finish it; if it is dropped before, its record is closed as aborted, as far as that is possible
/// at that moment, and otherwise as `interrupted` by the next start.
#[must_use = "a decision that is dropped is recorded as aborted"]
pub struct Decision {
    system: System,
    steps: Steps,
    opening: Opening,
    /// Where the decision was before this exchange joined it.
    joined: Option<Mark>,
    /// Queued and not waited for yet.
    noted: Option<Written>,
    /// Where it is counted once its opening is durable, if a policy's sampling selected it.
    selected: Option<Place>,
    /// What other exchanges join, where they may.
    shared: Option<Ongoing>,
    /// How it is closed if it is dropped.
    dropped: Outcome,
    is_over: bool,
    is_unsure: bool,
}

enum Opening {
    Waiting(Pin<Box<dyn Future<Output = Result<Appended, AppendError>> + Send>>),
    Settled(Result<(), AppendError>),
    /// Not selected by the policy's sampling: nothing is written unless it must be.
    Unselected(Box<Unselected>),
}

impl Opening {
    /// Of a decision that was not selected, whose events have their place in the log: what is to be put back if they are refused.
    fn admit(&mut self) -> Option<Box<Unselected>> {
        match std::mem::replace(self, Self::Settled(Ok(()))) {
            Self::Unselected(unselected) => Some(unselected),
            other => {
                *self = other;
                None
            }
        }
    }
}

impl System {
    /// Opens a decision: mints its id and queues its opening, which [`Decision::opened`] waits for. If this future is
    /// dropped before it is done, nothing was opened.
    pub async fn begin(&self, new: NewDecision) -> Result<Decision, RecordError> {
        let _gate = self.inner.gate.read().await;
        self.inner.check_open()?;
        let NewDecision { subjects, mut opened, more, may_be_joined } = new;
        self.check_session(opened.session)?;
        self.check_matches(opened.session, None, std::iter::once(&opened).chain(&more))?;
        let class = match &opened.body {
            Body::DecisionOpened(opened) => self.class_of(opened.route.as_ref()),
            _ => self.class_of(None),
        };
        let decision = self.inner.minter.id()?;
        let selection = if may_be_joined { Selection::Unasked } else { self.select(decision, &opened)? };
        if let Selection::PassedOver(place) = selection {
            opened.started_at.get_or_insert(self.now());
            let events = std::iter::once(opened).chain(more).collect();
            let steps = Unselected::no_steps(decision, class.clone());
            let unselected = Box::new(Unselected::new(place, subjects, class, events));
            return Ok(Decision::new(self.clone(), steps, Opening::Unselected(unselected)));
        }
        let mut steps =
            Steps::begin_as(self, decision, &subjects, class).inspect_err(|error| self.inner.note(error))?;
        let mut events: Vec<NewEvent> = std::iter::once(opened).chain(more).collect();
        self.hide_names(&mut events)?;
        let appends = self.build(&mut steps, events).await?;
        let pending = self.state.log.submit(appends).await?;
        // Nothing is awaited between the queue and here: from now on the decision exists, and its drop says so.
        let opening = Opening::Waiting(Box::pin(pending.durable()));
        let mut begun = Decision::new(self.clone(), steps, opening);
        if let Selection::Selected(place) = selection {
            begun.selected = Some(place);
        }
        Ok(begun)
    }

    /// An id for an event or a payload that others refer to before it is recorded.
    pub fn mint(&self) -> Result<Id, RecordError> {
        self.inner.minter.id()
    }
}

impl Decision {
    /// A further exchange of a decision, whose beginning was queued.
    pub(super) fn joining(shared: &Ongoing, steps: Steps, written: Written) -> Self {
        let joined = Some(written.before.clone());
        let mut decision =
            Self::new(shared.system.clone(), steps, Opening::Waiting(Box::pin(written.durable())));
        (decision.joined, decision.shared) = (joined, Some(shared.clone()));
        decision
    }

    fn new(system: System, steps: Steps, opening: Opening) -> Self {
        let (joined, noted, selected, shared, dropped) = (None, None, None, None, Outcome::Aborted);
        let (is_over, is_unsure) = (false, false);
        Self { system, steps, opening, joined, noted, selected, shared, dropped, is_over, is_unsure }
    }

    /// The system that it is recorded in.
    pub fn system(&self) -> &System {
        &self.system
    }

    /// The decision's id.
    pub fn id(&self) -> Id {
        self.steps.decision
    }

    /// Waits until the opening is durable. May be dropped and called again.
    pub async fn opened(&mut self) -> Result<(), RecordError> {
        if let Opening::Waiting(waiting) = &mut self.opening {
            let settled = waiting.as_mut().await;
            match (&settled, &self.shared) {
                (Ok(_), _) => {
                    self.steps.mark_durable();
                    if let Some(place) = self.selected.take() {
                        self.system.count_selected(&place);
                    }
                }
                (Err(_), Some(shared)) => shared.steps.lock().lack(&self.steps, self.joined.as_ref()),
                (Err(_), None) => {}
            }
            self.opening = Opening::Settled(settled.map(drop));
        }
        match &self.opening {
            Opening::Settled(Err(error)) => Err(error.clone().into()),
            _ => Ok(()),
        }
    }

    /// Queues events without waiting for them, but for those noted before; [`Decision::finish`] does. Whether a full disk
    /// refused them shows in nothing but the log: what is said later does not refer to them.
    pub async fn note(&mut self, events: Vec<NewEvent>) -> Result<(), RecordError> {
        if let Opening::Unselected(unselected) = &mut self.opening {
            unselected.note(events);
            return Ok(());
        }
        self.settle().await;
        self.noted = Some(self.system.write(&mut self.steps, events, Room::Ordinary).await?);
        Ok(())
    }

    /// Records the rest, a `decision.closed` at its end unless the decision goes on, and waits until all of it is durable.
    /// Where it fails the decision is still open, and may be finished with less, unless it [is unsure](Self::is_unsure).
    pub async fn finish(&mut self, events: Vec<NewEvent>) -> Result<Recorded, RecordError> {
        self.end(events, Room::Ordinary).await
    }

    /// [`Decision::finish`] where there was no room, or no key, for content: with what [`crate::recorder::bare`] leaves of the
    /// events. The room that the log keeps for ends is used; the opening is waited for first.
    pub async fn finish_bare(&mut self, bare: Vec<NewEvent>) -> Result<Recorded, RecordError> {
        self.opened().await?;
        self.end(bare, Room::Reserved).await
    }

    /// Whether the last attempt to finish it failed in such a way that its events may be in the log all the same. The next
    /// start finds out.
    pub fn is_unsure(&self) -> bool {
        self.is_unsure
    }

    /// Drops it: an answer was given that its record does not tell of. It is closed as `interrupted`, by the next start if it
    /// cannot be done now.
    pub fn give_up(mut self) {
        self.dropped = Outcome::Interrupted;
    }

    async fn end(&mut self, mut events: Vec<NewEvent>, room: Room) -> Result<Recorded, RecordError> {
        self.settle().await;
        let id = self.id();
        if let Opening::Unselected(unselected) = &mut self.opening {
            if !unselected.must_be_kept(&events) {
                return Ok(self.pass_over(events));
            }
            self.steps = unselected.steps(&self.system, id)?;
            let before = match room {
                Room::Ordinary => unselected.events.clone(),
                Room::Reserved => {
                    unselected.events.iter().map(|event| event.without_content(Why::NotStored)).collect()
                }
            };
            events.splice(0..0, before);
        }
        if let Opening::Settled(Err(error)) = &self.opening {
            return Err(error.clone().into());
        }
        let written = self.system.write(&mut self.steps, events, room).await?;
        let before = written.before.clone();
        // Whoever stops waiting now leaves a decision that was opened: what is said of it next does not open it again.
        let unselected = self.opening.admit();
        let index = match written.durable().await {
            Ok(appended) => appended.index,
            Err(error) => {
                self.steps.go_back(&before);
                self.is_unsure = matches!(error, AppendError::Poisoned(_) | AppendError::Closed);
                if let Some(unselected) = unselected {
                    self.opening = Opening::Unselected(unselected);
                }
                return Err(error.into());
            }
        };
        if let Some(unselected) = unselected {
            self.system.count_always(&unselected);
        }
        // The log keeps its order: what was queued before is durable too, unless it was refused.
        self.opened().await?;
        self.steps.mark_durable();
        self.is_over = true;
        let ongoing = self.shared.clone().unwrap_or_else(|| self.ongoing());
        ongoing.steps.lock().follow(&self.steps);
        Recorder { inner: self.system.inner.clone() }.remember(&ongoing);
        Ok(Recorded::new(ongoing, Some(index)))
    }

    /// Ends a decision that was not selected: it is counted, and can be recorded for a while should a person act on it.
    fn pass_over(&mut self, events: Vec<NewEvent>) -> Recorded {
        let ended = Opening::Settled(Err(AppendError::Closed));
        self.is_over = true;
        let mut ongoing = self.ongoing();
        if let Opening::Unselected(mut unselected) = std::mem::replace(&mut self.opening, ended) {
            unselected.note(events);
            ongoing = ongoing.unselected(*unselected);
            Recorder { inner: self.system.inner.clone() }.shelve(&ongoing);
        }
        Recorded::new(ongoing, None)
    }

    /// Waits for what was noted. What was refused of it was never said.
    async fn settle(&mut self) {
        let Some(noted) = self.noted.take() else { return };
        let before = noted.before.clone();
        if noted.durable().await.is_err() {
            self.steps.go_back(&before);
        }
    }

    /// What further exchanges and events are added to. From now on this exchange's end is not the decision's.
    pub fn share(&mut self) -> Ongoing {
        let ongoing = self.ongoing();
        self.shared = Some(ongoing.clone());
        ongoing
    }

    fn ongoing(&self) -> Ongoing {
        Ongoing::new(self.system.clone(), self.steps.fork())
    }
}

impl Drop for Decision {
    fn drop(&mut self) {
        if self.is_over || self.is_unsure || matches!(self.opening, Opening::Settled(Err(_))) {
            return;
        }
        let closed = match (&self.shared, self.dropped) {
            (Some(_), _) => broken_off(&self.system),
            (None, outcome) => dropped(&self.system, outcome),
        };
        let opening = std::mem::replace(&mut self.opening, Opening::Settled(Err(AppendError::Closed)));
        let mut rest = Self::new(self.system.clone(), self.steps.clone(), opening);
        (rest.joined, rest.noted, rest.shared) = (self.joined.clone(), self.noted.take(), self.shared.take());
        rest.selected = self.selected.take();
        // It is tried once.
        rest.is_over = true;
        let is_counted = self.dropped == Outcome::Interrupted;
        self.system.inner.runtime.spawn(async move {
            match rest.finish_bare(vec![closed]).await {
                Ok(_) => {}
                // That it is lost was said when the first was.
                Err(error) if is_counted => tracing::debug!(decision = %rest.id(), %error, "it could not be closed"),
                Err(error) => tracing::warn!(decision = %rest.id(), %error, "a decision that was given up could not be closed"),
            }
        });
    }
}

/// The end of a decision that somebody dropped.
fn dropped(system: &System, outcome: Outcome) -> NewEvent {
    let mut event = NewEvent::new(closed(outcome, ExchangeEnd::Unknown));
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
