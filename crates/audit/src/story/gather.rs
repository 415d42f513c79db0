//! All that the logs hold of one decision: found where an index says, or by searching.

use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_record::{Entry, Id};

use super::StoryOptions;
use super::locate::Located;
use super::removed::{purged_by, purged_under};
use super::search::{Hits, Wanted, look_up, search};
use super::shared::SharedContent;
use crate::error::{AuditError, Result};
use crate::fate::{self, Removals};
use crate::json::EntryScan;
use crate::open::OpenLog;

/// What the logs hold of a decision.
#[derive(Debug)]
pub(crate) struct Gathered {
    /// The logs that tell the decision, then those that only name it, then those that hold nothing but changes.
    pub(crate) found: Vec<(OpenLog, Hits)>,
    /// What was erased, purged and frozen; logs are numbered as in `found`.
    pub(crate) removals: Removals,
    /// Where content is that is shared.
    pub(crate) shared: SharedContent,
    /// What was wrong with the index.
    pub(crate) notices: Vec<String>,
}

/// Gathers all of it. [`AuditError::NoDecision`] if there is nothing.
pub(crate) fn gather(
    fs: &Arc<dyn Fs>,
    dir: &Path,
    wanted: Wanted,
    options: &StoryOptions<'_>,
) -> Result<Gathered> {
    let logs = OpenLog::all(fs, dir, &options.select, &options.keys)?;
    let mut notices = Vec::new();
    let located = match options.locator.map(|locator| locator.locate(wanted.decision)) {
        Some(Ok(located)) => located,
        Some(Err(why)) => {
            notices.push(format!("the index could not be asked, the log was searched: {why}"));
            Vec::new()
        }
        None => Vec::new(),
    };
    let mut found = Vec::new();
    for log in logs {
        let located = located.iter().find(|located| located.origin == log.origin);
        let (hits, is_located) = of_log(&log, wanted, located, &mut notices)?;
        found.push((log, hits, is_located));
    }
    // What an index leaves out cannot be seen from what it names, but for this.
    if !found.iter().any(|(_, hits, _)| hits.has_opening())
        || !found.iter().all(|(_, hits, _)| is_whole(hits))
    {
        for (log, hits, _) in found.iter_mut().filter(|(_, _, is_located)| *is_located) {
            let searched = search(log, wanted)?;
            if searched.entries.len() > hits.entries.len() {
                notices.push(incomplete(log, "it does not name all entries of this decision"));
            }
            *hits = searched;
        }
    }
    let mut found: Vec<(OpenLog, Hits)> = found.into_iter().map(|(log, hits, _)| (log, hits)).collect();
    // Last those that are read for what they say of removals alone: the numbers of the others stay.
    found.sort_by_key(|(_, hits)| {
        (hits.entries.is_empty(), hits.mentions.is_empty(), hits.changes.is_empty())
    });
    if found.first().is_none_or(|(_, hits)| hits.entries.is_empty()) {
        return Err(not_found(&mut found, wanted.decision)?);
    }
    let removals = removals(&mut found, false)?;
    found.retain(|(_, hits)| !hits.is_empty());
    Ok(Gathered { found, removals, shared: SharedContent::new(fs, dir), notices })
}

/// Why nothing was found: there is nothing, or entries of that time were purged and nobody can say any more.
fn not_found(found: &mut [(OpenLog, Hits)], decision: Id) -> Result<AuditError> {
    let removals = removals(found, true)?;
    let mut said = Vec::new();
    for (number, (log, hits)) in found.iter().enumerate() {
        let first = log.first()?;
        if first == 0 || first >= log.size() {
            continue;
        }
        let mut began = None;
        log.each(&[first], |_, entry| {
            began = Entry::from_bytes(entry).ok().and_then(|entry| Some(entry.events.first()?.logged_at));
            Ok(())
        })?;
        if began.is_none_or(|began| decision.millis() > began.nanos() / 1_000_000) {
            continue;
        }
        let purges = removals.purges().iter().filter(|purge| purge.is_of_entries() && purge.at.0 == number);
        let by: Vec<_> = purges.map(|purge| purged_by(purge, found)).collect();
        let named = match hits.mentions.as_slice() {
            [] => String::new(),
            [one] => format!("; entry {one} names it"),
            [one, ..] => format!("; entry {one} and others name it"),
        };
        said.push(format!(
            "the entries of {} before {first} are gone but for those kept, {}{named}",
            log.origin,
            purged_under(&by)
        ));
    }
    let decision = decision.to_string();
    Ok(match said.is_empty() {
        true => AuditError::NoDecision(decision),
        false => AuditError::DecisionPurged { decision, what: said.join("; ") },
    })
}

/// What the life of these logs says of removals and holds: of the decision's own system all of it.
fn removals(found: &mut [(OpenLog, Hits)], all: bool) -> Result<Removals> {
    let own: Vec<String> = found
        .iter()
        .filter(|(_, hits)| !hits.entries.is_empty())
        .map(|(log, _)| log.dir.system().to_owned())
        .collect();
    let mut removals = Removals::default();
    for (number, (log, hits)) in found.iter_mut().enumerate() {
        let is_own = all || own.iter().any(|system| system == log.dir.system());
        let scanned = if is_own { hits.scanned.clone() } else { 0..log.size() };
        fate::of_log(log, number, &std::mem::take(&mut hits.life), scanned, &mut removals)?;
    }
    Ok(removals)
}

/// What one log holds, and whether an index said so.
fn of_log(
    log: &OpenLog,
    wanted: Wanted,
    located: Option<&Located>,
    notices: &mut Vec<String>,
) -> Result<(Hits, bool)> {
    let Some(located) = located else { return Ok((search(log, wanted)?, false)) };
    match look_up(log, wanted, located)? {
        Ok(hits) => Ok((hits, true)),
        Err(why) => {
            notices.push(incomplete(log, &why));
            Ok((search(log, wanted)?, false))
        }
    }
}

fn incomplete(log: &OpenLog, why: &str) -> String {
    format!("the index of {} is wrong, the log was searched instead: {why}; rebuild the index", log.origin)
}

/// Whether all parts of each write stand beside each other.
fn is_whole(hits: &Hits) -> bool {
    let has = |index: u64| hits.entries.binary_search_by_key(&index, |(index, _)| *index).is_ok();
    hits.entries.iter().all(|(index, entry)| {
        let mut scan = EntryScan::default();
        let parts = scan.read(entry).ok().and_then(|()| {
            let first = (index + 1).checked_sub(scan.part)?;
            Some(first..first.saturating_add(scan.of))
        });
        parts.is_some_and(|mut parts| parts.all(has))
    })
}
