//! How two texts differ, by lines and by words within a line.

use inferlog_record::Id;
use serde::Serialize;

/// Texts longer than this are not compared, bytes.
pub const DIFF_BYTES_MAX: usize = 64 << 10;

/// How one content differs from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// What it is between: `raw → processed`.
    pub title: String,
    /// The older content.
    pub from: Id,
    /// The newer one.
    pub to: Id,
    /// What was compared: `text`, or `words of the answer` where one of them is a model server's JSON or stream.
    pub compared: &'static str,
    /// Whether they are the same.
    pub same: bool,
    /// Whether they were too long to compare: then there are no lines.
    pub too_long: bool,
    /// All lines, those that are the same included.
    pub lines: Vec<DiffLine>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiffLine {
    /// Which side has it.
    pub side: Side,
    /// The line, in pieces.
    pub pieces: Vec<DiffPiece>,
}

/// Which side has a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Both.
    Same,
    /// The older one alone.
    Removed,
    /// The newer one alone.
    Added,
}

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiffPiece {
    /// Its text, without the line's end.
    pub text: String,
    /// Whether it is what differs within the line.
    pub differs: bool,
}
