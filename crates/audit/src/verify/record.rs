//! Payload records, read from a pack and hashed. Memory: one chunk, whatever a record claims as its length.

use inferlog_disk::Result as DiskResult;
use inferlog_log::PAYLOAD_HEADER_BYTES;
use sha2::{Digest, Sha256};

use super::rows::Pack;

/// Bytes read at once.
const CHUNK_BYTES: u64 = 1 << 20;
const HEADER_BYTES: u64 = PAYLOAD_HEADER_BYTES as u64;

/// What a record says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    crc: u32,
    sealed_bytes: u32,
    pub(super) payload: [u8; 16],
    /// Index of the entry that the payload was born with.
    pub(super) index: u64,
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (crc, rest) = bytes.split_first_chunk()?;
        let (sealed_bytes, rest) = rest.split_first_chunk()?;
        let (payload, rest) = rest.split_first_chunk()?;
        Some(Self {
            crc: u32::from_be_bytes(*crc),
            sealed_bytes: u32::from_be_bytes(*sealed_bytes),
            payload: *payload,
            index: u64::from_be_bytes(*rest.first_chunk()?),
        })
    }

    /// Bytes of the record.
    pub(super) fn span(&self) -> u64 {
        HEADER_BYTES + u64::from(self.sealed_bytes)
    }
}

/// A record whose checksum holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) header: Header,
    /// SHA-256 of the sealed bytes.
    pub(super) sha256: [u8; 32],
}

/// Reads records of one pack, forwards.
#[derive(Debug)]
pub(super) struct Records<'p> {
    pack: &'p Pack,
    /// Where reading ahead ends.
    ahead_max: u64,
    buffer: Vec<u8>,
    /// Offset of the buffer's first byte.
    start: u64,
}

impl<'p> Records<'p> {
    pub(super) fn new(pack: &'p Pack, ahead_max: u64) -> Self {
        Self { pack, ahead_max: ahead_max.min(pack.len), buffer: Vec::new(), start: 0 }
    }

    /// The header at this place, not yet checked; `None` if the pack ends before the record does.
    pub(super) fn header(&mut self, at: u64) -> DiskResult<Option<Header>> {
        if at.saturating_add(HEADER_BYTES) > self.pack.len {
            return Ok(None);
        }
        let header = Header::parse(self.ensure(at, HEADER_BYTES)?);
        Ok(header.filter(|header| at + header.span() <= self.pack.len))
    }

    /// The record at this place; `None` if none stands there that checks.
    pub(super) fn read(&mut self, at: u64) -> DiskResult<Option<Record>> {
        let Some(header) = self.header(at)? else { return Ok(None) };
        if header.span() <= CHUNK_BYTES {
            let record = self.ensure(at, header.span())?;
            let sha256 = Sha256::digest(&record[PAYLOAD_HEADER_BYTES..]).into();
            return Ok((crc32c::crc32c(&record[4..]) == header.crc).then_some(Record { header, sha256 }));
        }
        let mut crc = crc32c::crc32c(&self.ensure(at, HEADER_BYTES)?[4..]);
        let mut hash = Sha256::new();
        let (mut from, end) = (at + HEADER_BYTES, at + header.span());
        while from < end {
            let piece = self.ensure(from, (end - from).min(CHUNK_BYTES))?;
            crc = crc32c::crc32c_append(crc, piece);
            hash.update(piece);
            from += piece.len() as u64;
        }
        Ok((crc == header.crc).then(|| Record { header, sha256: hash.finalize().into() }))
    }

    /// `length` bytes from `at`, which the pack has.
    fn ensure(&mut self, at: u64, length: u64) -> DiskResult<&[u8]> {
        let end = at + length;
        if at < self.start || end > self.start + self.buffer.len() as u64 {
            let ahead = (at + CHUNK_BYTES).min(self.ahead_max);
            self.buffer.resize((end.max(ahead) - at) as usize, 0);
            self.start = at;
            if let Err(error) = self.pack.file.read_exact_at(&mut self.buffer, at) {
                self.buffer.clear();
                return Err(error);
            }
        }
        let from = (at - self.start) as usize;
        Ok(self.buffer.get(from..from + length as usize).unwrap_or_default())
    }
}
