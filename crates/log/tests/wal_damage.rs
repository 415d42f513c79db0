//! Any damage to a WAL that was durable is refused and located, and the only thing ever dropped is the last batch.
//!
//! What a reader cannot tell: whether the last batch does not check because a crash tore it, never acknowledged, or because
//! bytes that were acknowledged changed afterwards. It is dropped either way. A checkpoint tells: once the batch is
//! integrated, a twin or a checkpoint held elsewhere is ahead of what is left, and the log refuses to sign.
//! The zeros after a batch and after the first 44 bytes of a header are covered by no checksum and mean nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure fails the test")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_disk::sim::SimFs;
use inferlog_log::wal::format::{BATCH_HEADER_BYTES, PAGE_BYTES, frame_bytes};
use inferlog_log::wal::{Commit, Writer, scan, segment_path};
use inferlog_log::{Append, LogError, LogId, Result};
use proptest::prelude::*;

const NODE: [u8; 16] = [9; 16];
const LOG: LogId = LogId([3; 16]);
const SEGMENT_BYTES: u64 = 8 * PAGE_BYTES;
/// Bytes of a segment's header that mean something.
const HEADER_BYTES: u64 = 44;

/// Where a batch lies.
#[derive(Clone, Copy, Debug)]
struct Batch {
    incarnation: u64,
    offset: u64,
    /// Header and frames.
    bytes: u64,
    frames: usize,
}

/// A WAL, and what is in it.
struct Wal {
    fs: SimFs,
    batches: Vec<Batch>,
    entries: Vec<Vec<u8>>,
}

fn dir() -> &'static Path {
    Path::new("/wal")
}

/// Writes, in each life of the process, batches of entries with these lengths. A new life copies the last batch.
fn write(lives: &[Vec<Vec<usize>>]) -> Wal {
    let fs = SimFs::new(1);
    fs.create_dir(dir()).unwrap();
    let (mut batches, mut entries) = (Vec::<Batch>::new(), Vec::new());
    for life in lives {
        let found = scan(&fs, dir(), NODE, |_, _, _| Ok(())).unwrap();
        let mut writer = Writer::resume(Arc::new(fs.clone()), dir(), NODE, SEGMENT_BYTES, &found).unwrap();
        if let Some(copied) = batches.last_mut() {
            (copied.incarnation, copied.offset) = (writer.position().incarnation, PAGE_BYTES);
        }
        for lengths in life {
            batches.push(commit(&mut writer, entries.len() as u64, lengths));
            entries.extend(lengths.iter().enumerate().map(|(number, length)| entry(number, *length).entry));
        }
    }
    Wal { fs, batches, entries }
}

fn commit(writer: &mut Writer, first: u64, lengths: &[usize]) -> Batch {
    let appends: Vec<Append> =
        lengths.iter().enumerate().map(|(number, length)| entry(number, *length)).collect();
    let commits = (first..).zip(&appends).map(|(index, append)| Commit { log: LOG, index, append });
    let before = writer.position();
    writer.commit(&commits.collect::<Vec<_>>()).unwrap();
    let incarnation = writer.position().incarnation;
    let offset = if before.incarnation == incarnation { before.end } else { PAGE_BYTES };
    let bytes = (BATCH_HEADER_BYTES + appends.iter().map(frame_bytes).sum::<usize>()) as u64;
    Batch { incarnation, offset, bytes, frames: appends.len() }
}

fn entry(number: usize, length: usize) -> Append {
    Append { entry: vec![number as u8; length], class: "default".into(), ..Append::default() }
}

/// The entries that a reader of the WAL finds.
fn read(fs: &SimFs) -> Result<Vec<Vec<u8>>> {
    let mut entries = Vec::new();
    scan(fs, dir(), NODE, |frame, _, _| {
        assert_eq!(frame.index, entries.len() as u64);
        entries.push(frame.entry.to_vec());
        Ok(())
    })?;
    Ok(entries)
}

fn flipped(wal: &Wal, incarnation: u64, byte: u64, bit: u8) -> (SimFs, PathBuf) {
    let (fs, path) = (wal.fs.fork(2), segment_path(dir(), incarnation));
    fs.flip_bit(&path, byte, bit).unwrap();
    (fs, path)
}

/// The refusal must name the file and this place.
fn refused(result: Result<Vec<Vec<u8>>>, file: &Path, place: u64) {
    match result {
        Err(LogError::Damaged { path, offset, .. }) => assert_eq!((path.as_path(), offset), (file, place)),
        other => panic!("not refused: {:?}", other.map(|entries| entries.len())),
    }
}

