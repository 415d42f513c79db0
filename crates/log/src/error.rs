//! What can go wrong in a log, and what to do about it.

use std::path::{Path, PathBuf};

use inferlog_disk::DiskError;

/// Result of this crate.
pub type Result<T, E = LogError> = std::result::Result<T, E>;

/// Why a log could not be opened, read or integrated.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file system failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Bytes that were durable do not check.
    #[error("{path}: byte {offset}: {what}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in the file, bytes from its start.
        offset: u64,
        /// What is wrong, and what to do.
        what: String,
    },
    /// The log on disk is older than, or different from, what it has signed.
    #[error(
        "{origin}: {what}. An older copy of the data directory was probably restored. Refusing to sign a fork: restore the \
         newest copy, or start a new epoch with `inferlog serve --new-epoch`"
    )]
    Forked {
        /// The log's origin.
        origin: String,
        /// How the two differ.
        what: String,
    },
    /// Another process holds the node.
    #[error("{}: another process has this data directory open; stop it, or use its admin.sock", .0.display())]
    Locked(PathBuf),
    /// A key could not be used (signing, or absorbing a birth).
    #[error("{what}: {source}")]
    Hook {
        /// What was tried.
        what: &'static str,
        /// What the vault said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The tree's maths disagrees with itself: tiles are damaged.
    #[error("{origin}: {what}; run `inferlog verify` to locate the damage")]
    Tree {
        /// The log's origin.
        origin: String,
        /// What disagrees.
        what: String,
    },
    /// A name that cannot be a path component.
    #[error("{name:?} is not a valid {what}")]
    Name {
        /// What the name is for.
        what: &'static str,
        /// The name.
        name: String,
    },
}

impl LogError {
    pub(crate) fn damaged(path: &Path, offset: u64, what: &str) -> Self {
        Self::Damaged { path: path.to_owned(), offset, what: what.to_owned() }
    }

    pub(crate) fn hook(what: &'static str, source: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self::Hook { what, source }
    }

    /// Whether the disk was full and nothing else: free space and it goes on.
    pub fn is_full(&self) -> bool {
        let disk = match self {
            Self::Disk(error) => Some(error),
            Self::Hook { source, .. } => source.downcast_ref(),
            _ => None,
        };
        disk.is_some_and(|error: &DiskError| error.is_full() && !error.op.starts_with("sync"))
    }
}

/// Why an append was not acknowledged. Nothing of it is in the log, or, after [`AppendError::Poisoned`], possibly.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// No room for a new WAL segment, and no reserve for this append. Nothing was written; appends succeed again once there
    /// is space.
    #[error("the disk is full: {0}. Free space on the data directory's file system")]
    Full(String),
    /// A commit failed; nothing is appended until the node is reopened and recovered.
    #[error("the write-ahead log failed and accepts nothing until it is reopened: {0}")]
    Poisoned(String),
    /// The node is closed or closing.
    #[error("the log is closed")]
    Closed,
    /// The append breaks a limit.
    #[error("{0}")]
    Invalid(String),
}
