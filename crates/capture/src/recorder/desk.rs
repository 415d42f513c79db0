//! What is remembered of recent decisions, so that what comes late finds them without a search of the log: their keys and
//! where they go on, and which of a caller's events were recorded already.

use crate::recorder::ongoing::{Ongoing, Shelved};
use crate::recorder::sample::Unselected;
use crate::recorder::write::Steps;
use crate::recorder::{RecordError, Recorder, System, SystemState};
use bytes::Bytes;
use inferlog_record::{Id, Pseudonym, SystemName};
use lru::LruCache;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::{Arc, Weak};

/// Decisions that are remembered; of others the log is asked.
pub const DECISIONS_REMEMBERED_MAX: usize = 4096;
/// Events that are remembered by their caller's id.
pub const EVENTS_REMEMBERED_MAX: usize = 16_384;
/// Content of decisions that were not selected that is remembered, bytes.
const SHELVED_BYTES_MAX: usize = 32 << 20;
/// Locks that writes of callers' own ids take turns at, by decision.
const TURNS: usize = 64;

/// The table. It holds nothing that holds the recorder.
pub(crate) struct Desk {
    decisions: Mutex<LruCache<Id, Kept>>,
    /// By SHA-256 of the decision and the caller's id.
    events: Mutex<LruCache<[u8; 32], Done>>,
    turns: [tokio::sync::Mutex<()>; TURNS],
    shelf: Mutex<Shelf>,
}

/// Content of decisions that were not selected, oldest first.
#[derive(Default)]
struct Shelf {
    content: VecDeque<(Weak<tokio::sync::Mutex<Option<Unselected>>>, usize)>,
    bytes: usize,
}

#[derive(Clone)]
struct Kept {
    system: Arc<SystemState>,
    steps: Arc<Mutex<Steps>>,
    unselected: Option<Shelved>,
}

/// An event that was recorded under a caller's own id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    /// The event's id.
    pub(crate) id: Id,
    /// Index of the last entry of its write.
    pub(crate) index: u64,
    /// SHA-256 of what the caller said.
    pub(crate) said: [u8; 32],
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            decisions: table(DECISIONS_REMEMBERED_MAX),
            events: table(EVENTS_REMEMBERED_MAX),
            turns: std::array::from_fn(|_| tokio::sync::Mutex::new(())),
            shelf: Mutex::default(),
        }
    }
}

impl Recorder {
    /// Remembers a decision, so that what is added to it later needs no search of the log. Costs little; the least recently
    /// used one is forgotten for it beyond [`DECISIONS_REMEMBERED_MAX`].
    pub fn remember(&self, ongoing: &Ongoing) {
        let (steps, unselected) = (ongoing.steps.clone(), ongoing.unselected.clone());
        let kept = Kept { system: ongoing.system.state.clone(), steps, unselected };
        self.inner.desk.decisions.lock().put(ongoing.id(), kept);
    }

    /// Remembers a decision that was not selected, so that it can be recorded should a person act on it. The content of the oldest is
    /// forgotten for it beyond [`SHELVED_BYTES_MAX`].
    pub(super) fn shelve(&self, ongoing: &Ongoing) {
        self.remember(ongoing);
        let Some(new) = &ongoing.unselected else { return };
        let mut shelf = self.inner.desk.shelf.lock();
        let bytes = new.try_lock().ok().and_then(|new| new.as_ref().map(Unselected::bytes)).unwrap_or(0);
        shelf.bytes += bytes;
        shelf.content.push_back((Arc::downgrade(new), bytes));
        while shelf.bytes > SHELVED_BYTES_MAX {
            let Some((oldest, bytes)) = shelf.content.pop_front() else { return };
            shelf.bytes -= bytes;
            let oldest = oldest.upgrade();
            // One that is being recorded at this moment is gone from here anyway.
            if let Some(mut unselected) = oldest.as_ref().and_then(|oldest| oldest.try_lock().ok()) {
                unselected.iter_mut().for_each(Unselected::forget_content);
            }
        }
    }

