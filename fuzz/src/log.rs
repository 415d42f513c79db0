//! What a crash, a bad disk or an intruder may leave in a data directory: WAL, state, packs.

#![allow(unreachable_pub, clippy::unwrap_used, reason = "a target panics to say that something is wrong")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::sim::SimFs;
use inferlog_disk::{Fs, Open, create_dir_all};
use inferlog_log::packs::{PACK_INDEX_BYTES, find_payload};
use inferlog_log::wal::format::{
    BATCH_HEADER_BYTES, BatchHeader, FRAME_HEADER_BYTES, Frame, PAGE_BYTES, SegmentHeader, frames, put_frame,
};
use inferlog_log::wal::{Commit, Writer, scan, segment_path};
use inferlog_log::{
    Append, Flags, LogDir, LogId, PAYLOAD_HEADER_BYTES, PayloadRecord, Payloads, State, kept, records,
};

const NODE: [u8; 16] = [9; 16];
const PAGE: usize = PAGE_BYTES as usize;

fn put_be(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

fn get_be(bytes: &[u8], at: usize) -> usize {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

/// Makes the checksums of frames fit, and returns how many frames there are and the bytes that they take.
fn repair_frames(body: &mut [u8], incarnation: u64, batch: u64) -> (u32, usize) {
    let (mut count, mut start) = (0, 0);
    while body.len() - start >= FRAME_HEADER_BYTES {
        let length = get_be(body, start + 4);
        if !(FRAME_HEADER_BYTES..=body.len() - start).contains(&length) {
            break;
        }
        let place = [incarnation.to_be_bytes(), batch.to_be_bytes()].concat();
        let crc = crc32c::crc32c_append(crc32c::crc32c(&place), &body[start + 4..start + length]);
        put_be(body, start, crc);
        (count, start) = (count + 1, start + length);
    }
    (count, start)
}

/// The append that a frame was made of, if its payloads are records such as a frame holds.
fn append_of(frame: &Frame<'_>) -> Option<Append> {
    let mut payloads = Payloads::default();
    for record in records(frame.payloads) {
        let record = record.filter(|record| record.index == 0)?;
        payloads.push(record.payload, record.sealed);
    }
    Some(Append {
        entry: frame.entry.to_vec(),
        decision: frame.decision,
        logged_at_ns: frame.logged_at_ns,
        flags: Flags(frame.flags),
        class: frame.class.to_owned(),
        payloads,
        births: frame.births.to_vec(),
    })
}

/// The frames of a batch. What is read is written back as it was.
pub fn wal_batches(data: &[u8]) {
    if let Some(header) = BatchHeader::decode(data) {
        assert_eq!(header.encode(), data[..BATCH_HEADER_BYTES]);
        _ = frames(&header, &data[BATCH_HEADER_BYTES..]);
    }
    if let Some(header) = SegmentHeader::decode(data) {
        assert_eq!(SegmentHeader::decode(&header.encode()), Some(header));
    }
    let mut body = data.to_vec();
    let (count, length) = repair_frames(&mut body, 3, 7);
    body.truncate(length);
    let header = BatchHeader { frames: count, number: 7, incarnation: 3, body_bytes: length as u64 };
    let Some(read) = frames(&header, &body) else { return };
    assert_eq!(read.len() as u32, count);
    let appends: Option<Vec<Append>> = read.iter().map(append_of).collect();
    if let Some(appends) = appends {
        let mut again = Vec::new();
        for (frame, append) in read.iter().zip(&appends) {
            put_frame(&mut again, append, frame.log, frame.index, 3, 7);
        }
        assert!(again == body, "frames are written as they were read");
    }
}

/// Segment files. Data: pieces of `segment (1) ‖ page (1) ‖ length (2) ‖ bytes`, laid into segments of 16 pages.
fn segments(data: &[u8]) -> [Vec<u8>; 3] {
    let mut files = [const { Vec::new() }; 3];
    let mut rest = data;
    while let Some(([segment, page, high, low], after)) = rest.split_first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([*high, *low]) % 8192).min(after.len());
        let (piece, next) = after.split_at(length);
        let file: &mut Vec<u8> = &mut files[usize::from(segment % 3)];
        file.resize(16 * PAGE, 0);
        let start = usize::from(page % 16) * PAGE;
        let end = (start + piece.len()).min(file.len());
        file[start..end].copy_from_slice(&piece[..end - start]);
        rest = next;
    }
    files
}

/// Makes all checksums fit, and node and incarnation, so that the order of batches is what is tried.
fn repair(file: &mut [u8], incarnation: u64) {
    if file.starts_with(b"ILWALSG1") {
        file[8..24].copy_from_slice(&NODE);
        file[24..32].copy_from_slice(&incarnation.to_be_bytes());
        let crc = crc32c::crc32c(&file[..40]);
        put_be(file, 40, crc);
    }
    for start in (PAGE..file.len()).step_by(PAGE) {
        let (header, body) = file[start..].split_at_mut(BATCH_HEADER_BYTES);
        if header.starts_with(b"ILBT") {
            header[16..24].copy_from_slice(&incarnation.to_be_bytes());
            let number = u64::from_be_bytes(header[8..16].try_into().unwrap());
            let length = get_be(header, 28).min(body.len());
            let (count, length) = repair_frames(&mut body[..length], incarnation, number);
            put_be(header, 4, count);
            header[24..32].copy_from_slice(&(length as u64).to_be_bytes());
            let crc = crc32c::crc32c(&header[..36]);
            put_be(header, 36, crc);
        }
    }
}

