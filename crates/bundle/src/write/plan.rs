//! What goes into a bundle: where the entries of its decisions stand, and what has to be known of them before the first is
//! written. Memory grows with the decisions, not with what they hold.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use inferlog_audit::fate::Removals;
use inferlog_audit::{AuditError, Locator, ScanLocator, Select, StoryOptions, story};
use inferlog_disk::Fs;
use inferlog_record::body::{Aspect, Body};
use inferlog_record::{
    Content, DataClass, Digest, Entry, Event, Id, KeyId, PayloadRole, Pseudonym, RetentionClass, SystemName,
    Timestamp,
};

use super::error::{Result, WriteError};
use super::logs::SourceLog;
use super::system::{Life, removals};
use super::{Phase, Step};
use crate::layout::{Disclosure, Summary};

/// What goes into a bundle.
pub(super) struct Plan {
    /// The logs of the bundle; their places here are their numbers in it.
    pub(super) logs: Vec<SourceLog>,
    /// By id.
    pub(super) decisions: Vec<Planned>,
    /// Of each log, what its `system.json` has.
    pub(super) life: Vec<Life>,
    /// What became of their content, as the life that the bundle has says it.
    pub(super) removals: Removals,
    /// When the first and the last of the decisions' events were logged.
    pub(super) span: (Timestamp, Timestamp),
    /// What the entries name by its SHA-256 and the disclosure covers.
    pub(super) shared: BTreeSet<Digest>,
}

/// A decision.
pub(super) struct Planned {
    pub(super) system: SystemName,
    /// All of it but how much is disclosed.
    pub(super) summary: Summary,
    /// Where its entries stand: log and index, ascending.
    pub(super) places: Vec<(usize, u64)>,
}

/// What is known of all decisions together.
#[derive(Default)]
pub(super) struct Known {
    pub(super) decisions: HashSet<Id>,
    pub(super) keys: HashSet<KeyId>,
    pub(super) subjects: HashSet<Pseudonym>,
    pub(super) classes: BTreeSet<RetentionClass>,
    pub(super) span: Option<(Timestamp, Timestamp)>,
    /// Whether a decision lacks its beginning.
    pub(super) is_cut: bool,
    shared: BTreeSet<Digest>,
}

/// Finds the decisions, which are sorted by id, and reads them once.
pub(super) fn plan(
    fs: &Arc<dyn Fs>,
    data: &Path,
    decisions: &[Id],
    disclosure: &Disclosure,
    progress: &mut dyn FnMut(Step),
) -> Result<Plan> {
    // Opened before the search: what it finds beyond these checkpoints is left out.
    let mut logs = SourceLog::all(fs, data)?;
    let located = ScanLocator::scan(fs, data, &Select::default(), decisions, |done, total| {
        progress(Step { phase: Phase::Searching, done, total });
    })?;
    let (mut known, mut planned) = (Known::default(), Vec::with_capacity(decisions.len()));
    for (done, id) in (0..).zip(decisions) {
        progress(Step { phase: Phase::Reading, done, total: decisions.len() as u64 });
        planned.push(read(fs, data, &logs, *id, &located, disclosure, &mut known)?);
    }
    let span = known.span.ok_or(WriteError::NoDecisions)?;
    let removed = removals(&logs, &planned, &located, &known)?;
    let removed = keep_needed(&mut logs, &mut planned, removed)?;
    let life = super::system::life(&logs, &planned, &located, &removed, &known)?;
    let (removals, policies) = told(&logs, &life)?;
    let mut shared = known.shared;
    shared.extend(policies);
    Ok(Plan { logs, decisions: planned, life, removals, shared, span })
}

/// What the life that goes into the bundle says was removed and held, and the policies that it names.
fn told(logs: &[SourceLog], life: &[Life]) -> Result<(Removals, BTreeSet<Digest>)> {
    let (mut removals, mut policies) = (Removals::default(), BTreeSet::new());
    for (number, (log, life)) in logs.iter().zip(life).enumerate() {
        for index in life.indices.iter().filter(|index| **index < log.size()) {
            for event in log.parsed(*index)?.events {
                removals.learn((number, *index), &event);
                match &event.body {
                    Body::RecorderStarted(body) => policies.extend(body.policy),
                    Body::SystemChanged(body) if body.aspect == Aspect::Policy => {
                        policies.extend(body.new_digest);
                        policies.extend(body.old_digest);
                    }
                    Body::Purge(body) => policies.extend(body.policy_sha256),
                    _ => {}
                }
            }
        }
    }
    Ok((removals, policies))
}

/// Finds and reads one decision.
fn read(
    fs: &Arc<dyn Fs>,
    data: &Path,
    logs: &[SourceLog],
    id: Id,
    located: &ScanLocator,
    disclosure: &Disclosure,
    known: &mut Known,
) -> Result<Planned> {
    let mut places = Vec::new();
    for found in located.locate(id).unwrap_or_default() {
        let Some(log) = logs.iter().position(|log| log.origin == found.origin) else { continue };
        places.extend(
            found.entries.iter().filter(|index| **index < logs[log].size()).map(|index| (log, *index)),
        );
    }
    places.sort_unstable();
    let mut parsed = parse(logs, &places)?;
    // A clock that was far off: what was not found at its time is looked for everywhere.
    if !has_opening(&parsed) {
        places = search(fs, data, logs, id)?;
        parsed = parse(logs, &places)?;
        known.is_cut |= !has_opening(&parsed);
    }
    for ((log, index), entry) in places.iter().zip(&parsed) {
        if entry.decision != Some(id) {
            return Err(logs[*log].at(*index, format!("it is not of decision {id}")));
        }
        check_parts(logs, &places, (*log, *index), entry)?;
        entry.events.iter().for_each(|event| known.take(event, disclosure));
    }
    known.decisions.insert(id);
    let first = parsed.first().and_then(|entry| entry.events.first()).ok_or(WriteError::NoDecision(id))?;
    Ok(Planned { system: first.system.clone(), summary: summary(id, first, &parsed), places })
}

