//! How far a follower has read.

use std::path::PathBuf;
use std::sync::Arc;

use inferlog_disk::{Fs, create_dir_all, read_optional, replace_file};

use crate::error::{LogError, Result};
use crate::logdir::LogDir;

/// The folder of cursors in a log's directory.
const CURSORS: &str = "cursors";

/// How far every follower of a log has read, by name. Whoever has a cursor is *required*: nothing is purged before it has passed, and
/// an erasure is not complete before, until the cursor is forgotten. An error for a cursor that is no number: it is not passed over.
pub fn cursors(fs: &Arc<dyn Fs>, log: &LogDir) -> Result<Vec<(String, u64)>> {
    let entries = match fs.read_dir(&log.path().join(CURSORS)) {
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        entries => entries?,
    };
    let names = entries.into_iter().map(|entry| entry.name);
    let mut names: Vec<String> = names.filter(|name| crate::append::is_class(name)).collect();
    names.sort_unstable();
    let load = |name: String| {
        let cursor = Cursor { fs: fs.clone(), path: log.path().join(CURSORS).join(&name) };
        Ok((name, cursor.load()?))
    };
    names.into_iter().map(load).collect()
}

/// The durable position of a follower: what it derived from entries below it survives a power cut.
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
        let dir = log.path().join(CURSORS);
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

    /// Takes the position back, and with it the follower's claim that the log keeps what it has not read: durable when it
    /// returns. A crash before leaves the cursor.
    pub fn forget(&self) -> Result<()> {
        let Some(dir) = self.path.parent() else { return Ok(()) };
        match self.fs.remove_file(&self.path) {
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
        Ok(self.fs.sync_dir(dir)?)
    }
}
