//! Payload records: sealed bytes with a header, alike in a WAL frame and in a pack (docs/format.md, section 5).

use crate::bytes::{Reader, put_u32, put_u64};

/// Bytes of a payload record before the sealed bytes.
pub const PAYLOAD_HEADER_BYTES: usize = 32;

/// The sealed payloads born with one entry, as records whose index is not known yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payloads(Vec<u8>);

impl Payloads {
    /// Adds one sealed payload.
    pub fn push(&mut self, payload: [u8; 16], sealed: &[u8]) {
        put_record(&mut self.0, payload, 0, sealed);
    }

    /// Takes records as a WAL frame held them.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// All records.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Length of all records, bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One payload record, read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadRecord<'a> {
    /// The payload's id.
    pub payload: [u8; 16],
    /// Index of the entry that it was born with; zero in a WAL frame.
    pub index: u64,
    /// Nonce, ciphertext and tag.
    pub sealed: &'a [u8],
}

impl<'a> PayloadRecord<'a> {
    /// Reads the record at the start of `bytes` and what follows it; `None` if it does not check.
    pub fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut reader = Reader::new(bytes);
        let crc = reader.u32()?;
        let sealed_len = reader.u32()? as usize;
        let payload = reader.array()?;
        let index = reader.u64()?;
        let sealed = reader.take(sealed_len)?;
        let (record, rest) = bytes.split_at(PAYLOAD_HEADER_BYTES + sealed_len);
        (crc == crc32c::crc32c(&record[4..])).then_some((Self { payload, index, sealed }, rest))
    }

    /// Bytes of the record.
    pub fn span(&self) -> usize {
        PAYLOAD_HEADER_BYTES + self.sealed.len()
    }
}

/// Reads records until the bytes end; the last item is `None` if something is left that is no record.
pub fn records(mut bytes: &[u8]) -> impl Iterator<Item = Option<PayloadRecord<'_>>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let record = PayloadRecord::read(bytes);
        bytes = record.map_or(&[], |(_, rest)| rest);
        Some(record.map(|(record, _)| record))
    })
}

/// Appends a record for the entry at `index`.
pub(crate) fn put_record(out: &mut Vec<u8>, payload: [u8; 16], index: u64, sealed: &[u8]) {
    let start = out.len();
    put_u32(out, 0);
    put_u32(out, sealed.len() as u32);
    out.extend_from_slice(&payload);
    put_u64(out, index);
    out.extend_from_slice(sealed);
    let crc = crc32c::crc32c(&out[start + 4..]);
    out[start..start + 4].copy_from_slice(&crc.to_be_bytes());
}
