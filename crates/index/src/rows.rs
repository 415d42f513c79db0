//! What a batch of entries becomes: rows for every table, whichever engine writes them.

use inferlog_record::{Digest, Id, KeyId, Pseudonym};

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

    /// That of the first event of its entry, and the largest that one of it may have.
    pub fn entry(self) -> (Self, Self) {
        let rest = (1 << PLACE_BITS) - 1;
        (Self(self.0 & !rest), Self(self.0 | rest))
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
    Common {
        /// The kind.
        kind: String,
        /// Canonical JSON.
        json: String,
    },
    /// `facet`.
    Facet(Facet),
    /// `term`: aspect and name.
    Term {
        /// `tool`, `transform`, `index`, `label`, `prompt`, `monitor`.
        aspect: &'static str,
        /// The name.
        name: String,
    },
    /// `ref_kind`.
    RefKind(RefKind),
}

/// What a decision is found by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Facet {
    /// The system.
    pub system: String,
    /// The configured route that admitted it, from `decision.opened` with the lowest number.
    pub route: Option<String>,
    /// The wire that the request spoke, from the same.
    pub wire: Option<String>,
    /// The model, from the inference with the highest number: as answered, else as asked for.
    pub model: Option<String>,
    /// Its version, from the same.
    pub version: Option<String>,
    /// Whether its names pin one model: `exact`, `alias`, `unknown`.
    pub identity: Option<String>,
    /// Production, staging and the like; `decision.opened` says it, or the first `context` if that does not.
    pub environment: Option<String>,
    /// How it ended, from the `decision.closed` with the highest number; `None` while it is open.
    pub outcome: Option<String>,
    /// What failed, from the same.
    pub error: Option<String>,
    /// Whether `overrides` is not zero.
    pub overridden: bool,
}

impl Facet {
    /// Its key's text: the values as a JSON array.
    pub fn key(&self) -> String {
        let Self { system, route, wire, model, version, identity, environment, outcome, error, overridden } =
            self;
        serde_json::json!([
            system,
            route,
            wire,
            model,
            version,
            identity,
            environment,
            outcome,
            error,
            overridden
        ])
        .to_string()
    }
}

impl RefKind {
    /// Its key's text: the values as a JSON array.
    pub fn key(&self) -> String {
        let Self { role, class, media_type, encoding, state, reason } = self;
        serde_json::json!([role, class, media_type, encoding, state, reason]).to_string()
    }
}

/// What many payload references have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RefKind {
    /// What the content is to the event.
    pub role: String,
    /// Personal, pseudonymous or shared.
    pub class: Option<String>,
    /// From a fixed list.
    pub media_type: Option<String>,
    /// What was done before sealing.
    pub encoding: Option<String>,
    /// Whether the content is there.
    pub state: String,
    /// Why not.
    pub reason: Option<String>,
}

/// `event`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Its number.
    pub no: EventNo,
    /// Its id.
    pub id: Id,
    /// Its decision's number.
    pub decision: Option<EventNo>,
    /// Its row of `common`.
    pub common: i32,
    /// When the Recorder took it, nanoseconds since 1970.
    pub logged_ns: i64,
    /// When the step began.
    pub started_ns: Option<i64>,
    /// When it ended.
    pub ended_ns: Option<i64>,
    /// The other members as a JSON object, without `payloads`.
    pub rest: String,
}

/// `payload_ref`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefRow {
    /// The event.
    pub event: EventNo,
    /// Its place among the event's references: 1,024 · (entries since the event's own) + place in the entry's list.
    pub place: i32,
    /// The payload.
    pub payload: Id,
    /// Its row of `ref_kind`.
    pub ref_kind: i32,
    /// Bytes, padded: of the sealed plaintext, or of the shared content.
    pub size: Option<i64>,
    /// The decision's key; stored as [`key_no`].
    pub key_id: Option<KeyId>,
    /// Binds the content.
    pub commitment: Option<Digest>,
    /// SHA-256 of the sealed bytes.
    pub sealed: Option<Digest>,
    /// SHA-256 of shared content.
    pub sha256: Option<Digest>,
    /// The event that first recorded the content.
    pub first: Option<Id>,
}

/// What is counted of a decision; each is a column of `decision`, `rollup_minute` and `rollup_hour` by this name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters(pub [i64; COUNTERS.len()]);

