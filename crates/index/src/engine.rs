//! What an engine does for the follower: one transaction for each batch.

use std::collections::HashMap;

use inferlog_record::{Id, KeyId, Pseudonym};

use crate::error::Result;
use crate::rows::{ClearContent, DecisionRow, EventNo, Identifier, Rows, Shared};

/// A log by its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogName {
    /// Its origin, which is unique.
    pub origin: String,
    /// The system.
    pub system: String,
    /// The shard.
    pub shard: String,
    /// The epoch.
    pub epoch: String,
}

/// How far a log was followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The log's number in this store.
    pub log: u16,
    /// The first entry whose events are not there yet.
    pub next: u64,
    /// The first entry whose payloads were not looked at for identifiers and content.
    pub identified: u64,
    /// When the newest event that is there was logged, nanoseconds since 1970.
    pub newest_ns: i64,
}

/// SQLite or PostgreSQL, open for writing with the schema in place. Between [`Engine::begin`] and [`Engine::commit`] nothing is
/// visible to others; after an error the transaction is rolled back by the engine, and what it cached of it forgotten.
pub trait Engine: Send {
    /// Every log that is followed here.
    fn logs(&mut self) -> Result<Vec<(LogName, Position)>>;

    /// Begins a transaction and locks the log's cursor, which is made if it is new: several processes may follow one log, and
    /// each entry is written once.
    fn begin(&mut self, log: &LogName) -> Result<Position>;

    /// Those of these decisions that are there, locked.
    fn load(&mut self, decisions: &[Id]) -> Result<HashMap<Id, DecisionRow>>;

    /// Numbers of shared rows, which are made where they are new.
    fn intern(&mut self, shared: &[Shared]) -> Result<Vec<i32>>;

    /// Those of these events that are there, with their numbers: retries are passed over, rests are added to what began.
    fn events(&mut self, ids: &[Id]) -> Result<HashMap<Id, EventNo>>;

    /// Writes rows.
    fn write(&mut self, rows: &Rows) -> Result<()>;

    /// Writes keyed digests of external ids, and content in clear. Passes over what is there, what is under an erased key, and
    /// what belongs to a decision about an erased person.
    fn identify(&mut self, identifiers: &[Identifier], contents: &[ClearContent]) -> Result<()>;

    /// Notes that these persons and keys are erased, and deletes identifiers and content of decisions about these persons and
    /// of payloads under these keys, so that no version of the rows survives in the store's own files.
    fn erase(&mut self, subjects: &[Pseudonym], keys: &[KeyId]) -> Result<()>;

    /// Notes that entries were left out on purpose.
    fn skip(&mut self, log: u16, first: u64, last: u64, reason: &str, at_ns: i64) -> Result<()>;

    /// Moves the cursor and commits.
    fn commit(&mut self, position: Position) -> Result<()>;

    /// Forgets what was begun.
    fn rollback(&mut self) -> Result<()>;

    /// Deletes everything that was derived: the follower begins anew.
    fn clear(&mut self) -> Result<()>;
}

impl<E: Engine + ?Sized> Engine for Box<E> {
    fn logs(&mut self) -> Result<Vec<(LogName, Position)>> {
        (**self).logs()
    }

    fn begin(&mut self, log: &LogName) -> Result<Position> {
        (**self).begin(log)
    }

    fn load(&mut self, decisions: &[Id]) -> Result<HashMap<Id, DecisionRow>> {
        (**self).load(decisions)
    }

    fn intern(&mut self, shared: &[Shared]) -> Result<Vec<i32>> {
        (**self).intern(shared)
    }

    fn events(&mut self, ids: &[Id]) -> Result<HashMap<Id, EventNo>> {
        (**self).events(ids)
    }

    fn write(&mut self, rows: &Rows) -> Result<()> {
        (**self).write(rows)
    }

    fn identify(&mut self, identifiers: &[Identifier], contents: &[ClearContent]) -> Result<()> {
        (**self).identify(identifiers, contents)
    }

    fn erase(&mut self, subjects: &[Pseudonym], keys: &[KeyId]) -> Result<()> {
        (**self).erase(subjects, keys)
    }

    fn skip(&mut self, log: u16, first: u64, last: u64, reason: &str, at_ns: i64) -> Result<()> {
        (**self).skip(log, first, last, reason, at_ns)
    }

    fn commit(&mut self, position: Position) -> Result<()> {
        (**self).commit(position)
    }

    fn rollback(&mut self) -> Result<()> {
        (**self).rollback()
    }

    fn clear(&mut self) -> Result<()> {
        (**self).clear()
    }
}
