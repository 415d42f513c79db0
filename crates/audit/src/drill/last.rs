//! When a system was drilled last: read from its log.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_merkle::{TILE_WIDTH, entries};
use inferlog_record::body::{Body, DrillResult};
use inferlog_record::{Entry, Id, Tally, Timestamp};
use memchr::memmem::Finder;

use crate::error::Result;
use crate::open::OpenLog;
use crate::select::Select;

const DRILL: &[u8] = br#""kind":"drill""#;

/// A drill that the log tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastDrill {
    /// The event.
    pub event: Id,
    /// When it was recorded.
    pub logged_at: Timestamp,
    /// Its result.
    pub result: DrillResult,
    /// Decisions drawn.
    pub sampled: u64,
    /// Those of them that could not be reconstructed as required.
    pub failed: u64,
}

/// The last drill of each system since a time, by system: of decisions that were drawn at random, not named. The logs are read from
/// their ends.
///
/// # Errors
/// Damage that keeps the logs from being read.
pub fn last_drills(fs: &Arc<dyn Fs>, dir: &Path, since: Timestamp) -> Result<BTreeMap<String, LastDrill>> {
    let mut drills: BTreeMap<String, LastDrill> = BTreeMap::new();
    for log in OpenLog::all(fs, dir, &Select::default(), &[])? {
        let Some(found) = last_of(&log, since)? else { continue };
        let known = drills.entry(log.dir.system().to_owned()).or_insert(found);
        if known.logged_at < found.logged_at {
            *known = found;
        }
    }
    Ok(drills)
}

fn last_of(log: &OpenLog, since: Timestamp) -> Result<Option<LastDrill>> {
    let (width, drill) = (u64::from(TILE_WIDTH), Finder::new(DRILL));
    let (start, mut end) = (log.start(since.nanos())?, log.size());
    while end > start {
        // What was kept of what was pruned is little: it is read at once.
        let there = log.reader.first()?;
        let first = if end > there { start.max((end - 1) / width * width).max(there) } else { start };
        let mut found = None;
        log.bundles(first, end, |first, bundle| {
            if drill.find(bundle).is_none() {
                return Ok(());
            }
            for (index, entry) in (first..end).zip(entries(bundle)) {
                let entry = entry.map_err(|error| log.malformed(index, error))?;
                if drill.find(entry).is_some() {
                    let entry = Entry::from_bytes(entry).map_err(|error| log.malformed(index, error))?;
                    found = entry.events.iter().filter_map(drilled).next_back().or(found.take());
                }
            }
            Ok(())
        })?;
        if let Some(found) = found.filter(|found: &LastDrill| found.logged_at >= since) {
            return Ok(Some(found));
        }
        end = first;
    }
    Ok(None)
}

fn drilled(event: &inferlog_record::Event) -> Option<LastDrill> {
    let Body::Drill(body) = &event.body else { return None };
    let is_random = matches!(body.population, Tally::Known(_));
    is_random.then_some(LastDrill {
        event: event.id,
        logged_at: event.logged_at,
        result: body.result,
        sampled: body.sampled.0,
        failed: body.failed.0,
    })
}
