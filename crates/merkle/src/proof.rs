use std::collections::BTreeMap;

use crate::source::{perfect_root, read_tile};
use crate::tile::nodes_at;
use crate::{
    EMPTY_ROOT, HASH_BYTES, Hash, TILE_HEIGHT, TILE_WIDTH, TileLevel, TilePath, TileSource, TreeError,
    node_hash,
};

/// Root of the tree of the first `size` leaves, from its tiles (RFC 6962 §2.1). Reads the partial tiles alone.
pub fn root<S: TileSource>(source: &S, size: u64) -> Result<Hash, TreeError<S::Error>> {
    Tiles::new(source, size).range(0, size)
}

/// Proof that the leaf `index` is in the tree of the first `size` leaves: the sibling hashes from the leaf up
/// (RFC 9162 §2.1.3.1). Nothing read is believed: whoever gets the proof verifies it against a root they trust.
pub fn inclusion_proof<S: TileSource>(
    source: &S,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, TreeError<S::Error>> {
    if index >= size {
        return Err(TreeError::NoSuchLeaf { index, size });
    }
    let mut tiles = Tiles::new(source, size);
    let (mut start, mut end) = (0, size);
    let mut proof = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            proof.push(tiles.range(middle, end)?);
            end = middle;
        } else {
            proof.push(tiles.range(start, middle)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// Proof that the tree of `old_size` leaves is a prefix of that of `new_size` (RFC 9162 §2.1.4.1). Empty where the sizes
/// are equal, and from the empty tree, which is a prefix of every other.
pub fn consistency_proof<S: TileSource>(
    source: &S,
    old_size: u64,
    new_size: u64,
) -> Result<Vec<Hash>, TreeError<S::Error>> {
    if old_size > new_size {
        return Err(TreeError::Shrinks { old_size, new_size });
    }
    if old_size == 0 {
        return Ok(Vec::new());
    }
    let mut tiles = Tiles::new(source, new_size);
    let (mut start, mut end) = (0, new_size);
    let mut proof = Vec::new();
    // Narrows to the perfect subtree on the old tree's right edge.
    while old_size != end {
        let middle = start + split(end - start);
        if old_size <= middle {
            proof.push(tiles.range(middle, end)?);
            end = middle;
        } else {
            proof.push(tiles.range(start, middle)?);
            start = middle;
        }
    }
    // From the first leaf on it is the old tree itself, whose root the verifier holds.
    if start > 0 {
        proof.push(tiles.range(start, end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The largest power of two smaller than `leaves`, which is at least 2.
fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// The tiles of one tree, each read once.
struct Tiles<'a, S> {
    source: &'a S,
    size: u64,
    read: BTreeMap<(u8, u64), Vec<u8>>,
}

impl<'a, S: TileSource> Tiles<'a, S> {
    fn new(source: &'a S, size: u64) -> Self {
        Self { source, size, read: BTreeMap::new() }
    }

    /// Hash of the leaves `start..end`, where `start` is a multiple of a power of two that is at least their number.
    fn range(&mut self, start: u64, end: u64) -> Result<Hash, TreeError<S::Error>> {
        let (mut start, mut peaks) = (start, Vec::new());
        while start < end {
            let height = (end - start).ilog2();
            peaks.push(self.subtree(start, height)?);
            start += 1 << height;
        }
        Ok(peaks.into_iter().rev().reduce(|right, left| node_hash(&left, &right)).unwrap_or(EMPTY_ROOT))
    }

    /// Root of the perfect subtree of `2^height` leaves from `start`, which is a multiple of their number.
    fn subtree(&mut self, start: u64, height: u32) -> Result<Hash, TreeError<S::Error>> {
        // Heights are below 64, so the level is at most 7.
        let (level, bit) = ((height / TILE_HEIGHT) as u8, height % TILE_HEIGHT);
        let node = nodes_at(start, level);
        let (index, position) = (node / u64::from(TILE_WIDTH), (node % u64::from(TILE_WIDTH)) as usize);
        let tile = self.tile(level, index)?;
        let hashes = tile.get(position * HASH_BYTES..(position + (1 << bit)) * HASH_BYTES);
        // The subtree lies within the tree, hence within its tile.
        Ok(hashes.and_then(perfect_root).unwrap_or(EMPTY_ROOT))
    }

    fn tile(&mut self, level: u8, index: u64) -> Result<&[u8], TreeError<S::Error>> {
        use std::collections::btree_map::Entry;
        match self.read.entry((level, index)) {
            Entry::Occupied(tile) => Ok(tile.into_mut()),
            Entry::Vacant(place) => {
                let path = TilePath::in_tree(TileLevel::Hashes(level), index, self.size)
                    .ok_or(TreeError::NoSuchLeaf { index, size: self.size })?;
                Ok(place.insert(read_tile(self.source, path)?))
            }
        }
    }
}
