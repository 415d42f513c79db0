//! A connection whose every answer has a deadline. A stopped server keeps its sockets open and its machine keeps
//! acknowledging what arrives, so that no time-out of TCP sees it; the deadline is ours.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures_util::TryStreamExt;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row, RowStream, Statement};
use tokio_util::sync::CancellationToken;

use super::error::{PostgresError, explain};
use super::place::{Place, Trust};
use super::tls;
use crate::error::Result;

/// How long connecting may take, its handshakes included, in seconds.
pub const CONNECT_SECONDS_MAX: u64 = 10;
/// How long the server works on one statement before it gives up, in seconds.
pub const STATEMENT_SECONDS_MAX: u64 = 45;
/// How long the server waits for another's lock, in seconds.
pub const LOCK_SECONDS_MAX: u64 = 10;
/// How long an answer is waited for, in seconds; longer than the server may work, so that its own word comes first.
pub const ANSWER_SECONDS_MAX: u64 = 60;
/// How long a server that has heard nothing holds what a transaction locked, in seconds.
const IDLE_IN_TRANSACTION_SECONDS_MAX: u64 = 60;
/// When TCP asks whether a silent machine is there, and how often, in seconds.
const KEEPALIVE_SECONDS: u64 = 15;

/// Ends what waits for PostgreSQL, now and later: for a process that is to end while the server hangs.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(CancellationToken);

impl Interrupt {
    /// Ends it.
    pub fn interrupt(&self) {
        self.0.cancel();
    }
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Write,
    Read,
}

/// A connection. Its calls block; they must not be made on a thread of an asynchronous runtime.
pub struct Connection {
    place: String,
    answer: Duration,
    interrupt: Interrupt,
    link: Link,
    // Dropped last.
    driver: Driver,
}

/// What futures of a connection borrow.
pub(super) struct Link {
    pub(super) client: Client,
    statements: RefCell<HashMap<String, Statement>>,
}

impl Link {
    /// A statement that is prepared once for the connection.
    pub(super) async fn statement(&self, sql: &str) -> Result<Statement, tokio_postgres::Error> {
        let had = self.statements.borrow().get(sql).cloned();
        if let Some(statement) = had {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.borrow_mut().insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// Runs a prepared statement.
    pub(super) async fn query(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let statement = self.statement(sql).await?;
        self.client.query(&statement, parameters).await
    }

    /// Runs a prepared statement that answers nothing; how many rows it concerned.
    pub(super) async fn execute(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, tokio_postgres::Error> {
        let statement = self.statement(sql).await?;
        self.client.execute(&statement, parameters).await
    }
}

/// The runtime that drives the socket while somebody waits for it.
struct Driver(Option<Runtime>);

impl Drop for Driver {
    fn drop(&mut self) {
        // A name that is being looked up would be waited for.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Connection {
    pub(super) fn open(place: &Place, purpose: Purpose, interrupt: &Interrupt) -> Result<Connection> {
        let failed = |source: PostgresError| explain(&place.to_string(), source);
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
            failed(PostgresError::Here(format!("no runtime for the connection: {error}")))
        })?;
        let driver = Driver(Some(runtime));
        let connecting = connect(place, purpose);
        let limit = place.answer.min(Duration::from_secs(CONNECT_SECONDS_MAX));
        let client = wait(&driver, limit, interrupt, connecting).and_then(|client| client).map_err(failed)?;
        let link = Link { client, statements: RefCell::default() };
        let interrupt = interrupt.clone();
        Ok(Connection { place: place.to_string(), answer: place.answer, interrupt, link, driver })
    }

    /// Whether the server went away.
    pub fn is_closed(&self) -> bool {
        self.link.client.is_closed()
    }

    /// Runs statements that have no parameters and whose answers nobody needs.
    ///
    /// # Errors
    /// What the server says, or that it does not answer.
    pub fn batch(&self, sql: &str) -> Result<()> {
        self.run(async |link| link.client.batch_execute(sql).await)
    }

    /// Has one statement parsed and planned: its columns are known before it runs.
    ///
    /// # Errors
    /// As [`Connection::batch`].
    pub fn prepare(&self, sql: &str) -> Result<Statement> {
        self.run(async |link| link.client.prepare(sql).await)
    }

    /// Runs a statement and collects its answer.
    ///
    /// # Errors
    /// As [`Connection::batch`].
    pub fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.run(async |link| link.client.query(sql, parameters).await)
    }

    /// Runs a statement and hands out its rows as they come: the server is read no faster than they are taken.
    ///
    /// # Errors
    /// As [`Connection::batch`].
    pub fn stream(&self, statement: &Statement) -> Result<Stream<'_>> {
        let none: [&(dyn ToSql + Sync); 0] = [];
        let rows = self.run(async |link| link.client.query_raw(statement, none).await)?;
        Ok(Stream { connection: self, rows: Box::pin(rows) })
    }

