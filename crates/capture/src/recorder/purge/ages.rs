//! How old the entries of a system's logs are, for who asks outside of a purge: by the same calendars, of its own, so that it waits
//! for no purge that runs.

use super::calendar::{Calendar, FILE, Step, last_of};
use super::entry::Light;
use crate::recorder::ledger::Ledger;
use crate::recorder::{RecordError, System};
use inferlog_disk::read_optional;
use inferlog_log::{LogId, LogReader};
use inferlog_record::Timestamp;
use std::collections::BTreeMap;

/// The calendars of a system's logs, older epochs included.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ages(BTreeMap<LogId, Calendar>);

impl Ages {
    /// Brings them up to what is published. Blocks.
    pub(crate) fn refresh(mut self, system: &System) -> Result<Self, RecordError> {
        let ledger = system.ledger();
        for (log, dir) in ledger.logs() {
            let reader = LogReader::new(system.inner.env.fs.clone(), dir.clone());
            let calendar = read(&reader, self.0.remove(&log), disregarded(&ledger, log), reader.size()?)?;
            self.0.insert(log, calendar);
        }
        Ok(self)
    }

    /// Whether the stamps of the log that is written leap ahead, and nobody settled that: a purge would be frozen.
    pub(crate) fn are_in_doubt(&self, system: &System) -> bool {
        let log = system.log_id();
        self.0.get(&log).is_some_and(|calendar| steps(&system.ledger(), log, calendar).next().is_some())
    }

    /// From when on a period runs for what was stamped so in this entry: its stamp, if that is of the day of the entry's effective time; else the
    /// end of that day. Of an entry that no record follows, not before the latest stamp that counts.
    pub(crate) fn from(&self, log: LogId, index: u64, stamp: Timestamp) -> Timestamp {
        let Some(calendar) = self.0.get(&log) else { return stamp };
        match calendar.day_of(index) {
            Some(day) if day == stamp.day() => stamp,
            Some(day) => last_of(day),
            None => stamp.max(calendar.newest()),
        }
    }
}

/// A log's calendar up to `size`: from what is known, else from the file beside the log, else from the log's start.
pub(super) fn read(
    reader: &LogReader,
    known: Option<Calendar>,
    disregarded: Vec<(u64, u64)>,
    size: u64,
) -> Result<Calendar, RecordError> {
    let first = reader.first()?;
    let fits = |calendar: &Calendar| calendar.fits(first, &disregarded, size);
    let known = match known.filter(fits) {
        Some(known) => Some(known),
        None => {
            let bytes = read_optional(&**reader.fs(), &reader.dir().path().join(FILE))?.unwrap_or_default();
            Calendar::from_bytes(&bytes).filter(fits)
        }
    };
    let mut calendar = known.unwrap_or_else(|| Calendar::new(first, disregarded));
    let mut failed = None;
    reader.scan(calendar.next(), size, |index, bytes| {
        // What was kept of a pruned prefix has gaps, and so has the first entry behind it.
        let is_contiguous = index > first && index == calendar.next();
        match Light::parse(bytes) {
            Ok(entry) => calendar.take(index, bytes, &entry, is_contiguous),
            Err(error) => failed = Some(error),
        }
        failed.is_none()
    })?;
    failed.map_or(Ok(calendar), Err)
}

/// The ranges of a log whose stamps do not count.
pub(super) fn disregarded(ledger: &Ledger, log: LogId) -> Vec<(u64, u64)> {
    let ranges = ledger.disregarded(log);
    ranges.into_iter().map(|range| (*range.start(), *range.end())).collect()
}

/// The steps that put a log's stamps in doubt.
pub(super) fn steps(ledger: &Ledger, log: LogId, calendar: &Calendar) -> impl Iterator<Item = Step> {
    // What stands before a purge was held against the same rule then, and with entries that are gone now.
    let judged = ledger.purges().filter(|told| told.log == log).map(|told| told.index).max();
    let steps = calendar.steps().to_vec().into_iter();
    steps.filter(move |step| judged.is_none_or(|judged| step.index > judged))
}
