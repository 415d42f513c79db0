//! Opening the file: made if it is not there, refused if it is another's or of a later version.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::error::{IndexError, Result};
use crate::schema::{Dialect, SCHEMA_VERSION, each_view, views};

/// What the header of an index of inferlog says in `application_id`: "ilog".
pub const APPLICATION_ID: i32 = 0x696c_6f67;

/// The WAL is cut to this size when it begins anew, bytes.
const WAL_BYTES_MAX: i64 = 64 << 20;
/// How long a writer waits for another, milliseconds.
pub(super) const BUSY_TIMEOUT_MS: u64 = 5_000;

/// The index of a data directory: `DIR/index/index.sqlite`.
pub fn sqlite_path(data: &Path) -> PathBuf {
    data.join("index").join("index.sqlite")
}

/// Device and inode: a rebuild by another process puts a new file in the place of this one.
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// Deletes the file and what SQLite keeps beside it.
pub(super) fn remove(path: &Path) -> Result<()> {
    for end in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(IndexError::Unwritable {
                    place: path.display().to_string(),
                    what: error.to_string(),
                });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Opens the file for writing, with the schema in place.
pub(super) fn open(path: &Path) -> Result<Connection> {
    if let Some(dir) = path.parent() {
        let unwritable = |error: std::io::Error| IndexError::Unwritable {
            place: path.display().to_string(),
            what: error.to_string(),
        };
        std::fs::create_dir_all(dir).map_err(unwritable)?;
    }
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut opened = prepare(path, flags);
    if matches!(opened, Err(Opening::Older)) {
        // What an older program wrote is derived again from the log. A crash after this leaves no index, which is made.
        remove(path)?;
        opened = prepare(path, flags);
    }
    opened.map_err(|error| match error {
        Opening::Sqlite(error) => explain(path, error),
        Opening::Index(error) => error,
        Opening::Older => {
            let what = "an older program made it while this one did".to_owned();
            IndexError::Damaged { place: path.display().to_string(), what }
        }
    })
}

enum Opening {
    Sqlite(rusqlite::Error),
    Index(IndexError),
    /// Another version wrote it, which came before this one.
    Older,
}

impl From<rusqlite::Error> for Opening {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn prepare(path: &Path, flags: OpenFlags) -> std::result::Result<Connection, Opening> {
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS))?;
    connection.set_prepared_statement_cache_capacity(64);
    check(path, &connection)?;
    // A derived store: what a power cut takes is derived again. Cursor and rows are lost together or not at all.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "cache_size", -65_536)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    // What a long reader made of the WAL is given back once it is gone.
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_MAX)?;
    create(path, &mut connection)?;
    Ok(connection)
}

/// Refuses what is no index of ours, or one of a later version. True if the schema is there.
fn check(path: &Path, connection: &Connection) -> std::result::Result<bool, Opening> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let place = path.display().to_string();
    if tables == 0 && version == 0 && application == 0 {
        return Ok(false);
    }
    if application != i64::from(APPLICATION_ID) {
        let what = "it is an SQLite database of something else".to_owned();
        return Err(Opening::Index(IndexError::Damaged { place, what }));
    }
    if version > SCHEMA_VERSION {
        return Err(Opening::Index(IndexError::Newer { place, found: version, known: SCHEMA_VERSION }));
    }
    if (1..SCHEMA_VERSION).contains(&version) {
        return Err(Opening::Older);
    }
    if version != SCHEMA_VERSION {
        let what = format!("it says schema version {version}, which never was");
        return Err(Opening::Index(IndexError::Damaged { place, what }));
    }
    Ok(true)
}

fn create(path: &Path, connection: &mut Connection) -> std::result::Result<(), Opening> {
    if check(path, connection)? && missing_views(connection)?.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have made it since.
    if check(path, &transaction)? {
        for view in missing_views(&transaction)? {
            transaction.execute_batch(&view)?;
        }
        transaction.commit()?;
        return Ok(());
    }
    transaction.execute_batch(&Dialect::Sqlite.base())?;
    transaction.execute_batch(&views(Dialect::Sqlite))?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    // A crash before this leaves an empty database, which is made anew.
    transaction.commit()?;
    Ok(())
}

/// Statements of the views that an older build did not know: of kinds of event that came since.
fn missing_views(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut there = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'view'")?;
    let there: HashSet<String> = there.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let views = each_view(Dialect::Sqlite).into_iter();
    Ok(views.filter(|(name, _)| !there.contains(name)).map(|(_, view)| view).collect())
}

/// What an error of SQLite means for the operator.
pub(crate) fn explain(path: &Path, error: rusqlite::Error) -> IndexError {
    let place = path.display().to_string();
    let what = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => IndexError::Locked { place, what },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => IndexError::Damaged { place, what },
        Some(ErrorCode::DiskFull) => IndexError::Full { place },
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            IndexError::Unwritable { place, what }
        }
        _ if what.contains("no such table") || what.contains("no such column") => {
            IndexError::Damaged { place, what }
        }
        _ => IndexError::Sqlite { path: place, source: error },
    }
}
