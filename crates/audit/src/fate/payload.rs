//! What became of one payload.

use std::collections::BTreeSet;

use inferlog_record::body::Refusal;
use inferlog_record::{Id, KeyId, Pseudonym, RetentionClass, Timestamp};

use super::{At, DecisionFacts, ErasureTold, PurgeTold, Removals};

/// A sealed payload, where it was recorded.
#[derive(Clone, Debug)]
pub struct Birth<'a> {
    /// Where.
    pub at: At,
    /// The key that opens it.
    pub key: KeyId,
    /// Retention class of its entry.
    pub class: &'a RetentionClass,
    /// Whom it is about: the persons by whose keys its own is wrapped.
    pub subjects: &'a BTreeSet<Pseudonym>,
    /// What a hold asks for.
    pub facts: &'a DecisionFacts,
}

/// What became of a payload, as far as events say.
#[derive(Clone, Debug)]
pub enum Fate<'k> {
    /// Its key was destroyed.
    Erased(&'k ErasureTold),
    /// It was removed.
    Purged(&'k PurgeTold),
    /// Nothing took it.
    Kept,
}

/// That a payload was spared by an erasure that would have taken it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withholding {
    /// The erasure's intent.
    pub intent: Id,
    /// Why.
    pub refusals: Vec<Refusal>,
    /// The holds behind it.
    pub holds: Vec<Id>,
    /// When a legal duty may end.
    pub until: Option<Timestamp>,
}

impl Removals {
    /// What became of a payload: the first event that took it counts.
    pub fn fate(&self, birth: &Birth<'_>) -> Fate<'_> {
        let erasure = self.erasure_of(birth);
        let purge = self.purge_of(birth);
        match (erasure, purge) {
            (Some(erasure), Some(purge)) if purge.logged_at < erasure.logged_at => Fate::Purged(purge),
            (Some(erasure), _) => Fate::Erased(erasure),
            (None, Some(purge)) => Fate::Purged(purge),
            (None, None) => Fate::Kept,
        }
    }

    /// The first erasure that destroyed the payload's key: its intent, where that is at hand.
    pub fn erasure_of(&self, birth: &Birth<'_>) -> Option<&ErasureTold> {
        let index = self.index();
        let of_persons = birth.subjects.iter().filter_map(|person| index.by_person.get(person));
        let named = index.by_key.get(&birth.key).into_iter().chain(of_persons);
        let told = |rank: usize| self.erasures.get(*index.destroying.get(rank)?);
        let takes = |rank: &usize| {
            let is_taken = |told: &ErasureTold| told.is_later(birth) && !self.spares(told.intent, birth.key);
            told(*rank).is_some_and(is_taken)
        };
        named.filter_map(|ranks| ranks.iter().copied().find(takes)).min().and_then(told)
    }

    /// The first purge that removed the payload.
    pub fn purge_of(&self, birth: &Birth<'_>) -> Option<&PurgeTold> {
        let mut purges: Vec<&PurgeTold> = self.purges_over(birth.at, birth.class).collect();
        purges.sort_by_key(|purge| purge.at);
        self.not_held(birth.facts, purges).next()
    }

    /// The purges of payloads that cover what this entry holds, whether or not a hold kept it from them.
    pub fn purges_over(&self, at: At, class: &RetentionClass) -> impl Iterator<Item = &PurgeTold> {
        let found = self.index().purges.get(&at.0).map(|ranges| ranges.over(at.1)).unwrap_or_default();
        let purges = found.into_iter().filter_map(|number| self.purges.get(number));
        purges.filter(move |purge| purge.body.class.as_ref().is_none_or(|purged| purged == class))
    }

    /// The erasures that would have taken the payload and withheld it, and did not resume since.
    pub fn withholdings(&self, birth: &Birth<'_>) -> Vec<Withholding> {
        let (index, mut found) = (self.index(), Vec::new());
        let Some(withheld) = index.withheld.get(&birth.key) else { return found };
        let of_intent = |(intent, which)| {
            index.by_intent.get(intent).into_iter().flatten().map(move |told| (told, which))
        };
        let mut erasures: Vec<(&usize, &Vec<usize>)> = withheld.iter().flat_map(of_intent).collect();
        erasures.sort_unstable();
        for (told, which) in erasures {
            let Some(told) = self.erasures.get(*told).filter(|told| told.is_later(birth)) else { continue };
            let all = self.withheld(told.intent);
            for withheld in which.iter().filter_map(|number| all.get(*number)) {
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

    /// Whether an erasure, by its intent, left a key that it would have taken.
    pub fn spares(&self, intent: Id, key: KeyId) -> bool {
        self.index().withheld.get(&key).is_some_and(|intents| intents.contains_key(&intent))
    }
}

impl ErasureTold {
    /// Whether it stands after the payload. In another log it is later in any case: keys are the node's.
    fn is_later(&self, birth: &Birth<'_>) -> bool {
        self.at.0 != birth.at.0 || self.at.1 > birth.at.1
    }
}
