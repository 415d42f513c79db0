//! Why an export could not be made.

use std::path::PathBuf;

use inferlog_disk::DiskError;
use inferlog_log::LogError;

use crate::table::TableError;

/// The result of an export.
pub type Result<T, E = ExportError> = std::result::Result<T, E>;

/// Why an export could not be made. What was begun is removed, or was never under its name.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is no data directory, or not the log that was named; or a bundle or an entry cannot be read.
    #[error(transparent)]
    Audit(#[from] inferlog_audit::AuditError),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The file system failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A table could not be written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A file could not be written.
    #[error("{}: {source}", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Output that has no name of its own could not be written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The directory to write is there and holds something.
    #[error("{} is there and is not empty: name a directory that is not there yet", .0.display())]
    NotEmpty(PathBuf),
    /// The format is a directory of files.
    #[error("this format is a directory of files: name one with --output")]
    NeedsDirectory,
}

impl From<serde_json::Error> for ExportError {
    fn from(error: serde_json::Error) -> Self {
        Self::Io(error.into())
    }
}
