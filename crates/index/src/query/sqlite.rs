//! A statement in SQLite.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Batch, Connection, ErrorCode, OpenFlags, Statement};

use super::hint::{did_you_mean, nearest};
use super::{
    Cell, Clock, Limits, QueryColumn, QueryError, QueryFault, RowSink, SQL_BYTES_MAX, VALUE_BYTES_MAX,
};
use crate::read::sqlite_error;
use crate::schema::SCHEMA_VERSION;

/// How long a statement waits for a writer that holds the file.
const BUSY_TIME_MAX: Duration = Duration::from_secs(5);
/// Pages of the file kept in memory, KiB; what a statement collects beyond goes to temporary files.
const CACHE_KIB: i64 = 16 << 10;
/// Instructions of SQLite's machine between two looks at the clock: a fraction of a millisecond.
const CLOCK_INSTRUCTIONS: i32 = 10_000;
/// SQLite's limits beside those on values and statements: (which, how much).
const COUNTS: [(Limit, i32); 9] = [
    (Limit::SQLITE_LIMIT_COLUMN, 500),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 250),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 100),
    (Limit::SQLITE_LIMIT_VDBE_OP, 1_000_000),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 100),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// Answers one statement from an index file, and says how many rows that were. The caller bounds the process; see the module.
pub fn query_sqlite(
    path: &Path,
    sql: &str,
    limits: &Limits,
    clock: &Arc<Clock>,
    out: &mut dyn RowSink,
) -> Result<u64, QueryError> {
    too_long(sql)?;
    let asked = Asked::open(path, limits, clock)?;
    let result = asked.answer(sql, out);
    result.map_err(|error| match error {
        Failed::Query(error) => error,
        Failed::Sqlite(error) => asked.explain(error, sql),
    })
}

/// Refuses a statement that is too long to be looked at.
pub(super) fn too_long(sql: &str) -> Result<(), QueryError> {
    if sql.len() > SQL_BYTES_MAX {
        return Err(QueryError::new(
            QueryFault::NotAllowed,
            format!("the statement is longer than {SQL_BYTES_MAX} bytes"),
        )
        .hint("ask in several statements, or join a table instead of listing values"));
    }
    Ok(())
}

/// An index, ready for one statement of others.
struct Asked<'a> {
    connection: Connection,
    place: String,
    limits: &'a Limits,
    clock: Arc<Clock>,
    /// What was refused.
    refused: Arc<Mutex<Option<String>>>,
    /// Names that it could have meant: tables and views, and their columns.
    names: (Vec<String>, Vec<String>),
}

