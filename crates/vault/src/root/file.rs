//! A root key in a file.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_disk::{DiskError, Fs, Open, TMP_PREFIX, create_dir_all, read_optional};
use zeroize::Zeroizing;

use super::{RootError, RootKey, RootStore, home};
use crate::shred;

/// A file of mode 0600. Replacing it overwrites the bytes of the old one, which a copy-on-write file system or a flash
/// translation layer may keep elsewhere nevertheless.
#[derive(Debug)]
pub struct FileRoot {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    /// Files of a simulated file system have no mode.
    modes: bool,
}

impl FileRoot {
    /// The file `path`.
    pub fn new(fs: Arc<dyn Fs>, path: PathBuf) -> Self {
        Self { fs, path, modes: true }
    }

    /// The file `path` of a simulated file system, which knows no modes.
    pub fn without_modes(fs: Arc<dyn Fs>, path: PathBuf) -> Self {
        Self { fs, path, modes: false }
    }

    fn directory(&self) -> &Path {
        self.path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// Writes the file whole and durably, readable by its owner alone from its first byte on.
    fn write(&self, root: &RootKey) -> Result<(), RootError> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let tmp = self.directory().join(format!("{TMP_PREFIX}{name}"));
        if self.fs.exists(&tmp)? {
            // Left by a crash. It may hold a key that was never used, or the one in use.
            shred::remove(&*self.fs, &tmp)?;
        }
        let file = self.fs.open(&tmp, Open::CreateNew)?;
        if self.modes {
            restrict(&tmp)?;
        }
        file.write_all_at(root.to_line().as_bytes(), 0)?;
        file.sync_data()?;
        // A crash before the rename is durable leaves the old key, after it the new one.
        self.fs.rename(&tmp, &self.path)?;
        Ok(self.fs.sync_dir(self.directory())?)
    }
}

impl RootStore for FileRoot {
    fn get(&self) -> Result<RootKey, RootError> {
        let missing = || RootError::Missing { home: home(&self.path) };
        if self.modes {
            check_mode(&self.path)?;
        }
        let bytes = Zeroizing::new(read_optional(&*self.fs, &self.path)?.ok_or_else(missing)?);
        let root = std::str::from_utf8(&bytes).ok().and_then(RootKey::parse);
        root.ok_or_else(|| RootError::Malformed { home: home(&self.path) })
    }

    fn create(&self, new: &RootKey) -> Result<RootKey, RootError> {
        if self.fs.exists(&self.path)? {
            return Err(RootError::Exists { home: home(&self.path) });
        }
        create_dir_all(&*self.fs, self.directory())?;
        self.write(new)?;
        Ok(new.clone())
    }

    fn replace(&self, new: &RootKey) -> Result<(), RootError> {
        // Opened before its name goes, so that the old key can be overwritten after the new one is durable.
        let old = self.fs.open(&self.path, Open::Write).map_err(read_only)?;
        self.write(new).map_err(|error| match error {
            RootError::Disk(error) => read_only(error),
            other => other,
        })?;
        // A crash here leaves the old key's bytes in blocks that no file names.
        Ok(shred::overwrite(&*old)?)
    }

    fn confirm(&self, current: &RootKey) -> Result<(), RootError> {
        match self.replace(current) {
            // What cannot be written was not half written either.
            Err(RootError::NotReplaced { .. }) => Ok(()),
            other => other,
        }
    }
}

fn read_only(error: DiskError) -> RootError {
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            RootError::NotReplaced { reason: error.to_string() }
        }
        _ => RootError::Disk(error),
    }
}

#[cfg(unix)]
fn restrict(path: &Path) -> Result<(), RootError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, mode).map_err(|error| DiskError::new("restrict", path, error).into())
}

#[cfg(unix)]
fn check_mode(path: &Path) -> Result<(), RootError> {
    use std::os::unix::fs::PermissionsExt;
    match std::fs::metadata(path) {
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            Err(RootError::Permissions { path: path.into() })
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(RootError::Missing { home: home(path) }),
        Err(error) => Err(DiskError::new("read the mode of", path, error).into()),
    }
}

/// Elsewhere the directory's access list decides.
#[cfg(not(unix))]
fn restrict(_path: &Path) -> Result<(), RootError> {
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_path: &Path) -> Result<(), RootError> {
    Ok(())
}
