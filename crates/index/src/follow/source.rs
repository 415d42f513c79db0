//! A log as a follower reads it: whole bundles, in order.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_log::{Cursor, LogDir, LogError, LogIdentity, LogReader, ReadError, list_logs};
use inferlog_merkle::{TILE_WIDTH, entries};
use inferlog_record::EntryView;

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
    /// When the log was created, RFC 3339.
    created: String,
    /// `None` where none can be made: a copy of the log that may only be read.
    cursor: Option<Cursor>,
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
        let cursor = match Cursor::open(fs.clone(), &dir, follower) {
            Err(error @ LogError::Name { .. }) => return Err(error.into()),
            cursor => cursor.ok(),
        };
        let position = Position { log: 0, next: 0, identified: 0, newest_ns: 0 };
        let reader = LogReader::new(fs.clone(), dir);
        Ok(Self { name, reader, position, size: 0, created: identity.created, cursor, cursor_at: None })
    }

    /// Adds logs that are new in the data directory. Epochs of one system and shard stand in the order in which they were created.
    pub(super) fn find(fs: &Arc<dyn Fs>, data: &Path, follower: &str, known: &mut Vec<Source>) -> Result<()> {
        for dir in list_logs(&**fs, data)? {
            if !known.iter().any(|source| *source.reader.dir() == dir) {
                known.push(Self::open(fs, dir, follower)?);
            }
        }
        known.sort_by(|one, other| one.order().cmp(&other.order()));
        Ok(())
    }

    fn order(&self) -> (&str, &str, &str, &str) {
        (&self.name.system, &self.name.shard, &self.created, &self.name.epoch)
    }

    /// Whether what this log says may rest on what the other one says: it is an epoch of the same system and shard.
    pub(super) fn is_epoch_of(&self, other: &Source) -> bool {
        (&self.name.system, &self.name.shard) == (&other.name.system, &other.name.shard)
    }

    /// Reads whole bundles from `from` on, until one of the limits is passed, `to` is reached, or one cannot be read: what stands
    /// before it is given first, so that it stands in the way alone. An error if it is the first.
    pub(super) fn read(&self, from: u64, to: u64, (entries, bytes): (u64, usize)) -> Result<Bundles> {
        let mut read = Bundles { bundles: Vec::new(), range: from..from };
        let (mut first, mut len) = (from / WIDTH * WIDTH, 0);
        while read.range.end < to && read.range.end - from < entries && len < bytes {
            let path = LogDir::bundle_of(first, self.size).ok_or(ReadError::NoEntry(first));
            let bundle = match path.and_then(|path| self.reader.bundle(path)) {
                Ok(bundle) => bundle,
                Err(_) if read.range.end > from => break,
                Err(source) => return Err(unreadable(&self.name.origin, source)),
            };
            len += bundle.len();
            read.bundles.push((first, bundle));
            first += WIDTH;
            read.range.end = first.min(to);
        }
        Ok(read)
    }

    /// The first entry after the bundle that holds this one.
    pub(super) fn after_bundle(index: u64) -> u64 {
        (index / WIDTH + 1).saturating_mul(WIDTH)
    }

    /// When the first entry that is not in the store was logged; if it does not say, when the one before it was.
    pub(super) fn waiting_since_ns(&self) -> Option<i64> {
        let next = Some(self.position.next).filter(|next| *next < self.size)?;
        let entry = self.reader.entry(next, self.size).ok();
        let view = entry.as_deref().and_then(|entry| EntryView::parse(entry).ok());
        let logged = view.and_then(|view| i64::try_from(view.events.first()?.logged_at.nanos()).ok());
        Some(logged.unwrap_or(self.position.newest_ns))
    }

    /// Writes the follower's cursor, which purges and the operator read. It says no more than what is committed; an older one,
    /// or none, only holds purges back, so that an error here is no reason to stop.
    pub(super) fn store_cursor(&mut self) {
        let Some(cursor) = self.cursor.as_ref().filter(|_| self.cursor_at != Some(self.position.next)) else {
            return;
        };
        if cursor.store(self.position.next).is_ok() {
            self.cursor_at = Some(self.position.next);
        }
    }
}
