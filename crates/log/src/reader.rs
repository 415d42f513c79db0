//! Reading a log's directory: checkpoint, tiles, entries. Takes no lock; may run beside the writer.

use std::sync::Arc;

use inferlog_disk::{DiskError, Fs, read_optional};
use inferlog_merkle::{Checkpoint, SignedNote, TILE_WIDTH, TilePath, TileSource, entries};

use crate::error::{LogError, Result};
use crate::packs::{day_name, find_payload};
use crate::{LogDir, Runs, kept};

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system failed, or the file is not there.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The bytes are not what their place asks for.
    #[error("{0} does not parse: it is damaged")]
    Malformed(String),
    /// The log has no such entry.
    #[error("there is no entry {0} in this log yet")]
    NoEntry(u64),
    /// The entry was removed when its time was over.
    #[error("entry {index} was pruned under retention; the log begins at {first}")]
    Pruned {
        /// The entry.
        index: u64,
        /// The first entry that no purge removed.
        first: u64,
    },
}

impl ReadError {
    /// Whether a file is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Disk(error) if error.is_not_found())
    }

    /// Whether the entry was there and was pruned.
    pub fn is_pruned(&self) -> bool {
        matches!(self, Self::Pruned { .. })
    }
}

impl From<LogError> for ReadError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Disk(error) => Self::Disk(error),
            LogError::Damaged { path, .. } => Self::Malformed(path.display().to_string()),
            other => Self::Malformed(other.to_string()),
        }
    }
}

/// Reads one log.
#[derive(Clone, Debug)]
pub struct LogReader {
    fs: Arc<dyn Fs>,
    dir: LogDir,
}

impl LogReader {
    /// A reader of the log in this directory.
    pub fn new(fs: Arc<dyn Fs>, dir: LogDir) -> Self {
        Self { fs, dir }
    }

    /// The log's directory.
    pub fn dir(&self) -> &LogDir {
        &self.dir
    }

    /// The file system it reads from.
    pub fn fs(&self) -> &Arc<dyn Fs> {
        &self.fs
    }

    /// The published checkpoint, its signatures not yet verified; `None` before the first.
    pub fn checkpoint(&self) -> Result<Option<(SignedNote, Checkpoint)>> {
        let path = self.dir.checkpoint();
        let Some(bytes) = read_optional(&*self.fs, &path)? else { return Ok(None) };
        let damaged = |error: &dyn std::fmt::Display| LogError::damaged(&path, 0, &error.to_string());
        let note = SignedNote::parse(&bytes).map_err(|error| damaged(&error))?;
        let checkpoint = note.text().parse::<Checkpoint>().map_err(|error| damaged(&error))?;
        Ok(Some((note, checkpoint)))
    }

    /// Number of entries under the published checkpoint.
    pub fn size(&self) -> Result<u64> {
        Ok(self.checkpoint()?.map_or(0, |(_, checkpoint)| checkpoint.size()))
    }

    /// The bytes of a bundle, cut to its width where only the full one is left.
    pub fn bundle(&self, path: TilePath) -> Result<Vec<u8>, ReadError> {
        let mut bytes = self.read_tile(path)?;
        let mut span = 0;
        for _ in 0..path.width() {
            let length = bytes
                .get(span..span + 2)
                .map(|length| usize::from(u16::from_be_bytes([length[0], length[1]])));
            let end = length.map(|length| span + 2 + length).filter(|end| *end <= bytes.len());
            span = end.ok_or_else(|| ReadError::Malformed(path.to_string()))?;
        }
        bytes.truncate(span);
        Ok(bytes)
    }

    /// Index of the first entry whose bundle is there: zero, or more where a prefix was pruned. It never decreases. Of the entries
    /// before it those that had to be kept are there all the same.
    pub fn first(&self) -> Result<u64> {
        kept::first(&*self.fs, &self.dir)
    }

    /// Whether the entry was kept when its bundle was pruned; false for those at and after [`LogReader::first`].
    pub fn kept(&self, index: u64) -> Result<bool> {
        Ok(index < self.first()? && self.kept_entry(index)?.is_some())
    }

