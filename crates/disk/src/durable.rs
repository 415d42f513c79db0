//! Changes that are whole and durable when they return, built from the calls of [`Fs`].

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::Context;
use crate::{Fs, Open, Result};

/// How the name of a file begins that is being written and not yet in its place. Left behind by a crash it means nothing
/// and may be deleted.
pub const TMP_PREFIX: &str = ".tmp-";

/// Replaces the content of `path`, or creates it, durably: a reader, and whoever looks after a crash, finds the old file or
/// the new one, never a mixture. One writer per path at a time.
///
/// After an error the old or the new content may be there, and may change again at a crash: replace it again, or stop.
pub fn replace_file(fs: &dyn Fs, path: &Path, bytes: &[u8]) -> Result<()> {
    let tmp = tmp_path(path)?;
    let file = create_over(fs, &tmp)?;
    file.write_all_at(bytes, 0)?;
    // A crash up to here leaves the old file, and perhaps a temporary one.
    file.sync_data()?;
    drop(file);
    // The new bytes are durable before the name points at them, so that a crash from here on leaves old or new.
    fs.rename(&tmp, path)?;
    fs.sync_dir(parent(path))
}

/// Creates a directory and every missing one above it, durably. It is no error if it exists already.
pub fn create_dir_all(fs: &dyn Fs, path: &Path) -> Result<()> {
    let mut missing = Vec::new();
    let mut above = path;
    while !fs.exists(above)? {
        missing.push(above);
        above = parent(above);
    }
    // A process that was killed here before may have created the last of the existing directories and not synced its name.
    // Who may not read the directory above did not create it.
    match fs.sync_dir(parent(above)) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
        other => other?,
    }
    for dir in missing.into_iter().rev() {
        match fs.create_dir(dir) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            other => other?,
        }
        // Top down, so that a crash between two leaves a shorter path, never a directory that nothing leads to.
        fs.sync_dir(parent(dir))?;
    }
    Ok(())
}

/// The content of a file, or `None` if there is no such file.
pub fn read_optional(fs: &dyn Fs, path: &Path) -> Result<Option<Vec<u8>>> {
    match fs.read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Creates a file, to read and write. One of this name that is there was left by a crash, means nothing, and goes first.
pub fn create_over(fs: &dyn Fs, path: &Path) -> Result<Box<dyn crate::File>> {
    match fs.open(path, Open::CreateNew) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            fs.remove_file(path)?;
            fs.open(path, Open::CreateNew)
        }
        other => other,
    }
}

fn tmp_path(path: &Path) -> Result<PathBuf> {
    let name = path.file_name().ok_or(ErrorKind::InvalidInput).on("replace", path)?;
    let mut tmp = std::ffi::OsString::from(TMP_PREFIX);
    tmp.push(name);
    Ok(path.with_file_name(tmp))
}

/// The directory that holds the name `path`; `.` for a bare name.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if dir.as_os_str().is_empty() => Path::new("."),
        Some(dir) => dir,
        None => path,
    }
}
