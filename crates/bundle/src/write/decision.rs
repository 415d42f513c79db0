//! The files of one decision: its entries and proofs, what of its content is disclosed, and its sealed bytes where asked for.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use inferlog_audit::fate::{Birth, DecisionFacts, Fate};
use inferlog_audit::{CONTENT_BYTES_MAX, Openings, Unopened};
use inferlog_record::{Content, Entry, Event, Id, PayloadRole, Reference, Sealed};
use inferlog_vault::{SealContext, open_payload};

use super::error::Result;
use super::logs::SourceLog;
use super::plan::{Plan, Planned};
use crate::layout::{Disclosed, Disclosure, Entries, Opened, SealedPayload, SealedPayloads};

/// What a bundle has of one decision.
pub(super) struct DecisionFiles {
    pub(super) entries: Entries,
    /// Without openings where nothing is disclosed.
    pub(super) disclosed: Disclosed,
    /// Payloads that the disclosure covers and whose keys were destroyed.
    pub(super) erased: u64,
    /// Payloads that the disclosure covers and a purge removed.
    pub(super) purged: u64,
    pub(super) sealed: Option<SealedPayloads>,
}

/// A sealed payload as it was born.
struct Born<'a> {
    place: (usize, u64),
    /// The first event of its entry: by its retention class and time the pack is found.
    first: &'a Event,
    event: &'a Event,
    reference: &'a Reference,
    sealed: Sealed,
}

/// Reads and proves a decision, and opens what is to be disclosed.
pub(super) fn files(
    plan: &Plan,
    decision: &Planned,
    disclosure: &Disclosure,
    openings: Option<&dyn Openings>,
) -> Result<DecisionFiles> {
    let id = Some(decision.summary.id);
    let (mut proved, mut parsed) = (Vec::new(), Vec::new());
    for (log, index) in &decision.places {
        let entry = plan.logs[*log].proved(*log, *index)?;
        parsed.push(((*log, *index), plan.logs[*log].parse(*index, entry.entry.as_bytes())?));
        proved.push(entry);
    }
    let mut files = DecisionFiles {
        entries: Entries { decision: id, entries: proved },
        disclosed: Disclosed { decision: id, openings: Vec::new() },
        erased: 0,
        purged: 0,
        sealed: None,
    };
    let (born, roles) = (born(&parsed), roles(&parsed));
    let mut facts = DecisionFacts { decision: id, events: Vec::new() };
    parsed.iter().flat_map(|(_, entry)| &entry.events).for_each(|event| facts.take(event));
    for born in &born {
        let mut roles = roles.get(&born.reference.payload).into_iter().flatten();
        if !roles.any(|role| disclosure.covers(*role, born.sealed.class)) {
            continue;
        }
        match born.fate(plan, &facts) {
            Fate::Purged(_) => files.purged += 1,
            Fate::Erased(_) => files.erased += 1,
            Fate::Kept => match openings.map(|openings| born.open(plan, openings)).transpose()?.flatten() {
                Some(opened) => files.disclosed.openings.push(opened),
                None => files.erased += 1,
            },
        }
    }
    if disclosure.sealed {
        let there = born.iter().filter(|born| matches!(born.fate(plan, &facts), Fate::Kept));
        let sealed = there.map(|born| born.sealed_payload(plan)).collect::<Result<Vec<_>>>()?;
        files.sealed = Some(SealedPayloads { decision: decision.summary.id, sealed });
    }
    Ok(files)
}

/// Every sealed payload, once, in the order of the references.
fn born(entries: &[((usize, u64), Entry)]) -> Vec<Born<'_>> {
    let (mut born, mut known) = (Vec::new(), BTreeSet::new());
    for (place, entry) in entries {
        let Some(first) = entry.events.first() else { continue };
        for event in &entry.events {
            for reference in &event.payloads {
                let Content::Sealed(sealed) = reference.content else { continue };
                if known.insert(reference.payload) {
                    born.push(Born { place: *place, first, event, reference, sealed });
                }
            }
        }
    }
    born
}

/// What each payload is to any event of the decision.
fn roles(entries: &[((usize, u64), Entry)]) -> BTreeMap<Id, BTreeSet<PayloadRole>> {
    let mut roles: BTreeMap<Id, BTreeSet<PayloadRole>> = BTreeMap::new();
    for event in entries.iter().flat_map(|(_, entry)| &entry.events) {
        for reference in &event.payloads {
            roles.entry(reference.payload).or_default().insert(reference.role);
        }
    }
    roles
}

impl Born<'_> {
    fn log<'p>(&self, plan: &'p Plan) -> &'p SourceLog {
        &plan.logs[self.place.0]
    }

    /// What became of it, as the life in the bundle says.
    fn fate<'p>(&self, plan: &'p Plan, facts: &DecisionFacts) -> Fate<'p> {
        let subjects = self.event.subjects.iter().copied().collect();
        plan.removals.fate(&Birth {
            at: self.place,
            key: self.sealed.key_id,
            class: &self.first.retention,
            subjects: &subjects,
            facts,
        })
    }

    /// `None` if its key was destroyed.
    fn open(&self, plan: &Plan, openings: &dyn Openings) -> Result<Option<Opened>> {
        let (log, payload) = (self.log(plan), self.reference.payload);
        let failed =
            |what: &dyn std::fmt::Display| log.at(self.place.1, format!("payload {payload}: {what}"));
        let key = match openings.data_key(self.sealed.key_id, payload) {
            Err(Unopened::Erased) => return Ok(None),
            other => other.map_err(|error| failed(&error))?,
        };
        let sealed = self.sealed_bytes(plan)?;
        let (event, role) = (self.event.id, self.reference.role.as_str());
        let context = SealContext { origin: &log.origin, event, role, payload };
        let Sealed { encoding, commitment, .. } = &self.sealed;
        let content = open_payload(&key, &context, &sealed, *encoding, commitment, CONTENT_BYTES_MAX)
            .map_err(|error| failed(&error))?;
        let (base64, text) = match String::from_utf8(content) {
            Ok(text) => (None, Some(text)),
            Err(error) => (Some(STANDARD.encode(error.as_bytes())), None),
        };
        Ok(Some(Opened { base64, data_key: hex::encode(key.expose()), payload, text }))
    }

    fn sealed_payload(&self, plan: &Plan) -> Result<SealedPayload> {
        let base64 = STANDARD.encode(self.sealed_bytes(plan)?);
        Ok(SealedPayload { base64, payload: self.reference.payload })
    }

    fn sealed_bytes(&self, plan: &Plan) -> Result<Vec<u8>> {
        let (log, index, payload) = (self.log(plan), self.place.1, self.reference.payload);
        let (class, time) = (self.first.retention.as_str(), self.first.logged_at.nanos());
        let found = log.reader.payload(class, time, index, payload.into_bytes());
        let found = found.map_err(|error| log.at(index, format!("payload {payload}: {error}")))?;
        let missing = || {
            log.at(index, format!("payload {payload}: no pack holds it, and no event says that it is gone"))
        };
        found.ok_or_else(missing)
    }
}
