//! Whom the logs wait for: every follower that has a cursor, whether or not it runs.
//!
//! The log directory is the interface (docs/followers.md): nothing is purged before every cursor has passed it, and no erasure is
//! complete before every cursor has passed its intent. A follower that nobody runs any more stays required until it is forgotten.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_log::{LogIdentity, LogReader, cursors, list_logs};

use super::report::{FollowerReport, LogReport};
use crate::output::Failure;

/// What a follower's cursor says of one log.
#[derive(Clone, Debug)]
pub(crate) struct Waits {
    /// The log's origin.
    pub(crate) log: String,
    /// Its system.
    pub(crate) system: String,
    /// The first entry that the follower has not durably taken in.
    pub(crate) cursor: u64,
    /// Entries under the checkpoint.
    pub(crate) size: u64,
    /// Erasures that it has not applied.
    pub(crate) erasures: u64,
    /// Purges that it has not applied.
    pub(crate) purges: u64,
}

/// Every follower that has a cursor, by name, in the order of the logs. Reads them from the oldest cursor on.
pub(crate) fn required(fs: &Arc<dyn Fs>, data: &Path) -> Result<BTreeMap<String, Vec<Waits>>, Failure> {
    gather(fs, data, removals)
}

/// With what `removals` finds between an index and the log's size.
fn gather(
    fs: &Arc<dyn Fs>,
    data: &Path,
    removals: fn(&LogReader, u64, u64) -> Removals,
) -> Result<BTreeMap<String, Vec<Waits>>, Failure> {
    let mut all: BTreeMap<String, Vec<Waits>> = BTreeMap::new();
    for dir in list_logs(&**fs, data)? {
        let known = cursors(fs, &dir)?;
        let Some(from) = known.iter().map(|(_, cursor)| *cursor).min() else { continue };
        let (log, system) = (LogIdentity::load(&**fs, &dir)?.origin, dir.system().to_owned());
        let reader = LogReader::new(fs.clone(), dir);
        let size = reader.size()?;
        let (erasures, purges) = removals(&reader, from, size);
        for (name, cursor) in known {
            let since = |indices: &[u64]| indices.iter().filter(|index| **index >= cursor).count() as u64;
            let (erasures, purges) = (since(&erasures), since(&purges));
            let (log, system) = (log.clone(), system.clone());
            all.entry(name).or_default().push(Waits { log, system, cursor, size, erasures, purges });
        }
    }
    Ok(all)
}

/// Indices of erasures' intents, and of purges.
type Removals = (Vec<u64>, Vec<u64>);

/// What cannot be read is told by whoever follows, and by `verify`.
fn removals(reader: &LogReader, from: u64, size: u64) -> Removals {
    let (mut erasures, mut purges) = (Vec::new(), Vec::new());
    // Entries are canonical JSON without spaces, and no free text stands in them.
    let _ = reader.scan(from, size, |index, entry| {
        let has = |text: &str| entry.windows(text.len()).any(|window| window == text.as_bytes());
        if entry.len() < 16_384 && has("\"kind\":\"erasure\"") && has("\"phase\":\"intent\"") {
            erasures.push(index);
        }
        if has("\"kind\":\"purge\"") {
            purges.push(index);
        }
        true
    });
    (erasures, purges)
}

/// Adds to reports what the cursors say, and a report for each follower that none is there of.
pub(crate) fn complete(
    fs: &Arc<dyn Fs>,
    data: &Path,
    reports: &mut Vec<FollowerReport>,
) -> Result<(), Failure> {
    for (name, waits) in required(fs, data)? {
        match reports.iter_mut().find(|report| report.name == name) {
            Some(report) => waits.iter().for_each(|waits| report.add(waits)),
            None => reports.push(FollowerReport::not_run(&name, &waits)),
        }
    }
    Ok(())
}

/// Followers that logs wait for and that are not among those that run, without what waits for them: no log is read, however long one
/// has been away.
pub(crate) fn orphans(
    fs: &Arc<dyn Fs>,
    data: &Path,
    running: &[FollowerReport],
) -> Result<Vec<FollowerReport>, Failure> {
    let required = gather(fs, data, |_, _, _| (Vec::new(), Vec::new()))?;
    let is_run = |name: &String| running.iter().any(|report| report.name == *name);
    let orphans = required.iter().filter(|(name, _)| !is_run(name));
    Ok(orphans.map(|(name, waits)| FollowerReport::not_run(name, waits)).collect())
}

impl FollowerReport {
    /// What is told of a follower that nobody runs.
    fn not_run(name: &str, waits: &[Waits]) -> Self {
        let mut report = Self {
            name: name.to_owned(),
            store: String::new(),
            state: "not run".to_owned(),
            why: None,
            failures: 0,
            logs: Vec::new(),
            skipped: Vec::new(),
        };
        waits.iter().for_each(|waits| report.add(waits));
        report
    }

    fn add(&mut self, waits: &Waits) {
        let Waits { log, system, cursor, size, erasures, purges } = waits;
        let at = self.logs.iter().position(|known| known.log == *log).unwrap_or_else(|| {
            self.logs.push(LogReport {
                log: log.clone(),
                system: system.clone(),
                next: *cursor,
                size: *size,
                identified: *cursor,
                lag_entries: size.saturating_sub(*cursor),
                lag_seconds: 0.0,
                cursor: None,
                erasures_waiting: 0,
                purges_waiting: 0,
            });
            self.logs.len() - 1
        });
        let report = &mut self.logs[at];
        (report.cursor, report.erasures_waiting, report.purges_waiting) = (Some(*cursor), *erasures, *purges);
    }
}
