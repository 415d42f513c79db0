//! The vault: keys made, found, opened, absorbed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use inferlog_disk::{Clock, Fs, Rng, replace_file};
use inferlog_record::{Id, KeyId, SystemName};
use parking_lot::{Mutex, RwLock};
use zeroize::Zeroizing;

use crate::aead::Key;
use crate::alloc::Allocation;
use crate::dir::Dir;
use crate::erased::Erased;
use crate::error::{Result, VaultError};
use crate::keys::{DecisionKey, Subject};
use crate::lookup::Lookup;
use crate::page::birth;
use crate::page::header::{Header, Scope, Topic};
use crate::page::plain::{self, DecisionPlain, LookupPlain};
use crate::root::{RootKey, RootStore};
use crate::seal::DataKey;
use crate::store::{Intake, Store};
use crate::table::{LogPosition, Table};
use crate::{KeystoreId, SUBJECTS_MAX};

/// Log id to index: births of entries below the index are in the pages.
pub type Absorbed = BTreeMap<[u8; 16], u64>;

/// A keystore, open. A clone is the same keystore; every method may be called from any thread.
#[derive(Clone)]
pub struct Vault {
    pub(crate) inner: Arc<Inner>,
}

/// Locks are taken in the order: a lookup chain, `copying`, `admin`, `writer`, `store`, `allocation`. The others are held for no
/// call. `store` and `allocation` are asked by every request, and held for no more than the reading of a page, but by an
/// erasure.
pub(crate) struct Inner {
    pub(crate) fs: Arc<dyn Fs>,
    pub(crate) rng: Arc<dyn Rng>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) dir: Dir,
    pub(crate) keystore: KeystoreId,
    pub(crate) roots: Box<dyn RootStore>,
    pub(crate) backups: RwLock<Vec<PathBuf>>,
    /// Held by whoever copies the keystore to backup places, and by an erasure, which both copies and removes.
    pub(crate) copying: Mutex<()>,
    /// Held by whoever writes the table.
    pub(crate) admin: Mutex<Admin>,
    /// Held by whoever writes or copies page files.
    pub(crate) writer: Mutex<Writer>,
    pub(crate) table: RwLock<Arc<Table>>,
    pub(crate) store: Mutex<Store>,
    pub(crate) absorbed: Mutex<Absorbed>,
    pub(crate) allocation: Mutex<Allocation>,
    pub(crate) lookup: Lookup,
    pub(crate) erased: Erased,
    pub(crate) poisoned: AtomicBool,
}

pub(crate) struct Admin {
    pub(crate) root: RootKey,
}

/// The right to write page files.
pub(crate) struct Writer;

impl Vault {
    /// The keystore's name.
    pub fn keystore_id(&self) -> KeystoreId {
        self.inner.keystore
    }

    /// Names the places that [`Vault::erase`] and [`Vault::backup_all`] bring up to date: directories, each of this keystore
    /// alone.
    #[must_use]
    pub fn with_backups(self, places: Vec<PathBuf>) -> Self {
        *self.inner.backups.write() = places;
        self
    }

    /// A new key for a decision, wrapped by every subject's key in turn: the erasure of any one makes it unreadable.
    /// [`VaultError::Erased`] if one of them is erased already.
    pub fn decision_key(&self, scope: &Scope, decision: Id, subjects: &[Subject]) -> Result<DecisionKey> {
        if subjects.len() > SUBJECTS_MAX {
            return Err(VaultError::TooManySubjects);
        }
        let key = Key::random(&*self.inner.rng)?;
        let mut wrapped = Zeroizing::new(key.bytes().to_vec());
        for subject in subjects {
            if self.inner.erased.has_subject(subject.reference()) {
                return Err(VaultError::Erased);
            }
            let (subject_key, pseudonym) = (&subject.0.key, subject.pseudonym());
            wrapped = plain::wrap(&*self.inner.rng, subject_key, decision, pseudonym, &wrapped)?;
        }
        let references = subjects.iter().map(Subject::reference).collect();
        let record = DecisionPlain { decision, subjects: references, wrapped }.encode()?;
        self.new_key(Topic::Decisions(scope.clone()), decision, key, subjects.to_vec(), record)
    }

    /// A new key for a hold: what an erasure would make unreadable is sealed anew under it.
    pub fn hold_key(&self, system: &SystemName, hold: Id) -> Result<DecisionKey> {
        let key = Key::random(&*self.inner.rng)?;
        let record = plain::encode_keyed(hold.as_bytes(), &key);
        self.new_key(Topic::Holds(system.clone()), hold, key, Vec::new(), record)
    }

