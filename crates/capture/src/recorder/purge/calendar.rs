//! What a log says of time, kept so that a purge need not read the log from its start.
//!
//! An entry's age is never taken from its own stamp. The **effective time** of an entry is the stamp of the first entry at or after it
//! that is later than all before: a *record*. So a stamp from the past makes nothing old, and one from the future makes things
//! younger than they are, never older. Where stamps of a range are disregarded (a `clock` event says so), they make no records: the
//! entries of the range are as old as the first record after it, for the order of the log is true where its clock was not.
//!
//! A record that lies far ahead of the one before is a **step**: nothing was stamped in between. Within one run of the recorder, which says
//! what its clock is worth every few minutes, a long one is a clock that was set forward; a shorter one, or one over a restart, may be a
//! machine that slept or was off, and is believed where a time service vouched for the clock before and after. Any other step is
//! doubtful until a person settles it.
//!
//! The calendar is derived from the log, entry by entry, and kept beside it (`calendar`). One that is missing, does not check or does not fit
//! is derived anew.

use super::entry::Light;
use crate::recorder::clock_guard::FORWARD_NS_MAX;
use inferlog_log::derived;
use inferlog_record::body::Body;
use inferlog_record::{Entry, Kind, RetentionClass, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// The file, in the log's directory.
pub(crate) const FILE: &str = "calendar";
/// Version of the file.
const FORMAT: u32 = 1;
/// Nanoseconds of a day.
pub(crate) const DAY_NS: u64 = 86_400_000_000_000;
/// A record that is further ahead than this of the one before is a step, over a restart too: seven days, nanoseconds.
pub(crate) const STEP_NS: u64 = 7 * DAY_NS;
/// Who says so, in a `clock` event by which a person settled the clock.
pub(crate) const SETTLED_BY: &str = "operator";

/// What a log's entries below `next` say of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Calendar {
    format: u32,
    /// Where the log began when it was read.
    first: u64,
    /// The first entry that was not read.
    next: u64,
    /// The latest stamp that counts, nanoseconds since 1970.
    newest_ns: u64,
    /// The last record of each day on which there was one, in order.
    days: Vec<Day>,
    /// What was logged, by class and by the day of its own stamp: of that day are its pack and its key.
    rows: BTreeMap<String, BTreeMap<u32, Row>>,
    /// Steps that nobody settled and no time service vouches for.
    steps: Vec<Step>,
    /// What the last `clock` event said.
    synchronised: bool,
    /// Ranges of entries whose stamps do not count.
    disregarded: Vec<(u64, u64)>,
}

/// A day on which something was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Day {
    /// Days since 1970.
    day: u32,
    /// Index of its last record.
    upto: u64,
}

/// What was logged of one class on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Index of the first entry.
    pub(crate) first: u64,
    /// Index of the last entry.
    pub(crate) last: u64,
    /// Entries.
    pub(crate) entries: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
}

/// A record far ahead of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Index of the entry that is ahead.
    pub(crate) index: u64,
    /// By how much, nanoseconds.
    pub(crate) by_ns: u64,
    /// Whether it is believed if the next `clock` event vouches for the clock, as the one before did.
    may_be: bool,
}

impl Calendar {
    /// Of a log that begins at `first`, and of which these ranges are disregarded.
    pub(crate) fn new(first: u64, disregarded: Vec<(u64, u64)>) -> Self {
        Self { format: FORMAT, first, disregarded, ..Self::default() }
    }

    /// Whether it is of a log that begins at `first`, has `size` entries, and disregards these ranges.
    pub(crate) fn fits(&self, first: u64, disregarded: &[(u64, u64)], size: u64) -> bool {
        self.first == first && self.next <= size && self.disregarded == disregarded
    }

