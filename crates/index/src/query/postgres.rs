//! A statement in PostgreSQL.

use std::time::Duration;

use tokio_postgres::error::{DbError, ErrorPosition, SqlState};

use super::binary::{Raw, cell, column};
use super::hint::{did_you_mean, nearest};
use super::sqlite::{ONE_SELECT, too_long};
use super::{Clock, Limits, QueryError, QueryFault, RowSink};
use crate::error::IndexError;
use crate::postgres::{Connection, Interrupt, Place, PostgresError, postgres_reader};
use crate::read::Reader;

/// Before every statement: a cursor takes what reads and nothing else, and the server's parser says what that is.
const DECLARE: &str = "DECLARE inferlog_query NO SCROLL CURSOR FOR ";
/// Rows that are fetched at once, at first and at most.
const BATCH_ROWS: (usize, usize) = (64, 2_000);
/// Bytes that a batch is meant to have; a row is never split.
const BATCH_BYTES: usize = 1 << 20;
/// How long whoever takes the rows may rest in between, before the server gives up.
const IDLE_TIME_MAX: Duration = Duration::from_secs(600);
/// What the server may take longer than it was told, before the connection is given up.
const GRACE: Duration = Duration::from_secs(5);
/// The largest share of the memory for one sort or hash in the server.
const WORK_MEMORY_SHARE: u64 = 8;

/// Answers one statement from a database, and says how many rows that were. The caller bounds the process; see the module.
pub fn query_postgres(
    place: &Place,
    sql: &str,
    limits: &Limits,
    clock: &Clock,
    out: &mut dyn RowSink,
) -> Result<u64, QueryError> {
    too_long(sql)?;
    let place = place.clone().answering_within(limits.time_max + GRACE);
    // Says whether the schema is ours.
    drop(Reader::postgres(&place, &Interrupt::default())?);
    let connection = postgres_reader(&place, &Interrupt::default())?;
    let asked = Asked { connection, limits, clock };
    asked.bound()?;
    asked.answer(sql, out).map_err(|error| match error {
        Failed::Query(error) => error,
        Failed::Server(error) => asked.explain(error, sql),
    })
}

struct Asked<'a> {
    connection: Connection,
    limits: &'a Limits,
    clock: &'a Clock,
}

enum Failed {
    Server(PostgresError),
    Query(QueryError),
}

impl From<PostgresError> for Failed {
    fn from(error: PostgresError) -> Self {
        Self::Server(error)
    }
}

impl From<QueryError> for Failed {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

impl Asked<'_> {
    /// What the session's role may set of the server's limits.
    fn bound(&self) -> Result<(), IndexError> {
        let kib = |bytes: u64| (bytes >> 10).clamp(64, i32::MAX as u64);
        let work = kib(self.limits.memory_bytes_max / WORK_MEMORY_SHARE);
        self.connection.batch(&format!(
            "SET LOCAL work_mem = {work}; SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off; \
             SET LOCAL idle_in_transaction_session_timeout = {}",
            IDLE_TIME_MAX.as_millis()
        ))?;
        // For superusers alone, who should not be asking.
        let temp = kib(self.limits.temp_bytes_max);
        let set = format!("SAVEPOINT bound; SET LOCAL temp_file_limit = {temp}; RELEASE bound");
        if self.connection.batch(&set).is_err() {
            self.connection.batch("ROLLBACK TO bound; RELEASE bound")?;
        }
        Ok(())
    }

    /// Told before each step anew: a statement may change its session's settings.
    fn tell_time(&self) -> Result<(), Failed> {
        let left = self.clock.left().as_millis();
        if left == 0 {
            return Err(self.limits.time_is_up().into());
        }
        let set = format!("SET LOCAL statement_timeout = {left}");
        Ok(self.connection.run_others(async |client| client.batch_execute(&set).await)?)
    }

