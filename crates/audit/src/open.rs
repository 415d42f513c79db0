//! A log opened for questions: its newest checkpoint, whether that is to be believed, and its entries by time.

use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_log::{LogDir, LogIdentity, LogReader, ReadError};
use inferlog_merkle::{Checkpoint, SignedNote, TILE_WIDTH, VerifierKey};

use crate::error::{AuditError, Result};
use crate::keys::{LogKeys, parse_all};
use crate::select::Select;

const WIDTH: u64 = TILE_WIDTH as u64;

/// A log and its checkpoint.
#[derive(Debug)]
pub(crate) struct OpenLog {
    pub(crate) dir: LogDir,
    pub(crate) origin: String,
    pub(crate) reader: LogReader,
    /// `None` before the first.
    pub(crate) signed: Option<(SignedNote, Checkpoint)>,
    pub(crate) keys: LogKeys,
}

impl OpenLog {
    pub(crate) fn open(fs: &Arc<dyn Fs>, dir: LogDir, keys: &[VerifierKey]) -> Result<Self> {
        let identity = LogIdentity::load(&**fs, &dir)?;
        let keys = LogKeys::choose(&identity.origin, keys, &parse_all(&identity.vkeys));
        let reader = LogReader::new(fs.clone(), dir.clone());
        let signed = reader.checkpoint()?;
        Ok(Self { dir, origin: identity.origin, reader, signed, keys })
    }

    /// The logs that are meant, by system, shard and epoch.
    pub(crate) fn all(
        fs: &Arc<dyn Fs>,
        dir: &Path,
        select: &Select,
        keys: &[VerifierKey],
    ) -> Result<Vec<Self>> {
        select.logs(&**fs, dir)?.into_iter().map(|log| Self::open(fs, log, keys)).collect()
    }

    /// Entries under the checkpoint.
    pub(crate) fn size(&self) -> u64 {
        self.signed.as_ref().map_or(0, |(_, checkpoint)| checkpoint.size())
    }

    /// The entry before which the log was pruned: 0, if it was not.
    pub(crate) fn first(&self) -> Result<u64> {
        Ok(self.reader.first()?)
    }

    /// Gives every bundle with entries of `from..to` to `visit`, with the index of its first entry, none before `from`. Of what was
    /// pruned it gives what was kept, in parts of bundles.
    pub(crate) fn bundles(
        &self,
        from: u64,
        to: u64,
        mut visit: impl FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        for run in self.reader.bundles(from, self.size()).until(to) {
            let run = run.map_err(|source| self.unreadable(source))?;
            visit(run.first, run.bytes())?;
        }
        Ok(())
    }

    /// Gives these entries, which ascend and are in the log, to `visit`. Bundles are read one at a time.
    pub(crate) fn each(
        &self,
        indices: &[u64],
        mut visit: impl FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut left = indices.iter().copied().peekable();
        while let Some(next) = left.peek().copied() {
            let end = (next / WIDTH + 1) * WIDTH;
            for run in self.reader.bundles(next, self.size()).until(end) {
                let run = run.map_err(|source| self.unreadable(source))?;
                for entry in run.entries() {
                    let (index, entry) = entry.map_err(|source| self.unreadable(source))?;
                    if left.next_if_eq(&index).is_some() {
                        visit(index, entry)?;
                    }
                }
            }
            if let Some(index) = left.next_if(|index| *index < end) {
                let why = self.reader.entry(index, self.size()).err().unwrap_or(ReadError::NoEntry(index));
                return Err(self.unreadable(why));
            }
        }
        Ok(())
    }

    pub(crate) fn unreadable(&self, source: ReadError) -> AuditError {
        AuditError::Read { log: self.origin.clone(), source }
    }

    pub(crate) fn malformed(&self, index: u64, what: impl std::fmt::Display) -> AuditError {
        AuditError::Entry { log: self.origin.clone(), index, what: what.to_string() }
    }

    /// The first entry of a bundle that may hold what was logged at `time_ns` or later.
    pub(crate) fn start(&self, time_ns: u64) -> Result<u64> {
        self.reader.seek_time(time_ns, self.size()).map_err(|source| self.unreadable(source))
    }
}
