//! One bundle: its entries hashed and held against their tile, the tile against its parent, and what the entries say read.

use inferlog_merkle::{HASH_BYTES, Hash, TILE_WIDTH, TilePath, entries, full_tile_root, leaf_hash};

use super::join::Expect;
use super::kept;
use super::log::{Log, Read};
use crate::fate::Removals;
use crate::json::{EntryScan, State};
use crate::report::{FaultKind, PayloadCounts};

/// The tile above a run of bundles, and whether it leads to the signed root.
#[derive(Debug)]
pub(super) struct Parent {
    pub(super) path: Option<TilePath>,
    pub(super) bytes: Vec<u8>,
    pub(super) is_right: bool,
}

/// What was found in a run of bundles.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) places: Vec<Place>,
    /// Entries that could not be read, ascending.
    pub(super) unread: Vec<u64>,
    pub(super) removals: Removals,
    /// Of each pruned bundle, which entries were kept.
    pub(super) pruned: Vec<(u64, kept::Kept)>,
    /// Pruned bundles whose files are still there.
    pub(super) leftovers: u64,
    pub(super) counts: PayloadCounts,
    pub(super) bytes: u64,
}

/// Where payloads are filed, and those that should be there, ascending by entry.
#[derive(Debug)]
pub(super) struct Place {
    /// Retention class.
    pub(super) class: Vec<u8>,
    /// UTC day, `YYYY-MM-DD`.
    pub(super) day: Vec<u8>,
    pub(super) expects: Vec<Expect>,
}

/// What a rule took out of an event's payloads.
#[derive(serde::Deserialize)]
struct Redacted {
    count: inferlog_record::Count,
}

/// An entry and where it stands in its file.
pub(super) struct Placed<'b> {
    pub(super) entry: &'b [u8],
    /// Offset of the entry's length.
    pub(super) offset: u64,
    pub(super) hash: Hash,
}

/// Checks the bundle `number` and adds what it holds to `contents`.
pub(super) fn check(log: &Log<'_>, parent: &Parent, number: u64, contents: &mut Contents) {
    let Some(tile_path) = log.tile_path(0, number) else { return };
    let (first, width) = (number * u64::from(TILE_WIDTH), u64::from(tile_path.width()));
    let path = tile_path.bundle();
    let tile = log.hashes(tile_path);
    let read = match log.read(path) {
        Ok(read) => {
            contents.leftovers += u64::from(first < log.first);
            read
        }
        Err(error) if error.is_not_found() && first < log.first => {
            check_tile(log, parent, tile_path, tile.as_deref(), None);
            let is_right = tile.is_some() && parent.is_right_about(log, tile_path, tile.as_deref());
            return kept::check(log, number, tile.as_deref().filter(|_| is_right), contents);
        }
        Err(error) => {
            log.tile_unreadable(path, &error);
            check_tile(log, parent, tile_path, tile.as_deref(), None);
            return contents.unread.extend(first..first + width);
        }
    };
    contents.bytes += read.bytes.len() as u64;
    let split = split(path.width().into(), &read);
    let trusted = trusted(log, parent, tile_path, tile.as_deref(), &split);
    let mut scan = EntryScan::default();
    for (position, index) in (first..first + width).enumerate() {
        match split.placed.get(position).filter(|_| trusted.get(position) == Some(&true)) {
            Some(placed) => contents.entry(log, &log.path(path), index, placed, &mut scan),
            None => contents.unread.push(index),
        }
    }
}

/// The entries of a bundle.
struct Split<'b> {
    placed: Vec<Placed<'b>>,
    /// Where the bundle ends early or goes on too long.
    broken: Option<(u64, &'static str)>,
}