fn lives() -> impl Strategy<Value = Vec<Vec<Vec<usize>>>> {
    let length = prop_oneof![4 => 1_usize..300, 1 => 3000_usize..6000];
    prop::collection::vec(prop::collection::vec(prop::collection::vec(length, 1..5), 1..12), 1..4)
}

proptest! {
    #[test]
    fn a_flipped_bit_in_a_batch_is_refused_or_drops_the_last(
        lives in lives(), batch: prop::sample::Index, byte: prop::sample::Index, bit in 0_u8..8,
    ) {
        let wal = write(&lives);
        assert_eq!(read(&wal.fs).unwrap(), wal.entries);
        let batch = batch.get(&wal.batches);
        let last = wal.batches.last().unwrap();
        let (fs, path) = flipped(&wal, batch.incarnation, batch.offset + byte.index(batch.bytes as usize) as u64, bit);
        if batch.offset == last.offset && batch.incarnation == last.incarnation {
            let kept = wal.entries.len() - last.frames;
            assert_eq!(read(&fs).unwrap(), wal.entries[..kept]);
        } else {
            refused(read(&fs), &path, batch.offset);
        }
    }

    #[test]
    fn a_flipped_bit_in_a_header_is_refused(lives in lives(), batch: prop::sample::Index, byte in 0..HEADER_BYTES, bit in 0_u8..8) {
        let wal = write(&lives);
        let (fs, path) = flipped(&wal, batch.get(&wal.batches).incarnation, byte, bit);
        refused(read(&fs), &path, 0);
    }

    #[test]
    fn what_no_checksum_covers_means_nothing(lives in lives(), batch: prop::sample::Index, bit in 0_u8..8) {
        let wal = write(&lives);
        let batch = batch.get(&wal.batches);
        let end = batch.offset + batch.bytes;
        let (fs, _) = flipped(&wal, batch.incarnation, HEADER_BYTES, bit);
        assert_eq!(read(&fs).unwrap(), wal.entries);
        if !end.is_multiple_of(PAGE_BYTES) {
            assert_eq!(read(&flipped(&wal, batch.incarnation, end, bit).0).unwrap(), wal.entries);
        }
    }

    #[test]
    fn a_missing_segment_is_refused(lives in lives(), which: prop::sample::Index) {
        // One life: a copied batch would fill the gap.
        let wal = write(&lives[..1]);
        let mut incarnations: Vec<u64> = wal.batches.iter().map(|batch| batch.incarnation).collect();
        incarnations.dedup();
        // Without the newest nothing is missing that the others speak of.
        if let [older @ .., _] = incarnations.as_slice() && !older.is_empty() {
            let gone = which.index(older.len());
            wal.fs.remove_file(&segment_path(dir(), older[gone])).unwrap();
            // The oldest of all may have been settled: that what it held was integrated is for `state` to say.
            if gone == 0 {
                assert!(read_from(&wal.fs).unwrap() > 0);
            } else {
                // The segment before it ends where the next batch should be.
                let before = wal.batches.iter().rfind(|batch| batch.incarnation == older[gone - 1]).unwrap();
                let end = before.offset + before.bytes.next_multiple_of(PAGE_BYTES);
                refused(read(&wal.fs), &segment_path(dir(), before.incarnation), end);
            }
        }
    }

    #[test]
    fn a_cut_off_segment_is_refused_or_drops_the_last(lives in lives(), batch: prop::sample::Index, left: prop::sample::Index) {
        let wal = write(&lives);
        let batch = batch.get(&wal.batches);
        let last = wal.batches.last().unwrap();
        let path = segment_path(dir(), batch.incarnation);
        let fs = wal.fs.fork(2);
        fs.open(&path, inferlog_disk::Open::Write).unwrap().set_len(batch.offset + left.index(batch.bytes as usize) as u64).unwrap();
        let rest: Vec<_> = wal.batches.iter().skip_while(|other| (other.incarnation, other.offset) < (batch.incarnation, batch.offset)).collect();
        if batch.incarnation == last.incarnation {
            // All that follows in the file is gone too: nothing is left to say that it was there.
            let kept = wal.entries.len() - rest.iter().map(|batch| batch.frames).sum::<usize>();
            assert_eq!(read(&fs).unwrap(), wal.entries[..kept]);
        } else {
            refused(read(&fs), &path, batch.offset);
        }
    }
}

/// The index of the first entry that is left.
fn read_from(fs: &SimFs) -> Result<u64> {
    let mut first = None;
    scan(fs, dir(), NODE, |frame, _, _| {
        first.get_or_insert(frame.index);
        Ok(())
    })?;
    Ok(first.unwrap_or_default())
}
