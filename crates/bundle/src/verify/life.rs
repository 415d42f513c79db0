//! The life of the systems, as far as it says what became of the decisions' content: erasures, purges, holds.

use std::collections::{BTreeMap, HashMap, HashSet};

use inferlog_record::body::Scope;
use inferlog_record::{Count, Id, KeyId};
use serde::Deserialize;

use super::Verifier;
use super::report::Check;
use super::story::{Born, EntryText, EventText, Facts, Story};
use crate::layout;

/// What the bundle has of it.
#[derive(Debug, Default)]
pub(super) struct Life {
    erasures: BTreeMap<Id, Erasure>,
    /// Keys that were withheld, by the intent that they were withheld from.
    withheld: HashMap<Id, HashSet<KeyId>>,
    purges: Vec<Purge>,
    holds: BTreeMap<Id, Hold>,
    incidents: HashSet<Id>,
    /// Erasures that were refused.
    refused: u64,
}

/// An erasure, by its event: what it destroyed.
#[derive(Debug)]
struct Erasure {
    place: (usize, u64),
    /// The event that announced it.
    intent: Id,
    is_completed: bool,
    keys: HashSet<KeyId>,
    subjects: HashSet<String>,
}

#[derive(Debug)]
struct Purge {
    place: (usize, u64),
    class: Option<String>,
    first: u64,
    last: u64,
}

#[derive(Debug, Default)]
struct Hold {
    placed: Vec<((usize, u64), Scope)>,
    /// Once is enough: what is said later of the same hold does not bring it back.
    released: Vec<(usize, u64)>,
}

#[derive(Deserialize)]
struct ErasureBody {
    intent: Option<Id>,
    /// As they are written: one that is no key takes nothing away from the others.
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default)]
    phase: String,
    #[serde(default)]
    subjects: Vec<String>,
}

#[derive(Deserialize)]
struct PurgeBody {
    class: Option<String>,
    first: Count,
    last: Count,
    #[serde(default)]
    what: String,
}

#[derive(Deserialize)]
struct HoldBody {
    hold: Id,
    #[serde(default)]
    scope: Scope,
}

#[derive(Deserialize)]
struct IncidentBody {
    incident: Id,
}

impl Life {
    /// Takes an entry of the system's life. A body that this build cannot read says nothing: the entry itself is proved.
    pub(super) fn take(&mut self, place: (usize, u64), entry: &EntryText<'_>) {
        for event in &entry.events {
            match event.kind {
                "erasure" => self.take_erasure(place, event),
                "purge" => {
                    if let Some(PurgeBody { class, first, last, what }) = body(event)
                        && what != "entries"
                    {
                        self.purges.push(Purge { place, class, first: first.0, last: last.0 });
                    }
                }
                "hold.placed" => {
                    if let Some(HoldBody { hold, scope }) = body(event) {
                        self.holds.entry(hold).or_default().placed.push((place, scope));
                    }
                }
                "hold.released" => {
                    if let Some(HoldBody { hold, .. }) = body(event) {
                        self.holds.entry(hold).or_default().released.push(place);
                    }
                }
                "incident" => self.incidents.extend(body(event).map(|IncidentBody { incident }| incident)),
                _ => {}
            }
        }
    }

    fn take_erasure(&mut self, place: (usize, u64), event: &EventText<'_>) {
        let Some(ErasureBody { intent, keys, phase, subjects }) = body(event) else { return };
        let keys = keys.iter().filter_map(|key| key.parse::<KeyId>().ok());
        match (phase.as_str(), intent) {
            ("refused", _) => self.refused += 1,
            ("withheld", Some(intent)) => self.withheld.entry(intent).or_default().extend(keys),
            ("withheld", None) => {}
            _ => {
                let erasure = self.erasures.entry(event.id).or_insert_with(|| Erasure {
                    place,
                    intent: intent.unwrap_or(event.id),
                    is_completed: phase == "completed",
                    keys: HashSet::new(),
                    subjects: HashSet::new(),
                });
                erasure.keys.extend(keys);
                erasure.subjects.extend(subjects);
            }
        }
    }

