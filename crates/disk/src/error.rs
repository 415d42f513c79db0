//! What went wrong with which file.

use std::io;
use std::path::{Path, PathBuf};

/// The result of an operation on the outside world.
pub type Result<T, E = DiskError> = std::result::Result<T, E>;

/// An operation on a file, a directory or the random source that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {op} {}: {source}", path.display())]
pub struct DiskError {
    /// What was tried, a verb phrase: `open`, `sync data of`, …
    pub op: &'static str,
    /// The file or directory it was tried on.
    pub path: PathBuf,
    /// What the operating system (or the simulation) said.
    pub source: io::Error,
}

impl DiskError {
    /// `op` on `path` failed because of `source`.
    pub fn new(op: &'static str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        Self { op, path: path.into(), source: source.into() }
    }

    /// The kind of the operating system's error.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// Whether the file, or a directory on the way to it, does not exist.
    pub fn is_not_found(&self) -> bool {
        self.kind() == io::ErrorKind::NotFound
    }

    /// Whether the file system, or the writer's share of it, is full: freeing space and trying again may help.
    pub fn is_full(&self) -> bool {
        matches!(self.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    /// Whether another holder has the lock ([`crate::Fs::lock`]).
    pub fn is_locked(&self) -> bool {
        self.kind() == io::ErrorKind::WouldBlock
    }
}

/// Adds what was tried on which path to an [`io::Error`].
pub(crate) trait Context<T> {
    fn on(self, op: &'static str, path: &Path) -> Result<T>;
}

impl<T, E: Into<io::Error>> Context<T> for std::result::Result<T, E> {
    fn on(self, op: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| DiskError::new(op, path, source))
    }
}
