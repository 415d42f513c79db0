//! Content, named by its SHA-256: that of registrations, and content of events that a policy declares shared.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_disk::{Fs, Open, create_dir_all, replace_file};
use inferlog_record::Digest;
use sha2::{Digest as _, Sha256};

use crate::{OBJECT_BYTES_MAX, RegistryError, Result};

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// The objects of one registry.
#[derive(Clone, Debug)]
pub struct Objects {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
}

impl Objects {
    /// The objects below `DIR/registry`, which need not exist.
    pub fn new(fs: Arc<dyn Fs>, registry: &Path) -> Self {
        Self { fs, dir: registry.join("objects") }
    }

    /// Where an object is.
    pub fn path(&self, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        let (folder, file) = name.split_at(2);
        self.dir.join(folder).join(file)
    }

    /// An object's content, checked against its name.
    ///
    /// # Errors
    /// [`RegistryError::Object`] if it is missing or another, and what the file system says.
    pub fn read(&self, digest: Digest) -> Result<Vec<u8>> {
        let path = self.path(digest);
        let damaged = |what: String| RegistryError::Object { path: path.clone(), what };
        let file = match self.fs.open(&path, Open::Read) {
            Err(error) if error.is_not_found() => return Err(damaged("is missing".into())),
            other => other?,
        };
        let len = usize::try_from(file.len()?).unwrap_or(usize::MAX);
        if len > OBJECT_BYTES_MAX {
            return Err(damaged(format!("has {len} bytes, more than any object")));
        }
        let mut bytes = vec![0; len];
        file.read_exact_at(&mut bytes, 0)?;
        match sha256(&bytes) {
            found if found == digest => Ok(bytes),
            found => Err(damaged(format!("its content has the SHA-256 {found}"))),
        }
    }

    /// Writes content under its name, durably. One that is there may be the leftover of a crash and not durable: it is replaced
    /// by the same bytes, all at once.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&self, digest: Digest, bytes: &[u8]) -> Result<()> {
        let path = self.path(digest);
        if let Some(folder) = path.parent() {
            create_dir_all(&*self.fs, folder)?;
        }
        // A crash in here leaves a temporary file, or an object that no line of the index names: neither means anything.
        Ok(replace_file(&*self.fs, &path, bytes)?)
    }
}
