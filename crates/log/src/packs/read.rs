//! Finding payloads, and checking packs.

use std::path::{Path, PathBuf};

use inferlog_disk::{File, Fs, Open};

use super::{PACK_HEADER_BYTES, PACK_INDEX_BYTES, index_entry, is_header};
use crate::error::Result;
use crate::payload::{PAYLOAD_HEADER_BYTES, PayloadRecord};
use crate::{LogDir, LogId};

/// Bytes read at once while a pack is scanned.
const CHUNK_BYTES: usize = 4 << 20;

/// One pack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackName {
    /// Retention class.
    pub class: String,
    /// UTC day, `YYYY-MM-DD`.
    pub day: String,
    /// Index of the first entry with a payload in it.
    pub first: u64,
    /// The pack's file.
    pub pack: PathBuf,
    /// Its index file.
    pub index: PathBuf,
}

/// Where a pack or its index does not check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackFault {
    /// The file.
    pub path: PathBuf,
    /// Bytes from its start.
    pub offset: u64,
    /// What is wrong.
    pub what: &'static str,
}

/// Every pack of a log, by class, day and first index.
pub fn list_packs(fs: &dyn Fs, log: &LogDir) -> Result<Vec<PackName>> {
    let mut packs = Vec::new();
    let root = log.packs();
    if !fs.exists(&root)? {
        return Ok(packs);
    }
    for class in fs.read_dir(&root)?.into_iter().filter(|entry| entry.is_dir) {
        for day in fs.read_dir(&class.path)?.into_iter().filter(|entry| entry.is_dir) {
            packs.extend(packs_of(fs, &class.name, &day.name, &day.path)?);
        }
    }
    Ok(packs)
}

fn packs_of(fs: &dyn Fs, class: &str, day: &str, dir: &Path) -> Result<Vec<PackName>> {
    let named = fs.read_dir(dir)?.into_iter().filter_map(|entry| {
        let first = entry.name.strip_suffix(".pack").filter(|digits| digits.len() == 20)?.parse().ok()?;
        let index = entry.path.with_extension("idx");
        Some(PackName { class: class.to_owned(), day: day.to_owned(), first, pack: entry.path, index })
    });
    Ok(named.collect())
}

/// The sealed bytes of a payload born with the entry at `index`, whose class and day are known; `None` if no pack has it.
pub fn find_payload(
    fs: &dyn Fs,
    log: &LogDir,
    class: &str,
    day: &str,
    index: u64,
    payload: [u8; 16],
) -> Result<Option<Vec<u8>>> {
    let dir = log.packs().join(class).join(day);
    if !fs.exists(&dir)? {
        return Ok(None);
    }
    let packs = packs_of(fs, class, day, &dir)?;
    let Some(pack) = packs.iter().rev().find(|pack| pack.first <= index) else { return Ok(None) };
    let index_file = fs.open(&pack.index, Open::Read)?;
    let records = index_file.len()? / PACK_INDEX_BYTES as u64;
    let Some(mut at) = first_record(&*index_file, records, index)? else { return Ok(None) };
    let pack_file = fs.open(&pack.pack, Open::Read)?;
    while at < records {
        let (entry, offset) = read_index(&*index_file, at)?;
        if entry != index {
            break;
        }
        if let Some(sealed) = read_payload(&*pack_file, offset, payload)? {
            return Ok(Some(sealed));
        }
        at += 1;
    }
    Ok(None)
}

/// Position of the first record of the entry at `index`, by bisection.
fn first_record(file: &dyn File, records: u64, index: u64) -> Result<Option<u64>> {
    let (mut low, mut high) = (0, records);
    while low < high {
        let middle = low + (high - low) / 2;
        if read_index(file, middle)?.0 < index { low = middle + 1 } else { high = middle }
    }
    Ok((low < records && read_index(file, low)?.0 == index).then_some(low))
}

fn read_index(file: &dyn File, position: u64) -> Result<(u64, u64)> {
    let mut bytes = [0; PACK_INDEX_BYTES];
    file.read_exact_at(&mut bytes, position * PACK_INDEX_BYTES as u64)?;
    Ok(index_entry(&bytes).unwrap_or_default())
}

