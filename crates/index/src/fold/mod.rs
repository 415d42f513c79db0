//! A batch of entries → rows: what is there of each decision is loaded, merged with the batch, and written back; rollups get what
//! comes after minus what was before. Both engines use it, so that they hold the same.

pub(crate) mod body;
mod decision;
pub(crate) mod parse;
mod removal;
mod rollup;

use std::collections::{HashMap, HashSet};

use inferlog_record::Id;

use crate::engine::Engine;
use crate::error::{IndexError, Result};
use crate::rows::{DecisionRow, EventNo, EventRow, RefKind, RefRow, Rows, Shared};
use body::{Alert, Mentions, owned};
use parse::{EntryJson, EventJson, RefJson};

pub(crate) use removal::{Asked, Erased};
pub(crate) use rollup::Rollups;
pub use rollup::{HOUR_NS, MINUTE_NS};

/// References of one entry: the place of a reference is its entry's distance from the event's own, times this, and its place.
const PLACES: i64 = 1 << 10;

/// What a batch became.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    pub(crate) rows: Rows,
    pub(crate) asked: Asked,
    /// When the newest event was logged.
    pub(crate) newest_ns: i64,
}

/// Folds entries of one log, in order, within the engine's transaction. Nothing is written but shared rows.
pub(crate) fn fold(
    engine: &mut dyn Engine,
    (log, origin): (u16, &str),
    entries: &[(u64, &[u8])],
) -> Result<Folded> {
    let mut parsed = Vec::with_capacity(entries.len());
    for (index, bytes) in entries {
        let entry = EntryJson::parse(bytes);
        parsed.push((*index, entry.map_err(|what| wrong(origin, *index, what))?));
    }
    let mut batch = Batch { log, ..Batch::load(engine, &parsed)? };
    for (index, entry) in &parsed {
        for (place, event) in entry.events.iter().enumerate() {
            let no = EventNo::new(log, *index, place)
                .ok_or_else(|| wrong(origin, *index, "it is beyond what an index can number".to_owned()))?;
            batch.event(no, entry, event);
        }
    }
    batch.finish(engine)
}

fn wrong(origin: &str, index: u64, what: String) -> IndexError {
    IndexError::Entry { origin: origin.to_owned(), index, what }
}

/// A decision that the batch is about.
struct Working {
    before: Option<DecisionRow>,
    after: DecisionRow,
}

#[derive(Default)]
struct Batch {
    log: u16,
    /// Events that were there, and those of the batch.
    events: HashMap<Id, EventNo>,
    working: HashMap<Id, Working>,
    /// The decisions in the order in which the batch speaks of them.
    order: Vec<Id>,
    shared: Interner,
    folded: Folded,
}

/// Numbers of shared rows, within the batch.
#[derive(Default)]
struct Interner {
    places: HashMap<Shared, i32>,
    list: Vec<Shared>,
}

impl Interner {
    fn place(&mut self, shared: Shared) -> i32 {
        if let Some(place) = self.places.get(&shared) {
            return *place;
        }
        let place = self.list.len() as i32;
        self.list.push(shared.clone());
        self.places.insert(shared, place);
        place
    }
}

