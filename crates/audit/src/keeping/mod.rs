//! What was frozen, reported and erased: holds, incidents and erasures, as the logs of a data directory tell them.
//!
//! One pass over the selected logs; it needs no key. What these events keep sealed (orders, reports, certificates) is named by
//! its place, for whoever has the keys.

mod covered;
mod model;
mod scan;
mod sheet;

use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;

pub use covered::covered;
pub use model::{
    DAY_NS, ErasureState, ErasureTold, HoldTold, IncidentStep, IncidentTold, Keeping, Released, SealedAt,
    StatedAt,
};
pub use sheet::{
    CLOCK_WORDS, IncidentSheet, OpenedReport, TimeLeft, basis_words, category_words, scope_words,
};

use crate::error::Result;
use crate::open::OpenLog;
use crate::select::Select;

/// Tells the holds, incidents and erasures of the selected logs, each in the order in which it began.
///
/// # Errors
/// Damage that keeps the logs from being read.
pub fn keeping(fs: &Arc<dyn Fs>, dir: &Path, select: &Select) -> Result<Keeping> {
    let mut found = Keeping::default();
    for log in OpenLog::all(fs, dir, select, &[])? {
        scan::scan(&log, &mut found)?;
    }
    found.holds.sort_by_key(|hold| (hold.placed_at, hold.hold));
    found
        .incidents
        .sort_by_key(|incident| (incident.steps.first().map(|step| step.stated.at), incident.incident));
    found.erasures.sort_by_key(|erasure| (erasure.stated.at, erasure.stated.event));
    Ok(found)
}
