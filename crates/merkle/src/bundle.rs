use crate::{HASH_BYTES, leaf_hash};

/// Length of the longest entry: its length is written in 16 bits (c2sp.org/tlog-tiles, Log entries).
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// An entry that no bundle can hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an entry of {length} bytes is longer than {ENTRY_BYTES_MAX}: continue it in a further entry")]
pub struct EntryTooLong {
    /// Length of the entry.
    pub length: usize,
}

/// A bundle that ends within an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the entry bundle ends within its entry {position}")]
pub struct BundleError {
    /// Which entry of the bundle, from 0.
    pub position: usize,
}

/// Where an entry bundle departs from its level-0 tile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleFault {
    /// An entry does not hash to the tile's hash.
    #[error("entry {position} of the bundle does not have the hash that its tile holds")]
    Mismatch {
        /// Which entry of the bundle, from 0: the first that departs.
        position: usize,
    },
    /// The bundle ends within an entry, or before the tile does.
    #[error("the bundle ends before the end of its entry {position}")]
    Ends {
        /// Which entry of the bundle, from 0.
        position: usize,
    },
    /// The bundle goes on where the tile ends.
    #[error("the bundle goes on after entry {position}, the last of its tile")]
    GoesOn {
        /// The last entry of the tile, from 0.
        position: usize,
    },
    /// The tile is not 1 to 256 hashes.
    #[error("a tile of {length} bytes is not a sequence of 1 to 256 hashes")]
    Tile {
        /// Length of the tile.
        length: usize,
    },
}

/// Appends an entry to a bundle: its length, big-endian in 16 bits, then its bytes.
pub fn encode_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), EntryTooLong> {
    let length = u16::try_from(entry.len()).map_err(|_| EntryTooLong { length: entry.len() })?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The entries of a bundle, in order. After an error the iterator ends.
pub fn entries(bundle: &[u8]) -> Entries<'_> {
    Entries { rest: bundle, position: 0 }
}

/// Iterator over the entries of a bundle; see [`entries`].
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    rest: &'a [u8],
    position: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<&'a [u8], BundleError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let position = self.position;
        self.position += 1;
        let split = self
            .rest
            .split_first_chunk::<2>()
            .and_then(|(length, rest)| rest.split_at_checked(usize::from(u16::from_be_bytes(*length))));
        self.rest = split.map_or(&[], |(_, rest)| rest);
        Some(split.map(|(entry, _)| entry).ok_or(BundleError { position }))
    }
}

/// Holds an entry bundle against its level-0 tile, full or partial: as many entries as hashes, each with its hash. Reports
/// the first departure. Needs no key.
pub fn check_bundle(bundle: &[u8], tile: &[u8]) -> Result<(), BundleFault> {
    let length = tile.len();
    if length == 0 || !length.is_multiple_of(HASH_BYTES) || length > crate::TILE_BYTES {
        return Err(BundleFault::Tile { length });
    }
    let mut entries = entries(bundle);
    for (position, hash) in tile.chunks_exact(HASH_BYTES).enumerate() {
        let Some(Ok(entry)) = entries.next() else { return Err(BundleFault::Ends { position }) };
        if leaf_hash(entry).as_bytes() != hash {
            return Err(BundleFault::Mismatch { position });
        }
    }
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(BundleFault::GoesOn { position: length / HASH_BYTES - 1 }),
    }
}
