//! What a purge leaves of what it removes: the minimum index, and the entries that were kept (docs/format.md, section 6).

use std::path::PathBuf;

use inferlog_disk::{Fs, read_optional};
use inferlog_merkle::{ENTRY_BYTES_MAX, TILE_WIDTH};

use crate::LogDir;
use crate::bytes::{Reader, put_u16, put_u32, put_u64};
use crate::error::{LogError, Result};

/// Digits in the name of a file of kept entries.
const KEPT_NAME_DIGITS: usize = 10;

impl LogDir {
    /// The index at which the log begins, where a prefix of it was pruned.
    pub fn pruned(&self) -> PathBuf {
        self.path().join("pruned")
    }

    /// The directory of entries that were kept when their bundles were pruned.
    pub fn kept_entries(&self) -> PathBuf {
        self.path().join("kept").join("entries")
    }

    /// What was kept of a bundle.
    pub fn kept_bundle(&self, bundle: u64) -> PathBuf {
        self.kept_entries().join(format!("{bundle:0KEPT_NAME_DIGITS$}"))
    }

    /// Sealed payloads that were kept when their packs were purged.
    pub fn kept_packs(&self) -> PathBuf {
        self.path().join("kept").join("packs")
    }
}

/// The index at which a log begins: zero until a prefix of it is pruned.
pub(crate) fn first(fs: &dyn Fs, log: &LogDir) -> Result<u64> {
    let path = log.pruned();
    let Some(bytes) = read_optional(fs, &path)? else { return Ok(0) };
    decode_pruned(&bytes).ok_or_else(|| {
        LogError::damaged(&path, 0, "this is not the index of a bundle's first entry; restore it from a copy")
    })
}

/// Reads the bytes of `pruned`: the decimal index of a bundle's first entry, not zero, and a newline. `None` if they are none.
pub fn decode_pruned(bytes: &[u8]) -> Option<u64> {
    let first: u64 = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?.parse().ok()?;
    let is_one = first > 0 && first.is_multiple_of(u64::from(TILE_WIDTH));
    (is_one && encode_pruned(first) == bytes).then_some(first)
}

/// The bytes of `pruned`.
pub(crate) fn encode_pruned(first: u64) -> Vec<u8> {
    format!("{first}\n").into_bytes()
}

/// Numbers of the bundles of which entries were kept, ascending.
pub(crate) fn list(fs: &dyn Fs, log: &LogDir) -> Result<Vec<u64>> {
    let files = match fs.read_dir(&log.kept_entries()) {
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        other => other?,
    };
    let mut bundles: Vec<u64> = files.iter().filter_map(|file| bundle_of(&file.name)).collect();
    bundles.sort_unstable();
    Ok(bundles)
}

/// The bundle that a file of kept entries is named after; every number has one name.
fn bundle_of(name: &str) -> Option<u64> {
    let bundle: u64 = name.bytes().all(|byte| byte.is_ascii_digit()).then(|| name.parse().ok())??;
    (format!("{bundle:0KEPT_NAME_DIGITS$}") == name).then_some(bundle)
}

/// Entries, with their indices.
pub(crate) type Entries = Vec<(u64, Vec<u8>)>;

/// What was kept of a bundle; `None` if there is no such file.
pub(crate) fn read(fs: &dyn Fs, log: &LogDir, bundle: u64) -> Result<Option<Entries>> {
    let path = log.kept_bundle(bundle);
    let Some(bytes) = read_optional(fs, &path)? else { return Ok(None) };
    let entries = decode(bundle, &bytes).ok_or_else(|| {
        LogError::damaged(&path, 0, "the kept entries do not check; restore them from a copy")
    })?;
    Ok(Some(entries.into_iter().map(|(index, entry)| (index, entry.to_vec())).collect()))
}

/// The bytes of a file of kept entries, which ascend and belong to one bundle.
pub fn encode<'a>(entries: impl IntoIterator<Item = (u64, &'a [u8])>) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, entry) in entries {
        put_u64(&mut out, index);
        put_u16(&mut out, entry.len() as u16);
        out.extend_from_slice(entry);
    }
    let crc = crc32c::crc32c(&out);
    put_u32(&mut out, crc);
    out
}

/// Reads a file of kept entries: at least one, ascending, all of `bundle`. `None` if it does not check.
pub fn decode(bundle: u64, bytes: &[u8]) -> Option<Vec<(u64, &[u8])>> {
    let (mut covered, crc) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
    if Reader::new(crc).u32()? != crc32c::crc32c(covered) {
        return None;
    }
    let mut entries: Vec<(u64, &[u8])> = Vec::new();
    while !covered.is_empty() {
        let mut reader = Reader::new(covered);
        let index = reader.u64()?;
        let length = usize::from(reader.u16()?);
        let entry = reader.take(length)?;
        let ascends = entries.last().is_none_or(|(last, _)| *last < index);
        if !ascends || index / u64::from(TILE_WIDTH) != bundle || length == 0 || length > ENTRY_BYTES_MAX {
            return None;
        }
        entries.push((index, entry));
        covered = &covered[8 + 2 + length..];
    }
    (!entries.is_empty()).then_some(entries)
}
