//! What standing holds keep. A hold covers a decision if its scope covers any event of it, so that the whole log is looked through for
//! each; once, and then what is new.

use super::entry::Light;
use crate::recorder::RecordError;
use crate::recorder::ledger::{Ledger, StandingHold};
use inferlog_log::LogReader;
use inferlog_record::Id;
use inferlog_record::body::{Body, Scope};
use std::collections::{BTreeSet, HashMap, HashSet};

/// The decisions that holds keep.
#[derive(Debug, Default)]
pub(crate) struct Held {
    holds: Vec<Hold>,
    /// Decisions of kept payloads, by their entries, which are read one by one.
    known: HashMap<u64, Option<Id>>,
}

#[derive(Debug)]
struct Hold {
    standing: StandingHold,
    decisions: HashSet<Id>,
    /// The first entry that was not looked at.
    next: u64,
}

impl Held {
    /// Brings it up to the holds that stand, and to the entries below `size`. Whether anything is kept, or not kept, that was not before.
    pub(crate) fn refresh(
        &mut self,
        reader: &LogReader,
        standing: &[StandingHold],
        size: u64,
    ) -> Result<bool, RecordError> {
        let before = (self.holds.len(), self.count());
        self.holds.retain(|hold| standing.contains(&hold.standing));
        let mut is_changed = self.holds.len() != before.0;
        for standing in standing {
            if !self.holds.iter().any(|hold| hold.standing == *standing) {
                self.holds.push(Hold::new(standing));
                is_changed = true;
            }
        }
        let from = self.holds.iter().map(|hold| hold.next).min().unwrap_or(size);
        let mut failed = None;
        if from < size {
            reader.scan(from, size, |index, bytes| {
                match Light::parse(bytes) {
                    Ok(entry) => self.holds.iter_mut().for_each(|hold| hold.take(index, &entry)),
                    Err(error) => failed = Some(error),
                }
                failed.is_none()
            })?;
        }
        if let Some(error) = failed {
            return Err(error);
        }
        self.holds.iter_mut().for_each(|hold| hold.next = hold.next.max(size));
        Ok(is_changed || self.count() != before.1)
    }

    fn count(&self) -> usize {
        self.holds.iter().map(|hold| hold.decisions.len()).sum()
    }

    /// The holds that keep an entry.
    pub(crate) fn of(&self, entry: &Light<'_>) -> BTreeSet<Id> {
        let keeps = |hold: &&Hold| match &entry.decision {
            Some(decision) => hold.decisions.contains(decision),
            None => hold.covers(entry),
        };
        self.holds.iter().filter(keeps).map(|hold| hold.standing.hold).collect()
    }

    /// Whether a hold keeps what came with the entry at `index`. An entry that was pruned was kept by none; one that cannot be read
    /// is kept, until it can.
    pub(crate) fn keeps(&mut self, reader: &LogReader, index: u64, size: u64) -> bool {
        if self.holds.is_empty() {
            return false;
        }
        if let Some(Some(decision)) = self.known.get(&index) {
            return self.holds.iter().any(|hold| hold.decisions.contains(decision));
        }
        match reader.entry(index, size) {
            Ok(bytes) => match Light::parse(&bytes) {
                Ok(entry) => {
                    self.known.insert(index, entry.decision);
                    !self.of(&entry).is_empty()
                }
                Err(_) => true,
            },
            Err(error) => !error.is_pruned(),
        }
    }
}

impl Hold {
    fn new(standing: &StandingHold) -> Self {
        // Who names decisions and nothing else need not be looked for.
        let is_list = |scope: &Scope| {
            !scope.decisions.is_empty()
                && *scope == Scope { decisions: scope.decisions.clone(), ..Scope::default() }
        };
        let all_lists = standing.scopes.iter().all(is_list);
        let named = standing.scopes.iter().filter(|scope| is_list(scope));
        let decisions = named.flat_map(|scope| scope.decisions.iter().copied()).collect();
        Self { standing: standing.clone(), decisions, next: if all_lists { u64::MAX } else { 0 } }
    }

    fn take(&mut self, index: u64, entry: &Light<'_>) {
        let Some(decision) = entry.decision.filter(|_| index >= self.next) else { return };
        if !self.decisions.contains(&decision) && self.covers(entry) {
            self.decisions.insert(decision);
        }
    }

    fn covers(&self, entry: &Light<'_>) -> bool {
        entry.any(|class, at, subjects| self.standing.covers(entry.decision, class, at, subjects))
    }
}

/// The holds that stood when an event was recorded.
pub(super) fn standing_at(ledger: &Ledger, event: Id) -> Vec<StandingHold> {
    let mut holds: Vec<StandingHold> = Vec::new();
    for told in ledger.events().take_while(|told| told.event.id != event) {
        match &told.event.body {
            Body::HoldReleased(released) => holds.retain(|hold| hold.hold != released.hold),
            Body::HoldPlaced(placed) => match holds.iter_mut().find(|hold| hold.hold == placed.hold) {
                Some(hold) => hold.scopes.push(placed.scope.clone()),
                None => holds.push(StandingHold {
                    hold: placed.hold,
                    basis: placed.basis,
                    incident: placed.incident,
                    by: placed.by,
                    placed_at: told.event.logged_at,
                    events: vec![told.event.id],
                    scopes: vec![placed.scope.clone()],
                }),
            },
            _ => {}
        }
    }
    holds
}
