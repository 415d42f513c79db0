//! The registry in the process that holds the data directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_record::{ClearName, Digest, Timestamp};
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};

use crate::index::{self, IndexFile};
use crate::objects::Objects;
use crate::registration::{Registration, What};
use crate::{Entry, EntryKind, Refusal, RegistryError, Result, Snapshot};

/// A node's registry, open for writing: by one process at a time, which holds the data directory's lock. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Registry {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    objects: Objects,
    /// What is durable. Held while something is added: one at a time.
    index: Mutex<IndexFile>,
    snapshot: RwLock<Arc<Snapshot>>,
}

/// What became of a registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Added {
    /// What it is about.
    pub kind: EntryKind,
    /// Its name.
    pub name: ClearName,
    /// Its version; of an alias the version that it stands for now.
    pub version: Option<ClearName>,
    /// SHA-256 of the content, or of the model, if it is known.
    pub sha256: Option<Digest>,
    /// Whether anything is new; `false` if the very same was registered before.
    pub is_new: bool,
}

impl Registry {
    /// Opens the registry below `registry`, which need not exist. The caller holds the data directory's lock.
    pub fn open(fs: Arc<dyn Fs>, registry: &Path) -> Result<Self> {
        let snapshot = Snapshot::load(&fs, registry)?;
        let index = IndexFile::read(&*fs, registry)?;
        if !index.is_empty() {
            // What a process before this one wrote may be readable and not durable, and records shall rest on it.
            index.write(&*fs, registry)?;
        }
        let objects = Objects::new(fs.clone(), registry);
        let inner = Inner {
            fs,
            dir: registry.to_owned(),
            objects,
            index: Mutex::new(index),
            snapshot: RwLock::new(Arc::new(snapshot)),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What is registered now. One atomic count: ask for each decision.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.snapshot.read().clone()
    }

    /// Registers one thing, durably.
    pub fn add(&self, registration: &Registration, now: Timestamp) -> Result<Added> {
        match self.add_all(std::slice::from_ref(registration), now)?.pop() {
            Some(added) => Ok(added?),
            None => Err(RegistryError::Refused(Refusal::Empty)),
        }
    }

    /// Registers several things, durably and all at once, save those that are refused.
    ///
    /// After an error none is registered in this process; after a crash all or none may be.
    pub fn add_all(
        &self,
        registrations: &[Registration],
        now: Timestamp,
    ) -> Result<Vec<Result<Added, Refusal>>> {
        let mut index = self.inner.index.lock();
        let mut draft = Draft { snapshot: (*self.snapshot()).clone(), new: Vec::new() };
        let mut done = Vec::with_capacity(registrations.len());
        for registration in registrations {
            match draft.add(&self.inner.objects, registration, now) {
                Err(RegistryError::Refused(refusal)) => done.push(Err(refusal)),
                other => done.push(Ok(other?)),
            }
        }
        if !draft.new.is_empty() {
            // The objects are durable: from here on a line may speak of them.
            let next = index.with(&draft.new).map_err(|error| index::fault(&self.inner.dir, 0, error))?;
            next.write(&*self.inner.fs, &self.inner.dir)?;
            *index = next;
            draft.snapshot.settle();
            *self.inner.snapshot.write() = Arc::new(draft.snapshot);
        }
        Ok(done)
    }
}

/// What will be registered when the index is written.
struct Draft {
    snapshot: Snapshot,
    new: Vec<Entry>,
}

impl Draft {
    fn add(&mut self, objects: &Objects, asked: &Registration, now: Timestamp) -> Result<Added> {
        let (entry, content) = asked.prepare(now, |content| self.version(asked, content))?;
        let is_new = self.snapshot.compare(&entry)?;
        let added = Added {
            kind: entry.kind(),
            name: entry.name().clone(),
            version: entry.version().cloned(),
            sha256: digest(&entry),
            is_new,
        };
        if is_new {
            if let (Some((digest, _)), Some(content)) = (entry.object(), &content) {
                objects.write(digest, content)?;
            }
            self.snapshot.take_in(entry.clone())?;
            self.new.push(entry);
        }
        Ok(added)
    }

    /// The version of what was registered without one: that of the same content, if it is there; else the next number.
    fn version(&self, asked: &Registration, content: Option<Digest>) -> ClearName {
        let is_same = |entry: &&Entry| match (entry, &asked.what) {
            (Entry::Prompt(known), What::Prompt { role, literal, .. }) => {
                (Some(known.sha256), known.role, known.literal) == (content, *role, *literal)
            }
            (Entry::Tools(known), What::Tools { .. }) => Some(known.sha256) == content,
            (Entry::Policy(known), What::Policy { .. }) => Some(known.sha256) == content,
            (Entry::Model(known), What::Model { location, .. }) => {
                (known.digest, &known.location) == (content, location)
            }
            _ => false,
        };
        let known = || self.snapshot.versions(asked.kind(), asked.name.as_str());
        if let Some(version) = known().rfind(is_same).and_then(Entry::version) {
            return version.clone();
        }
        let numbers = known().filter_map(|entry| entry.version()?.as_str().parse::<u64>().ok());
        ClearName::or_unlisted(&numbers.max().unwrap_or(0).saturating_add(1).to_string())
    }
}

/// What names the content, or the model itself.
fn digest(entry: &Entry) -> Option<Digest> {
    match entry {
        Entry::Model(model) => model.digest,
        other => other.object().map(|(digest, _)| digest),
    }
}
