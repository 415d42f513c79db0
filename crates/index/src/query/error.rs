//! Why a statement has no answer.

use serde::{Deserialize, Serialize};

use crate::error::IndexError;

/// Of what sort a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryFault {
    /// It is no SQL, or names what is not there.
    BadSql,
    /// It does what is not allowed.
    NotAllowed,
    /// It took too long.
    Time,
    /// It wanted too much memory.
    Memory,
    /// It wanted too much temporary room.
    Disk,
    /// There is no index.
    NoIndex,
    /// Another process holds the index.
    IndexLocked,
    /// The index is damaged.
    IndexDamaged,
    /// The index is of another version.
    IndexNewer,
    /// The index cannot be reached or read.
    IndexFailed,
    /// Whoever takes the rows does not.
    Output,
}

impl QueryFault {
    /// Its name, as it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadSql => "bad_sql",
            Self::NotAllowed => "not_allowed",
            Self::Time => "time",
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::NoIndex => "no_index",
            Self::IndexLocked => "index_locked",
            Self::IndexDamaged => "index_damaged",
            Self::IndexNewer => "index_newer",
            Self::IndexFailed => "index_failed",
            Self::Output => "output",
        }
    }
}

/// Why a statement has no answer, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}{}", hint.as_ref().map(|hint| format!(": {hint}")).unwrap_or_default())]
pub struct QueryError {
    /// Of what sort it is.
    pub code: QueryFault,
    /// What happened.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
    /// Where in the statement, characters from 0.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub position: Option<usize>,
}

impl QueryError {
    /// An error of this sort.
    pub fn new(code: QueryFault, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, position: None }
    }

    /// The same, with what to do.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Whoever takes the rows does not.
    pub fn output(error: std::io::Error) -> Self {
        Self::new(QueryFault::Output, error.to_string())
    }
}

impl From<IndexError> for QueryError {
    fn from(error: IndexError) -> Self {
        let code = match &error {
            IndexError::Newer { .. } => QueryFault::IndexNewer,
            IndexError::Damaged { .. } => QueryFault::IndexDamaged,
            IndexError::Locked { .. } => QueryFault::IndexLocked,
            _ => QueryFault::IndexFailed,
        };
        Self::new(code, error.to_string())
    }
}
