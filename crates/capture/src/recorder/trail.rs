//! A decision's entries, in every epoch of its system's log, from the time in its id on.

use crate::recorder::{RecordError, System};
use inferlog_log::{LogReader, list_logs};
use inferlog_record::{Entry, Id, Kind};
use memchr::memmem::Finder;
use std::ops::ControlFlow;

/// An entry, and where it stands.
pub(crate) struct Hit<'a> {
    pub(crate) log: &'a LogReader,
    pub(crate) index: u64,
    pub(crate) entry: Entry,
}

/// The published logs of a system, the one that is written last.
pub(crate) struct Trail {
    decision: Id,
    logs: Vec<LogReader>,
}

impl Trail {
    /// Blocks. What was acknowledged and not integrated is not seen.
    pub(crate) fn new(system: &System, decision: Id) -> Result<Self, RecordError> {
        let (fs, present) = (&system.inner.env.fs, system.state.log.dir());
        let mut dirs = list_logs(&**fs, &system.inner.dir)?;
        dirs.retain(|dir| dir.system() == present.system() && dir != present);
        let dirs = dirs.into_iter().chain([present.clone()]);
        let logs = dirs.map(|dir| LogReader::new(fs.clone(), dir)).collect();
        Ok(Self { decision, logs })
    }

    /// Whether entries of these logs were purged.
    pub(crate) fn is_pruned(&self) -> Result<bool, RecordError> {
        for log in &self.logs {
            if log.first()? > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Visits the decision's entries in the order of the log, until told to stop.
    pub(crate) fn walk(&self, mut visit: impl FnMut(Hit<'_>) -> ControlFlow<()>) -> Result<(), RecordError> {
        let text = self.decision.to_string();
        let (mut is_opened, mut is_stopped) = (false, false);
        self.scan(&Finder::new(&text), false, |hit| {
            if hit.entry.decision != Some(self.decision) {
                return ControlFlow::Continue(());
            }
            is_opened |= hit.entry.events.iter().any(|event| event.kind() == Some(Kind::DecisionOpened));
            let flow = visit(hit);
            is_stopped = flow.is_break();
            flow
        })?;
        if is_opened || is_stopped {
            return Ok(());
        }
        // A clock that was far off: what was not found at its time is looked for before.
        self.scan(&Finder::new(&text), true, |hit| match hit.entry.decision == Some(self.decision) {
            true => visit(hit),
            false => ControlFlow::Continue(()),
        })
    }

    /// Gives every entry that holds the text: of the decision's time and later, or before it.
    fn scan(
        &self,
        finder: &Finder<'_>,
        before: bool,
        mut visit: impl FnMut(Hit<'_>) -> ControlFlow<()>,
    ) -> Result<(), RecordError> {
        for log in &self.logs {
            let size = log.size()?;
            let start = log.seek_time(self.decision.millis().saturating_mul(1_000_000), size)?;
            let (from, to) = if before { (0, start) } else { (start, size) };
            let (mut failed, mut is_stopped) = (None, false);
            log.scan(from, size, |index, bytes| {
                if index >= to {
                    return false;
                }
                if finder.find(bytes).is_some() {
                    match Entry::from_bytes(bytes) {
                        Ok(entry) => is_stopped = visit(Hit { log, index, entry }).is_break(),
                        Err(error) => failed = Some(error),
                    }
                }
                failed.is_none() && !is_stopped
            })?;
            if let Some(error) = failed {
                return Err(error.into());
            }
            if is_stopped {
                return Ok(());
            }
        }
        Ok(())
    }
}
