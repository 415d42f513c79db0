//! Events that stand in the log twice: a write may be tried again after its acknowledgement was lost. The first place counts.
//!
//! Memory grows with decisions that are open at one time, with those of which something came late, and with the system's life.

use std::collections::{HashMap, HashSet};

use inferlog_record::body::Body;
use inferlog_record::{Event, Id, Kind};

use crate::source::ReadEntry;
use crate::survey::Late;

/// Tells repetitions from what is new.
pub(crate) struct Repeats<'a> {
    late: &'a Late,
    seen: HashMap<Option<Id>, HashSet<Id>>,
    /// Of the write that is read.
    repeated: HashSet<Id>,
}

impl<'a> Repeats<'a> {
    pub(crate) fn new(late: &'a Late) -> Self {
        Self { late, seen: HashMap::new(), repeated: HashSet::new() }
    }

    /// Whether the event, or the one that it is the rest of, stood in the log before. Asked once for each event, in order.
    pub(crate) fn is_repeated(&mut self, entry: &ReadEntry<'_>, event: &Event) -> bool {
        if matches!(event.body, Body::Rest(_)) {
            return self.repeated.contains(&event.id);
        }
        let is_new = self.seen.entry(entry.decision).or_default().insert(event.id);
        if !is_new {
            self.repeated.insert(event.id);
        }
        !is_new
    }

    /// The entry is done with.
    pub(crate) fn entry_ends(&mut self, entry: &ReadEntry<'_>) {
        if entry.part != entry.of {
            return;
        }
        self.repeated.clear();
        let is_end = entry.events.iter().any(|read| read.event.kind() == Some(Kind::DecisionClosed));
        if is_end && entry.decision.is_some_and(|decision| !self.late.contains_key(&decision)) {
            self.seen.remove(&entry.decision);
        }
    }
}