type Found = (Vec<(LogId, u64, Vec<u8>)>, u64);

fn read(fs: &SimFs) -> inferlog_log::Result<(Found, inferlog_log::wal::Scan)> {
    let mut entries = Vec::new();
    let found = scan(fs, Path::new("/wal"), NODE, |frame, _, _| {
        entries.push((frame.log, frame.index, frame.entry.to_vec()));
        Ok(())
    })?;
    Ok(((entries, found.next_batch), found))
}

/// A WAL of up to three segments. What opens goes on: the same entries are there for the next life, and one more.
pub fn wal_segments(data: &[u8]) {
    for is_repaired in [false, true] {
        let fs = SimFs::new(1);
        fs.create_dir(Path::new("/wal")).unwrap();
        for (incarnation, mut bytes) in (1..).zip(segments(data)).filter(|(_, bytes)| !bytes.is_empty()) {
            if is_repaired {
                repair(&mut bytes, incarnation);
            }
            write(&fs, &segment_path(Path::new("/wal"), incarnation), &bytes);
        }
        let Ok(((entries, next), found)) = read(&fs) else { continue };
        if next > u64::MAX - 8 {
            continue;
        }
        let mut writer =
            Writer::resume(Arc::new(fs.clone()), Path::new("/wal"), NODE, 8 * PAGE_BYTES, &found).unwrap();
        let (again, _) = read(&fs).unwrap();
        assert!(again == (entries.clone(), next), "another life reads other entries");
        let append = Append { entry: b"new".to_vec(), class: "default".into(), ..Append::default() };
        writer.commit(&[Commit { log: LogId([1; 16]), index: 5, append: &append }]).unwrap();
        let ((more, after), _) = read(&fs.crash()).unwrap();
        assert_eq!((more.len(), after), (entries.len() + 1, next + 1));
        assert_eq!(more.last(), Some(&(LogId([1; 16]), 5, append.entry)));
    }
}

fn write(fs: &SimFs, path: &Path, bytes: &[u8]) {
    let file = fs.open(path, Open::CreateNew).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file.sync_data().unwrap();
    fs.sync_dir(path.parent().unwrap()).unwrap();
}

/// The integrator's state. What is read is written, and read back from that to the same.
pub fn states(data: &[u8]) {
    _ = State::decode(data);
    let bytes = [data, &crc32c::crc32c(data).to_be_bytes()].concat();
    if let Some(state) = State::decode(&bytes) {
        assert_eq!(State::decode(&state.encode()), Some(state));
    }
}

/// What was kept of a bundle, and where a log begins. What is read is written as it was.
pub fn kept_entries(data: &[u8]) {
    let covered = &data[..data.len().saturating_sub(4)];
    let repaired = [covered, &crc32c::crc32c(covered).to_be_bytes()].concat();
    for bytes in [data, &repaired] {
        for bundle in [0, 1, 1000] {
            if let Some(entries) = kept::decode(bundle, bytes) {
                assert!(kept::encode(entries) == bytes, "kept entries are written as they were read");
            }
        }
    }
    if let Some(first) = kept::decode_pruned(data) {
        assert_eq!(format!("{first}\n").as_bytes(), data);
    }
}

/// A pack and its index. Data: length of the pack (2), pack, index. What is found is a record of the pack.
pub fn packs(data: &[u8]) {
    let Some(([high, low], rest)) = data.split_first_chunk::<2>() else { return };
    let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
    let (mut pack, index) = (rest[..length].to_vec(), &rest[length..]);
    let places = index.chunks_exact(PACK_INDEX_BYTES).map(|place| {
        let number = |at: usize| u64::from_be_bytes(place[at..at + 8].try_into().unwrap());
        (number(0), number(8) as usize)
    });
    let places: Vec<(u64, usize)> = places.take(16).collect();
    for is_repaired in [false, true] {
        let mut wanted = BTreeSet::new();
        for (entry, offset) in &places {
            let Some(record) = pack.get_mut(*offset..).filter(|record| record.len() >= PAYLOAD_HEADER_BYTES)
            else {
                continue;
            };
            let span = PAYLOAD_HEADER_BYTES + get_be(record, 4);
            if is_repaired && span <= record.len() {
                let crc = crc32c::crc32c(&record[4..span]);
                put_be(record, 0, crc);
            }
            wanted.insert((*entry, <[u8; 16]>::try_from(&record[8..24]).unwrap()));
        }
        let (fs, log) = (SimFs::new(1), LogDir::at("/logs/s/0/e".into()).unwrap());
        let dir = log.packs().join("default/2026-11-21");
        create_dir_all(&fs, &dir).unwrap();
        write(&fs, &dir.join("00000000000000000000.pack"), &pack);
        write(&fs, &dir.join("00000000000000000000.idx"), index);
        for (entry, payload) in wanted {
            if let Ok(Some(sealed)) = find_payload(&fs, &log, "default", "2026-11-21", entry, payload) {
                let is_record = |(_, offset): &(u64, usize)| {
                    let record = pack.get(*offset..).and_then(PayloadRecord::read);
                    record.is_some_and(|(record, _)| record.payload == payload && record.sealed == sealed)
                };
                assert!(places.iter().any(is_record), "bytes that are no record of the pack");
            }
        }
    }
}
