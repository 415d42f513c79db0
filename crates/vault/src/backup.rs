//! Copies of the keystore. A backup place is a keystore's directory: restoring is copying it back. It is nothing without the
//! root key, which is never copied.
//!
//! Pages go first, then `absorbed`, then `table.next`, which is renamed to `table` last: a crash leaves the table that was there,
//! and pages that hold at least what it lists.

use std::path::{Path, PathBuf};

use inferlog_disk::{Open, create_dir_all, read_optional, replace_file};

use crate::dir::Dir;
use crate::error::Result;
use crate::open::remove_unlisted;
use crate::shred;
use crate::store::Store;
use crate::table::Table;
use crate::vault::{Inner, Vault};

/// One backup place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// The directory.
    pub place: PathBuf,
    /// Why it is not up to date. What it holds then is sealed by the old root key.
    pub failed: Option<String>,
}

impl Vault {
    /// Copies all that is absorbed to `place`, durably: a directory of this keystore alone, made if missing.
    pub fn backup(&self, place: &Path) -> Result<()> {
        let inner = &*self.inner;
        let (admin, mut store) = (inner.admin.lock(), inner.store.lock());
        inner.check()?;
        let table = inner.table();
        inner.poison_on_error(store.sync(&table))?;
        let bytes = table.seal(&*inner.rng, inner.keystore, &admin.root)?;
        inner.stage_backup(&store, &table, &bytes, place)?;
        inner.finish_backup(&table, place)
    }

    /// [`Vault::backup`] to every configured place.
    pub fn backup_all(&self) -> Vec<BackupReport> {
        let places = self.inner.backups.read().clone();
        places.into_iter().map(|place| report(&place, self.backup(&place))).collect()
    }
}

fn report(place: &Path, outcome: Result<()>) -> BackupReport {
    BackupReport { place: place.to_owned(), failed: outcome.err().map(|error| error.to_string()) }
}

impl Inner {
    /// Brings every configured place to where a rename puts `table` in force there. One that fails holds nobody up.
    pub(crate) fn stage_backups(&self, store: &Store, table: &Table, bytes: &[u8]) -> Vec<BackupReport> {
        let places = self.backups.read().clone();
        places.iter().map(|place| report(place, self.stage_backup(store, table, bytes, place))).collect()
    }

    /// Puts `table` in force in every place that has it.
    pub(crate) fn finish_backups(&self, staged: Vec<BackupReport>, table: &Table) -> Vec<BackupReport> {
        let finish = |staged: BackupReport| match staged.failed {
            None => report(&staged.place, self.finish_backup(table, &staged.place)),
            Some(_) => staged,
        };
        staged.into_iter().map(finish).collect()
    }

    fn stage_backup(&self, store: &Store, table: &Table, bytes: &[u8], place: &Path) -> Result<()> {
        let place = Dir::new(place);
        create_dir_all(&*self.fs, &place.pages())?;
        replace_file(&*self.fs, &place.id(), format!("{}\n", self.keystore).as_bytes())?;
        for (page, generation) in self.dir.list_pages(&*self.fs)? {
            if table.pages.get(&page).is_some_and(|page_key| page_key.generation == generation) {
                let (from, to) = (self.dir.page(page, generation), place.page(page, generation));
                // Pages grow at the end alone, unless they are written anew.
                if store.was_rewritten(page) || self.len(&from)? != self.len(&to)? {
                    replace_file(&*self.fs, &to, &self.fs.read(&from)?)?;
                }
            }
        }
        if let Some(absorbed) = read_optional(&*self.fs, &self.dir.absorbed())? {
            replace_file(&*self.fs, &place.absorbed(), &absorbed)?;
        }
        Ok(replace_file(&*self.fs, &place.table_next(), bytes)?)
    }

    fn finish_backup(&self, table: &Table, place: &Path) -> Result<()> {
        let place = Dir::new(place);
        shred::rename_over(&*self.fs, &place.table_next(), &place.table())?;
        remove_unlisted(&*self.fs, &place, table).map(drop)
    }

    /// A file's length; `None` if there is none.
    fn len(&self, path: &Path) -> Result<Option<u64>> {
        match self.fs.open(path, Open::Read) {
            Ok(file) => Ok(Some(file.len()?)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
