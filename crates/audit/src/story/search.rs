//! Finding every entry of a decision: from the bundle that holds the time in its id to the end of the log, for a label may
//! come years later.

use inferlog_merkle::entries;
use inferlog_record::{Entry, Id, Kind, PayloadRole, body::Body};
use memchr::memmem::Finder;

use crate::error::Result;
use crate::json::EntryScan;
use crate::open::OpenLog;

/// What one log holds of a decision.
#[derive(Debug, Default)]
pub(crate) struct Hits {
    /// Its entries, ascending.
    pub(crate) entries: Vec<(u64, Vec<u8>)>,
    /// Entries of others that name it: alarms, holds, readers.
    pub(crate) mentions: Vec<u64>,
    /// Erasures since.
    pub(crate) erasures: Vec<ErasureHit>,
}

/// An event that destroyed keys.
#[derive(Debug)]
pub(crate) struct ErasureHit {
    pub(crate) index: u64,
    pub(crate) event: Id,
    pub(crate) body: inferlog_record::body::Erasure,
    /// Payloads that a hold withheld from it.
    pub(crate) withheld: Vec<Id>,
}

/// Searches one log.
pub(crate) fn search(log: &OpenLog, decision: Id) -> Result<Hits> {
    let start = log.start(decision.millis().saturating_mul(1_000_000))?;
    let mut hits = Hits::default();
    scan(log, decision, (start, log.size()), &mut hits)?;
    // A clock that was far off: what was not found at its time is looked for everywhere.
    if start > 0 && !hits.entries.first().is_some_and(|(_, entry)| opens(entry)) {
        let later = std::mem::take(&mut hits);
        scan(log, decision, (0, start), &mut hits)?;
        hits.entries.extend(later.entries);
        hits.mentions.extend(later.mentions);
        hits.erasures.extend(later.erasures);
    }
    Ok(hits)
}

fn scan(log: &OpenLog, decision: Id, (from, to): (u64, u64), hits: &mut Hits) -> Result<()> {
    let text = decision.to_string();
    let (wanted, erasure) = (Finder::new(&text), Finder::new(br#""kind":"erasure""#));
    log.bundles(from, to, |first, bundle| {
        if wanted.find(bundle).is_none() && erasure.find(bundle).is_none() {
            return Ok(());
        }
        for (index, entry) in (first..).zip(entries(bundle)) {
            let entry = entry.map_err(|error| log.malformed(index, error))?;
            if erasure.find(entry).is_some() {
                hits.erasures.extend(erasures(log, index, entry)?);
            }
            if wanted.find(entry).is_none() {
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

fn opens(entry: &[u8]) -> bool {
    let mut scan = EntryScan::default();
    scan.read(entry).is_ok()
        && scan.events.iter().any(|event| event.kind == Kind::DecisionOpened.as_str().as_bytes())
}

fn erasures(log: &OpenLog, index: u64, bytes: &[u8]) -> Result<Vec<ErasureHit>> {
    let entry = Entry::from_bytes(bytes).map_err(|error| log.malformed(index, error))?;
    let hits = entry.events.into_iter().filter_map(|event| match event.body {
        Body::Erasure(body) => {
            let held = event.payloads.iter().filter(|reference| reference.role == PayloadRole::Withheld);
            let withheld = held.map(|reference| reference.payload).collect();
            Some(ErasureHit { index, event: event.id, body: *body, withheld })
        }
        _ => None,
    });
    Ok(hits.collect())
}
