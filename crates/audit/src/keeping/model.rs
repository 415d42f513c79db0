//! What is told of holds, incidents and erasures. Everything serialises to JSON.

use inferlog_record::body::{Basis, IncidentCategory, IncidentPhase, OrderKind, Refusal, Scope, Store};
use inferlog_record::{Digest, Id, Pseudonym, Timestamp};
use serde::Serialize;

/// A day, nanoseconds: deadlines count days of 24 hours.
pub const DAY_NS: u64 = 86_400 * 1_000_000_000;

/// Holds, incidents and erasures.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Keeping {
    /// Standing and released.
    pub holds: Vec<HoldTold>,
    /// Open and closed.
    pub incidents: Vec<IncidentTold>,
    /// Each announcement or refusal is one.
    pub erasures: Vec<ErasureTold>,
}

/// Where the log states something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatedAt {
    /// When it was recorded.
    pub at: Timestamp,
    /// Who said so, by pseudonym.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Pseudonym>,
    /// The event.
    pub event: Id,
    /// Its entry.
    pub index: u64,
    /// Origin of its log.
    pub log: String,
}

/// A text that an event keeps sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SealedAt {
    /// Its payload.
    pub payload: Id,
    /// Why it is not there; absent where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// A hold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HoldTold {
    /// The hold.
    pub hold: Id,
    /// The system whose records it freezes.
    pub system: String,
    /// On what ground.
    pub basis: Basis,
    /// The incident behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<Id>,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// The events that placed it.
    pub placed: Vec<StatedAt>,
    /// What it freezes: what any of these covers.
    pub scopes: Vec<Scope>,
    /// The order's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<SealedAt>,
    /// Its end; a hold without one stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released: Option<Released>,
}

/// The end of a hold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Released {
    /// On what ground.
    pub basis: Basis,
    /// Where the log says so.
    #[serde(flatten)]
    pub stated: StatedAt,
    /// The order's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<SealedAt>,
}

/// An incident.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IncidentTold {
    /// The incident.
    pub incident: Id,
    /// The system.
    pub system: String,
    /// What happened, as the newest event says.
    pub category: IncidentCategory,
    /// When the organisation became aware.
    pub aware_at: Timestamp,
    /// The days allowed for the report, at most.
    pub days: u8,
    /// When they are over.
    pub due_at: Timestamp,
    /// Where its handling stands.
    pub phase: IncidentPhase,
    /// The hold that freezes its records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<Id>,
    /// What was recorded of it, in order.
    pub steps: Vec<IncidentStep>,
}

/// One event of an incident.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IncidentStep {
    /// Where its handling stood then.
    pub phase: IncidentPhase,
    /// Where the log says so.
    #[serde(flatten)]
    pub stated: StatedAt,
    /// The report's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<SealedAt>,
}

/// An erasure: its announcement and what came of it, or its refusal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ErasureTold {
    /// The system.
    pub system: String,
    /// Where the log announces or refuses it.
    #[serde(flatten)]
    pub stated: StatedAt,
    /// On whose order.
    pub order: OrderKind,
    /// How far it is.
    pub state: ErasureState,
    /// The persons, by pseudonym; empty where single decisions are erased.
    pub subjects: Vec<Pseudonym>,
    /// Keys that it names.
    pub keys: u64,
    /// Decisions concerned, the withheld ones not counted.
    pub decisions: u64,
    /// Decisions whose keys were withheld, or kept by a refusal.
    pub withheld: u64,
    /// Why.
    pub refusals: Vec<Refusal>,
    /// The holds behind that.
    pub holds: Vec<Id>,
    /// The earliest time at which a legal duty to keep them may end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The earlier erasure whose withheld keys it destroys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumes: Option<Id>,
    /// Later erasures that destroyed what this one withheld.
    pub resumed_by: Vec<Id>,
    /// Followers that have not passed it, while it is not completed.
    pub waits_for: Vec<String>,
    /// When it was completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed: Option<StatedAt>,
    /// SHA-256 of the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Digest>,
    /// Stores that were touched.
    pub stores: Vec<Store>,
}

/// How far an erasure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErasureState {
    /// Announced: nothing is sealed under the keys any more, and it is not said to be completed.
    Announced,
    /// The keys are destroyed, and every store that was required to has followed.
    Completed,
    /// Nothing was destroyed.
    Refused,
}

impl HoldTold {
    /// Whether it was not released.
    pub fn stands(&self) -> bool {
        self.released.is_none()
    }
}

impl IncidentTold {
    /// Whether the report that its deadline is for was not recorded yet.
    pub fn is_due(&self) -> bool {
        self.phase == IncidentPhase::Aware
    }
}
