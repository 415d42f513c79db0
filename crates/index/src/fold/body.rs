//! What is counted of bodies, borrowed; everything else is skipped. Members that are not there, or are not of the form this
//! version knows, count as absent: the event's row has them as they stand.

use std::borrow::Cow;

use inferlog_record::{Count, Id, KeyId, Pseudonym};
use serde::Deserialize;

/// A text, borrowed where no escape stands in it.
#[derive(Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// A text that may not be there.
pub(crate) type Name<'a> = Option<Text<'a>>;

/// The text as a column holds it.
pub(super) fn owned(name: &Name<'_>) -> Option<String> {
    name.as_ref().map(|text| text.0.to_string())
}

/// Whether it is this text.
pub(super) fn is(name: &Name<'_>, wanted: &str) -> bool {
    name.as_ref().is_some_and(|text| text.0 == wanted)
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Opened<'a> {
    #[serde(borrow)]
    pub(super) route: Name<'a>,
    #[serde(borrow)]
    pub(super) wire: Name<'a>,
    #[serde(borrow)]
    pub(super) context: Option<Context<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Context<'a> {
    #[serde(borrow)]
    pub(super) environment: Name<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Closed<'a> {
    #[serde(borrow)]
    pub(super) outcome: Name<'a>,
    #[serde(borrow)]
    pub(super) error: Name<'a>,
    pub(super) time_to_first_byte_ns: Option<Count>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Inference<'a> {
    #[serde(borrow)]
    pub(super) model: Model<'a>,
    #[serde(borrow)]
    pub(super) outcome: Name<'a>,
    pub(super) usage: Usage,
    #[serde(borrow)]
    pub(super) prompts: Vec<Named<'a>>,
    #[serde(borrow)]
    pub(super) toolsets: Vec<Named<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Model<'a> {
    #[serde(borrow)]
    pub(super) requested: Name<'a>,
    #[serde(borrow)]
    pub(super) returned: Name<'a>,
    #[serde(borrow)]
    pub(super) version: Name<'a>,
    #[serde(borrow)]
    pub(super) identity: Name<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Usage {
    pub(super) input: Option<Count>,
    pub(super) output: Option<Count>,
    pub(super) cached: Option<Count>,
    pub(super) reasoning: Option<Count>,
}

/// A tool, a transform, a label, a prompt; the outcome, where it is a step.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Named<'a> {
    #[serde(borrow)]
    pub(super) name: Name<'a>,
    #[serde(borrow)]
    pub(super) outcome: Name<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Retrieval<'a> {
    #[serde(borrow)]
    pub(super) index: Name<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Human<'a> {
    #[serde(borrow)]
    pub(super) action: Name<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Alert<'a> {
    pub(super) about: Option<Id>,
    #[serde(borrow)]
    pub(super) monitor: Name<'a>,
}

/// What names decisions: `access`, `hold.placed`, `system.changed`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Mentions {
    pub(super) decision: Option<Id>,
    pub(super) decisions: Vec<Id>,
    pub(super) scope: Scope,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Scope {
    pub(super) decisions: Vec<Id>,
}

/// An `erasure` event.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ErasureBody<'a> {
    #[serde(borrow)]
    pub(crate) phase: Name<'a>,
    pub(crate) intent: Option<Id>,
    pub(crate) subjects: Vec<Pseudonym>,
    pub(crate) keys: Vec<KeyId>,
}

/// A `purge` event.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct PurgeBody<'a> {
    #[serde(borrow)]
    pub(crate) what: Name<'a>,
    #[serde(borrow)]
    pub(crate) class: Name<'a>,
    pub(crate) first: Option<Count>,
    pub(crate) last: Option<Count>,
}

/// Reads a body; the default where it is none.
pub(super) fn read<'a, T: Deserialize<'a> + Default>(body: Option<&'a str>) -> T {
    body.and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default()
}

/// A count as a column holds it.
pub(super) fn count(count: Option<Count>) -> i64 {
    count.map_or(0, |count| i64::try_from(count.0).unwrap_or(i64::MAX))
}
