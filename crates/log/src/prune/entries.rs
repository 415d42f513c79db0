//! Entries: whole bundles from the log's beginning on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use inferlog_disk::{Fs, TMP_PREFIX, create_dir_all, create_over, replace_file};
use inferlog_merkle::{TILE_WIDTH, entries};

use super::{Pruner, dirs};
use crate::error::{LogError, Result};
use crate::reader::ReadError;
use crate::{LogDir, LogReader, kept};

const WIDTH: u64 = TILE_WIDTH as u64;

/// What pruning entries removes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrunedEntries {
    /// The log's first entry afterwards, but for those kept.
    pub first: u64,
    /// Entries that go.
    pub entries: u64,
    /// Entries before `first` that are kept.
    pub kept: u64,
    /// Bytes of files that are freed: bundles and kept entries that go, less what is kept of them.
    pub bytes: u64,
}

/// What [`prune_entries`] would remove now.
///
/// # Errors
/// Damage that keeps a bundle, or what was kept of one, from being read.
pub fn plan_entries(
    reader: &LogReader,
    upto: u64,
    keep: &dyn Fn(u64, &[u8]) -> bool,
) -> Result<PrunedEntries> {
    Pass::new(reader, upto)?.read(keep, |_, _| Ok(()))
}

/// Removes the entries below `upto`, rounded down to whole bundles, but for those that `keep`, given index and bytes, says yes to.
/// Those kept by an earlier call are asked for again, and go if it says no. The last full bundle and what follows it always stays.
///
/// Kept entries are durable before `pruned` says so, and that before a bundle goes.
///
/// # Errors
/// The file system's; damage as in [`plan_entries`]. Nothing is lost: call it again.
pub fn prune_entries(pruner: &Pruner, upto: u64, keep: &dyn Fn(u64, &[u8]) -> bool) -> Result<PrunedEntries> {
    let reader = &pruner.reader;
    let (fs, dir) = (&**reader.fs(), reader.dir());
    let pass = Pass::new(reader, upto)?;
    let first = pass.first;
    if first == 0 {
        return Ok(PrunedEntries::default());
    }
    create_dir_all(fs, &dir.kept_entries())?;
    let (_, mut gone) = dirs::list(fs, &dir.kept_entries())?;
    // A crash in here leaves, of bundles that are still there, copies that no reader looks at; and of those that are not, what
    // was kept before or what is kept now.
    let told = pass.read(keep, |bundle, kept| match kept {
        Some(bytes) => write(fs, &dir.kept_bundle(bundle), &bytes),
        None => {
            gone.push(dir.kept_bundle(bundle));
            Ok(())
        }
    })?;
    fs.sync_dir(&dir.kept_entries())?;
    dirs::remove_files(fs, &gone)?;
    // Written again though it says so already: what is read may be a change whose sync failed. A crash from here on leaves
    // bundles that no reader looks at.
    replace_file(fs, &dir.pruned(), &kept::encode_pruned(first))?;
    let mut below = Below { bundle: first / WIDTH, ..Below::default() };
    below.find(fs, &dir.path().join("tile").join("entries"), 0)?;
    dirs::remove_files(fs, &below.files)?;
    pruner.remove_dirs(below.dirs)?;
    Ok(told)
}

/// Writes a file whole, under another name first. Its name is durable when its directory is synced.
fn write(fs: &dyn Fs, path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let temporary = path.with_file_name(format!("{TMP_PREFIX}{name}"));
    let file = create_over(fs, &temporary)?;
    file.write_all_at(bytes, 0)?;
    file.sync_data()?;
    drop(file);
    Ok(fs.rename(&temporary, path)?)
}

/// What is read to know what goes.
struct Pass<'a> {
    reader: &'a LogReader,
    size: u64,
    /// Where the log begins, before and afterwards.
    before: u64,
    first: u64,
}

impl<'a> Pass<'a> {
    fn new(reader: &'a LogReader, upto: u64) -> Result<Self> {
        let (size, before) = (reader.size()?, reader.first()?);
        let last_full = (size / WIDTH).saturating_sub(1) * WIDTH;
        let first = before.max(upto.min(last_full) / WIDTH * WIDTH);
        Ok(Self { reader, size, before, first })
    }

