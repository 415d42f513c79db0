//! Looking through a log for what an erasure concerns. There is no index here: entries are searched for the text of an id,
//! and only those that hold it are parsed.

use crate::recorder::RecordError;
use inferlog_log::{LogId, LogReader};
use inferlog_record::{Content, Entry, Event, Id, KeyId, Pseudonym, RetentionClass, Timestamp};
use memchr::memmem::Finder;
use std::collections::{BTreeMap, BTreeSet};

/// What was found so far, in entries before `next`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Find {
    next: u64,
    /// The decisions that have an event of what was looked for.
    pub(crate) decisions: BTreeMap<Id, Concerned>,
}

/// A decision that an erasure concerns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Concerned {
    /// Keys that payloads of it are sealed under.
    pub(crate) keys: BTreeSet<KeyId>,
    /// Everybody whom its payloads are about.
    pub(crate) subjects: BTreeSet<Pseudonym>,
    /// What of its events decides whether a hold covers it, or a duty keeps it.
    pub(crate) marks: BTreeSet<Mark>,
}

/// Class and time of an event, where it stands, and whom it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) logged_at: Timestamp,
    pub(crate) log: LogId,
    pub(crate) index: u64,
    pub(crate) class: RetentionClass,
    pub(crate) subjects: Vec<Pseudonym>,
}

impl Find {
    /// The same finds, to go on with from another log's first entry.
    pub(crate) fn in_the_next_log(self) -> Self {
        Self { next: 0, ..self }
    }
}

/// Looks for a pseudonym or a decision id in the published log, from where `before` ended.
pub(crate) fn find(reader: &LogReader, log: LogId, wanted: &str, before: Find) -> Result<Find, RecordError> {
    let size = reader.size()?;
    let (mut found, mut failed) = (before, None);
    let finder = Finder::new(wanted);
    reader.scan(found.next, size, |index, bytes| {
        if finder.find(bytes).is_some() {
            match Entry::from_bytes(bytes) {
                Ok(entry) => note(&entry, (log, index), wanted, &mut found),
                Err(error) => failed = Some(error),
            }
        }
        failed.is_none()
    })?;
    found.next = size;
    failed.map_or(Ok(found), |error| Err(error.into()))
}

fn note(entry: &Entry, (log, index): (LogId, u64), wanted: &str, found: &mut Find) {
    let Some(decision) = entry.decision else { return };
    let is_decision = decision.to_string() == wanted;
    let is_subject = |event: &Event| event.subjects.iter().any(|subject| subject.to_string() == wanted);
    if !is_decision && !entry.events.iter().any(is_subject) {
        return;
    }
    let concerned = found.decisions.entry(decision).or_default();
    for event in &entry.events {
        concerned.subjects.extend(event.subjects.iter());
        concerned.marks.insert(Mark {
            logged_at: event.logged_at,
            log,
            index,
            class: event.retention.clone(),
            subjects: event.subjects.to_vec(),
        });
        concerned.keys.extend(event.payloads.iter().filter_map(|reference| match reference.content {
            Content::Sealed(sealed) => Some(sealed.key_id),
            _ => None,
        }));
    }
}
