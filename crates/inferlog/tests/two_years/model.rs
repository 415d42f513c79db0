//! What should be there: plain sets, kept by this test from what it did and from the entries as they were first read.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use inferlog_record::Id;

pub const DAY_NS: u64 = 86_400_000_000_000;
const BUNDLE: u64 = 256;

/// An entry as it was when it was recorded.
pub struct Entry {
    pub decision: Option<Id>,
    pub class: String,
    pub stamp: u64,
    /// Events in it.
    pub events: u64,
    /// A sealed payload of it, if it has one.
    pub payload: bool,
    /// Its effective time; `None` before a later entry gives it one.
    effective: Option<u64>,
    pub gone: bool,
    pub purged: bool,
}

pub struct Decision {
    pub person: usize,
    pub entries: Vec<u64>,
    pub erased: bool,
    pub closed: bool,
}

/// What a hold freezes, as this test asked for it.
#[derive(Clone)]
pub enum Frozen {
    List(HashSet<Id>),
    Time { class: String, from: u64, to: u64 },
}

#[derive(Default)]
pub struct Model {
    pub entries: Vec<Entry>,
    pub decisions: HashMap<Id, Decision>,
    /// By hold: what it freezes, and the decisions that are.
    pub holds: BTreeMap<Id, (Frozen, HashSet<Id>)>,
    /// Decisions of erased persons that holds keep.
    pub withheld: HashSet<Id>,
    pub first: u64,
    disregarded: Vec<(u64, u64)>,
    newest: u64,
    undated: Vec<u64>,
    /// Last record of each day.
    days: Vec<(u64, u64)>,
    pub classes: BTreeMap<String, u64>,
}

impl Model {
    /// Classes with the days that they are kept, the margin not included.
    pub fn new(classes: &[(&str, u64)]) -> Self {
        let classes = classes.iter().map(|(name, days)| ((*name).to_owned(), *days)).collect();
        Self { classes, ..Self::default() }
    }

    /// An entry was read for the first time.
    pub fn learn(&mut self, entry: &inferlog_record::Entry) {
        let index = self.entries.len() as u64;
        let (first, events) = (&entry.events[0], entry.events.len() as u64);
        let is_sealed = |reference: &inferlog_record::Reference| {
            matches!(reference.content, inferlog_record::Content::Sealed(_))
        };
        let payload = entry.events.iter().any(|event| event.payloads.iter().any(is_sealed));
        let (class, stamp) = (first.retention.to_string(), first.logged_at.nanos());
        if let Some(decision) = entry.decision.and_then(|id| self.decisions.get_mut(&id)) {
            decision.entries.push(index);
        }
        for (frozen, held) in self.holds.values_mut() {
            if let (Some(decision), Frozen::Time { class: of, from, to }) = (entry.decision, &*frozen)
                && *of == class
                && (*from..*to).contains(&stamp)
            {
                held.insert(decision);
            }
        }
        let (effective, gone, purged) = (None, false, false);
        self.entries.push(Entry {
            decision: entry.decision,
            class,
            stamp,
            events,
            payload,
            effective,
            gone,
            purged,
        });
        self.date(index);
    }

    /// Gives it, and what waits, its effective time if it is a record.
    fn date(&mut self, index: u64) {
        self.undated.push(index);
        let stamp = self.entries[index as usize].stamp;
        let counts = !self.disregarded.iter().any(|(first, last)| (*first..=*last).contains(&index));
        if !counts || stamp < self.newest {
            return;
        }
        self.newest = stamp;
        for at in std::mem::take(&mut self.undated) {
            self.entries[at as usize].effective = Some(stamp);
        }
        match self.days.last_mut() {
            Some((day, upto)) if *day == stamp / DAY_NS => *upto = index,
            _ => self.days.push((stamp / DAY_NS, index)),
        }
    }

