//! What erasures and purges in a log ask of a store.

use inferlog_record::{Id, KeyId, Pseudonym};

use super::body::{self, ErasureBody, PurgeBody, is, owned};
use super::parse::{EntryJson, EventJson};
use crate::removal::PurgeDue;
use crate::rows::EventNo;

/// What entries ask to be removed.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// In the log's order.
    pub(crate) erased: Vec<Erased>,
    /// Of payloads: the class, the first and the last entry.
    pub(crate) payloads: Vec<(String, u64, u64)>,
    /// Of entries.
    pub(crate) entries: Vec<PurgeDue>,
}

/// What an erasure destroys, or does not.
#[derive(Debug)]
pub(crate) struct Erased {
    pub(crate) intent: Id,
    pub(crate) is_withheld: bool,
    pub(crate) subjects: Vec<Pseudonym>,
    pub(crate) keys: Vec<KeyId>,
}

impl Asked {
    pub(crate) fn is_empty(&self) -> bool {
        self.erased.is_empty() && self.payloads.is_empty() && self.entries.is_empty()
    }

    /// Takes in all events of an entry.
    pub(crate) fn entry(&mut self, log: u16, index: u64, entry: &EntryJson<'_>) {
        for (place, event) in entry.events.iter().enumerate().filter(|_| entry.decision.is_none()) {
            if let Some(no) = EventNo::new(log, index, place) {
                self.event(no, event);
            }
        }
    }

    /// Takes in an event of the system's life. Phases and words of a later version ask for nothing.
    pub(crate) fn event(&mut self, no: EventNo, event: &EventJson<'_>) {
        match &*event.kind {
            "erasure" => self.erasure(event),
            "purge" => self.purge(no, event),
            _ => {}
        }
    }

    fn erasure(&mut self, event: &EventJson<'_>) {
        let body: ErasureBody<'_> = body::read(event.body);
        let is_withheld = is(&body.phase, "withheld");
        if !is_withheld && !is(&body.phase, "intent") && !is(&body.phase, "completed") {
            return;
        }
        let ErasureBody { intent, subjects, keys, .. } = body;
        self.erased.push(Erased { intent: intent.unwrap_or(event.id), is_withheld, subjects, keys });
    }

    fn purge(&mut self, no: EventNo, event: &EventJson<'_>) {
        let body: PurgeBody<'_> = body::read(event.body);
        let (Some(first), Some(last)) = (body.first, body.last) else { return };
        // A purge is of what stood before it.
        let (first, last) = (first.0, last.0.min(no.index().saturating_sub(1)));
        if first > last || no.index() == 0 {
            return;
        }
        match owned(&body.class) {
            Some(class) if is(&body.what, "payloads") => self.payloads.push((class, first, last)),
            None if is(&body.what, "entries") => self.entries.push(PurgeDue { event: no, last }),
            _ => {}
        }
    }
}
