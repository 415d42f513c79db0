//! Payloads that an entry says are present and that no pack holds, held against what the log says was removed (promise 10).

use std::collections::{BTreeSet, HashMap, HashSet};

use inferlog_record::{Content, Entry, Event, Id, KeyId, Pseudonym, RetentionClass};

use super::kept;
use super::log::Log;
use crate::fate::{At, Birth, DecisionFacts, EventFacts, PurgeTold, Removals};
use crate::report::{FaultKind, PayloadCounts};

/// Missing payloads that are kept until the log was read; at more, the rest of it is searched for what explains them.
pub(super) const MISSING_MAX: usize = 1 << 20;

/// A payload that an entry says is present and that no pack holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Missing {
    pub(super) index: u64,
    pub(super) payload: [u8; 16],
}

/// One that its own entry does not settle.
struct Pending {
    one: Missing,
    decision: Option<Id>,
    role: String,
    class: RetentionClass,
    key: KeyId,
}

/// What the other entries of decisions say.
#[derive(Default)]
struct Others {
    /// By key, the erasures of persons whom events are about whose payloads it opens: where each stands, and its intent.
    erased: HashMap<KeyId, BTreeSet<(u64, Id)>>,
    /// The holds that cover the decision.
    held: HashMap<Id, BTreeSet<Id>>,
}

/// Reports each missing payload for which no later event says why, and counts the others.
pub(super) fn settle(
    log: &Log<'_>,
    removals: &Removals,
    mut missing: Vec<Missing>,
    counts: &mut PayloadCounts,
) {
    missing.sort_unstable();
    let (mut pending, mut entries) = (Vec::new(), Cache::new(log));
    for one in missing {
        match entries.at(one.index).and_then(|entry| settled(removals, one, entry)) {
            Some(Settled::Erased) => counts.erased += 1,
            Some(Settled::Purged) => counts.purged += 1,
            Some(Settled::Pending(waits)) => pending.push(*waits),
            // It was read a moment ago; a file that fails now leaves the payload unexplained.
            None => report(log, one, "?", UNSAID, counts),
        }
    }
    let others = others(log, removals, &pending);
    for waits in pending {
        let decision = waits.decision;
        let mut erased = others.erased.get(&waits.key).into_iter().flatten();
        let holds = decision.and_then(|decision| others.held.get(&decision));
        let is_held = |purge: &PurgeTold| {
            let mut holds = holds.into_iter().flatten().filter_map(|hold| removals.hold_of(*hold));
            holds.any(|hold| hold.stood_at((purge.at, purge.logged_at)))
        };
        let mut purges = removals.purges_over((0, waits.one.index), &waits.class).peekable();
        if erased.any(|(index, intent)| *index > waits.one.index && !removals.spares(*intent, waits.key)) {
            counts.erased += 1;
        } else if purges.peek().is_none() {
            report(log, waits.one, &waits.role, UNSAID, counts);
        } else if purges.all(is_held) {
            report(log, waits.one, &waits.role, HELD, counts);
        } else {
            counts.purged += 1;
        }
    }
}

const UNSAID: &str = "no later erasure or purge says why";
const HELD: &str = "a hold kept it from the purge that covers it";

enum Settled {
    Erased,
    Purged,
    Pending(Box<Pending>),
}