    fn new_key(
        &self,
        topic: Topic,
        owner: Id,
        key: Key,
        subjects: Vec<Subject>,
        record: Zeroizing<Vec<u8>>,
    ) -> Result<DecisionKey> {
        let id = self.inner.allocate(&topic)?;
        Ok(DecisionKey::new(Arc::clone(&self.inner), id, owner, key, subjects, topic, Some(record)))
    }

    /// The key at `id`, of a decision or a hold. [`VaultError::Erased`] if it, or a subject of it, was erased or purged;
    /// [`VaultError::NoSuchKey`] if its birth was not absorbed.
    pub fn open_decision_key(&self, id: KeyId) -> Result<DecisionKey> {
        let topic = self.inner.topic_of(id)?;
        let record = self.inner.read(id)?;
        let malformed = || self.inner.malformed(id);
        let (owner, key, subjects) = match &topic {
            Topic::Decisions(_) => {
                let plain = DecisionPlain::decode(&record).ok_or_else(malformed)?;
                let (key, subjects) = self.inner.unwrap_all(&plain)?.ok_or_else(malformed)?;
                (plain.decision, key, subjects)
            }
            Topic::Holds(_) => {
                let (hold, key) = plain::decode_keyed(&record).ok_or_else(malformed)?;
                (Id::from_bytes(hold).map_err(|_| malformed())?, key, Vec::new())
            }
            _ => return Err(VaultError::WrongKind(id)),
        };
        let key = DecisionKey::new(Arc::clone(&self.inner), id, owner, key, subjects, topic, None);
        if key.is_alive() { Ok(key) } else { Err(VaultError::Erased) }
    }

    /// The opening of one payload, from the keystore. Errors as [`Vault::open_decision_key`].
    pub fn data_key(&self, id: KeyId, payload: Id) -> Result<DataKey> {
        self.open_decision_key(id)?.data_key(payload)
    }

    /// Takes births from a frame of the log. What is there already, or was erased since, changes nothing.
    /// [`VaultError::MalformedBirth`] if the bytes are none. Not durable before [`Vault::sync_absorbed`].
    pub fn absorb(&self, births: &[u8]) -> Result<Intake> {
        let inner = &self.inner;
        let (mut lookups, mut topics): (Vec<LookupPlain>, BTreeMap<u32, Topic>) = Default::default();
        let result = {
            let mut store = inner.store.lock();
            inner.check()?;
            let table = inner.table();
            let result = store.absorb(births, &table, |header, lookup| {
                lookups.extend(lookup);
                topics.entry(header.page).or_insert_with(|| header.topic.clone());
            });
            let mut allocation = inner.allocation.lock();
            topics.iter().for_each(|(page, topic)| allocation.add_page(topic, *page));
            result
        };
        lookups.iter().for_each(|lookup| inner.lookup.absorbed(lookup));
        result
    }

    /// Makes durable what was absorbed, and then says so in `keystore/absorbed`: births of entries of each log below the
    /// index are in the pages. Marks never go back.
    pub fn sync_absorbed(&self, marks: &[([u8; 16], u64)]) -> Result<()> {
        let writer = self.inner.writer.lock();
        self.inner.sync_pages(&writer)?;
        let mut new = self.absorbed();
        for (log, index) in marks {
            let mark = new.entry(*log).or_default();
            *mark = (*mark).max(*index);
        }
        if new == self.absorbed() {
            return Ok(());
        }
        let lines: String =
            new.iter().map(|(log, index)| format!("{} {index}\n", hex::encode(log))).collect();
        // A crash before this is whole leaves lower marks: births that are in the pages come again, and change nothing.
        let written = replace_file(&*self.inner.fs, &self.inner.dir.absorbed(), lines.as_bytes());
        self.inner.poison_unless_full(written.map_err(VaultError::from))?;
        *self.inner.absorbed.lock() = new;
        Ok(())
    }

    /// How far each log's births are durable in the pages.
    pub fn absorbed(&self) -> Absorbed {
        self.inner.absorbed.lock().clone()
    }

    /// Log id and index of the newest erasure applied; zeros if none. After a restore every later one must be applied again.
    pub fn last_erasure(&self) -> LogPosition {
        self.inner.table().last_erasure
    }
}

