//! What became of one payload.

use std::collections::BTreeSet;

use inferlog_record::body::{Purged, Refusal};
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
        let taken = self.erasures.iter().filter(|told| told.takes(birth) && !self.spares(told, birth.key));
        taken.min_by_key(|told| (told.logged_at, told.at))
    }

    /// The first purge that removed the payload.
    pub fn purge_of(&self, birth: &Birth<'_>) -> Option<&PurgeTold> {
        self.purges_over(birth.at, birth.class)
            .filter(|purge| !self.was_held(birth.facts, (purge.at, purge.logged_at)))
            .min_by_key(|purge| purge.at)
    }

    /// The purges of payloads that cover what this entry holds, whether or not a hold kept it from them.
    pub fn purges_over(&self, at: At, class: &RetentionClass) -> impl Iterator<Item = &PurgeTold> {
        self.purges.iter().filter(move |purge| {
            purge.body.what == Purged::Payloads
                && purge.body.class.as_ref().is_none_or(|purged| purged == class)
                && purge.covers(at)
        })
    }

    /// The erasures that would have taken the payload and withheld it, and did not resume since.
    pub fn withholdings(&self, birth: &Birth<'_>) -> Vec<Withholding> {
        let mut found: Vec<Withholding> = Vec::new();
        for told in self.erasures.iter().filter(|told| told.destroys()) {
            for withheld in self.withheld(told.intent).iter().filter(|one| one.keys.contains(&birth.key)) {
                let withholding = Withholding {
                    intent: told.intent,
                    refusals: withheld.refusals.clone(),
                    holds: withheld.holds.clone(),
                    until: withheld.until,
                };
                if told.precedes_not(birth) && !found.contains(&withholding) {
                    found.push(withholding);
                }
            }
        }
        found
    }

    fn spares(&self, told: &ErasureTold, key: KeyId) -> bool {
        self.withheld(told.intent).iter().any(|withheld| withheld.keys.contains(&key))
    }
}

impl ErasureTold {
    fn takes(&self, birth: &Birth<'_>) -> bool {
        let named = self.keys.contains(&birth.key) || !self.subjects.is_disjoint_from(birth.subjects);
        self.destroys() && named && self.precedes_not(birth)
    }

    /// Whether it stands after the payload. In another log it is later in any case: keys are the node's.
    fn precedes_not(&self, birth: &Birth<'_>) -> bool {
        self.at.0 != birth.at.0 || self.at.1 > birth.at.1
    }
}

trait Disjoint {
    fn is_disjoint_from(&self, other: &BTreeSet<Pseudonym>) -> bool;
}

impl Disjoint for std::collections::HashSet<Pseudonym> {
    fn is_disjoint_from(&self, other: &BTreeSet<Pseudonym>) -> bool {
        !other.iter().any(|one| self.contains(one))
    }
}