/// Names of [`Counters`], in order: requests (`decision.opened` and `decision.joined`), events, payload references and those of
/// them whose content is not there, steps by kind and how many failed, what people did and how often they set an answer aside
/// (override, modify, reverse, disregard, reject), labels, tokens over all model calls.
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
    /// That of the first event seen of it.
    pub no: EventNo,
    /// Its id.
    pub id: Id,
    /// What it is found by.
    pub facet: Facet,
    /// The session of the first event that names one.
    pub session: Option<Id>,
    /// When it began: what the `decision.opened` with the lowest number says, else when that, or its first event, was logged.
    pub started_ns: i64,
    /// When it ended: what the `decision.closed` with the highest number says, else when that was logged.
    pub ended_ns: Option<i64>,
    /// From the request's first byte to the answer's, from the same.
    pub time_to_first_byte_ns: Option<i64>,
    /// What is counted of it.
    pub counters: Counters,
    /// The `decision.opened` that counts; 0 if there was none: logs are numbered from 1.
    pub opened_no: i64,
    /// The inference that counts; 0 if there was none.
    pub model_no: i64,
    /// The `decision.closed` that counts; 0 if there was none.
    pub closed_no: i64,
    /// Its event with the highest number.
    pub last_no: i64,
}

/// A change of one row of a rollup: what is added to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollupRow {
    /// Begin of the minute or hour.
    pub start_ns: i64,
    /// The row of `facet`.
    pub facet: i32,
    /// Decisions that began then.
    pub decisions: i64,
    /// Those of them that ended.
    pub ended: i64,
    /// The sum of what these took.
    pub latency_sum_ns: i64,
    /// Sums over the decisions.
    pub counters: Counters,
}

/// A change of one row of a table of latencies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatencyRow {
    /// Begin of the minute or hour.
    pub start_ns: i64,
    /// The row of `facet`.
    pub facet: i32,
    /// The bucket of latencies.
    pub bucket: i32,
    /// Decisions in it.
    pub decisions: i64,
}

/// Everything that one batch writes, in one transaction with the cursor. Sorted by key, so that transactions of several nodes
/// take their locks in one order.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// By number.
    pub events: Vec<EventRow>,
    /// Places of entries that continue an event, and the event.
    pub continuations: Vec<(EventNo, EventNo)>,
    /// By event and place.
    pub refs: Vec<RefRow>,
    /// New decisions, with the number of their facet.
    pub inserted: Vec<(DecisionRow, i32)>,
    /// Decisions that were there, as they are now.
    pub updated: Vec<(DecisionRow, i32)>,
    /// Persons and the decisions about them; may be there already.
    pub subjects: Vec<(Pseudonym, EventNo)>,
    /// Terms and the decisions that show them; may be there already.
    pub terms: Vec<(i32, EventNo)>,
    /// Decisions, and the events of none that name them.
    pub mentions: Vec<(Id, EventNo)>,
    /// Changes of `rollup_minute`.
    pub minutes: Vec<RollupRow>,
    /// Changes of `rollup_hour`.
    pub hours: Vec<RollupRow>,
    /// Changes of `latency_minute`.
    pub latency_minutes: Vec<LatencyRow>,
    /// Changes of `latency_hour`.
    pub latency_hours: Vec<LatencyRow>,
    /// Places where an event stands again, and the event.
    pub again: Vec<(EventNo, EventNo)>,
}

/// `identifier`: a keyed digest of an id that others have for a decision.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identifier {
    /// The event that says it, at the place where its payload is.
    pub event: EventNo,
    /// HMAC-SHA256, its first half.
    pub digest: [u8; 16],
    /// The decision.
    pub decision: EventNo,
    /// The term of its retention class.
    pub class: i32,
    /// The key of the payload that says it.
    pub key: KeyNo,
}

/// `content`: a payload in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClearContent {
    /// The payload.
    pub payload: Id,
    /// Its decision.
    pub decision: EventNo,
    /// The event that it was born with, at the place where it is.
    pub event: EventNo,
    /// The term of its retention class.
    pub class: i32,
    /// Its key.
    pub key: KeyNo,
    /// JSON: the content itself where it is JSON, a string where it is text, else `{"base64": …}`. Never with `\u0000`, which
    /// PostgreSQL refuses.
    pub content: String,
}

/// A key's address in its keystore as one number: page · 65,536 + slot.
pub fn key_no(key: KeyId) -> i64 {
    (i64::from(key.page) << 16) | i64::from(key.slot)
}

/// A key among those of every keystore that a store knows: keystore · 2^48 + page · 65,536 + slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyNo(pub i64);

impl KeyNo {
    /// The number of a key of the keystore that has this number in the store.
    pub fn new(keystore: u16, key: KeyId) -> Self {
        Self((i64::from(keystore) << 48) | key_no(key))
    }
}
