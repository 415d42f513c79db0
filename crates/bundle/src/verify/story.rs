//! What entries say, as far as a verifier needs it (docs/format.md, section 4). Everything else is passed over.

use std::collections::{BTreeMap, BTreeSet};

use inferlog_record::body::Scope;
use inferlog_record::{Digest, Id, KeyId, Pseudonym, ReferenceView, RetentionClass, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{self, Lenience};

/// An entry.
#[derive(Deserialize)]
pub(super) struct EntryText<'a> {
    pub(super) decision: Option<Id>,
    #[serde(borrow)]
    pub(super) events: Vec<EventText<'a>>,
    #[serde(default = "one")]
    of: u32,
    #[serde(default = "one")]
    part: u32,
    v: u32,
}

/// An event of it.
#[derive(Deserialize)]
pub(super) struct EventText<'a> {
    #[serde(default)]
    after: Vec<Id>,
    #[serde(borrow)]
    pub(super) body: Option<&'a RawValue>,
    pub(super) id: Id,
    pub(super) kind: &'a str,
    pub(super) logged_at: &'a str,
    parent: Option<Id>,
    #[serde(borrow, default)]
    pub(super) payloads: Vec<ReferenceView<'a>>,
    #[serde(default)]
    retention: &'a str,
    #[serde(borrow, default)]
    subjects: Vec<&'a str>,
    system: &'a str,
}

#[derive(Deserialize)]
struct ClosedBody<'a> {
    outcome: &'a str,
}

fn one() -> u32 {
    1
}

impl<'a> EntryText<'a> {
    /// Reads an entry; refuses what is none, or what two readers take differently.
    pub(super) fn parse(entry: &'a str) -> Result<Self, String> {
        json::check(entry.as_bytes(), Lenience::Nulls)?;
        if !json::is_canonical(entry) {
            return Err("it is not in the one spelling that an entry has (RFC 8785)".to_owned());
        }
        let read: Self = serde_json::from_str(entry).map_err(|error| error.to_string())?;
        match () {
            () if read.v != 1 => Err(format!("the entry is of version {}; this build reads 1", read.v)),
            () if read.events.is_empty() => Err("the entry has no events".to_owned()),
            () if read.part == 0 || read.part > read.of => {
                Err(format!("the entry is part {} of {}", read.part, read.of))
            }
            () => Ok(read),
        }
    }
}

/// A payload whose content was recorded: what binds it, and where.
pub(super) struct Born {
    pub(super) place: (usize, u64),
    pub(super) event: Id,
    pub(super) role: String,
    pub(super) class: Option<String>,
    pub(super) commitment: Option<Digest>,
    pub(super) sealed: Option<Digest>,
    pub(super) sha256: Option<Digest>,
    pub(super) key_id: Option<KeyId>,
    pub(super) is_zstd: bool,
    pub(super) subjects: Vec<String>,
    /// Retention class of its entry: that of the first event.
    pub(super) retention: String,
}

/// What a hold's scope asks of a decision.
#[derive(Default)]
pub(super) struct Facts {
    decision: Option<Id>,
    /// Of each event: retention class, time, persons.
    events: BTreeSet<(RetentionClass, Timestamp, Vec<Pseudonym>)>,
}

impl Facts {
    /// Whether a scope covers any event.
    pub(super) fn is_in(&self, scope: &Scope) -> bool {
        let mut events = self.events.iter();
        events.any(|(class, at, subjects)| scope.covers(self.decision, class, *at, subjects))
    }

    fn take(&mut self, decision: Option<Id>, event: &EventText<'_>) {
        self.decision = decision;
        if let (Ok(class), Ok(at)) = (RetentionClass::new(event.retention), event.logged_at.parse()) {
            let subjects = event.subjects.iter().filter_map(|subject| subject.parse().ok()).collect();
            self.events.insert((class, at, subjects));
        }
    }
}

/// Why a payload is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absence {
    Erased,
    Purged,
    Redacted,
    NotCaptured,
}

/// Parts of one write that are not all there yet.
struct Write {
    log: usize,
    of: u32,
    next: u32,
    begun_at: u64,
}

/// What the entries of a decision say, or those of the system's life.
#[derive(Default)]
pub(super) struct Story {
    pub(super) entries: u64,
    /// `logged_at` and `system` of the first event.
    pub(super) first: Option<(String, String)>,
    pub(super) outcome: Option<String>,
    /// Payloads by id, with the first reference that holds them.
    pub(super) born: BTreeMap<Id, Born>,
    pub(super) absent: BTreeMap<Id, Absence>,
    /// What each payload is to any event.
    pub(super) roles: BTreeMap<Id, BTreeSet<String>>,
    pub(super) events: BTreeSet<Id>,
    pub(super) facts: Facts,
    /// Events that are named as cause, whole or origin, and the entry that names each first.
    pub(super) named: Vec<(Id, (usize, u64))>,
    writes: Vec<Write>,
}

