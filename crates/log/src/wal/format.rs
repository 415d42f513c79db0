//! Bytes of the WAL: segment header, batch header, frame (docs/format.md, section 3).

use crate::bytes::{Reader, put_u16, put_u32, put_u64};
use crate::{Append, LogId};

/// Everything in a segment begins at a multiple of this many bytes, so that no write touches a page that holds an
/// acknowledged batch.
pub const PAGE_BYTES: u64 = 4096;
/// Bytes of a batch header.
pub const BATCH_HEADER_BYTES: usize = 40;
/// Bytes of a frame header.
pub const FRAME_HEADER_BYTES: usize = 80;
/// The longest retention class name, bytes.
pub const CLASS_BYTES_MAX: usize = 31;

const SEGMENT_MAGIC: &[u8; 8] = b"ILWALSG1";
const FREE_MAGIC: &[u8; 8] = b"ILWALFR1";
const BATCH_MAGIC: &[u8; 4] = b"ILBT";

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The node that wrote it.
    pub node: [u8; 16],
    /// Larger than that of every segment the node used before.
    pub incarnation: u64,
    /// Number of its first batch; batches with this number or a higher one in older segments are superseded.
    pub first_batch: u64,
}

impl SegmentHeader {
    /// The header page.
    pub fn encode(&self) -> Vec<u8> {
        let mut page = Vec::with_capacity(PAGE_BYTES as usize);
        page.extend_from_slice(SEGMENT_MAGIC);
        page.extend_from_slice(&self.node);
        put_u64(&mut page, self.incarnation);
        put_u64(&mut page, self.first_batch);
        let crc = crc32c::crc32c(&page);
        put_u32(&mut page, crc);
        page.resize(PAGE_BYTES as usize, 0);
        page
    }

    /// Reads a header page; `None` if it is not one.
    pub fn decode(page: &[u8]) -> Option<Self> {
        let covered = page.get(..40)?;
        let mut reader = Reader::new(page);
        if reader.array::<8>()? != *SEGMENT_MAGIC {
            return None;
        }
        let header = Self { node: reader.array()?, incarnation: reader.u64()?, first_batch: reader.u64()? };
        (reader.u32()? == crc32c::crc32c(covered)).then_some(header)
    }
}

/// The header page of a segment whose content is settled: whatever name a crash leaves it, it does not count.
pub fn free_header() -> Vec<u8> {
    let mut page = FREE_MAGIC.to_vec();
    page.resize(PAGE_BYTES as usize, 0);
    page
}

/// Whether a header page is [`free_header`].
pub fn is_free_header(page: &[u8]) -> bool {
    page.starts_with(FREE_MAGIC) && page[FREE_MAGIC.len()..].iter().all(|byte| *byte == 0)
}

/// What stands before the frames of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Number of frames.
    pub frames: u32,
    /// The batch's number, consecutive across segments.
    pub number: u64,
    /// The segment's incarnation.
    pub incarnation: u64,
    /// Length of all frames, bytes.
    pub body_bytes: u64,
}

impl BatchHeader {
    /// The header's bytes.
    pub fn encode(&self) -> [u8; BATCH_HEADER_BYTES] {
        let mut out = Vec::with_capacity(BATCH_HEADER_BYTES);
        out.extend_from_slice(BATCH_MAGIC);
        put_u32(&mut out, self.frames);
        put_u64(&mut out, self.number);
        put_u64(&mut out, self.incarnation);
        put_u64(&mut out, self.body_bytes);
        put_u32(&mut out, 0);
        let crc = crc32c::crc32c(&out);
        put_u32(&mut out, crc);
        let mut bytes = [0; BATCH_HEADER_BYTES];
        bytes.copy_from_slice(&out);
        bytes
    }

    /// Reads a batch header; `None` if these bytes are not one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let covered = bytes.get(..36)?;
        let mut reader = Reader::new(bytes);
        if reader.array::<4>()? != *BATCH_MAGIC {
            return None;
        }
        let frames = reader.u32()?;
        let header =
            Self { frames, number: reader.u64()?, incarnation: reader.u64()?, body_bytes: reader.u64()? };
        let zero = reader.u32()?;
        (zero == 0 && reader.u32()? == crc32c::crc32c(covered)).then_some(header)
    }

    /// Bytes from the batch's start to the next batch's.
    pub fn span(&self) -> u64 {
        (BATCH_HEADER_BYTES as u64)
            .saturating_add(self.body_bytes)
            .div_ceil(PAGE_BYTES)
            .saturating_mul(PAGE_BYTES)
    }
}

