//! The write-ahead log: the only commit point of a node (docs/format.md, section 3).
//!
//! One [`Writer`] appends batches, each durable before the next is begun, so that after a crash only the last batch can be
//! torn and any other damage is damage. [`scan`] reads segments back, for recovery and for verification alike; nothing is
//! taken from memory that could be read from disk.

pub mod format;
mod scan;
mod segment;
mod writer;

pub use format::Frame;
pub use scan::{LiveSegment, Scan, scan};
pub use segment::{BatchReader, Segments, segment_path};
pub use writer::{Commit, Failure, RESERVE_BYTES, RESERVED_FRAME_BYTES_MAX, Spares, Writer};
