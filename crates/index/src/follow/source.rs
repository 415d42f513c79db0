//! A log as a follower reads it: whole bundles, in order.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::{Fs, read_optional};
use inferlog_log::{Cursor, LogDir, LogError, LogIdentity, LogReader, ReadError, Run, cursors, list_logs};
use inferlog_merkle::TILE_WIDTH;
use inferlog_record::EntryView;

use crate::engine::{LogName, Position};
use crate::error::{IndexError, Result};
use crate::removal::PurgeDue;

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
    /// What the cursor's file says; `None` if there is none.
    cursor_at: Option<u64>,
    /// Entries below this were looked through for erasures before anything was derived from them.
    pub(super) ahead: u64,
}

/// A part of a log that was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    runs: Vec<Run>,
    /// The entries that were meant. Those of them that are not there were pruned.
    pub(super) range: Range<u64>,
}

impl Read {
    /// The entries, with their indices.
    pub(super) fn entries(&self, origin: &str) -> Result<Vec<(u64, &[u8])>> {
        let mut all = Vec::with_capacity((self.range.end - self.range.start) as usize);
        for run in &self.runs {
            for entry in run.entries() {
                let (index, entry) = entry.map_err(|source| unreadable(origin, source))?;
                if self.range.contains(&index) {
                    all.push((index, entry));
                }
            }
        }
        Ok(all)
    }
}

/// The id of a data directory's keystore; the log's own id, where there is none beside it.
fn keystore(fs: &dyn Fs, data: &Path, log: &LogIdentity) -> String {
    let id = read_optional(fs, &data.join("keystore").join("id")).ok().flatten();
    let id = id.and_then(|bytes| String::from_utf8(bytes).ok()).map(|text| text.trim_end().to_owned());
    let is_id = |text: &String| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    id.filter(is_id).unwrap_or_else(|| hex::encode(log.id().0))
}

pub(super) fn unreadable(origin: &str, source: ReadError) -> IndexError {
    IndexError::Read { origin: origin.to_owned(), source }
}

impl Source {
    fn open(fs: &Arc<dyn Fs>, data: &Path, dir: LogDir, follower: &str) -> Result<Self> {
        let identity = LogIdentity::load(&**fs, &dir)?;
        let keystore = keystore(&**fs, data, &identity);
        let name = LogName {
            keystore,
            origin: identity.origin,
            system: dir.system().to_owned(),
            shard: dir.shard().to_owned(),
            epoch: dir.epoch().to_owned(),
        };
        let cursor = match Cursor::open(fs.clone(), &dir, follower) {
            Err(error @ LogError::Name { .. }) => return Err(error.into()),
            cursor => cursor.ok(),
        };
        let there = cursors(fs, &dir).unwrap_or_default().into_iter().find(|(name, _)| name == follower);
        let reader = LogReader::new(fs.clone(), dir);
        Ok(Self {
            name,
            reader,
            position: Position::default(),
            size: 0,
            created: identity.created,
            cursor,
            cursor_at: there.map(|(_, at)| at),
            ahead: 0,
        })
    }

    /// Adds logs that are new in the data directory. Epochs of one system and shard stand in the order in which they were created.
    pub(super) fn find(fs: &Arc<dyn Fs>, data: &Path, follower: &str, known: &mut Vec<Source>) -> Result<()> {
        for dir in list_logs(&**fs, data)? {
            if !known.iter().any(|source| *source.reader.dir() == dir) {
                known.push(Self::open(fs, data, dir, follower)?);
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
    pub(super) fn read(&self, from: u64, to: u64, (entries, bytes): (u64, usize)) -> Result<Read> {
        let mut read = Read { runs: Vec::new(), range: from..from };
        let (mut runs, mut len, mut count) = (self.reader.bundles(from, self.size), 0, 0);
        while read.range.end < to && count < entries && len < bytes {
            match runs.next() {
                Some(Ok(run)) => {
                    len += run.bytes().len();
                    count += run.entries().count() as u64;
                    read.runs.push(run);
                    read.range.end = runs.at().clamp(from, to);
                }
                None => read.range.end = to,
                Some(Err(_)) if read.range.end > from => break,
                Some(Err(source)) => return Err(unreadable(&self.name.origin, source)),
            }
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

    /// Falls back to where the store is, if that is not as far as was committed.
    pub(super) fn fall_back(&mut self, there: &[(LogName, Position)]) {
        let there = there.iter().find(|(name, _)| name.origin == self.name.origin);
        let there = there.map_or(Position::default(), |(_, position)| *position);
        if there.next < self.position.next {
            self.position = there;
        }
    }

    /// What the cursor may say once the store has settled: nothing of a purge of entries that is not carried out there.
    fn cursor_wanted(&self, due: &[PurgeDue]) -> u64 {
        let log = self.position.log;
        let due = due.iter().filter(|due| log != 0 && due.event.log() == log).map(|due| due.event.index());
        due.min().map_or(self.position.next, |event| event.min(self.position.next))
    }

    /// Whether the cursor's file says less than it may, or none is there.
    pub(super) fn is_cursor_due(&self, due: &[PurgeDue]) -> bool {
        self.cursor.is_some() && self.cursor_at != Some(self.cursor_wanted(due))
    }

    /// Takes the cursor back where the store has lost what it stood for. An error is no reason to stop: it is tried again.
    pub(super) fn lower_cursor(&mut self, due: &[PurgeDue]) {
        if self.cursor_at.is_some_and(|at| at > self.cursor_wanted(due)) {
            self.store_cursor(due);
        }
    }

    /// Writes the follower's cursor, on which purges and erasures wait. What stands behind it has settled; an older one, or none,
    /// only holds them back, so that an error here is no reason to stop.
    pub(super) fn store_cursor(&mut self, due: &[PurgeDue]) {
        let wanted = self.cursor_wanted(due);
        let Some(cursor) = self.cursor.as_ref().filter(|_| self.cursor_at != Some(wanted)) else { return };
        if cursor.store(wanted).is_ok() {
            self.cursor_at = Some(wanted);
        }
    }
}
