//! An engine whose process ends at a call: what was begun is dropped without a commit.

use std::collections::HashMap;

use inferlog_index::{
    ClearContent, DecisionRow, Engine, Erasure, EventNo, Identifier, IndexError, LogName, Place, Position,
    PurgeDue, PurgedPayloads, Result, Rows, Shared,
};
use inferlog_record::Id;

pub struct Dying<E> {
    engine: E,
    calls: usize,
}

impl<E> Dying<E> {
    /// Ends at this call.
    pub fn new(engine: E, calls: usize) -> Self {
        Self { engine, calls }
    }

    fn call(&mut self) -> Result<&mut E> {
        self.calls = self.calls.saturating_sub(1);
        match self.calls {
            0 => Err(IndexError::Locked { place: "here".into(), what: "the process has ended".into() }),
            _ => Ok(&mut self.engine),
        }
    }
}

impl<E: Engine> Engine for Dying<E> {
    fn logs(&mut self) -> Result<Vec<(LogName, Position)>> {
        self.engine.logs()
    }

    fn begin(&mut self, log: &LogName) -> Result<Position> {
        self.call()?.begin(log)
    }

    fn load(&mut self, decisions: &[Id]) -> Result<HashMap<Id, DecisionRow>> {
        self.call()?.load(decisions)
    }

    fn intern(&mut self, shared: &[Shared]) -> Result<Vec<i32>> {
        self.call()?.intern(shared)
    }

    fn events(&mut self, ids: &[Id]) -> Result<HashMap<Id, EventNo>> {
        self.call()?.events(ids)
    }

    fn write(&mut self, rows: &Rows) -> Result<()> {
        self.call()?.write(rows)
    }

    fn identify(&mut self, identifiers: &[Identifier], contents: &[ClearContent]) -> Result<()> {
        self.call()?.identify(identifiers, contents)
    }

    fn erase(&mut self, erasures: &[Erasure]) -> Result<()> {
        self.call()?.erase(erasures)
    }

    fn purge(&mut self, payloads: &[PurgedPayloads]) -> Result<()> {
        self.call()?.purge(payloads)
    }

    fn forget(&mut self, ranges: &[(EventNo, EventNo)]) -> Result<()> {
        self.call()?.forget(ranges)
    }

    fn announce(&mut self, due: &[PurgeDue]) -> Result<()> {
        self.call()?.announce(due)
    }

    fn due(&mut self) -> Result<Vec<PurgeDue>> {
        self.engine.due()
    }

    fn done(&mut self, due: PurgeDue) -> Result<()> {
        self.call()?.done(due)
    }

    fn next_place(&mut self, range: (EventNo, EventNo)) -> Result<Option<EventNo>> {
        self.call()?.next_place(range)
    }

    fn places(&mut self, range: (EventNo, EventNo)) -> Result<Vec<Place>> {
        self.call()?.places(range)
    }

    fn places_of(&mut self, decisions: &[Id], events: &[EventNo]) -> Result<Vec<EventNo>> {
        self.call()?.places_of(decisions, events)
    }

    fn unwrite(&mut self, entries: &[EventNo], decisions: &[EventNo]) -> Result<()> {
        self.call()?.unwrite(entries, decisions)
    }

    fn renumber(&mut self, decisions: &[(EventNo, EventNo)]) -> Result<()> {
        self.call()?.renumber(decisions)
    }

    fn settle(&mut self) -> Result<bool> {
        self.call()?.settle()
    }

    fn skip(&mut self, log: u16, first: u64, last: u64, reason: &str, at_ns: i64) -> Result<()> {
        self.call()?.skip(log, first, last, reason, at_ns)
    }

    fn commit(&mut self, position: Position) -> Result<()> {
        self.call()?.commit(position)
    }

    /// A process that has ended rolls nothing back: its connection is gone.
    fn rollback(&mut self) -> Result<()> {
        if self.calls == 0 { Ok(()) } else { self.engine.rollback() }
    }

    fn clear(&mut self) -> Result<()> {
        self.call()?.clear()
    }
}
