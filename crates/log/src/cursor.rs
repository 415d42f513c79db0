//! How far a follower has read.

use std::path::PathBuf;
use std::sync::Arc;

use inferlog_disk::{Fs, create_dir_all, read_optional, replace_file};

use crate::error::{LogError, Result};
use crate::logdir::LogDir;

/// The durable position of a follower that keeps no store of its own to put it in.
#[derive(Debug)]
pub struct Cursor {
    fs: Arc<dyn Fs>,
    path: PathBuf,
}

impl Cursor {
    /// The cursor of this name, `[a-z0-9][a-z0-9-]{0,30}`, in this log.
    pub fn open(fs: Arc<dyn Fs>, log: &LogDir, follower: &str) -> Result<Self> {
        if !crate::append::is_class(follower) {
            return Err(LogError::Name { what: "follower", name: follower.to_owned() });
        }
        let dir = log.path().join("cursors");
        create_dir_all(&*fs, &dir)?;
        Ok(Self { fs, path: dir.join(follower) })
    }

    /// Index of the next entry that the follower wants; zero at first.
    pub fn load(&self) -> Result<u64> {
        let Some(bytes) = read_optional(&*self.fs, &self.path)? else { return Ok(0) };
        let text = std::str::from_utf8(&bytes).ok().and_then(|text| text.strip_suffix('\n'));
        text.and_then(|text| text.parse().ok()).ok_or_else(|| {
            LogError::damaged(&self.path, 0, "this cursor is not a number; delete it to start anew")
        })
    }

    /// Makes a position durable. What the follower derived must be durable before.
    pub fn store(&self, next: u64) -> Result<()> {
        Ok(replace_file(&*self.fs, &self.path, format!("{next}\n").as_bytes())?)
    }
}
