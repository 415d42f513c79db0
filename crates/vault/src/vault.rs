//! The vault: keys made, found, opened, absorbed.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hmac::{Hmac, Mac};
use inferlog_disk::{Clock, Fs, Rng, replace_file};
use inferlog_record::{Id, KeyId, Pseudonym, SystemName};
use parking_lot::{Mutex, RwLock};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::aead::Key;
use crate::alloc::{Allocation, READY_PAGES};
use crate::dir::Dir;
use crate::erased::Erased;
use crate::error::{Result, VaultError};
use crate::keys::{DecisionKey, Subject, SubjectBirth};
use crate::lookup::{self, Chain, Lookup};
use crate::page::SLOTS_MAX;
use crate::page::birth;
use crate::page::header::{Header, Scope, Topic};
use crate::page::plain::{self, DecisionPlain, LookupPlain, SubjectRef};
use crate::root::{RootKey, RootStore};
use crate::seal::DataKey;
use crate::store::{Intake, Store};
use crate::table::{LogPosition, PageKey, Table};
use crate::{KeystoreId, SUBJECTS_MAX};

/// Log id to index: births of entries below the index are in the pages.
pub type Absorbed = BTreeMap<[u8; 16], u64>;

/// A keystore, open. A clone is the same keystore; every method may be called from any thread.
#[derive(Clone)]
pub struct Vault {
    pub(crate) inner: Arc<Inner>,
}

