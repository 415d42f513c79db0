//! Which pages an erasure changes, and how.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use inferlog_disk::Rng;
use inferlog_record::KeyId;
use zeroize::Zeroizing;

use super::Erasure;
use crate::aead::Key;
use crate::error::{Result, VaultError};
use crate::page::header::{Scope, Topic};
use crate::page::plain::{self, DecisionPlain, LookupPlain, SubjectRef};
use crate::store::Store;
use crate::table::Table;
use crate::vault::Inner;

/// The pages to change.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) rewrite: BTreeMap<u32, Change>,
    /// Pages to drop, and how many keys are in each.
    pub(super) drop: BTreeMap<u32, usize>,
    pub(super) dropped_topics: Vec<Topic>,
    /// Pages of dropped topics that stay, with what is withheld alone.
    pub(super) kept: BTreeMap<u32, Topic>,
    /// Keys that are withheld, and the subjects whose wrappings they lose.
    pub(super) spared: Vec<(KeyId, Vec<SubjectRef>)>,
}

#[derive(Default)]
pub(super) struct Change {
    pub(super) erase: BTreeSet<u16>,
    pub(super) replace: BTreeMap<u16, Zeroizing<Vec<u8>>>,
}

impl Plan {
    fn erase(&mut self, at: KeyId) {
        self.rewrite.entry(at.page).or_default().erase.insert(at.slot);
    }

    pub(super) fn pages(&self) -> impl Iterator<Item = u32> {
        self.rewrite.keys().chain(self.drop.keys()).copied()
    }
}

/// Subjects' keys as the pages have them, each read once.
#[derive(Default)]
struct SubjectKeys(HashMap<SubjectRef, Option<Key>>);

impl SubjectKeys {
    /// The subject's key; `None` if it is not there any more.
    fn get(&mut self, store: &mut Store, table: &Table, subject: SubjectRef) -> Result<Option<&Key>> {
        let vacant = match self.0.entry(subject) {
            Entry::Occupied(known) => return Ok(known.into_mut().as_ref()),
            Entry::Vacant(vacant) => vacant,
        };
        let record = match table.pages.get(&subject.key.page) {
            Some(page_key) => store.read(subject.key, page_key)?,
            None => None,
        };
        let found = record.and_then(|record| plain::decode_keyed(&record));
        let is_theirs = |(pseudonym, _): &([u8; 16], Key)| pseudonym == subject.pseudonym.as_bytes();
        Ok(vacant.insert(found.filter(is_theirs).map(|(_, key)| key)).as_ref())
    }
}

impl Inner {
    fn scope_pages(&self, scope: &Scope) -> Vec<u32> {
        self.allocation.lock().pages(&Topic::Decisions(scope.clone()))
    }

    /// The pages that the scopes name.
    pub(super) fn scopes_pages(&self, scopes: &[Scope]) -> Vec<u32> {
        scopes.iter().flat_map(|scope| self.scope_pages(scope)).collect()
    }

    pub(super) fn plan(
        &self,
        store: &mut Store,
        erasure: &Erasure,
        chains: &BTreeMap<SubjectRef, u8>,
    ) -> Result<Plan> {
        let table = self.table();
        let mut plan = Plan::default();
        let mut withheld: BTreeMap<u32, BTreeSet<u16>> = BTreeMap::new();
        for key in &erasure.withhold {
            withheld.entry(key.page).or_default().insert(key.slot);
        }
        for scope in &erasure.scopes {
            self.plan_scope(store, &table, scope, &withheld, &mut plan)?;
        }
        self.plan_withheld(store, &table, erasure, &withheld, &mut plan)?;
        for key in &erasure.keys {
            match self.allocation.lock().topic(key.page) {
                Some(Topic::Decisions(_) | Topic::Holds(_)) | None => {}
                Some(_) => return Err(VaultError::WrongKind(*key)),
            }
            let Some(page_key) = table.pages.get(&key.page) else { continue };
            let is_withheld = withheld.get(&key.page).is_some_and(|slots| slots.contains(&key.slot));
            let stays = is_withheld || plan.drop.contains_key(&key.page);
            if !stays && store.read(*key, page_key)?.is_some() {
                plan.erase(*key);
            }
        }
        for subject in &erasure.subjects {
            if SubjectKeys::default().get(store, &table, *subject)?.is_some() {
                // Another subject there would mean that the caller's address is wrong: it is nobody's to erase.
                plan.erase(subject.key);
            }
        }
        self.plan_lookups(store, &erasure.subjects, chains, &table, &mut plan)?;
        Ok(plan)
    }

    /// A page without withheld keys goes whole; of another, all else goes.
    fn plan_scope(
        &self,
        store: &Store,
        table: &Table,
        scope: &Scope,
        withheld: &BTreeMap<u32, BTreeSet<u16>>,
        plan: &mut Plan,
    ) -> Result<()> {
        let topic = Topic::Decisions(scope.clone());
        for page in self.scope_pages(scope) {
            let Some(page_key) = table.pages.get(&page) else { continue };
            let slots: BTreeSet<u16> =
                store.read_all(page, page_key)?.into_iter().map(|(slot, _)| slot).collect();
            let stay: BTreeSet<u16> = withheld
                .get(&page)
                .into_iter()
                .flatten()
                .copied()
                .filter(|slot| slots.contains(slot))
                .collect();
            if stay.is_empty() {
                plan.drop.insert(page, slots.len());
                continue;
            }
            plan.rewrite.entry(page).or_default().erase.extend(&slots - &stay);
            plan.kept.insert(page, topic.clone());
        }
        plan.dropped_topics.push(topic);
        Ok(())
    }