    /// A decision to add to, however long ago it was recorded: from memory, else from the logs of this node, older epochs
    /// included; what is added goes to its system's present log. Content of a decision whose keys were destroyed is not
    /// recorded any more; the references name the erasure.
    ///
    /// # Errors
    /// [`RecordError::NoDecision`] if no log here has it, or it is another system's than the one asked for.
    pub async fn ongoing(&self, decision: Id, system: Option<&SystemName>) -> Result<Ongoing, RecordError> {
        let ongoing = match self.recall(decision) {
            Some(ongoing) => ongoing,
            None => self.resume(decision, system).await?,
        };
        match system {
            Some(name) if name != ongoing.system.name() => Err(RecordError::NoDecision(decision)),
            _ => Ok(ongoing),
        }
    }

    /// A decision of this system that is remembered and about these persons alone, as requests name them.
    pub(crate) fn remembered(&self, decision: Id, system: &SystemName, persons: &[Bytes]) -> Option<Ongoing> {
        let ongoing = self.recall(decision).filter(|ongoing| ongoing.system.name() == system)?;
        let mut about: Vec<Pseudonym> = ongoing.steps.lock().keys().pseudonyms().to_vec();
        let known = |person: &Bytes| Some(self.inner.vault.find_subject(system, person).ok()??.pseudonym());
        let mut wanted: Vec<Pseudonym> = persons.iter().map(known).collect::<Option<_>>()?;
        about.sort_unstable();
        wanted.sort_unstable();
        (about == wanted).then_some(ongoing)
    }

    /// An id for an event or a payload that others refer to before it is recorded.
    pub(crate) fn mint(&self) -> Result<Id, RecordError> {
        self.inner.minter.id()
    }

    /// Held from the look at what was recorded of a decision until what is added is noted.
    pub(crate) async fn turn(&self, decision: Id) -> tokio::sync::MutexGuard<'_, ()> {
        let at = usize::from(decision.as_bytes()[15]) % TURNS;
        self.inner.desk.turns[at].lock().await
    }

    /// The event that a caller called so, if it was recorded and is remembered.
    pub(crate) fn done(&self, decision: Id, text: &str) -> Option<Done> {
        self.inner.desk.events.lock().get(&name(decision, text)).copied()
    }

    /// Remembers an event that is durable by what its caller called it.
    pub(crate) fn note_done(&self, decision: Id, text: &str, done: Done) {
        self.inner.desk.events.lock().put(name(decision, text), done);
    }

    fn recall(&self, decision: Id) -> Option<Ongoing> {
        let Kept { system, steps, unselected } = self.inner.desk.decisions.lock().get(&decision).cloned()?;
        Some(Ongoing { system: System { inner: self.inner.clone(), state: system }, steps, unselected })
    }

    async fn resume(&self, decision: Id, only: Option<&SystemName>) -> Result<Ongoing, RecordError> {
        // What was acknowledged is found, and its births are in the keystore.
        self.integrate().await?;
        for system in self.systems().await {
            if only.is_some_and(|name| name != system.name()) {
                continue;
            }
            if let Some(steps) = system.resume(decision).await? {
                // Another task may have been faster: all go on from the same place.
                if let Some(ongoing) = self.recall(decision) {
                    return Ok(ongoing);
                }
                let ongoing = Ongoing::new(system, steps);
                self.remember(&ongoing);
                return Ok(ongoing);
            }
        }
        for system in self.systems().await {
            let is_asked = only.is_none_or(|name| name == system.name());
            if let Some(unselected) = system.may_have_passed_over(decision).filter(|_| is_asked) {
                let steps = Unselected::no_steps(decision, unselected.class.clone());
                let ongoing = Ongoing::new(system, steps).unselected(unselected);
                self.remember(&ongoing);
                return Ok(ongoing);
            }
        }
        Err(RecordError::NoDecision(decision))
    }
}

impl Ongoing {
    /// The id of the event that a caller calls so: the same whenever it is asked for, until the decision's keys are destroyed.
    pub(crate) fn event_id(&self, text: &str) -> Option<Id> {
        self.steps.lock().keys().event_id(text)
    }
}

fn name(decision: Id, text: &str) -> [u8; 32] {
    Sha256::new().chain_update(decision.as_bytes()).chain_update(text).finalize().into()
}

fn table<K: Hash + Eq, T>(entries_max: usize) -> Mutex<LruCache<K, T>> {
    Mutex::new(LruCache::new(NonZeroUsize::MIN.saturating_add(entries_max - 1)))
}
