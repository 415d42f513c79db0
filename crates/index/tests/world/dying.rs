//! An engine whose process ends at a call: what was begun is dropped without a commit.

use std::collections::HashMap;

use inferlog_index::{
    ClearContent, DecisionRow, Engine, EventNo, Identifier, IndexError, LogName, Position, Result, Rows,
    Shared, SqliteEngine,
};
use inferlog_record::{Id, KeyId, Pseudonym};

pub struct Dying {
    engine: SqliteEngine,
    calls: usize,
}

impl Dying {
    /// Ends at this call.
    pub fn new(engine: SqliteEngine, calls: usize) -> Self {
        Self { engine, calls }
    }

    fn call(&mut self) -> Result<&mut SqliteEngine> {
        self.calls = self.calls.saturating_sub(1);
        match self.calls {
            0 => Err(IndexError::Locked { place: "here".into(), what: "the process has ended".into() }),
            _ => Ok(&mut self.engine),
        }
    }
}

impl Engine for Dying {
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

    fn erase(&mut self, subjects: &[Pseudonym], keys: &[KeyId]) -> Result<()> {
        self.call()?.erase(subjects, keys)
    }

    fn skip(&mut self, log: u16, first: u64, last: u64, reason: &str, at_ns: i64) -> Result<()> {
        self.call()?.skip(log, first, last, reason, at_ns)
    }

    fn commit(&mut self, position: Position) -> Result<()> {
        self.call()?.commit(position)
    }

    /// A process that has ended rolls nothing back: its connection is gone.
    fn rollback(&mut self) -> Result<()> {
        Ok(())
    }

    fn clear(&mut self) -> Result<()> {
        self.call()?.clear()
    }
}
