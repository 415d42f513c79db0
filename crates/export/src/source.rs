//! The logs that are read, as far as their checkpoints reach, entry by entry.

use std::path::Path;
use std::sync::Arc;

use inferlog_audit::AuditError;
use inferlog_disk::Fs;
use inferlog_log::{LogDir, LogIdentity, LogReader, ReadError, list_logs};
use inferlog_merkle::entries;
use inferlog_record::{ENTRY_VERSION, Event, Id};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{ExportError, Result};
use crate::selection::Selection;

/// A log.
pub(crate) struct Source {
    pub(crate) origin: String,
    pub(crate) reader: LogReader,
    /// The newest checkpoint, as it is signed; empty before the first. It is not verified here: the export carries it, so that
    /// its reader can.
    pub(crate) checkpoint: String,
    /// Entries under it.
    pub(crate) size: u64,
    /// Where reading begins: the first entry, or one before all that is asked for.
    pub(crate) first: u64,
}

/// Opens the logs that are meant, by system, shard and epoch.
pub(crate) fn open(fs: &Arc<dyn Fs>, data: &Path, selection: &Selection) -> Result<Vec<Source>> {
    if !fs.exists(&data.join("node"))? {
        return Err(AuditError::NoData(data.display().to_string()).into());
    }
    let all = list_logs(&**fs, data)?;
    let names: Vec<String> = all.iter().map(name).collect();
    let chosen: Vec<LogDir> = all.into_iter().filter(|log| selection.select.has(log)).collect();
    if chosen.is_empty() && selection.select != inferlog_audit::Select::default() {
        return Err(AuditError::NoLog(selection.select.to_string(), names.join(", ")).into());
    }
    chosen.into_iter().map(|dir| Source::open(fs, dir, selection)).collect()
}

fn name(log: &LogDir) -> String {
    format!("{}/{}/{}", log.system(), log.shard(), log.epoch())
}

impl Source {
    fn open(fs: &Arc<dyn Fs>, dir: LogDir, selection: &Selection) -> Result<Self> {
        let origin = LogIdentity::load(&**fs, &dir)?.origin;
        let reader = LogReader::new(fs.clone(), dir);
        let signed = reader.checkpoint()?;
        let (checkpoint, size) =
            signed.map_or_else(Default::default, |(note, checkpoint)| (note.to_string(), checkpoint.size()));
        let mut source = Self { origin, reader, checkpoint, size, first: 0 };
        if let Some(since) = selection.since {
            let first = source.reader.seek_time(since.nanos(), size);
            source.first = first.map_err(|error| source.unreadable(error))?;
        }
        Ok(source)
    }

    pub(crate) fn system(&self) -> &str {
        self.reader.dir().system()
    }

    /// Gives the bundles from this entry on to `visit`, each with the index of its first entry; of what was pruned what was kept, in
    /// parts of bundles.
    pub(crate) fn bundles(&self, from: u64, mut visit: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
        for run in self.reader.bundles(from, self.size) {
            let run = run.map_err(|error| self.unreadable(error))?;
            visit(run.first, run.bytes())?;
        }
        Ok(())
    }

    /// Gives every entry from the beginning of the selection on to `visit`.
    pub(crate) fn entries(&self, mut visit: impl FnMut(u64, &ReadEntry<'_>) -> Result<()>) -> Result<()> {
        self.bundles(self.first, |first, bundle| {
            for (index, entry) in (first..).zip(entries(bundle)) {
                let entry = entry.map_err(|error| self.malformed(index, error))?;
                visit(index, &self.parse(index, entry)?)?;
            }
            Ok(())
        })
    }

    /// One entry.
    pub(crate) fn entry(&self, index: u64) -> Result<Vec<u8>> {
        self.reader.entry(index, self.size).map_err(|error| self.unreadable(error))
    }

    pub(crate) fn parse<'a>(&self, index: u64, bytes: &'a [u8]) -> Result<ReadEntry<'a>> {
        let wire: Wire<'a> = serde_json::from_slice(bytes).map_err(|error| self.malformed(index, error))?;
        if wire.v != ENTRY_VERSION {
            let what = format!("version {} of the format; this reader knows {ENTRY_VERSION}", wire.v);
            return Err(self.malformed(index, what));
        }
        let event = |raw: &'a RawValue| {
            let event = serde_json::from_str(raw.get()).map_err(|error| self.malformed(index, error))?;
            Ok(ReadEvent { event, raw })
        };
        let events = wire.events.into_iter().map(event).collect::<Result<Vec<_>>>()?;
        Ok(ReadEntry { decision: wire.decision, events, of: wire.of, part: wire.part })
    }

    fn unreadable(&self, source: ReadError) -> ExportError {
        AuditError::Read { log: self.origin.clone(), source }.into()
    }

    pub(crate) fn malformed(&self, index: u64, what: impl std::fmt::Display) -> ExportError {
        AuditError::Entry { log: self.origin.clone(), index, what: what.to_string() }.into()
    }
}

/// An entry that was read.
pub(crate) struct ReadEntry<'a> {
    pub(crate) decision: Option<Id>,
    pub(crate) events: Vec<ReadEvent<'a>>,
    pub(crate) of: u32,
    pub(crate) part: u32,
}

/// An event of it.
pub(crate) struct ReadEvent<'a> {
    pub(crate) event: Event,
    /// As it stands in the log.
    pub(crate) raw: &'a RawValue,
}

#[derive(Deserialize)]
struct Wire<'a> {
    decision: Option<Id>,
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
    #[serde(default = "one")]
    of: u32,
    #[serde(default = "one")]
    part: u32,
    v: u32,
}

fn one() -> u32 {
    1
}