fn read_payload(file: &dyn File, offset: u64, payload: [u8; 16]) -> Result<Option<Vec<u8>>> {
    let len = file.len()?;
    let mut header = [0; PAYLOAD_HEADER_BYTES];
    if offset.saturating_add(PAYLOAD_HEADER_BYTES as u64) > len {
        return Ok(None);
    }
    file.read_exact_at(&mut header, offset)?;
    let sealed_len = u64::from(u32::from_be_bytes([header[4], header[5], header[6], header[7]]));
    if header[8..24] != payload || offset + PAYLOAD_HEADER_BYTES as u64 + sealed_len > len {
        return Ok(None);
    }
    let mut record = vec![0; PAYLOAD_HEADER_BYTES + sealed_len as usize];
    file.read_exact_at(&mut record, offset)?;
    Ok(PayloadRecord::read(&record).map(|(record, _)| record.sealed.to_vec()))
}

/// Reads a whole pack and its index side by side, up to the length that counts (`None`: all of it). Each record that
/// checks goes to `visit`; each place that does not is returned. Memory: one chunk and the longest record.
pub fn scan_pack(
    fs: &dyn Fs,
    log: LogId,
    pack: &PackName,
    pack_bytes: Option<u64>,
    mut visit: impl FnMut(PayloadRecord<'_>),
) -> Result<Vec<PackFault>> {
    let file = fs.open(&pack.pack, Open::Read)?;
    let len = pack_bytes.unwrap_or(u64::MAX).min(file.len()?);
    let index = fs.read(&pack.index)?;
    let mut faults = Vec::new();
    let mut buffer = vec![0; PACK_HEADER_BYTES.min(len as usize)];
    file.read_exact_at(&mut buffer, 0)?;
    if !is_header(&buffer, log, pack.first) {
        faults.push(PackFault {
            path: pack.pack.clone(),
            offset: 0,
            what: "the header of this pack does not check",
        });
    }
    let mut entries = index.chunks(PACK_INDEX_BYTES).enumerate();
    let mut offset = PACK_HEADER_BYTES as u64;
    buffer.clear();
    let mut start = 0;
    while offset < len {
        if PayloadRecord::read(&buffer[start..]).is_none() {
            refill(&*file, &mut buffer, &mut start, offset, len)?;
        }
        let Some((record, _)) = PayloadRecord::read(&buffer[start..]) else {
            faults.push(PackFault {
                path: pack.pack.clone(),
                offset,
                what: "a payload record does not check",
            });
            // The index says where the next record begins, so that one damaged record hides no other.
            let next = entries.find_map(|(_, bytes)| index_entry(bytes).filter(|(_, at)| *at > offset));
            let Some((_, next)) = next else { break };
            (offset, start) = (next, buffer.len());
            entries = index.chunks(PACK_INDEX_BYTES).enumerate();
            skip_to(&mut entries, next);
            continue;
        };
        let expected = entries.next();
        if expected.and_then(|(_, bytes)| index_entry(bytes)) != Some((record.index, offset)) {
            let at = expected.map_or(index.len(), |(position, _)| position * PACK_INDEX_BYTES) as u64;
            faults.push(PackFault {
                path: pack.index.clone(),
                offset: at,
                what: "this index does not fit its pack",
            });
        }
        offset += record.span() as u64;
        let span = record.span();
        visit(record);
        start += span;
    }
    Ok(faults)
}

fn skip_to<'a>(entries: &mut std::iter::Enumerate<std::slice::Chunks<'a, u8>>, offset: u64) {
    let mut ahead = entries.clone();
    while let Some((_, bytes)) = ahead.next() {
        if index_entry(bytes).is_some_and(|(_, at)| at >= offset) {
            return;
        }
        *entries = ahead.clone();
    }
}

/// Makes `buffer[start..]` the bytes from `offset`: a chunk, or the whole of a longer record.
fn refill(file: &dyn File, buffer: &mut Vec<u8>, start: &mut usize, offset: u64, len: u64) -> Result<()> {
    let left = usize::try_from(len - offset).unwrap_or(usize::MAX);
    let mut header = [0; PAYLOAD_HEADER_BYTES];
    let mut wanted = CHUNK_BYTES;
    if left >= PAYLOAD_HEADER_BYTES {
        file.read_exact_at(&mut header, offset)?;
        let sealed = u32::from_be_bytes([header[4], header[5], header[6], header[7]]) as usize;
        wanted = wanted.max(PAYLOAD_HEADER_BYTES + sealed);
    }
    buffer.resize(wanted.min(left), 0);
    *start = 0;
    Ok(file.read_exact_at(buffer, offset)?)
}
