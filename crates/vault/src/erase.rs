//! Erasing keys, and giving a decision a late subject: whatever must leave no readable trace of what was before.
//!
//! The order of writes, and what a crash between two leaves:
//!
//! 1. what was absorbed goes to its pages: as at any sync;
//! 2. each affected page, without what is erased, as a new generation under a new key: files that no table lists, removed at
//!    the next opening;
//! 3. `table.next`, sealed by a new root key: removed at the next opening, for the root key does not open it;
//! 4. pages and `table.next` in every backup place: likewise there;
//! 5. the root key is replaced in its home. From here on the erasure is done: the next opening finds that the root key opens
//!    `table.next`, and goes on with 6;
//! 6. `table.next` is renamed to `table`, here and in the backup places;
//! 7. old page files are overwritten and removed, here and there: the next opening, or the next backup, goes on.
//!
//! Where the root key cannot be replaced, `table.next` is sealed by the old one, step 6 is the moment, and the report says so:
//! who keeps the old root key and an old table can then still open old pages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use inferlog_disk::replace_file;
use inferlog_record::KeyId;
use zeroize::Zeroizing;

use crate::aead::Key;
use crate::backup::BackupReport;
use crate::error::{Result, VaultError};
use crate::keys::Subject;
use crate::open::remove_unlisted;
use crate::page::header::{Header, Scope, Topic};
use crate::page::plain::{self, DecisionPlain, LookupPlain, SubjectRef};
use crate::page::record;
use crate::root::{RootError, RootKey};
use crate::store::Store;
use crate::table::{LogPosition, PageKey, Table};
use crate::vault::{Admin, Inner, Vault};
use crate::{SUBJECTS_MAX, shred};

/// What to erase. What is gone already is passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erasure {
    /// Subjects: every decision's key that theirs wraps dies with it.
    pub subjects: Vec<SubjectRef>,
    /// Keys of single decisions or holds.
    pub keys: Vec<KeyId>,
    /// All decisions' keys of a system, class and day: what a purge drops.
    pub scopes: Vec<Scope>,
}

/// What an erasure did: what its certificate can say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureReport {
    /// Keys that were there and are gone, of decisions, subjects and holds.
    pub keys_erased: usize,
    /// Pages written anew under a new key.
    pub pages_rewritten: usize,
    /// Pages dropped whole.
    pub pages_dropped: usize,
    /// The epoch of the root key that is in force now.
    pub root_epoch: u32,
    /// What became of the root key that was in force before.
    pub old_root: OldRoot,
    /// Every configured backup place.
    pub backups: Vec<BackupReport>,
    /// What could not be overwritten or removed; it is sealed under a key that is gone, and tried again at the next opening.
    pub leftovers: Vec<String>,
}

/// What became of the old root key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OldRoot {
    /// Replaced where it lives, and destroyed as well as its home can.
    Destroyed,
    /// It may still be there, because of this.
    Kept(String),
}

/// The pages to change.
#[derive(Default)]
struct Plan {
    rewrite: BTreeMap<u32, Change>,
    drop: BTreeMap<u32, usize>,
    dropped_topics: Vec<Topic>,
}

#[derive(Default)]
struct Change {
    erase: BTreeSet<u16>,
    replace: BTreeMap<u16, Zeroizing<Vec<u8>>>,
}

impl Plan {
    fn erase(&mut self, at: KeyId) {
        self.rewrite.entry(at.page).or_default().erase.insert(at.slot);
    }

    fn pages(&self) -> impl Iterator<Item = u32> {
        self.rewrite.keys().chain(self.drop.keys()).copied()
    }
}

impl Vault {
    /// Erases keys, for the intent at `at` (log id, index). From its start on nothing is sealed under them. The caller has
    /// absorbed every birth before the intent, and lets no frame with births, of any log, through until this returns. Calling
    /// it again erases what a first attempt left, and renews the root key once more.
    ///
    /// After an error call it again; after [`VaultError::Poisoned`], or if a write failed, open the keystore anew before.
    pub fn erase(&self, erasure: &Erasure, at: LogPosition) -> Result<ErasureReport> {
        let inner = &*self.inner;
        inner.check()?;
        let chains: BTreeMap<SubjectRef, u8> =
            erasure.subjects.iter().filter_map(|of| Some((*of, inner.lookup.chain_of(*of)?))).collect();
        let report = {
            let _copying = inner.copying.lock();
            inner.prepare_backups();
            let mut admin = inner.admin.lock();
            let writer = inner.writer.lock();
            inner.sync_pages(&writer)?;
            let mut store = inner.store.lock();
            let dropped: Vec<u32> =
                erasure.scopes.iter().flat_map(|scope| inner.scope_pages(scope)).collect();
            let plan = inner.plan(&mut store, erasure, &chains)?;
            // Whatever fails from here on: the intent stands, and nothing more is sealed.
            inner.erased.mark(&erasure.subjects, &erasure.keys, &dropped);
            inner.apply(&mut admin, &mut store, &plan, Some(at))
        };
        // The chains' locks come before the others.
        erasure.subjects.iter().for_each(|subject| inner.lookup.erased(*subject));
        report
    }