fn parse(logs: &[SourceLog], places: &[(usize, u64)]) -> Result<Vec<Entry>> {
    places.iter().map(|(log, index)| logs[*log].parsed(*index)).collect()
}

fn has_opening(entries: &[Entry]) -> bool {
    let mut events = entries.iter().flat_map(|entry| &entry.events);
    events.any(|event| matches!(event.body, Body::DecisionOpened(_)))
}

/// The auditor's own search, from the beginning of every log.
fn search(fs: &Arc<dyn Fs>, data: &Path, logs: &[SourceLog], id: Id) -> Result<Vec<(usize, u64)>> {
    let told = match story(fs, data, id, &StoryOptions::default()) {
        Err(AuditError::NoDecision(_)) => return Err(WriteError::NoDecision(id)),
        other => other?,
    };
    let mut places = Vec::new();
    for proof in told.proofs {
        let Some(log) = logs.iter().position(|log| log.origin == proof.log) else { continue };
        let indices = proof.entries.iter().map(|entry| entry.index);
        places.extend(indices.filter(|index| *index < logs[log].size()).map(|index| (log, index)));
    }
    places.sort_unstable();
    Ok(places)
}

/// The other parts of a write stand beside this one.
fn check_parts(
    logs: &[SourceLog],
    places: &[(usize, u64)],
    (log, index): (usize, u64),
    entry: &Entry,
) -> Result<()> {
    let first = (index + 1).checked_sub(u64::from(entry.part));
    let mut parts = first.map(|first| first..first + u64::from(entry.of)).into_iter().flatten();
    if first.is_some() && parts.all(|part| places.binary_search(&(log, part)).is_ok()) {
        return Ok(());
    }
    let what = format!("it is part {} of {}, and not all parts stand beside it", entry.part, entry.of);
    Err(logs[log].at(index, what))
}

/// The decision in one line.
fn summary(id: Id, first: &Event, entries: &[Entry]) -> Summary {
    let (mut outcome, mut payloads) = (None, HashSet::new());
    for event in entries.iter().flat_map(|entry| &entry.events) {
        if let Body::DecisionClosed(closed) = &event.body {
            outcome = Some(closed.outcome.to_string());
        }
        let present = event
            .payloads
            .iter()
            .filter(|reference| matches!(reference.content, Content::Sealed(_) | Content::Shared(_)));
        payloads.extend(present.map(|reference| reference.payload));
    }
    Summary {
        disclosed: 0,
        entries: entries.len() as u64,
        id,
        logged_at: first.logged_at.to_string(),
        outcome,
        payloads: payloads.len() as u64,
        system: first.system.to_string(),
    }
}

impl Known {
    fn take(&mut self, event: &Event, disclosure: &Disclosure) {
        let (first, last) = self.span.unwrap_or((event.logged_at, event.logged_at));
        self.span = Some((first.min(event.logged_at), last.max(event.logged_at)));
        self.subjects.extend(event.subjects.iter());
        if !self.classes.contains(&event.retention) {
            self.classes.insert(event.retention.clone());
        }
        for reference in &event.payloads {
            match &reference.content {
                Content::Sealed(sealed) => drop(self.keys.insert(sealed.key_id)),
                Content::Shared(shared) if disclosure.covers(reference.role, DataClass::Shared) => {
                    self.shared.insert(shared.sha256);
                }
                _ => {}
            }
        }
        if let Body::Inference(inference) = &event.body {
            if disclosure.covers(PayloadRole::Prompt, DataClass::Shared) {
                self.shared.extend(inference.prompts.iter().filter_map(|prompt| prompt.sha256));
            }
            if disclosure.covers(PayloadRole::Tools, DataClass::Shared) {
                self.shared.extend(inference.toolsets.iter().map(|tools| tools.sha256));
            }
        }
    }
}

/// Keeps the logs that something of the bundle stands in, numbered anew, and chooses the checkpoint of each.
fn keep_needed(
    logs: &mut Vec<SourceLog>,
    decisions: &mut [Planned],
    removed: BTreeSet<(usize, u64)>,
) -> Result<BTreeSet<(usize, u64)>> {
    let mut needed: BTreeMap<usize, u64> = BTreeMap::new();
    let of_decisions = decisions.iter().flat_map(|decision| decision.places.iter().copied());
    for (log, index) in of_decisions.chain(removed.iter().copied()) {
        let size = needed.entry(log).or_default();
        *size = (*size).max(index + 1);
    }
    let number: BTreeMap<usize, usize> = needed.keys().copied().zip(0..).collect();
    let places = decisions.iter_mut().flat_map(|decision| &mut decision.places);
    for (log, _) in places {
        *log = number[log];
    }
    let mut at = 0..;
    logs.retain(|_| at.next().is_some_and(|at| needed.contains_key(&at)));
    logs.iter_mut().zip(needed.values()).try_for_each(|(log, size)| log.vouch(*size))?;
    Ok(removed.into_iter().map(|(log, index)| (number[&log], index)).collect())
}