impl Batch {
    /// Loads what is there of the batch's events and decisions.
    fn load(engine: &mut dyn Engine, parsed: &[(u64, EntryJson<'_>)]) -> Result<Self> {
        let events: Vec<Id> =
            parsed.iter().flat_map(|(_, entry)| entry.events.iter().map(|event| event.id)).collect();
        let mut decisions: Vec<Id> = decisions_of(parsed).into_iter().collect();
        // Locks are taken in one order.
        decisions.sort_unstable();
        let (events, loaded) = (engine.events(&events)?, engine.load(&decisions)?);
        let mut batch = Self { events, ..Self::default() };
        for (id, before) in loaded {
            batch.working.insert(id, Working { after: before.clone(), before: Some(before) });
        }
        Ok(batch)
    }

    fn event(&mut self, no: EventNo, entry: &EntryJson<'_>, event: &EventJson<'_>) {
        self.folded.newest_ns = self.folded.newest_ns.max(event.logged_ns);
        match self.events.get(&event.id).copied() {
            // The rest of an event begun by an earlier part of the same write; the parts follow each other in the log.
            Some(begun) if event.body.is_none() && entry.part > 1 => {
                let is_of_this_write = begun.log() == self.log
                    && begun.index() < no.index()
                    && no.index() - begun.index() < u64::from(entry.part);
                match is_of_this_write {
                    true => self.rest(begun, no, entry, event),
                    false => self.folded.rows.again.push((no, begun)),
                }
            }
            // A retry of what is there already.
            Some(begun) => self.folded.rows.again.push((no, begun)),
            None => self.first(no, entry, event),
        }
    }

    /// An event that continues another.
    fn rest(&mut self, begun: EventNo, no: EventNo, entry: &EntryJson<'_>, event: &EventJson<'_>) {
        self.folded.rows.continuations.push((no, begun));
        self.refs(begun, (no.index() - begun.index()) as i64 * PLACES, event);
        if let Some(working) = entry.decision.and_then(|id| self.working.get_mut(&id)) {
            decision::merge_payloads(&mut working.after, event);
            self.order.extend(entry.decision);
        }
    }

    /// An event that was not there.
    fn first(&mut self, no: EventNo, entry: &EntryJson<'_>, event: &EventJson<'_>) {
        self.events.insert(event.id, no);
        self.refs(no, 0, event);
        let decision = entry.decision.map(|id| self.of_decision(id, no, event));
        if decision.is_none() {
            self.of_life(no, event);
        }
        let common = Shared::Common { kind: event.kind.to_string(), json: event.common.clone() };
        let row = EventRow {
            no,
            id: event.id,
            decision,
            common: self.shared.place(common),
            logged_ns: event.logged_ns,
            started_ns: event.started_ns,
            ended_ns: event.ended_ns,
            rest: event.rest.clone(),
        };
        self.folded.rows.events.push(row);
    }

    fn of_decision(&mut self, id: Id, no: EventNo, event: &EventJson<'_>) -> EventNo {
        let Self { working, order, shared, folded, .. } = self;
        let working = working
            .entry(id)
            .or_insert_with(|| Working { before: None, after: decision::begin(no, id, event) });
        order.push(id);
        let decision = working.after.no;
        decision::merge(&mut working.after, no, event, &mut |aspect, name| {
            let term = shared.place(Shared::Term { aspect, name: name.to_owned() });
            folded.rows.terms.push((term, decision));
        });
        folded.rows.subjects.extend(event.subjects.iter().map(|subject| (*subject, decision)));
        decision
    }

    /// An event of the system's life: which decisions it names, what it destroys.
    fn of_life(&mut self, no: EventNo, event: &EventJson<'_>) {
        let mut named: Vec<Id> = Vec::new();
        match &*event.kind {
            "access" | "hold.placed" | "system.changed" => {
                let body: Mentions = body::read(event.body);
                named.extend(body.decision.into_iter().chain(body.decisions).chain(body.scope.decisions));
            }
            "erasure" | "purge" => self.folded.asked.event(no, event),
            _ => {
                let Some(alert) = alert(event) else { return };
                named.extend(alert.about);
                let about = alert.about.and_then(|about| self.working.get(&about));
                if let (Some(working), Some(monitor)) = (about, alert.monitor) {
                    let term = Shared::Term { aspect: "monitor", name: monitor.0.into_owned() };
                    self.folded.rows.terms.push((self.shared.place(term), working.after.no));
                }
            }
        }
        self.folded.rows.mentions.extend(named.into_iter().map(|decision| (decision, no)));
    }

    fn refs(&mut self, event: EventNo, from: i64, json: &EventJson<'_>) {
        for (place, reference) in (from..).zip(&json.payloads) {
            let ref_kind = self.shared.place(Shared::RefKind(ref_kind(reference)));
            self.folded.rows.refs.push(RefRow {
                event,
                place: i32::try_from(place).unwrap_or(i32::MAX),
                payload: reference.payload,
                ref_kind,
                size: reference.size.map(|size| body::count(Some(size))),
                key_id: reference.key_id,
                commitment: reference.commitment,
                sealed: reference.sealed,
                sha256: reference.sha256,
                first: reference.first,
            });
        }
    }

    /// Interns what is shared, and adds up what changed.
    fn finish(mut self, engine: &mut dyn Engine) -> Result<Folded> {
        let mut seen = HashSet::new();
        self.order.retain(|id| seen.insert(*id));
        let mut changed = Vec::with_capacity(self.order.len());
        for id in &self.order {
            let Some(working) = self.working.remove(id) else { continue };
            let before = working.before.map(|before| {
                let place = self.shared.place(Shared::Facet(before.facet.clone()));
                (before, place)
            });
            let facet = self.shared.place(Shared::Facet(working.after.facet.clone()));
            changed.push((before, working.after, facet));
        }
        let numbers = engine.intern(&self.shared.list)?;
        let number = |place: i32| numbers.get(place as usize).copied().unwrap_or_default();
        let mut rows = self.folded.rows;
        let mut rollups = Rollups::default();
        for (before, after, facet) in changed {
            rollups.add(&after, number(facet), 1);
            match before {
                Some((before, facet_before)) => {
                    rollups.add(&before, number(facet_before), -1);
                    rows.updated.push((after, number(facet)));
                }
                None => rows.inserted.push((after, number(facet))),
            }
        }
        rows.events.iter_mut().for_each(|row| row.common = number(row.common));
        rows.refs.iter_mut().for_each(|row| row.ref_kind = number(row.ref_kind));
        rows.terms.iter_mut().for_each(|row| row.0 = number(row.0));
        rollups.finish(&mut rows);
        sort(&mut rows);
        Ok(Folded { rows, ..self.folded })
    }
}

/// Every table in the order of its key.
fn sort(rows: &mut Rows) {
    rows.refs.sort_by_key(|row| (row.event, row.place));
    rows.inserted.sort_by_key(|(row, _)| row.no);
    rows.updated.sort_by_key(|(row, _)| row.no);
    rows.subjects.sort_unstable();
    rows.subjects.dedup();
    rows.terms.sort_unstable();
    rows.terms.dedup();
    rows.mentions.sort_unstable();
    rows.mentions.dedup();
    rows.again.sort_unstable();
}

/// The decisions of these entries, those included that alarms are about.
pub(crate) fn decisions_of(entries: &[(u64, EntryJson<'_>)]) -> HashSet<Id> {
    let mut decisions = HashSet::new();
    for (_, entry) in entries {
        decisions.extend(entry.decision);
        decisions.extend(entry.events.iter().filter_map(|event| alert(event)?.about));
    }
    decisions
}

fn alert<'a>(event: &EventJson<'a>) -> Option<Alert<'a>> {
    (event.kind == "alert").then(|| body::read(event.body))
}

fn ref_kind(reference: &RefJson<'_>) -> RefKind {
    RefKind {
        role: reference.role.0.to_string(),
        class: owned(&reference.class),
        media_type: owned(&reference.media_type),
        encoding: owned(&reference.encoding),
        state: reference.state.0.to_string(),
        reason: owned(&reference.reason),
    }
}
