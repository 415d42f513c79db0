//! A pack read from its beginning to its end.

use inferlog_disk::{Fs, Open};
use inferlog_record::Digest;
use sha2::{Digest as _, Sha256};

use crate::LogId;
use crate::error::Result;
use crate::packs::{PACK_HEADER_BYTES, PackName, encode_header};
use crate::payload::{PAYLOAD_HEADER_BYTES, PayloadRecord};

/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 20;

/// What a pack is as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Walked {
    /// SHA-256 of all its bytes.
    pub(super) sha256: Digest,
    pub(super) bytes: u64,
    pub(super) records: u64,
    /// The largest index of an entry in it.
    pub(super) last: u64,
    /// Whether something in it does not check; what follows that was not looked at.
    pub(super) is_damaged: bool,
}

/// Reads the first `bytes` of a pack, or all of it, and gives each record to `visit`.
pub(super) fn walk(
    fs: &dyn Fs,
    log: LogId,
    name: &PackName,
    bytes: Option<u64>,
    mut visit: impl FnMut(&PayloadRecord<'_>) -> Result<()>,
) -> Result<Walked> {
    let file = fs.open(&name.pack, Open::Read)?;
    let bytes = bytes.unwrap_or(file.len()?).min(file.len()?);
    let (mut sha256, mut at, mut buffer) = (Sha256::new(), 0, Vec::new());
    let mut walked = Walked { sha256: Digest([0; 32]), bytes, records: 0, last: 0, is_damaged: false };
    let mut wanted = PACK_HEADER_BYTES;
    let mut is_header = true;
    loop {
        // What is in the buffer begins with a record, or the header, and is a part of it or more.
        if buffer.len() < wanted && at < bytes {
            let more = (READ_BYTES.max(wanted - buffer.len()) as u64).min(bytes - at) as usize;
            let had = buffer.len();
            buffer.resize(had + more, 0);
            file.read_exact_at(&mut buffer[had..], at)?;
            sha256.update(&buffer[had..]);
            at += more as u64;
        }
        let mut rest = &buffer[..];
        if is_header {
            walked.is_damaged = !rest.starts_with(&encode_header(log, name.first));
            rest = rest.get(PACK_HEADER_BYTES..).unwrap_or_default();
            is_header = false;
        }
        while !walked.is_damaged && span(rest).is_some_and(|span| span <= rest.len() as u64) {
            let Some((record, after)) = PayloadRecord::read(rest) else {
                walked.is_damaged = true;
                break;
            };
            visit(&record)?;
            walked.records += 1;
            walked.last = walked.last.max(record.index);
            rest = after;
        }
        let left = rest.len();
        let needed = span(rest).unwrap_or(PAYLOAD_HEADER_BYTES as u64);
        // A record that ends after the pack does.
        walked.is_damaged |= left > 0 && needed.saturating_sub(left as u64) > bytes - at;
        if walked.is_damaged {
            rest = &[];
        }
        let consumed = buffer.len() - rest.len();
        buffer.drain(..consumed);
        if at == bytes {
            break;
        }
        wanted = if walked.is_damaged { READ_BYTES } else { needed as usize };
    }
    walked.is_damaged |= walked.records == 0;
    walked.sha256 = Digest(sha256.finalize().into());
    Ok(walked)
}

/// Bytes of the record at the start of `bytes`, as it says; `None` if its header is not there as a whole.
fn span(bytes: &[u8]) -> Option<u64> {
    let header = bytes.get(..PAYLOAD_HEADER_BYTES)?;
    let sealed = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    Some(PAYLOAD_HEADER_BYTES as u64 + u64::from(sealed))
}
