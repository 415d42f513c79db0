//! What a worker is told, and what it says at its end.

use std::path::{Path, PathBuf};

use inferlog_index::query::{Limits, QueryError};
use inferlog_index::{postgres, sqlite_path};
use serde::{Deserialize, Serialize};

/// A statement to be answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    /// Which index.
    pub(crate) index: IndexAt,
    /// The statement.
    pub(crate) sql: String,
    /// What it may cost.
    pub(crate) limits: Limits,
    /// How the answer is written.
    pub(crate) format: Format,
    /// Columns whose payloads are to be opened: the answer then says where they stand.
    pub(crate) open: Vec<String>,
}

/// Where an index is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IndexAt {
    /// A file.
    Sqlite(PathBuf),
    /// A database, as [`postgres::Place::parse`] reads it.
    Postgres(String),
}

impl IndexAt {
    /// The index of a data directory, or the one that is named instead.
    pub(crate) fn of(data: &Path, named: Option<&str>) -> Self {
        match named {
            None => Self::Sqlite(sqlite_path(data)),
            Some(text) if postgres::Place::is_meant(text) => Self::Postgres(text.to_owned()),
            Some(path) => Self::Sqlite(path.into()),
        }
    }

    /// The environment variable that holds where it is.
    pub(super) fn variable(&self) -> Option<&str> {
        match self {
            Self::Postgres(text) => text.strip_prefix("env:"),
            Self::Sqlite(_) => None,
        }
    }
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// One JSON object a line.
    Json,
    /// RFC 4180.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// Aligned columns for people: with colours, and cut to the width of their terminal.
    Table { color: bool, width: Option<usize> },
    /// For a parent that has work to do on the rows.
    Frames,
}

/// Where a payload stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PayloadAt {
    /// Its id.
    pub(crate) payload: String,
    /// The system whose log it is.
    pub(crate) system: String,
    /// The origin of the log.
    pub(crate) origin: String,
    /// The entry's index; those of the entries that continue it, too.
    pub(crate) indices: Vec<u64>,
    /// The decision, if it is of one.
    pub(crate) decision: Option<String>,
}

/// How a worker ended: its last line on standard error.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ending {
    /// The answer is whole: so many rows.
    Done(u64),
    /// There is none, or no more.
    Failed(QueryError),
}
