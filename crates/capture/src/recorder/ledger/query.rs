//! What the ledger answers.

use super::{Ledger, Told};
use inferlog_log::LogId;
use inferlog_record::body::{Basis, Body, Erasure, ErasurePhase, Incident, IncidentPhase, Purge, Scope};
use inferlog_record::{Event, Id, KeyId, Pseudonym, RetentionClass, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::RangeInclusive;

/// Deadlines count days of 24 hours.
const DAY_NS: u64 = 86_400 * 1_000_000_000;

/// A hold that was not released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingHold {
    /// Its id.
    pub hold: Id,
    /// On what ground it was placed.
    pub basis: Basis,
    /// The incident behind it.
    pub incident: Option<Id>,
    /// Who placed it.
    pub by: Option<Pseudonym>,
    /// When it was placed first.
    pub placed_at: Timestamp,
    /// The events that placed it.
    pub events: Vec<Id>,
    /// What it freezes: whatever any of these covers.
    pub scopes: Vec<Scope>,
}

impl StandingHold {
    /// Whether it freezes an event of this decision, class and time, about these persons; then it freezes the whole decision.
    pub fn covers(
        &self,
        decision: Option<Id>,
        class: &RetentionClass,
        logged_at: Timestamp,
        subjects: &[Pseudonym],
    ) -> bool {
        self.scopes.iter().any(|scope| scope.covers(decision, class, logged_at, subjects))
    }
}

/// An incident, as its events tell it.
#[derive(Clone, Debug)]
pub struct ToldIncident {
    /// Its id.
    pub incident: Id,
    /// Its events, the oldest first: never empty.
    pub events: Vec<(Event, Incident)>,
}

impl ToldIncident {
    /// Until when its report is due, by the newest event; `None` once it was reported or closed.
    pub fn due_at(&self) -> Option<Timestamp> {
        let (_, body) = self.events.last().filter(|_| self.phase() == Some(IncidentPhase::Aware))?;
        let allowed_ns = u64::from(body.days) * DAY_NS;
        Some(Timestamp(body.aware_at.nanos().saturating_add(allowed_ns)))
    }

    /// Where its handling stands, by the newest event.
    pub fn phase(&self) -> Option<IncidentPhase> {
        self.events.last().map(|(_, body)| body.phase)
    }
}

/// An erasure that was announced, and what came of it.
#[derive(Clone, Debug)]
pub struct Announced<'a> {
    /// The intent.
    pub intent: &'a Told,
    /// What the intent says.
    pub stated: &'a Erasure,
    /// The events that withhold keys from it.
    pub withheld: Vec<&'a Told>,
    /// The event that says it is complete.
    pub completed: Option<&'a Told>,
    /// The intents that destroy what was withheld from it.
    pub resumed_by: Vec<&'a Told>,
}

impl Announced<'_> {
    /// The keys that are withheld from it and that no later intent names.
    pub fn withheld_keys(&self) -> BTreeSet<KeyId> {
        let bodies = |told: &[&Told]| -> BTreeSet<KeyId> {
            told.iter().filter_map(|told| told.erasure()).flat_map(|body| body.keys.iter().copied()).collect()
        };
        &bodies(&self.withheld) - &bodies(&self.resumed_by)
    }
}

impl Told {
    /// What it says, if it is of an erasure.
    pub fn erasure(&self) -> Option<&Erasure> {
        match &self.event.body {
            Body::Erasure(erasure) => Some(erasure),
            _ => None,
        }
    }

    /// The intent whose completion it tells.
    pub(crate) fn completes(&self) -> Option<Id> {
        self.erasure().filter(|stated| stated.phase == ErasurePhase::Completed)?.intent
    }

    /// What it says, if it is of a purge.
    pub fn purge(&self) -> Option<&Purge> {
        match &self.event.body {
            Body::Purge(purge) => Some(purge),
            _ => None,
        }
    }
}

