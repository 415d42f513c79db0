//! Events of erasing, purging and freezing, as they are told.

use std::collections::HashSet;

use inferlog_record::body::{Basis, ErasurePhase, OrderKind, Purge, Purged, Refusal, Scope};
use inferlog_record::{Digest, Id, KeyId, Pseudonym, Timestamp};

/// Where an event stands: the log, by its number among those that are read, and the index of its entry.
pub type At = (usize, u64);

/// An erasure announced, carried out or refused.
#[derive(Clone, Debug)]
pub struct ErasureTold {
    /// Where it stands.
    pub at: At,
    /// The event.
    pub event: Id,
    /// When it was logged.
    pub logged_at: Timestamp,
    /// Announced, completed or refused.
    pub phase: ErasurePhase,
    /// On whose order.
    pub order: OrderKind,
    /// The event that announced it: itself, where it is that.
    pub intent: Id,
    /// The earlier intent that it goes on with.
    pub resumes: Option<Id>,
    /// SHA-256 of the certificate.
    pub certificate: Option<Digest>,
    /// Decisions concerned, those withheld not counted.
    pub decisions: u64,
    /// Decisions withheld.
    pub withheld: u64,
    /// Why it is refused, or something withheld.
    pub refusals: Vec<Refusal>,
    /// The holds behind that.
    pub holds: Vec<Id>,
    /// When a legal duty may end.
    pub until: Option<Timestamp>,
    pub(super) keys: HashSet<KeyId>,
    pub(super) subjects: HashSet<Pseudonym>,
}

/// Keys that an erasure spared.
#[derive(Clone, Debug)]
pub struct WithheldTold {
    /// Where it stands.
    pub at: At,
    /// The event.
    pub event: Id,
    /// Why.
    pub refusals: Vec<Refusal>,
    /// The holds behind it.
    pub holds: Vec<Id>,
    /// When a legal duty may end.
    pub until: Option<Timestamp>,
    pub(super) keys: HashSet<KeyId>,
}

/// A purge.
#[derive(Clone, Debug)]
pub struct PurgeTold {
    /// Where it stands.
    pub at: At,
    /// The event.
    pub event: Id,
    /// When it was logged.
    pub logged_at: Timestamp,
    /// What it says.
    pub body: Purge,
}

/// A hold: all events of its id together.
#[derive(Clone, Debug)]
pub struct Hold {
    /// The hold's id.
    pub hold: Id,
    /// On what ground it was placed.
    pub basis: Basis,
    /// The incident behind it.
    pub incident: Option<Id>,
    /// What it freezes, with the place of the event that says so.
    pub scopes: Vec<(At, Scope)>,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// Where and when it was released. Once is enough: what is said later of the same hold does not bring it back.
    pub releases: Vec<(At, Timestamp)>,
}

impl ErasureTold {
    /// The keys that it names: those of its persons, else those of decisions.
    pub fn keys(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.keys.iter().copied()
    }

    /// The persons.
    pub fn subjects(&self) -> impl Iterator<Item = Pseudonym> + '_ {
        self.subjects.iter().copied()
    }

    /// Whether it destroys keys.
    pub fn destroys(&self) -> bool {
        matches!(self.phase, ErasurePhase::Intent | ErasurePhase::Completed)
    }
}

impl WithheldTold {
    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.keys.iter().copied()
    }
}

impl PurgeTold {
    /// Whether entries themselves were removed.
    pub fn is_of_entries(&self) -> bool {
        self.body.what == Purged::Entries
    }
}
