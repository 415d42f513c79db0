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

mod apply;
mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use inferlog_record::KeyId;

use crate::SUBJECTS_MAX;
use crate::backup::BackupReport;
use crate::error::{Result, VaultError};
use crate::keys::Subject;
use crate::page::header::{Scope, Topic};
use crate::page::plain::{self, DecisionPlain, SubjectRef};
use crate::table::LogPosition;
use crate::vault::Vault;
use plan::Plan;

/// What to erase. What is gone already is passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erasure {
    /// Subjects: every decision's key that theirs wraps dies with it.
    pub subjects: Vec<SubjectRef>,
    /// Keys of single decisions or holds.
    pub keys: Vec<KeyId>,
    /// All decisions' keys of a system, class and day: what a purge drops.
    pub scopes: Vec<Scope>,
    /// Keys of decisions that stay readable whatever of the above concerns them. Each keeps its place; of a subject that is erased
    /// it loses the wrapping, so that it outlives the subject's key.
    pub withhold: Vec<KeyId>,
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
            let dropped = inner.scopes_pages(&erasure.scopes);
            let plan = inner.plan(&mut store, erasure, &chains)?;
            // Whatever fails from here on: the intent stands, and nothing more is sealed but under what is withheld.
            inner.erased.mark(&erasure.subjects, &erasure.keys, &dropped, &plan.spared);
            inner.apply(&mut admin, &mut store, &plan, Some(at))
        };
        // The chains' locks come before the others.
        erasure.subjects.iter().for_each(|subject| inner.lookup.erased(*subject));
        report
    }

    /// Whether anything is left of what an erasure takes: then it was not carried out here, or not wholly. Dropped scopes are not
    /// looked at.
    pub fn remains(&self, erasure: &Erasure) -> Result<bool> {
        for subject in &erasure.subjects {
            if self.inner.has_subject(*subject)? {
                return Ok(true);
            }
        }
        let keys: BTreeSet<KeyId> = erasure.keys.iter().copied().collect();
        let withheld: BTreeSet<KeyId> = erasure.withhold.iter().copied().collect();
        Ok(!self.inner.readable(&(&keys - &withheld))?.is_empty())
    }

    /// Which of these keys, of decisions or holds, are there and open, as the pages and what was absorbed have them.
    pub fn readable(&self, keys: &BTreeSet<KeyId>) -> Result<BTreeSet<KeyId>> {
        self.inner.check()?;
        self.inner.readable(keys)
    }

    /// The epoch of the root key that is in force.
    pub fn root_epoch(&self) -> u32 {
        self.inner.admin.lock().root.epoch
    }

    /// The backup places that erasures bring up to date.
    pub fn backup_places(&self) -> Vec<PathBuf> {
        self.inner.backups.read().clone()
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
