//! The file system of the machine.

use std::fs::{self, File as StdFile, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::Context;
use crate::{DirEntry, File, Fs, LockGuard, Open, Result};

/// The machine's file system, through std and, where std has no call, `rustix`.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealFs;

impl Fs for RealFs {
    fn open(&self, path: &Path, how: Open) -> Result<Box<dyn File>> {
        let mut options = OpenOptions::new();
        let (options, op) = match how {
            Open::Read => (options.read(true), "open"),
            Open::Write => (options.read(true).write(true), "open for writing"),
            Open::CreateNew => (options.read(true).write(true).create_new(true), "create"),
        };
        let file = options.open(path).on(op, path)?;
        Ok(Box::new(RealFile { file, path: path.to_owned() }))
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        fs::create_dir(path).on("create directory", path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        fs::rename(from, to).on("rename", from)
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        fs::remove_file(path).on("remove", path)
    }

    fn remove_dir(&self, path: &Path) -> Result<()> {
        fs::remove_dir(path).on("remove directory", path)
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        // A directory's names are data of its own: fsync of the directory makes them durable (fsync(2), "Notes").
        StdFile::open(path).and_then(|dir| dir.sync_all()).on("sync directory", path)
    }

    fn read_dir(&self, path: &Path) -> Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path).on("list", path)? {
            let entry = entry.on("list", path)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let is_dir = entry.file_type().on("list", path)?.is_dir();
            entries.push(DirEntry { path: entry.path(), name, is_dir });
        }
        entries.sort();
        Ok(entries)
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        fs::exists(path).on("look for", path)
    }

    fn free_bytes(&self, path: &Path) -> Result<u64> {
        let stat = rustix::fs::statvfs(path).on("read free space of", path)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn LockGuard>> {
        let mut options = OpenOptions::new();
        // The lock file's content is nobody's business: what is in it stays.
        let file =
            options.read(true).write(true).create(true).truncate(false).open(path).on("open lock", path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(RealLock { _file: file })),
            Err(TryLockError::WouldBlock) => Err(io::Error::from(ErrorKind::WouldBlock)).on("lock", path),
            Err(TryLockError::Error(error)) => Err(error).on("lock", path),
        }
    }
}

#[derive(Debug)]
struct RealFile {
    file: StdFile,
    path: PathBuf,
}

impl File for RealFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        // One pread may return less than asked before the end; callers are promised that it does not.
        let mut filled = 0;
        while filled < buf.len() {
            match self.file.read_at(&mut buf[filled..], offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).on("read", &self.path),
            }
        }
        Ok(filled)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.file.write_all_at(bytes, offset).on("write", &self.path)
    }

    fn sync_data(&self) -> Result<()> {
        self.file.sync_data().on("sync data of", &self.path)
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.file.set_len(len).on("set length of", &self.path)
    }

    fn allocate(&self, len: u64) -> Result<()> {
        if len == 0 {
            return Ok(());
        }
        match fallocate(&self.file, len) {
            Err(error) if error.kind() == ErrorKind::Unsupported => write_zeros(&self.file, len),
            other => other,
        }
        .on("allocate space for", &self.path)
    }

    fn len(&self) -> Result<u64> {
        self.file.metadata().map(|metadata| metadata.len()).on("read length of", &self.path)
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        self.file.read_exact_at(buf, offset).on("read", &self.path)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn fallocate(file: &StdFile, len: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    Ok(rustix::io::retry_on_intr(|| fallocate(file, FallocateFlags::empty(), 0, len))?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn fallocate(_: &StdFile, _: u64) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

/// Extends a file to `len` by written zeros. Holes that it already has stay holes.
fn write_zeros(file: &StdFile, len: u64) -> io::Result<()> {
    const CHUNK_BYTES: usize = 1 << 20;
    let zeros = vec![0; CHUNK_BYTES];
    let mut end = file.metadata()?.len();
    while end < len {
        let count = usize::try_from(len - end).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        file.write_all_at(&zeros[..count], end)?;
        end += count as u64;
    }
    Ok(())
}

/// Closing the file releases the lock (flock(2)).
#[derive(Debug)]
struct RealLock {
    _file: StdFile,
}

impl LockGuard for RealLock {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_stand_in_for_fallocate_and_keep_what_is_there() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(b"kept", 0).unwrap();
        write_zeros(&file, 3 << 19).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 3 << 19);
        let mut head = [1; 8];
        file.read_exact_at(&mut head, 0).unwrap();
        assert_eq!(&head, b"kept\0\0\0\0");
        write_zeros(&file, 10).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 3 << 19, "allocating less must not cut the file off");
    }
}
