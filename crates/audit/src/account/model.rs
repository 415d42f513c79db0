//! The account of one decision: what every format prints. Everything serialises to JSON under the names that stand here
//! (docs/reconstruct.md). Steps are named by their number in causal order, from 1; contents by their payload's id, and each
//! content stands once, in `contents`.

use std::collections::BTreeMap;

use inferlog_record::Id;
use serde::Serialize;

use super::diff::Diff;
use super::parts::{
    ContextTold, HumanStep, LabelTold, ModelCall, OutputTold, PromptUsed, ReasoningStep, RegisteredTools,
    RetrievalStep, ToolStep, TransformStep,
};
use super::verdict::Verdict;
use crate::story::states::{kept_by, mark, why};
use crate::story::{
    EntriesPurged, HeldBy, PayloadContent, RedactionTold, Removed, States, StoryProof, Summary, WithheldFrom,
};

/// The form of the account, of which a later version may have another.
pub const ACCOUNT_FORMAT: &str = "inferlog-account/1";

/// Everything that the record says of one decision.
#[derive(Clone, Debug, Serialize)]
pub struct Account {
    /// [`ACCOUNT_FORMAT`].
    pub format: &'static str,
    /// Whose decision it is, and how it ended.
    pub identity: Identity,
    /// When, and what the clock was worth.
    pub time: Timing,
    /// The sums over all its steps.
    pub summary: Summary,
    /// Whether the record of it is complete, and what is missing.
    pub verdict: Verdict,
    /// The model calls.
    pub models: Vec<ModelCall>,
    /// The prompts that models were given, each once, in the order in which they first were.
    pub prompts: Vec<PromptUsed>,
    /// Registered tools that models were offered, each once.
    pub toolsets: Vec<RegisteredTools>,
    /// The input: raw, enriched, assembled.
    pub input: Stages,
    /// Queries of indexes and the documents found.
    pub retrievals: Vec<RetrievalStep>,
    /// Calls of tools, one an attempt.
    pub tools: Vec<ToolStep>,
    /// Steps of pre- and post-processing.
    pub transforms: Vec<TransformStep>,
    /// Intermediate reasoning.
    pub reasoning: Vec<ReasoningStep>,
    /// The output: raw, processed, final.
    pub output: OutputTold,
    /// What people did about it.
    pub humans: Vec<HumanStep>,
    /// Ground truth and feedback.
    pub labels: Vec<LabelTold>,
    /// In what surroundings it ran: what the opening says first, then what the application added.
    pub context: Vec<ContextTold>,
    /// Every step in causal order: the nodes of the graph.
    pub steps: Vec<Step>,
    /// What led to what: the edges of the graph.
    pub edges: Vec<Edge>,
    /// What appeared in the system for the first time with this decision or later.
    pub changes: Vec<Change>,
    /// Alarms, holds, readers: what names the decision and is not a part of it.
    pub mentions: Vec<Mention>,
    /// Mentions that are not told because there are very many: the oldest.
    pub mentions_untold: u64,
    /// What became of its contents, counted.
    pub states: States,
    /// Entries of it that may have been purged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entries_purged: Vec<EntriesPurged>,
    /// Whether its entries are in the log.
    pub proof: Proof,
    /// What does not fit together.
    pub problems: Vec<String>,
    /// What a reader should know and does not touch the record.
    pub notices: Vec<String>,
    /// Every content that a step speaks of, by its payload's id.
    pub contents: BTreeMap<Id, Content>,
}