impl Story {
    /// Takes the next entry. Faults of it, as sentences.
    pub(super) fn take(&mut self, place: (usize, u64), entry: &EntryText<'_>) -> Vec<String> {
        let mut faults = Vec::new();
        self.entries += 1;
        faults.extend(self.take_part(place, entry));
        for event in &entry.events {
            if self.first.is_none() {
                self.first = Some((event.logged_at.to_owned(), event.system.to_owned()));
            }
            self.events.insert(event.id);
            self.facts.take(entry.decision, event);
            let causes = event.after.iter().chain(&event.parent);
            self.named.extend(causes.map(|id| (*id, place)));
            if event.kind == "decision.closed" {
                match serde_json::from_str::<ClosedBody<'_>>(event.body.map_or("{}", RawValue::get)) {
                    Ok(body) => self.outcome = Some(body.outcome.to_owned()),
                    Err(error) => faults.push(format!("event {}: {error}", event.id)),
                }
            }
            for reference in &event.payloads {
                let payload = reference.payload;
                self.roles.entry(payload).or_default().insert(reference.role.to_owned());
                let retention = entry.events.first().map_or("", |first| first.retention);
                if let Err(what) = self.refer((place, retention), event, reference) {
                    faults.push(format!("payload {payload}: {what}"));
                }
            }
        }
        faults
    }

    fn refer(
        &mut self,
        (place, retention): ((usize, u64), &str),
        event: &EventText<'_>,
        reference: &ReferenceView<'_>,
    ) -> Result<(), &'static str> {
        let payload = reference.payload;
        if let Some(first) = reference.first {
            self.named.push((first, place));
            return Ok(());
        }
        let absence = match reference.state {
            "present" => None,
            "erased" => Some(Absence::Erased),
            "purged" => Some(Absence::Purged),
            "redacted" => Some(Absence::Redacted),
            "not_captured" => Some(Absence::NotCaptured),
            _ => return Err("its state is none that the format has"),
        };
        if let Some(absence) = absence {
            self.absent.entry(payload).or_insert(absence);
            return Ok(());
        }
        let is_sealed =
            reference.commitment.is_some() && reference.sealed.is_some() && reference.key_id.is_some();
        if is_sealed == reference.sha256.is_some() {
            return Err("it is said to be present, and nothing binds its content, or two things do");
        }
        if let Some(known) = self.born.get(&payload) {
            // A repeated event is recorded twice.
            let is_same = (known.commitment, known.sha256) == (reference.commitment, reference.sha256);
            return if is_same { Ok(()) } else { Err("two references bind it to different content") };
        }
        let born = Born {
            place,
            event: event.id,
            role: reference.role.to_owned(),
            class: reference.class.map(str::to_owned),
            commitment: reference.commitment,
            sealed: reference.sealed,
            sha256: reference.sha256,
            key_id: reference.key_id,
            is_zstd: reference.encoding == Some("zstd"),
            subjects: event.subjects.iter().map(|subject| (*subject).to_owned()).collect(),
            retention: retention.to_owned(),
        };
        self.born.insert(payload, born);
        Ok(())
    }

    /// Entries that became durable together: all of them have to be there.
    fn take_part(&mut self, (log, index): (usize, u64), entry: &EntryText<'_>) -> Option<String> {
        if entry.of == 1 {
            return None;
        }
        let (part, of) = (entry.part, entry.of);
        if part == 1 {
            self.writes.push(Write { log, of, next: 2, begun_at: index });
            return None;
        }
        // They stand one after the other.
        let is_its = |write: &Write| {
            (write.log, write.of, write.next) == (log, of, part)
                && write.begun_at + u64::from(part - 1) == index
        };
        let Some(at) = self.writes.iter().position(is_its) else {
            return Some(format!("it is part {part} of {of}, and part {} before it is missing", part - 1));
        };
        if part == of {
            self.writes.remove(at);
        } else if let Some(write) = self.writes.get_mut(at) {
            write.next += 1;
        }
        None
    }

    /// Writes whose later parts are missing: where each began, and what is missing.
    pub(super) fn unfinished(&self) -> impl Iterator<Item = ((usize, u64), String)> + '_ {
        self.writes.iter().map(|write| {
            let Write { log, of, next, begun_at } = write;
            ((*log, *begun_at), format!("part {next} of the {of} that were written with it is missing"))
        })
    }
}