impl Ledger {
    /// The holds that stand, the one placed first at the front.
    pub fn standing_holds(&self) -> Vec<StandingHold> {
        let released: HashSet<Id> = self
            .events()
            .filter_map(|told| match &told.event.body {
                Body::HoldReleased(released) => Some(released.hold),
                _ => None,
            })
            .collect();
        let mut holds: Vec<StandingHold> = Vec::new();
        for told in self.events() {
            let Body::HoldPlaced(placed) = &told.event.body else { continue };
            if released.contains(&placed.hold) {
                continue;
            }
            match holds.iter_mut().find(|hold| hold.hold == placed.hold) {
                Some(hold) => {
                    hold.events.push(told.event.id);
                    hold.scopes.push(placed.scope.clone());
                }
                None => holds.push(StandingHold {
                    hold: placed.hold,
                    basis: placed.basis,
                    incident: placed.incident,
                    by: placed.by,
                    placed_at: told.event.logged_at,
                    events: vec![told.event.id],
                    scopes: vec![placed.scope.clone()],
                }),
            }
        }
        holds
    }

    /// Every incident, the one told first at the front.
    pub fn incidents(&self) -> Vec<ToldIncident> {
        let mut incidents: Vec<ToldIncident> = Vec::new();
        for told in self.events() {
            let Body::Incident(body) = &told.event.body else { continue };
            let event = (told.event.clone(), Incident::clone(body));
            match incidents.iter_mut().find(|known| known.incident == body.incident) {
                Some(known) => known.events.push(event),
                None => incidents.push(ToldIncident { incident: body.incident, events: vec![event] }),
            }
        }
        incidents
    }

    /// Every purge that was announced, the oldest first.
    pub fn purges(&self) -> impl DoubleEndedIterator<Item = &Told> {
        self.events().filter(|told| told.purge().is_some())
    }

    /// The ranges of entries of a log whose times somebody says were stamped wrongly.
    pub fn disregarded(&self, log: LogId) -> Vec<RangeInclusive<u64>> {
        let range = |told: &Told| match &told.event.body {
            Body::Clock(clock) if told.log == log => Some(clock.disregard_first?.0..=clock.disregard_last?.0),
            _ => None,
        };
        self.events().filter_map(range).collect()
    }

    /// Every erasure that was announced, the oldest first.
    pub fn announced(&self) -> Vec<Announced<'_>> {
        let mut found: Vec<Announced<'_>> = Vec::new();
        let mut places: BTreeMap<Id, usize> = BTreeMap::new();
        let mut withheld: BTreeMap<Id, Vec<&Told>> = BTreeMap::new();
        let mut resumed: BTreeMap<Id, Vec<&Told>> = BTreeMap::new();
        for told in self.events() {
            let Some(stated) = told.erasure() else { continue };
            match stated.phase {
                ErasurePhase::Withheld => {
                    let of = stated.intent.unwrap_or(told.event.id);
                    withheld.entry(of).or_default().push(told);
                }
                ErasurePhase::Intent => {
                    if let Some(of) = stated.resumes {
                        resumed.entry(of).or_default().push(told);
                    }
                    places.insert(told.event.id, found.len());
                    let (withheld, resumed_by) = (Vec::new(), Vec::new());
                    found.push(Announced { intent: told, stated, withheld, completed: None, resumed_by });
                }
                ErasurePhase::Completed => {
                    let place = stated.intent.and_then(|intent| places.get(&intent));
                    if let Some(announced) = place.and_then(|at| found.get_mut(*at)) {
                        announced.completed.get_or_insert(told);
                    }
                }
                ErasurePhase::Refused => {}
            }
        }
        for announced in &mut found {
            let id = announced.intent.event.id;
            announced.withheld = withheld.remove(&id).unwrap_or_default();
            announced.resumed_by = resumed.remove(&id).unwrap_or_default();
        }
        found
    }

    /// The erasure that destroyed this key, which keys of these persons wrap.
    pub(crate) fn destroyer(&self, key: KeyId, subjects: &BTreeSet<Pseudonym>) -> Option<Id> {
        let destroys = |announced: &Announced<'_>| {
            let withholds = |told: &&Told| told.erasure().is_some_and(|stated| stated.keys.contains(&key));
            announced.stated.keys.contains(&key)
                || announced.stated.subjects.iter().any(|subject| subjects.contains(subject))
                    && !announced.withheld.iter().any(withholds)
        };
        self.announced().into_iter().find(destroys).map(|announced| announced.intent.event.id)
    }
}
