//! A borrowed view of an entry: what a verifier needs, everything else skipped. It reads kinds and values that this
//! version does not know, for it leaves them as text.

use serde::Deserialize;

use crate::entry::check_frame;
use crate::{Count, Digest, EntryError, Id, KeyId, List, Timestamp};

/// An entry, as far as a verifier reads it.
#[derive(Debug, Clone, Deserialize)]
pub struct EntryView<'a> {
    /// The decision that all events belong to.
    pub decision: Option<Id>,
    /// At least one.
    #[serde(borrow)]
    pub events: Vec<EventView<'a>>,
    /// How many entries became durable together.
    #[serde(default = "one")]
    pub of: u32,
    /// Which of them this is, from 1.
    #[serde(default = "one")]
    pub part: u32,
    v: u32,
}

/// An event, as far as a verifier reads it.
#[derive(Debug, Clone, Deserialize)]
pub struct EventView<'a> {
    /// The event's own id.
    pub id: Id,
    /// The kind's text: `decision.opened`, `inference`, …
    pub kind: &'a str,
    /// When the Recorder took it.
    pub logged_at: Timestamp,
    /// Its payload references.
    #[serde(borrow)]
    pub payloads: List<ReferenceView<'a>>,
    /// The retention class.
    pub retention: &'a str,
}

/// A payload reference as it stands; whether its members fit together is the reader's to check.
#[derive(Debug, Clone, Deserialize)]
pub struct ReferenceView<'a> {
    /// `personal`, `pseudonymous`, `shared`.
    pub class: Option<&'a str>,
    /// Binds the content.
    pub commitment: Option<Digest>,
    /// `identity` or `zstd`.
    pub encoding: Option<&'a str>,
    /// The event that first recorded the content.
    pub first: Option<Id>,
    /// The decision's key.
    pub key_id: Option<KeyId>,
    /// The payload's own id.
    pub payload: Id,
    /// Why it is not there.
    pub reason: Option<&'a str>,
    /// What the content is to the event.
    pub role: &'a str,
    /// SHA-256 of the sealed bytes.
    pub sealed: Option<Digest>,
    /// SHA-256 of shared content.
    pub sha256: Option<Digest>,
    /// Bytes: of the sealed plaintext, or of the shared content.
    pub size: Option<Count>,
    /// `present`, `redacted`, `erased`, `purged`, `not_captured`.
    pub state: &'a str,
}

fn one() -> u32 {
    1
}

impl<'a> EntryView<'a> {
    /// Reads the entry; refuses what is not one.
    pub fn parse(entry: &'a [u8]) -> Result<EntryView<'a>, EntryError> {
        let view: EntryView<'a> = serde_json::from_str(crate::entry::utf8(entry)?)?;
        check_frame(view.v, view.events.len(), view.part, view.of)
            .map_err(serde::de::Error::custom)
            .map_err(EntryError::Json)?;
        Ok(view)
    }
}
