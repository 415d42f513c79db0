//! What goes wrong, and what to do then.

use std::path::PathBuf;

use inferlog_disk::DiskError;
use inferlog_record::KeyId;

use crate::root::RootError;

/// The result of an operation on the vault.
pub type Result<T, E = VaultError> = std::result::Result<T, E>;

/// What the vault could not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// Nothing can be sealed or opened with this key again; the log says why.
    #[error("the key was erased")]
    Erased,
    /// The page was never rewritten, so that nothing of it was erased: the key's birth was not absorbed yet, or is lost.
    #[error("no key at {0}: its birth is not absorbed yet, or this keystore is older than the log")]
    NoSuchKey(KeyId),
    /// A late subject of an erased subject's decision, and the like: the page holds another kind of key.
    #[error("the key at {0} is not of the kind asked for")]
    WrongKind(KeyId),
    /// More than [`crate::CONTENT_BYTES_MAX`] of content.
    #[error("too large to seal")]
    TooLarge,
    /// More than [`crate::SUBJECTS_MAX`] subjects of one decision.
    #[error("a decision has at most {max} subjects", max = crate::SUBJECTS_MAX)]
    TooManySubjects,
    /// Every page number is used. A keystore ends at 2^32 pages.
    #[error("the keystore is full")]
    Full,
    /// Bytes that are no births of this keystore. Nothing of them was absorbed after the place.
    #[error("malformed birth at byte {at}")]
    MalformedBirth {
        /// Offset in the bytes given.
        at: usize,
    },
    /// A file that does not check. Restore the keystore from a backup, all of it.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not check.
        what: &'static str,
    },
    /// The root key does not open the table.
    #[error("the root key (epoch {root_epoch}) does not open {} (epoch {table_epoch}): give the root of that epoch", path.display())]
    WrongRoot {
        /// The table.
        path: PathBuf,
        /// Epoch of the root key at hand.
        root_epoch: u32,
        /// Epoch of the root key that sealed the table.
        table_epoch: u32,
    },
    /// There is a keystore already.
    #[error("{} is a keystore already: open it", path.display())]
    Exists {
        /// Its directory.
        path: PathBuf,
    },
    /// There is no keystore.
    #[error("{} is not a keystore: create one, or restore it from a backup", path.display())]
    Missing {
        /// The directory.
        path: PathBuf,
    },
    /// An earlier write failed, so that what is on disk is uncertain.
    #[error("an earlier write of the keystore failed: open it anew before it is used again")]
    Poisoned,
    /// The root key's home failed.
    #[error(transparent)]
    Root(#[from] RootError),
    /// A file operation failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl VaultError {
    /// Whether the disk was full and nothing else: what was there stands, and once there is space the same call succeeds.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Disk(error) if error.is_full() && !error.op.starts_with("sync"))
    }
}
