//! Reading either engine: SQL text with parameters, rows of simple values. One connection, one reader; nothing is written.

use std::path::Path;
use std::time::Duration;

use inferlog_record::{Id, Pseudonym};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags};

use crate::error::{IndexError, Result};
use crate::schema::SCHEMA_VERSION;

/// How long a question waits for a writer that holds the file.
const BUSY_TIME_MAX: Duration = Duration::from_secs(5);
/// Pages of the file that a reader keeps in memory, KiB.
const CACHE_KIB: i64 = 16 << 10;

/// A value of a row, or a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// None.
    Null,
    /// A number; of a flag, 0 or 1.
    Integer(i64),
    /// A number with a fraction.
    Real(f64),
    /// Text. JSON and ids of decisions are asked for as text: `CAST(id AS TEXT)`.
    Text(String),
    /// Bytes; a UUID's sixteen.
    Blob(Vec<u8>),
}

/// An index open for reading.
pub struct Reader {
    connection: Connected,
    place: String,
}

enum Connected {
    Sqlite(Connection),
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
        // Damage of the schema shows when it is read first, which this does.
        reader.rows("SELECT count(*) FROM log", &[], |_| Ok(()))?;
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

/// What SQLite said, in words that say what to do.
pub(crate) fn sqlite_error(place: &str, error: rusqlite::Error) -> IndexError {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseCorrupt, DatabaseLocked, NotADatabase};
    let (place, what) = (place.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(DatabaseBusy | DatabaseLocked) => IndexError::Locked { place, what },
        Some(DatabaseCorrupt | NotADatabase) => IndexError::Damaged { place, what },
        _ if what.contains("no such table") || what.contains("no such column") => {
            IndexError::Damaged { place, what }
        }
        _ => IndexError::Sqlite { path: place, source: error },
    }
}

impl Value {
    /// The number, if it is one.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text of its own, if it is one.
    pub fn owned(&self) -> Option<String> {
        self.text().map(str::to_owned)
    }

    /// The pseudonym that these sixteen bytes are.
    pub fn pseudonym(&self) -> Option<Pseudonym> {
        match self {
            Self::Blob(bytes) => Pseudonym::from_bytes(bytes.as_slice().try_into().ok()?).ok(),
            _ => None,
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Pseudonym> for Value {
    fn from(pseudonym: Pseudonym) -> Self {
        Self::Blob(pseudonym.as_bytes().to_vec())
    }
}

/// As the column `id` of `decision` and `mention` has it.
impl From<Id> for Value {
    fn from(id: Id) -> Self {
        Self::Text(id.to_string())
    }
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Integer(number),
            ValueRef::Real(number) => Self::Real(number),
            ValueRef::Text(text) => Self::Text(String::from_utf8_lossy(text).into_owned()),
            ValueRef::Blob(bytes) => Self::Blob(bytes.to_vec()),
        }
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
