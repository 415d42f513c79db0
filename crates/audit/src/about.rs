//! The decisions about a person.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_record::{Entry, Id, Pseudonym};
use memchr::memmem::Finder;

use crate::error::Result;
use crate::open::OpenLog;
use crate::select::Select;

/// The decisions of the selected logs that any event says are about this person, by id: what was learnt late counts too. `visit` is
/// told how many entries of how many have been read.
///
/// # Errors
/// Damage that keeps the logs from being read.
pub fn about(
    fs: &Arc<dyn Fs>,
    dir: &Path,
    select: &Select,
    person: Pseudonym,
    mut visit: impl FnMut(u64, u64),
) -> Result<BTreeSet<Id>> {
    /// Entries between two words on how far it is.
    const TOLD_EVERY: u64 = 4096;
    let text = person.to_string();
    let finder = Finder::new(&text);
    let logs = OpenLog::all(fs, dir, select, &[])?;
    let (total, mut done) = (logs.iter().map(OpenLog::size).sum(), 0);
    let mut found = BTreeSet::new();
    for log in &logs {
        let mut failed = None;
        let scanned = log.reader.scan(0, log.size(), |index, bytes| {
            if index % TOLD_EVERY == 0 {
                visit(done + index, total);
            }
            if finder.find(bytes).is_some() {
                match Entry::from_bytes(bytes) {
                    Ok(entry) if entry.events.iter().any(|event| event.subjects.contains(&person)) => {
                        found.extend(entry.decision);
                    }
                    Ok(_) => {}
                    Err(error) => failed = Some(log.malformed(index, error)),
                }
            }
            failed.is_none()
        });
        scanned.map_err(|error| log.unreadable(error))?;
        failed.map_or(Ok(()), Err)?;
        done += log.size();
    }
    Ok(found)
}
