//! Attaching events to decisions, for commands.

use inferlog::Instance;
use inferlog_capture::api::{Attached, AttachedEvent, How, attach};
use inferlog_record::Id;
use serde::{Deserialize, Serialize};

/// What became of a batch of events.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Events {
    /// They are durable, in the order of the batch.
    Attached(Vec<Event>),
    /// They were refused.
    Refused {
        /// A fixed name.
        code: String,
        /// What is wrong and what to do.
        error: String,
    },
}

/// An event that is durable.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) decision: Id,
    pub(crate) id: Id,
    pub(crate) kind: String,
    pub(crate) index: u64,
    pub(crate) duplicate: bool,
}

impl From<AttachedEvent> for Event {
    fn from(event: AttachedEvent) -> Self {
        let AttachedEvent { decision, id, kind, index, duplicate } = event;
        Self { decision, id, kind, index, duplicate }
    }
}

/// Attaches the events of a batch, in the form of docs/events.md.
pub(super) async fn add(instance: &Instance, batch: String) -> Events {
    match attach(&instance.recorder, batch.into(), &How::new("command-line", &[])).await {
        Ok(Attached { events, .. }) => Events::Attached(events.into_iter().map(Event::from).collect()),
        Err(error) => Events::Refused { code: error.code.to_owned(), error: error.message },
    }
}
