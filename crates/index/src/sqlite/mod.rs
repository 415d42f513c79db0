//! SQLite: one file, in WAL mode, so that readers and the follower do not wait for each other.

mod intern;
mod open;
mod personal;
mod removal;
mod write;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use inferlog_record::Id;
use rusqlite::{Connection, OptionalExtension, params};

use crate::engine::{Engine, LogName, Position};
use crate::error::{IndexError, Result};
use crate::removal::{Erasure, Place, PurgeDue, PurgedPayloads};
use crate::rows::{ClearContent, DecisionRow, EventNo, Identifier, Rows, Shared};

use intern::Interned;
use open::BUSY_TIMEOUT_MS;
pub(crate) use open::explain;
pub use open::{APPLICATION_ID, sqlite_path};
use write::Sql;

/// An index in one file.
#[derive(Debug)]
pub struct SqliteEngine {
    path: PathBuf,
    connection: Connection,
    /// Device and inode of the file that is open.
    file: Option<(u64, u64)>,
    interned: Interned,
    sql: Sql,
    /// The WAL may hold pages with what an erasure deleted: one of this process, or of one that ended before it was emptied.
    is_wal_due: bool,
    /// Whether the file's name is known to be durable.
    is_named: bool,
}

impl SqliteEngine {
    /// Opens the index at this path, which is made if it is not there.
    pub fn open(path: &Path) -> Result<Self> {
        let connection = open::open(path)?;
        let file = open::identity(path);
        let (interned, sql) = (Interned::default(), Sql::new());
        Ok(Self { path: path.to_owned(), connection, file, interned, sql, is_wal_due: true, is_named: false })
    }

