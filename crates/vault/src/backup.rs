//! Copies of the keystore. A backup place is a keystore's directory: restoring is copying it back. It is nothing without the
//! root key, which is never copied.
//!
//! Pages go first, then `absorbed`, then `table.next`, which is renamed to `table` last: a crash leaves the table that was there,
//! and pages that hold at least what it lists.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use inferlog_disk::{Fs, Open, create_dir_all, read_optional, replace_file};

use crate::dir::Dir;
use crate::error::Result;
use crate::open::remove_unlisted;
use crate::shred;
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
    /// Copies all that is absorbed to `place`, durably: a directory of this keystore alone, made if missing. Requests are not
    /// kept waiting.
    pub fn backup(&self, place: &Path) -> Result<()> {
        let inner = &*self.inner;
        let _copying = inner.copying.lock();
        let (table, bytes, absorbed) = {
            let admin = inner.admin.lock();
            let writer = inner.writer.lock();
            inner.sync_pages(&writer)?;
            let table = inner.table();
            let bytes = table.seal(&*inner.rng, inner.keystore, &admin.root)?;
            // Pages that grow until they are copied hold more than these marks say: births that come again change nothing.
            (table, bytes, read_optional(&*inner.fs, &inner.dir.absorbed())?)
        };
        inner.copy_pages(&table, place)?;
        inner.stage_table(&bytes, absorbed, place)?;
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
    /// Copies most of what a later [`Inner::stage_backups`] would, so that this has little left to do while all else waits.
    pub(crate) fn prepare_backups(&self) {
        let places = self.backups.read().clone();
        for place in places {
            // What fails here fails again when it counts, and is reported then.
            let _ = self.copy_pages(&self.table(), &place);
        }
    }

    /// Brings every configured place to where a rename puts `table` in force there. One that fails holds nobody up. Nobody else
    /// may be writing pages.
    pub(crate) fn stage_backups(
        &self,
        rewritten: &BTreeSet<u32>,
        table: &Table,
        bytes: &[u8],
    ) -> Vec<BackupReport> {
        let stage = |place: &Path| {
            for (page, generation) in self.dir.list_pages(&*self.fs)? {
                self.copy_page(rewritten, table, (page, generation), &Dir::new(place))?;
            }
            self.stage_table(bytes, read_optional(&*self.fs, &self.dir.absorbed())?, place)
        };
        let places = self.backups.read().clone();
        places
            .iter()
            .map(|place| report(place, make_place(&*self.fs, place).and_then(|()| stage(place))))
            .collect()
    }

    /// Puts `table` in force in every place that has it.
    pub(crate) fn finish_backups(&self, staged: Vec<BackupReport>, table: &Table) -> Vec<BackupReport> {
        let finish = |staged: BackupReport| match staged.failed {
            None => report(&staged.place, self.finish_backup(table, &staged.place)),
            Some(_) => staged,
        };
        staged.into_iter().map(finish).collect()
    }

    /// Copies the pages that `table` lists, one at a time: absorbed births are written in between.
    fn copy_pages(&self, table: &Table, place: &Path) -> Result<()> {
        make_place(&*self.fs, place)?;
        for page in self.dir.list_pages(&*self.fs)? {
            let _writer = self.writer.lock();
            let rewritten = self.store.lock().rewritten().clone();
            self.copy_page(&rewritten, table, page, &Dir::new(place))?;
        }
        Ok(())
    }

    /// Copies a page file that `table` lists, unless it is there. Pages grow at the end alone, unless they are written anew.
    fn copy_page(
        &self,
        rewritten: &BTreeSet<u32>,
        table: &Table,
        page: (u32, u32),
        place: &Dir,
    ) -> Result<()> {
        let (page, generation) = page;
        if table.pages.get(&page).is_none_or(|page_key| page_key.generation != generation) {
            return Ok(());
        }
        let (from, to) = (self.dir.page(page, generation), place.page(page, generation));
        if rewritten.contains(&page) || self.len(&from)? != self.len(&to)? {
            replace_file(&*self.fs, &to, &self.fs.read(&from)?)?;
        }
        Ok(())
    }

    fn stage_table(&self, bytes: &[u8], absorbed: Option<Vec<u8>>, place: &Path) -> Result<()> {
        let place = Dir::new(place);
        replace_file(&*self.fs, &place.id(), format!("{}\n", self.keystore).as_bytes())?;
        if let Some(absorbed) = absorbed {
            replace_file(&*self.fs, &place.absorbed(), &absorbed)?;
        }
        Ok(replace_file(&*self.fs, &place.table_next(), bytes)?)
    }

    fn finish_backup(&self, table: &Table, place: &Path) -> Result<()> {
        let place = Dir::new(place);
        shred::rename_over(&*self.fs, &place.table_next(), &place.table())?;
        place.remove_temporary(&*self.fs)?;
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

fn make_place(fs: &dyn Fs, place: &Path) -> Result<()> {
    Ok(create_dir_all(fs, &Dir::new(place).pages())?)
}
