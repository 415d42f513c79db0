//! Coverage: what the record of a window has and lacks (docs/coverage.md).
//!
//! [`cover`] reads each log once, in order, and judges as it goes. What a log holds is taken four ways, by when it was logged:
//! long before the window only acceptances are looked for; in the [`BASELINE_DAYS`] before it also the hours' counts and the system's
//! life; in the window everything; after it what is still owed of the window's decisions. Where packs are past the ceiling that the
//! policy in force gives their class, the logs are read once more; and twice before, where persons were erased or holds were placed, for
//! whose decisions that concerns. No clock is read and no index asked: the same log, registry, window,
//! profiles and `now` give the same report.

mod accepted;
mod ceiling;
mod contents;
mod decisions;
mod events;
mod fields;
mod keeping;
mod life;
mod profile;
mod report;
mod rhythm;
mod rules;
mod scan;
mod text;
mod usage;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_record::Timestamp;

pub use profile::{Preset, Profile, Profiles, Span};
pub use report::{
    Acceptance, CLAIM, CaptureShare, Counts, CoverageReport, FORMAT, FieldShare, Finding, LogRead,
    Reconciliation, Rhythm, RouteShare, Severity, SystemCoverage, UsageCounts, UsageRow,
};
pub use rules::Rule;
pub use usage::{Usage, UsageKey};

use crate::error::Result;
use crate::open::OpenLog;
use crate::select::Select;
use ceiling::Ceilings;
use scan::{Ended, Scan};

/// Days before the window that the rhythm of a system is taken from as well.
pub const BASELINE_DAYS: u64 = 28;
/// Days that are judged where no begin is given.
pub const WINDOW_DAYS_DEFAULT: u64 = 30;

const DAY_NS: u64 = 86_400_000_000_000;

/// What to judge.
#[derive(Clone, Debug, Default)]
pub struct CoverageOptions {
    /// Which logs.
    pub select: Select,
    /// Events logged at or after; by default [`WINDOW_DAYS_DEFAULT`] before `until`, or the log's first entry if that is later.
    pub since: Option<Timestamp>,
    /// Events logged before; `now` by default, and never later.
    pub until: Option<Timestamp>,
    /// What acceptances and the age of open decisions are measured by.
    pub now: Timestamp,
    /// What is expected of each system.
    pub profiles: Profiles,
    /// What a provider counted.
    pub usage: Option<Usage>,
}

/// How far the reading is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoverageProgress {
    /// Entries read, over all logs.
    pub entries: u64,
    /// Entries to read.
    pub entries_total: u64,
}

/// Judges what the logs of a directory have and lacks of a window. `progress` is told after each bundle.
///
/// # Errors
/// [`crate::AuditError::NoLog`] if a log is named that is not there; damage that keeps entries from being read.
pub fn cover(
    fs: &Arc<dyn Fs>,
    dir: &Path,
    options: &CoverageOptions,
    progress: &mut dyn FnMut(CoverageProgress),
) -> Result<CoverageReport> {
    let until = options.until.unwrap_or(options.now).min(options.now);
    let mut systems: BTreeMap<String, Vec<OpenLog>> = BTreeMap::new();
    for log in OpenLog::all(fs, dir, &options.select, &[])? {
        systems.entry(log.dir.system().to_owned()).or_default().push(log);
    }
    let entries_total = systems.values().flatten().map(OpenLog::size).sum();
    let mut so_far = CoverageProgress { entries: 0, entries_total };
    let mut covered = Vec::with_capacity(systems.len());
    let registry = ceiling::registry(fs, dir);
    for (system, logs) in systems {
        let profile = options.profiles.of(&system);
        let ceilings = Ceilings::new(&registry, &system, &logs, options.now)?;
        let mut scan = Scan::new(options, &profile, &logs, until)?.with_ceilings(ceilings);
        for (number, log) in logs.iter().enumerate() {
            scan.read(number, log, &mut |entries| {
                so_far.entries += entries;
                progress(so_far);
            })?;
        }
        covered.push(scan.end(system, &logs)?);
    }
    let since = options.since.map(|since| since.to_string());
    let since = since.or_else(|| covered.iter().filter_map(|system| system.coverage.since.clone()).min());
    let from = since.as_ref().and_then(|since| since.parse::<Timestamp>().ok()).unwrap_or(until);
    let usage = options.usage.as_ref();
    let usage = usage.map(|usage| usage.reconcile(&mut covered, &(from.nanos()..until.nanos())));
    Ok(CoverageReport {
        claim: CLAIM,
        format: FORMAT,
        now: options.now.to_string(),
        since,
        systems: covered.into_iter().map(|system| accept(system, options.now)).collect(),
        until: until.to_string(),
        usage,
    })
}

/// Says of each finding whether somebody answers for it; sorts the gravest first.
fn accept(system: Ended, now: Timestamp) -> SystemCoverage {
    let Ended { mut coverage, accepted, .. } = system;
    coverage.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    coverage.acceptances = accepted.end(now, &mut coverage.findings);
    coverage
}

/// The begin of a window, where the log's first entry was logged at `first`.
fn since(options: &CoverageOptions, until: Timestamp, first: Option<u64>) -> u64 {
    let default = until.nanos().saturating_sub(WINDOW_DAYS_DEFAULT * DAY_NS).max(first.unwrap_or(0));
    options.since.map_or(default, Timestamp::nanos)
}
