//! Looking through a log for what an erasure concerns. There is no index here: entries are searched for the text of an id,
//! and only those that hold it are parsed.

use crate::recorder::RecordError;
use inferlog_log::LogReader;
use inferlog_record::body::Body;
use inferlog_record::{Content, Entry, Id, KeyId, Kind};
use memchr::memmem::Finder;
use std::collections::BTreeSet;

/// What was found so far, in entries before `next`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Find {
    next: u64,
    /// Decisions that were opened by, or for, what was looked for.
    pub(crate) decisions: u64,
    /// Keys that payloads of them are sealed under.
    pub(crate) keys: BTreeSet<KeyId>,
}

impl Find {
    /// The same finds, to go on with from another log's first entry.
    pub(crate) fn in_the_next_log(self) -> Self {
        Self { next: 0, ..self }
    }
}

/// Looks for a pseudonym or a decision id in the published log, from where `before` ended.
pub(crate) fn find(reader: &LogReader, wanted: &str, before: Find) -> Result<Find, RecordError> {
    let size = reader.size()?;
    let (mut found, mut failed) = (before, None);
    let finder = Finder::new(wanted);
    reader.scan(found.next, size, |_, bytes| {
        if finder.find(bytes).is_some() {
            match Entry::from_bytes(bytes) {
                Ok(entry) => note(&entry, wanted, &mut found),
                Err(error) => failed = Some(error),
            }
        }
        failed.is_none()
    })?;
    found.next = size;
    failed.map_or(Ok(found), |error| Err(error.into()))
}

fn note(entry: &Entry, wanted: &str, found: &mut Find) {
    let is_decision = entry.decision.is_some_and(|decision| decision.to_string() == wanted);
    let is_subject =
        |event: &inferlog_record::Event| event.subjects.iter().any(|subject| subject.to_string() == wanted);
    for event in entry.events.iter().filter(|event| is_decision || is_subject(event)) {
        found.decisions +=
            u64::from(event.kind() == Some(Kind::DecisionOpened) && !matches!(event.body, Body::Rest(_)));
        found.keys.extend(event.payloads.iter().filter_map(|reference| match reference.content {
            Content::Sealed(sealed) => Some(sealed.key_id),
            _ => None,
        }));
    }
}

/// Whether the log says that the erasure announced at `index` was completed. The completion follows close behind, but for the
/// few entries that a start after a crash writes between the two.
pub(crate) fn is_completed(reader: &LogReader, index: u64, intent: Id) -> Result<bool, RecordError> {
    let size = reader.size()?;
    let text = intent.to_string();
    let finder = Finder::new(&text);
    let mut completed = false;
    reader.scan(index + 1, size, |_, bytes| {
        completed = finder.find(bytes).is_some()
            && Entry::from_bytes(bytes).is_ok_and(|entry| completes(&entry, intent));
        !completed
    })?;
    Ok(completed)
}

fn completes(entry: &Entry, intent: Id) -> bool {
    entry.events.iter().any(|event| matches!(&event.body, Body::Erasure(body) if body.intent == Some(intent)))
}
