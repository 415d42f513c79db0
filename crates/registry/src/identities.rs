//! Which versions of its parts a system has shown: so that the first appearance of one can be told from a return.

use std::collections::{BTreeMap, BTreeSet};

use inferlog_record::body::{Aspect, SystemChanged};
use inferlog_record::{ClearName, Digest};
use serde::{Deserialize, Serialize};

/// Most identities that are remembered. Beyond, each further one is told as new whenever it appears: a server that calls
/// itself something else in every answer costs events, not memory.
pub const IDENTITIES_MAX: usize = 1 << 16;

/// What a part of the system is, in this version: a name, a digest, or both.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Its name, such as a version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<ClearName>,
    /// Its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

impl Identity {
    /// One that has a name alone.
    pub fn name(name: ClearName) -> Self {
        Self { name: Some(name), digest: None }
    }

    /// One that has a digest alone.
    pub fn digest(digest: Digest) -> Self {
        Self { name: None, digest: Some(digest) }
    }
}

/// An identity appeared for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What the part was when it was last seen; `None` if it never was.
    pub old: Option<Identity>,
}

impl Change {
    /// The event that says so; the caller adds the decision that showed it.
    pub fn event(&self, aspect: Aspect, name: Option<ClearName>, new: &Identity) -> SystemChanged {
        let old = self.old.as_ref();
        SystemChanged {
            aspect,
            decision: None,
            name,
            new: new.name.clone(),
            new_digest: new.digest,
            old: old.and_then(|old| old.name.clone()),
            old_digest: old.and_then(|old| old.digest),
        }
    }
}

/// Every identity that one system's log has shown: of each aspect and part of the system by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identities {
    parts: BTreeMap<Part, Seen>,
    count: usize,
}

/// Which part of the system: its aspect, and its name where there are several.
type Part = (Aspect, Option<ClearName>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    last: Identity,
    all: BTreeSet<Identity>,
}

impl Identities {
    /// Takes a sighting. Answers only for the first one of an identity: variants that alternate change nothing.
    pub fn see(&mut self, aspect: Aspect, name: Option<&ClearName>, value: &Identity) -> Option<Change> {
        let is_full = self.count >= IDENTITIES_MAX;
        let part = (aspect, name.cloned());
        let Some(seen) = self.parts.get_mut(&part) else {
            if !is_full {
                let all = BTreeSet::from([value.clone()]);
                self.parts.insert(part, Seen { last: value.clone(), all });
                self.count += 1;
            }
            return Some(Change { old: None });
        };
        if seen.last == *value {
            return None;
        }
        let old = std::mem::replace(&mut seen.last, value.clone());
        if seen.all.contains(value) {
            return None;
        }
        if !is_full {
            seen.all.insert(value.clone());
            self.count += 1;
        }
        Some(Change { old: Some(old) })
    }

    /// Takes a first sighting back, whose event came to nothing: the next one is the first.
    pub fn forget(&mut self, aspect: Aspect, name: Option<&ClearName>, value: &Identity) {
        let part = (aspect, name.cloned());
        let Some(seen) = self.parts.get_mut(&part) else { return };
        if seen.all.remove(value) {
            self.count -= 1;
        }
        if seen.all.is_empty() {
            self.parts.remove(&part);
        } else if seen.last == *value {
            // What stood there before is not known any more; any other is as good: only a change from it is told.
            seen.last.clone_from(seen.all.last().unwrap_or(value));
        }
    }

    /// Takes what the log says of an earlier sighting.
    pub fn learn(&mut self, event: &SystemChanged) {
        let new = Identity { name: event.new.clone(), digest: event.new_digest };
        self.see(event.aspect, event.name.as_ref(), &new);
    }

    /// How many identities are known.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether nothing was ever seen.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The content of the file `identities` beside a log: what is known when its entries before `next` are read.
    ///
    /// Write it (with [`inferlog_disk::replace_file`]) only when every sighting in it that was new stands in an entry before
    /// `next`, or is not in it at all: an identity whose event a crash took must be new again.
    pub fn to_bytes(&self, next: u64) -> Vec<u8> {
        let parts = self.parts.iter().map(|((aspect, name), seen)| PartFile {
            aspect: *aspect,
            name: name.clone(),
            last: seen.last.clone(),
            all: seen.all.iter().cloned().collect(),
        });
        let file = File { format: FORMAT, next, parts: parts.collect() };
        // Strings and numbers alone: nothing that JSON could not write.
        serde_json::to_vec(&file).unwrap_or_default()
    }

