//! Reading either engine: SQL text with parameters, rows of simple values. One connection, one reader; nothing is written.

mod value;

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

pub use self::value::Value;

use crate::error::{IndexError, Result};
use crate::postgres::{self, Interrupt, Place, postgres_reader};
use crate::schema::SCHEMA_VERSION;
use crate::sqlite::explain;

/// How long a question waits for a writer that holds the file.
const BUSY_TIME_MAX: Duration = Duration::from_secs(5);
/// Pages of the file that a reader keeps in memory, KiB.
const CACHE_KIB: i64 = 16 << 10;

/// An index open for reading.
pub struct Reader {
    connection: Connected,
    place: String,
}

enum Connected {
    Sqlite(Connection),
    Postgres(Box<postgres::Connection>),
}

impl Reader {
    /// Opens a SQLite index to read it. [`IndexError::Newer`] if its schema is not this program's; [`IndexError::Damaged`] if it
    /// is no index.
    pub fn sqlite(path: &Path) -> Result<Self> {
        let place = path.display().to_string();
        let failed = |error| sqlite_error(&place, error);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(BUSY_TIME_MAX).map_err(failed)?;
        connection.pragma_update(None, "query_only", true).map_err(failed)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(failed)?;
        let found = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
        let mut reader = Self { connection: Connected::Sqlite(connection), place };
        reader.check_version(found)?;
        // All questions see the same moment; damage of the schema shows when it is read first, which this does.
        reader.rows("BEGIN", &[], |_| Ok(()))?;
        reader.rows("SELECT count(*) FROM log", &[], |_| Ok(()))?;
        Ok(reader)
    }

    /// Connects to an index in PostgreSQL to read it; `interrupt` ends what is waited for.
    pub fn postgres(place: &Place, interrupt: &Interrupt) -> Result<Self> {
        let connection = postgres_reader(place, interrupt)?;
        // All questions see the same moment.
        connection.batch("ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1")?;
        let connection = Connected::Postgres(Box::new(connection));
        let mut reader = Self { connection, place: place.to_string() };
        let there = reader.row("SELECT to_regclass('inferlog_schema') IS NOT NULL", &[])?;
        let found = match there.as_deref() {
            Some([Value::Integer(1)]) => reader.row("SELECT max(version) FROM inferlog_schema", &[])?,
            _ => None,
        };
        let found = found.and_then(|row| row.first()?.integer());
        reader.check_version(found.unwrap_or(0))?;
        Ok(reader)
    }

    fn check_version(&self, found: i64) -> Result<()> {
        let place = self.place.clone();
        match found {
            SCHEMA_VERSION => Ok(()),
            0 => Err(IndexError::Damaged { place, what: "it has no schema".into() }),
            _ => Err(IndexError::Newer { place, found, known: SCHEMA_VERSION }),
        }
    }

    /// Gives every row of a question to `visit`. Parameters stand as `$1`, `$2`, …
    pub fn rows(
        &mut self,
        sql: &str,
        parameters: &[Value],
        mut visit: impl FnMut(&[Value]) -> Result<()>,
    ) -> Result<()> {
        let place = &self.place;
        match &mut self.connection {
            Connected::Sqlite(connection) => {
                let failed = |error| sqlite_error(place, error);
                let mut statement = connection.prepare_cached(&sql.replace('$', "?")).map_err(failed)?;
                let columns = statement.column_count();
                let mut rows = statement.query(rusqlite::params_from_iter(parameters)).map_err(failed)?;
                let mut values = Vec::with_capacity(columns);
                while let Some(row) = rows.next().map_err(failed)? {
                    values.clear();
                    for column in 0..columns {
                        values.push(row.get_ref(column).map_err(failed)?.into());
                    }
                    visit(&values)?;
                }
                Ok(())
            }
            Connected::Postgres(connection) => {
                let parameters: Vec<_> = parameters.iter().map(Value::as_postgres).collect();
                for row in connection.query(sql, &parameters)? {
                    visit(&Value::of_postgres(&row, place)?)?;
                }
                Ok(())
            }
        }
    }

    /// What one row of a question says; `None` without one.
    pub fn row(&mut self, sql: &str, parameters: &[Value]) -> Result<Option<Vec<Value>>> {
        let mut found = None;
        self.rows(sql, parameters, |row| {
            found.get_or_insert_with(|| row.to_vec());
            Ok(())
        })?;
        Ok(found)
    }

    /// The file or database, as messages name it: without a password.
    pub fn place(&self) -> &str {
        &self.place
    }
}

/// What SQLite said of a file, in words that say what to do.
pub(crate) fn sqlite_error(place: &str, error: rusqlite::Error) -> IndexError {
    explain(Path::new(place), error)
}