/// What a payload's own entry settles.
fn settled(removals: &Removals, one: Missing, entry: &Entry) -> Option<Settled> {
    let event = entry.events.iter().find(|event| reference(event, one.payload).is_some())?;
    let reference = reference(event, one.payload)?;
    let Content::Sealed(sealed) = reference.content else { return None };
    let class = entry.events.first()?.retention.clone();
    let mut facts = DecisionFacts { decision: entry.decision, events: Vec::new() };
    entry.events.iter().for_each(|event| facts.take(event));
    let subjects = facts.subjects();
    let at: At = (0, one.index);
    let birth = Birth { at, key: sealed.key_id, class: &class, subjects: &subjects, facts: &facts };
    if removals.erasure_of(&birth).is_some() {
        return Some(Settled::Erased);
    }
    if removals.holds().next().is_none() && removals.purge_of(&birth).is_some() {
        return Some(Settled::Purged);
    }
    // A decision's other entries may say that it is about a person who was erased, or that a hold covers it.
    if entry.decision.is_none() && removals.purge_of(&birth).is_some() {
        return Some(Settled::Purged);
    }
    let role = reference.role.to_string();
    Some(Settled::Pending(Box::new(Pending {
        one,
        decision: entry.decision,
        role,
        class,
        key: sealed.key_id,
    })))
}

fn reference(event: &Event, payload: [u8; 16]) -> Option<&inferlog_record::Reference> {
    event.payloads.iter().find(|reference| reference.payload.into_bytes() == payload)
}

/// Reads the log once more for what all entries of these decisions say.
fn others(log: &Log<'_>, removals: &Removals, pending: &[Pending]) -> Others {
    let mut others = Others::default();
    let wanted: HashSet<Id> = pending.iter().filter_map(|waits| waits.decision).collect();
    let mut erased: HashMap<Pseudonym, BTreeSet<(u64, Id)>> = HashMap::new();
    for told in removals.erasures().iter().filter(|told| told.destroys()) {
        for subject in told.subjects() {
            erased.entry(subject).or_default().insert((told.at.1, told.intent));
        }
    }
    let has_holds = removals.holds().next().is_some();
    if wanted.is_empty() || (erased.is_empty() && !has_holds) {
        return others;
    }
    kept::each(log, 0..log.bundles(), |_, bytes| {
        let Ok(entry) = Entry::from_bytes(bytes) else { return };
        let Some(decision) = entry.decision.filter(|decision| wanted.contains(decision)) else { return };
        for event in &entry.events {
            for reference in event.payloads.iter().filter(|_| !erased.is_empty()) {
                let Content::Sealed(sealed) = reference.content else { continue };
                let told = event.subjects.iter().filter_map(|subject| erased.get(subject)).flatten();
                others.erased.entry(sealed.key_id).or_default().extend(told.copied());
            }
            let facts = DecisionFacts {
                decision: Some(decision),
                events: vec![EventFacts {
                    class: event.retention.clone(),
                    logged_at: event.logged_at,
                    subjects: event.subjects.to_vec(),
                }],
            };
            for hold in removals.covering(&facts) {
                others.held.entry(decision).or_default().insert(hold.hold);
            }
        }
    });
    others
}

/// Entries read one bundle at a time.
struct Cache<'a> {
    log: &'a Log<'a>,
    bundle: Option<u64>,
    entries: HashMap<u64, Entry>,
}

impl<'a> Cache<'a> {
    fn new(log: &'a Log<'a>) -> Self {
        Self { log, bundle: None, entries: HashMap::new() }
    }

    fn at(&mut self, index: u64) -> Option<&Entry> {
        let number = index / u64::from(inferlog_merkle::TILE_WIDTH);
        if self.bundle != Some(number) {
            self.bundle = Some(number);
            self.entries.clear();
            kept::each(self.log, number..number + 1, |index, bytes| {
                if let Ok(entry) = Entry::from_bytes(bytes) {
                    self.entries.insert(index, entry);
                }
            });
        }
        self.entries.get(&index)
    }
}

fn report(log: &Log<'_>, missing: Missing, role: &str, why: &str, counts: &mut PayloadCounts) {
    counts.missing += 1;
    let payload =
        Id::from_bytes(missing.payload).map_or_else(|_| hex::encode(missing.payload), |id| id.to_string());
    let what =
        format!("the payload {payload} ({role}) is said to be present, but no pack holds it, and {why}");
    log.sink.payload(&log.dir.packs(), missing.index, FaultKind::MissingPayload, what);
}