/// Whose decision it is, and how it ended.
#[derive(Clone, Debug, Serialize)]
pub struct Identity {
    /// The decision's id.
    pub decision: Id,
    /// The system.
    pub system: String,
    /// What the organisation is to the system: `provider`, `deployer`.
    pub role: Option<String>,
    /// Purposes of Article 12(2) that the record serves: `a`, `b`, `c`.
    pub purposes: Vec<String>,
    /// The configured route that admitted it.
    pub route: Option<String>,
    /// The wire that its request spoke.
    pub wire: Option<String>,
    /// How the request was made.
    pub method: Option<String>,
    /// Periods of use that it belongs to.
    pub sessions: Vec<Id>,
    /// Pseudonyms of the persons that it is about.
    pub subjects: Vec<String>,
    /// Ids that others have for it, and for its parts.
    pub external_ids: Vec<Held>,
    /// Retention classes of its entries.
    pub retention: Vec<String>,
    /// How it was captured, each way once: `gateway openai_chat 0.1.0`.
    pub capture: Vec<String>,
    /// `answered`, `refused`, `failed`, `aborted`, `interrupted`; absent while it is open.
    pub outcome: Option<String>,
    /// What failed.
    pub error: Option<String>,
    /// Status of the upstream's answer.
    pub status: Option<u16>,
    /// How the exchange with the client ended.
    pub exchange: Option<String>,
}

/// When, and what the clock was worth. Times are RFC 3339, UTC.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Timing {
    /// When it began.
    pub began: Option<String>,
    /// When it ended; absent while it is open.
    pub ended: Option<String>,
    /// Between the two, nanoseconds.
    pub latency_ns: Option<u64>,
    /// From the request's first byte to the answer's first byte, nanoseconds.
    pub time_to_first_byte_ns: Option<u64>,
    /// When the last of its events was logged: a label may come years later.
    pub last_logged: Option<String>,
    /// The `clock` events that its events name.
    pub clocks: Vec<ClockTold>,
}

/// The state of the clock that stamped events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClockTold {
    /// The event.
    pub event: Id,
    /// When it was logged; absent, with all that follows, if the event was not found.
    pub logged_at: Option<String>,
    /// Whether it follows a reference.
    pub synchronised: Option<bool>,
    /// Who says so.
    pub source: Option<String>,
    /// The offset it estimates, nanoseconds.
    pub offset_ns: Option<i64>,
    /// The largest error it may have, nanoseconds.
    pub max_error_ns: Option<u64>,
    /// Origin of the log that holds it.
    pub log: Option<String>,
    /// The entry that holds it.
    pub entry: Option<u64>,
}

/// That a step speaks of a content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The step.
    pub step: usize,
    /// What the content is to it: `input.raw`, `tool.result`, …
    pub role: String,
    /// The content, in [`Account::contents`].
    pub payload: Id,
}

/// A content, once.
#[derive(Clone, Debug, Serialize)]
pub struct Content {
    /// The step that first recorded it.
    pub recorded_by: Option<usize>,
    /// `present`, `redacted`, `erased`, `purged`, `not_captured`, `missing`.
    pub state: String,
    /// Why it is not there.
    pub reason: Option<String>,
    /// The event that removed it since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed: Option<Removed>,
    /// The holds that keep it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldBy>,
    /// The erasures that it was withheld from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<WithheldFrom>,
    /// Its form, as a media type.
    pub media_type: Option<String>,
    /// Length of what is sealed, bytes: a bucket, not the content's own length.
    pub size: Option<u64>,
    /// The content, where it was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<PayloadContent>,
    /// Whether the content is the one that the entry committed to; absent if it was not opened.
    pub verified: Option<bool>,
    /// Why it could not be opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The stages of the input, each in the order of its steps.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Stages {
    /// As the application's requests brought it.
    pub raw: Vec<Held>,
    /// After the application enriched it.
    pub enriched: Vec<Held>,
    /// What models were really sent.
    pub assembled: Vec<Held>,
    /// How one stage differs from the one before: where both were opened and are not the same content.
    pub diffs: Vec<Diff>,
}

