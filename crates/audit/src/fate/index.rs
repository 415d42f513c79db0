//! What is asked payload by payload, so that no answer takes longer the more was erased, purged or frozen. Built once when it is first
//! asked for, and anew after more was learnt. Everything is named by its place in what was learnt.

use std::collections::{BTreeMap, HashMap};

use inferlog_record::body::{ErasurePhase, Purged};
use inferlog_record::{Id, KeyId, Pseudonym};

use super::Removals;

/// Where what concerns something stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// Erasures that destroy keys, the first first.
    pub(super) destroying: Vec<usize>,
    /// By a key that they name, the ranks of these, ascending.
    pub(super) by_key: HashMap<KeyId, Vec<usize>>,
    /// By a person whom they name.
    pub(super) by_person: HashMap<Pseudonym, Vec<usize>>,
    /// By their intent, the erasures themselves, as they were learnt.
    pub(super) by_intent: HashMap<Id, Vec<usize>>,
    /// By intent, the first erasure learnt that completed it.
    pub(super) completed: HashMap<Id, usize>,
    /// By key, the intents from which it is withheld: which of what is withheld from these names it.
    pub(super) withheld: HashMap<KeyId, BTreeMap<Id, Vec<usize>>>,
    /// Purges of payloads, by log.
    pub(super) purges: HashMap<usize, Ranges>,
    /// Scopes of holds, by what they ask for: the hold, and which of its scopes.
    pub(super) scopes: HashMap<Asks, Vec<(Id, usize)>>,
}

/// What a scope asks of whatever it covers, or part of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Asks {
    /// To be of this decision.
    Decision(Id),
    /// To be about this person.
    Person(Pseudonym),
    /// Neither.
    Other,
}

/// Ranges, ascending by their first: a balanced tree whose root is in the middle.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranges(Vec<Range>);

#[derive(Clone, Debug)]
struct Range {
    first: u64,
    last: u64,
    /// The last of any in this part of the tree.
    most: u64,
    of: usize,
}

impl Index {
    pub(super) fn new(removals: &Removals) -> Self {
        let mut index = Self::default();
        index.take_erasures(removals);
        for (intent, told) in &removals.withheld {
            for (number, told) in told.iter().enumerate() {
                for key in told.keys() {
                    index.withheld.entry(key).or_default().entry(*intent).or_default().push(number);
                }
            }
        }
        for (number, purge) in removals.purges.iter().enumerate() {
            let (first, last) = (purge.body.first.0, purge.body.last.0);
            // It covers nothing that stands after it.
            if let Some(before) = purge.at.1.checked_sub(1).filter(|_| purge.body.what == Purged::Payloads) {
                let ranges = index.purges.entry(purge.at.0).or_default();
                ranges.0.push(Range { first, last: last.min(before), most: 0, of: number });
            }
        }
        for ranges in index.purges.values_mut() {
            ranges.0.sort_by_key(|range| range.first);
            settle(&mut ranges.0);
        }
        for hold in removals.holds.values() {
            for (number, (_, scope)) in hold.scopes.iter().enumerate() {
                for asked in Asks::of(scope) {
                    index.scopes.entry(asked).or_default().push((hold.hold, number));
                }
            }
        }
        index
    }

    fn take_erasures(&mut self, removals: &Removals) {
        for (number, told) in removals.erasures.iter().enumerate() {
            if told.phase == ErasurePhase::Completed {
                self.completed.entry(told.intent).or_insert(number);
            }
            if told.destroys() {
                self.by_intent.entry(told.intent).or_default().push(number);
            }
        }
        let mut destroying: Vec<_> = removals.erasures.iter().enumerate().collect();
        destroying.retain(|(_, told)| told.destroys());
        destroying.sort_by_key(|(_, told)| (told.logged_at, told.at));
        for (rank, (_, told)) in destroying.iter().enumerate() {
            told.keys().for_each(|key| self.by_key.entry(key).or_default().push(rank));
            told.subjects().for_each(|person| self.by_person.entry(person).or_default().push(rank));
        }
        self.destroying = destroying.into_iter().map(|(number, _)| number).collect();
    }
}

impl Asks {
    fn of(scope: &inferlog_record::body::Scope) -> Vec<Self> {
        match (scope.decisions.as_slice(), scope.subjects.as_slice()) {
            ([], []) => vec![Self::Other],
            ([], persons) => persons.iter().copied().map(Self::Person).collect(),
            (decisions, _) => decisions.iter().copied().map(Self::Decision).collect(),
        }
    }
}

impl Ranges {
    /// Of which these ranges are that hold an entry, ascending.
    pub(super) fn over(&self, entry: u64) -> Vec<usize> {
        let mut found = Vec::new();
        over(&self.0, entry, &mut found);
        found.sort_unstable();
        found
    }
}

/// Says of every part of the tree how far it goes.
fn settle(ranges: &mut [Range]) -> u64 {
    let (left, rest) = ranges.split_at_mut(ranges.len() / 2);
    let Some((root, right)) = rest.split_first_mut() else { return 0 };
    root.most = root.last.max(settle(left)).max(settle(right));
    root.most
}

fn over(ranges: &[Range], entry: u64, found: &mut Vec<usize>) {
    let (left, rest) = ranges.split_at(ranges.len() / 2);
    let Some((root, right)) = rest.split_first() else { return };
    if root.most < entry {
        return;
    }
    over(left, entry, found);
    if root.first <= entry {
        found.extend((entry <= root.last).then_some(root.of));
        over(right, entry, found);
    }
}
