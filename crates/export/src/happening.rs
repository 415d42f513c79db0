//! Events as they happened: parts put together, repetitions left out, references led back to where their content was born.
//!
//! Memory grows with decisions that are open at one time, and with those of which something came late.

use std::collections::{HashMap, HashSet};

use inferlog_record::body::Body;
use inferlog_record::{Event, Id, Kind, PayloadRole, Reference};

use crate::content::{Birth, NotOpened, Opened, Opener};
use crate::error::Result;
use crate::source::{ReadEntry, Source};
use crate::survey::Late;
use crate::{Progress, Tick};

/// An event.
#[derive(Debug)]
pub(crate) struct Happening {
    /// Number of the log.
    pub(crate) log: usize,
    pub(crate) index: u64,
    /// Its place in the entry, from 0.
    pub(crate) place: usize,
    pub(crate) decision: Option<Id>,
    /// Its payloads stand in `held`.
    pub(crate) event: Event,
    pub(crate) held: Vec<Held>,
}

/// A payload of it.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) reference: Reference,
    /// Absent where there is no content, or where it was not read.
    pub(crate) birth: Option<Birth>,
}

impl Held {
    pub(crate) fn open(&self, opener: &Opener<'_>) -> Result<Opened, NotOpened> {
        opener.open(&self.reference, self.birth.as_ref())
    }
}

impl Happening {
    /// The first payload of this role.
    pub(crate) fn held(&self, role: PayloadRole) -> Option<&Held> {
        self.held.iter().find(|held| held.reference.role == role)
    }
}

/// Who is told what happened.
pub(crate) trait Visitor {
    /// An event.
    fn event(&mut self, happening: &Happening) -> Result<()>;
    /// This log has no more.
    fn log_ends(&mut self, _log: usize) -> Result<()> {
        Ok(())
    }
}

/// Tells everything in the order of the logs.
pub(crate) fn happenings(
    sources: &[Source],
    late: &Late,
    tick: &mut Tick<'_>,
    visitor: &mut dyn Visitor,
) -> Result<()> {
    let mut memory = Memory { late, known: HashMap::new(), life: Known::default() };
    for (log, source) in sources.iter().enumerate() {
        let mut parts = Parts::default();
        source.entries(|index, entry| {
            tick.entry();
            for happening in parts.take(&mut memory, (log, index), entry) {
                visitor.event(&happening)?;
            }
            if entry.part == entry.of {
                memory.end(entry);
            }
            Ok(())
        })?;
        for happening in parts.rest() {
            visitor.event(&happening)?;
        }
        visitor.log_ends(log)?;
        // What comes in another log comes late.
        memory.known.retain(|decision, _| late.contains_key(decision));
    }
    Ok(())
}

/// The events of entries that came late, in their order. `known` of the decision is what its earlier entries bore.
pub(crate) fn of_entries(
    sources: &[Source],
    known: &mut Known,
    places: &[(usize, u64)],
) -> Result<Vec<Happening>> {
    let (mut parts, mut all) = (Parts::default(), Vec::new());
    for (log, index) in places {
        let source = &sources[*log];
        let bytes = source.entry(*index)?;
        let entry = source.parse(*index, &bytes)?;
        all.extend(parts.add(known, (*log, *index), &entry));
    }
    all.extend(parts.rest());
    Ok(all)
}

/// What is remembered of a decision.
#[derive(Default)]
pub(crate) struct Known {
    births: HashMap<Id, Birth>,
    events: HashSet<Id>,
}

impl Known {
    /// Remembers what an event bore.
    pub(crate) fn learn(&mut self, happening: &Happening) {
        self.events.insert(happening.event.id);
        for held in &happening.held {
            if let Some(birth) = &held.birth {
                self.births.entry(held.reference.payload).or_insert_with(|| birth.clone());
            }
        }
    }
}

struct Memory<'a> {
    late: &'a Late,
    known: HashMap<Id, Known>,
    /// Of the system's life.
    life: Known,
}

impl Memory<'_> {
    fn end(&mut self, entry: &ReadEntry<'_>) {
        let Some(decision) = entry.decision else { return };
        let is_end = entry.events.iter().any(|read| read.event.kind() == Some(Kind::DecisionClosed));
        // An entry that came late may be the last of its decision, which was never open here.
        if is_end && !self.late.contains_key(&decision) {
            self.known.remove(&decision);
        }
    }
}

/// Events of a write that is not complete yet.
#[derive(Default)]
struct Parts {
    waiting: Vec<Happening>,
}

impl Parts {
    fn take(
        &mut self,
        memory: &mut Memory<'_>,
        place: (usize, u64),
        entry: &ReadEntry<'_>,
    ) -> Vec<Happening> {
        match entry.decision {
            Some(decision) => self.add(memory.known.entry(decision).or_default(), place, entry),
            None => {
                // Nothing refers to their content later; their ids alone are kept.
                memory.life.births.clear();
                self.add(&mut memory.life, place, entry)
            }
        }
    }

    /// Adds an entry; gives the events that are complete.
    fn add(&mut self, known: &mut Known, at: (usize, u64), entry: &ReadEntry<'_>) -> Vec<Happening> {
        // Parts of a write stand beside each other: a first part ends what waits.
        let mut done = if entry.part == 1 { self.rest() } else { Vec::new() };
        for (place, read) in entry.events.iter().enumerate() {
            let event = &read.event;
            let held = event.payloads.iter().map(|reference| {
                let birth = Birth::of(at, entry, event, reference);
                if let Some(birth) = &birth {
                    known.births.entry(reference.payload).or_insert_with(|| birth.clone());
                }
                Held {
                    reference: *reference,
                    birth: birth.or_else(|| known.births.get(&reference.payload).cloned()),
                }
            });
            let held: Vec<Held> = held.collect();
            if matches!(event.body, Body::Rest(_)) {
                if let Some(begun) = self.waiting.iter_mut().find(|begun| begun.event.id == event.id) {
                    begun.held.extend(held);
                }
                continue;
            }
            // An id may stand in the log twice after a retry: the first place counts.
            if !known.events.insert(event.id) {
                continue;
            }
            let event = Event { payloads: Vec::new(), ..event.clone() };
            let (log, index) = at;
            self.waiting.push(Happening { log, index, place, decision: entry.decision, event, held });
        }
        if entry.part == entry.of {
            done.extend(self.rest());
        }
        done
    }

    fn rest(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.waiting)
    }
}

impl<'a> Tick<'a> {
    /// An entry was read.
    pub(crate) fn entry(&mut self) {
        self.done.entries += 1;
        if self.done.entries.is_multiple_of(TICK_ENTRIES) {
            self.tell();
        }
    }

    /// Says how far it is.
    pub(crate) fn tell(&self) {
        (self.progress)(self.done);
    }

    pub(crate) fn new(sources: &[Source], progress: &'a dyn Fn(Progress)) -> Self {
        let entries_total = sources.iter().map(|source| source.size - source.first).sum();
        Self { done: Progress { entries: 0, entries_total }, progress }
    }
}

/// Entries between two words about progress.
const TICK_ENTRIES: u64 = 4096;
