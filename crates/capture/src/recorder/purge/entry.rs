//! An entry, as far as retention reads it.

use crate::recorder::RecordError;
use inferlog_record::{EntryError, Id, KeyId, Kind, Pseudonym, RetentionClass, Timestamp};
use serde::Deserialize;

/// What an entry says of its age and of what is sealed with it.
#[derive(Debug, Deserialize)]
pub(crate) struct Light<'a> {
    /// The decision.
    pub(crate) decision: Option<Id>,
    #[serde(borrow)]
    events: Vec<LightEvent<'a>>,
}

#[derive(Debug, Deserialize)]
struct LightEvent<'a> {
    kind: &'a str,
    logged_at: Timestamp,
    #[serde(borrow, default)]
    payloads: Vec<LightReference<'a>>,
    retention: &'a str,
    #[serde(default)]
    subjects: Vec<Pseudonym>,
}

#[derive(Debug, Deserialize)]
struct LightReference<'a> {
    first: Option<&'a str>,
    key_id: Option<KeyId>,
    state: &'a str,
}

impl<'a> Light<'a> {
    /// Reads an entry.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, RecordError> {
        Ok(serde_json::from_slice(bytes).map_err(EntryError::Json)?)
    }

    /// The retention class and when it was stamped: of the first event, which all of the entry share.
    pub(crate) fn place(&self) -> Option<(&'a str, Timestamp)> {
        self.events.first().map(|event| (event.retention, event.logged_at))
    }

    /// Whether an event of this kind is in it.
    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.events.iter().any(|event| event.kind == kind.as_str())
    }

    /// The keys that payloads which came with it are sealed under, one for each payload.
    pub(crate) fn keys(&self) -> impl Iterator<Item = KeyId> {
        let references = self.events.iter().flat_map(|event| &event.payloads);
        let is_own =
            |reference: &&LightReference<'_>| reference.first.is_none() && reference.state == "present";
        references.filter(is_own).filter_map(|reference| reference.key_id)
    }

    /// Whether any of its events is such.
    pub(crate) fn any(&self, is_such: impl Fn(&RetentionClass, Timestamp, &[Pseudonym]) -> bool) -> bool {
        self.events.iter().any(|event| {
            let class = RetentionClass::new(event.retention);
            class.is_ok_and(|class| is_such(&class, event.logged_at, &event.subjects))
        })
    }
}
