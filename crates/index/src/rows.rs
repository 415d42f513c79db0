//! What a batch of entries becomes: rows for every table, whichever engine writes them.

use inferlog_record::{Digest, Id, KeyId};

/// How many bits of an event's number are its place in the entry, and its place and index together.
const PLACE_BITS: u32 = 10;
const LOG_BITS: u32 = 48;

/// An event's number: its log, the index of its entry there, its place in the entry. It orders the events of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventNo(pub i64);

impl EventNo {
    /// The number of the event at `place` of the entry at `index` of the log numbered `log`; `None` beyond what a number holds:
    /// 2^15 logs, 2^38 entries, 1,024 events of an entry (which holds at most 65,535 bytes).
    pub fn new(log: u16, index: u64, place: usize) -> Option<Self> {
        let fits = log < 1 << 15 && index < 1 << (LOG_BITS - PLACE_BITS) && place < 1 << PLACE_BITS;
        fits.then_some(Self((i64::from(log) << LOG_BITS) | ((index as i64) << PLACE_BITS) | place as i64))
    }

    /// The number of its log.
    pub fn log(self) -> u16 {
        (self.0 >> LOG_BITS) as u16
    }

    /// The index of its entry.
    pub fn index(self) -> u64 {
        (self.0 as u64 & ((1 << LOG_BITS) - 1)) >> PLACE_BITS
    }

    /// Its place in the entry, from 0.
    pub fn place(self) -> usize {
        (self.0 as usize) & ((1 << PLACE_BITS) - 1)
    }
}

/// A row that many others share, by its key's text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Shared {
    /// `common`: the kind, and canonical JSON.
    Common { kind: String, json: String },
    /// `facet`.
    Facet(Facet),
    /// `term`: aspect and name.
    Term { aspect: &'static str, name: String },
    /// `ref_kind`.
    RefKind(RefKind),
}

/// What a decision is found by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Facet {
    pub system: String,
    pub route: Option<String>,
    pub wire: Option<String>,
    pub model: Option<String>,
    pub version: Option<String>,
    pub identity: Option<String>,
    pub environment: Option<String>,
    pub outcome: Option<String>,
    pub error: Option<String>,
    pub overridden: bool,
}

/// What many payload references have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RefKind {
    pub role: String,
    pub class: Option<String>,
    pub media_type: Option<String>,
    pub encoding: Option<String>,
    pub state: String,
    pub reason: Option<String>,
}

/// `event`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    pub no: EventNo,
    pub id: Id,
    pub decision: Option<EventNo>,
    pub common: i32,
    pub logged_ns: i64,
    pub started_ns: Option<i64>,
    pub ended_ns: Option<i64>,
    pub rest: String,
}

/// `payload_ref`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefRow {
    pub event: EventNo,
    pub place: i32,
    pub payload: Id,
    pub ref_kind: i32,
    pub size: Option<i64>,
    pub key_id: Option<KeyId>,
    pub commitment: Option<Digest>,
    pub sealed: Option<Digest>,
    pub sha256: Option<Digest>,
    pub first: Option<Id>,
}

/// What is counted of a decision; each is a column of `decision`, `rollup_minute` and `rollup_hour` by this name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters(pub [i64; COUNTERS.len()]);

/// Names of [`Counters`], in order.
pub const COUNTERS: [&str; 17] = [
    "turns",
    "events",
    "payloads",
    "payloads_absent",
    "model_calls",
    "model_calls_failed",
    "tool_calls",
    "tool_calls_failed",
    "retrievals",
    "transforms",
    "human_actions",
    "overrides",
    "labels",
    "tokens_input",
    "tokens_output",
    "tokens_cached",
    "tokens_reasoning",
];

/// `decision`, with the facet spelt out; the engine gives its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionRow {
    pub no: EventNo,
    pub id: Id,
    pub facet: Facet,
    pub session: Option<Id>,
    pub started_ns: i64,
    pub ended_ns: Option<i64>,
    pub time_to_first_byte_ns: Option<i64>,
    pub counters: Counters,
    pub opened_no: i64,
    pub model_no: i64,
    pub closed_no: i64,
    pub last_no: i64,
}

/// A change of one row of a rollup: what is added to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollupRow {
    pub start_ns: i64,
    pub facet: i32,
    /// Decisions that began then.
    pub decisions: i64,
    /// Those of them that ended, and the sum of what they took.
    pub ended: i64,
    pub latency_sum_ns: i64,
    pub counters: Counters,
}

/// A change of one row of a table of latencies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatencyRow {
    pub start_ns: i64,
    pub facet: i32,
    pub bucket: i32,
    pub decisions: i64,
}

/// Everything that one batch writes, in one transaction with the cursor. Sorted by key, so that transactions of several nodes
/// take their locks in one order.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    pub events: Vec<EventRow>,
    pub continuations: Vec<(EventNo, EventNo)>,
    pub refs: Vec<RefRow>,
    /// New decisions.
    pub inserted: Vec<(DecisionRow, i32)>,
    /// Decisions that were there, as they are now.
    pub updated: Vec<(DecisionRow, i32)>,
    pub subjects: Vec<(Id, EventNo)>,
    pub terms: Vec<(i32, EventNo)>,
    pub mentions: Vec<(Id, EventNo)>,
    pub minutes: Vec<RollupRow>,
    pub hours: Vec<RollupRow>,
    pub latency_minutes: Vec<LatencyRow>,
    pub latency_hours: Vec<LatencyRow>,
}
