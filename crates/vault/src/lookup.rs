//! From a person's identifier to the subject: lookup pages in 256 chains, by the digest's first byte.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use inferlog_record::KeyId;
use lru::LruCache;
use parking_lot::{Mutex, MutexGuard};

use crate::keys::Subject;
use crate::page::plain::{LookupPlain, SubjectRef};

/// How many lookup records are kept in memory, some 60 bytes each. A chain whose records are not there is read from its pages,
/// whole, when an identifier falls into it.
pub const LOOKUP_ENTRIES_MAX: usize = 1 << 20;
/// How many subjects' keys are kept in memory.
const SUBJECT_KEYS_MAX: NonZeroUsize = NonZeroUsize::new(1 << 16).unwrap();

/// The first half of a digest: 128 bits of a keyed digest do not collide.
type Short = u128;

pub(crate) fn short(digest: &[u8; 32]) -> Short {
    digest.iter().take(16).fold(0, |short, byte| short << 8 | Short::from(*byte))
}

#[derive(Debug)]
pub(crate) struct Lookup {
    chains: Vec<Mutex<Chain>>,
    /// When each chain was last asked.
    used: Vec<AtomicU64>,
    time: AtomicU64,
    entries: AtomicUsize,
    entries_max: usize,
    keys: Mutex<LruCache<KeyId, Subject>>,
}

#[derive(Debug, Default)]
pub(crate) struct Chain {
    /// What the pages say; `None` if they were not read, or were forgotten.
    pub(crate) entries: Option<HashMap<Short, SubjectRef>>,
    /// Subjects whose records are not in the pages yet. They stay, for the pages could not give them back.
    pub(crate) pending: HashMap<Short, Subject>,
}

impl Lookup {
    pub(crate) fn new() -> Self {
        Self::with_limit(LOOKUP_ENTRIES_MAX)
    }

    fn with_limit(entries_max: usize) -> Self {
        Self {
            chains: (0..256).map(|_| Mutex::default()).collect(),
            used: (0..256).map(|_| AtomicU64::new(0)).collect(),
            time: AtomicU64::new(0),
            entries: AtomicUsize::new(0),
            entries_max,
            keys: Mutex::new(LruCache::new(SUBJECT_KEYS_MAX)),
        }
    }

