//! What holds freeze.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_record::body::Scope;
use inferlog_record::{Entry, Id};

use crate::error::Result;
use crate::open::OpenLog;
use crate::select::Select;

/// How many decisions of the selected logs each list of scopes covers: those of which a scope of it covers any event. The logs are
/// read once for all, from the earliest time on that a scope names.
///
/// # Errors
/// Damage that keeps the logs from being read.
pub fn covered(fs: &Arc<dyn Fs>, dir: &Path, select: &Select, lists: &[&[Scope]]) -> Result<Vec<u64>> {
    let mut found: Vec<HashSet<Id>> = vec![HashSet::new(); lists.len()];
    let earliest =
        lists.iter().flat_map(|scopes| scopes.iter()).map(|scope| scope.from.map_or(0, |from| from.nanos()));
    let from = earliest.min().unwrap_or(0);
    for log in OpenLog::all(fs, dir, select, &[])? {
        let mut failed = None;
        let scanned = log.reader.scan(log.start(from)?, log.size(), |index, bytes| {
            match Entry::from_bytes(bytes) {
                Ok(entry) => take(&entry, lists, &mut found),
                Err(error) => failed = Some(log.malformed(index, error)),
            }
            failed.is_none()
        });
        scanned.map_err(|error| log.unreadable(error))?;
        failed.map_or(Ok(()), Err)?;
    }
    Ok(found.into_iter().map(|decisions| decisions.len() as u64).collect())
}

fn take(entry: &Entry, lists: &[&[Scope]], found: &mut [HashSet<Id>]) {
    let Some(decision) = entry.decision else { return };
    for (scopes, found) in lists.iter().zip(found) {
        let covers = |scope: &Scope| {
            entry
                .events
                .iter()
                .any(|event| scope.covers(Some(decision), &event.retention, event.logged_at, &event.subjects))
        };
        if !found.contains(&decision) && scopes.iter().any(covers) {
            found.insert(decision);
        }
    }
}
