//! A log as a follower reads it: whole bundles, in order.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_log::{Cursor, LogDir, LogIdentity, LogReader, ReadError, list_logs};
use inferlog_merkle::{TILE_WIDTH, entries};

use crate::engine::{LogName, Position};
use crate::error::{IndexError, Result};

const WIDTH: u64 = TILE_WIDTH as u64;

/// One log, and how far it was followed.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: LogName,
    pub(super) reader: LogReader,
    /// As of the last transaction; another follower may have gone further since.
    pub(super) position: Position,
    /// Entries under the checkpoint that was last read.
    pub(super) size: u64,
    cursor: Cursor,
    /// What the cursor's file says; `None` before it was written.
    cursor_at: Option<u64>,
}

/// Some bundles of a log, and which of their entries are meant.
#[derive(Debug, Default)]
pub(super) struct Bundles {
    bundles: Vec<(u64, Vec<u8>)>,
    range: Range<u64>,
}

impl Bundles {
    /// The entries, with their indices.
    pub(super) fn entries(&self, origin: &str) -> Result<Vec<(u64, &[u8])>> {
        let mut all = Vec::with_capacity((self.range.end - self.range.start) as usize);
        for (first, bundle) in &self.bundles {
            for (index, entry) in (*first..).zip(entries(bundle)) {
                let malformed = |_| ReadError::Malformed(format!("entry {index}"));
                let entry = entry.map_err(malformed).map_err(|source| unreadable(origin, source))?;
                if self.range.contains(&index) {
                    all.push((index, entry));
                }
            }
        }
        Ok(all)
    }
}

fn unreadable(origin: &str, source: ReadError) -> IndexError {
    IndexError::Read { origin: origin.to_owned(), source }
}

impl Source {
    fn open(fs: &Arc<dyn Fs>, dir: LogDir, follower: &str) -> Result<Self> {
        let identity = LogIdentity::load(&**fs, &dir)?;
        let name = LogName {
            origin: identity.origin,
            system: dir.system().to_owned(),
            shard: dir.shard().to_owned(),
            epoch: dir.epoch().to_owned(),
        };
        let cursor = Cursor::open(fs.clone(), &dir, follower)?;
        let position = Position { log: 0, next: 0, identified: 0, newest_ns: 0 };
        let reader = LogReader::new(fs.clone(), dir);
        Ok(Self { name, reader, position, size: 0, cursor, cursor_at: None })
    }

    /// Adds logs that are new in the data directory, in their order.
    pub(super) fn find(fs: &Arc<dyn Fs>, data: &Path, follower: &str, known: &mut Vec<Source>) -> Result<()> {
        for dir in list_logs(&**fs, data)? {
            if !known.iter().any(|source| *source.reader.dir() == dir) {
                known.push(Self::open(fs, dir, follower)?);
            }
        }
        Ok(())
    }

    /// Reads whole bundles from `from` on, until one of the limits is passed or `to` is reached.
    pub(super) fn read(&self, from: u64, to: u64, (entries, bytes): (u64, usize)) -> Result<Bundles> {
        let mut read = Bundles { bundles: Vec::new(), range: from..from };
        let (mut first, mut len) = (from / WIDTH * WIDTH, 0);
        while read.range.end < to && read.range.end - from < entries && len < bytes {
            let path = LogDir::bundle_of(first, self.size).ok_or(ReadError::NoEntry(first));
            let bundle = path.and_then(|path| self.reader.bundle(path));
            let bundle = bundle.map_err(|source| unreadable(&self.name.origin, source))?;
            len += bundle.len();
            read.bundles.push((first, bundle));
            first += WIDTH;
            read.range.end = first.min(to);
        }
        Ok(read)
    }

    /// When an entry under the checkpoint was logged.
    pub(super) fn logged_ns(&self, index: u64) -> Option<i64> {
        let entry = self.reader.entry(index, self.size).ok()?;
        inferlog_record::EntryView::parse(&entry)
            .ok()
            .and_then(|entry| i64::try_from(entry.events.first()?.logged_at.nanos()).ok())
    }

    /// Writes the follower's cursor, which purges and the operator read. It says no more than what is committed; an older one,
    /// or none, only holds purges back, so that an error here is no reason to stop.
    pub(super) fn store_cursor(&mut self) {
        if self.cursor_at != Some(self.position.next) && self.cursor.store(self.position.next).is_ok() {
            self.cursor_at = Some(self.position.next);
        }
    }
}
