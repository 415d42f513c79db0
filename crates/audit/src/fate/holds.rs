//! Which holds stand, and what they freeze.

use std::collections::BTreeSet;

use inferlog_record::{Id, Pseudonym, RetentionClass, Timestamp};

use super::{At, Hold, Removals};

/// What is known of a decision, or of one event of the system's life, as far as a hold's scope asks for it.
#[derive(Clone, Debug, Default)]
pub struct DecisionFacts {
    /// The decision; `None` for the system's life.
    pub decision: Option<Id>,
    /// Its events.
    pub events: Vec<EventFacts>,
}

/// One event.
#[derive(Clone, Debug)]
pub struct EventFacts {
    /// Retention class.
    pub class: RetentionClass,
    /// When it was logged.
    pub logged_at: Timestamp,
    /// Whom it is about.
    pub subjects: Vec<Pseudonym>,
}

impl DecisionFacts {
    /// Takes an event.
    pub fn take(&mut self, event: &inferlog_record::Event) {
        self.events.push(EventFacts {
            class: event.retention.clone(),
            logged_at: event.logged_at,
            subjects: event.subjects.to_vec(),
        });
    }

    /// The persons whom it is about.
    pub fn subjects(&self) -> BTreeSet<Pseudonym> {
        self.events.iter().flat_map(|event| event.subjects.iter().copied()).collect()
    }
}

impl Hold {
    /// Whether it covers the decision: any scope of its any event.
    pub fn covers(&self, facts: &DecisionFacts) -> bool {
        self.scopes.iter().any(|(_, scope)| covers(scope, facts))
    }

    /// Whether it covered the decision when something else was written: placed before, and not yet released.
    pub fn covered_at(&self, facts: &DecisionFacts, (at, time): (At, Timestamp)) -> bool {
        let is_released = self.released.is_some_and(|(released, when)| is_before(released, when, at, time));
        let placed = self.scopes.iter().filter(|(placed, _)| is_before(*placed, self.placed_at, at, time));
        !is_released && placed.into_iter().any(|(_, scope)| covers(scope, facts))
    }

    /// Whether it stood when something else was written.
    pub fn stood_at(&self, (at, time): (At, Timestamp)) -> bool {
        let is_released = self.released.is_some_and(|(released, when)| is_before(released, when, at, time));
        !is_released && self.scopes.iter().any(|(placed, _)| is_before(*placed, self.placed_at, at, time))
    }

    /// Whether it was not released.
    pub fn stands(&self) -> bool {
        self.released.is_none() && !self.scopes.is_empty()
    }
}

/// By their places in one log; by time across logs, for there is no other order.
fn is_before(one: At, one_time: Timestamp, other: At, other_time: Timestamp) -> bool {
    if one.0 == other.0 { one.1 < other.1 } else { one_time <= other_time }
}

fn covers(scope: &inferlog_record::body::Scope, facts: &DecisionFacts) -> bool {
    facts
        .events
        .iter()
        .any(|event| scope.covers(facts.decision, &event.class, event.logged_at, &event.subjects))
}

impl Removals {
    /// The holds that stand and cover a decision.
    pub fn standing<'k>(&'k self, facts: &'k DecisionFacts) -> impl Iterator<Item = &'k Hold> {
        self.holds().filter(|hold| hold.stands() && hold.covers(facts))
    }

    /// Whether a hold kept a decision when something was written.
    pub(super) fn was_held(&self, facts: &DecisionFacts, when: (At, Timestamp)) -> bool {
        self.holds().any(|hold| hold.covered_at(facts, when))
    }
}