impl Inner {
    pub(crate) fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read())
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.poisoned.load(Ordering::Acquire) { Err(VaultError::Poisoned) } else { Ok(()) }
    }

    /// As [`Inner::poison_on_error`], but for a disk that is full: it took nothing away, and the caller tries again.
    pub(crate) fn poison_unless_full<T>(&self, result: Result<T>) -> Result<T> {
        match result {
            Err(error) if error.is_full() => Err(error),
            other => self.poison_on_error(other),
        }
    }

    /// After a write that failed nothing may be assumed of what is on disk.
    pub(crate) fn poison_on_error<T>(&self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.poisoned.store(true, Ordering::Release);
        }
        result
    }

    /// Changes the table, durably before it is used.
    pub(crate) fn change_table(&self, change: impl FnOnce(&mut Table) -> Result<()>) -> Result<()> {
        self.change_table_as(&self.admin.lock(), change)
    }

    pub(crate) fn change_table_as(
        &self,
        admin: &Admin,
        change: impl FnOnce(&mut Table) -> Result<()>,
    ) -> Result<()> {
        self.check()?;
        let mut table = Table::clone(&self.table());
        change(&mut table)?;
        let bytes = table.seal(&*self.rng, self.keystore, &admin.root)?;
        // A crash leaves the old table or the new one. Nothing was sealed under a key that only the new one has.
        let written = replace_file(&*self.fs, &self.dir.table(), &bytes);
        self.poison_unless_full(written.map_err(VaultError::from))?;
        *self.table.write() = Arc::new(table);
        Ok(())
    }

    /// Takes the wrappings off, the last first. `None` if one does not open.
    fn unwrap_all(&self, plain: &DecisionPlain) -> Result<Option<(Key, Vec<Subject>)>> {
        let subjects: Vec<Subject> =
            plain.subjects.iter().map(|subject| self.open_subject(*subject)).collect::<Result<_>>()?;
        let mut wrapped = plain.wrapped.clone();
        for subject in subjects.iter().rev() {
            match plain::unwrap(&subject.0.key, plain.decision, subject.pseudonym(), &wrapped) {
                Some(inner) => wrapped = inner,
                None => return Ok(None),
            }
        }
        Ok(Key::from_slice(&wrapped).map(|key| (key, subjects)))
    }

    pub(crate) fn topic_of(&self, id: KeyId) -> Result<Topic> {
        let topic = self.allocation.lock().topic(id.page);
        topic.ok_or_else(|| self.missing(id))
    }

    /// The record's plaintext at `id`.
    pub(crate) fn read(&self, id: KeyId) -> Result<Zeroizing<Vec<u8>>> {
        let mut store = self.store.lock();
        let table = self.table();
        let record = match table.pages.get(&id.page) {
            Some(page_key) => store.read(id, page_key)?,
            None => None,
        };
        record.ok_or_else(|| self.missing(id))
    }

    /// Why there is no key at `id`: only a page that was rewritten or dropped ever lost one.
    fn missing(&self, id: KeyId) -> VaultError {
        let table = self.table();
        let lost_some = match table.pages.get(&id.page) {
            Some(page_key) => page_key.generation > 0,
            None => table.next_page().is_none_or(|next| id.page < next),
        };
        if lost_some { VaultError::Erased } else { VaultError::NoSuchKey(id) }
    }

    pub(crate) fn malformed(&self, id: KeyId) -> VaultError {
        let generation = self.table().pages.get(&id.page).map_or(0, |page_key| page_key.generation);
        self.dir.damaged(self.dir.page(id.page, generation), "a record's plaintext is malformed")
    }

    /// Seals a record under its page's present key and appends its birth to `out`; nothing if the page was purged.
    pub(crate) fn append_birth(
        &self,
        out: &mut Vec<u8>,
        topic: &Topic,
        at: KeyId,
        plain: &[u8],
    ) -> Result<()> {
        let table = self.table();
        let Some(page_key) = table.pages.get(&at.page) else { return Ok(()) };
        let generation = page_key.generation;
        let header = Header { keystore: self.keystore, page: at.page, generation, topic: topic.clone() };
        birth::append(out, &*self.rng, &header, at.slot, &page_key.key, plain)
    }
}

/// The id of the keystore in `dir`: what names its root key's default place. [`VaultError::Missing`] if there is none.
pub(crate) fn read_id(fs: &dyn Fs, dir: &Path) -> Result<KeystoreId> {
    let dir = Dir::new(dir);
    let missing = || VaultError::Missing { path: dir.path().to_owned() };
    let bytes = inferlog_disk::read_optional(fs, &dir.id())?.ok_or_else(missing)?;
    let text = std::str::from_utf8(&bytes).ok().and_then(|text| text.strip_suffix('\n'));
    let id = text.and_then(|text| text.parse().ok());
    id.ok_or_else(|| dir.damaged(dir.id(), "it is not 32 hexadecimal digits and a newline"))
}
