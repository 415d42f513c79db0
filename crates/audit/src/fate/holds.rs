//! Which holds stand, and what they freeze.

use std::collections::BTreeSet;

use inferlog_record::{Id, Pseudonym, RetentionClass, Timestamp};

use super::index::Asks;
use super::{At, Hold, PurgeTold, Removals};

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
    /// Whether it stood when something else was written.
    pub fn stood_at(&self, when: (At, Timestamp)) -> bool {
        self.scopes.iter().any(|(placed, _)| self.stood_by(*placed, when))
    }

    /// Whether it stood by what was said of it there: placed before, and not yet released.
    fn stood_by(&self, placed: At, (at, time): (At, Timestamp)) -> bool {
        let mut releases = self.releases.iter();
        is_before(placed, self.placed_at, at, time)
            && !releases.any(|(released, when)| is_before(*released, *when, at, time))
    }

    /// Whether it was not released.
    pub fn stands(&self) -> bool {
        self.releases.is_empty() && !self.scopes.is_empty()
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
    /// The holds that cover a decision, those released too: any scope of theirs any event of it.
    pub fn covering(&self, facts: &DecisionFacts) -> impl Iterator<Item = &Hold> {
        let mut holds: Vec<&Hold> = self.scopes_over(facts).into_iter().map(|(hold, _)| hold).collect();
        holds.dedup_by_key(|hold| hold.hold);
        holds.into_iter()
    }

    /// The holds that stand and cover a decision.
    pub fn standing(&self, facts: &DecisionFacts) -> impl Iterator<Item = &Hold> {
        self.covering(facts).filter(|hold| hold.stands())
    }

    /// The scopes of holds that cover a decision, by hold: each with where it was said.
    fn scopes_over(&self, facts: &DecisionFacts) -> Vec<(&Hold, At)> {
        let scopes = &self.index().scopes;
        if scopes.is_empty() {
            return Vec::new();
        }
        let mut asked = vec![Asks::Other];
        asked.extend(facts.decision.map(Asks::Decision));
        asked.extend(facts.subjects().into_iter().map(Asks::Person));
        let mut found: Vec<(Id, usize)> =
            asked.iter().filter_map(|asks| scopes.get(asks)).flatten().copied().collect();
        found.sort_unstable();
        found.dedup();
        let covering = found.into_iter().filter_map(|(id, number)| {
            let hold = self.holds.get(&id)?;
            let (placed, scope) = hold.scopes.get(number)?;
            covers(scope, facts).then_some((hold, *placed))
        });
        covering.collect()
    }

    /// Those of some purges, in the order of the logs, from which no hold kept a decision.
    pub(super) fn not_held<'k>(
        &'k self,
        facts: &DecisionFacts,
        purges: Vec<&'k PurgeTold>,
    ) -> impl Iterator<Item = &'k PurgeTold> {
        let scopes = if purges.is_empty() { Vec::new() } else { self.scopes_over(facts) };
        purges.into_iter().filter(move |purge| {
            !scopes.iter().any(|(hold, placed)| hold.stood_by(*placed, (purge.at, purge.logged_at)))
        })
    }
}
