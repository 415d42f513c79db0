//! PostgreSQL: the central store of several nodes.
//!
//! One connection, whose every answer has a deadline ([`Connection`]). A batch is one transaction: `begin` locks the row of the
//! log's cursor, so that each log is followed by one process at a time; what logs share (facets, decisions, rollups) is locked
//! row by row in the order of keys. Whatever fails, the batch is rolled back, by us or by the server that lost us, and the
//! cursor says where to begin again; so a lost connection, a deadlock and a restart of the server all end the same way.

mod connection;
mod decision;
mod error;
mod intern;
mod personal;
mod place;
mod reader;
mod removal;
mod schema;
mod tls;
mod write;

use std::collections::HashMap;
use std::time::Duration;

use inferlog_record::Id;
use tokio_postgres::Row;
use uuid::Uuid;

pub use connection::{
    ANSWER_SECONDS_MAX, CONNECT_SECONDS_MAX, Connection, Interrupt, LOCK_SECONDS_MAX, STATEMENT_SECONDS_MAX,
    Stream,
};
pub use error::PostgresError;
pub use place::{Place, PlaceError};
pub use reader::postgres_reader;
/// The client library, for the types of columns and values.
pub use tokio_postgres;

use crate::engine::{Engine, LogName, Position};
use crate::error::{IndexError, Result};
use crate::removal::{Erasure, Place as EventPlace, PurgeDue, PurgedPayloads};
use crate::rows::{ClearContent, DecisionRow, EventNo, Identifier, Rows, Shared};
use crate::schema::SCHEMA_VERSION;
use connection::{Link, Purpose};
use error::{explain, told};
use intern::Interned;

/// How long an erasure may take, which copies the tables it erases from, in seconds.
pub const ERASE_SECONDS_MAX: u64 = 3_600;
/// How long a rollback is waited for before the connection is given up, in seconds.
const ROLLBACK_SECONDS_MAX: u64 = 5;

/// An index in a PostgreSQL database.
#[derive(Debug)]
pub struct PostgresEngine {
    place: Place,
    interrupt: Interrupt,
    connection: Option<Connection>,
    interned: Interned,
    is_begun: bool,
}

impl PostgresEngine {
    /// An index there. Nothing is asked of the server yet, which may be down: each call connects if it must, and the first
    /// one makes the schema.
    pub fn new(place: Place, interrupt: Interrupt) -> Self {
        Self { place, interrupt, connection: None, interned: Interned::default(), is_begun: false }
    }

    /// Where it is, without a password.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Ends what this engine waits for, from another thread.
    pub fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// Runs one call on the connection, which is made if there is none. After an error nothing of the transaction is left, on
    /// the server or in memory.
    fn run<T>(&mut self, call: impl AsyncFnOnce(&Link, &mut Interned) -> Asked<T>) -> Result<T> {
        let limit = self.place.answer;
        self.run_for(limit, call)
    }

    fn run_for<T>(
        &mut self,
        limit: Duration,
        call: impl AsyncFnOnce(&Link, &mut Interned) -> Asked<T>,
    ) -> Result<T> {
        self.connect()?;
        let Some(connection) = &self.connection else { return Err(self.not_begun()) };
        let interned = &mut self.interned;
        let done = connection.run_for(limit, async |link| call(link, interned).await);
        done.inspect_err(|_| self.abandon())
    }

    /// The same within a transaction.
    fn run_begun<T>(&mut self, call: impl AsyncFnOnce(&Link, &mut Interned) -> Asked<T>) -> Result<T> {
        if !self.is_begun {
            return Err(self.not_begun());
        }
        self.run(call)
    }

    /// The same for what copies tables.
    fn run_long<T>(&mut self, call: impl AsyncFnOnce(&Link, &mut Interned) -> Asked<T>) -> Result<T> {
        if !self.is_begun {
            return Err(self.not_begun());
        }
        self.run_for(Duration::from_secs(ERASE_SECONDS_MAX), call)
    }

    fn not_begun(&self) -> IndexError {
        explain(&self.place.to_string(), PostgresError::Here("no transaction was begun".to_owned()))
    }

    fn connect(&mut self) -> Result<()> {
        if self.connection.as_ref().is_some_and(|connection| !connection.is_closed()) {
            return Ok(());
        }
        self.forget();
        self.connection = None;
        let connection = Connection::open(&self.place, Purpose::Write, &self.interrupt)?;
        if connection.run(async |link| schema::version(link).await)? != Some(SCHEMA_VERSION)
            && let Some(found) = connection.run(async |link| schema::migrate(link).await)?
        {
            return Err(IndexError::Newer { place: self.place.to_string(), found, known: SCHEMA_VERSION });
        }
        self.connection = Some(connection);
        Ok(())
    }

    /// Ends the transaction after an error, and the connection with it: the server then rolls back. What a connection's two
    /// ends think of each other after an error is not always the same (a COPY that is refused at its beginning leaves the client
    /// one answer behind), and errors are few.
    fn abandon(&mut self) {
        self.forget();
        self.connection = None;
    }

