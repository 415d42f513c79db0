//! What was erased while this process runs: how a key in memory learns that it is dead.
//!
//! Addresses are never used twice, so that nothing ever leaves the sets. They grow by some 30 bytes per erased key and are
//! empty again after a start, when no key is in memory.

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
    pages: HashSet<u32>,
    /// Subjects that a decision got after its key was made.
    late: HashMap<KeyId, Vec<SubjectRef>>,
}

impl Erased {
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    pub(crate) fn mark(&self, subjects: &[SubjectRef], keys: &[KeyId], pages: &[u32]) {
        let mut sets = self.sets.write();
        sets.subjects.extend(subjects);
        sets.keys.extend(keys);
        sets.pages.extend(pages);
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

    pub(crate) fn has_subject(&self, subject: SubjectRef) -> bool {
        self.sets.read().subjects.contains(&subject)
    }

    /// Whether the key at `id`, wrapped by `subjects`, is gone.
    pub(crate) fn has_key(&self, id: KeyId, subjects: impl IntoIterator<Item = SubjectRef>) -> bool {
        let sets = self.sets.read();
        let late = sets.late.get(&id).into_iter().flatten().copied();
        sets.keys.contains(&id)
            || sets.pages.contains(&id.page)
            || subjects.into_iter().chain(late).any(|subject| sets.subjects.contains(&subject))
    }
}
