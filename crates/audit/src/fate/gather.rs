//! Where the life of a system stands: in what was scanned, and where the log's own `ledger` says.

use std::collections::BTreeSet;
use std::ops::Range;

use inferlog_log::derived;
use inferlog_record::{Entry, EntryError};
use memchr::memmem::Finder;
use serde::Deserialize;

use super::Removals;
use crate::error::Result;
use crate::open::OpenLog;

/// Finds entries that erase, purge or freeze by their bytes, before any is parsed.
#[derive(Debug)]
pub struct LifeFinder([Finder<'static>; 3]);

impl Default for LifeFinder {
    fn default() -> Self {
        Self([r#""kind":"erasure""#, r#""kind":"purge""#, r#""kind":"hold."#].map(Finder::new))
    }
}

impl LifeFinder {
    /// Whether an entry, or a bundle of them, may hold such an event.
    pub fn finds(&self, bytes: &[u8]) -> bool {
        self.0.iter().any(|finder| finder.find(bytes).is_some())
    }
}

impl Removals {
    /// Takes what an entry says.
    ///
    /// # Errors
    /// The entry is not one.
    pub fn take(&mut self, at: super::At, entry: &[u8]) -> Result<(), EntryError> {
        Entry::from_bytes(entry)?.events.iter().for_each(|event| self.learn(at, event));
        Ok(())
    }
}

/// The file `ledger` of a log: derived, where every permanent event stands, with its digest. One that does not check is not read.
#[derive(Deserialize)]
struct Ledger {
    format: u32,
    next: u64,
    events: Vec<u64>,
}

/// Reads the life of one log into `removals`: the entries that are named, and all others of the kind outside of what was
/// `scanned` for them. Below its `next` the log's ledger says where these are; as an index, it is asked and what it names is read,
/// but what it leaves out is not missed: `verify` reads every entry itself.
pub(crate) fn of_log(
    log: &OpenLog,
    number: usize,
    named: &[u64],
    scanned: Range<u64>,
    removals: &mut Removals,
) -> Result<()> {
    let size = log.size();
    let ledger = log.reader.fs().read(&log.dir.path().join("ledger")).ok();
    let ledger = ledger.and_then(|bytes| serde_json::from_str::<Ledger>(derived::checked(&bytes)?).ok());
    let ledger = ledger.filter(|ledger| ledger.format == 1);
    let mut indices: BTreeSet<u64> = named.iter().copied().filter(|index| *index < size).collect();
    let mut from = 0;
    if let Some(ledger) = ledger {
        from = ledger.next;
        indices.extend(ledger.events.into_iter().filter(|index| *index < size));
    }
    let finder = LifeFinder::default();
    for range in [from..scanned.start, from.max(scanned.end)..size] {
        if range.start >= range.end {
            continue;
        }
        log.bundles(range.start, range.end, |first, bundle| {
            if finder.finds(bundle) {
                for (index, entry) in (first..).zip(inferlog_merkle::entries(bundle)) {
                    let entry = entry.map_err(|error| log.malformed(index, error))?;
                    if finder.finds(entry) {
                        indices.insert(index);
                    }
                }
            }
            Ok(())
        })?;
    }
    let indices: Vec<u64> = indices.into_iter().filter(|index| *index < size).collect();
    log.each(&indices, |index, entry| {
        removals.take((number, index), entry).map_err(|error| log.malformed(index, error))
    })
}
