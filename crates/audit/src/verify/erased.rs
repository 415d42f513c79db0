//! Events that say why a payload is no longer there, and the payloads that need one (promise 10).

use std::collections::{HashMap, HashSet};

use inferlog_record::Count;
use serde::Deserialize;

use super::log::Log;
use crate::json::{EntryScan, EventScan, ReferenceScan};
use crate::report::FaultKind;

/// Missing payloads that are held against erasures and purges; what is beyond is reported without asking.
pub(super) const MISSING_MAX: usize = 1 << 20;

/// What erasure and purge events say, as far as it explains an absence.
#[derive(Debug, Default)]
pub(super) struct Erased {
    /// Index of the last event that erased this key, by its address.
    keys: HashMap<Vec<u8>, u64>,
    /// The same for persons, by pseudonym.
    subjects: HashMap<Vec<u8>, u64>,
    purges: Vec<Purge>,
}

#[derive(Debug)]
struct Purge {
    index: u64,
    first: u64,
    last: u64,
    class: Option<String>,
}

/// A payload that an entry says is present and that no pack holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Missing {
    pub(super) index: u64,
    pub(super) payload: [u8; 16],
}

#[derive(Deserialize)]
struct ErasureBody<'a> {
    #[serde(default, borrow)]
    keys: Vec<&'a str>,
    #[serde(default, borrow)]
    subjects: Vec<&'a str>,
}

#[derive(Deserialize)]
struct PurgeBody {
    class: Option<String>,
    first: Count,
    last: Count,
}

impl Erased {
    /// Takes an event of kind `erasure` or `purge`.
    pub(super) fn learn(&mut self, index: u64, event: &EventScan<'_>) -> Result<(), serde_json::Error> {
        if event.body.is_empty() {
            return Ok(());
        }
        if event.kind == b"purge" {
            let PurgeBody { class, first, last } = serde_json::from_slice(event.body)?;
            self.purges.push(Purge { index, first: first.0, last: last.0, class });
            return Ok(());
        }
        let body: ErasureBody<'_> = serde_json::from_slice(event.body)?;
        note(&mut self.keys, body.keys.iter().map(|key| key.as_bytes().to_vec()), index);
        note(&mut self.subjects, body.subjects.iter().map(|subject| subject.as_bytes().to_vec()), index);
        Ok(())
    }

    pub(super) fn merge(&mut self, other: Self) {
        other.keys.into_iter().for_each(|(key, index)| note(&mut self.keys, [key], index));
        other.subjects.into_iter().for_each(|(subject, index)| note(&mut self.subjects, [subject], index));
        self.purges.extend(other.purges);
    }

    /// Reports each missing payload for which no later event says why.
    pub(super) fn settle(&self, log: &Log<'_>, mut missing: Vec<Missing>) {
        missing.sort();
        let mut unsettled = Vec::new();
        for one in missing {
            let entry = log.reader.entry(one.index, log.size).unwrap_or_default();
            let mut scan = EntryScan::default();
            // It was read a moment ago; a file that fails now leaves the payload unexplained.
            let _ = scan.read(&entry);
            let found = scan.references.iter().position(|reference| reference.payload == one.payload);
            let event =
                scan.events.iter().find(|event| found.is_some_and(|at| event.references.contains(&at)));
            let reference = found.and_then(|at| scan.references.get(at));
            let (Some(event), Some(reference)) = (event, reference) else {
                unsettled.push((one, Vec::new(), String::new()));
                continue;
            };
            if !self.explains(one.index, event, reference) {
                let role = String::from_utf8_lossy(reference.role).into_owned();
                unsettled.push((one, scan.decision.unwrap_or_default().to_vec(), role));
            }
        }
        let erased = self.decisions_of_erased(log, &unsettled);
        for (one, decision, role) in unsettled {
            if erased.get(&decision).is_none_or(|index| *index <= one.index) {
                report(log, one, &role);
            }
        }
    }

    fn explains(&self, index: u64, event: &EventScan<'_>, reference: &ReferenceScan<'_>) -> bool {
        let later = |found: Option<&u64>| found.is_some_and(|erased| *erased > index);
        let class = event.retention;
        later(self.keys.get(reference.key_id))
            || names(event.subjects).iter().any(|subject| later(self.subjects.get(*subject)))
            || self.purges.iter().any(|purge| {
                let is_class = purge.class.as_ref().is_none_or(|purged| purged.as_bytes() == class);
                purge.index > index && (purge.first..=purge.last).contains(&index) && is_class
            })
    }

    /// Decisions with a missing payload that are about an erased person, as another of their entries says; with the index of
    /// the erasure.
    fn decisions_of_erased(
        &self,
        log: &Log<'_>,
        missing: &[(Missing, Vec<u8>, String)],
    ) -> HashMap<Vec<u8>, u64> {
        let mut found = HashMap::new();
        let wanted: HashSet<&[u8]> = missing.iter().map(|(_, decision, _)| decision.as_slice()).collect();
        if self.subjects.is_empty() || wanted.is_empty() {
            return found;
        }
        // What cannot be read was reported before.
        let _ = log.reader.scan(0, log.size, |_, entry| {
            let mut scan = EntryScan::default();
            if scan.read(entry).is_ok()
                && let Some(decision) = scan.decision.filter(|decision| wanted.contains(decision))
            {
                let subjects = scan.events.iter().flat_map(|event| names(event.subjects));
                if let Some(index) = subjects.filter_map(|subject| self.subjects.get(subject)).max() {
                    note(&mut found, [decision.to_vec()], *index);
                }
            }
            true
        });
        found
    }
}

fn report(log: &Log<'_>, missing: Missing, role: &str) {
    let payload = uuid_text(&missing.payload);
    let what = format!(
        "the payload {payload} ({role}) is said to be present, but no pack holds it, and no later erasure or purge says why"
    );
    log.sink.payload(&log.dir.packs(), missing.index, FaultKind::MissingPayload, what);
}

fn note(table: &mut HashMap<Vec<u8>, u64>, keys: impl IntoIterator<Item = Vec<u8>>, index: u64) {
    for key in keys {
        let last = table.entry(key).or_insert(index);
        *last = index.max(*last);
    }
}

/// The strings of a JSON array of ids.
fn names(json: &[u8]) -> Vec<&[u8]> {
    let names: Vec<&str> = serde_json::from_slice(json).unwrap_or_default();
    names.into_iter().map(str::as_bytes).collect()
}

/// An id as text.
pub(super) fn uuid_text(id: &[u8; 16]) -> String {
    inferlog_record::Id::from_bytes(*id).map_or_else(|_| hex::encode(id), |id| id.to_string())
}
