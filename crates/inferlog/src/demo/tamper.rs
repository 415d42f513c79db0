//! Somebody who changes the record.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// One changed byte.
pub(super) struct Tampered {
    /// Relative to the data directory.
    pub(super) file: PathBuf,
    pub(super) offset: usize,
}

/// Copies the logs and the node's files to `copy`, and flips a bit of one byte in the middle of the first entry bundle.
pub(super) fn copy_and_flip(data: &Path, copy: &Path) -> io::Result<Tampered> {
    copy_dir(data, copy)?;
    let bundle =
        bundle(&copy.join("logs"))?.ok_or_else(|| io::Error::other("the log has no entry bundle yet"))?;
    let mut bytes = fs::read(&bundle)?;
    let offset = bytes.len() / 2;
    bytes[offset] ^= 1;
    fs::write(&bundle, bytes)?;
    Ok(Tampered { file: bundle.strip_prefix(copy).unwrap_or(&bundle).to_owned(), offset })
}

/// The first full entry bundle below a directory (`tile/entries/000`).
fn bundle(dir: &Path) -> io::Result<Option<PathBuf>> {
    let first = dir.join("tile").join("entries").join("000");
    if first.is_file() {
        return Ok(Some(first));
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir()
            && let Some(found) = bundle(&entry.path())?
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn copy_dir(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy_dir(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
