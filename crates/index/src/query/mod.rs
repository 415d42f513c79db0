//! SQL of others: one statement that reads, bounded in time, memory and disk, its rows given out one by one.
//!
//! What a statement may not do is refused by the engine before it runs: SQLite's authorizer, PostgreSQL's read-only
//! transaction and its cursor, which takes nothing but a `SELECT` or `VALUES`. What it may cost is bounded three times: by the
//! engine's own limits, which end in an error that says what happened; by a look at the clock; and by limits of the operating
//! system on the process that runs it ([`Limits`] are theirs too), for an engine's limits are not promises. So a statement
//! runs in a process of its own, which whoever asked may lose.

mod binary;
mod cell;
mod clock;
mod error;
mod hint;
mod limits;
mod postgres;
mod sqlite;

use std::io;

pub use cell::{Cell, CellType, QueryColumn};
pub use clock::Clock;
pub use error::{QueryError, QueryFault};
pub use limits::{
    Limits, MEMORY_BYTES_MAX, MEMORY_BYTES_MIN, SQL_BYTES_MAX, TEMP_BYTES_MAX, TIME_MAX, VALUE_BYTES_MAX,
};
pub use postgres::query_postgres;
pub use sqlite::query_sqlite;

/// Takes an answer, a row at a time. Time that it takes is not the statement's.
pub trait RowSink {
    /// The columns, once, before the first row.
    fn begin(&mut self, columns: &[QueryColumn]) -> io::Result<()>;
    /// A row.
    fn row(&mut self, cells: Vec<Cell>) -> io::Result<()>;
}
