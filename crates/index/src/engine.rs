//! What an engine does for the follower: one transaction for each batch.

use std::collections::HashMap;

use inferlog_record::Id;

use crate::error::Result;
use crate::removal::{Erasure, Place, PurgeDue, PurgedPayloads};
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
    /// The id of the keystore whose keys its payloads are under, 32 hexadecimal digits; the log's own, where there is no keystore.
    pub keystore: String,
}

/// How far a log was followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The log's number in this store.
    pub log: u16,
    /// The number of its keystore in this store.
    pub keystore: u16,
    /// The first entry whose events are not there yet.
    pub next: u64,
    /// The first entry whose payloads were not looked at for identifiers and content.
    pub identified: u64,
    /// Entries below this that the log has no more are not there any more either.
    pub pruned: u64,
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

    /// Writes keyed digests of external ids, and content in clear. Passes over what is there, what is erased (an erased key's; an
    /// erased person's decision's, unless the key was withheld) and what a purge of payloads covers.
    fn identify(&mut self, identifiers: &[Identifier], contents: &[ClearContent]) -> Result<()>;

    /// Notes what is erased and what is withheld, and deletes identifiers and content that are erased, so that once it is
    /// committed and settled no version of the rows survives in the store's own files.
    fn erase(&mut self, erasures: &[Erasure]) -> Result<()>;

    /// Notes ranges of payloads that are purged, and deletes identifiers and content in the same way.
    fn purge(&mut self, payloads: &[PurgedPayloads]) -> Result<()>;

    /// Deletes identifiers and content of these ranges of events, both ends included, in the same way.
    fn forget(&mut self, ranges: &[(EventNo, EventNo)]) -> Result<()>;

    /// Notes purges of entries that are to be carried out here.
    fn announce(&mut self, due: &[PurgeDue]) -> Result<()>;

    /// Purges of entries that were not carried out here, in order.
    fn due(&mut self) -> Result<Vec<PurgeDue>>;

    /// Notes that a purge of entries was carried out.
    fn done(&mut self, due: PurgeDue) -> Result<()>;

    /// The first place from one number to another, both included, where an event stands, is continued, or stands again.
    fn next_place(&mut self, range: (EventNo, EventNo)) -> Result<Option<EventNo>>;

    /// All such places, in order.
    fn places(&mut self, range: (EventNo, EventNo)) -> Result<Vec<Place>>;

    /// Places that have to do with these decisions: of their events, of the alarms about them; and all places of these events. In
    /// order, each once.
    fn places_of(&mut self, decisions: &[Id], events: &[EventNo]) -> Result<Vec<EventNo>>;

    /// Deletes what was written of these entries (by the smallest number in each) and of these decisions, sums and identifiers
    /// excepted.
    fn unwrite(&mut self, entries: &[EventNo], decisions: &[EventNo]) -> Result<()>;

    /// Gives identifiers and content of decisions to the numbers that these have now.
    fn renumber(&mut self, decisions: &[(EventNo, EventNo)]) -> Result<()>;

    /// Makes durable what was committed, and has what was deleted out of the store's own files. False if that must wait, for a
    /// reader who still sees it. Outside a transaction.
    fn settle(&mut self) -> Result<bool>;

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

    fn erase(&mut self, erasures: &[Erasure]) -> Result<()> {
        (**self).erase(erasures)
    }

    fn purge(&mut self, payloads: &[PurgedPayloads]) -> Result<()> {
        (**self).purge(payloads)
    }

    fn forget(&mut self, ranges: &[(EventNo, EventNo)]) -> Result<()> {
        (**self).forget(ranges)
    }

    fn announce(&mut self, due: &[PurgeDue]) -> Result<()> {
        (**self).announce(due)
    }

    fn due(&mut self) -> Result<Vec<PurgeDue>> {
        (**self).due()
    }

    fn done(&mut self, due: PurgeDue) -> Result<()> {
        (**self).done(due)
    }

    fn next_place(&mut self, range: (EventNo, EventNo)) -> Result<Option<EventNo>> {
        (**self).next_place(range)
    }

    fn places(&mut self, range: (EventNo, EventNo)) -> Result<Vec<Place>> {
        (**self).places(range)
    }

    fn places_of(&mut self, decisions: &[Id], events: &[EventNo]) -> Result<Vec<EventNo>> {
        (**self).places_of(decisions, events)
    }

    fn unwrite(&mut self, entries: &[EventNo], decisions: &[EventNo]) -> Result<()> {
        (**self).unwrite(entries, decisions)
    }

    fn renumber(&mut self, decisions: &[(EventNo, EventNo)]) -> Result<()> {
        (**self).renumber(decisions)
    }

    fn settle(&mut self) -> Result<bool> {
        (**self).settle()
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
