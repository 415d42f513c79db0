use crate::source::{perfect_root, read_tile};
use crate::tile::nodes_at;
use crate::{
    EMPTY_ROOT, HASH_BYTES, Hash, TILE_BYTES, TILE_HEIGHT, TILE_WIDTH, TileLevel, TilePath, TileSource,
    TreeError, node_hash,
};

/// Size of the largest tree that a [`TreeEdge`] starts from; reached after centuries of appending, so that appending need
/// not fail.
pub const TREE_SIZE_MAX: u64 = 1 << 62;

const LEVELS: usize = 8;
const LEVEL_HEIGHT: u8 = TILE_HEIGHT as u8;

/// A tile and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Its name.
    pub path: TilePath,
    /// Its hashes, concatenated.
    pub bytes: Vec<u8>,
}

/// A tree that grows, held as its right edge: the roots of its perfect subtrees (the peaks) and the partial tile of each
/// level. Memory does not grow with the tree: at most 64 hashes, and 8 KiB a level. Appending hashes one node per leaf on
/// average; the root takes at most 63 more and leaves the edge as it is.
#[derive(Clone, Debug)]
pub struct TreeEdge {
    size: u64,
    /// The peak of height `h` where bit `h` of `size` is set; stale otherwise.
    peaks: [Hash; 64],
    /// The partial tile of each level: `nodes_at(size, level) % 256` hashes.
    partial: [Vec<u8>; LEVELS],
    full: Vec<Tile>,
}

impl Default for TreeEdge {
    fn default() -> Self {
        Self::new()
    }
}

impl TreeEdge {
    /// The empty tree.
    pub fn new() -> Self {
        Self { size: 0, peaks: [EMPTY_ROOT; 64], partial: [const { Vec::new() }; LEVELS], full: Vec::new() }
    }

    /// The tiles that [`TreeEdge::load`] reads for a tree of this size: its partial ones, at most one a level.
    pub fn tiles_needed(size: u64) -> impl Iterator<Item = TilePath> {
        (0..=7).filter_map(move |level| partial_path(size, level))
    }

    /// Takes up a tree again from its partial tiles, and checks that they have the root that is known to be right.
    pub fn load<S: TileSource>(source: &S, size: u64, root: Hash) -> Result<Self, TreeError<S::Error>> {
        if size > TREE_SIZE_MAX {
            return Err(TreeError::TooLarge { size });
        }
        let mut edge = Self { size, ..Self::new() };
        for level in 0..=7_u8 {
            let Some(path) = partial_path(size, level) else { continue };
            let bytes = read_tile(source, path)?;
            let mut rest = bytes.as_slice();
            for bit in (0..TILE_HEIGHT).rev().filter(|bit| path.width() >> bit & 1 == 1) {
                let (subtree, after) = rest.split_at(HASH_BYTES << bit);
                rest = after;
                let height = (TILE_HEIGHT * u32::from(level) + bit) as usize;
                edge.peaks[height] = perfect_root(subtree).unwrap_or(EMPTY_ROOT);
            }
            edge.partial[usize::from(level)] = bytes;
        }
        let found = edge.root();
        if found == root { Ok(edge) } else { Err(TreeError::RootMismatch { size, expected: root, found }) }
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its hash. Tiles that it fills wait for [`TreeEdge::take_full`].
    pub fn push(&mut self, leaf: Hash) {
        self.put(0, &leaf);
        let (mut node, mut height) = (leaf, 0_u8);
        while self.size >> height & 1 == 1 {
            node = node_hash(&self.peaks[usize::from(height)], &node);
            height += 1;
            if height.is_multiple_of(LEVEL_HEIGHT) {
                self.put(height / LEVEL_HEIGHT, &node);
            }
        }
        self.peaks[usize::from(height)] = node;
        self.size += 1;
    }

    /// Root of the tree (RFC 6962 §2.1).
    pub fn root(&self) -> Hash {
        let peaks = (0..64).filter(|height| self.size >> height & 1 == 1).map(|height| self.peaks[height]);
        peaks.reduce(|right, left| node_hash(&left, &right)).unwrap_or(EMPTY_ROOT)
    }

    /// The tiles filled since this was last asked for, in the order in which they were filled. Whoever appends much asks
    /// often: until then they are kept in memory.
    pub fn take_full(&mut self) -> Vec<Tile> {
        std::mem::take(&mut self.full)
    }

    /// The partial tiles that differ from those of the tree of `since` leaves (0: all of them), by level. With the full
    /// tiles filled in between these are the tiles of [`crate::tiles_for_growth`].
    pub fn partial(&self, since: u64) -> impl Iterator<Item = (TilePath, &[u8])> {
        let changed = move |level: &u8| nodes_at(self.size, *level) != nodes_at(since, *level);
        (0..=7_u8).filter(changed).filter_map(|level| {
            let path = partial_path(self.size, level)?;
            Some((path, self.partial[usize::from(level)].as_slice()))
        })
    }

    /// Puts the next hash of a tile level in its place. Called before the leaf that completes it is counted.
    fn put(&mut self, level: u8, hash: &Hash) {
        let tile = &mut self.partial[usize::from(level)];
        tile.reserve_exact(TILE_BYTES - tile.len());
        tile.extend_from_slice(hash.as_bytes());
        if tile.len() == TILE_BYTES {
            let bytes = std::mem::take(tile);
            let index = nodes_at(self.size, level) / u64::from(TILE_WIDTH);
            let path = TilePath { level: TileLevel::Hashes(level), index, width: TILE_WIDTH };
            self.full.push(Tile { path, bytes });
        }
    }
}

/// The partial tile of one level in a tree of this size, if it has one.
fn partial_path(size: u64, level: u8) -> Option<TilePath> {
    let index = nodes_at(size, level) / u64::from(TILE_WIDTH);
    TilePath::in_tree(TileLevel::Hashes(level), index, size)
}
