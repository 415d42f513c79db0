//! A file system whose syncs take longer, to measure what a slower disk would cost.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::{DirEntry, File, Fs, LockGuard, Open, Result};

/// Adds a fixed delay to every [`File::sync_data`] and [`Fs::sync_dir`] of another file system.
#[derive(Clone, Debug)]
pub struct SlowSyncFs {
    inner: Arc<dyn Fs>,
    delay: Duration,
}

impl SlowSyncFs {
    /// `inner`, with `delay` before each sync.
    pub fn new(inner: Arc<dyn Fs>, delay: Duration) -> Self {
        Self { inner, delay }
    }
}

impl Fs for SlowSyncFs {
    fn open(&self, path: &Path, how: Open) -> Result<Box<dyn File>> {
        let inner = self.inner.open(path, how)?;
        Ok(Box::new(SlowSyncFile { inner, delay: self.delay }))
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        self.inner.create_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.inner.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        self.inner.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> Result<()> {
        self.inner.remove_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        std::thread::sleep(self.delay);
        self.inner.sync_dir(path)
    }

    fn read_dir(&self, path: &Path) -> Result<Vec<DirEntry>> {
        self.inner.read_dir(path)
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        self.inner.exists(path)
    }

    fn free_bytes(&self, path: &Path) -> Result<u64> {
        self.inner.free_bytes(path)
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn LockGuard>> {
        self.inner.lock(path)
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        self.inner.read(path)
    }
}

#[derive(Debug)]
struct SlowSyncFile {
    inner: Box<dyn File>,
    delay: Duration,
}

impl File for SlowSyncFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        self.inner.read_at(buf, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.inner.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> Result<()> {
        std::thread::sleep(self.delay);
        self.inner.sync_data()
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.inner.set_len(len)
    }

    fn allocate(&self, len: u64) -> Result<()> {
        self.inner.allocate(len)
    }

    fn len(&self) -> Result<u64> {
        self.inner.len()
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        self.inner.read_exact_at(buf, offset)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::RealFs;

    #[test]
    fn both_syncs_take_the_delay_and_nothing_else_does() {
        let dir = tempfile::tempdir().unwrap();
        let fs = SlowSyncFs::new(Arc::new(RealFs), Duration::from_millis(500));
        let started = Instant::now();
        let file = fs.open(&dir.path().join("f"), Open::CreateNew).unwrap();
        file.write_all_at(b"x", 0).unwrap();
        let before = started.elapsed();
        file.sync_data().unwrap();
        fs.sync_dir(dir.path()).unwrap();
        assert!(started.elapsed() - before >= Duration::from_secs(1));
        assert!(before < Duration::from_millis(500), "opening and writing took {before:?}");
    }
}
