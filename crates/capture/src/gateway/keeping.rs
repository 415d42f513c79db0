//! The record of one exchange, kept as its route's failure policy says.

use crate::gateway::Lane;
use crate::recorder::{Decision, NewDecision, NewEvent, Ongoing, RecordError, Recorded};
use inferlog_record::Id;
use std::sync::Arc;

/// What an exchange records. Under the policy `block` every failure is the exchange's own.
pub(crate) struct Keeping {
    decision: Decision,
}

impl Keeping {
    /// Begins a decision.
    pub(crate) async fn begin(lane: &Arc<Lane>, new: NewDecision) -> Result<Self, RecordError> {
        Ok(Self { decision: lane.system().begin(new).await? })
    }

    /// Joins one.
    pub(crate) async fn join(ongoing: &Ongoing, events: Vec<NewEvent>) -> Result<Self, RecordError> {
        Ok(Self { decision: ongoing.join(events).await? })
    }

    /// What others join; from now on this exchange's end is not the decision's.
    pub(crate) fn share(&mut self) -> Ongoing {
        self.decision.share()
    }

    /// The decision's id.
    pub(crate) fn id(&self) -> Id {
        self.decision.id()
    }

    /// Waits until the beginning is durable.
    pub(crate) async fn opened(&mut self) -> Result<(), RecordError> {
        self.decision.opened().await
    }

    /// Queues events.
    pub(crate) async fn note(&mut self, events: Vec<NewEvent>) -> Result<(), RecordError> {
        self.decision.note(events).await
    }

    /// Records the rest, and waits until all of it is durable.
    pub(crate) async fn finish(&mut self, events: Vec<NewEvent>) -> Result<Option<Recorded>, RecordError> {
        self.decision.finish(events).await.map(Some)
    }
}
