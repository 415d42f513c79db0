//! What is left of a pruned bundle: its tile, and the entries that were kept, each held against its hash there (format.md,
//! "What a purge leaves").

use inferlog_merkle::{ENTRY_BYTES_MAX, TILE_WIDTH, leaf_hash};

use super::bundle::{Contents, Placed};
use super::log::Log;
use crate::json::EntryScan;
use crate::report::FaultKind;

const WIDTH: u64 = TILE_WIDTH as u64;
/// Index and length of a record.
const HEADER_BYTES: usize = 10;
const CRC_BYTES: usize = 4;

/// Which entries of a bundle were kept: a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept([u64; (TILE_WIDTH / 64) as usize]);

impl Kept {
    fn add(&mut self, position: u64) {
        if let Some(word) = self.0.get_mut((position / 64) as usize) {
            *word |= 1 << (position % 64);
        }
    }

    /// Whether the entry at this place of the bundle was kept.
    pub(super) fn has(&self, position: u64) -> bool {
        self.0.get((position / 64) as usize).is_some_and(|word| word >> (position % 64) & 1 == 1)
    }

    /// How many were kept.
    pub(super) fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }
}

/// A record of a file of kept entries.
struct Record<'b> {
    index: u64,
    /// Offset of the record.
    at: u64,
    placed: Placed<'b>,
}

/// Checks what was kept of a bundle whose file is gone, and adds what it holds to `contents`. `tile` are the hashes of the
/// bundle's entries, if they lead to the signed root.
pub(super) fn check(log: &Log<'_>, number: u64, tile: Option<&[u8]>, contents: &mut Contents) {
    let (path, first) = (log.dir.kept_bundle(number), number * WIDTH);
    let bytes = match inferlog_disk::read_optional(&**log.fs, &path) {
        Ok(bytes) => bytes.unwrap_or_default(),
        Err(error) => {
            log.unreadable(&path, &error);
            Vec::new()
        }
    };
    contents.bytes += bytes.len() as u64;
    let (mut kept, mut trusted) = (Kept::default(), Vec::new());
    if !bytes.is_empty() {
        let (records, broken) = split(number, &bytes);
        let mut is_found = broken.is_some();
        if let Some((at, what)) = broken {
            log.sink.byte(&path, at, FaultKind::Kept, what);
        }
        for record in records {
            // Without a tile that is right nothing says that it is not the one.
            let hash = tile.and_then(|tile| Log::hash_at(tile, (record.index - first) as usize));
            if hash.is_none_or(|hash| hash == record.placed.hash) {
                trusted.push(record);
            } else {
                is_found = true;
                let what = "this kept entry does not have the hash that its tile holds: it was altered, or is another one";
                log.sink.entry(&path, record.at, record.index, FaultKind::Kept, what);
            }
        }
        if !is_found && !has_crc(&bytes) {
            let at = (bytes.len() - CRC_BYTES) as u64;
            let what = "the checksum of these kept entries is not theirs, though each has its hash";
            log.sink.byte(&path, at, FaultKind::Kept, what);
        }
    }
    let mut scan = EntryScan::default();
    for record in &trusted {
        kept.add(record.index - first);
        contents.entry(log, &path, record.index, &record.placed, &mut scan);
    }
    contents.unread.extend((first..first + WIDTH).filter(|index| !kept.has(index - first)));
    contents.unread.sort_unstable();
    contents.pruned.push((number, kept));
}

fn has_crc(bytes: &[u8]) -> bool {
    bytes
        .split_at_checked(bytes.len().saturating_sub(CRC_BYTES))
        .is_some_and(|(covered, crc)| crc32c::crc32c(covered).to_be_bytes() == crc)
}

