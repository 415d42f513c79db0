//! A log opened for questions: its newest checkpoint, whether that is to be believed, and its entries by time.

use std::path::Path;
use std::sync::Arc;

use inferlog_disk::{Fs, Open};
use inferlog_log::{LogDir, LogIdentity, LogReader, ReadError};
use inferlog_merkle::{Checkpoint, ENTRY_BYTES_MAX, SignedNote, TILE_WIDTH, VerifierKey, entries};
use inferlog_record::Timestamp;

use crate::error::{AuditError, Result};
use crate::json::EntryScan;
use crate::keys::{LogKeys, parse_all};
use crate::select::Select;

const WIDTH: u64 = TILE_WIDTH as u64;

/// Clocks are set back now and then: entries logged this much before the time asked for are looked at too, nanoseconds.
const MARGIN_NS: u64 = 10 * 60 * 1_000_000_000;

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

    /// The bundle that begins with this entry, which the log has.
    pub(crate) fn bundle(&self, first: u64) -> Result<Vec<u8>> {
        let path = LogDir::bundle_of(first, self.size()).ok_or(ReadError::NoEntry(first));
        path.and_then(|path| self.reader.bundle(path)).map_err(|source| self.unreadable(source))
    }

    /// Gives every bundle with entries of `from..to` to `visit`, with the index of its first entry.
    pub(crate) fn bundles(
        &self,
        from: u64,
        to: u64,
        mut visit: impl FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut first = from / WIDTH * WIDTH;
        while first < self.size().min(to) {
            visit(first, &self.bundle(first)?)?;
            first += WIDTH;
        }
        Ok(())
    }

    pub(crate) fn unreadable(&self, source: ReadError) -> AuditError {
        AuditError::Read { log: self.origin.clone(), source }
    }

    pub(crate) fn malformed(&self, index: u64, what: impl std::fmt::Display) -> AuditError {
        AuditError::Entry { log: self.origin.clone(), index, what: what.to_string() }
    }

    /// The first entry of a bundle that may hold what was logged at `time_ns` or later. Entries are in the order of time but
    /// for clocks that are set; bisects by the first entry of each bundle.
    pub(crate) fn start(&self, time_ns: u64) -> Result<u64> {
        let wanted = time_ns.saturating_sub(MARGIN_NS);
        let (mut low, mut high) = (0, self.size().div_ceil(WIDTH));
        while low < high {
            let middle = low + (high - low) / 2;
            if self.time_of(middle)? < wanted { low = middle + 1 } else { high = middle }
        }
        Ok(low.saturating_sub(1) * WIDTH)
    }

    /// When the first entry of a bundle was logged, nanoseconds since 1970.
    fn time_of(&self, bundle: u64) -> Result<u64> {
        let index = bundle * WIDTH;
        let path = LogDir::bundle_of(index, self.size());
        let head = path.map(|path| self.dir.tile(path)).and_then(|path| {
            let mut head = vec![0; 2 + ENTRY_BYTES_MAX];
            let read = self.reader.fs().open(&path, Open::Read).ok()?.read_at(&mut head, 0).ok()?;
            head.truncate(read);
            Some(head)
        });
        let entry = match head.as_deref().and_then(|head| entries(head).next()?.ok()) {
            Some(entry) => entry.to_vec(),
            // A partial bundle that has given way to a wider one.
            None => self.reader.entry(index, self.size()).map_err(|source| self.unreadable(source))?,
        };
        let mut scan = EntryScan::default();
        scan.read(&entry).map_err(|malformed| self.malformed(index, malformed))?;
        let time = scan.events.first().and_then(|event| std::str::from_utf8(event.logged_at).ok());
        let time = time.and_then(|time| time.parse::<Timestamp>().ok());
        time.map(Timestamp::nanos).ok_or_else(|| self.malformed(index, "its time is none"))
    }
}
