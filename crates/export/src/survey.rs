//! What must be known of the logs before they are told in order: which keys were destroyed later, and which decisions have more
//! to come after they ended.
//!
//! Memory grows with erasures and with what came late (labels, people's interventions), not with the log.

use std::collections::{HashMap, HashSet};

use inferlog_merkle::entries;
use inferlog_record::body::Body;
use inferlog_record::{Entry, EntryView, Id, KeyId, Kind, PayloadRole, Pseudonym};
use memchr::memmem::Finder;

use crate::content::Birth;
use crate::error::Result;
use crate::source::Source;

/// Entries of decisions that had ended before, by decision: the number of the log and the index.
pub(crate) type Late = HashMap<Id, Vec<(usize, u64)>>;

/// Erasures, by what they destroyed.
#[derive(Default)]
pub(crate) struct Erasures {
    all: Vec<Erasure>,
    by_key: HashMap<KeyId, Vec<usize>>,
    by_subject: HashMap<Pseudonym, Vec<usize>>,
}

struct Erasure {
    log: usize,
    index: u64,
    event: Id,
    withheld: HashSet<Id>,
}

impl Erasures {
    /// Reads all of the logs for them: an erasure may stand anywhere after what it erased, and in another log.
    pub(crate) fn of(sources: &[Source]) -> Result<Self> {
        let mut erasures = Self::default();
        let finder = Finder::new(br#""kind":"erasure""#);
        for (log, source) in sources.iter().enumerate() {
            source.bundles(0, |first, bundle| {
                if finder.find(bundle).is_none() {
                    return Ok(());
                }
                for (index, entry) in (first..).zip(entries(bundle)) {
                    let entry = entry.map_err(|error| source.malformed(index, error))?;
                    if finder.find(entry).is_some() {
                        let entry =
                            Entry::from_bytes(entry).map_err(|error| source.malformed(index, error))?;
                        erasures.take(log, index, entry);
                    }
                }
                Ok(())
            })?;
        }
        Ok(erasures)
    }

    fn take(&mut self, log: usize, index: u64, entry: Entry) {
        for event in entry.events {
            let Body::Erasure(body) = event.body else { continue };
            let at = self.all.len();
            for key in body.keys.iter() {
                self.by_key.entry(*key).or_default().push(at);
            }
            for subject in body.subjects.iter() {
                self.by_subject.entry(*subject).or_default().push(at);
            }
            let withheld = event.payloads.iter().filter(|reference| reference.role == PayloadRole::Withheld);
            let withheld = withheld.map(|reference| reference.payload).collect();
            self.all.push(Erasure { log, index, event: event.id, withheld });
        }
    }

    /// The event that erased a payload after it was born, if one did. Keys are the node's: it may stand in another log.
    pub(crate) fn of_payload(&self, payload: Id, birth: &Birth) -> Option<Id> {
        let by_key = self.by_key.get(&birth.sealed.key_id).into_iter().flatten();
        let by_subject = birth.subjects.iter().filter_map(|subject| self.by_subject.get(subject)).flatten();
        let erases = |at: &&usize| {
            let erasure = &self.all[**at];
            let is_later = erasure.log != birth.log || erasure.index > birth.index;
            is_later && !erasure.withheld.contains(&payload)
        };
        by_key.chain(by_subject).filter(erases).min().map(|at| self.all[*at].event)
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
