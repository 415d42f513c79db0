//! Packs: sealed payloads by retention class and UTC day, in the log's order (docs/format.md, section 5).
//!
//! The integrator appends; a purge removes files; a reader finds a payload by class, day and the index of the entry it was
//! born with, through the index file beside the pack.

mod read;
mod write;

pub(crate) use read::packs_of_day;
pub use read::{OpenPacks, PackName, find_payload, indexed_entries, list_kept_packs, list_packs};
pub use write::PackWriter;

use inferlog_record::Timestamp;

use crate::LogId;
use crate::bytes::{Reader, put_u64};

/// Bytes of a pack's header.
pub const PACK_HEADER_BYTES: usize = 64;
/// Bytes per record in an index file.
pub const PACK_INDEX_BYTES: usize = 16;
/// A pack that has reached this length is closed and another begun.
pub const PACK_BYTES_MAX: u64 = 256 << 20;

const MAGIC: &[u8; 8] = b"ILPACK01";
const DAY_NAME_BYTES: usize = "2026-11-21".len();

pub(crate) fn encode_header(log: LogId, first: u64) -> Vec<u8> {
    let mut header = Vec::with_capacity(PACK_HEADER_BYTES);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&log.0);
    put_u64(&mut header, first);
    header.resize(PACK_HEADER_BYTES, 0);
    header
}

pub(crate) fn index_entry(bytes: &[u8]) -> Option<(u64, u64)> {
    let mut reader = Reader::new(bytes);
    Some((reader.u64()?, reader.u64()?))
}

/// The UTC day of a time in nanoseconds since 1970, as `YYYY-MM-DD`.
pub fn day_name(ns: u64) -> String {
    let mut text = Timestamp(ns).to_string();
    text.truncate(DAY_NAME_BYTES);
    text
}
