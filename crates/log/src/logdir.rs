//! Where a log's files are.

use std::path::{Path, PathBuf};

use inferlog_merkle::{TileLevel, TilePath};

/// The directory of one log: `DIR/logs/<system>/<shard>/<epoch>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogDir {
    path: PathBuf,
    system: String,
    shard: String,
    epoch: String,
}

impl LogDir {
    /// The log's directory below a data directory.
    pub fn new(dir: &Path, system: &str, shard: &str, epoch: &str) -> Self {
        let path = dir.join("logs").join(system).join(shard).join(epoch);
        Self { path, system: system.to_owned(), shard: shard.to_owned(), epoch: epoch.to_owned() }
    }

    /// Reads the three names from a path that ends with them.
    pub fn at(path: PathBuf) -> Option<Self> {
        let mut names = path.iter().rev().map(|name| name.to_str().map(str::to_owned));
        let (epoch, shard, system) = (names.next()??, names.next()??, names.next()??);
        drop(names);
        Some(Self { path, system, shard, epoch })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The system's name.
    pub fn system(&self) -> &str {
        &self.system
    }

    /// The shard's name.
    pub fn shard(&self) -> &str {
        &self.shard
    }

    /// The epoch.
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// The file of a tile or bundle.
    pub fn tile(&self, tile: TilePath) -> PathBuf {
        self.path.join(tile.to_string())
    }

    /// The directory that holds the partial widths of this tile's place.
    pub fn partial_dir(&self, tile: TilePath) -> PathBuf {
        let mut path = self.tile(tile.full()).into_os_string();
        path.push(".p");
        path.into()
    }

    /// The bundle that holds the entry at `index` in a log of `size` entries.
    pub fn bundle_of(index: u64, size: u64) -> Option<TilePath> {
        TilePath::in_tree(TileLevel::Entries, index / u64::from(inferlog_merkle::TILE_WIDTH), size)
    }

    /// The newest checkpoint.
    pub fn checkpoint(&self) -> PathBuf {
        self.path.join("checkpoint")
    }

    /// What the integrator made durable.
    pub fn state(&self) -> PathBuf {
        self.path.join("state")
    }

    /// Sealed payloads.
    pub fn packs(&self) -> PathBuf {
        self.path.join("packs")
    }
}