    fn answer(&self, sql: &str, out: &mut dyn RowSink) -> Result<u64, Failed> {
        self.tell_time()?;
        let declare = format!("{DECLARE}{sql}");
        // Prepared, so that the server takes no second statement after it.
        self.connection.run_others(async |client| {
            let declare = client.prepare(&declare).await?;
            client.execute(&declare, &[]).await
        })?;
        let fetch = "FETCH FORWARD 0 FROM inferlog_query";
        let fetch = self.connection.run_others(async |client| client.prepare(fetch).await)?;
        let columns = fetch.columns().iter().map(column).collect::<Result<Vec<_>, _>>()?;
        self.clock.untimed(|| out.begin(&columns)).map_err(QueryError::output)?;
        let (mut count, mut batch) = (0, BATCH_ROWS.0);
        loop {
            self.tell_time()?;
            let fetch = format!("FETCH FORWARD {batch} FROM inferlog_query");
            let rows = self.connection.run_others(async |client| client.query(&fetch, &[]).await)?;
            let (got, mut bytes) = (rows.len(), 0);
            for row in rows {
                let mut cells = Vec::with_capacity(columns.len());
                for (place, column) in row.columns().iter().enumerate() {
                    let raw: Option<Raw<'_>> = row.try_get(place).map_err(|error| {
                        QueryError::new(QueryFault::IndexFailed, format!("a value cannot be read: {error}"))
                    })?;
                    bytes += raw.as_ref().map_or(0, |raw| raw.0.len());
                    cells.push(cell(raw, column.type_())?);
                }
                self.clock.untimed(|| out.row(cells)).map_err(QueryError::output)?;
                count += 1;
            }
            if got < batch {
                return Ok(count);
            }
            batch = (BATCH_BYTES / (bytes / got).max(1)).clamp(1, BATCH_ROWS.1);
        }
    }

    fn explain(&self, error: PostgresError, sql: &str) -> QueryError {
        let said = match &error {
            PostgresError::Said(error) => error.as_db_error(),
            PostgresError::NoAnswer(_) if self.clock.overdue().is_some() => return self.limits.time_is_up(),
            _ => None,
        };
        let Some(said) = said else { return self.connection.explain(error).into() };
        let code = said.code();
        let not_allowed = |what: &str| QueryError::new(QueryFault::NotAllowed, what).hint(ONE_SELECT);
        match code.code() {
            "57014" => self.limits.time_is_up(),
            "53200" => self.limits.memory_is_full(),
            "53100" | "53400" => self.limits.disk_is_full(),
            code if code.starts_with("25") => not_allowed(said.message()),
            "42601" if said.message().contains("multiple commands") => {
                not_allowed("there is more than one statement")
            }
            "42501" => not_allowed(said.message()),
            // The server's own trouble; everything else is the statement's.
            code if ["08", "53", "55", "57", "58", "F0", "XX"]
                .iter()
                .any(|class| code.starts_with(class)) =>
            {
                self.connection.explain(error).into()
            }
            _ => self.bad_sql(said, sql),
        }
    }

    fn bad_sql(&self, said: &DbError, sql: &str) -> QueryError {
        let position = match said.position() {
            Some(ErrorPosition::Original(at)) => (*at as usize).checked_sub(1 + DECLARE.chars().count()),
            _ => None,
        };
        let position = position.filter(|position| *position <= sql.chars().count());
        let quoted = said.message().split('"').nth(1).unwrap_or_default();
        let bare = said.message().split_whitespace().nth(1).unwrap_or_default();
        let name = if quoted.is_empty() { bare } else { quoted };
        let hint = match said.code() {
            code if *code == SqlState::UNDEFINED_COLUMN => {
                Some(did_you_mean(&nearest(name, self.names("column_name"))))
            }
            code if *code == SqlState::UNDEFINED_TABLE => {
                Some(did_you_mean(&nearest(name, self.names("table_name"))))
            }
            code if *code == SqlState::SYNTAX_ERROR && position == Some(0) => Some(ONE_SELECT.to_owned()),
            _ => said.hint().map(str::to_owned),
        };
        QueryError { hint, position, ..QueryError::new(QueryFault::BadSql, said.message()) }
    }

    /// Names of views or of their columns; none where they cannot be asked for.
    fn names(&self, what: &str) -> Vec<String> {
        let sql = format!(
            "SELECT DISTINCT {what}::text FROM information_schema.columns WHERE table_schema = ANY (current_schemas(false))"
        );
        let rows = self
            .connection
            .batch("ROLLBACK; BEGIN READ ONLY")
            .and_then(|()| self.connection.query(&sql, &[]))
            .unwrap_or_default();
        rows.iter().filter_map(|row| row.try_get(0).ok()).collect()
    }
}
