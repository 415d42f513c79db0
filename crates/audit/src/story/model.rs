//! What is told of a decision. Everything serialises to JSON.

use inferlog_record::Id;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::report::KeySource;

/// A decision, as its entries tell it.
#[derive(Clone, Debug, Serialize)]
pub struct Story {
    /// The decision's id.
    pub decision: Id,
    /// The system.
    pub system: String,
    /// How it ended, by the `decision.closed` with the highest index; absent while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The model, as the last model call names it: as answered, else as asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_version: Option<String>,
    /// Whether the names pin one model: `exact`, `alias`, `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_identity: Option<String>,
    /// The configured route that admitted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Pseudonyms of the persons that it is about.
    pub subjects: Vec<String>,
    /// The sums over all its events.
    pub summary: Summary,
    /// What happened, in causal order: by `after` and `parent`, then by `seq`, then by the place in the log; never by clock.
    pub events: Vec<StoryEvent>,
    /// What is not there, and why.
    pub missing: Vec<MissingPart>,
    /// What became of its contents, counted.
    pub states: States,
    /// Entries of it that may be gone with all before them, and the purges behind that; one for each log concerned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entries_purged: Vec<EntriesPurged>,
    /// Whether the entries are in the logs that they were found in; one for each log.
    pub proofs: Vec<StoryProof>,
    /// Entries that name the decision and are not part of it: alarms, holds, readers.
    pub mentioned_in: Vec<Place>,
    /// What does not fit together, though every entry is as it was written.
    pub problems: Vec<String>,
    /// What does not fit together, unless entries were purged: that is asked before this is told.
    #[serde(skip)]
    pub(crate) absent: Vec<String>,
    /// What a reader should know and does not touch the record: that an index was wrong, and the log searched instead.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
}

/// What a decision took in all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Requests that were admitted: the one that opened it and those that joined.
    pub turns: u64,
    /// Model calls.
    pub model_calls: u64,
    /// Those of them that failed or were given up.
    pub model_calls_failed: u64,
    /// Calls of tools.
    pub tool_calls: u64,
    /// Those of them that failed or were given up.
    pub tool_calls_failed: u64,
    /// Tokens, as far as the model server counted them.
    pub tokens: Tokens,
    /// From its beginning to its end, nanoseconds; absent while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ns: Option<u64>,
}

/// Tokens of several model calls; absent where no call counted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tokens {
    /// Read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<u64>,
    /// Written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    /// Read from a cache, part of `input`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached: Option<u64>,
    /// Spent on reasoning, part of `output`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<u64>,
}

/// An entry: its log, by its place in `proofs`, and its index there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Which of `proofs`.
    pub log: usize,
    /// Index of the entry.
    pub index: u64,
}

/// One step of the decision.
#[derive(Clone, Debug, Serialize)]
pub struct StoryEvent {
    /// Its place in the causal order, from 1.
    pub order: usize,
    /// Places in that order of the events that it names as come before it: in `after`, or as the one that it is a part of.
    pub causes: Vec<usize>,
    /// Which request of the decision it belongs to, from 1; absent for what concerns the decision as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<usize>,
    /// The entry that holds it.
    #[serde(flatten)]
    pub place: Place,
    /// Entries that continue it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub continued_in: Vec<u64>,
    /// The event's own id.
    pub id: Id,
    /// What kind it is: `decision.opened`, `inference`, …
    pub kind: String,
    /// The provision that events of this kind serve.
    pub serves: &'static str,
    /// When the Recorder took it.
    pub logged_at: String,
    /// What rules of the policy took out of its contents before they were sealed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redactions: Vec<RedactionTold>,
    /// The event as it stands in the entry.
    pub event: Box<RawValue>,
    /// Its payloads, those of `continued_in` too.
    pub payloads: Vec<StoryPayload>,
}

/// What a rule of the policy did to the contents of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RedactionTold {
    /// The detector or rule.
    pub rule: String,
    /// `redacted`, `split`, `dropped`.
    pub action: String,
    /// How many times.
    pub count: u64,
}

