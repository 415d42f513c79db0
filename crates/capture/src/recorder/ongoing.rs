//! A decision that goes on: what exchanges join, and what events are added to at any time.

use crate::recorder::decision::Decision;
use crate::recorder::draft::NewEvent;
use crate::recorder::queue::Room;
use crate::recorder::sample::{Unselected, is_always_kept};
use crate::recorder::write::Steps;
use crate::recorder::{RecordError, System};
use inferlog_log::AppendError;
use inferlog_record::{Id, Timestamp, Why};
use parking_lot::Mutex;
use std::sync::Arc;

/// An exchange whose record is durable, and its decision.
pub struct Recorded {
    ongoing: Ongoing,
    index: Option<u64>,
}

/// A decision that more may be added to: exchanges that join it, and events. Cheap to clone.
#[derive(Clone)]
pub struct Ongoing {
    pub(super) system: System,
    pub(super) steps: Arc<Mutex<Steps>>,
    /// What is recorded before anything else, of a decision that was not selected.
    pub(super) unselected: Option<Shelved>,
}

/// A decision that was not selected; `None` in it once it was recorded.
pub(super) type Shelved = Arc<tokio::sync::Mutex<Option<Unselected>>>;

impl Ongoing {
    pub(crate) fn new(system: System, steps: Steps) -> Self {
        Self { system, steps: Arc::new(Mutex::new(steps)), unselected: None }
    }

    /// The same of a decision that was not selected.
    pub(super) fn unselected(mut self, unselected: Unselected) -> Self {
        self.unselected = Some(Arc::new(tokio::sync::Mutex::new(Some(unselected))));
        self
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
        let written = self.system.write(&mut steps, events, Room::Ordinary).await?;
        self.steps.lock().follow(&steps);
        Ok(Decision::joining(self, steps, written))
    }

    /// Adds events, and waits until they are durable: index of the last entry that holds them.
    pub async fn add(&self, events: Vec<NewEvent>) -> Result<u64, RecordError> {
        self.write(events, Room::Ordinary).await
    }

    /// [`Ongoing::add`] of events without content that end it, or an exchange of it: they have room on a full disk too. The
    /// opening is durable.
    pub async fn end(&self, events: Vec<NewEvent>) -> Result<u64, RecordError> {
        self.write(events, Room::Reserved).await
    }

    async fn write(&self, events: Vec<NewEvent>, room: Room) -> Result<u64, RecordError> {
        if self.unselected.is_none() {
            return self.write_after(events, room).await;
        }
        let ongoing = self.clone();
        // Whoever stops waiting does not stop it: what is recorded first is recorded once.
        self.system.inner.runtime.spawn(async move { ongoing.write_shelved(events, room).await }).await?
    }

    async fn write_shelved(&self, mut events: Vec<NewEvent>, room: Room) -> Result<u64, RecordError> {
        let Some(shelved) = &self.unselected else { return self.write_after(events, room).await };
        let mut shelved = shelved.lock().await;
        let Some(unselected) = shelved.as_ref() else { return self.write_after(events, room).await };
        if !is_always_kept(&events) {
            return Err(RecordError::NotSelected(self.id()));
        }
        let steps = unselected.steps(&self.system, self.id())?;
        self.steps.lock().follow(&steps);
        events.splice(0..0, unselected.events.clone());
        let bare = (room == Room::Reserved)
            .then(|| events.iter().map(|event| event.without_content(Why::NotStored)).collect());
        let index = match (self.write_after(events, Room::Ordinary).await, bare) {
            (Err(RecordError::Append(AppendError::Full(_))), Some(bare)) => {
                self.write_after(bare, Room::Reserved).await?
            }
            (written, _) => written?,
        };
        self.system.count_always(unselected);
        *shelved = None;
        Ok(index)
    }

    async fn write_after(&self, events: Vec<NewEvent>, room: Room) -> Result<u64, RecordError> {
        let mut steps = self.steps.lock().fork();
        let written = self.system.write(&mut steps, events, room).await?;
        self.steps.lock().follow(&steps);
        let before = written.before.clone();
        let appended = written.durable().await;
        if appended.is_err() {
            self.steps.lock().lack(&steps, Some(&before));
        }
        let index = appended?.index;
        steps.mark_durable();
        Ok(index)
    }

    /// Events that are recorded from now on come after this one, unless they say otherwise.
    pub fn follow(&self, last: Id) {
        self.steps.lock().set_last(last);
    }

    /// Whether its keys were destroyed: no content of what is added is recorded.
    pub fn is_erased(&self) -> bool {
        self.steps.lock().keys().is_destroyed(&self.system.inner)
    }

    /// Whether it was closed and nothing joined it since, or its recorder was closed.
    pub fn is_closed(&self) -> bool {
        self.steps.lock().is_closed() || self.system.inner.check_open().is_err()
    }
}

impl Recorded {
    pub(super) fn new(ongoing: Ongoing, index: Option<u64>) -> Self {
        Self { ongoing, index }
    }

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

    /// Index of the entry that closed it, in the log of its system; `None` if it was not selected, and only counted.
    pub fn index(&self) -> Option<u64> {
        self.index
    }

    /// Adds later events: a delivery that failed, a review. Waits until they are durable.
    pub async fn add(&self, events: Vec<NewEvent>) -> Result<u64, RecordError> {
        self.ongoing.add(events).await
    }

    /// [`Recorded::add`] of events without content that say how it ended after all: they have room on a full disk too.
    pub async fn end(&self, events: Vec<NewEvent>) -> Result<u64, RecordError> {
        self.ongoing.end(events).await
    }
}