    /// Somebody says that these were stamped wrongly: what is left is dated anew.
    pub fn disregard(&mut self, first: u64, last: u64) {
        self.disregarded.push((first, last));
        (self.newest, self.undated, self.days) = (0, Vec::new(), Vec::new());
        for index in 0..self.entries.len() as u64 {
            if !self.entries[index as usize].gone {
                self.date(index);
            }
        }
    }

    pub fn place(&mut self, hold: Id, frozen: Frozen) {
        let held = match &frozen {
            Frozen::List(list) => list.clone(),
            Frozen::Time { class, from, to } => {
                let covers = |entry: &&Entry| {
                    !entry.gone && entry.class == *class && (*from..*to).contains(&entry.stamp)
                };
                self.entries.iter().filter(covers).filter_map(|entry| entry.decision).collect()
            }
        };
        self.holds.insert(hold, (frozen, held));
    }

    /// A hold is released: erasures that it alone withheld are carried on, of so many decisions.
    pub fn release(&mut self, hold: Id) -> u64 {
        self.holds.remove(&hold);
        let free: Vec<Id> = self.withheld.iter().filter(|id| !self.is_held(**id)).copied().collect();
        for id in &free {
            self.withheld.remove(id);
            self.decisions.get_mut(id).unwrap().erased = true;
        }
        free.len() as u64
    }

    pub fn is_held(&self, decision: Id) -> bool {
        self.holds.values().any(|(_, held)| held.contains(&decision))
    }

    /// A person is erased: every decision about them, but for what is held.
    pub fn erase(&mut self, person: usize) {
        let theirs: Vec<Id> = self
            .decisions
            .iter()
            .filter(|(_, decision)| decision.person == person && !decision.erased)
            .map(|(id, _)| *id)
            .collect();
        for id in theirs {
            if self.is_held(id) {
                self.withheld.insert(id);
            } else {
                self.decisions.get_mut(&id).unwrap().erased = true;
            }
        }
    }

    /// What is due by `now` goes, where every follower has read below `followed`. How many entries are due and held.
    pub fn purge(&mut self, now: u64, margin_ns: u64, followed: u64) -> u64 {
        let through: BTreeMap<String, u64> = self
            .classes
            .iter()
            .map(|(class, days)| {
                let is_due = |day: &u64| (day + 1) * DAY_NS - 1 + days * DAY_NS + margin_ns <= now;
                let last = self.days.iter().rfind(|(day, upto)| is_due(day) && *upto < followed);
                (class.clone(), last.map_or(0, |(_, upto)| upto + 1))
            })
            .collect();
        let upto = through.values().copied().max().unwrap_or(0);
        self.first = self.first.max(upto / BUNDLE * BUNDLE);
        let held: HashSet<Id> = self.holds.values().flat_map(|(_, held)| held.iter().copied()).collect();
        let mut kept = 0;
        for (index, entry) in (0_u64..).zip(&mut self.entries).take(upto as usize) {
            let is_over = through.get(&entry.class).is_some_and(|through| index < *through);
            let is_held = entry.decision.is_some_and(|id| held.contains(&id));
            kept += u64::from(is_over && is_held);
            if !is_over || is_held {
                continue;
            }
            entry.purged = true;
            let is_open =
                entry.decision.and_then(|id| self.decisions.get(&id)).is_some_and(|one| !one.closed);
            entry.gone |= index < self.first && !is_open;
        }
        kept
    }

    /// Whether the payload of an entry opens.
    pub fn opens(&self, index: u64) -> bool {
        let entry = &self.entries[index as usize];
        let is_erased = entry.decision.and_then(|id| self.decisions.get(&id)).is_some_and(|one| one.erased);
        entry.payload && !entry.purged && !is_erased
    }

    /// Indices of the entries that are there.
    pub fn there(&self) -> BTreeSet<u64> {
        (0_u64..).zip(&self.entries).filter(|(_, entry)| !entry.gone).map(|(index, _)| index).collect()
    }
}