fn split(width: usize, read: &Read) -> Split<'_> {
    let mut placed = Vec::with_capacity(width);
    let mut offset = 0;
    for entry in entries(&read.bytes) {
        let Ok(entry) = entry else {
            return Split { placed, broken: Some((offset, "the bundle ends within this entry")) };
        };
        if placed.len() == width {
            let broken = read.is_exact.then_some((offset, "the bundle goes on after its last entry"));
            return Split { placed, broken };
        }
        placed.push(Placed { entry, offset, hash: leaf_hash(entry) });
        offset += 2 + entry.len() as u64;
    }
    let broken = (placed.len() < width).then_some((offset, "the bundle ends before its last entry"));
    Split { placed, broken }
}

/// Which entries are those that the checkpoint covers. Where bundle and tile disagree, the one that does not lead to the
/// signed root is reported.
fn trusted(
    log: &Log<'_>,
    parent: &Parent,
    path: TilePath,
    tile: Option<&[u8]>,
    split: &Split<'_>,
) -> Vec<bool> {
    let leaves: Vec<u8> = split.placed.iter().flat_map(|placed| *placed.hash.as_bytes()).collect();
    let break_off = || {
        if let Some((offset, what)) = split.broken {
            log.fault(path.bundle(), offset, None, what);
        }
    };
    let Some(tile) = tile else {
        // The tile's absence was reported. Its parent, if there is one, vouches for all entries together or for none.
        let is_right = parent.vouches(path, &leaves).unwrap_or(true);
        if !is_right && parent.is_right && split.broken.is_none() {
            log.fault(path.bundle(), 0, None, "this bundle is not the one that the checkpoint covers");
        }
        break_off();
        return vec![is_right; split.placed.len()];
    };
    let Some(first) =
        leaves.chunks(HASH_BYTES).zip(tile.chunks(HASH_BYTES)).position(|(leaf, hash)| leaf != hash)
    else {
        check_tile(log, parent, path, Some(tile), Some(&leaves));
        break_off();
        return vec![true; split.placed.len()];
    };
    let tile_is_right = match parent.vouches(path, tile) {
        Some(vouches) => vouches && parent.is_right,
        None => log.edge_is_right,
    };
    let leaves_are_right = !tile_is_right
        && match parent.vouches(path, &leaves) {
            Some(vouches) => vouches && parent.is_right,
            None => log.is_right_with(path, &leaves),
        };
    let mut trusted = vec![true; first];
    for (position, hash) in tile.chunks_exact(HASH_BYTES).enumerate().skip(first) {
        let Some(placed) = split.placed.get(position) else { break };
        let agrees = placed.hash.as_bytes() == hash;
        trusted.push(agrees || leaves_are_right);
        if agrees {
            continue;
        }
        disagree(log, path, position, placed, (tile_is_right, leaves_are_right));
        if split.broken.is_some() {
            // A damaged length: what follows it was cut in the wrong places.
            break;
        }
    }
    trusted
}

/// Reports an entry that does not have its tile's hash.
fn disagree(log: &Log<'_>, path: TilePath, position: usize, placed: &Placed<'_>, right: (bool, bool)) {
    let index = path.index() * u64::from(TILE_WIDTH) + position as u64;
    let at = (position * HASH_BYTES) as u64;
    match right {
        (true, _) => {
            let what =
                "this entry, or its length, does not have the hash that its tile holds: it was altered";
            log.fault(path.bundle(), placed.offset, Some(index), what);
        }
        (false, true) => {
            let what = "this hash is not that of its entry, which is the one that the checkpoint covers";
            log.fault(path, at, Some(index), what);
        }
        (false, false) => {
            let bundle = log.sink.relative(&log.path(path.bundle()));
            let what = format!(
                "this hash is not that of its entry at byte {} of {bundle}; neither leads to the checkpoint",
                placed.offset
            );
            log.fault(path, at, Some(index), what);
        }
    }
}

