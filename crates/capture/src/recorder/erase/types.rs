//! What an erasure is asked for, and what came of it.

use bytes::Bytes;
use inferlog_record::body::{OrderKind, Refusal, Store};
use inferlog_record::{Id, KeyId, Pseudonym, SystemName, Timestamp};
use inferlog_vault::ErasureReport;

/// Whose keys are to be destroyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The person whom requests name so, in every system where there is one.
    Subject(Vec<u8>),
    /// One decision.
    Decision(Id),
}

/// A request for an erasure.
#[derive(Clone, Debug)]
pub struct EraseRequest {
    /// Whose keys.
    pub target: Target,
    /// In this system alone.
    pub only: Option<SystemName>,
    /// On whose order.
    pub order: OrderKind,
    /// The order's words: sealed with the event.
    pub text: Option<Bytes>,
    /// Who asks for it to be done, as the caller knows them. The log sees a pseudonym only.
    pub actor: Option<String>,
}

impl EraseRequest {
    /// In every system, on this order, with no words, by nobody in particular.
    pub fn new(target: Target, order: OrderKind) -> Self {
        Self { target, only: None, order, text: None, actor: None }
    }
}

/// What an erasure would do in one system.
#[derive(Clone, Debug)]
pub struct ErasurePlan {
    /// The system.
    pub system: SystemName,
    /// The person, as the log knows them; `None` of a single decision.
    pub pseudonym: Option<Pseudonym>,
    /// Decisions that are concerned and not withheld: what content of theirs is left would be destroyed.
    pub decisions: u64,
    /// Keys of theirs that open still.
    pub keys: u64,
    /// How many of these decisions concern other persons too, who lose them with this one.
    pub shared: u64,
    /// Decisions that would stay, and why.
    pub withheld: Vec<Withheld>,
    /// What would be touched, and where.
    pub stores: Vec<StorePlan>,
}

impl ErasurePlan {
    /// Whether it would be refused: all that there is to erase is withheld.
    pub fn is_refused(&self) -> bool {
        self.keys == 0 && !self.withheld.is_empty()
    }
}

/// A decision that an erasure does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    /// The decision.
    pub decision: Id,
    /// Its keys.
    pub keys: Vec<KeyId>,
    /// Why: never empty.
    pub why: Vec<Refusal>,
    /// The holds that cover it, where one does.
    pub holds: Vec<Id>,
    /// Until when a legal duty keeps it, where one does.
    pub until: Option<Timestamp>,
}

/// A place that an erasure touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorePlan {
    /// What it is.
    pub store: Store,
    /// Which one, where there are several: a follower's name, a backup's directory.
    pub name: Option<String>,
}

/// An erasure that was asked for, in one system.
#[derive(Clone, Debug)]
pub struct Erased {
    /// The system.
    pub system: SystemName,
    /// The event that announced it; that refused it.
    pub intent: Id,
    /// The person, as the log knows them; `None` of a single decision.
    pub pseudonym: Option<Pseudonym>,
    /// Decisions that cannot be read any more.
    pub decisions: u64,
    /// The keys that were destroyed: the person's, or the decision's.
    pub keys: Vec<KeyId>,
    /// Decisions that stay, and why.
    pub withheld: Vec<Withheld>,
    /// How far it is.
    pub outcome: Outcome,
    /// What the keystore did; `None` where nothing is destroyed.
    pub report: Option<ErasureReport>,
    /// The certificate, once it is complete.
    pub certificate: Option<Certificate>,
}

/// How far an erasure is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// In every store.
    Completed,
    /// The keys are destroyed; these followers are yet to delete what they derived. The recorder completes it when they have.
    Waiting(Vec<String>),
    /// Nothing is destroyed: all is withheld.
    Refused,
}

/// What can be shown to the person or an authority. It names keys and pseudonyms, never the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The system.
    pub system: SystemName,
    /// The event that announced the erasure.
    pub intent: Id,
    /// The event that holds the certificate.
    pub completed: Id,
    /// The certificate: a signed note (c2sp.org/signed-note) by the log's own key.
    pub note: String,
}

/// An erasure as the log tells it, and as the keystore and the followers stand.
#[derive(Clone, Debug)]
pub struct ErasureStatus {
    /// The system.
    pub system: SystemName,
    /// The event that announced, or refused, it.
    pub event: Id,
    /// Index of its entry in its log.
    pub index: u64,
    /// When it was announced.
    pub at: Timestamp,
    /// On whose order.
    pub order: OrderKind,
    /// The persons, by pseudonym; empty of decisions.
    pub subjects: Vec<Pseudonym>,
    /// Decisions whose content it destroys.
    pub decisions: u64,
    /// How far it is.
    pub phase: Phase,
    /// Keys that are withheld from it still.
    pub withheld: Vec<KeyId>,
    /// The holds that withheld keys from it, or for which it was refused.
    pub holds: Vec<Id>,
    /// The earliest time at which a legal duty to keep the withheld keys may end, as was known when it was announced.
    pub until: Option<Timestamp>,
    /// The earlier intent whose withheld keys it destroys.
    pub resumes: Option<Id>,
}

/// How far an erasure that was announced is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Announced; the keys are to be destroyed by the next erasure or start.
    Announced,
    /// The keys are destroyed; these followers are yet to delete what they derived.
    Waiting(Vec<String>),
    /// Complete, by this event.
    Completed(Id),
    /// Refused: nothing was destroyed.
    Refused,
}
