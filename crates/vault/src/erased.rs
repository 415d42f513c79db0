//! What was erased while this process runs: how a key in memory learns that it is dead.
//!
//! Addresses are never used twice, so that nothing ever leaves the sets. They grow by some 30 bytes per erased key and are
//! empty again after a start, when no key is in memory.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

use inferlog_record::KeyId;
use parking_lot::RwLock;

use crate::page::plain::SubjectRef;

#[derive(Debug, Default)]
pub(crate) struct Erased {
    /// Counts changes of the sets; a key that looked at this count need not look again.
    changes: AtomicU64,
    sets: RwLock<Sets>,
}

#[derive(Debug, Default)]
struct Sets {
    subjects: HashSet<SubjectRef>,
    keys: HashSet<KeyId>,
    /// Dropped pages, and the keys of each that were withheld from every drop.
    pages: HashMap<u32, HashSet<KeyId>>,
    /// Keys that outlive these subjects: their wrappings were taken off.
    spared: HashMap<KeyId, Vec<SubjectRef>>,
    /// Subjects that a decision got after its key was made.
    late: HashMap<KeyId, Vec<SubjectRef>>,
}

impl Erased {
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Marks what dies. `spared` are keys that do not, and the subjects among `subjects` that they outlive.
    pub(crate) fn mark(
        &self,
        subjects: &[SubjectRef],
        keys: &[KeyId],
        pages: &[u32],
        spared: &[(KeyId, Vec<SubjectRef>)],
    ) {
        let mut sets = self.sets.write();
        for (key, outlived) in spared {
            // What died with a subject before does not come back.
            let newly: Vec<_> = outlived.iter().filter(|of| !sets.subjects.contains(of)).copied().collect();
            if !newly.is_empty() {
                sets.spared.entry(*key).or_default().extend(newly);
            }
        }
        sets.subjects.extend(subjects);
        let stay: HashSet<KeyId> = spared.iter().map(|(key, _)| *key).collect();
        sets.keys.extend(keys.iter().filter(|key| !stay.contains(key)));
        for page in pages {
            let here = || stay.iter().copied().filter(|key| key.page == *page).collect::<HashSet<_>>();
            match sets.pages.entry(*page) {
                Entry::Occupied(mut before) => before.get_mut().retain(|key| stay.contains(key)),
                Entry::Vacant(first) => drop(first.insert(here())),
            }
        }
        self.changes.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn add_late(&self, decision: KeyId, subject: SubjectRef) {
        let mut sets = self.sets.write();
        sets.late.entry(decision).or_default().push(subject);
        self.changes.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn has_late(&self, decision: KeyId) -> bool {
        self.sets.read().late.contains_key(&decision)
    }

    /// Whether the key lost a wrapping that its record of before has.
    pub(crate) fn has_spared(&self, decision: KeyId) -> bool {
        self.sets.read().spared.contains_key(&decision)
    }

    pub(crate) fn has_subject(&self, subject: SubjectRef) -> bool {
        self.sets.read().subjects.contains(&subject)
    }

    /// Whether the key at `id`, wrapped by `subjects`, is gone.
    pub(crate) fn has_key(&self, id: KeyId, subjects: impl IntoIterator<Item = SubjectRef>) -> bool {
        let sets = self.sets.read();
        let late = sets.late.get(&id).into_iter().flatten().copied();
        let outlived = sets.spared.get(&id).map(Vec::as_slice).unwrap_or_default();
        sets.keys.contains(&id)
            || sets.pages.get(&id.page).is_some_and(|withheld| !withheld.contains(&id))
            || subjects
                .into_iter()
                .chain(late)
                .any(|subject| sets.subjects.contains(&subject) && !outlived.contains(&subject))
    }
}