/// Holds a tile that agrees with its entries (or has none to ask) against its parent.
fn check_tile(log: &Log<'_>, parent: &Parent, path: TilePath, tile: Option<&[u8]>, leaves: Option<&[u8]>) {
    let Some(tile) = tile else { return };
    if parent.vouches(path, tile) != Some(false) {
        return;
    }
    if parent.is_right {
        let what = match leaves {
            Some(_) => {
                "the hashes in this tile, and the entries with them, are not those that the checkpoint covers"
            }
            None => "the hashes in this tile are not those that the checkpoint covers",
        };
        log.fault(path, 0, None, what);
    } else if let Some(parent_path) = parent.path {
        let at = path.index() % u64::from(TILE_WIDTH) * HASH_BYTES as u64;
        log.fault(parent_path, at, None, "this hash is not that of the tile below it");
    }
}

impl Parent {
    /// Whether a tile below leads to the signed root.
    fn is_right_about(&self, log: &Log<'_>, below: TilePath, tile: Option<&[u8]>) -> bool {
        match tile.and_then(|tile| self.vouches(below, tile)) {
            Some(vouches) => vouches && self.is_right,
            None => log.edge_is_right,
        }
    }

    /// Whether this tile's hash of the tile below it is the root of these hashes; `None` if the tile below is not full, or
    /// this one could not be read.
    fn vouches(&self, below: TilePath, hashes: &[u8]) -> Option<bool> {
        if !below.is_full() {
            return None;
        }
        let position = (below.index() % u64::from(TILE_WIDTH)) as usize;
        let held = Log::hash_at(&self.bytes, position)?;
        Some(full_tile_root(hashes) == Some(held))
    }
}

impl Contents {
    /// Takes an entry that the checkpoint covers, from this file.
    pub(super) fn entry<'b>(
        &mut self,
        log: &Log<'_>,
        file: &std::path::Path,
        index: u64,
        placed: &Placed<'b>,
        scan: &mut EntryScan<'b>,
    ) {
        if let Err(malformed) = scan.read(placed.entry) {
            let offset = placed.offset + 2 + malformed.at as u64;
            log.sink.entry(file, offset, index, FaultKind::Entry, malformed.what);
            return self.unread.push(index);
        }
        let is_life = |kind: &[u8]| matches!(kind, b"erasure" | b"purge" | b"hold.placed" | b"hold.released");
        if scan.events.iter().any(|event| is_life(event.kind))
            && let Err(error) = self.removals.take((0, index), placed.entry)
        {
            let what = format!("an event of the system's life: {error}");
            log.sink.entry(file, placed.offset + 2, index, FaultKind::Entry, what);
        }
        self.count(scan);
        let sealed = |reference: &&crate::json::ReferenceScan| {
            reference.state == State::Present && reference.sealed.is_some()
        };
        if !scan.references.iter().any(|reference| sealed(&reference)) {
            return;
        }
        let (class, day) = scan.place();
        let place = self.place(class, day);
        place.expects.extend(scan.references.iter().filter(sealed).filter_map(|reference| {
            let (payload, sealed) = (reference.payload, reference.sealed?);
            Some(Expect { index, payload, sealed, is_met: false, places: [false; 2] })
        }));
    }

    /// Counts what the entry says is not there.
    fn count(&mut self, scan: &EntryScan<'_>) {
        for reference in scan.references.iter().filter(|reference| !reference.is_again) {
            match reference.state {
                State::Present => {}
                State::Erased => self.counts.erased += 1,
                State::Purged => self.counts.purged += 1,
                State::Redacted => self.counts.redacted += 1,
                State::NotCaptured => self.counts.not_captured += 1,
            }
        }
        for event in scan.events.iter().filter(|event| !event.redactions.is_empty()) {
            let told: Vec<Redacted> = serde_json::from_slice(event.redactions).unwrap_or_default();
            self.counts.spans_redacted += told.iter().map(|one| one.count.0).sum::<u64>();
        }
    }

    /// The place of this class and day, most often the last one asked for.
    fn place(&mut self, class: &[u8], day: &[u8]) -> &mut Place {
        let found = self.places.iter().rposition(|place| place.class == class && place.day == day);
        let at = found.unwrap_or_else(|| {
            self.places.push(Place { class: class.to_vec(), day: day.to_vec(), expects: Vec::new() });
            self.places.len() - 1
        });
        &mut self.places[at]
    }
}