    /// Deletes what is at this path, whatever it is, and opens an index without rows there.
    pub fn anew(path: &Path) -> Result<Self> {
        open::remove(path)?;
        Self::open(path)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs one call. After an error nothing of the transaction is left, in the file or in memory.
    fn run<T>(&mut self, call: impl FnOnce(&mut Self) -> rusqlite::Result<T>) -> Result<T> {
        call(self).map_err(|error| {
            self.abandon();
            explain(&self.path, error)
        })
    }

    fn abandon(&mut self) {
        self.interned.forget();
        if !self.connection.is_autocommit() {
            // If this fails too the connection is of no use, and the next call says why.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    /// Opens the file anew where a rebuild has put another one, or none, in its place.
    fn follow_file(&mut self) -> Result<()> {
        let file = open::identity(&self.path);
        if file.is_none() || file != self.file {
            *self = Self::open(&self.path)?;
        }
        Ok(())
    }

    /// Makes durable what was committed. SQLite does not with every commit (`synchronous = NORMAL`), and a checkpoint would only as far
    /// as readers let it: so the WAL is synced as it is, which is what a recovery reads. A descriptor of our own does no harm to SQLite's
    /// locks, which are on the other two files.
    fn sync(&mut self) -> Result<()> {
        let unwritable = |error: std::io::Error| IndexError::Unwritable {
            place: self.path.display().to_string(),
            what: error.to_string(),
        };
        let mut wal = self.path.as_os_str().to_owned();
        wal.push("-wal");
        match std::fs::File::open(&wal) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            file => file.and_then(|file| file.sync_all()).map_err(unwritable)?,
        }
        if !self.is_named {
            for dir in self.path.ancestors().skip(1).take(2) {
                let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
                std::fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(unwritable)?;
            }
            self.is_named = true;
        }
        Ok(())
    }

    /// Empties the WAL, if no reader needs it: else it is tried again after the next commit. Nobody waits for a reader.
    fn empty_wal(&mut self) {
        let wait = |time| self.connection.busy_timeout(time).is_ok();
        if !wait(Duration::ZERO) {
            return;
        }
        let busy =
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        wait(Duration::from_millis(BUSY_TIMEOUT_MS));
        self.is_wal_due = !matches!(busy, Ok(0));
    }
}

fn position(row: &rusqlite::Row<'_>) -> rusqlite::Result<Position> {
    let unsigned = |at| row.get::<_, i64>(at).map(|number| number as u64);
    let (log, keystore) = (row.get::<_, i64>(0)? as u16, row.get::<_, i64>(4)? as u16);
    let (next, identified, pruned) = (unsigned(1)?, unsigned(2)?, unsigned(5)?);
    Ok(Position { log, keystore, next, identified, pruned, newest_ns: row.get(3)? })
}

impl Engine for SqliteEngine {
    fn logs(&mut self) -> Result<Vec<(LogName, Position)>> {
        self.follow_file()?;
        self.run(|this| {
            let mut select = this.connection.prepare_cached(
                "SELECT log, next, identified, newest_ns, keystore, pruned, origin, system, shard, epoch, id
                 FROM log JOIN keystore USING (keystore) ORDER BY log",
            )?;
            let rows = select.query_map([], |row| {
                let (origin, system, shard, epoch) = (row.get(6)?, row.get(7)?, row.get(8)?, row.get(9)?);
                Ok((LogName { origin, system, shard, epoch, keystore: row.get(10)? }, position(row)?))
            })?;
            rows.collect()
        })
    }

    fn begin(&mut self, log: &LogName) -> Result<Position> {
        self.follow_file()?;
        self.run(|this| {
            this.connection.execute_batch("BEGIN IMMEDIATE")?;
            this.connection
                .prepare_cached("INSERT OR IGNORE INTO keystore (id) VALUES (?1)")?
                .execute([&log.keystore])?;
            this.connection
                .prepare_cached(
                    "INSERT INTO log (log, keystore, origin, system, shard, epoch)
                     SELECT (SELECT coalesce(max(log), 0) + 1 FROM log), keystore, ?1, ?2, ?3, ?4 FROM keystore
                     WHERE id = ?5 AND NOT EXISTS (SELECT 1 FROM log WHERE origin = ?1)",
                )?
                .execute([&log.origin, &log.system, &log.shard, &log.epoch, &log.keystore])?;
            let mut select = this
                .connection
                .prepare_cached("SELECT log, next, identified, newest_ns, keystore, pruned FROM log WHERE origin = ?1")?;
            select.query_row([&log.origin], position)
        })
    }

    fn load(&mut self, decisions: &[Id]) -> Result<HashMap<Id, DecisionRow>> {
        self.run(|this| {
            // Ids are in the order of time: what is beyond the newest one cannot be there.
            let newest: Option<String> =
                this.connection.query_row("SELECT max(id) FROM decision", [], |row| row.get(0))?;
            let newest = newest.and_then(|id| id.parse::<Id>().ok());
            let mut select = this.connection.prepare_cached(&this.sql.load)?;
            let mut found = HashMap::new();
            for id in decisions.iter().filter(|id| newest.is_some_and(|newest| **id <= newest)) {
                let row = select.query_row([id.to_string()], |row| this.sql.read(row, *id)).optional()?;
                let Some((mut decision, facet)) = row else { continue };
                decision.facet = this.interned.facet(&this.connection, facet)?;
                found.insert(*id, decision);
            }
            Ok(found)
        })
    }

    fn intern(&mut self, shared: &[Shared]) -> Result<Vec<i32>> {
        self.run(|this| {
            let Self { connection, interned, .. } = this;
            shared.iter().map(|shared| interned.number(connection, shared)).collect()
        })
    }

    fn events(&mut self, ids: &[Id]) -> Result<HashMap<Id, EventNo>> {
        self.run(|this| {
            let newest: Option<String> =
                this.connection.query_row("SELECT max(id) FROM event", [], |row| row.get(0))?;
            let newest = newest.and_then(|id| id.parse::<Id>().ok());
            let mut select = this.connection.prepare_cached("SELECT no FROM event WHERE id = ?1")?;
            let mut found = HashMap::new();
            for id in ids.iter().filter(|id| newest.is_some_and(|newest| **id <= newest)) {
                let no = select.query_row([id.to_string()], |row| row.get(0)).optional()?;
                found.extend(no.map(|no| (*id, EventNo(no))));
            }
            Ok(found)
        })
    }

    fn write(&mut self, rows: &Rows) -> Result<()> {
        self.run(|this| this.sql.write(&this.connection, rows))
    }

    fn identify(&mut self, identifiers: &[Identifier], contents: &[ClearContent]) -> Result<()> {
        self.run(|this| personal::identify(&this.connection, identifiers, contents))
    }

    fn erase(&mut self, erasures: &[Erasure]) -> Result<()> {
        self.run(|this| {
            this.is_wal_due = true;
            personal::erase(&this.connection, erasures)
        })
    }

    fn purge(&mut self, payloads: &[PurgedPayloads]) -> Result<()> {
        self.run(|this| {
            this.is_wal_due = true;
            personal::purge(&this.connection, payloads)
        })
    }

    fn forget(&mut self, ranges: &[(EventNo, EventNo)]) -> Result<()> {
        self.run(|this| {
            this.is_wal_due = true;
            personal::forget(&this.connection, ranges)
        })
    }

    fn announce(&mut self, due: &[PurgeDue]) -> Result<()> {
        self.run(|this| removal::announce(&this.connection, due))
    }

    fn due(&mut self) -> Result<Vec<PurgeDue>> {
        self.run(|this| removal::due(&this.connection))
    }

    fn done(&mut self, due: PurgeDue) -> Result<()> {
        self.run(|this| removal::done(&this.connection, due))
    }

    fn next_place(&mut self, range: (EventNo, EventNo)) -> Result<Option<EventNo>> {
        self.run(|this| removal::next_place(&this.connection, range))
    }

    fn places(&mut self, range: (EventNo, EventNo)) -> Result<Vec<Place>> {
        self.run(|this| removal::places(&this.connection, range))
    }

    fn places_of(&mut self, decisions: &[Id], events: &[EventNo]) -> Result<Vec<EventNo>> {
        self.run(|this| removal::places_of(&this.connection, decisions, events))
    }

    fn unwrite(&mut self, entries: &[EventNo], decisions: &[EventNo]) -> Result<()> {
        self.run(|this| {
            this.is_wal_due = true;
            removal::unwrite(&this.connection, entries, decisions)
        })
    }

    fn renumber(&mut self, decisions: &[(EventNo, EventNo)]) -> Result<()> {
        self.run(|this| removal::renumber(&this.connection, decisions))
    }

    fn settle(&mut self) -> Result<bool> {
        if self.is_wal_due {
            self.empty_wal();
        }
        if self.is_wal_due {
            return Ok(false);
        }
        self.sync().map(|()| true)
    }

    fn skip(&mut self, log: u16, first: u64, last: u64, reason: &str, at_ns: i64) -> Result<()> {
        self.run(|this| {
            let sql = "INSERT OR REPLACE INTO skip (log, first, last, reason, skipped_ns) VALUES (?1, ?2, ?3, ?4, ?5)";
            let mut insert = this.connection.prepare_cached(sql)?;
            insert.execute(params![log, first as i64, last as i64, reason, at_ns]).map(|_| ())
        })
    }

    fn commit(&mut self, position: Position) -> Result<()> {
        self.run(|this| {
            this.connection
                .prepare_cached(
                    "UPDATE log SET next = ?2, identified = ?3, newest_ns = ?4, pruned = ?5 WHERE log = ?1",
                )?
                .execute(params![
                    position.log,
                    position.next as i64,
                    position.identified as i64,
                    position.newest_ns,
                    position.pruned as i64,
                ])?;
            // A crash before this leaves neither the rows nor the cursor.
            this.connection.execute_batch("COMMIT")
        })?;
        if self.is_wal_due {
            self.empty_wal();
        }
        Ok(())
    }

    fn rollback(&mut self) -> Result<()> {
        self.abandon();
        Ok(())
    }

    fn clear(&mut self) -> Result<()> {
        self.abandon();
        self.connection = Connection::open_in_memory().map_err(|error| explain(&self.path, error))?;
        open::remove(&self.path)?;
        *self = Self::open(&self.path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::EventRow;

    #[test]
    fn a_full_disk_is_told_and_nothing_of_the_batch_stays() {
        let temp = tempfile::tempdir().unwrap();
        let mut engine = SqliteEngine::open(&temp.path().join("index.sqlite")).unwrap();
        let limit = |engine: &SqliteEngine, pages: u32| {
            let pragma = format!("PRAGMA max_page_count = {pages}");
            engine.connection.query_row(&pragma, [], |_| Ok(())).unwrap();
        };
        let log = LogName {
            origin: "o".into(),
            system: "s".into(),
            shard: "0".into(),
            epoch: "e".into(),
            keystore: "k".into(),
        };
        let event = |n: u16| EventRow {
            no: EventNo::new(1, u64::from(n), 0).unwrap(),
            id: Id::new(u64::from(n), &[0; 10]),
            decision: None,
            common: 1,
            logged_ns: 0,
            started_ns: None,
            ended_ns: None,
            rest: "{}".to_owned(),
        };
        let rows = Rows { events: (0..20_000).map(event).collect(), ..Rows::default() };
        limit(&engine, 100);
        let position = engine.begin(&log).unwrap();
        let error = engine.write(&rows).unwrap_err();
        assert!(matches!(error, IndexError::Full { .. }), "{error}");
        // Space is free again; nothing has to be opened anew.
        limit(&engine, 1 << 30);
        assert_eq!(engine.begin(&log).unwrap(), position);
        assert!(engine.events(&[rows.events[0].id]).unwrap().is_empty());
        engine.write(&rows).unwrap();
        engine.commit(Position { next: 20_000, ..position }).unwrap();
        assert_eq!(engine.events(&[rows.events[9].id]).unwrap().len(), 1);
    }
}
