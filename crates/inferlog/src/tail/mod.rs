//! Following the logs of a data directory by themselves: what their checkpoints cover, event by event.

mod line;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_log::{LogDir, LogIdentity, LogReader, list_logs};
use inferlog_merkle::TILE_WIDTH;
use inferlog_record::{Id, SystemName};
use memchr::memmem;

pub(crate) use self::line::Line;
use crate::output::Failure;

/// Which events.
pub(crate) struct Wanted {
    /// Of these kinds; of every kind, if there are none.
    pub(crate) kinds: Vec<String>,
    pub(crate) system: Option<SystemName>,
    pub(crate) decision: Option<Id>,
}

/// The logs of a data directory, each read up to some entry.
pub(crate) struct Logs {
    fs: Arc<dyn Fs>,
    data: PathBuf,
    wanted: Wanted,
    logs: BTreeMap<LogDir, Followed>,
}

struct Followed {
    reader: LogReader,
    origin: Arc<str>,
    /// The first entry that was not read yet.
    next: u64,
}

impl Logs {
    /// Opens every log of the directory; nothing is read yet.
    pub(crate) fn open(fs: Arc<dyn Fs>, data: &Path, wanted: Wanted) -> Result<Self, Failure> {
        let mut logs = Self { fs, data: data.to_owned(), wanted, logs: BTreeMap::new() };
        logs.look()?;
        if let (Some(system), true) = (&logs.wanted.system, logs.logs.is_empty()) {
            return Err(Failure::new(format!("there is no log of {system} in {}", data.display())));
        }
        Ok(logs)
    }

    /// The newest events, the newest last. What comes afterwards is [`Logs::next`].
    pub(crate) fn newest(&mut self, count: usize) -> Result<Vec<Line>, Failure> {
        let mut lines = Vec::new();
        for log in self.logs.values_mut() {
            let size = log.reader.size()?;
            lines.extend(log.newest(&self.wanted, size, count)?);
            log.next = size;
        }
        lines.sort_by(Line::by_time);
        Ok(lines.split_off(lines.len().saturating_sub(count)))
    }

    /// What came since, in the order in which it was logged.
    pub(crate) fn next(&mut self) -> Result<Vec<Line>, Failure> {
        self.look()?;
        let mut lines = Vec::new();
        for log in self.logs.values_mut() {
            let size = log.reader.size()?;
            if size > log.next {
                lines.extend(log.read(&self.wanted, log.next, size)?);
                log.next = size;
            }
        }
        lines.sort_by(Line::by_time);
        Ok(lines)
    }

    /// Takes up logs that are new.
    fn look(&mut self) -> Result<(), Failure> {
        for dir in list_logs(&*self.fs, &self.data)? {
            let is_wanted = self.wanted.system.as_ref().is_none_or(|system| system.as_str() == dir.system());
            if is_wanted && !self.logs.contains_key(&dir) {
                let origin = LogIdentity::load(&*self.fs, &dir)?.origin.into();
                let reader = LogReader::new(self.fs.clone(), dir.clone());
                self.logs.insert(dir, Followed { reader, origin, next: 0 });
            }
        }
        Ok(())
    }
}

impl Followed {
    /// The newest events of a log of `size` entries: read backwards, a bundle at a time.
    fn newest(&self, wanted: &Wanted, size: u64, count: usize) -> Result<Vec<Line>, Failure> {
        let width = u64::from(TILE_WIDTH);
        let (mut newest, mut end) = (Vec::new(), size);
        while end > 0 && newest.len() < count {
            let start = (end - 1) / width * width;
            let mut lines = self.read_until(wanted, start, end, size)?;
            lines.append(&mut newest);
            (newest, end) = (lines, start);
        }
        Ok(newest.split_off(newest.len().saturating_sub(count)))
    }

    fn read(&self, wanted: &Wanted, from: u64, size: u64) -> Result<Vec<Line>, Failure> {
        self.read_until(wanted, from, size, size)
    }

    /// Events of the entries from one up to another of a log of `size` entries.
    fn read_until(&self, wanted: &Wanted, from: u64, end: u64, size: u64) -> Result<Vec<Line>, Failure> {
        let needle = wanted.decision.map(|decision| decision.to_string());
        let mut lines = Vec::new();
        self.reader.scan(from, size, |index, entry| {
            if index >= end {
                return false;
            }
            let is_candidate =
                needle.as_ref().is_none_or(|needle| memmem::find(entry, needle.as_bytes()).is_some());
            if is_candidate {
                let events = Line::of_entry(&self.origin, index, entry);
                // What stands behind an entry that is damaged is worth seeing.
                let events =
                    events.unwrap_or_else(|error| vec![Line::unreadable(&self.origin, index, &error)]);
                lines.extend(events.into_iter().filter(|line| line.is(wanted)));
            }
            true
        })?;
        Ok(lines)
    }
}
