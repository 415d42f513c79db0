//! Purges of entries: once the log has removed them, their rows go, and what was counted of their decisions is counted anew
//! from the entries that are left. So the store holds what one that is built anew from them would hold.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use inferlog_log::ReadError;
use inferlog_record::Id;

use super::Follower;
use super::source::{Source, unreadable};
use crate::engine::{Engine, LogName, Position};
use crate::error::{IndexError, Result};
use crate::fold::parse::EntryJson;
use crate::fold::{Rollups, decisions_of, fold};
use crate::removal::{Place, PurgeDue};
use crate::rows::{DecisionRow, EventNo, Rows, Shared};

/// Entries whose rows one transaction removes.
const WINDOW_ENTRIES: u64 = 2_048;

impl<E: Engine> Follower<E> {
    /// Removes the rows of entries that the log has not any more, if it has lost some since that was last done, or a purge says
    /// so that was not carried out here.
    pub(super) fn prune(&mut self, at: usize) -> Result<()> {
        let Some(source) = self.sources.get(at).filter(|source| source.position.log != 0) else {
            return Ok(());
        };
        let first = source.reader.first()?;
        let log = source.position.log;
        let is_ready = |due: &&PurgeDue| due.event.log() == log && due.last < first;
        let ready: Vec<PurgeDue> = self.due.iter().filter(is_ready).copied().collect();
        if source.position.pruned >= first && ready.is_empty() {
            return Ok(());
        }
        let name = source.name.clone();
        let kept = kept(source, first)?;
        self.transact(&name, |this, at| this.engine.forget(&gaps(log, first, &kept)).map(|()| Some(at)))?;
        let Some(end) = EventNo::new(log, first - 1, 0).map(|no| no.entry().1) else { return Ok(()) };
        let mut from = EventNo::new(log, 0, 0);
        while let Some(start) = from
            && let Some(next) = self.engine.next_place((start, end))?
        {
            let last = (next.index() + WINDOW_ENTRIES - 1).min(first - 1);
            let Some(to) = EventNo::new(log, last, 0).map(|no| no.entry().1) else { break };
            self.transact(&name, |this, at| Ok(this.unwrite((next, to), &kept)?.then_some(at)))?;
            from = EventNo::new(log, last + 1, 0).filter(|_| last + 1 < first);
        }
        // A crash before this has all of it looked through again, which finds nothing more.
        self.transact(&name, |this, at| {
            ready.iter().try_for_each(|due| this.engine.done(*due))?;
            Ok(Some(Position { pruned: first, ..at }))
        })?;
        self.due.retain(|due| !ready.contains(due));
        self.sources[at].position.pruned = first;
        self.is_awaited = true;
        Ok(())
    }

    /// One transaction, which is rolled back if there was nothing to do.
    fn transact(
        &mut self,
        log: &LogName,
        work: impl FnOnce(&mut Self, Position) -> Result<Option<Position>>,
    ) -> Result<()> {
        let position = self.engine.begin(log)?;
        match work(self, position) {
            Ok(Some(position)) => self.engine.commit(position),
            Ok(None) => self.engine.rollback(),
            Err(error) => {
                self.engine.rollback()?;
                Err(error)
            }
        }
    }

    /// Removes what stands between two numbers and is not kept. True if there was something.
    fn unwrite(&mut self, range: (EventNo, EventNo), kept: &BTreeSet<u64>) -> Result<bool> {
        let gone = self.engine.places(range)?;
        let gone: Vec<Place> = gone.into_iter().filter(|place| !kept.contains(&place.no.index())).collect();
        if gone.is_empty() {
            return Ok(false);
        }
        let found = Affected::find(&mut self.engine, &self.sources, &gone)?;
        let ids: Vec<Id> = found.decisions.iter().copied().collect();
        let before = self.engine.load(&ids)?;
        let entries: Vec<EventNo> = found.gone.iter().chain(found.left.keys()).copied().collect();
        let nos: Vec<EventNo> = before.values().map(|row| row.no).collect();
        self.engine.unwrite(&entries, &nos)?;
        take_away(&mut self.engine, &before)?;
        found.write(&mut self.engine, &self.sources)?;
        let after = self.engine.load(&ids)?;
        let renumbered = before.values().filter_map(|row| Some((row.no, after.get(&row.id)?.no)));
        let renumbered: Vec<_> = renumbered.filter(|(before, after)| before != after).collect();
        self.engine.renumber(&renumbered)?;
        Ok(true)
    }
}

/// Indices below `first` of entries that were kept.
fn kept(source: &Source, first: u64) -> Result<BTreeSet<u64>> {
    let mut kept = BTreeSet::new();
    let scanned = source.reader.scan(0, first, |index, _| kept.insert(index));
    scanned.map_err(|error| unreadable(&source.name.origin, error))?;
    Ok(kept)
}

