//! Destroying bytes as well as a file system allows. Secrecy never rests on this: what is shredded was sealed under a key
//! that is gone. It shortens the time in which a copy-less thief of an old root could have used the old bytes.

use std::path::Path;

use inferlog_disk::{File, Fs, Open, Result};

/// Writes zeros over a file's bytes and makes them durable.
pub(crate) fn overwrite(file: &dyn File) -> Result<()> {
    static ZEROS: [u8; 65_536] = [0; 65_536];
    let len = file.len()?;
    let mut at = 0;
    while at < len {
        let chunk = usize::try_from(len - at).unwrap_or(usize::MAX).min(ZEROS.len());
        file.write_all_at(&ZEROS[..chunk], at)?;
        at += chunk as u64;
    }
    file.sync_data()
}

/// Overwrites a file and removes its name; the caller syncs the directory.
pub(crate) fn remove(fs: &dyn Fs, path: &Path) -> Result<()> {
    // A crash between the two leaves a file of zeros, which is removed at the next opening.
    overwrite(&*fs.open(path, Open::Write)?)?;
    fs.remove_file(path)
}

/// Renames a file over another, whose bytes it overwrites. Returns when the new name is durable.
pub(crate) fn rename_over(fs: &dyn Fs, from: &Path, to: &Path) -> Result<()> {
    // Opened before its name goes.
    let old = match fs.open(to, Open::Write) {
        Err(error) if error.is_not_found() => None,
        other => Some(other?),
    };
    fs.rename(from, to)?;
    fs.sync_dir(to.parent().unwrap_or(to))?;
    // A crash here leaves the old bytes in blocks that no file names; so does a failure, which undoes nothing.
    let _ = old.map(|old| overwrite(&*old));
    Ok(())
}