    /// Reads that file: what is known, and the first entry that is to be read besides. `None` if it is not for a log of `size`
    /// entries, or damaged: it is derived, and the log is read from its start.
    pub fn from_bytes(bytes: &[u8], size: u64) -> Option<(Self, u64)> {
        let file: File = serde_json::from_slice(bytes).ok()?;
        if file.format != FORMAT || file.next > size {
            return None;
        }
        let mut read = Self::default();
        for PartFile { aspect, name, last, all } in file.parts {
            let all: BTreeSet<_> = all.into_iter().collect();
            read.count += all.len();
            read.parts.insert((aspect, name), Seen { last, all });
        }
        Some((read, file.next))
    }
}

const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    next: u64,
    parts: Vec<PartFile>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartFile {
    aspect: Aspect,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<ClearName>,
    last: Identity,
    all: Vec<Identity>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ClearName {
        ClearName::new(text).unwrap()
    }

    fn version(number: usize) -> Identity {
        Identity::name(name(&format!("v{number}")))
    }

    #[test]
    fn alternating_variants_change_once_each() {
        let (mut seen, model) = (Identities::default(), name("credit"));
        let mut see = |value| seen.see(Aspect::Version, Some(&model), &value);
        let changes: Vec<_> = (0..10_000).filter_map(|n| Some((n, see(version(n % 7 % 3))?))).collect();
        let told = |at, old: Option<usize>| (at, Change { old: old.map(version) });
        assert_eq!(changes, [told(0, None), told(1, Some(0)), told(2, Some(1))]);
        // After them a new one: old is what was there before it, not the first.
        assert_eq!(see(version(0)), None);
        assert_eq!(see(version(9)), Some(Change { old: Some(version(0)) }));
        assert_eq!(seen.len(), 4);
    }

    #[test]
    fn parts_and_aspects_are_apart() {
        let mut seen = Identities::default();
        let digest = Identity::digest(Digest([7; 32]));
        for (aspect, part) in
            [(Aspect::Prompt, None), (Aspect::Prompt, Some("a")), (Aspect::Tools, Some("a"))]
        {
            let part = part.map(name);
            assert_eq!(seen.see(aspect, part.as_ref(), &digest), Some(Change { old: None }));
            assert_eq!(seen.see(aspect, part.as_ref(), &digest), None);
        }
        let both = Identity { name: Some(name("2")), ..digest.clone() };
        let change = seen.see(Aspect::Tools, Some(&name("a")), &both).unwrap();
        let event = change.event(Aspect::Tools, Some(name("a")), &both);
        assert_eq!((event.new, event.new_digest), (Some(name("2")), Some(Digest([7; 32]))));
        assert_eq!((event.old, event.old_digest), (None, Some(Digest([7; 32]))));
    }

    #[test]
    fn a_sighting_that_came_to_nothing_is_new_again() {
        let (mut seen, model) = (Identities::default(), name("credit"));
        for n in 0..2 {
            assert!(seen.see(Aspect::Version, Some(&model), &version(n)).is_some());
        }
        seen.forget(Aspect::Version, Some(&model), &version(1));
        assert_eq!(seen.see(Aspect::Version, Some(&model), &version(0)), None);
        assert_eq!(
            seen.see(Aspect::Version, Some(&model), &version(1)),
            Some(Change { old: Some(version(0)) })
        );
        seen.forget(Aspect::Version, Some(&model), &version(0));
        seen.forget(Aspect::Version, Some(&model), &version(1));
        assert!(seen.is_empty());
    }

    #[test]
    fn the_file_and_the_log_give_the_same() {
        let (mut live, mut replayed) = (Identities::default(), Identities::default());
        for n in 0..500 {
            let part = name(&format!("m{}", n % 5));
            let value = version(n % 11);
            if let Some(change) = live.see(Aspect::Model, Some(&part), &value) {
                replayed.learn(&change.event(Aspect::Model, Some(part), &value));
            }
        }
        let (read, next) = Identities::from_bytes(&live.to_bytes(17), 17).unwrap();
        assert_eq!((&read, next), (&live, 17));
        assert_eq!(Identities::from_bytes(&live.to_bytes(18), 17), None, "of a longer log");
        let bytes = live.to_bytes(17);
        for len in 0..bytes.len() {
            assert_eq!(Identities::from_bytes(&bytes[..len], 17), None);
        }
        // The log knows all that was seen, though not what was seen last.
        for (part, seen) in &live.parts {
            assert_eq!(replayed.parts[part].all, seen.all);
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut seen = Identities::default();
        for n in 0..IDENTITIES_MAX + 10 {
            assert!(seen.see(Aspect::Fingerprint, None, &version(n)).is_some());
        }
        assert_eq!(seen.len(), IDENTITIES_MAX);
        assert!(seen.see(Aspect::Fingerprint, None, &version(IDENTITIES_MAX + 1)).is_some());
        assert!(seen.see(Aspect::Fingerprint, None, &version(3)).is_none());
        assert_eq!(seen.see(Aspect::Model, None, &version(0)), Some(Change { old: None }));
    }
}
