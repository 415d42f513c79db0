//! The outside world behind three traits: a file system ([`Fs`]), a clock ([`Clock`]) and randomness ([`Rng`]).
//!
//! The durable parts of inferlog (`vault`, `log`) reach files, time and random numbers through these traits alone, so that
//! a test can run the same code on [`sim::SimFs`], a file system that fails, tears and forgets on command.
//!
//! Durability rules that callers may rely on, and that the simulation enforces:
//!
//! - bytes are durable after a successful [`File::sync_data`]; until then a crash keeps any subset of them;
//! - a name (create, rename, remove) is durable after a successful [`Fs::sync_dir`] of its directory;
//! - after a failed sync nothing may be assumed of what was written since the last good one: it may be readable now and
//!   gone after a crash, and a second sync that succeeds proves nothing about it.

mod clock;
mod durable;
mod error;
#[cfg(target_os = "linux")]
mod kernel_clock;
mod real;
mod rng;
pub mod sim;
mod slow;

pub use clock::{Clock, ClockState, ManualClock, SystemClock};
pub use durable::{TMP_PREFIX, create_dir_all, create_over, read_optional, replace_file};
pub use error::{DiskError, Result};
pub use real::RealFs;
pub use rng::{OsRng, Rng, SeededRng};
pub use slow::SlowSyncFs;

use std::path::{Path, PathBuf};

/// How [`Fs::open`] opens a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// An existing file, to read.
    Read,
    /// An existing file, to read and write.
    Write,
    /// A file that must not exist yet, to read and write.
    CreateNew,
}

/// A file system. Paths are used as given; nothing is resolved or cached.
pub trait Fs: Send + Sync + std::fmt::Debug + 'static {
    /// Opens a file. Errors name the path and what was tried.
    fn open(&self, path: &Path, how: Open) -> Result<Box<dyn File>>;
    /// Creates one directory; its parent must exist. Not durable before the parent is synced.
    fn create_dir(&self, path: &Path) -> Result<()>;
    /// Renames a file over whatever file bears the new name, atomically. Not durable before both directories are synced.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;
    /// Removes a file. Not durable before its directory is synced.
    fn remove_file(&self, path: &Path) -> Result<()>;
    /// Removes an empty directory. Not durable before its parent is synced: a crash may bring it back, with or without the
    /// files that were removed from it.
    fn remove_dir(&self, path: &Path) -> Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, path: &Path) -> Result<()>;
    /// The names in a directory, sorted; directories and files alike.
    fn read_dir(&self, path: &Path) -> Result<Vec<DirEntry>>;
    /// Whether a file or directory of this name exists.
    fn exists(&self, path: &Path) -> Result<bool>;
    /// Bytes that an unprivileged writer may still use on the file system that holds `path`.
    fn free_bytes(&self, path: &Path) -> Result<u64>;
    /// Takes the exclusive advisory lock on `path` (created if missing), or fails at once with
    /// [`std::io::ErrorKind::WouldBlock`]. The lock is released when the guard is dropped or the process ends.
    fn lock(&self, path: &Path) -> Result<Box<dyn LockGuard>>;

    /// The whole content of a file.
    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let file = self.open(path, Open::Read)?;
        let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// The directory's path joined with the name.
    pub path: PathBuf,
    /// The last component. Names that are not UTF-8 are not listed: inferlog writes none.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// An open file. Reads and writes carry their offset, so that one handle serves several threads.
pub trait File: Send + Sync + std::fmt::Debug {
    /// Reads up to `buf.len()` bytes at `offset`; fewer only at the end of the file.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize>;
    /// Writes all of `bytes` at `offset`. Not durable before [`File::sync_data`].
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()>;
    /// Makes the file's bytes and length durable (`fdatasync`).
    fn sync_data(&self) -> Result<()>;
    /// Cuts the file off, or extends it with zeros. Not durable before [`File::sync_data`].
    fn set_len(&self, len: u64) -> Result<()>;
    /// Reserves space for the first `len` bytes and extends the file to `len`, so that later writes within cannot run out
    /// of space. Where the platform has no such call it writes zeros.
    fn allocate(&self, len: u64) -> Result<()>;
    /// The file's length, bytes.
    fn len(&self) -> Result<u64>;
    /// Whether the file is empty.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `buf` from `offset`; [`std::io::ErrorKind::UnexpectedEof`] if the file ends before.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()>;
}

/// Holds a lock until dropped.
pub trait LockGuard: Send + Sync + std::fmt::Debug {}
