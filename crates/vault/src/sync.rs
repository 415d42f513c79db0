//! Making durable what was absorbed: while nobody is kept from reading keys.

use std::path::PathBuf;

use inferlog_disk::{Fs, Open, Result as DiskResult, create_over, replace_file};
use parking_lot::MutexGuard;

use crate::aead::Key;
use crate::error::{Result, VaultError};
use crate::page::header::Header;
use crate::store::Content;
use crate::table::PageKey;
use crate::vault::{Inner, Writer};

/// One page's share of a sync.
pub(crate) struct PageWrite {
    pub(crate) path: PathBuf,
    pub(crate) header: Header,
    pub(crate) key: Key,
    /// Length of the file; `None` if there is none.
    pub(crate) len: Option<u64>,
    /// Whether the file must be written anew as a whole.
    pub(crate) rewrite: bool,
    /// What the file does not hold yet.
    pub(crate) records: Vec<u8>,
}

/// A page's share that is durable, but for its name where that is new.
pub(crate) struct Written {
    pub(crate) page: u32,
    pub(crate) len: u64,
    /// Length of the records that came from memory.
    pub(crate) records: usize,
    /// Whether all of the file was written and synced now.
    pub(crate) whole: bool,
    /// Whether there was a file before, of other bytes.
    pub(crate) rewritten: bool,
}

impl PageWrite {
    fn write(&self, fs: &dyn Fs) -> DiskResult<Written> {
        let Self { path, header, key, len, rewrite, records } = self;
        let (page, count) = (header.page, records.len());
        let written = |len: usize, whole, rewritten| Written {
            page,
            len: len as u64,
            records: count,
            whole,
            rewritten,
        };
        let mut bytes = Vec::new();
        match *len {
            Some(_) if *rewrite => {
                header.encode(&mut bytes);
                let page_key = PageKey { generation: header.generation, key: key.clone() };
                let old = fs.read(path)?;
                let content = Content::parse(&old, header.keystore, page, &page_key);
                content.records.iter().for_each(|record| record.append_to(&mut bytes));
                bytes.extend_from_slice(records);
                // A crash leaves the old file or the new one. Both hold every key that was durable.
                replace_file(fs, path, &bytes)?;
                Ok(written(bytes.len(), true, true))
            }
            Some(len) => {
                let file = fs.open(path, Open::Write)?;
                // A crash leaves any part of the new records, after whole old ones.
                file.write_all_at(records, len)?;
                file.sync_data()?;
                Ok(Written { len: len + count as u64, ..written(0, false, false) })
            }
            None => {
                header.encode(&mut bytes);
                bytes.extend_from_slice(records);
                let file = create_over(fs, path)?;
                file.write_all_at(&bytes, 0)?;
                file.sync_data()?;
                Ok(written(bytes.len(), true, false))
            }
        }
    }
}

impl Inner {
    /// Writes what was absorbed to the pages, durably. The store is not held meanwhile.
    pub(crate) fn sync_pages(&self, _writer: &MutexGuard<'_, Writer>) -> Result<()> {
        self.check()?;
        let writes = self.store.lock().begin_sync(&self.table());
        let written = self.poison_unless_full(self.write_pages(&writes).map_err(VaultError::from));
        match &written {
            Ok(written) => self.store.lock().end_sync(written),
            // What was written in part is written over.
            Err(_) => self.store.lock().undo_sync(&writes),
        }
        written.map(drop)
    }

    fn write_pages(&self, writes: &[PageWrite]) -> DiskResult<Vec<Written>> {
        let written = writes.iter().map(|write| write.write(&*self.fs)).collect::<DiskResult<_>>()?;
        if writes.iter().any(|write| write.len.is_none()) {
            // A crash before this may lose pages that are new; the WAL has their births.
            self.fs.sync_dir(&self.dir.pages())?;
        }
        Ok(written)
    }
}
