//! What must be known of the logs before they are told in order: which keys were destroyed later, and which decisions have more
//! to come after they ended.
//!
//! Memory grows with erasures and with what came late (labels, people's interventions), not with the log.

use std::collections::{HashMap, HashSet};

use inferlog_audit::fate::{self, Fate, LifeFinder, Removals};
use inferlog_merkle::entries;
use inferlog_record::{EntryView, Id, Kind};

use crate::content::Birth;
use crate::error::Result;
use crate::source::Source;

/// Entries of decisions that had ended before, by decision: the number of the log and the index.
pub(crate) type Late = HashMap<Id, Vec<(usize, u64)>>;

/// What was removed, and by which event.
#[derive(Default)]
pub(crate) struct Removed {
    removals: Removals,
}

/// The event that took a payload after it was born.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Its key was destroyed.
    Erased(Id),
    /// It was removed under a policy.
    Purged(Id),
}

impl Removed {
    /// Reads all of the logs for it: an erasure may stand anywhere after what it erased, and in another log; a hold anywhere before.
    pub(crate) fn of(sources: &[Source]) -> Result<Self> {
        let (mut removals, finder) = (Removals::default(), LifeFinder::default());
        for (log, source) in sources.iter().enumerate() {
            source.bundles(0, |first, bundle| {
                if !finder.finds(bundle) {
                    return Ok(());
                }
                for (index, entry) in (first..).zip(entries(bundle)) {
                    let entry = entry.map_err(|error| source.malformed(index, error))?;
                    if finder.finds(entry) {
                        let taken = removals.take((log, index), entry);
                        taken.map_err(|error| source.malformed(index, error))?;
                    }
                }
                Ok(())
            })?;
        }
        Ok(Self { removals })
    }

    /// The first event that took a payload after it was born, if one did. Keys are the node's: an erasure may stand in another log.
    /// Persons and holds are known here as far as the payload's own entry names them.
    pub(crate) fn of_payload(&self, birth: &Birth) -> Option<Taken> {
        let birth = fate::Birth {
            at: (birth.log, birth.index),
            key: birth.sealed.key_id,
            class: &birth.class,
            subjects: &birth.subjects,
            facts: &birth.facts,
        };
        match self.removals.fate(&birth) {
            Fate::Erased(told) => Some(Taken::Erased(told.event)),
            Fate::Purged(told) => Some(Taken::Purged(told.event)),
            Fate::Kept => None,
        }
    }
}

/// The entries of decisions that came after the decision's first end, or after the log in which it began.
pub(crate) fn late(sources: &[Source]) -> Result<Late> {
    let mut late = Late::new();
    for (log, source) in sources.iter().enumerate() {
        let mut open = HashSet::new();
        source.bundles(source.first, |first, bundle| {
            for (index, entry) in (first..).zip(entries(bundle)) {
                let entry = entry.map_err(|error| source.malformed(index, error))?;
                let entry = EntryView::parse(entry).map_err(|error| source.malformed(index, error))?;
                let Some(decision) = entry.decision else { continue };
                let has = |kind: Kind| entry.events.iter().any(|event| event.kind == kind.as_str());
                if has(Kind::DecisionOpened) {
                    open.insert(decision);
                }
                if !open.contains(&decision) {
                    late.entry(decision).or_default().push((log, index));
                } else if has(Kind::DecisionClosed) && entry.part == entry.of {
                    open.remove(&decision);
                }
            }
            Ok(())
        })?;
    }
    Ok(late)
}