/// The records, and where they cease to be such.
fn split(number: u64, bytes: &[u8]) -> (Vec<Record<'_>>, Option<(u64, &'static str)>) {
    let mut records: Vec<Record<'_>> = Vec::new();
    let Some(end) = bytes.len().checked_sub(CRC_BYTES) else {
        return (records, Some((0, "this file of kept entries is cut short")));
    };
    let mut at = 0;
    while at < end {
        let broken = |what| Some((at as u64, what));
        let header = bytes.get(at..at + HEADER_BYTES).filter(|_| at + HEADER_BYTES <= end);
        let Some((index, length)) = header.and_then(|header| header.split_first_chunk::<8>()) else {
            return (records, broken("the file ends within this record"));
        };
        let index = u64::from_be_bytes(*index);
        let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        let offset = at + HEADER_BYTES;
        let Some(entry) = bytes.get(offset..offset + length).filter(|_| offset + length <= end) else {
            return (records, broken("the file ends within this record, or its length is not its own"));
        };
        if index / WIDTH != number || length == 0 || length > ENTRY_BYTES_MAX {
            return (records, broken("this record is not one of this bundle's entries"));
        }
        if records.last().is_some_and(|last| last.index >= index) {
            return (records, broken("this record does not come after the one before it"));
        }
        let placed = Placed { entry, offset: (offset - 2) as u64, hash: leaf_hash(entry) };
        records.push(Record { index, at: at as u64, placed });
        at = offset + length;
    }
    let is_empty = records.is_empty();
    (records, is_empty.then_some((0, "a file of kept entries holds one at least")))
}

/// Gives the entries of these bundles to `visit`, kept ones too. What cannot be read was reported before, and is left out.
pub(super) fn each(log: &Log<'_>, bundles: std::ops::Range<u64>, mut visit: impl FnMut(u64, &[u8])) {
    for number in bundles {
        let bundle = log.tile_path(0, number).and_then(|tile| log.read(tile.bundle()).ok());
        match bundle {
            Some(bundle) => {
                for (index, entry) in (number * WIDTH..log.size).zip(inferlog_merkle::entries(&bundle.bytes))
                {
                    let Ok(entry) = entry else { break };
                    visit(index, entry);
                }
            }
            None => {
                let bytes = log.fs.read(&log.dir.kept_bundle(number)).unwrap_or_default();
                for record in split(number, &bytes).0 {
                    visit(record.index, record.placed.entry);
                }
            }
        }
    }
}

/// Reports files of kept entries that belong to no pruned bundle.
pub(super) fn check_strays(log: &Log<'_>) {
    let dir = log.dir.kept_entries();
    let listed = match log.fs.read_dir(&dir) {
        Ok(listed) => listed,
        Err(error) if error.is_not_found() => return,
        Err(error) => return log.unreadable(&dir, &error),
    };
    let mut stray = 0_u64;
    for entry in listed {
        let number = entry.name.parse::<u64>().ok();
        let path = number.map(|number| log.dir.kept_bundle(number)).filter(|path| *path == entry.path);
        match number.filter(|_| path.is_some()) {
            Some(number) if number.saturating_mul(WIDTH) < log.first => {}
            _ => stray += 1,
        }
    }
    if stray > 0 {
        log.sink.notice(format!(
            "{stray} files under kept/entries are of no pruned bundle: left by a purge that a crash ended; they mean nothing"
        ));
    }
}

/// Where the log begins, as `pruned` says; where that does not check, before the first bundle that is there.
pub(super) fn first(log: &Log<'_>) -> u64 {
    let path = log.dir.pruned();
    let bytes = match inferlog_disk::read_optional(&**log.fs, &path) {
        Ok(bytes) => bytes,
        Err(error) => {
            log.unreadable(&path, &error);
            return 0;
        }
    };
    let Some(bytes) = bytes else { return 0 };
    let text = std::str::from_utf8(&bytes).ok().and_then(|text| text.strip_suffix('\n'));
    let number = text.and_then(|text| text.parse::<u64>().ok().filter(|number| number.to_string() == text));
    match number.filter(|number| *number > 0 && number.is_multiple_of(WIDTH)) {
        Some(number) if number < log.size => number,
        Some(number) => {
            let what = format!("the log begins at {number}, this says, and it has {} entries", log.size);
            log.sink.byte(&path, 0, FaultKind::Pruned, what);
            found(log)
        }
        None => {
            let what = "this is not the number of a bundle's first entry and a newline";
            log.sink.byte(&path, 0, FaultKind::Pruned, what);
            found(log)
        }
    }
}

/// The first entry of the first bundle that is there.
fn found(log: &Log<'_>) -> u64 {
    let is_gone = |number: &u64| {
        let bundle = log.tile_path(0, *number).map(|tile| log.path(tile.bundle()));
        bundle.is_some_and(|path| !log.fs.exists(&path).unwrap_or(true))
    };
    let bundles = log.size.div_ceil(WIDTH);
    let first = (0..bundles).find(|number| !is_gone(number)).unwrap_or(0);
    first * WIDTH
}
