//! A session that only reads.

use super::connection::{Connection, Interrupt, Purpose};
use super::place::Place;
use crate::error::Result;

/// Opens a session for questions: it begins a transaction that cannot write.
///
/// SQL of strangers gets a session of its own for each statement, for a statement may change its session; and a role that may
/// read the views and nothing else, for functions of a superuser read files (docs/index-postgres.md). `interrupt` ends what is
/// waited for.
///
/// # Errors
/// If there is no way to the server.
pub fn postgres_reader(place: &Place, interrupt: &Interrupt) -> Result<Connection> {
    let connection = Connection::open(place, Purpose::Read, interrupt)?;
    // After a first statement the transaction cannot be made one that writes.
    connection.batch("BEGIN READ ONLY; SELECT 1")?;
    Ok(connection)
}
