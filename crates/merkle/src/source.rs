use crate::{HASH_BYTES, Hash, TILE_BYTES, TilePath, node_hash};

/// Where tiles of hashes come from: a directory, an object store, memory.
pub trait TileSource {
    /// Why a tile could not be read.
    type Error: std::error::Error + 'static;

    /// The bytes of a tile. A log may delete a partial tile once the full one exists: the source then returns
    /// [`TilePath::full`], whose first hashes are the same. Bytes beyond the width asked for are ignored.
    fn read_tile(&self, path: TilePath) -> Result<Vec<u8>, Self::Error>;
}

impl<S: TileSource + ?Sized> TileSource for &S {
    type Error = S::Error;

    fn read_tile(&self, path: TilePath) -> Result<Vec<u8>, Self::Error> {
        (**self).read_tile(path)
    }
}

/// Why something could not be computed from tiles.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError<E: std::error::Error + 'static> {
    /// The source could not read a tile.
    #[error("cannot read {path}")]
    Source {
        /// The tile.
        path: TilePath,
        /// Why.
        source: E,
    },
    /// A tile is shorter than its width asks for.
    #[error("{path} holds {found} bytes instead of {} hashes", path.width())]
    ShortTile {
        /// The tile.
        path: TilePath,
        /// Its length.
        found: usize,
    },
    /// The tree has no such leaf.
    #[error("a tree of {size} entries has no entry {index}")]
    NoSuchLeaf {
        /// Index of the leaf.
        index: u64,
        /// Size of the tree.
        size: u64,
    },
    /// A consistency proof was asked for from a larger tree to a smaller one.
    #[error("a tree of {old_size} entries does not grow into one of {new_size}")]
    Shrinks {
        /// Size of the older tree.
        old_size: u64,
        /// Size of the newer tree.
        new_size: u64,
    },
    /// The tree is larger than this code appends to.
    #[error("a tree of {size} entries cannot grow: the limit is {}", crate::TREE_SIZE_MAX)]
    TooLarge {
        /// Size of the tree.
        size: u64,
    },
    /// The tiles on the tree's right edge do not have the expected root.
    #[error("the tiles of size {size} have the root {found} instead of {expected}: a tile is damaged")]
    RootMismatch {
        /// Size of the tree.
        size: u64,
        /// The root that was expected.
        expected: Hash,
        /// The root that the tiles have.
        found: Hash,
    },
}

/// Reads a tile and cuts it to its width.
pub(crate) fn read_tile<S: TileSource>(source: &S, path: TilePath) -> Result<Vec<u8>, TreeError<S::Error>> {
    let mut bytes = source.read_tile(path).map_err(|source| TreeError::Source { path, source })?;
    let length = usize::from(path.width()) * HASH_BYTES;
    if bytes.len() < length {
        return Err(TreeError::ShortTile { path, found: bytes.len() });
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// Root of a full tile: the hash that the parent tile holds in its place. `None` unless the tile is 256 hashes long.
pub fn full_tile_root(tile: &[u8]) -> Option<Hash> {
    (tile.len() == TILE_BYTES).then(|| perfect_root(tile)).flatten()
}

/// Root of a perfect subtree over the concatenated hashes, whose number is a power of two; `None` if there are none.
pub(crate) fn perfect_root(hashes: &[u8]) -> Option<Hash> {
    let mut row: Vec<Hash> = hashes.chunks_exact(HASH_BYTES).filter_map(Hash::from_slice).collect();
    while row.len() > 1 {
        row = row.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
    }
    row.pop()
}
