//! The tiles above the leaves, their root, and what else lies among them.

use inferlog_disk::{DirEntry, TMP_PREFIX};
use inferlog_merkle::{HASH_BYTES, TILE_WIDTH, TileLevel, TilePath, entries, full_tile_root};

use super::log::Log;
use crate::report::FaultKind;

const WIDTH: u64 = TILE_WIDTH as u64;

/// Holds every tile above level 0 against the tiles below it, then the whole against the checkpoint. To be called after the
/// bundles were checked: a mismatch is put down to a tile below if that has a fault of its own.
pub(super) fn check(log: &Log<'_>) {
    for level in 1..=7_u8 {
        let nodes = log.size.checked_shr(8 * u32::from(level)).unwrap_or(0);
        for index in 0..nodes.div_ceil(WIDTH) {
            let Some(path) = log.tile_path(level, index) else { continue };
            let Some(tile) = log.hashes(path) else { continue };
            // Tiles of level 0 were held against these with their bundles.
            if level > 1 {
                check_tile(log, path, &tile, level, index);
            }
        }
    }
    let is_located = log.faulty.lock().iter().any(|(level, _)| matches!(level, TileLevel::Hashes(_)));
    if !log.edge_is_right && !is_located {
        let root = inferlog_merkle::root(&log.reader, log.size)
            .map_or_else(|error| error.to_string(), |root| root.to_base64());
        let what = format!(
            "the checkpoint is of another tree: the tiles of {} entries have the root {root}",
            log.size
        );
        log.sink.file(&log.dir.checkpoint(), FaultKind::Checkpoint, what);
    }
}

fn check_tile(log: &Log<'_>, path: TilePath, tile: &[u8], level: u8, index: u64) {
    for (position, held) in tile.chunks_exact(HASH_BYTES).enumerate() {
        let below = index * WIDTH + position as u64;
        if log.is_faulty(TileLevel::Hashes(level - 1), below) {
            continue;
        }
        let Some(child) = log.tile_path(level - 1, below) else { continue };
        let Ok(read) = log.read(child) else { continue };
        if full_tile_root(&read.bytes).is_some_and(|root| root.as_bytes() == held) {
            continue;
        }
        if log.is_right(level, index) {
            let what = "the hashes in this tile, and all below it, are not those that the checkpoint covers";
            log.fault(child, 0, None, what);
        } else {
            let at = (position * HASH_BYTES) as u64;
            log.fault(path, at, None, "this hash is not that of the tile below it");
        }
    }
}

/// What lies in `tile/` beside the tiles of the checkpoint's size: narrower partial tiles, which older checkpoints need and
/// which must begin the present ones; leftovers of a crash, which mean nothing.
#[derive(Debug, Default)]
struct Others {
    narrower: u64,
    leftovers: u64,
}

/// Walks the directories of tiles, one after the other.
pub(super) fn check_others(log: &Log<'_>) {
    let root = log.dir.path().join("tile");
    let mut others = Others::default();
    let mut dirs = vec![root.clone()];
    while let Some(dir) = dirs.pop() {
        let listed = match log.fs.read_dir(&dir) {
            Ok(listed) => listed,
            Err(error) if error.is_not_found() => continue,
            Err(error) => {
                log.unreadable(&dir, &error);
                continue;
            }
        };
        for entry in listed {
            if entry.is_dir {
                dirs.push(entry.path);
            } else {
                others.see(log, &entry);
            }
        }
    }
    if others.leftovers > 0 {
        log.sink.notice(format!(
            "{} files under tile/ are left over from a crash or beyond the checkpoint; they mean nothing",
            others.leftovers
        ));
    }
    if others.narrower > 0 {
        let what = format!(
            "{} partial tiles of earlier sizes are kept; they agree with the present ones unless reported",
            others.narrower
        );
        log.sink.notice(what);
    }
}

impl Others {
    fn see(&mut self, log: &Log<'_>, entry: &DirEntry) {
        let relative = entry.path.strip_prefix(log.dir.path()).ok().and_then(|path| path.to_str());
        let Some(path) = relative.and_then(|path| path.parse::<TilePath>().ok()) else {
            if entry.name.starts_with(TMP_PREFIX) {
                self.leftovers += 1;
            } else {
                log.sink.notice(format!("{}: not a tile; not looked at", log.sink.relative(&entry.path)));
            }
            return;
        };
        let present = TilePath::in_tree(path.level(), path.index(), log.size);
        match present {
            Some(present) if present.width() == path.width() => {}
            Some(present) if path.width() < present.width() => {
                self.narrower += 1;
                check_narrower(log, path, present);
            }
            _ => self.leftovers += 1,
        }
    }
}

/// A partial tile or bundle of an earlier size is how the present one begins.
fn check_narrower(log: &Log<'_>, path: TilePath, present: TilePath) {
    let narrow = match log.fs.read(&log.path(path)) {
        Ok(bytes) => bytes,
        // A live writer removes them.
        Err(error) if error.is_not_found() => return,
        Err(error) => return log.unreadable(&log.path(path), &error),
    };
    let Ok(wide) = log.read(present) else { return };
    if log.is_faulty(path.level(), path.index()) {
        return;
    }
    let span = match path.level() {
        TileLevel::Hashes(_) => usize::from(path.width()) * HASH_BYTES,
        TileLevel::Entries => {
            let first = entries(&wide.bytes).take(path.width().into());
            first.map(|entry| 2 + entry.map_or(0, <[u8]>::len)).sum()
        }
    };
    let begin = wide.bytes.get(..span).unwrap_or(&wide.bytes);
    if narrow != begin {
        let at = narrow.iter().zip(begin).position(|(narrow, wide)| narrow != wide);
        let at = at.unwrap_or(narrow.len().min(begin.len())) as u64;
        log.fault(path, at, None, "this partial tile of an earlier size is not how the present one begins");
    }
}
