//! What the logs of the bundle have and lack of the time that its decisions span.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use inferlog_audit::Select;
use inferlog_audit::coverage::{CoverageOptions, CoverageReport, cover};
use inferlog_disk::Fs;
use inferlog_record::{Id, Timestamp};

use super::error::{Result, WriteError};
use super::plan::Plan;
use super::{Phase, Step};

/// The coverage from the first to the last event of the decisions, of their systems alone. No clock is read: what is still open at
/// the last event is judged by its time.
pub(super) fn report(
    fs: &Arc<dyn Fs>,
    data: &Path,
    plan: &Plan,
    progress: &mut dyn FnMut(Step),
) -> Result<CoverageReport> {
    let (first, last) = plan.span;
    let end = Timestamp(last.0.saturating_add(1));
    let systems: BTreeSet<&str> = plan.logs.iter().map(|log| log.dir.system()).collect();
    let mut whole: Option<CoverageReport> = None;
    for system in systems {
        let select = Select::system(system);
        let (since, until, now) = (Some(first), Some(end), end);
        let options = CoverageOptions { select, since, until, now, ..CoverageOptions::default() };
        let of_it = cover(fs, data, &options, &mut |so_far| {
            progress(Step { phase: Phase::Judging, done: so_far.entries, total: so_far.entries_total });
        })?;
        match &mut whole {
            Some(whole) => whole.systems.extend(of_it.systems),
            None => whole = Some(of_it),
        }
    }
    let mut report = whole.ok_or(WriteError::NoDecisions)?;
    let own: HashSet<Id> = plan.decisions.iter().map(|decision| decision.summary.id).collect();
    for finding in report.systems.iter_mut().flat_map(|system| &mut system.findings) {
        // Who gets a bundle is told of its own decisions, not of others.
        finding.examples.retain(|example| example.parse::<Id>().map_or(true, |id| own.contains(&id)));
    }
    Ok(report)
}