    /// Wraps a decision's key by one more subject's, so that this one's erasure kills it too. The record without that wrapping
    /// is destroyed like an erased one, under the same conditions as [`Vault::erase`]: [`VaultError::NoSuchKey`] if the
    /// decision's birth was not absorbed. It changes nothing if the key is wrapped by the subject already.
    pub fn add_subject(&self, decision: KeyId, subject: &Subject) -> Result<()> {
        let inner = &*self.inner;
        if inner.erased.has_subject(subject.reference()) {
            return Err(VaultError::Erased);
        }
        // The subject's key must be in its page before anything depends on it.
        let mut births = Vec::new();
        subject.append_births(inner, &mut births)?;
        self.absorb(&births)?;
        let Topic::Decisions(_) = inner.topic_of(decision)? else {
            return Err(VaultError::WrongKind(decision));
        };
        let record = inner.read(decision)?;
        let mut plain = DecisionPlain::decode(&record).ok_or_else(|| inner.malformed(decision))?;
        if plain.subjects.contains(&subject.reference()) {
            return Ok(());
        }
        if plain.subjects.len() == SUBJECTS_MAX {
            return Err(VaultError::TooManySubjects);
        }
        let (key, pseudonym) = (&subject.0.key, subject.pseudonym());
        plain.wrapped = plain::wrap(&*inner.rng, key, plain.decision, pseudonym, &plain.wrapped)?;
        plain.subjects.push(subject.reference());
        let mut plan = Plan::default();
        plan.rewrite.entry(decision.page).or_default().replace.insert(decision.slot, plain.encode()?);
        let _copying = inner.copying.lock();
        let mut admin = inner.admin.lock();
        let writer = inner.writer.lock();
        inner.sync_pages(&writer)?;
        let mut store = inner.store.lock();
        inner.apply(&mut admin, &mut store, &plan, None)?;
        subject.mark_durable();
        inner.erased.add_late(decision, subject.reference());
        Ok(())
    }
}

impl Inner {
    fn scope_pages(&self, scope: &Scope) -> Vec<u32> {
        self.allocation.lock().pages(&Topic::Decisions(scope.clone()))
    }

