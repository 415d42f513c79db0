//! Finding every entry of a decision: from the bundle that holds the time in its id to the end of the log, for a label may
//! come years later; or where an index says that they stand, and the log from there on.

use inferlog_merkle::entries;
use inferlog_record::{Id, Kind};
use memchr::memmem::Finder;

use super::locate::Located;
use crate::error::{AuditError, Result};
use crate::fate::LifeFinder;
use crate::json::EntryScan;
use crate::open::OpenLog;

/// What one log holds of a decision.
#[derive(Debug, Default)]
pub(crate) struct Hits {
    /// Its entries, ascending.
    pub(crate) entries: Vec<(u64, Vec<u8>)>,
    /// Entries of others that name it: alarms, holds, readers.
    pub(crate) mentions: Vec<u64>,
    /// Entries that erase, purge or freeze, as far as they were met.
    pub(crate) life: Vec<u64>,
    /// The entries that were all looked at for these.
    pub(crate) scanned: std::ops::Range<u64>,
    /// Entries since with `system.changed` events, where they are asked for.
    pub(crate) changes: Vec<u64>,
}

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) decision: Id,
    /// Whether changes of the system are, too.
    pub(crate) changes: bool,
}

impl Wanted {
    pub(crate) fn only(decision: Id) -> Self {
        Self { decision, changes: false }
    }
}

/// Searches one log.
pub(crate) fn search(log: &OpenLog, wanted: Wanted) -> Result<Hits> {
    let start = log.start(wanted.decision.millis().saturating_mul(1_000_000))?;
    let mut hits = Hits::default();
    scan(log, wanted, (start, log.size()), &mut hits)?;
    hits.scanned = start..log.size();
    // A clock that was far off: what was not found at its time is looked for everywhere.
    if start > 0 && !hits.has_opening() {
        let later = std::mem::take(&mut hits);
        scan(log, wanted, (0, start), &mut hits)?;
        hits.scanned = 0..log.size();
        hits.append(later);
    }
    Ok(hits)
}

/// Reads what an index says of one log, and searches the rest of it. `None` if what it says does not hold, with what was
/// found instead.
pub(crate) fn look_up(
    log: &OpenLog,
    wanted: Wanted,
    located: &Located,
) -> Result<std::result::Result<Hits, String>> {
    let through = located.through.min(log.size());
    let kinds = [&located.entries, &located.mentions, &located.erasures, &located.changes];
    if let Some(beyond) = kinds.into_iter().flatten().find(|index| **index >= located.through) {
        return Ok(Err(format!("it names entry {beyond} and follows the log to {} only", located.through)));
    }
    // It may be ahead of the checkpoint that was read.
    let [entries, mentions, erasures, changes] = kinds.map(|indices| sorted(indices, through));
    let (mut hits, mut wrong) = (Hits::default(), None);
    let text = wanted.decision.to_string();
    let named = Finder::new(&text);
    let read = log.each(&entries, |index, entry| {
        let mut scan = EntryScan::default();
        scan.read(entry).map_err(|malformed| log.malformed(index, malformed))?;
        if scan.decision == Some(text.as_bytes()) {
            hits.entries.push((index, entry.to_vec()));
        } else {
            wrong.get_or_insert(format!("entry {index} is not of this decision"));
        }
        Ok(())
    });
    let read = read.and_then(|()| {
        log.each(&mentions, |index, entry| {
            if named.find(entry).is_some() && entries.binary_search(&index).is_err() {
                hits.mentions.push(index);
            } else {
                wrong.get_or_insert(format!("entry {index} does not name this decision"));
            }
            Ok(())
        })
    });
    match read {
        // An index that has not followed a purge yet.
        Err(AuditError::Read { source, .. }) if source.is_pruned() => return Ok(Err(source.to_string())),
        other => other?,
    }
    // Read by whoever tells of them.
    hits.life = erasures;
    if wanted.changes {
        hits.changes = changes;
    }
    if let Some(wrong) = wrong {
        return Ok(Err(wrong));
    }
    let mut rest = Hits::default();
    scan(log, wanted, (through, log.size()), &mut rest)?;
    hits.scanned = through..log.size();
    hits.append(rest);
    Ok(Ok(hits))
}

fn sorted(indices: &[u64], below: u64) -> Vec<u64> {
    let mut sorted: Vec<u64> = indices.iter().copied().filter(|index| *index < below).collect();
    sorted.sort_unstable();
    sorted.dedup();
    sorted
}

pub(super) const CHANGED: &[u8] = br#""kind":"system.changed""#;

fn scan(log: &OpenLog, wanted: Wanted, (from, to): (u64, u64), hits: &mut Hits) -> Result<()> {
    let text = wanted.decision.to_string();
    let (named, life) = (Finder::new(&text), LifeFinder::default());
    let changed = Finder::new(CHANGED);
    let is_changed = |bytes: &[u8]| wanted.changes && changed.find(bytes).is_some();
    log.bundles(from, to, |first, bundle| {
        if named.find(bundle).is_none() && !life.finds(bundle) && !is_changed(bundle) {
            return Ok(());
        }
        for (index, entry) in (first..).zip(entries(bundle)).filter(|(index, _)| (from..to).contains(index)) {
            let entry = entry.map_err(|error| log.malformed(index, error))?;
            if life.finds(entry) {
                hits.life.push(index);
            }
            if is_changed(entry) {
                hits.changes.push(index);
            }
            if named.find(entry).is_none() {
                continue;
            }
            let mut scan = EntryScan::default();
            scan.read(entry).map_err(|malformed| log.malformed(index, malformed))?;
            match scan.decision {
                Some(found) if found == text.as_bytes() => hits.entries.push((index, entry.to_vec())),
                _ => hits.mentions.push(index),
            }
        }
        Ok(())
    })
}

impl Hits {
    fn append(&mut self, later: Self) {
        self.entries.extend(later.entries);
        self.mentions.extend(later.mentions);
        self.life.extend(later.life);
        self.changes.extend(later.changes);
    }

    /// Whether nothing was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.mentions.is_empty() && self.life.is_empty() && self.changes.is_empty()
    }

    /// Whether the decision begins here.
    pub(crate) fn has_opening(&self) -> bool {
        self.entries.first().is_some_and(|(_, entry)| opens(entry))
    }
}

fn opens(entry: &[u8]) -> bool {
    let mut scan = EntryScan::default();
    scan.read(entry).is_ok()
        && scan.events.iter().any(|event| event.kind == Kind::DecisionOpened.as_str().as_bytes())
}