    /// Whether an erasure of the bundle destroyed the key of a payload: it names the key or a person, came later, and did not
    /// withhold the key.
    pub(super) fn took(&self, born: &Born) -> bool {
        let Some(key) = born.key_id else { return false };
        self.erasures.values().any(|erasure| {
            // In another log it is later in any case: keys are the node's.
            let is_later = erasure.place.0 != born.place.0 || erasure.place.1 > born.place.1;
            let is_spared = self.withheld.get(&erasure.intent).is_some_and(|keys| keys.contains(&key));
            let is_person = || born.subjects.iter().any(|subject| erasure.subjects.contains(subject));
            is_later && !is_spared && (erasure.keys.contains(&key) || is_person())
        })
    }

    /// Whether a purge of the bundle removed a payload: it covers its class and entry, came later, and no hold stood then that
    /// covers the decision.
    pub(super) fn purged(&self, born: &Born, facts: &Facts) -> bool {
        let (log, index) = born.place;
        born.key_id.is_some()
            && self.purges.iter().any(|purge| {
                let is_class = purge.class.as_ref().is_none_or(|class| *class == born.retention);
                let covers = purge.place.0 == log && (purge.first..=purge.last).contains(&index);
                let is_held = || self.holds.values().any(|hold| hold.kept(facts, purge.place));
                is_class && covers && purge.place.1 > index && !is_held()
            })
    }

    /// Holds that were placed and not released.
    pub(super) fn held(&self) -> u64 {
        self.holds.values().filter(|hold| !hold.placed.is_empty() && hold.released.is_empty()).count() as u64
    }

    /// Erasures that were announced and, as far as the bundle says, not completed.
    pub(super) fn announced(&self) -> u64 {
        let completed: HashSet<Id> =
            self.erasures.values().filter(|told| told.is_completed).map(|told| told.intent).collect();
        self.erasures.values().filter(|told| !completed.contains(&told.intent)).count() as u64
    }

    /// Erasures that were refused.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// Erasures from which keys were withheld.
    pub(super) fn withheld(&self) -> u64 {
        self.withheld.len() as u64
    }

    /// Purges of payloads.
    pub(super) fn purges(&self) -> u64 {
        self.purges.len() as u64
    }

    /// Incidents.
    pub(super) fn incidents(&self) -> u64 {
        self.incidents.len() as u64
    }
}

impl Hold {
    /// Whether it kept a decision from what was written there. Of another log it is not known which came first: it kept.
    fn kept(&self, facts: &Facts, at: (usize, u64)) -> bool {
        let is_before = |place: (usize, u64)| place.0 != at.0 || place.1 < at.1;
        let is_released = self.released.iter().any(|released| released.0 == at.0 && released.1 < at.1);
        let scopes = self.placed.iter().filter(|(placed, _)| is_before(*placed)).map(|(_, scope)| scope);
        !is_released && scopes.into_iter().any(|scope| facts.is_in(scope))
    }
}

fn body<'a, T: Deserialize<'a>>(event: &EventText<'a>) -> Option<T> {
    serde_json::from_str(event.body?.get()).ok()
}

impl Verifier<'_> {
    /// The life of one log's system.
    pub(super) fn system(&mut self, log: usize) {
        let path = layout::system(log);
        if !self.paths.contains(&path) {
            self.fault(Check::Files, &path, "it is not there, and every log of a bundle has it");
        }
        let before = self.found.counts.entries;
        let mut story = Story::default();
        self.read_entries(&path, None, &mut story);
        self.found.counts.system_entries += self.found.counts.entries - before;
        let (counts, life) = (&mut self.found.counts, &self.life);
        counts.held = life.held();
        (counts.announced, counts.refused) = (life.announced(), life.refused());
        (counts.withheld, counts.purges, counts.incidents) =
            (life.withheld(), life.purges(), life.incidents());
        let opened = self.openings(&layout::system_openings(log), None, &story);
        self.found.counts.system_disclosed += opened.len() as u64;
    }
}
