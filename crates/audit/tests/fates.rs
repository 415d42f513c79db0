//! What became of payloads is answered from indices: the answers are those of a search through all that was learnt, over random
//! histories, in whatever parts and order they were learnt.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::BTreeSet;

use inferlog_audit::fate::{
    At, Birth, DecisionFacts, ErasureTold, EventFacts, Fate, Hold, PurgeTold, Removals, Withholding,
};
use inferlog_record::body::{
    Basis, Body, Erasure, ErasurePhase, HoldPlaced, HoldReleased, OrderKind, Purge, Purged, Scope,
};
use inferlog_record::{ClearName, Count, Event, Id, KeyId, Pseudonym, RetentionClass, SystemName, Timestamp};

/// Few of everything, so that what happens meets.
const KEYS: u16 = 6;
const PERSONS: u8 = 5;
const DECISIONS: u8 = 5;
const HOLDS: u8 = 4;
const ENTRIES: u64 = 60;
const LOGS: usize = 2;
const CLASSES: [&str; 3] = ["default", "long", "short"];

struct Chance(fastrand::Rng);

impl Chance {
    fn one_in(&mut self, of: u32) -> bool {
        self.0.u32(..of) == 0
    }

    fn key(&mut self) -> KeyId {
        KeyId { page: 1, slot: self.0.u16(..KEYS) }
    }

    fn person(&mut self) -> Pseudonym {
        Pseudonym::new([self.0.u8(..PERSONS); 16])
    }

    fn decision(&mut self) -> Id {
        id(1, u64::from(self.0.u8(..DECISIONS)))
    }

    fn class(&mut self) -> RetentionClass {
        RetentionClass::new(CLASSES[self.0.usize(..CLASSES.len())]).unwrap()
    }

    fn time(&mut self) -> Timestamp {
        Timestamp(self.0.u64(..12))
    }

    fn some<T>(&mut self, most: usize, one: impl Fn(&mut Self) -> T) -> Vec<T> {
        (0..self.0.usize(..=most)).map(|_| one(self)).collect()
    }

    fn scope(&mut self) -> Scope {
        Scope {
            classes: if self.one_in(2) { self.some(2, Self::class) } else { Vec::new() }.into(),
            decisions: if self.one_in(2) { self.some(3, Self::decision) } else { Vec::new() }.into(),
            from: self.one_in(3).then(|| self.time()),
            subjects: if self.one_in(2) { self.some(3, Self::person) } else { Vec::new() }.into(),
            to: self.one_in(3).then(|| self.time()),
        }
    }

    fn facts(&mut self) -> DecisionFacts {
        let event = |own: &mut Self| EventFacts {
            class: own.class(),
            logged_at: own.time(),
            subjects: own.some(2, Self::person),
        };
        DecisionFacts { decision: (!self.one_in(4)).then(|| self.decision()), events: self.some(3, event) }
    }

    fn erasure(&mut self, intents: &mut Vec<Id>, own: Id) -> Erasure {
        let phases =
            [ErasurePhase::Intent, ErasurePhase::Withheld, ErasurePhase::Completed, ErasurePhase::Refused];
        let phase = phases[self.0.usize(..phases.len())];
        let intent = match phase {
            ErasurePhase::Intent => {
                intents.push(own);
                None
            }
            _ => self.0.choice(&*intents).copied(),
        };
        Erasure {
            backup_horizon: None,
            by: None,
            certificate: None,
            decisions: Count(1),
            holds: self.some(1, |own| id(2, u64::from(own.0.u8(..HOLDS)))).into(),
            intent,
            keys: self.some(3, Self::key).into(),
            order: OrderKind::Request,
            phase,
            refusals: Vec::new().into(),
            resumes: None,
            root_epoch: None,
            stores: Vec::new().into(),
            subjects: self.some(2, Self::person).into(),
            until: self.one_in(3).then(|| self.time()),
            withheld: Count(0),
        }
    }

    fn purge(&mut self) -> Purge {
        let first = self.0.u64(..ENTRIES);
        Purge {
            what: if self.one_in(4) { Purged::Entries } else { Purged::Payloads },
            bytes: Count(1),
            class: (!self.one_in(4)).then(|| self.class()),
            entries: Count(1),
            // Some are of nothing, or of what comes after them.
            first: Count(if self.one_in(4) { 0 } else { first }),
            holds: Vec::new().into(),
            kept: Count(0),
            last: Count(if self.one_in(8) { u64::MAX } else { self.0.u64(..ENTRIES) }),
            packs: Vec::new().into(),
            payloads: Count(1),
            policy: ClearName::new("credit/3").unwrap(),
            policy_sha256: None,
        }
    }

