//! What is judged of erasures, holds, incidents and policies: what was begun and is not finished by now, whenever it began.

use std::collections::{BTreeMap, HashMap, HashSet};

use inferlog_record::body::{Aspect, Body, ErasurePhase, HoldPlaced, Incident, IncidentPhase};
use inferlog_record::{Event, Id};
use memchr::memmem::Finder;

use super::DAY_NS;
use super::rules::{Finds, Rule, Sight};
use crate::fate::LifeFinder;

/// An erasure that was announced may take so long to be completed in every store, days.
const ERASURE_DAYS_MAX: u64 = 7;
/// A hold that stands longer is asked about, days.
const HOLD_DAYS_MAX: u64 = 184;

/// Finds the entries that are judged here by their bytes.
pub(super) struct KeepingFinder {
    life: LifeFinder,
    others: [Finder<'static>; 2],
}

impl Default for KeepingFinder {
    fn default() -> Self {
        let others = [r#""kind":"incident""#, r#""disregard_first":"#].map(Finder::new);
        Self { life: LifeFinder::default(), others }
    }
}

impl KeepingFinder {
    pub(super) fn finds(&self, bytes: &[u8]) -> bool {
        self.life.finds(bytes) || self.others.iter().any(|finder| finder.find(bytes).is_some())
    }
}

/// What was begun.
#[derive(Debug)]
pub(super) struct Keeping {
    now_ns: u64,
    /// By intent: when, and on whose order.
    erasures: BTreeMap<Id, (u64, String)>,
    completed: HashSet<Id>,
    /// By hold: when it was placed first, and on what ground.
    holds: BTreeMap<Id, (u64, String)>,
    released: HashSet<Id>,
    /// By incident: when it is due, and what it is.
    incidents: BTreeMap<Id, (u64, String)>,
    reported: HashMap<Id, u64>,
}

impl Keeping {
    pub(super) fn new(now_ns: u64) -> Self {
        Self {
            now_ns,
            erasures: BTreeMap::new(),
            completed: HashSet::new(),
            holds: BTreeMap::new(),
            released: HashSet::new(),
            incidents: BTreeMap::new(),
            reported: HashMap::new(),
        }
    }

    /// Takes an event of the system's life, whenever it was logged.
    pub(super) fn take(&mut self, event: &Event, in_window: bool, finds: &mut Finds) {
        let at = event.logged_at.nanos();
        match &event.body {
            Body::Erasure(body) => match (body.phase, body.intent) {
                (ErasurePhase::Intent, _) => {
                    self.erasures.insert(event.id, (at, body.order.to_string()));
                }
                (ErasurePhase::Completed, Some(intent)) => drop(self.completed.insert(intent)),
                _ => {}
            },
            Body::HoldPlaced(body) => {
                let HoldPlaced { hold, basis, .. } = **body;
                self.holds.entry(hold).or_insert((at, basis.to_string()));
            }
            Body::HoldReleased(body) => drop(self.released.insert(body.hold)),
            Body::Incident(body) => self.incident(body, at),
            Body::SystemChanged(body) if in_window && body.aspect == Aspect::Policy => {
                let name = body.new.as_ref().map_or_else(String::new, ToString::to_string);
                finds.add(&Sight::new(Rule::PolicyChanged, &name, &event.logged_at));
            }
            _ => {}
        }
    }

    fn incident(&mut self, body: &Incident, at: u64) {
        let due = body.aware_at.nanos().saturating_add(u64::from(body.days) * DAY_NS);
        self.incidents.entry(body.incident).or_insert((due, body.category.to_string()));
        if body.phase != IncidentPhase::Aware {
            let first = self.reported.entry(body.incident).or_insert(at);
            *first = at.min(*first);
        }
    }

    /// The logs end here.
    pub(super) fn end(&mut self, finds: &mut Finds) {
        let is_old = |at: u64, days: u64| self.now_ns.saturating_sub(at) > days * DAY_NS;
        for (intent, (at, order)) in &self.erasures {
            if !self.completed.contains(intent) && is_old(*at, ERASURE_DAYS_MAX) {
                finds.add(&Sight::new(Rule::ErasureOpen, order, intent));
            }
        }
        for (hold, (at, basis)) in &self.holds {
            if !self.released.contains(hold) && is_old(*at, HOLD_DAYS_MAX) {
                finds.add(&Sight::new(Rule::HoldLong, basis, hold));
            }
        }
        for (incident, (due, category)) in &self.incidents {
            if !self.reported.contains_key(incident) && self.now_ns > *due {
                finds.add(&Sight::new(Rule::IncidentOverdue, category, incident));
            }
        }
    }
}
