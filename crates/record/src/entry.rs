//! The entry: one leaf of the log (format.md, section 4).

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

use crate::{Event, Id};

/// An entry is at most this long: what a C2SP entry bundle can hold (c2sp.org/tlog-tiles).
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// The version of the format that this crate writes.
pub const ENTRY_VERSION: u32 = 1;

/// One or more events of one decision, or of the system's life, that become durable together.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Wire")]
pub struct Entry {
    /// The decision that all events belong to; `None` in the life of the system.
    pub decision: Option<Id>,
    /// At least one.
    pub events: Vec<Event>,
    /// How many entries became durable together.
    pub of: u32,
    /// Which of them this is, from 1.
    pub part: u32,
}

/// An entry that cannot be written or read.
#[derive(Debug, Error)]
pub enum EntryError {
    /// Not the JSON of an entry.
    #[error("entry: {0}")]
    Json(#[from] serde_json::Error),
    /// One event has clear fields that fill more than an entry; its lists are longer than validation allows.
    #[error(
        "event {event} has {bytes} bytes of clear fields, an entry holds {ENTRY_BYTES_MAX}: validate it first"
    )]
    TooLarge {
        /// The event.
        event: Id,
        /// Its length without payloads, bytes.
        bytes: usize,
    },
    /// The parts given do not make one write.
    #[error("{found} is not what was expected, {expected}")]
    Parts {
        /// What was expected.
        expected: String,
        /// What was there.
        found: String,
    },
    /// A part continues an event that no earlier part began.
    #[error("event {0} is continued but was not begun")]
    NotBegun(Id),
}

impl Entry {
    /// The only part of its write.
    pub fn new(decision: Option<Id>, events: Vec<Event>) -> Entry {
        Entry { decision, events, of: 1, part: 1 }
    }

    /// The canonical bytes (RFC 8785). May be longer than [`ENTRY_BYTES_MAX`]: see [`Entry::into_parts`].
    ///
    /// Fails only on an event of a kind that this version does not know.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EntryError> {
        let mut bytes = Vec::with_capacity(4096);
        serde_json::to_writer(&mut bytes, self)?;
        Ok(bytes)
    }

    /// Reads an entry. Members that this version does not know are skipped; known ones must have their type.
    pub fn from_bytes(bytes: &[u8]) -> Result<Entry, EntryError> {
        Ok(serde_json::from_str(utf8(bytes)?)?)
    }
}

/// JSON is text. Checked once here, which is faster than string by string in the JSON reader.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, EntryError> {
    std::str::from_utf8(bytes).map_err(serde::de::Error::custom).map_err(EntryError::Json)
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_struct("Entry", 5)?;
        if let Some(decision) = &self.decision {
            json.serialize_field("decision", decision)?;
        }
        json.serialize_field("events", &self.events)?;
        if self.of != 1 {
            json.serialize_field("of", &self.of)?;
        }
        if self.part != 1 {
            json.serialize_field("part", &self.part)?;
        }
        json.serialize_field("v", &ENTRY_VERSION)?;
        json.end()
    }
}

#[derive(Deserialize)]
struct Wire {
    decision: Option<Id>,
    events: Vec<Event>,
    of: Option<u32>,
    part: Option<u32>,
    v: u32,
}

impl TryFrom<Wire> for Entry {
    type Error = String;
    fn try_from(wire: Wire) -> Result<Entry, String> {
        let Wire { decision, events, of, part, v } = wire;
        let (of, part) = (of.unwrap_or(1), part.unwrap_or(1));
        check_frame(v, events.len(), part, of)?;
        Ok(Entry { decision, events, of, part })
    }
}

/// What must hold of every entry, whatever its events.
pub(crate) fn check_frame(v: u32, events: usize, part: u32, of: u32) -> Result<(), String> {
    if v != ENTRY_VERSION {
        return Err(format!("version {v} of the format; this reader knows {ENTRY_VERSION}"));
    }
    if events == 0 {
        return Err("no events".into());
    }
    if part == 0 || part > of {
        return Err(format!("part {part} of {of}"));
    }
    Ok(())
}
