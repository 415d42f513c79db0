//! Which records are taken out.

use std::collections::HashSet;

use inferlog_audit::Select;
use inferlog_record::{DataClass, Event, Id, Timestamp};
use serde::Serialize;

/// Which records. Everything, by default.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Which logs.
    pub select: Select,
    /// At or after: events by when they were logged, or decisions by when they began where the format has whole decisions.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Only these decisions, and nothing of the system's life.
    pub decisions: Option<HashSet<Id>>,
    /// Only decisions that ended so; `open` for those that have not. Where the format has whole decisions.
    pub outcomes: Vec<String>,
    /// Only decisions with all of these labels. Where the format has whole decisions.
    pub labels: Vec<LabelFilter>,
    /// Only content of these classes. Where the format has whole decisions.
    pub classes: Vec<DataClass>,
}

/// A label that a decision must have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LabelFilter {
    /// Its name.
    pub name: String,
    /// Its value, as text; any, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// `NAME` or `NAME=VALUE`.
impl std::str::FromStr for LabelFilter {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        Ok(Self { name: name.to_owned(), value: value.map(str::to_owned) })
    }
}

impl Selection {
    /// Whether an event of this decision is meant, by itself.
    pub(crate) fn has_event(&self, decision: Option<Id>, event: &Event) -> bool {
        self.has_time(event.logged_at) && self.has_decision(decision)
    }

    pub(crate) fn has_time(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }

    pub(crate) fn has_decision(&self, decision: Option<Id>) -> bool {
        self.decisions
            .as_ref()
            .is_none_or(|wanted| decision.is_some_and(|decision| wanted.contains(&decision)))
    }

    /// In words that stand in an export's metadata: what was asked for, and nothing of what was found.
    pub fn described(&self) -> serde_json::Value {
        let logs = (self.select != Select::default()).then(|| self.select.to_string());
        let described = Described {
            logs,
            since: self.since,
            until: self.until,
            decisions: self.decisions.as_ref().map(HashSet::len),
            outcomes: &self.outcomes,
            labels: &self.labels,
            classes: &self.classes,
        };
        serde_json::to_value(described).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Described<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    logs: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    /// How many were named.
    #[serde(skip_serializing_if = "Option::is_none")]
    decisions: Option<usize>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    outcomes: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    labels: &'a [LabelFilter],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    classes: &'a [DataClass],
}
