//! What may go wrong between us and PostgreSQL.

use std::error::Error;
use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::Place;
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
    /// Whether another transaction stood in the way of this one: it is begun anew at once.
    fn is_conflict(&self) -> bool {
        let conflicts = [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            // Two followers met the same decision, or the same facet, at the same time.
            SqlState::UNIQUE_VIOLATION,
        ];
        matches!(self, PostgresError::Said(error) if error.code().is_some_and(|code| conflicts.contains(code)))
    }

    /// Whether the same may succeed later with nobody's doing.
    fn is_passing(&self) -> bool {
        match self {
            PostgresError::NoAnswer(_) => true,
            PostgresError::Interrupted | PostgresError::Here(_) => false,
            PostgresError::Said(error) => match error.code() {
                // Connections, resources, the operator's doing (a restart, a time-out), locks, a server that starts.
                Some(code) => {
                    let classes = ["08", "53", "57", "55", "40"];
                    classes.iter().any(|class| code.code().starts_with(class)) || self.is_conflict()
                }
                None => true,
            },
        }
    }
}

impl IndexError {
    pub(super) fn postgres(place: &Place, source: PostgresError) -> IndexError {
        IndexError::Postgres { place: place.to_string(), source: Box::new(source) }
    }

    /// Whether another transaction stood in the way: what was rolled back may be tried again at once.
    pub fn is_conflict(&self) -> bool {
        matches!(self, IndexError::Postgres { source, .. } if source.is_conflict())
    }

    /// Whether the same may succeed later with nobody's doing: a server that is down, hangs or restarts, a lock.
    pub fn is_passing(&self) -> bool {
        match self {
            IndexError::Postgres { source, .. } => source.is_passing(),
            IndexError::Locked { .. } => true,
            _ => false,
        }
    }
}