/// Locks are taken in the order: a lookup chain, `admin`, `store`, `allocation`. The others are held for no call.
pub(crate) struct Inner {
    pub(crate) fs: Arc<dyn Fs>,
    pub(crate) rng: Arc<dyn Rng>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) dir: Dir,
    pub(crate) keystore: KeystoreId,
    pub(crate) roots: Box<dyn RootStore>,
    pub(crate) backups: RwLock<Vec<PathBuf>>,
    /// Held by whoever writes the table.
    pub(crate) admin: Mutex<Admin>,
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

    /// The subject whom `system` knows by `identifier`, made now if there is none: with a random pseudonym and a random key.
    /// Whoever asks for the same identifier at the same time gets the same subject. After an erasure the identifier leads to
    /// a new one.
    pub fn subject(&self, system: &SystemName, identifier: &[u8]) -> Result<Subject> {
        let digest = self.inner.digest(system, identifier);
        let mut chain = self.inner.lookup.chain(digest[0]);
        if let Some(subject) = self.inner.find(&mut chain, &digest)? {
            return Ok(subject);
        }
        let subject = self.inner.new_subject(system, digest)?;
        chain.pending.insert(lookup::short(&digest), subject.clone());
        Ok(subject)
    }

    /// The subject whom `system` knows by `identifier`, if there is one.
    pub fn find_subject(&self, system: &SystemName, identifier: &[u8]) -> Result<Option<Subject>> {
        let digest = self.inner.digest(system, identifier);
        let mut chain = self.inner.lookup.chain(digest[0]);
        self.inner.find(&mut chain, &digest)
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
        let mut store = self.inner.store.lock();
        self.inner.check()?;
        self.inner.poison_on_error(store.sync(&self.inner.table()))?;
        let mut absorbed = self.inner.absorbed.lock();
        let before = absorbed.clone();
        for (log, index) in marks {
            let mark = absorbed.entry(*log).or_default();
            *mark = (*mark).max(*index);
        }
        if *absorbed == before {
            return Ok(());
        }
        let lines: String =
            absorbed.iter().map(|(log, index)| format!("{} {index}\n", hex::encode(log))).collect();
        // A crash before this is whole leaves lower marks: births that are in the pages come again, and change nothing.
        let written = replace_file(&*self.inner.fs, &self.inner.dir.absorbed(), lines.as_bytes());
        self.inner.poison_on_error(written.map_err(VaultError::from))
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
        self.poison_on_error(written.map_err(VaultError::from))?;
        *self.table.write() = Arc::new(table);
        Ok(())
    }

    /// HMAC-SHA256(lookup key, length of system (4) ‖ system ‖ identifier).
    fn digest(&self, system: &SystemName, identifier: &[u8]) -> [u8; 32] {
        let system = system.as_str().as_bytes();
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104, section 3)")]
        let mac = <Hmac<Sha256> as Mac>::new_from_slice(self.table().lookup_key.bytes()).expect("any length");
        // A system's name has at most 63 bytes.
        let mac = mac.chain_update((system.len() as u32).to_be_bytes());
        mac.chain_update(system).chain_update(identifier).finalize().into_bytes().into()
    }

    fn find(&self, chain: &mut Chain, digest: &[u8; 32]) -> Result<Option<Subject>> {
        let short = lookup::short(digest);
        if let Some(subject) = chain.pending.get(&short)
            && !self.erased.has_subject(subject.reference())
        {
            return Ok(Some(subject.clone()));
        }
        if chain.entries.is_none() {
            let entries = self.load_chain(digest[0])?;
            self.lookup.loaded(digest[0], chain, entries);
        }
        let found = chain.entries.as_ref().and_then(|entries| entries.get(&short)).copied();
        match found.filter(|subject| !self.erased.has_subject(*subject)) {
            Some(subject) => self.open_subject(subject).map(Some),
            None => Ok(None),
        }
    }

    fn load_chain(&self, first: u8) -> Result<HashMap<u128, SubjectRef>> {
        let store = self.store.lock();
        let (table, pages) = (self.table(), self.allocation.lock().pages(&Topic::Lookup(first)));
        let mut entries = HashMap::new();
        for page in pages {
            let Some(page_key) = table.pages.get(&page) else { continue };
            for (_, record) in store.read_all(page, page_key)? {
                if let Some(lookup) = LookupPlain::decode(&record)
                    && !self.erased.has_subject(lookup.subject)
                {
                    entries.insert(lookup::short(&lookup.digest), lookup.subject);
                }
            }
        }
        Ok(entries)
    }

    fn new_subject(&self, system: &SystemName, digest: [u8; 32]) -> Result<Subject> {
        let mut random = [0; 16];
        self.rng.fill(&mut random)?;
        let topic = Topic::Subjects(system.clone());
        let at = SubjectRef { pseudonym: Pseudonym::new(random), key: self.allocate(&topic)? };
        let lookup_at = self.allocate(&Topic::Lookup(digest[0]))?;
        let birth = SubjectBirth { topic, lookup_at, lookup: LookupPlain { digest, subject: at } };
        Ok(Subject::new(at, Key::random(&*self.rng)?, Some(birth)))
    }

    /// The subject from its page.
    pub(crate) fn open_subject(&self, subject: SubjectRef) -> Result<Subject> {
        if self.erased.has_subject(subject) {
            return Err(VaultError::Erased);
        }
        if let Some(cached) =
            self.lookup.cached_key(subject.key).filter(|cached| cached.reference() == subject)
        {
            return Ok(cached);
        }
        match plain::decode_keyed(&self.read(subject.key)?) {
            Some((pseudonym, key)) if &pseudonym == subject.pseudonym.as_bytes() => {
                let found = Subject::new(subject, key, None);
                self.lookup.cache_key(&found);
                Ok(found)
            }
            _ => Err(self.malformed(subject.key)),
        }
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

    /// A slot for a new key.
    pub(crate) fn allocate(&self, topic: &Topic) -> Result<KeyId> {
        if let Some(id) = self.allocation.lock().take_slot(topic) {
            return Ok(id);
        }
        let admin = self.admin.lock();
        // Another thread may have been here first.
        if let Some(id) = self.allocation.lock().take_slot(topic) {
            return Ok(id);
        }
        self.open_page(&admin, topic)?;
        self.allocation.lock().take_slot(topic).ok_or(VaultError::Full)
    }

    /// Gives the topic an active page: its last one if that has room, or a new one.
    fn open_page(&self, admin: &Admin, topic: &Topic) -> Result<()> {
        let (known, was_active) = {
            let allocation = self.allocation.lock();
            (allocation.pages(topic), allocation.is_active(topic))
        };
        // An active page that is full was the last one.
        if let Some(page) = known.last().filter(|_| !was_active) {
            let mut store = self.store.lock();
            let table = self.table();
            // A rewritten page stays closed: the slots of what was erased are not used again.
            if let Some(page_key) = table.pages.get(page).filter(|page_key| page_key.generation == 0) {
                let next = store.next_slot(*page, page_key, topic)?;
                if next < SLOTS_MAX {
                    self.allocation.lock().activate(topic, *page, next);
                    return Ok(());
                }
            }
        }
        let ready = self.allocation.lock().take_ready();
        let page = match ready {
            Some(page) => page,
            None => {
                self.make_ready(admin)?;
                self.allocation.lock().take_ready().ok_or(VaultError::Full)?
            }
        };
        let mut allocation = self.allocation.lock();
        allocation.add_page(topic, page);
        allocation.activate(topic, page, 0);
        Ok(())
    }

    fn make_ready(&self, admin: &Admin) -> Result<()> {
        let mut made = Vec::new();
        let floor = self.allocation.lock().floor();
        self.change_table_as(admin, |table| {
            for _ in 0..READY_PAGES {
                let Some(page) = table.next_page().map(|next| next.max(floor)) else { break };
                table.pages.insert(page, PageKey { generation: 0, key: Key::random(&*self.rng)? });
                made.push(page);
            }
            Ok(())
        })?;
        self.allocation.lock().add_ready(made);
        Ok(())
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