    fn history(&mut self) -> Vec<(At, Event)> {
        let (mut intents, mut told) = (Vec::new(), Vec::new());
        for number in 0..self.0.u64(..60) {
            let (own, hold) = (id(3, number), id(2, u64::from(self.0.u8(..HOLDS))));
            let body: Body = match self.0.u8(..6) {
                0..=2 => self.erasure(&mut intents, own).into(),
                3 => self.purge().into(),
                4 => HoldPlaced {
                    basis: Basis::AuthorityOrder,
                    by: None,
                    hold,
                    incident: None,
                    scope: self.scope(),
                }
                .into(),
                _ => HoldReleased { basis: Basis::AuthorityOrder, by: None, hold }.into(),
            };
            let at = (self.0.usize(..LOGS), self.0.u64(..ENTRIES));
            told.push((at, Event::new(own, SystemName::new("credit").unwrap(), self.time(), body)));
        }
        told
    }
}

fn id(kind: u64, number: u64) -> Id {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    Id::new(kind, &random)
}

fn is_before(one: At, one_time: Timestamp, (other, time): (At, Timestamp)) -> bool {
    if one.0 == other.0 { one.1 < other.1 } else { one_time <= time }
}

fn covers(scope: &Scope, facts: &DecisionFacts) -> bool {
    let mut events = facts.events.iter();
    events.any(|event| scope.covers(facts.decision, &event.class, event.logged_at, &event.subjects))
}

/// The rules as they are said, each answer by a search through everything.
struct Search<'r>(&'r Removals);

impl<'r> Search<'r> {
    fn spares(&self, told: &ErasureTold, key: KeyId) -> bool {
        self.0.withheld(told.intent).iter().any(|withheld| withheld.keys().any(|one| one == key))
    }

    fn is_later(told: &ErasureTold, birth: &Birth<'_>) -> bool {
        told.at.0 != birth.at.0 || told.at.1 > birth.at.1
    }

    fn erasure_of(&self, birth: &Birth<'_>) -> Option<&'r ErasureTold> {
        let takes = |told: &&ErasureTold| {
            let is_named = told.keys().any(|key| key == birth.key)
                || told.subjects().any(|person| birth.subjects.contains(&person));
            told.destroys() && is_named && Self::is_later(told, birth) && !self.spares(told, birth.key)
        };
        self.0.erasures().iter().filter(takes).min_by_key(|told| (told.logged_at, told.at))
    }

    fn purges_over(&self, at: At, class: &RetentionClass) -> Vec<&'r PurgeTold> {
        let covers = |purge: &&PurgeTold| {
            purge.body.what == Purged::Payloads
                && purge.body.class.as_ref().is_none_or(|purged| purged == class)
                && purge.at.0 == at.0
                && at.1 < purge.at.1
                && (purge.body.first.0..=purge.body.last.0).contains(&at.1)
        };
        self.0.purges().iter().filter(covers).collect()
    }

    fn held(hold: &Hold, facts: &DecisionFacts, when: (At, Timestamp)) -> bool {
        let is_released = hold.releases.iter().any(|(at, time)| is_before(*at, *time, when));
        let mut placed = hold.scopes.iter().filter(|(at, _)| is_before(*at, hold.placed_at, when));
        !is_released && placed.any(|(_, scope)| covers(scope, facts))
    }