    /// Takes the wrappings of erased subjects off the withheld keys: one look at each page. A key that cannot be read any more,
    /// because another of its subjects was erased before, is left as it is.
    fn plan_withheld(
        &self,
        store: &mut Store,
        table: &Table,
        erasure: &Erasure,
        withheld: &BTreeMap<u32, BTreeSet<u16>>,
        plan: &mut Plan,
    ) -> Result<()> {
        let leaving: BTreeSet<SubjectRef> = erasure.subjects.iter().copied().collect();
        let mut keys = SubjectKeys::default();
        for (page, slots) in withheld {
            let Some(page_key) = table.pages.get(page) else { continue };
            if !matches!(self.allocation.lock().topic(*page), Some(Topic::Decisions(_))) {
                continue;
            }
            for (slot, record) in store.read_all(*page, page_key)? {
                if !slots.contains(&slot) {
                    continue;
                }
                let at = KeyId { page: *page, slot };
                let Some(decision) = DecisionPlain::decode(&record) else { return Err(self.malformed(at)) };
                let off: Vec<SubjectRef> =
                    decision.subjects.iter().copied().filter(|subject| leaving.contains(subject)).collect();
                if off.is_empty() {
                    plan.spared.push((at, off));
                    continue;
                }
                let mut key = |subject| Ok(keys.get(store, table, subject)?.cloned());
                if let Some(left) = without(&*self.rng, decision, &leaving, &mut key)? {
                    plan.rewrite.entry(*page).or_default().replace.insert(slot, left.encode()?);
                    plan.spared.push((at, off));
                }
            }
        }
        Ok(())
    }

    /// Finds the subjects' lookup records: in the chain where memory has them, else in all.
    fn plan_lookups(
        &self,
        store: &Store,
        subjects: &[SubjectRef],
        chains: &BTreeMap<SubjectRef, u8>,
        table: &Table,
        plan: &mut Plan,
    ) -> Result<()> {
        let mut wanted: BTreeSet<SubjectRef> = subjects.iter().copied().collect();
        let first_chains: BTreeSet<u8> = chains.values().copied().collect();
        let others = (0..=u8::MAX).filter(|first| !first_chains.contains(first));
        for first in first_chains.iter().copied().chain(others) {
            if wanted.is_empty() {
                break;
            }
            let pages = self.allocation.lock().pages(&Topic::Lookup(first));
            for page in pages {
                let Some(page_key) = table.pages.get(&page) else { continue };
                for (slot, record) in store.read_all(page, page_key)? {
                    let lookup = LookupPlain::decode(&record);
                    if lookup.is_some_and(|lookup| wanted.remove(&lookup.subject)) {
                        plan.erase(KeyId { page, slot });
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether the keys at these addresses are there and open: with their subjects' keys, one look at each page.
    pub(super) fn readable(&self, wanted: &BTreeSet<KeyId>) -> Result<BTreeSet<KeyId>> {
        let mut by_page: BTreeMap<u32, BTreeSet<u16>> = BTreeMap::new();
        for key in wanted {
            by_page.entry(key.page).or_default().insert(key.slot);
        }
        let (table, mut subjects) = (self.table(), SubjectKeys::default());
        let mut found = BTreeSet::new();
        for (page, slots) in by_page {
            let topic = self.allocation.lock().topic(page);
            let Some(page_key) = table.pages.get(&page) else { continue };
            let mut store = self.store.lock();
            for (slot, record) in store.read_all(page, page_key)? {
                let is_decision = matches!(topic, Some(Topic::Decisions(_)));
                if !slots.contains(&slot) || !(is_decision || matches!(topic, Some(Topic::Holds(_)))) {
                    continue;
                }
                let at = KeyId { page, slot };
                let mut opens = true;
                if is_decision {
                    let decision = DecisionPlain::decode(&record).ok_or_else(|| self.malformed(at))?;
                    for subject in decision.subjects {
                        opens &= subjects.get(&mut store, &table, subject)?.is_some();
                    }
                }
                if opens {
                    found.insert(at);
                }
            }
        }
        Ok(found)
    }

    /// Whether the subject's key is there.
    pub(super) fn has_subject(&self, subject: SubjectRef) -> Result<bool> {
        let table = self.table();
        Ok(SubjectKeys::default().get(&mut self.store.lock(), &table, subject)?.is_some())
    }
}

/// The record without the wrappings of these subjects; those further out come off and go on again. `None` if a key that is
/// needed for that is gone.
fn without(
    rng: &dyn Rng,
    mut record: DecisionPlain,
    leaving: &BTreeSet<SubjectRef>,
    key: &mut dyn FnMut(SubjectRef) -> Result<Option<Key>>,
) -> Result<Option<DecisionPlain>> {
    let Some(innermost) = record.subjects.iter().position(|subject| leaving.contains(subject)) else {
        return Ok(Some(record));
    };
    let outer = record.subjects.split_off(innermost);
    for subject in outer.iter().rev() {
        let Some(key) = key(*subject)? else { return Ok(None) };
        let inner = plain::unwrap(&key, record.decision, subject.pseudonym, &record.wrapped);
        let Some(inner) = inner else { return Ok(None) };
        record.wrapped = inner;
    }
    for subject in outer {
        if leaving.contains(&subject) {
            continue;
        }
        let Some(key) = key(subject)? else { return Ok(None) };
        record.wrapped = plain::wrap(rng, &key, record.decision, subject.pseudonym, &record.wrapped)?;
        record.subjects.push(subject);
    }
    Ok(Some(record))
}
