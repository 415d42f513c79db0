//! The life of the systems, as far as it says what became of the decisions' content: erasures, purges, holds.

use std::collections::{BTreeMap, HashSet};

use inferlog_record::{Count, Id, KeyId};
use serde::Deserialize;

use super::Verifier;
use super::report::Check;
use super::story::{Born, EntryText, EventText, Story};
use crate::layout;

/// What the bundle has of it.
#[derive(Debug, Default)]
pub(super) struct Life {
    erasures: BTreeMap<Id, Erasure>,
    purges: Vec<Purge>,
    placed: HashSet<Id>,
    released: HashSet<Id>,
}

/// An erasure, by its event: what it destroyed, and what a hold withheld from it.
#[derive(Debug, Default)]
struct Erasure {
    place: (usize, u64),
    keys: HashSet<KeyId>,
    subjects: HashSet<String>,
    /// How many payloads are withheld.
    withheld: u64,
    withheld_payloads: HashSet<Id>,
}

#[derive(Debug)]
struct Purge {
    place: (usize, u64),
    first: u64,
    last: u64,
}

#[derive(Deserialize)]
struct ErasureBody {
    /// As they are written: one that is no key takes nothing away from the others.
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default)]
    subjects: Vec<String>,
    #[serde(default)]
    withheld: Option<Count>,
}

#[derive(Deserialize)]
struct PurgeBody {
    first: Count,
    last: Count,
}

#[derive(Deserialize)]
struct HoldBody {
    hold: Id,
}

impl Life {
    /// Takes an entry of the system's life. A body that this build cannot read says nothing: the entry itself is proved.
    pub(super) fn take(&mut self, place: (usize, u64), entry: &EntryText<'_>) {
        for event in &entry.events {
            match event.kind {
                "erasure" => self.take_erasure(place, event),
                "purge" => {
                    if let Some(PurgeBody { first, last }) = body(event) {
                        self.purges.push(Purge { place, first: first.0, last: last.0 });
                    }
                }
                "hold.placed" => self.placed.extend(body(event).map(|HoldBody { hold }| hold)),
                "hold.released" => self.released.extend(body(event).map(|HoldBody { hold }| hold)),
                _ => {}
            }
        }
    }

    fn take_erasure(&mut self, place: (usize, u64), event: &EventText<'_>) {
        let erasure =
            self.erasures.entry(event.id).or_insert_with(|| Erasure { place, ..Erasure::default() });
        if let Some(ErasureBody { keys, subjects, withheld }) = body(event) {
            erasure.keys.extend(keys.iter().filter_map(|key| key.parse::<KeyId>().ok()));
            erasure.subjects.extend(subjects);
            erasure.withheld = withheld.map_or(0, |withheld| withheld.0);
        }
        // What is too much for one entry goes on in the next.
        let withheld = event.payloads.iter().filter(|reference| reference.role == "withheld");
        erasure.withheld_payloads.extend(withheld.map(|reference| reference.payload));
    }

    /// Whether an erasure of the bundle destroyed the key of a payload.
    pub(super) fn took(&self, payload: Id, born: &Born) -> bool {
        self.erasures.values().any(|erasure| {
            // In another log it is later in any case: keys are the node's.
            let is_later = erasure.place.0 != born.place.0 || erasure.place.1 > born.place.1;
            let is_key = born.key_id.is_some_and(|key| erasure.keys.contains(&key));
            let is_person = || born.subjects.iter().any(|subject| erasure.subjects.contains(subject));
            // Not all that it withholds may be named in the bundle.
            let may_be_withheld = erasure.withheld > erasure.withheld_payloads.len() as u64;
            let is_spared = may_be_withheld || erasure.withheld_payloads.contains(&payload);
            is_later && !is_spared && born.key_id.is_some() && (is_key || is_person())
        })
    }

    /// Whether a purge of the bundle covers the entry of a payload. Entries that it kept are not told apart.
    pub(super) fn purged(&self, born: &Born) -> bool {
        let (log, index) = born.place;
        let mut purges = self.purges.iter().filter(|purge| purge.place.0 == log && purge.place.1 > index);
        purges.any(|purge| (purge.first..=purge.last).contains(&index))
    }

    /// Holds that were placed and not released.
    pub(super) fn held(&self) -> u64 {
        self.placed.difference(&self.released).count() as u64
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
        self.found.counts.held = self.life.held();
        let opened = self.openings(&layout::system_openings(log), None, &story);
        self.found.counts.system_disclosed += opened.len() as u64;
    }
}