enum Failed {
    Sqlite(rusqlite::Error),
    Query(QueryError),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<QueryError> for Failed {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

impl<'a> Asked<'a> {
    fn open(path: &Path, limits: &'a Limits, clock: &Arc<Clock>) -> Result<Self, QueryError> {
        let place = path.display().to_string();
        if !path.exists() {
            return Err(QueryError::new(QueryFault::NoIndex, format!("there is no index {place}"))
                .hint("`inferlog followers` makes it, as does every question asked of a data directory"));
        }
        let failed = |error| QueryError::from(sqlite_error(&place, error));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(BUSY_TIME_MAX).map_err(failed)?;
        // Three quarters of the memory are SQLite's own, which says so when they are used up; the rest is the process's, which does not.
        let heap = i64::try_from(limits.memory_bytes_max / 4 * 3).unwrap_or(i64::MAX);
        connection.pragma_update_and_check(None, "hard_heap_limit", heap, |_| Ok(())).map_err(failed)?;
        connection.pragma_update(None, "query_only", true).map_err(failed)?;
        connection.pragma_update(None, "trusted_schema", false).map_err(failed)?;
        connection.pragma_update(None, "temp_store", "FILE").map_err(failed)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(failed)?;
        let found = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
        check_version(&place, found)?;
        let names = names(&connection).map_err(failed)?;
        let asked = Self { connection, place, limits, clock: clock.clone(), refused: Arc::default(), names };
        asked.bound().map_err(|error| QueryError::from(sqlite_error(&asked.place, error)))?;
        Ok(asked)
    }

    fn bound(&self) -> rusqlite::Result<()> {
        let connection = &self.connection;
        for (limit, count) in COUNTS {
            connection.set_limit(limit, count)?;
        }
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX)?;
        connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, SQL_BYTES_MAX as i32)?;
        let clock = self.clock.clone();
        connection.progress_handler(CLOCK_INSTRUCTIONS, Some(move || clock.overdue().is_some()));
        let refused = self.refused.clone();
        connection.authorizer(Some(move |context: AuthContext<'_>| match refusal(&context.action) {
            None => Authorization::Allow,
            Some(what) => {
                refused.lock().get_or_insert(what);
                Authorization::Deny
            }
        }));
        Ok(())
    }

    fn answer(&self, sql: &str, out: &mut dyn RowSink) -> Result<u64, Failed> {
        let mut statement = self.prepare(sql)?;
        let columns: Vec<QueryColumn> = statement
            .column_names()
            .into_iter()
            .map(|name| QueryColumn { name: name.to_owned(), r#type: None })
            .collect();
        self.clock.untimed(|| out.begin(&columns)).map_err(QueryError::output)?;
        let (mut rows, mut count) = (statement.raw_query(), 0);
        while let Some(row) = rows.next()? {
            let cells = (0..columns.len())
                .map(|column| row.get_ref(column).map(Cell::from))
                .collect::<rusqlite::Result<Vec<_>>>()?;
            self.clock.untimed(|| out.row(cells)).map_err(QueryError::output)?;
            count += 1;
        }
        Ok(count)
    }

    /// The statement, if it is one alone, and reads.
    fn prepare(&self, sql: &str) -> Result<Statement<'_>, Failed> {
        let mut batch = Batch::new(&self.connection, sql);
        let refuse = |what: &str| QueryError::new(QueryFault::NotAllowed, what).hint(ONE_SELECT);
        let statement = batch.next()?.ok_or_else(|| refuse("there is no statement"))?;
        if statement.parameter_count() > 0 {
            return Err(
                refuse("the statement has parameters, and there is nothing to put in their place").into()
            );
        }
        if !statement.readonly() || statement.column_count() == 0 {
            return Err(refuse("the statement does not read").into());
        }
        match batch.next() {
            Ok(None) => Ok(statement),
            _ => Err(refuse("there is more than one statement").into()),
        }
    }

    /// What an error of SQLite means.
    fn explain(&self, error: rusqlite::Error, sql: &str) -> QueryError {
        if let Some(what) = self.refused.lock().take() {
            return QueryError::new(QueryFault::NotAllowed, format!("{what} is not allowed here"))
                .hint(ONE_SELECT);
        }
        match error.sqlite_error_code() {
            // What was interrupted may end in an error of another name.
            _ if self.clock.overdue().is_some() => self.limits.time_is_up(),
            Some(ErrorCode::OperationInterrupted) => self.limits.time_is_up(),
            Some(ErrorCode::OutOfMemory) => self.limits.memory_is_full(),
            Some(ErrorCode::TooBig) => QueryError::new(
                QueryFault::Memory,
                format!("a value or a row of the query is longer than {} MiB", VALUE_BYTES_MAX >> 20),
            )
            .hint("ask for fewer or shorter values"),
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => self.disk(&error),
            Some(ErrorCode::Unknown | ErrorCode::ApiMisuse) | None => self.bad_sql(error, sql),
            Some(_) => sqlite_error(&self.place, error).into(),
        }
    }

    /// A file operation failed: of a temporary file or of the index.
    fn disk(&self, error: &rusqlite::Error) -> QueryError {
        let is_write = error.sqlite_error().is_some_and(|error| {
            let io = error.extended_code;
            [
                rusqlite::ffi::SQLITE_FULL,
                rusqlite::ffi::SQLITE_IOERR_WRITE,
                rusqlite::ffi::SQLITE_IOERR_GETTEMPPATH,
            ]
            .contains(&io)
        });
        if is_write {
            return self.limits.disk_is_full();
        }
        QueryError::new(QueryFault::IndexFailed, format!("the index {} cannot be read: {error}", self.place))
            .hint("look at the disk; `inferlog followers rebuild` makes the index anew, the log is not affected")
    }

    fn bad_sql(&self, error: rusqlite::Error, sql: &str) -> QueryError {
        let (message, position) = match &error {
            rusqlite::Error::SqlInputError { msg, offset, .. } => {
                let at = usize::try_from(*offset).ok().and_then(|offset| sql.get(..offset));
                (msg.clone(), at.map(|before| before.chars().count()))
            }
            rusqlite::Error::SqliteFailure(_, Some(message)) => (message.clone(), None),
            other => (other.to_string(), None),
        };
        let (tables, columns) = &self.names;
        let missing = |what: &str| message.split_once(what).map(|(_, name)| name.trim().to_owned());
        let hint = match (missing("no such table:"), missing("no such column:")) {
            (Some(name), _) => Some(did_you_mean(&nearest(&name, tables.iter().cloned()))),
            (_, Some(name)) => Some(did_you_mean(&nearest(&name, columns.iter().cloned()))),
            _ => None,
        };
        QueryError { hint, position, ..QueryError::new(QueryFault::BadSql, message) }
    }
}