/// What lies below `first` between the entries that were kept.
fn gaps(log: u16, first: u64, kept: &BTreeSet<u64>) -> Vec<(EventNo, EventNo)> {
    let (mut gaps, mut from) = (Vec::new(), 0);
    for to in kept.iter().copied().chain([first]) {
        if from < to
            && let (Some(from), Some(last)) = (EventNo::new(log, from, 0), EventNo::new(log, to - 1, 0))
        {
            gaps.push((from, last.entry().1));
        }
        from = to + 1;
    }
    gaps
}

/// Takes decisions out of what is summed up.
fn take_away<E: Engine>(engine: &mut E, decisions: &HashMap<Id, DecisionRow>) -> Result<()> {
    let facets: Vec<Shared> = decisions.values().map(|row| Shared::Facet(row.facet.clone())).collect();
    let (facets, mut rollups, mut rows) = (engine.intern(&facets)?, Rollups::default(), Rows::default());
    decisions.values().zip(facets).for_each(|(row, facet)| rollups.add(row, facet, -1));
    rollups.finish(&mut rows);
    engine.write(&rows)
}

/// What the removal of entries affects.
#[derive(Default)]
struct Affected {
    decisions: BTreeSet<Id>,
    /// Decisions that a log speaks of which is not in this data directory: their sums stay as they are, for its entries cannot be read.
    foreign: BTreeSet<Id>,
    /// Entries that are gone, by the smallest number in each.
    gone: BTreeSet<EventNo>,
    /// Their events.
    events: BTreeSet<EventNo>,
    /// Entries that are left and speak of the decisions, or say again what is gone.
    left: BTreeMap<EventNo, Vec<u8>>,
}

impl Affected {
    fn find<E: Engine>(engine: &mut E, sources: &[Source], gone: &[Place]) -> Result<Self> {
        let mut found = Self::default();
        gone.iter().for_each(|place| found.lose(place));
        loop {
            let before = found.count();
            let decisions: Vec<Id> = found.decisions.iter().copied().collect();
            // They are locked, so that nobody adds to them meanwhile.
            engine.load(&decisions)?;
            let events: Vec<EventNo> = found.events.iter().copied().collect();
            for no in engine.places_of(&decisions, &events)? {
                found.take(engine, sources, no.entry().0)?;
            }
            found.decisions.retain(|id| !found.foreign.contains(id));
            if found.count() == before {
                return Ok(found);
            }
        }
    }

    fn count(&self) -> [usize; 5] {
        let Self { decisions, foreign, gone, events, left } = self;
        [decisions.len(), foreign.len(), gone.len(), events.len(), left.len()]
    }

    fn lose(&mut self, place: &Place) {
        self.gone.insert(place.no.entry().0);
        if place.is_again || place.decision.is_some_and(|id| self.foreign.contains(&id)) {
            return;
        }
        self.decisions.extend(place.decision);
        if place.no == place.event {
            self.events.insert(place.no);
        }
    }

    /// Looks at one more entry that has to do with it.
    fn take<E: Engine>(&mut self, engine: &mut E, sources: &[Source], entry: EventNo) -> Result<()> {
        if self.gone.contains(&entry) || self.left.contains_key(&entry) {
            return Ok(());
        }
        let Some(source) = sources.iter().find(|source| source.position.log == entry.log()) else {
            let decisions = engine.places(entry.entry())?.into_iter().filter_map(|place| place.decision);
            self.foreign.extend(decisions);
            return Ok(());
        };
        match source.reader.entry(entry.index(), source.size) {
            Ok(bytes) => {
                let parsed = EntryJson::parse(&bytes).map_err(|what| IndexError::Entry {
                    origin: source.name.origin.clone(),
                    index: entry.index(),
                    what,
                })?;
                self.decisions.extend(decisions_of(&[(entry.index(), parsed)]));
                self.left.insert(entry, bytes);
            }
            // Of another window, or of a log whose turn has not come.
            Err(ReadError::Pruned { .. }) => {
                engine.places(entry.entry())?.iter().for_each(|place| self.lose(place));
            }
            Err(error) => return Err(unreadable(&source.name.origin, error)),
        }
        Ok(())
    }

    /// Writes anew what the entries say that are left.
    fn write<E: Engine>(&self, engine: &mut E, sources: &[Source]) -> Result<()> {
        for source in sources {
            let log = source.position.log;
            let left = self.left.iter().filter(|(no, _)| no.log() == log);
            let entries: Vec<(u64, &[u8])> = left.map(|(no, bytes)| (no.index(), &bytes[..])).collect();
            if !entries.is_empty() {
                let folded = fold(engine, (log, &source.name.origin), &entries)?;
                engine.write(&folded.rows)?;
            }
        }
        Ok(())
    }
}