    fn forget(&mut self) {
        self.is_begun = false;
        self.interned.rollback();
    }
}

/// What an asynchronous call answers.
type Asked<T> = std::result::Result<T, tokio_postgres::Error>;

fn position(row: &Row) -> Asked<Position> {
    let unsigned = |at| row.try_get::<_, i64>(at).map(|number| number as u64);
    let (log, keystore) = (row.try_get::<_, i32>(0)? as u16, row.try_get::<_, i32>(4)? as u16);
    let (next, identified, pruned) = (unsigned(1)?, unsigned(2)?, unsigned(5)?);
    Ok(Position { log, keystore, next, identified, pruned, newest_ns: row.try_get(3)? })
}

/// Makes the row of a log in a transaction of its own: others that begin need not wait for this batch.
async fn name(link: &Link, log: &LogName) -> Asked<()> {
    let LogName { origin, system, shard, epoch, keystore } = log;
    if !link.query("SELECT 1 FROM log WHERE origin = $1", &[origin]).await?.is_empty() {
        return Ok(());
    }
    // SHARE ROW EXCLUSIVE: one at a time counts the numbers up.
    link.client.batch_execute("BEGIN; LOCK TABLE log IN SHARE ROW EXCLUSIVE MODE").await?;
    link.execute(
        "INSERT INTO keystore (keystore, id) SELECT coalesce(max(keystore), 0) + 1, $1 FROM keystore ON CONFLICT (id) DO NOTHING",
        &[keystore],
    )
    .await?;
    link.execute(
        "INSERT INTO log (log, keystore, origin, system, shard, epoch) \
         SELECT (SELECT coalesce(max(log), 0) + 1 FROM log), keystore, $1, $2, $3, $4 FROM keystore WHERE id = $5 \
         ON CONFLICT (origin) DO NOTHING",
        &[origin, system, shard, epoch, keystore],
    )
    .await?;
    link.client.batch_execute("COMMIT").await
}

async fn begin(link: &Link, interned: &mut Interned, log: &LogName) -> Asked<Option<Position>> {
    name(link, log).await?;
    link.client.batch_execute("BEGIN").await?;
    let sql =
        "SELECT log, next, identified, newest_ns, keystore, pruned FROM log WHERE origin = $1 FOR UPDATE";
    let rows = link.query(sql, &[&log.origin]).await?;
    // Behind the lock: who deletes everything waits for it, and so did we for them.
    let cleared = link.query("SELECT max(cleared) FROM inferlog_schema", &[]).await?;
    if let Some(row) = cleared.first() {
        interned.as_of(row.try_get::<_, Option<i64>>(0)?.unwrap_or(0));
    }
    rows.first().map(position).transpose()
}

impl Engine for PostgresEngine {
    fn logs(&mut self) -> Result<Vec<(LogName, Position)>> {
        self.run(async |link, _| {
            let sql = "SELECT log, next, identified, newest_ns, keystore, pruned, origin, system, shard, epoch, id \
                       FROM log JOIN keystore USING (keystore) ORDER BY log";
            let rows = link.query(sql, &[]).await?;
            let named = |row: &Row| {
                let text = |at| row.try_get::<_, String>(at);
                let (origin, system, shard, epoch) = (text(6)?, text(7)?, text(8)?, text(9)?);
                let name = LogName { origin, system, shard, epoch, keystore: text(10)? };
                Ok((name, position(row)?))
            };
            rows.iter().map(named).collect()
        })
    }

    fn begin(&mut self, log: &LogName) -> Result<Position> {
        if self.is_begun {
            self.rollback()?;
        }
        // Not there: everything was deleted between the two transactions.
        for _ in 0..3 {
            if let Some(position) = self.run(async |link, interned| begin(link, interned, log).await)? {
                self.is_begun = true;
                return Ok(position);
            }
            self.rollback()?;
        }
        let what = "the row of a log disappears again and again".to_owned();
        Err(IndexError::Locked { place: self.place.to_string(), what })
    }

    fn load(&mut self, decisions: &[Id]) -> Result<HashMap<Id, DecisionRow>> {
        self.run_begun(async |link, _| decision::load(link, decisions).await)
    }

    fn intern(&mut self, shared: &[Shared]) -> Result<Vec<i32>> {
        let numbers = self.run_begun(async |link, interned| intern::intern(link, interned, shared).await)?;
        let numbers: Option<Vec<i32>> = numbers.into_iter().collect();
        numbers.ok_or_else(|| {
            self.abandon();
            let what = "a row of a shared table cannot be found by its key".to_owned();
            IndexError::Damaged { place: self.place.to_string(), what }
        })
    }

