//! Names that go.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use inferlog_disk::{Fs, TMP_PREFIX};

use crate::error::Result;

/// Removes files, those that are there, and syncs their directories. A crash before the syncs leaves any of them.
pub(super) fn remove_files<'a>(fs: &dyn Fs, files: impl IntoIterator<Item = &'a PathBuf>) -> Result<()> {
    let mut dirs = BTreeSet::new();
    for path in files {
        match fs.remove_file(path) {
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
        dirs.extend(path.parent());
    }
    dirs.into_iter().try_for_each(|dir| sync(fs, dir))
}

/// Syncs a directory, if it is there.
fn sync(fs: &dyn Fs, dir: &Path) -> Result<()> {
    match fs.sync_dir(dir) {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(()),
    }
}

/// Removes directories that are empty, the deepest first. Nothing depends on their absence.
pub(super) fn remove_empty(fs: &dyn Fs, mut dirs: Vec<PathBuf>) -> Result<()> {
    dirs.sort_by_key(|dir| std::cmp::Reverse(dir.components().count()));
    let mut above = BTreeSet::new();
    for dir in dirs {
        match fs.remove_dir(&dir) {
            Ok(()) => above.extend(dir.parent().map(Path::to_owned)),
            Err(error) if error.is_not_found() || error.kind() == ErrorKind::DirectoryNotEmpty => {}
            Err(error) => return Err(error.into()),
        }
    }
    above.iter().try_for_each(|dir| sync(fs, dir))
}

/// The names in a directory, and what a crash left there half written; none if there is no such directory.
pub(super) fn list(fs: &dyn Fs, dir: &Path) -> Result<(Vec<inferlog_disk::DirEntry>, Vec<PathBuf>)> {
    let names = match fs.read_dir(dir) {
        Err(error) if error.is_not_found() => return Ok((Vec::new(), Vec::new())),
        other => other?,
    };
    let (left, names): (Vec<_>, Vec<_>) =
        names.into_iter().partition(|entry| !entry.is_dir && entry.name.starts_with(TMP_PREFIX));
    Ok((names, left.into_iter().map(|entry| entry.path).collect()))
}