/// One step: a node of the graph.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Its number: its place in causal order, from 1.
    pub number: usize,
    /// The event's id.
    pub event: Id,
    /// `decision.opened`, `inference`, `tool_call`, …
    pub kind: String,
    /// What it is in a few words of clear fields: `credit, version 3`, `lookup, attempt 2`.
    pub label: String,
    /// How it ended: `ok`, `failed`, `answered`, `override`, …
    pub outcome: Option<String>,
    /// What failed.
    pub error: Option<String>,
    /// Which request of the decision it belongs to, from 1.
    pub turn: Option<usize>,
    /// When it began.
    pub began: Option<String>,
    /// When it ended.
    pub ended: Option<String>,
    /// When the Recorder took it.
    pub logged_at: String,
    /// How long after the decision's beginning it began, nanoseconds; negative, if clocks say so.
    pub offset_ns: Option<i64>,
    /// How long it took, nanoseconds.
    pub took_ns: Option<u64>,
    /// The provision that events of this kind serve.
    pub serves: String,
    /// Whether it came after the decision's first end.
    pub late: bool,
    /// Pseudonyms of the persons that its contents are about: the event's `subjects`.
    pub subjects: Vec<String>,
    /// What it speaks of.
    pub holds: Vec<Held>,
    /// What rules of the policy took out of that before it was recorded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redactions: Vec<RedactionTold>,
    /// Where it stands and what proves that.
    pub proof: StepProof,
}

/// What led to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Edge {
    /// The cause, or the whole.
    pub from: usize,
    /// The effect, or the part.
    pub to: usize,
    /// Why.
    pub why: Why,
}

/// Why one step comes after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It says so.
    After,
    /// It is a part of it.
    Part,
}

/// Where a step stands.
#[derive(Clone, Debug, Serialize)]
pub struct StepProof {
    /// Which of [`Proof::logs`].
    pub log: usize,
    /// The entries that hold it; more than one where it is long.
    pub entries: Vec<u64>,
    /// Whether the inclusion proof of each leads to the checkpoint's root.
    pub included: bool,
}

/// Whether the decision's entries are in the log.
#[derive(Clone, Debug, Serialize)]
pub struct Proof {
    /// Whether all are, under checkpoints whose signatures verify.
    pub proved: bool,
    /// The logs, each with its checkpoint, who signed it, and the proof of each entry.
    pub logs: Vec<StoryProof>,
}

/// A part of the system that appeared for the first time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `model`, `version`, `fingerprint`, `prompt`, `tools`, `index`, `configuration`, `build`.
    pub aspect: String,
    /// Which one of its kind.
    pub name: Option<String>,
    /// What it was before: a name.
    pub old: Option<String>,
    /// Its digest.
    pub old_digest: Option<String>,
    /// What it is now: a name.
    pub new: Option<String>,
    /// Its digest.
    pub new_digest: Option<String>,
    /// When that was logged.
    pub logged_at: String,
    /// Whether this very decision showed it.
    pub by_this_decision: bool,
    /// The event.
    pub event: Id,
    /// Origin of the log that says so.
    pub log: String,
    /// The entry.
    pub entry: u64,
}

/// An event of the system's life that names the decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mention {
    /// `alert`, `access`, `hold.placed`.
    pub kind: String,
    /// What it is in a few words: the monitor and severity, the action, role and purpose, the ground.
    pub label: String,
    /// When it was logged.
    pub logged_at: String,
    /// The event.
    pub event: Id,
    /// Origin of the log that holds it.
    pub log: String,
    /// The entry.
    pub entry: u64,
}

impl Account {
    /// The content that a step speaks of.
    pub fn content(&self, held: &Held) -> Option<&Content> {
        self.contents.get(&held.payload)
    }

    /// A step by its number.
    pub fn step(&self, number: usize) -> Option<&Step> {
        self.steps.get(number.checked_sub(1)?)
    }
}

impl Content {
    /// What keeps it from being erased or purged, each as a few words.
    pub fn kept_by(&self) -> Vec<String> {
        kept_by(&self.held, &self.withheld)
    }

    /// The mark of its state.
    pub fn mark(&self) -> &'static str {
        mark(&self.state, !self.held.is_empty() || !self.withheld.is_empty())
    }

    /// Why it is not there.
    pub fn why(&self) -> String {
        why(self.removed.as_ref(), self.reason.as_deref(), self.problem.as_deref())
    }

    /// The content as text, if it was opened: JSON and text as they are, any bytes in base64.
    pub fn text(&self) -> Option<&str> {
        self.content.as_ref().map(|content| match content {
            PayloadContent::Json(json) => json.get(),
            PayloadContent::Text(text) => text,
            PayloadContent::Base64(base64) => base64,
        })
    }
}