    fn purge_of(&self, birth: &Birth<'_>) -> Option<&'r PurgeTold> {
        let is_held = |purge: &&PurgeTold| {
            self.0.holds().any(|hold| Self::held(hold, birth.facts, (purge.at, purge.logged_at)))
        };
        let purges = self.purges_over(birth.at, birth.class).into_iter();
        purges.filter(|purge| !is_held(purge)).min_by_key(|purge| purge.at)
    }

    fn withholdings(&self, birth: &Birth<'_>) -> Vec<Withholding> {
        let mut found: Vec<Withholding> = Vec::new();
        for told in self.0.erasures().iter().filter(|told| told.destroys() && Self::is_later(told, birth)) {
            let withheld = self.0.withheld(told.intent).iter();
            for withheld in withheld.filter(|one| one.keys().any(|key| key == birth.key)) {
                let withholding = Withholding {
                    intent: told.intent,
                    refusals: withheld.refusals.clone(),
                    holds: withheld.holds.clone(),
                    until: withheld.until,
                };
                if !found.contains(&withholding) {
                    found.push(withholding);
                }
            }
        }
        found
    }

    fn standing(&self, facts: &DecisionFacts) -> Vec<Id> {
        let holds = self.0.holds().filter(|hold| hold.releases.is_empty());
        holds
            .filter(|hold| hold.scopes.iter().any(|(_, scope)| covers(scope, facts)))
            .map(|hold| hold.hold)
            .collect()
    }

    fn completion(&self, intent: Id) -> Option<Id> {
        let mut erasures = self.0.erasures().iter();
        let is_it = |told: &&ErasureTold| told.phase == ErasurePhase::Completed && told.intent == intent;
        erasures.find(is_it).map(|told| told.event)
    }
}

/// How often each answer was another than that nothing happened: a test of nothing but that would say nothing.
#[derive(Debug, Default)]
struct Seen([u32; 5]);

impl Seen {
    fn compare(&mut self, chance: &mut Chance, removals: &Removals) {
        let search = Search(removals);
        for _ in 0..30 {
            let (facts, class) = (chance.facts(), chance.class());
            let subjects: BTreeSet<Pseudonym> = chance.some(2, Chance::person).into_iter().collect();
            let at = (chance.0.usize(..LOGS), chance.0.u64(..ENTRIES));
            let birth = Birth { at, key: chance.key(), class: &class, subjects: &subjects, facts: &facts };
            let erasure = removals.erasure_of(&birth).map(|told| told.event);
            assert_eq!(erasure, search.erasure_of(&birth).map(|told| told.event));
            let purge = removals.purge_of(&birth).map(|told| told.event);
            assert_eq!(purge, search.purge_of(&birth).map(|told| told.event));
            let over: Vec<Id> = removals.purges_over(at, &class).map(|purge| purge.event).collect();
            let all = search.purges_over(at, &class);
            assert_eq!(over, all.iter().map(|purge| purge.event).collect::<Vec<_>>());
            assert_eq!(removals.withholdings(&birth), search.withholdings(&birth));
            let standing: Vec<Id> = removals.standing(&facts).map(|hold| hold.hold).collect();
            assert_eq!(standing, search.standing(&facts));
            let is_kept = matches!(removals.fate(&birth), Fate::Kept);
            assert_eq!(is_kept, erasure.is_none() && purge.is_none());
            let is_held = purge.is_none() && !over.is_empty();
            let said = [
                erasure.is_some(),
                purge.is_some(),
                is_held,
                !search.withholdings(&birth).is_empty(),
                !standing.is_empty(),
            ];
            self.0.iter_mut().zip(said).for_each(|(count, is_it)| *count += u32::from(is_it));
        }
        for told in removals.erasures() {
            let completion = removals.completion(told.intent).map(|told| told.event);
            assert_eq!(completion, search.completion(told.intent));
        }
    }
}

#[test]
fn indices_answer_as_a_search_does() {
    let (mut chance, mut seen) = (Chance(fastrand::Rng::with_seed(7)), Seen::default());
    for _ in 0..400 {
        let history = chance.history();
        let (mut removals, mut parts) = (Removals::default(), [(); 3].map(|()| Removals::default()));
        for (at, event) in &history {
            removals.learn(*at, event);
            // What was asked before does not stand in the way of what is learnt after.
            if chance.one_in(10) {
                seen.compare(&mut chance, &removals);
            }
            parts[chance.0.usize(..3)].learn(*at, event);
            parts[chance.0.usize(..3)].learn(*at, event);
        }
        seen.compare(&mut chance, &removals);
        let mut merged = Removals::default();
        for part in parts {
            merged.merge(part);
            seen.compare(&mut chance, &merged);
        }
        assert_eq!(merged.erasures().len(), removals.erasures().len());
    }
    assert!(seen.0.iter().all(|count| *count > 1_000), "{seen:?}");
}

#[test]
fn a_hold_is_over_when_it_is_first_released() {
    let (hold, class) = (id(2, 0), RetentionClass::new("default").unwrap());
    let subjects = BTreeSet::new();
    let facts = DecisionFacts {
        decision: Some(id(1, 0)),
        events: vec![EventFacts { class: class.clone(), logged_at: Timestamp(1), subjects: Vec::new() }],
    };
    let mut chance = Chance(fastrand::Rng::with_seed(1));
    let purge =
        Purge { what: Purged::Payloads, class: None, first: Count(0), last: Count(3), ..chance.purge() };
    let placed: Body =
        HoldPlaced { basis: Basis::AuthorityOrder, by: None, hold, incident: None, scope: Scope::default() }
            .into();
    let released: Body = HoldReleased { basis: Basis::AuthorityOrder, by: None, hold }.into();
    let mut told: Vec<(At, Event)> = Vec::new();
    for (number, body) in [placed, released.clone(), purge.into(), released].into_iter().enumerate() {
        let number = number as u64;
        let event = Event::new(id(3, number), SystemName::new("credit").unwrap(), Timestamp(number), body);
        told.push(((0, 10 + number), event));
    }
    // Threads that read a log learn its parts in any order.
    for is_backwards in [false, true] {
        let mut removals = Removals::default();
        for (at, event) in &told {
            let mut part = Removals::default();
            part.learn(*at, event);
            match is_backwards {
                true => {
                    part.merge(std::mem::take(&mut removals));
                    removals = part;
                }
                false => removals.merge(part),
            }
        }
        let key = KeyId { page: 1, slot: 1 };
        let birth = Birth { at: (0, 1), key, class: &class, subjects: &subjects, facts: &facts };
        assert!(removals.purge_of(&birth).is_some(), "it was released before the purge");
        assert!(removals.standing(&facts).next().is_none());
    }
}
