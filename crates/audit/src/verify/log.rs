//! One log: its files read in the order in which a live writer makes them safe to read (checkpoint, then state, then the
//! rest), so that a verification beside a running node reports no fault that is none.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::{DiskError, Fs};
use inferlog_log::{LogDir, LogId, LogReader, ReadError, State};
use inferlog_merkle::{HASH_BYTES, Hash, TILE_WIDTH, TileLevel, TilePath, TileSource, full_tile_root};
use parking_lot::Mutex;

use crate::report::{FaultKind, Sink};

/// A log under verification.
#[derive(Debug)]
pub(super) struct Log<'a> {
    pub(super) fs: &'a Arc<dyn Fs>,
    pub(super) dir: &'a LogDir,
    pub(super) reader: LogReader,
    pub(super) sink: Sink<'a>,
    pub(super) id: LogId,
    /// What the integrator says, if its file checks.
    pub(super) state: Option<State>,
    /// Entries under the checkpoint.
    pub(super) size: u64,
    /// Where the log begins: the bundles before are gone.
    pub(super) first: u64,
    /// The root that the tiles must have.
    pub(super) root: Hash,
    /// Whether the tiles on the right edge have it.
    pub(super) edge_is_right: bool,
    /// Tiles and bundles with a fault of their own, by level and index.
    pub(super) faulty: Mutex<HashSet<(TileLevel, u64)>>,
}

/// The bytes of a tile or bundle.
pub(super) struct Read {
    pub(super) bytes: Vec<u8>,
    /// Whether the file is the one of the width asked for; else it is a wider one that begins with it.
    pub(super) is_exact: bool,
}

impl Log<'_> {
    pub(super) fn path(&self, tile: TilePath) -> std::path::PathBuf {
        self.dir.tile(tile)
    }

    /// The file that an entry stands in, or stood.
    pub(super) fn file_of(&self, index: u64) -> std::path::PathBuf {
        match LogDir::bundle_of(index, self.size).filter(|_| index >= self.first) {
            Some(bundle) => self.path(bundle),
            None => self.dir.kept_bundle(index / u64::from(TILE_WIDTH)),
        }
    }

    /// Bundles under the checkpoint, those that are gone too.
    pub(super) fn bundles(&self) -> u64 {
        self.size.div_ceil(u64::from(TILE_WIDTH))
    }

    /// The tile of hashes at `index` of `level`, if the tree has one.
    pub(super) fn tile_path(&self, level: u8, index: u64) -> Option<TilePath> {
        TilePath::in_tree(TileLevel::Hashes(level), index, self.size)
    }

    /// Reads a tile's or bundle's file. A partial one may have given way to a wider one since the checkpoint was read.
    pub(super) fn read(&self, tile: TilePath) -> Result<Read, DiskError> {
        match self.fs.read(&self.path(tile)) {
            Err(error) if error.is_not_found() && !tile.is_full() => match self.reader.read_tile(tile) {
                Ok(bytes) => Ok(Read { bytes, is_exact: false }),
                Err(_) => Err(error),
            },
            other => Ok(Read { bytes: other?, is_exact: true }),
        }
    }

    /// The hashes of a tile, cut to its width. Reports a tile that is not there, or is too short or too long.
    pub(super) fn hashes(&self, tile: TilePath) -> Option<Vec<u8>> {
        let read = match self.read(tile) {
            Ok(read) => read,
            Err(error) => {
                self.tile_unreadable(tile, &error);
                return None;
            }
        };
        let (length, mut bytes) = (usize::from(tile.width()) * HASH_BYTES, read.bytes);
        if bytes.len() < length || (read.is_exact && bytes.len() > length) {
            let what = format!("this tile has {} bytes instead of {length}", bytes.len());
            self.fault(tile, bytes.len().min(length) as u64, None, what);
        }
        (bytes.len() >= length).then(|| {
            bytes.truncate(length);
            bytes
        })
    }

    /// Reports a fault in a tile or bundle.
    pub(super) fn fault(&self, tile: TilePath, at: u64, index: Option<u64>, what: impl Into<String>) {
        self.faulty.lock().insert((tile.level(), tile.index()));
        let kind = if tile.level() == TileLevel::Entries { FaultKind::Bundle } else { FaultKind::Tile };
        let path = self.path(tile);
        match index {
            Some(index) => self.sink.entry(&path, at, index, kind, what),
            None => self.sink.byte(&path, at, kind, what),
        }
    }

    /// Whether a tile or bundle has a fault of its own.
    pub(super) fn is_faulty(&self, level: TileLevel, index: u64) -> bool {
        self.faulty.lock().contains(&(level, index))
    }

    /// Reports that a tile's or bundle's file cannot be read.
    pub(super) fn tile_unreadable(&self, tile: TilePath, error: &DiskError) {
        self.faulty.lock().insert((tile.level(), tile.index()));
        self.unreadable(&self.path(tile), error);
    }

    /// Whether the tree would have the signed root if this tile held these hashes.
    pub(super) fn is_right_with(&self, tile: TilePath, hashes: &[u8]) -> bool {
        let source = Instead { reader: &self.reader, tile, hashes };
        inferlog_merkle::root(&source, self.size).is_ok_and(|root| root == self.root)
    }

    pub(super) fn unreadable(&self, path: &Path, error: &DiskError) {
        let what = if error.is_not_found() { "the file is missing".to_owned() } else { error.to_string() };
        self.sink.file(path, FaultKind::Unreadable, what);
    }

    /// The hash at `position` of a tile.
    pub(super) fn hash_at(tile: &[u8], position: usize) -> Option<Hash> {
        Hash::from_slice(tile.get(position * HASH_BYTES..(position + 1) * HASH_BYTES)?)
    }

    /// Whether the tile's file leads to the signed root: then it is right, whatever the files below it say. Reads one tile a
    /// level and reports nothing.
    pub(super) fn is_right(&self, level: u8, index: u64) -> bool {
        let Some(path) = self.tile_path(level, index) else { return false };
        if !path.is_full() {
            return self.edge_is_right;
        }
        let (parent_index, position) = (index / u64::from(TILE_WIDTH), index % u64::from(TILE_WIDTH));
        let Some(parent) = self.tile_path(level + 1, parent_index) else { return false };
        let (Ok(tile), Ok(parent)) = (self.read(path), self.read(parent)) else { return false };
        let held = Self::hash_at(&parent.bytes, position as usize);
        held.is_some() && held == full_tile_root(&tile.bytes) && self.is_right(level + 1, parent_index)
    }
}

/// A log with other hashes in one tile.
struct Instead<'a> {
    reader: &'a LogReader,
    tile: TilePath,
    hashes: &'a [u8],
}

impl TileSource for Instead<'_> {
    type Error = ReadError;

    fn read_tile(&self, path: TilePath) -> Result<Vec<u8>, ReadError> {
        if path == self.tile { Ok(self.hashes.to_vec()) } else { self.reader.read_tile(path) }
    }
}
