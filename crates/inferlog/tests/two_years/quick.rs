//! The real file system without its syncs: this test crashes nothing, and two years have many.

use std::path::Path;
use std::sync::Arc;

use inferlog_disk::{DirEntry, File, Fs, LockGuard, Open, RealFs, Result};

#[derive(Debug)]
pub struct QuickFs;

#[derive(Debug)]
struct QuickFile(Box<dyn File>);

pub fn quick() -> Arc<dyn Fs> {
    Arc::new(QuickFs)
}

impl Fs for QuickFs {
    fn open(&self, path: &Path, how: Open) -> Result<Box<dyn File>> {
        Ok(Box::new(QuickFile(RealFs.open(path, how)?)))
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        RealFs.create_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        RealFs.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        RealFs.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> Result<()> {
        RealFs.remove_dir(path)
    }

    fn sync_dir(&self, _path: &Path) -> Result<()> {
        Ok(())
    }

    fn read_dir(&self, path: &Path) -> Result<Vec<DirEntry>> {
        RealFs.read_dir(path)
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        RealFs.exists(path)
    }

    fn free_bytes(&self, path: &Path) -> Result<u64> {
        RealFs.free_bytes(path)
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn LockGuard>> {
        RealFs.lock(path)
    }
}

impl File for QuickFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        self.0.read_at(buf, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> Result<()> {
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.0.set_len(len)
    }

    fn allocate(&self, len: u64) -> Result<()> {
        self.0.set_len(len)
    }

    fn len(&self) -> Result<u64> {
        self.0.len()
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        self.0.read_exact_at(buf, offset)
    }
}
