//! Carrying a plan out: steps 2 to 7.

use std::sync::Arc;

use inferlog_disk::replace_file;
use inferlog_record::KeyId;

use super::plan::Plan;
use super::{ErasureReport, OldRoot};
use crate::aead::Key;
use crate::backup::BackupReport;
use crate::error::{Result, VaultError};
use crate::open::remove_unlisted;
use crate::page::header::{Header, Topic};
use crate::page::record;
use crate::root::{RootError, RootKey};
use crate::shred;
use crate::store::Store;
use crate::table::{LogPosition, PageKey, Table};
use crate::vault::{Admin, Inner};

impl Inner {
    /// Steps 2 to 7.
    pub(super) fn apply(
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
        plan.kept.iter().for_each(|(page, topic)| allocation.add_page(topic, *page));
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