    pub(crate) fn chain(&self, first: u8) -> MutexGuard<'_, Chain> {
        let now = self.time.fetch_add(1, Ordering::Relaxed);
        self.used[usize::from(first)].store(now, Ordering::Relaxed);
        self.chains[usize::from(first)].lock()
    }

    /// The chain's pages were read. Forgets the chains that were not asked for longest while there are too many records.
    pub(crate) fn loaded(&self, first: u8, chain: &mut Chain, entries: HashMap<Short, SubjectRef>) {
        let mut total = self.entries.fetch_add(entries.len(), Ordering::Relaxed) + entries.len();
        chain.entries = Some(entries);
        if total <= self.entries_max {
            return;
        }
        let mut oldest: Vec<_> = (0..=u8::MAX).filter(|other| *other != first).collect();
        // Cached, for others use chains while this sorts.
        oldest.sort_by_cached_key(|other| self.used[usize::from(*other)].load(Ordering::Relaxed));
        for other in oldest {
            if total <= self.entries_max {
                break;
            }
            // A chain that is in use now is not the oldest any more.
            if let Some(mut chain) = self.chains[usize::from(other)].try_lock() {
                total -= self.forget(&mut chain);
            }
        }
    }

    fn forget(&self, chain: &mut Chain) -> usize {
        let len = chain.entries.take().map_or(0, |entries| entries.len());
        self.entries.fetch_sub(len, Ordering::Relaxed);
        len
    }

    /// The chain's pages now hold this record.
    pub(crate) fn absorbed(&self, lookup: &LookupPlain) {
        let mut chain = self.chain(lookup.digest[0]);
        let short = short(&lookup.digest);
        if let Some(subject) = chain.pending.remove(&short) {
            self.keys.lock().put(subject.key_id(), subject);
        }
        if let Some(entries) = &mut chain.entries
            && entries.insert(short, lookup.subject).is_none()
        {
            self.entries.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Forgets a subject that was erased.
    pub(crate) fn erased(&self, subject: SubjectRef) {
        self.keys.lock().pop(&subject.key);
        for chain in &self.chains {
            let mut chain = chain.lock();
            chain.pending.retain(|_, pending| pending.reference() != subject);
            if let Some(entries) = &mut chain.entries {
                let before = entries.len();
                entries.retain(|_, entry| *entry != subject);
                self.entries.fetch_sub(before - entries.len(), Ordering::Relaxed);
            }
        }
    }

    /// The chain that holds this subject's record, if it is in memory.
    pub(crate) fn chain_of(&self, subject: SubjectRef) -> Option<u8> {
        (0..=u8::MAX).find(|first| {
            let chain = self.chains[usize::from(*first)].lock();
            chain.entries.as_ref().is_some_and(|entries| entries.values().any(|entry| *entry == subject))
        })
    }

    pub(crate) fn cached_key(&self, key: KeyId) -> Option<Subject> {
        self.keys.lock().get(&key).cloned()
    }

    pub(crate) fn cache_key(&self, subject: &Subject) {
        self.keys.lock().put(subject.key_id(), subject.clone());
    }
}

#[cfg(test)]
mod tests {
    use inferlog_record::Pseudonym;

    use super::*;
    use crate::aead::Key;

    fn lookup(first: u8, n: u8) -> LookupPlain {
        let key = KeyId { page: first.into(), slot: n.into() };
        let mut digest = [n; 32];
        digest[0] = first;
        LookupPlain { digest, subject: SubjectRef { pseudonym: Pseudonym::new([n; 16]), key } }
    }

    fn load(lookups: &Lookup, first: u8, count: u8) {
        let of = |n| (short(&lookup(first, n).digest), lookup(first, n).subject);
        lookups.loaded(first, &mut lookups.chain(first), (0..count).map(of).collect());
    }

    #[test]
    fn the_chains_that_were_not_asked_for_longest_are_forgotten() {
        let lookups = Lookup::with_limit(35);
        let loaded = || -> Vec<u8> {
            let is_loaded = |first: &u8| lookups.chains[usize::from(*first)].lock().entries.is_some();
            (0..=u8::MAX).filter(is_loaded).collect()
        };
        (0..3).for_each(|first| load(&lookups, first, 10));
        assert_eq!(loaded(), [0, 1, 2]);
        drop(lookups.chain(0));
        load(&lookups, 9, 10);
        assert_eq!(loaded(), [0, 2, 9]);
        // A chain longer than the limit stays while it is the newest.
        load(&lookups, 7, 50);
        assert_eq!(loaded(), [7]);
        load(&lookups, 8, 1);
        assert_eq!(loaded(), [8]);
        assert_eq!(lookups.entries.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_subject_waits_in_memory_until_its_record_is_in_the_pages() {
        let lookups = Lookup::with_limit(5);
        let waiting = lookup(3, 1);
        let subject = Subject::new(waiting.subject, Key::new([1; 32]), None);
        lookups.chain(3).pending.insert(short(&waiting.digest), subject);
        load(&lookups, 3, 0);
        load(&lookups, 4, 9);
        assert!(lookups.chain(3).pending.contains_key(&short(&waiting.digest)));
        load(&lookups, 3, 0);
        lookups.absorbed(&waiting);
        let chain = lookups.chain(3);
        assert!(chain.pending.is_empty());
        assert_eq!(chain.entries.as_ref().unwrap()[&short(&waiting.digest)], waiting.subject);
        assert!(lookups.cached_key(waiting.subject.key).is_some());
    }
}