    /// Reads the file; `None` if it does not check.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        // A figure that a damaged disk changed would remove what is to be kept: the file bears its own digest.
        let known: Self = serde_json::from_str(derived::checked(bytes)?).ok()?;
        (known.format == FORMAT).then_some(known)
    }

    /// The file's bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        derived::with_digest(&serde_json::to_string(self).unwrap_or_default())
    }

    /// The first entry that was not read.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// The latest stamp that counts.
    pub(crate) fn newest(&self) -> Timestamp {
        Timestamp(self.newest_ns)
    }

    /// Steps that nobody settled and no time service vouches for, in order.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What was logged of a class, by day.
    pub(crate) fn rows(&self, class: &str) -> impl Iterator<Item = (u32, Row)> {
        self.rows.get(class).into_iter().flatten().map(|(day, row)| (*day, *row))
    }

    /// Every class that occurs.
    pub(crate) fn classes(&self) -> impl Iterator<Item = &str> {
        self.rows.keys().map(String::as_str)
    }

    /// Takes in the next entry. `is_contiguous`: the one before it in the log was the last one taken in.
    pub(crate) fn take(&mut self, index: u64, bytes: &[u8], entry: &Light<'_>, is_contiguous: bool) {
        self.next = index + 1;
        let Some((class, stamp)) = entry.place() else { return };
        if !self.rows.contains_key(class) {
            self.rows.insert(class.to_owned(), BTreeMap::new());
        }
        if let Some(days) = self.rows.get_mut(class) {
            let row =
                days.entry(stamp.day()).or_insert(Row { first: index, last: index, entries: 0, bytes: 0 });
            row.last = index;
            row.entries += 1;
            row.bytes += bytes.len() as u64;
        }
        if !self.is_disregarded(index) && stamp.nanos() >= self.newest_ns {
            let by_ns = stamp.nanos() - self.newest_ns;
            let is_start = entry.has(Kind::RecorderStarted);
            let is_step = by_ns > if is_start { STEP_NS } else { FORWARD_NS_MAX };
            if is_contiguous && self.newest_ns > 0 && is_step {
                let may_be = self.synchronised && (is_start || by_ns <= STEP_NS);
                self.steps.push(Step { index, by_ns, may_be });
            }
            self.record(index, stamp);
        }
        if entry.has(Kind::Clock) {
            self.take_clock(bytes);
        }
    }

    /// Takes note that an entry is gone.
    pub(crate) fn remove(&mut self, bytes: &[u8], entry: &Light<'_>) {
        let Some((class, stamp)) = entry.place() else { return };
        let Some(days) = self.rows.get_mut(class) else { return };
        if let Some(row) = days.get_mut(&stamp.day()) {
            row.entries = row.entries.saturating_sub(1);
            row.bytes = row.bytes.saturating_sub(bytes.len() as u64);
            if row.entries == 0 {
                days.remove(&stamp.day());
            }
        }
    }

    /// The log begins here from now on, but for what was kept.
    pub(crate) fn set_first(&mut self, first: u64) {
        self.first = first;
    }

    fn record(&mut self, index: u64, stamp: Timestamp) {
        self.newest_ns = stamp.nanos();
        match self.days.last_mut().filter(|last| last.day == stamp.day()) {
            Some(last) => last.upto = index,
            None => self.days.push(Day { day: stamp.day(), upto: index }),
        }
    }

    fn take_clock(&mut self, bytes: &[u8]) {
        let Ok(entry) = Entry::from_bytes(bytes) else { return };
        for event in entry.events {
            let Body::Clock(clock) = event.body else { continue };
            if clock.source.as_str() == SETTLED_BY {
                self.steps.clear();
                continue;
            }
            self.synchronised = clock.synchronised;
            match clock.synchronised {
                true => self.steps.retain(|step| !step.may_be),
                false => self.steps.iter_mut().for_each(|step| step.may_be = false),
            }
        }
    }

    fn is_disregarded(&self, index: u64) -> bool {
        self.disregarded.iter().any(|(first, last)| (*first..=*last).contains(&index))
    }

    /// Entries below this index are due, and below `below`: the effective time of each lies on a day of which `is_due` says so. Where
    /// it says so of a day, it says so of all before.
    pub(crate) fn due_before(&self, below: u64, is_due: impl Fn(u32) -> bool) -> u64 {
        let due = self.days.partition_point(|day| day.upto < below && is_due(day.day));
        due.checked_sub(1).map_or(0, |last| self.days[last].upto + 1)
    }

    /// The day of the effective time of an entry; `None` if no record follows it yet.
    pub(crate) fn day_of(&self, index: u64) -> Option<u32> {
        let at = self.days.partition_point(|day| day.upto < index);
        self.days.get(at).map(|day| day.day)
    }

    /// Days of a class that have entries in the range and none after it.
    pub(crate) fn whole_days(&self, class: &RetentionClass, range: &RangeInclusive<u64>) -> Vec<u32> {
        self.rows(class.as_str())
            .filter(|(_, row)| row.last <= *range.end() && row.last >= *range.start())
            .map(|(day, _)| day)
            .collect()
    }

    /// Days of a class that have entries up to this one and after it, and the last of these.
    pub(crate) fn split_days(&self, class: &RetentionClass, last: u64) -> BTreeMap<u32, u64> {
        let split = self.rows(class.as_str()).filter(|(_, row)| row.first <= last && row.last > last);
        split.map(|(day, row)| (day, row.last)).collect()
    }
}

/// The last moment of a UTC day. No period that begins on the day is over later than the one that begins then.
pub(crate) fn last_of(day: u32) -> Timestamp {
    Timestamp((u64::from(day) + 1).saturating_mul(DAY_NS).saturating_sub(1))
}
