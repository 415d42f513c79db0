//! What may go wrong between us and PostgreSQL.

use std::error::Error;
use std::time::Duration;

use tokio_postgres::error::SqlState;

use crate::error::IndexError;

/// Why PostgreSQL did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// It, or the way to it, says so.
    #[error("{}", told(.0))]
    Said(#[from] tokio_postgres::Error),
    /// It hangs, or the network does.
    #[error("no answer within {} seconds", .0.as_secs_f64())]
    NoAnswer(Duration),
    /// This process is ending.
    #[error("no longer waited for")]
    Interrupted,
    /// Something on our side.
    #[error("{0}")]
    Here(String),
}

/// What an error says, with its causes, and nothing of what rows hold: details may quote them.
pub(super) fn told(error: &tokio_postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("{} ({})", said.message(), said.code().code());
    }
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told.push_str(": ");
        told.push_str(&error.to_string());
        cause = error.source();
    }
    told
}

impl PostgresError {
    /// The server's code, if it is the server who speaks.
    pub fn code(&self) -> Option<&SqlState> {
        match self {
            PostgresError::Said(error) => error.code(),
            _ => None,
        }
    }

    /// Whether another transaction stood in the way of this one: it is begun anew at once.
    fn is_conflict(&self) -> bool {
        let conflicts = [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            // Two followers met the same decision, or the same facet, at the same time.
            SqlState::UNIQUE_VIOLATION,
        ];
        self.code().is_some_and(|code| conflicts.contains(code))
    }

    /// Whether the same may succeed later with nobody's doing.
    fn is_passing(&self) -> bool {
        // Connections, resources, the operator's doing (a restart, a time-out), locks, conflicts.
        const PASSING: [&str; 5] = ["08", "53", "57", "55", "40"];
        match self {
            PostgresError::NoAnswer(_) => true,
            PostgresError::Interrupted | PostgresError::Here(_) => false,
            PostgresError::Said(error) => error.code().is_none_or(|code| {
                PASSING.iter().any(|class| code.code().starts_with(class)) || self.is_conflict()
            }),
        }
    }
}

/// What an error means for the operator.
pub(super) fn explain(place: &str, error: PostgresError) -> IndexError {
    let (place, what) = (place.to_owned(), error.to_string());
    match error.code().map(SqlState::code) {
        // lock_not_available
        Some("55P03") => IndexError::Locked { place, what },
        // undefined_table, undefined_column, undefined_object; data_corrupted, index_corrupted
        Some("42P01" | "42703" | "42704" | "XX001" | "XX002") => IndexError::Damaged { place, what },
        // disk_full
        Some("53100") => IndexError::Full { place },
        // duplicate_table: ours would have been dropped.
        Some("42P07") => {
            let what = format!("{what}, and is not ours: give the index a schema of its own (search_path)");
            IndexError::Unwritable { place, what }
        }
        // insufficient_privilege, read_only_sql_transaction, invalid_schema_name
        Some("42501" | "25006" | "3F000") => IndexError::Unwritable { place, what },
        _ => IndexError::Postgres { place, source: Box::new(error) },
    }
}

impl IndexError {
    /// Whether another transaction stood in the way: what was rolled back may be tried again at once.
    pub fn is_conflict(&self) -> bool {
        matches!(self, IndexError::Postgres { source, .. } if source.is_conflict())
    }

    /// Whether the same may succeed later with nobody's doing: a server that is down, hangs or restarts, a lock, a full disk.
    pub fn is_passing(&self) -> bool {
        match self {
            IndexError::Postgres { source, .. } => source.is_passing(),
            IndexError::Locked { .. } | IndexError::Full { .. } => true,
            _ => false,
        }
    }
}
