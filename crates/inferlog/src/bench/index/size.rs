//! How large an index is, and which of its tables are.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::report::Table;
use crate::output::Failure;

/// An index file.
#[derive(Debug)]
pub(super) struct Size {
    pub(super) events: u64,
    pub(super) bytes: u64,
    pub(super) tables: Vec<Table>,
}

/// Shares of less than so many bytes an event are not named.
const NAMED_BYTES_MIN: f64 = 0.5;

/// How many events it has.
pub(super) fn events(path: &Path) -> Result<u64, Failure> {
    Ok(open(path)?.query_row("SELECT count(*) FROM event", [], |row| row.get(0))?)
}

/// Measures it, tables and indices apart.
pub(super) fn measure(path: &Path) -> Result<Size, Failure> {
    let (connection, events) = (open(path)?, events(path)?);
    let bytes = std::fs::metadata(path)?.len();
    let sql = "SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC";
    let mut select = connection.prepare(sql)?;
    let rows = select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u64>(1)?)))?;
    let mut tables = Vec::new();
    for row in rows {
        let (name, bytes) = row?;
        let bytes_per_event = bytes as f64 / events.max(1) as f64;
        if bytes_per_event >= NAMED_BYTES_MIN {
            tables.push(Table { name, bytes_per_event });
        }
    }
    Ok(Size { events, bytes, tables })
}

fn open(path: &Path) -> Result<Connection, Failure> {
    Ok(Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?)
}
