//! What a worker is told, and what it says at its end.

use std::path::{Path, PathBuf};

use inferlog_index::query::{Limits, QueryError};
use inferlog_index::sqlite_path;
use serde::{Deserialize, Serialize};

use crate::followers::Store;

/// What a worker does.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Task {
    /// It answers a statement.
    Query(Job),
    /// It runs a command of this program for a server: the words come this way and not on a command line, which others see.
    Command(Vec<String>),
}

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
    /// A database, as a command line names it.
    Postgres(String),
}

impl IndexAt {
    /// The index of a data directory in this store.
    pub(crate) fn of(data: &Path, store: &Store) -> Self {
        match store {
            Store::Sqlite => Self::Sqlite(sqlite_path(data)),
            Store::Postgres(place) => Self::Postgres(place.named().to_owned()),
        }
    }

    /// As a command line names it.
    pub(crate) fn named(&self) -> &str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(text) => text,
        }
    }

    /// The environment variable that holds where it is.
    pub(crate) fn variable(&self) -> Option<&str> {
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
