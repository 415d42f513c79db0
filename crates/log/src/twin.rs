//! The twin: the newest checkpoint ever signed, kept where an old backup of the log does not bring it back.

use std::path::PathBuf;
use std::sync::Arc;

use inferlog_disk::{Fs, create_dir_all, read_optional, replace_file};

use crate::LogDir;
use crate::error::{LogError, Result};

/// A twin in a file. It refuses forks only if the file is in another failure domain than the log.
#[derive(Debug)]
pub(crate) struct Twin {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    origin: String,
    last: Option<Vec<u8>>,
}

impl Twin {
    /// Opens the twin of a log: beside it, or below `elsewhere`.
    pub(crate) fn open(
        fs: Arc<dyn Fs>,
        log: &LogDir,
        elsewhere: Option<&PathBuf>,
        origin: &str,
    ) -> Result<Self> {
        let dir = match elsewhere {
            Some(dir) => dir.join(log.system()).join(log.shard()).join(log.epoch()),
            None => log.path().to_owned(),
        };
        create_dir_all(&*fs, &dir)?;
        let path = dir.join("twin");
        let last = read_optional(&*fs, &path)?;
        if let Some(bytes) = &last {
            // Written again: what is read may be a change whose sync failed in the last life.
            replace_file(&*fs, &path, bytes)?;
        }
        Ok(Self { fs, path, origin: origin.to_owned(), last })
    }

    /// The checkpoint it holds, a signed note.
    pub(crate) fn checkpoint(&self) -> Option<&[u8]> {
        self.last.as_deref()
    }

    /// Replaces the checkpoint if it is still the one that this process knows. The caller has made sure that the new one
    /// is consistent with it. A crash after this and before publishing leaves the twin ahead by one checkpoint.
    pub(crate) fn swap(&mut self, checkpoint: &[u8]) -> Result<()> {
        if read_optional(&*self.fs, &self.path)? != self.last {
            let what = format!("{} was changed by another process", self.path.display());
            return Err(LogError::Forked { origin: self.origin.clone(), what });
        }
        replace_file(&*self.fs, &self.path, checkpoint)?;
        self.last = Some(checkpoint.to_vec());
        Ok(())
    }
}