    /// Waits for what `work` makes of the connection, until the deadline.
    pub(super) fn run<T>(
        &self,
        work: impl AsyncFnOnce(&Link) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T> {
        self.run_for(self.answer, work)
    }

    /// The same with a deadline of one's own.
    pub(super) fn run_for<T>(
        &self,
        limit: Duration,
        work: impl AsyncFnOnce(&Link) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T> {
        let done = wait(&self.driver, limit, &self.interrupt, work(&self.link));
        done.and_then(|done| done.map_err(PostgresError::from)).map_err(|error| explain(&self.place, error))
    }

    /// As [`Connection::run`], for a statement that is not ours: the error as the server said it.
    pub(crate) fn run_others<T>(
        &self,
        work: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, PostgresError> {
        let done = wait(&self.driver, self.answer, &self.interrupt, work(&self.link.client));
        done.and_then(|done| done.map_err(PostgresError::from))
    }

    /// What such an error means for the index.
    pub(crate) fn explain(&self, error: PostgresError) -> crate::IndexError {
        explain(&self.place, error)
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({})", self.place)
    }
}

/// Rows as they come.
pub struct Stream<'a> {
    connection: &'a Connection,
    rows: Pin<Box<RowStream>>,
}

impl Iterator for Stream<'_> {
    type Item = Result<Row>;
    fn next(&mut self) -> Option<Result<Row>> {
        let rows = &mut self.rows;
        self.connection.run(async |_| rows.try_next().await).transpose()
    }
}

async fn connect(place: &Place, purpose: Purpose) -> Result<Client, PostgresError> {
    let mut config = place.config.clone();
    config.connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX));
    config.keepalives_idle(Duration::from_secs(KEEPALIVE_SECONDS));
    config.keepalives_interval(Duration::from_secs(KEEPALIVE_SECONDS)).keepalives_retries(3);
    config.tcp_user_timeout(Duration::from_secs(ANSWER_SECONDS_MAX));
    if config.get_application_name().is_none() {
        config.application_name("inferlog");
    }
    let client = if place.trust == Trust::Disable {
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        client
    } else {
        let tls = tls::connector(place).map_err(PostgresError::Here)?;
        let (client, connection) = config.connect(tls).await?;
        tokio::spawn(connection);
        client
    };
    client.batch_execute(&settings(purpose)).await?;
    Ok(client)
}

/// What every session is told first.
fn settings(purpose: Purpose) -> String {
    let mut settings = format!(
        "SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'iso_8601'; SET bytea_output = 'hex'; \
         SET extra_float_digits = 1; SET standard_conforming_strings = on; \
         SET statement_timeout = '{STATEMENT_SECONDS_MAX}s'; SET lock_timeout = '{LOCK_SECONDS_MAX}s'; \
         SET idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION_SECONDS_MAX}s';"
    );
    if purpose == Purpose::Read {
        settings.push_str(" SET default_transaction_read_only = on;");
        // From PostgreSQL 14: what nobody waits for any more ends.
        settings.push_str(
            " DO $$ BEGIN IF current_setting('client_connection_check_interval', true) IS NOT NULL THEN \
             PERFORM set_config('client_connection_check_interval', '1s', false); END IF; END $$;",
        );
    } else {
        // Whatever the database's default is: each statement sees what was committed before it, locks included.
        settings.push_str(
            " SET default_transaction_isolation = 'read committed'; SET client_min_messages = warning;",
        );
    }
    settings
}

fn wait<T>(
    driver: &Driver,
    limit: Duration,
    interrupt: &Interrupt,
    work: impl Future<Output = T>,
) -> Result<T, PostgresError> {
    let Some(runtime) = &driver.0 else { return Err(PostgresError::Interrupted) };
    runtime.block_on(async {
        match interrupt.0.run_until_cancelled(tokio::time::timeout(limit, work)).await {
            None => Err(PostgresError::Interrupted),
            Some(Err(_)) => Err(PostgresError::NoAnswer(limit)),
            Some(Ok(done)) => Ok(done),
        }
    })
}