/// One frame, read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The log that the entry belongs to.
    pub log: LogId,
    /// The entry's index in that log.
    pub index: u64,
    /// The decision, or zeros.
    pub decision: [u8; 16],
    /// `logged_at`, nanoseconds since 1970.
    pub logged_at_ns: u64,
    /// See [`crate::Flags`].
    pub flags: u16,
    /// Retention class.
    pub class: &'a str,
    /// The leaf.
    pub entry: &'a [u8],
    /// Payload records (section 5), index field zero.
    pub payloads: &'a [u8],
    /// Births (section 7), opaque here.
    pub births: &'a [u8],
}

/// Bytes that `append` will take as a frame.
pub fn frame_bytes(append: &Append) -> usize {
    FRAME_HEADER_BYTES + append.class.len() + append.entry.len() + append.payloads.len() + append.births.len()
}

/// Appends a frame to a batch's body.
pub fn put_frame(out: &mut Vec<u8>, append: &Append, log: LogId, index: u64, incarnation: u64, batch: u64) {
    let start = out.len();
    put_u32(out, 0);
    put_u32(out, frame_bytes(append) as u32);
    out.extend_from_slice(&log.0);
    put_u64(out, index);
    out.extend_from_slice(&append.decision);
    put_u64(out, append.logged_at_ns);
    put_u16(out, append.flags.0);
    put_u16(out, append.class.len() as u16);
    put_u32(out, append.entry.len() as u32);
    put_u32(out, append.payloads.len() as u32);
    put_u32(out, append.births.len() as u32);
    put_u64(out, 0);
    for part in [append.class.as_bytes(), &append.entry, append.payloads.bytes(), &append.births] {
        out.extend_from_slice(part);
    }
    let crc = frame_crc(incarnation, batch, &out[start + 4..]);
    out[start..start + 4].copy_from_slice(&crc.to_be_bytes());
}

/// Covers incarnation and batch number too, so that a stale frame in a recycled segment never matches.
fn frame_crc(incarnation: u64, batch: u64, bytes: &[u8]) -> u32 {
    let mut place = [0; 16];
    place[..8].copy_from_slice(&incarnation.to_be_bytes());
    place[8..].copy_from_slice(&batch.to_be_bytes());
    crc32c::crc32c_append(crc32c::crc32c(&place), bytes)
}

/// Reads the frames of a batch's body. `None` if any of them does not check: then the batch does not count.
pub fn frames<'a>(header: &BatchHeader, body: &'a [u8]) -> Option<Vec<Frame<'a>>> {
    let mut frames = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let length = Reader::new(rest.get(4..8)?).u32()? as usize;
        let bytes = rest.get(..length)?;
        frames.push(frame(bytes, header)?);
        rest = &rest[length..];
    }
    (frames.len() == header.frames as usize && !frames.is_empty()).then_some(frames)
}

fn frame<'a>(bytes: &'a [u8], header: &BatchHeader) -> Option<Frame<'a>> {
    let mut reader = Reader::new(bytes);
    let crc = reader.u32()?;
    if crc != frame_crc(header.incarnation, header.number, bytes.get(4..)?) {
        return None;
    }
    reader.u32()?;
    let log = LogId(reader.array()?);
    let index = reader.u64()?;
    let decision = reader.array()?;
    let logged_at_ns = reader.u64()?;
    let flags = reader.u16()?;
    let class_len = reader.u16()? as usize;
    let entry_len = reader.u32()? as usize;
    let payloads_len = reader.u32()? as usize;
    let births_len = reader.u32()? as usize;
    if reader.u64()? != 0 || class_len == 0 || class_len > CLASS_BYTES_MAX {
        return None;
    }
    let class = std::str::from_utf8(reader.take(class_len)?).ok()?;
    let frame = Frame {
        log,
        index,
        decision,
        logged_at_ns,
        flags,
        class,
        entry: reader.take(entry_len)?,
        payloads: reader.take(payloads_len)?,
        births: reader.take(births_len)?,
    };
    reader.is_at_end().then_some(frame)
}