    fn plan(&self, store: &mut Store, erasure: &Erasure, chains: &BTreeMap<SubjectRef, u8>) -> Result<Plan> {
        let table = self.table();
        let mut plan = Plan::default();
        for scope in &erasure.scopes {
            for page in self.scope_pages(scope) {
                let Some(page_key) = table.pages.get(&page) else { continue };
                plan.drop.insert(page, store.read_all(page, page_key)?.len());
            }
            plan.dropped_topics.push(Topic::Decisions(scope.clone()));
        }
        for key in &erasure.keys {
            match self.allocation.lock().topic(key.page) {
                Some(Topic::Decisions(_) | Topic::Holds(_)) | None => {}
                Some(_) => return Err(VaultError::WrongKind(*key)),
            }
            let Some(page_key) = table.pages.get(&key.page) else { continue };
            if !plan.drop.contains_key(&key.page) && store.read(*key, page_key)?.is_some() {
                plan.erase(*key);
            }
        }
        for subject in &erasure.subjects {
            let Some(page_key) = table.pages.get(&subject.key.page) else { continue };
            let record = store.read(subject.key, page_key)?;
            let found = record.and_then(|record| Some(plain::decode_keyed(&record)?.0));
            // Another subject there would mean that the caller's address is wrong: it is nobody's to erase.
            if found.is_some_and(|pseudonym| &pseudonym == subject.pseudonym.as_bytes()) {
                plan.erase(subject.key);
            }
        }
        self.plan_lookups(store, &erasure.subjects, chains, &table, &mut plan)?;
        Ok(plan)
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

    /// Steps 2 to 7.
    fn apply(
        &self,
        admin: &mut Admin,
        store: &mut Store,
        plan: &Plan,
        at: Option<LogPosition>,
    ) -> Result<ErasureReport> {
        let mut table = Table::clone(&self.table());
        let keys_erased = self.rewrite_pages(store, plan, &mut table)?;
        if let Some(at) = at {
            table.last_erasure = at;
        }
        // From here on a second attempt must not find two tables that one root key opens: settle first, by opening anew.
        let (old_root, staged) = self.poison_on_error(self.switch(admin, store, &table))?;
        let table = Arc::new(table);
        *self.table.write() = Arc::clone(&table);
        let mut allocation = self.allocation.lock();
        for page in plan.pages() {
            store.forget(page);
            allocation.deactivate(page);
        }
        plan.dropped_topics.iter().for_each(|topic| allocation.drop_topic(topic));
        drop(allocation);
        let leftovers = remove_unlisted(&*self.fs, &self.dir, &table).err();
        Ok(ErasureReport {
            keys_erased,
            pages_rewritten: plan.rewrite.len(),
            pages_dropped: plan.drop.len(),
            root_epoch: admin.root.epoch,
            old_root,
            leftovers: leftovers.iter().map(ToString::to_string).collect(),
            backups: self.finish_backups(staged, &table),
        })
    }

    /// Step 2. Changes `table`, and returns how many keys of decisions, subjects and holds are in it no more.
    fn rewrite_pages(&self, store: &Store, plan: &Plan, table: &mut Table) -> Result<usize> {
        let mut keys_erased = plan.drop.values().sum();
        for (page, change) in &plan.rewrite {
            let id = KeyId { page: *page, slot: 0 };
            let old = table.pages.get(page).ok_or(VaultError::NoSuchKey(id))?.clone();
            let topic = self.topic_of(id)?;
            let new = self.next_generation(&old)?;
            let header = Header {
                keystore: self.keystore,
                page: *page,
                generation: new.generation,
                topic: topic.clone(),
            };
            let mut bytes = Vec::new();
            header.encode(&mut bytes);
            for (slot, record) in store.read_all(*page, &old)? {
                if change.erase.contains(&slot) {
                    keys_erased += usize::from(!matches!(topic, Topic::Lookup(_)));
                    continue;
                }
                let record = change.replace.get(&slot).unwrap_or(&record);
                let at = KeyId { page: *page, slot };
                record::append_sealed(&mut bytes, &*self.rng, self.keystore, at, &new.key, record)?;
            }
            replace_file(&*self.fs, &self.dir.page(*page, new.generation), &bytes)?;
            table.pages.insert(*page, new);
        }
        for page in plan.drop.keys() {
            let Some(old) = table.pages.remove(page) else { continue };
            if table.next_page().is_none_or(|next| next <= *page) {
                // The highest number stays listed, with a key that seals nothing, so that it is not given again.
                table.pages.insert(*page, self.next_generation(&old)?);
            }
        }
        Ok(keys_erased)
    }

    fn next_generation(&self, old: &PageKey) -> Result<PageKey> {
        let generation = old.generation.checked_add(1).ok_or(VaultError::Full)?;
        Ok(PageKey { generation, key: Key::random(&*self.rng)? })
    }

    /// Steps 3 to 6. Returns what became of the old root key, and the backup places with `table.next` in them.
    fn switch(
        &self,
        admin: &mut Admin,
        store: &Store,
        table: &Table,
    ) -> Result<(OldRoot, Vec<BackupReport>)> {
        let epoch = admin.root.epoch.checked_add(1).ok_or(VaultError::Full)?;
        let new = RootKey { epoch, key: Key::random(&*self.rng)? };
        let mut staged = self.stage(store, table, &new)?;
        let (root, old_root) = self.replace_root(&admin.root, new)?;
        if root.epoch == admin.root.epoch {
            staged = self.stage(store, table, &root)?;
        }
        shred::rename_over(&*self.fs, &self.dir.table_next(), &self.dir.table())?;
        admin.root = root;
        Ok((old_root, staged))
    }

    /// Steps 3 and 4.
    fn stage(&self, store: &Store, table: &Table, root: &RootKey) -> Result<Vec<BackupReport>> {
        let bytes = table.seal(&*self.rng, self.keystore, root)?;
        replace_file(&*self.fs, &self.dir.table_next(), &bytes)?;
        Ok(self.stage_backups(store.rewritten(), table, &bytes))
    }

    /// Step 5. The root key that is in force afterwards, and what became of the old one.
    fn replace_root(&self, old: &RootKey, new: RootKey) -> Result<(RootKey, OldRoot)> {
        let error = match self.roots.replace(&new) {
            Ok(()) => return Ok((new, OldRoot::Destroyed)),
            Err(error) => error,
        };
        let present = self.roots.get()?;
        if present == new {
            self.roots.confirm(&new)?;
            return Ok((new, OldRoot::Kept(error.to_string())));
        }
        match error {
            RootError::NotReplaced { reason } if present == *old => Ok((present, OldRoot::Kept(reason))),
            error => Err(error.into()),
        }
    }
}
