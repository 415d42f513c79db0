use std::fmt;
use std::str::FromStr;

use crate::{HASH_BYTES, text};

/// Tree levels that one tile spans (c2sp.org/tlog-tiles).
pub const TILE_HEIGHT: u32 = 8;
/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;
/// Length of a full tile of hashes.
pub const TILE_BYTES: usize = TILE_WIDTH as usize * HASH_BYTES;
/// Highest level that a path may name. No tree of 64-bit size has tiles above level 7.
pub const TILE_LEVEL_MAX: u8 = 63;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileLevel {
    /// The entries themselves: an entry bundle.
    Entries,
    /// Hashes of this level, at most [`TILE_LEVEL_MAX`]; those of level 0 are leaf hashes.
    Hashes(u8),
}

/// The name of a tile or entry bundle below a log's prefix, as c2sp.org/tlog-tiles writes it:
/// `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`. Displays as that text and parses from it; every tile has one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    pub(crate) level: TileLevel,
    pub(crate) index: u64,
    pub(crate) width: u16,
}

/// Why something is not the name of a tile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TilePathError {
    /// The level is too high.
    #[error("tile level {0} is above {TILE_LEVEL_MAX}")]
    Level(u8),
    /// The width is 0 or above 256.
    #[error("tile width {0} is not between 1 and {TILE_WIDTH}")]
    Width(u16),
    /// The text is not a path as c2sp.org/tlog-tiles writes it.
    #[error("{0:?} is not a tile path (c2sp.org/tlog-tiles)")]
    Text(String),
}

impl TilePath {
    /// Names a tile: its level, its index among the tiles of that level, and how many hashes or entries it holds, 1 to 256.
    pub fn new(level: TileLevel, index: u64, width: u16) -> Result<Self, TilePathError> {
        match level {
            TileLevel::Hashes(level) if level > TILE_LEVEL_MAX => Err(TilePathError::Level(level)),
            _ if width == 0 || width > TILE_WIDTH => Err(TilePathError::Width(width)),
            _ => Ok(Self { level, index, width }),
        }
    }

    /// The tile at `index` of `level` in a tree of `tree_size` leaves: full, partial, or `None` where the tree has none.
    pub fn in_tree(level: TileLevel, index: u64, tree_size: u64) -> Option<Self> {
        let nodes = match level {
            TileLevel::Entries => tree_size,
            TileLevel::Hashes(level) => nodes_at(tree_size, level),
        };
        let left = nodes.checked_sub(index.checked_mul(u64::from(TILE_WIDTH))?)?;
        let width = u16::try_from(left).map_or(TILE_WIDTH, |left| left.min(TILE_WIDTH));
        Self::new(level, index, width).ok()
    }

    /// What the tile holds.
    pub fn level(self) -> TileLevel {
        self.level
    }

    /// Its place among the tiles of its level, from 0.
    pub fn index(self) -> u64 {
        self.index
    }

    /// How many hashes or entries it holds, 1 to 256.
    pub fn width(self) -> u16 {
        self.width
    }

    /// Whether it holds all 256.
    pub fn is_full(self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The full tile of the same place, which may stand in for a partial one.
    pub fn full(self) -> Self {
        Self { width: TILE_WIDTH, ..self }
    }

    /// The entry bundle of the same place and width: of a level-0 tile, the entries that its hashes are of.
    pub fn bundle(self) -> Self {
        Self { level: TileLevel::Entries, ..self }
    }
}

/// The tiles of hashes to write when a tree grows from `old_size` to `new_size` leaves: every tile that becomes full, and
/// the partial ones of the new size, by level and then index. The bundles to write are [`TilePath::bundle`] of its level 0.
pub fn tiles_for_growth(old_size: u64, new_size: u64) -> impl Iterator<Item = TilePath> {
    (0..=7).flat_map(move |level| {
        let (old, new) = (nodes_at(old_size, level), nodes_at(new_size, level));
        let end = if old < new { new.div_ceil(u64::from(TILE_WIDTH)) } else { 0 };
        let level = TileLevel::Hashes(level);
        (old / u64::from(TILE_WIDTH)..end).filter_map(move |index| TilePath::in_tree(level, index, new_size))
    })
}

/// How many hashes of tile level `level` a tree of `tree_size` leaves has.
pub(crate) fn nodes_at(tree_size: u64, level: u8) -> u64 {
    tree_size.checked_shr(TILE_HEIGHT * u32::from(level)).unwrap_or(0)
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            TileLevel::Entries => write!(f, "tile/entries")?,
            TileLevel::Hashes(level) => write!(f, "tile/{level}")?,
        }
        let digits = self.index.to_string();
        let groups = digits.len().div_ceil(3);
        let padded = format!("{digits:0>width$}", width = groups * 3);
        for group in 0..groups {
            let x = if group + 1 < groups { "x" } else { "" };
            write!(f, "/{x}{}", &padded[group * 3..group * 3 + 3])?;
        }
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

impl FromStr for TilePath {
    type Err = TilePathError;

    fn from_str(path: &str) -> Result<Self, TilePathError> {
        let parsed = parse(path).and_then(|(level, index, width)| Self::new(level, index, width).ok());
        // Whatever prints differently is another spelling of some tile's name.
        parsed
            .filter(|parsed| parsed.to_string() == path)
            .ok_or_else(|| TilePathError::Text(path.chars().take(100).collect()))
    }
}

fn parse(path: &str) -> Option<(TileLevel, u64, u16)> {
    let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
    let level = match level {
        "entries" => TileLevel::Entries,
        digits => TileLevel::Hashes(text::decimal_decode(digits)?.try_into().ok()?),
    };
    let (index, width) = match rest.split_once(".p/") {
        Some((index, width)) => (index, text::decimal_decode(width)?.try_into().ok()?),
        None => (rest, TILE_WIDTH),
    };
    let digits: String = index.chars().filter(char::is_ascii_digit).collect();
    Some((level, digits.parse().ok()?, width))
}