pub(super) const ONE_SELECT: &str = "write one SELECT, or VALUES, that reads the index's views";

fn check_version(place: &str, found: i64) -> Result<(), QueryError> {
    let place = place.to_owned();
    match found {
        SCHEMA_VERSION => Ok(()),
        0 => Err(crate::IndexError::Damaged { place, what: "it has no schema".into() }.into()),
        _ => Err(crate::IndexError::Newer { place, found, known: SCHEMA_VERSION }.into()),
    }
}

/// Tables and views, and all their columns.
fn names(connection: &Connection) -> rusqlite::Result<(Vec<String>, Vec<String>)> {
    let list = |sql: &str| -> rusqlite::Result<Vec<String>> {
        connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
    };
    let tables =
        list("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY type DESC, name")?;
    let columns = list(
        "SELECT DISTINCT c.name FROM sqlite_schema AS s, pragma_table_info(s.name) AS c WHERE s.type IN ('table', 'view')",
    )?;
    Ok((tables, columns))
}

/// What an action is called that is not allowed; `None` for one that is.
fn refusal(action: &AuthAction<'_>) -> Option<String> {
    use AuthAction::{
        Attach, CreateVtable, Delete, Detach, Function, Insert, Pragma, Read, Recursive, Select, Update,
    };
    Some(match action {
        Select | Recursive | Read { .. } => return None,
        Function { function_name } => {
            let name = function_name.to_lowercase();
            if !FUNCTIONS_REFUSED.contains(&name.as_str()) {
                return None;
            }
            format!("the function `{name}`")
        }
        Pragma { pragma_name, .. } => format!("PRAGMA {pragma_name}"),
        Attach { .. } | Detach { .. } => "another database (ATTACH, DETACH, VACUUM INTO)".into(),
        Insert { table_name } | Update { table_name, .. } | Delete { table_name } => {
            format!("writing (to {table_name})")
        }
        CreateVtable { .. } => "a virtual table".into(),
        other => {
            let words = format!("{other:?}");
            let word = words.split([' ', '{']).next().unwrap_or("this");
            format!("{word}, which does not read,")
        }
    })
}

/// Functions that reach beyond the index.
const FUNCTIONS_REFUSED: [&str; 3] = ["load_extension", "fts3_tokenizer", "fts5"];

impl From<ValueRef<'_>> for Cell {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Integer(number),
            ValueRef::Real(number) => Self::Real(number),
            ValueRef::Text(text) => Self::Text(String::from_utf8_lossy(text).into_owned()),
            ValueRef::Blob(bytes) => Self::Bytes(bytes.to_vec()),
        }
    }
}
