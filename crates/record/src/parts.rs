//! An entry that is too long, divided into parts that fit, and put together again (format.md, section 4).

use crate::body::Body;
use crate::{ENTRY_BYTES_MAX, Entry, EntryError, Event, Id};

/// What stands around the events of a part, at its longest.
const FRAME: &str = concat!(
    r#"{"decision":"00000000-0000-7000-8000-000000000000","events":[],"#,
    r#""of":4294967295,"part":4294967295,"v":1}"#
);

/// How many bytes the events of one part may fill, commas included.
const ROOM: usize = ENTRY_BYTES_MAX - FRAME.len();

/// What an event gains when it gets its first reference.
const PAYLOADS: usize = r#""payloads":[],"#.len();

impl Entry {
    /// The entries to write, each at most [`ENTRY_BYTES_MAX`] long: itself if it fits.
    ///
    /// Events stay whole where they can. One too large for an entry is continued in the next with the rest of its
    /// payloads. Fails if clear fields alone do not fit, or on an event of a kind that this version does not know.
    pub fn into_parts(self) -> Result<Vec<Entry>, EntryError> {
        if self.to_bytes()?.len() <= ENTRY_BYTES_MAX {
            return Ok(vec![self]);
        }
        let mut parts = Parts::default();
        for event in self.events {
            let bytes = json_len(&event)?;
            match bytes <= ROOM {
                true => parts.push(event, bytes),
                false => parts.divide(event)?,
            }
        }
        parts.close();
        let of = u32::try_from(parts.closed.len()).unwrap_or(u32::MAX);
        let entry = |(part, events)| Entry { decision: self.decision, events, of, part };
        Ok((1..=of).zip(parts.closed).map(entry).collect())
    }

    /// The write that these parts, in order, were divided from.
    pub fn join(parts: Vec<Entry>) -> Result<Entry, EntryError> {
        let decision = parts.first().and_then(|part| part.decision);
        let mut events: Vec<Event> = Vec::new();
        let mut expected = 0;
        let of = u32::try_from(parts.len().max(1)).unwrap_or(u32::MAX);
        for entry in parts {
            expected += 1;
            let told = (entry.part, entry.of, entry.decision);
            if told != (expected, of, decision) {
                return Err(EntryError::Parts {
                    expected: describe(expected, of, decision),
                    found: describe(entry.part, entry.of, entry.decision),
                });
            }
            for event in entry.events {
                take(&mut events, event)?;
            }
        }
        match expected {
            0 => Err(EntryError::Parts { expected: describe(1, of, None), found: "nothing".into() }),
            _ => Ok(Entry::new(decision, events)),
        }
    }
}

fn take(events: &mut Vec<Event>, event: Event) -> Result<(), EntryError> {
    if !matches!(event.body, Body::Rest(_)) {
        events.push(event);
        return Ok(());
    }
    let begun = events.iter_mut().rfind(|begun| begun.id == event.id && begun.kind() == event.kind());
    begun.ok_or(EntryError::NotBegun(event.id))?.payloads.extend(event.payloads);
    Ok(())
}

fn describe(part: u32, of: u32, decision: Option<Id>) -> String {
    match decision {
        Some(decision) => format!("part {part} of {of} of decision {decision}"),
        None => format!("part {part} of {of}"),
    }
}

#[derive(Default)]
struct Parts {
    closed: Vec<Vec<Event>>,
    open: Vec<Event>,
    /// Bytes that the events of the open part fill, with a comma after each.
    used: usize,
}

impl Parts {
    fn close(&mut self) {
        if !self.open.is_empty() {
            self.closed.push(std::mem::take(&mut self.open));
        }
        self.used = 0;
    }

    fn push(&mut self, event: Event, bytes: usize) {
        if self.used + bytes > ROOM {
            self.close();
        }
        self.open.push(event);
        self.used += bytes + 1;
    }

    /// Spreads the payloads of one event over as many parts as they need.
    fn divide(&mut self, mut event: Event) -> Result<(), EntryError> {
        let payloads = std::mem::take(&mut event.payloads);
        let kind = event.kind();
        let mut piece = Piece::of(event)?;
        for reference in payloads {
            let bytes = json_len(&reference)? + 1;
            if piece.bytes + bytes > ROOM {
                let Some(kind) = kind else { return Err(piece.too_large()) };
                let rest = Piece::of(piece.event.rest(kind))?;
                let full = std::mem::replace(&mut piece, rest);
                self.push(full.event, full.bytes);
            }
            piece.event.payloads.push(reference);
            piece.bytes += bytes;
        }
        self.push(piece.event, piece.bytes);
        Ok(())
    }
}

struct Piece {
    event: Event,
    bytes: usize,
}

impl Piece {
    fn of(event: Event) -> Result<Piece, EntryError> {
        let bytes = json_len(&event)? + PAYLOADS;
        let piece = Piece { event, bytes };
        if bytes + REFERENCE_BYTES_MAX > ROOM { Err(piece.too_large()) } else { Ok(piece) }
    }

    fn too_large(&self) -> EntryError {
        EntryError::TooLarge { event: self.event.id, bytes: self.bytes }
    }
}

/// No reference is longer: six digests and ids, and nine short texts.
const REFERENCE_BYTES_MAX: usize = 1024;

fn json_len(value: &impl serde::Serialize) -> Result<usize, EntryError> {
    Ok(serde_json::to_vec(value)?.len())
}
