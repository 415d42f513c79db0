//! SQLite: one file, in WAL mode, so that readers and the follower do not wait for each other.

mod intern;
mod open;
mod write;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use inferlog_record::{Id, KeyId, Pseudonym};
use rusqlite::{Connection, OptionalExtension, params};

use crate::engine::{Engine, LogName, Position};
use crate::error::Result;
use crate::rows::{ClearContent, DecisionRow, EventNo, Identifier, Rows, Shared, key_no};

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
}

impl SqliteEngine {
    /// Opens the index at this path, which is made if it is not there.
    pub fn open(path: &Path) -> Result<Self> {
        let connection = open::open(path)?;
        let file = open::identity(path);
        let (interned, sql) = (Interned::default(), Sql::new());
        Ok(Self { path: path.to_owned(), connection, file, interned, sql, is_wal_due: true })
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
    let log = row.get::<_, i64>(0)? as u16;
    Ok(Position { log, next: unsigned(1)?, identified: unsigned(2)?, newest_ns: row.get(3)? })
}

impl Engine for SqliteEngine {
    fn logs(&mut self) -> Result<Vec<(LogName, Position)>> {
        self.follow_file()?;
        self.run(|this| {
            let mut select = this.connection.prepare_cached(
                "SELECT log, next, identified, newest_ns, origin, system, shard, epoch FROM log ORDER BY log",
            )?;
            let rows = select.query_map([], |row| {
                let (origin, system, shard, epoch) = (row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?);
                Ok((LogName { origin, system, shard, epoch }, position(row)?))
            })?;
            rows.collect()
        })
    }

    fn begin(&mut self, log: &LogName) -> Result<Position> {
        self.follow_file()?;
        self.run(|this| {
            this.connection.execute_batch("BEGIN IMMEDIATE")?;
            this.connection
                .prepare_cached(
                    "INSERT INTO log (log, origin, system, shard, epoch)
                     SELECT (SELECT coalesce(max(log), 0) + 1 FROM log), ?1, ?2, ?3, ?4
                     WHERE NOT EXISTS (SELECT 1 FROM log WHERE origin = ?1)",
                )?
                .execute([&log.origin, &log.system, &log.shard, &log.epoch])?;
            let mut select = this
                .connection
                .prepare_cached("SELECT log, next, identified, newest_ns FROM log WHERE origin = ?1")?;
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
        const ALLOWED: &str = "WHERE NOT EXISTS (SELECT 1 FROM erased_key WHERE key_id = ?3)
             AND NOT EXISTS (SELECT 1 FROM decision_subject JOIN erased_subject USING (subject) WHERE decision = ?2)";
        self.run(|this| {
            let sql = format!("INSERT OR IGNORE INTO identifier (digest, decision, key_id) SELECT ?1, ?2, ?3 {ALLOWED}");
            let mut insert = this.connection.prepare_cached(&sql)?;
            for row in identifiers {
                insert.execute(params![&row.digest[..], row.decision.0, key_no(row.key_id)])?;
            }
            let sql = format!(
                "INSERT OR IGNORE INTO content (payload, decision, key_id, content) SELECT ?1, ?2, ?3, ?4 {ALLOWED}"
            );
            let mut insert = this.connection.prepare_cached(&sql)?;
            for row in contents {
                let payload = &row.payload.as_bytes()[..];
                insert.execute(params![payload, row.decision.0, key_no(row.key_id), row.content])?;
            }
            Ok(())
        })
    }

    fn erase(&mut self, subjects: &[Pseudonym], keys: &[KeyId]) -> Result<()> {
        self.run(|this| {
            let run = |sql: &str, value: &dyn rusqlite::ToSql| {
                this.connection.prepare_cached(sql)?.execute([value]).map(|_| ())
            };
            for subject in subjects {
                let subject = &subject.as_bytes()[..];
                run("INSERT OR IGNORE INTO erased_subject (subject) VALUES (?1)", &subject)?;
                for table in ["identifier", "content"] {
                    let of = "SELECT decision FROM decision_subject WHERE subject = ?1";
                    run(&format!("DELETE FROM {table} WHERE decision IN ({of})"), &subject)?;
                }
            }
            for key in keys.iter().map(|key| key_no(*key)) {
                run("INSERT OR IGNORE INTO erased_key (key_id) VALUES (?1)", &key)?;
                run("DELETE FROM identifier WHERE key_id = ?1", &key)?;
                run("DELETE FROM content WHERE key_id = ?1", &key)?;
            }
            this.is_wal_due = true;
            Ok(())
        })
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
                .prepare_cached("UPDATE log SET next = ?2, identified = ?3, newest_ns = ?4 WHERE log = ?1")?
                .execute(params![
                    position.log,
                    position.next as i64,
                    position.identified as i64,
                    position.newest_ns
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
    use crate::error::IndexError;
    use crate::rows::EventRow;

    #[test]
    fn a_full_disk_is_told_and_nothing_of_the_batch_stays() {
        let temp = tempfile::tempdir().unwrap();
        let mut engine = SqliteEngine::open(&temp.path().join("index.sqlite")).unwrap();
        let limit = |engine: &SqliteEngine, pages: u32| {
            let pragma = format!("PRAGMA max_page_count = {pages}");
            engine.connection.query_row(&pragma, [], |_| Ok(())).unwrap();
        };
        let log = LogName { origin: "o".into(), system: "s".into(), shard: "0".into(), epoch: "e".into() };
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