    /// Reads what goes, and tells `change` of each bundle what is to be kept of it, where that is not so already: the bytes of its
    /// file, or that there is to be none.
    fn read(
        &self,
        keep: &dyn Fn(u64, &[u8]) -> bool,
        mut change: impl FnMut(u64, Option<Vec<u8>>) -> Result<()>,
    ) -> Result<PrunedEntries> {
        let (fs, dir) = (&**self.reader.fs(), self.reader.dir());
        let mut told = PrunedEntries { first: self.first, ..PrunedEntries::default() };
        let (mut freed, mut taken) = (0, 0);
        // Left by a call that came to no end.
        let mut stray = BTreeSet::new();
        for bundle in kept::list(fs, dir)? {
            if bundle >= self.first / WIDTH {
                continue;
            }
            if bundle >= self.before / WIDTH {
                stray.insert(bundle);
                continue;
            }
            let Some(had) = kept::read(fs, dir, bundle)? else { continue };
            let kept: Vec<_> = had.iter().filter(|(index, entry)| keep(*index, entry)).collect();
            told.kept += kept.len() as u64;
            if kept.len() < had.len() {
                told.entries += (had.len() - kept.len()) as u64;
                freed += kept::encode(had.iter().map(|(index, entry)| (*index, &entry[..]))).len() as u64;
                let bytes = kept::encode(kept.iter().map(|(index, entry)| (*index, &entry[..])));
                let bytes = (!kept.is_empty()).then_some(bytes);
                taken += bytes.as_ref().map_or(0, Vec::len) as u64;
                change(bundle, bytes)?;
            }
        }
        for bundle in self.before / WIDTH..self.first / WIDTH {
            let bytes = self.bundle(bundle)?;
            let first = bundle * WIDTH;
            let mut kept = Vec::new();
            for (index, entry) in (first..).zip(entries(&bytes)) {
                let entry = entry.map_err(|_| self.damaged(bundle))?;
                if keep(index, entry) {
                    kept.push((index, entry));
                }
            }
            told.kept += kept.len() as u64;
            told.entries += WIDTH - kept.len() as u64;
            freed += bytes.len() as u64;
            if !kept.is_empty() {
                let bytes = kept::encode(kept);
                taken += bytes.len() as u64;
                change(bundle, Some(bytes))?;
            } else if stray.contains(&bundle) {
                change(bundle, None)?;
            }
        }
        told.bytes = u64::saturating_sub(freed, taken);
        Ok(told)
    }

    fn bundle(&self, bundle: u64) -> Result<Vec<u8>> {
        let path = LogDir::bundle_of(bundle * WIDTH, self.size).ok_or_else(|| self.damaged(bundle))?;
        self.reader.bundle(path).map_err(|error| match error {
            ReadError::Disk(error) => error.into(),
            _ => self.damaged(bundle),
        })
    }

    fn damaged(&self, bundle: u64) -> LogError {
        let path = LogDir::bundle_of(bundle * WIDTH, self.size);
        let path =
            path.map_or_else(|| self.reader.dir().path().to_owned(), |path| self.reader.dir().tile(path));
        LogError::damaged(&path, 0, "this bundle does not parse, and is not pruned; run `inferlog verify`")
    }
}

/// Files of bundles below one, whole or partial, half written or left over, and their directories.
#[derive(Default)]
struct Below {
    bundle: u64,
    files: Vec<PathBuf>,
    dirs: Vec<PathBuf>,
}

impl Below {
    /// Looks through a directory of bundles. `thousands` is what its path says of their numbers; those in directories below it are
    /// larger. Directories that cannot hold one below are not read.
    fn find(&mut self, fs: &dyn Fs, dir: &Path, thousands: u64) -> Result<()> {
        for entry in fs.read_dir(dir)? {
            let name = entry.name.strip_prefix(TMP_PREFIX).unwrap_or(&entry.name);
            let group = name.strip_prefix('x').and_then(|digits| digits.parse::<u64>().ok());
            if let Some(group) = group.filter(|_| entry.is_dir) {
                let inner = thousands * 1000 + group;
                if inner * 1000 < self.bundle {
                    self.find(fs, &entry.path, inner)?;
                    self.dirs.push(entry.path);
                }
                continue;
            }
            let number = name.strip_suffix(".p").unwrap_or(name).parse::<u64>().ok();
            if number.is_none_or(|number| thousands * 1000 + number >= self.bundle) {
                continue;
            }
            if entry.is_dir {
                let partial = fs.read_dir(&entry.path)?;
                self.files.extend(partial.into_iter().map(|partial| partial.path));
                self.dirs.push(entry.path);
            } else {
                self.files.push(entry.path);
            }
        }
        Ok(())
    }
}