    fn events(&mut self, ids: &[Id]) -> Result<HashMap<Id, EventNo>> {
        self.run_begun(async |link, _| {
            let uuids: Vec<Uuid> = ids.iter().map(|id| Uuid::from(*id)).collect();
            let rows = link.query("SELECT id, no FROM event WHERE id = ANY($1)", &[&uuids]).await?;
            let mut nos = HashMap::with_capacity(rows.len());
            for row in rows {
                nos.insert(row.try_get::<_, Uuid>(0)?, EventNo(row.try_get(1)?));
            }
            Ok(ids.iter().filter_map(|id| Some((*id, *nos.get(&Uuid::from(*id))?))).collect())
        })
    }

    fn write(&mut self, rows: &Rows) -> Result<()> {
        self.run_begun(async |link, _| write::write(link, rows).await)
    }

    fn identify(&mut self, identifiers: &[Identifier], contents: &[ClearContent]) -> Result<()> {
        self.run_begun(async |link, _| personal::identify(link, identifiers, contents).await)
    }

    fn erase(&mut self, erasures: &[Erasure]) -> Result<()> {
        self.run_long(async |link, _| personal::erase(link, erasures).await)
    }

    fn purge(&mut self, payloads: &[PurgedPayloads]) -> Result<()> {
        self.run_long(async |link, _| personal::purge(link, payloads).await)
    }

    fn forget(&mut self, ranges: &[(EventNo, EventNo)]) -> Result<()> {
        self.run_long(async |link, _| personal::forget(link, ranges).await)
    }

    fn announce(&mut self, due: &[PurgeDue]) -> Result<()> {
        self.run_begun(async |link, _| removal::announce(link, due).await)
    }

    fn due(&mut self) -> Result<Vec<PurgeDue>> {
        self.run(async |link, _| removal::due(link).await)
    }

    fn done(&mut self, due: PurgeDue) -> Result<()> {
        self.run_begun(async |link, _| removal::done(link, due).await)
    }

    fn next_place(&mut self, range: (EventNo, EventNo)) -> Result<Option<EventNo>> {
        self.run(async |link, _| removal::next_place(link, range).await)
    }

    fn places(&mut self, range: (EventNo, EventNo)) -> Result<Vec<EventPlace>> {
        self.run(async |link, _| removal::places(link, range).await)
    }

    fn places_of(&mut self, decisions: &[Id], events: &[EventNo]) -> Result<Vec<EventNo>> {
        self.run_begun(async |link, _| removal::places_of(link, decisions, events).await)
    }

    fn unwrite(&mut self, entries: &[EventNo], decisions: &[EventNo]) -> Result<()> {
        self.run_begun(async |link, _| removal::unwrite(link, entries, decisions).await)
    }

    fn renumber(&mut self, decisions: &[(EventNo, EventNo)]) -> Result<()> {
        self.run_begun(async |link, _| removal::renumber(link, decisions).await)
    }

    fn settle(&mut self) -> Result<bool> {
        self.run(async |link, _| removal::settle(link).await).map(|()| true)
    }

    fn skip(&mut self, log: u16, first: u64, last: u64, reason: &str, at_ns: i64) -> Result<()> {
        self.run_begun(async |link, _| {
            let sql = "INSERT INTO skip (log, first, last, reason, skipped_ns) VALUES ($1, $2, $3, $4, $5) \
                       ON CONFLICT (log, first) DO UPDATE SET \
                       last = excluded.last, reason = excluded.reason, skipped_ns = excluded.skipped_ns";
            let (log, first, last) = (i32::from(log), first as i64, last as i64);
            link.execute(sql, &[&log, &first, &last, &reason, &at_ns]).await.map(|_| ())
        })
    }

    fn commit(&mut self, position: Position) -> Result<()> {
        self.run_begun(async |link, _| {
            let Position { log, next, identified, pruned, newest_ns, .. } = position;
            let (log, next, identified, pruned) =
                (i32::from(log), next as i64, identified as i64, pruned as i64);
            let sql = "UPDATE log SET next = $2, identified = $3, newest_ns = $4, pruned = $5 WHERE log = $1";
            link.execute(sql, &[&log, &next, &identified, &newest_ns, &pruned]).await?;
            // An answer that is lost leaves it open whether the batch is there; the cursor says so to whoever begins next.
            link.client.batch_execute("COMMIT").await
        })?;
        self.is_begun = false;
        self.interned.commit();
        Ok(())
    }

    fn rollback(&mut self) -> Result<()> {
        self.forget();
        let Some(connection) = &self.connection else { return Ok(()) };
        let limit = Duration::from_secs(ROLLBACK_SECONDS_MAX).min(self.place.answer);
        if connection.run_for(limit, async |link| link.client.batch_execute("ROLLBACK").await).is_err() {
            self.connection = None;
        }
        Ok(())
    }

    fn clear(&mut self) -> Result<()> {
        if self.is_begun {
            self.rollback()?;
        }
        self.run(async |link, _| schema::clear(link).await)
    }
}