/// Content that an event speaks of.
#[derive(Clone, Debug, Serialize)]
pub struct StoryPayload {
    /// What the content is to the event.
    pub role: String,
    /// The payload's own id.
    pub payload: Id,
    /// `present`, `redacted`, `erased`, `purged`, `not_captured`, `missing`. An erasure or purge that came later counts; what is
    /// missing is nowhere, and no event says why.
    pub state: String,
    /// Why it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The event that removed it since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed: Option<Removed>,
    /// The holds that keep it from being erased or purged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldBy>,
    /// The erasures that it was withheld from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<WithheldFrom>,
    /// The event that first recorded it, if another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Id>,
    /// Its form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Length of what is sealed: a bucket, not the content's own length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Address of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// The content, where it was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<PayloadContent>,
    /// Whether the content is the one that the entry committed to; absent if it was not opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    /// Why it could not be opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The event that removed a content after it was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// `erasure` or `purge`.
    pub by: &'static str,
    /// The event: of an erasure, the one that announced it, if that is at hand.
    pub event: Id,
    /// Origin of the log that holds it.
    pub log: String,
    /// The entry.
    pub entry: u64,
    /// When it was logged.
    pub at: String,
    /// On whose order it was erased: `request`, `authority`, `court`, `policy`, `unlawful`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// When the erasure was completed in every store; an erasure without it was announced, and nobody says that it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    /// SHA-256 of the erasure's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// The policy that it was purged under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// A hold that keeps a content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldBy {
    /// The hold.
    pub hold: Id,
    /// On what ground it was placed.
    pub basis: String,
    /// When.
    pub since: String,
    /// The incident behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<Id>,
}

/// An erasure that spared a content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WithheldFrom {
    /// The event that announced it.
    pub erasure: Id,
    /// Why: `hold`, `legal_duty`.
    pub because: Vec<String>,
    /// The holds behind that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Id>,
    /// The earliest time at which the legal duty may end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// Entries that were purged, among which some of the decision may have been.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntriesPurged {
    /// Origin of the log.
    pub log: String,
    /// Entries before this one are gone, those kept apart.
    pub below: u64,
    /// The purges behind that.
    pub by: Vec<Removed>,
}

/// What became of a decision's contents, each counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct States {
    /// Their keys were destroyed under an order.
    pub erased: u64,
    /// Of those that are present, the ones that a hold or a legal duty keeps.
    pub held: u64,
    /// Nowhere, and no event says why: a fault.
    pub missing: u64,
    /// Never reached the Recorder, or it had no room.
    pub not_captured: u64,
    /// There, those that are held or were withheld from an erasure among them.
    pub present: u64,
    /// Removed under a retention policy.
    pub purged: u64,
    /// Left out by a rule before they were recorded.
    pub redacted: u64,
    /// Places within contents where a rule took something out.
    pub spans_redacted: u64,
}

/// Opened content, in the most readable form that keeps every byte.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadContent {
    /// JSON without a duplicate spelling to lose: as it came.
    Json(Box<RawValue>),
    /// Text in UTF-8.
    Text(String),
    /// Any bytes.
    Base64(String),
}

/// Something that is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingPart {
    /// The entry whose event lacks it.
    #[serde(flatten)]
    pub place: Place,
    /// That event.
    pub event: Id,
    /// Kind and member, or kind and payload role: `inference.payloads[output.raw]`.
    pub field: String,
    /// Why, as far as the record says.
    pub why: String,
    /// Whether it is the record that says why.
    pub explained: bool,
    /// The provision that it would serve, as in the record's tables.
    pub serves: String,
    /// `M` required by law for some systems, `R` by inferlog's profile, `r` recommended.
    pub level: &'static str,
}

/// Whether the entries of the decision are in one log.
#[derive(Clone, Debug, Serialize)]
pub struct StoryProof {
    /// Origin of the log.
    pub log: String,
    /// Entries under the checkpoint.
    pub size: u64,
    /// Its root hash, base64.
    pub root: String,
    /// Verifier keys whose signatures on the checkpoint verify.
    pub signed_by: Vec<String>,
    /// Whose word those keys are.
    pub key_from: KeySource,
    /// The entries, each with its inclusion proof checked against the checkpoint.
    pub entries: Vec<EntryProof>,
    /// Why the checkpoint is not to be believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Whether an entry is in the log.
#[derive(Clone, Debug, Serialize)]
pub struct EntryProof {
    /// The entry.
    pub index: u64,
    /// Whether its inclusion proof leads to the checkpoint's root.
    pub included: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Story {
    /// Whether every entry is proved under a checkpoint whose signature verifies, and nothing contradicts anything.
    pub fn is_proved(&self) -> bool {
        let proved =
            |proof: &StoryProof| proof.problem.is_none() && proof.entries.iter().all(|entry| entry.included);
        self.problems.is_empty() && self.proofs.iter().all(proved)
    }
}