    /// One entry's bytes, in a log of `size` entries, kept ones too. [`ReadError::Pruned`] where it was removed.
    pub fn entry(&self, index: u64, size: u64) -> Result<Vec<u8>, ReadError> {
        let path =
            LogDir::bundle_of(index, size).filter(|_| index < size).ok_or(ReadError::NoEntry(index))?;
        let mut first = self.first()?;
        while index >= first {
            match self.bundle(path) {
                Ok(bundle) => {
                    let entry = entries(&bundle).nth((index % u64::from(TILE_WIDTH)) as usize);
                    let entry = entry.and_then(std::result::Result::ok);
                    return entry.map(<[u8]>::to_vec).ok_or_else(|| ReadError::Malformed(path.to_string()));
                }
                // Pruned between the two looks, perhaps.
                Err(error) => match self.first()? {
                    now if now > first && error.is_not_found() => first = now,
                    _ => return Err(error),
                },
            }
        }
        self.kept_entry(index)?.ok_or(ReadError::Pruned { index, first })
    }

    /// An entry that was kept when its bundle was pruned.
    fn kept_entry(&self, index: u64) -> Result<Option<Vec<u8>>> {
        let kept = kept::read(&*self.fs, &self.dir, index / u64::from(TILE_WIDTH))?.unwrap_or_default();
        Ok(kept.into_iter().find(|(at, _)| *at == index).map(|(_, entry)| entry))
    }

    /// The entries from `from` to `size` in runs: of what was pruned those that were kept, then all that is there. A run ends with
    /// its bundle; those of kept entries are short. The log may be pruned meanwhile: then the rest comes from what is kept.
    pub fn bundles(&self, from: u64, size: u64) -> Runs {
        Runs::new(self.clone(), from, size)
    }

    /// Gives every entry from `from` to `size` to `visit`, with its index, until it returns false: of what was pruned those that
    /// were kept, then all.
    pub fn scan(
        &self,
        from: u64,
        size: u64,
        mut visit: impl FnMut(u64, &[u8]) -> bool,
    ) -> Result<(), ReadError> {
        for run in self.bundles(from, size) {
            for entry in run?.entries() {
                let (index, entry) = entry?;
                if !visit(index, entry) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The sealed bytes of a payload: of retention class `class`, born with the entry at `index`, whose first event was
    /// logged at `logged_at_ns`; kept ones too. `None` if no pack holds it; an error if its record does not check.
    pub fn payload(
        &self,
        class: &str,
        logged_at_ns: u64,
        index: u64,
        payload: [u8; 16],
    ) -> Result<Option<Vec<u8>>> {
        find_payload(&*self.fs, &self.dir, class, &day_name(logged_at_ns), index, payload)
    }
}

impl LogReader {
    /// A tile that begins with the partial one asked for, which has given way to it: the full tile, or a wider partial one.
    fn wider(&self, path: TilePath) -> Result<Vec<u8>, ReadError> {
        match self.fs.read(&self.dir.tile(path.full())) {
            Err(error) if error.is_not_found() => {
                let widths = self.fs.read_dir(&self.dir.partial_dir(path))?;
                let widths = widths.iter().filter_map(|entry| entry.name.parse().ok());
                let width = widths.filter(|width| *width > path.width()).min().ok_or(error)?;
                let wider = TilePath::new(path.level(), path.index(), width);
                let wider = wider.map_err(|error| ReadError::Malformed(error.to_string()))?;
                Ok(self.fs.read(&self.dir.tile(wider))?)
            }
            other => Ok(other?),
        }
    }
}

impl TileSource for LogReader {
    type Error = ReadError;

    fn read_tile(&self, path: TilePath) -> Result<Vec<u8>, ReadError> {
        match self.fs.read(&self.dir.tile(path)) {
            Err(error) if error.is_not_found() && !path.is_full() => self.wider(path),
            other => Ok(other?),
        }
    }
}
