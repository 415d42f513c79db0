//! The record of one exchange, kept as its route's failure policy says.
//!
//! What cannot be recorded with its content is recorded without, from the room that the log keeps for ends. What cannot be
//! recorded at all is not answered under `block`; under `degrade` it is counted, once, before anything of the answer leaves
//! that the record would have had to precede ([`System::lapse`]), and then answered. Where not even that can be made durable
//! `degrade` is `block`.

use crate::gateway::Lane;
use crate::recorder::{
    Decision, NewContent, NewDecision, NewEvent, Ongoing, RecordError, Recorded, System, bare,
};
use crate::route::Failure;
use inferlog_record::body::{Body, Delivery, ErrorCode, ExchangeEnd, Outcome};
use inferlog_record::{Id, PayloadRole, Why};
use std::sync::Arc;

/// What an exchange records.
pub(crate) struct Keeping {
    lane: Arc<Lane>,
    /// None where the exchange is counted instead.
    decision: Option<Decision>,
}

impl Keeping {
    /// Begins a decision.
    pub(crate) async fn begin(lane: &Arc<Lane>, new: NewDecision) -> Result<Self, RecordError> {
        let system = lane.system();
        let begun = system.begin(new).await;
        Self::of(lane, &system, begun).await
    }

    /// Joins one.
    pub(crate) async fn join(
        lane: &Arc<Lane>,
        ongoing: &Ongoing,
        events: Vec<NewEvent>,
    ) -> Result<Self, RecordError> {
        let joined = ongoing.join(events).await;
        Self::of(lane, ongoing.system(), joined).await
    }

    /// Of what follows on an exchange that is counted instead.
    pub(crate) fn counted(lane: &Arc<Lane>) -> Self {
        Self { lane: lane.clone(), decision: None }
    }

    async fn of(
        lane: &Arc<Lane>,
        system: &System,
        begun: Result<Decision, RecordError>,
    ) -> Result<Self, RecordError> {
        let decision = match begun {
            Ok(decision) => Some(decision),
            Err(error) => {
                count(lane, system, error, None).await?;
                None
            }
        };
        Ok(Self { lane: lane.clone(), decision })
    }

    /// What others join; from now on this exchange's end is not the decision's. None if nothing of it is recorded.
    pub(crate) fn share(&mut self) -> Option<Ongoing> {
        self.decision.as_mut().map(Decision::share)
    }

    /// The decision's id; none if nothing of it is recorded.
    pub(crate) fn id(&self) -> Option<Id> {
        self.decision.as_ref().map(Decision::id)
    }

    /// Waits until the beginning is durable, or counted as missing.
    pub(crate) async fn opened(&mut self) -> Result<(), RecordError> {
        let Some(decision) = &mut self.decision else { return Ok(()) };
        match decision.opened().await {
            Ok(()) => Ok(()),
            Err(error) => self.give_up(error, None).await,
        }
    }

    /// Queues events. Under `degrade` it does not matter whether they can be: the end holds all that they do.
    pub(crate) async fn note(&mut self, events: Vec<NewEvent>) -> Result<(), RecordError> {
        let Some(decision) = &mut self.decision else { return Ok(()) };
        match decision.note(events).await {
            Err(error) if self.lane.failure() == Failure::Block => Err(error),
            _ => Ok(()),
        }
    }

    /// Records the rest, and waits until all of it is durable, or counted as missing: then nothing is returned.
    pub(crate) async fn finish(
        &mut self,
        mut events: Vec<NewEvent>,
    ) -> Result<Option<Recorded>, RecordError> {
        self.opened().await?;
        let (lane, Some(decision)) = (&self.lane, &mut self.decision) else { return Ok(None) };
        // By this event it is found out later whether all of them are in the log.
        let Some(first) = events.first_mut() else { return Ok(None) };
        let id = first.id.map_or_else(|| lane.mint(), Ok)?;
        first.id = Some(id);
        let rest = bare(&events);
        let error = match decision.finish(events).await {
            Ok(recorded) => return Ok(Some(recorded)),
            Err(error) => error,
        };
        if decision.is_unsure() {
            self.give_up(error, Some(id)).await?;
            return Ok(None);
        }
        let is_answered = lane.failure() == Failure::Degrade;
        let rest = if is_answered { rest } else { unanswered(rest, id) };
        match decision.finish_bare(rest).await {
            Ok(recorded) if is_answered => return Ok(Some(recorded)),
            Ok(_) => return Err(error),
            Err(again) => {
                tracing::debug!(route = %lane.route.name, error = %again, "an end found no room either")
            }
        }
        let unsure = decision.is_unsure().then_some(id);
        self.give_up(error, unsure).await?;
        Ok(None)
    }

    /// Nothing more is recorded of the exchange: it is counted, unless `event` turns out to be in the log.
    async fn give_up(&mut self, error: RecordError, event: Option<Id>) -> Result<(), RecordError> {
        let Some(decision) = self.decision.take() else { return Err(error) };
        let counted = count(&self.lane, decision.system(), error, event).await;
        if counted.is_ok() {
            decision.give_up();
        }
        counted
    }
}

/// Counts an exchange that is not recorded, if its route lets it be answered; else the error is the exchange's own.
async fn count(
    lane: &Lane,
    system: &System,
    error: RecordError,
    event: Option<Id>,
) -> Result<(), RecordError> {
    // What a policy refuses is no failure of the record: nothing lets it pass.
    if lane.failure() == Failure::Block || matches!(error, RecordError::Biometric(_)) {
        return Err(error);
    }
    tracing::debug!(route = %lane.route.name, %error, "an exchange is not recorded");
    if let Err(marker) = system.lapse(&lane.route.name, error.gap_reason(), event).await {
        tracing::error!(route = %lane.route.name, error = %marker, "that answers pass unrecorded cannot be made durable: none does");
        return Err(error);
    }
    lane.metrics.unrecorded.inc();
    Ok(())
}

/// The same end of an exchange whose answer is not given, for want of its record.
fn unanswered(mut events: Vec<NewEvent>, inference: Id) -> Vec<NewEvent> {
    events.retain(|event| !matches!(event.body, Body::Output(_)));
    let missing = || NewContent::Absent(Why::NotStored);
    for event in &mut events {
        if let Body::DecisionClosed(closed) = &mut event.body {
            (closed.outcome, closed.error) = (Outcome::Failed, Some(ErrorCode::NotRecorded));
            closed.exchange = Some(ExchangeEnd::Unknown);
            event.payloads.clear();
            let closing = std::mem::replace(event, NewEvent::new(Delivery::default()));
            *event = closing.with(PayloadRole::Error, missing());
        }
    }
    if let [event] = &events[..]
        && matches!(event.body, Body::Inference(_))
    {
        let body = Delivery { end: Some(ExchangeEnd::Unknown), of: Some(inference), part: None };
        let mut end = NewEvent::new(body);
        (end.capture, end.ended_at, end.after) = (event.capture.clone(), event.ended_at, vec![inference]);
        events.push(end);
    }
    events
}
