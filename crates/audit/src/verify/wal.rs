//! The write-ahead log's live segments: every byte that counts. What lies after the last batch, and in spare segments, is
//! free space and may hold anything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use inferlog_disk::{Fs, Open};
use inferlog_log::wal::format::{
    BATCH_HEADER_BYTES, BatchHeader, FRAME_HEADER_BYTES, PAGE_BYTES, SegmentHeader, frames,
};
use inferlog_log::wal::{BatchReader, LiveSegment, Scan, Segments, scan, segment_path};
use inferlog_log::{LogError, LogId};

use crate::report::{FaultKind, Sink};

/// A running node recycles segments under the reader: damage counts if it is found in the same place this often.
const ATTEMPTS: usize = 3;
/// Bytes of a segment header that mean something; the rest of its page is zero.
const HEADER_BYTES: usize = 44;

/// Entries of a log that are integrated, by log.
pub(super) type Settled = BTreeMap<[u8; 16], u64>;

/// Checks the WAL. `node` is what the file `node` says, if it checks.
pub(super) fn check(fs: &dyn Fs, dir: &Path, node: Option<[u8; 16]>, settled: &Settled, sink: Sink<'_>) {
    let wal = dir.join("wal");
    if !fs.exists(&wal).unwrap_or(false) {
        return sink
            .notice("there is no write-ahead log here: what was not yet integrated is not in this copy");
    }
    let written_by = written_by(fs, &wal);
    if let (Some(node), Some(written_by)) = (node, written_by)
        && node != written_by
    {
        let what =
            format!("the node's id is not the one in its write-ahead log, {}", hex::encode(written_by));
        sink.file(&dir.join("node"), FaultKind::Identity, what);
    }
    let Some(node) = written_by.or(node) else { return };
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let mut seen = Seen::default();
        let found = scan(fs, &wal, node, |frame, path, offset| {
            seen.frame(frame.log, frame.index, settled, path, offset);
            Ok(())
        });
        match found {
            Ok(found) => return seen.report(fs, &wal, node, &found, settled, sink),
            Err(error) => last = Some(error),
        }
    }
    if let Some(error) = last {
        sink.error(&wal, FaultKind::Wal, &error);
    }
}

/// The node that the segments name; their headers carry a checksum.
fn written_by(fs: &dyn Fs, wal: &Path) -> Option<[u8; 16]> {
    let live = Segments::list(fs, wal).ok()?.live;
    live.iter().find_map(|incarnation| {
        let mut page = vec![0; PAGE_BYTES as usize];
        let read = fs.open(&segment_path(wal, *incarnation), Open::Read).ok()?.read_at(&mut page, 0).ok()?;
        Some(SegmentHeader::decode(page.get(..read)?)?.node)
    })
}

/// What the frames say.
#[derive(Debug, Default)]
struct Seen {
    /// Index after the last frame of each log.
    next: BTreeMap<[u8; 16], u64>,
    unsettled: u64,
    gaps: Vec<(PathBuf, u64, String)>,
}

impl Seen {
    fn frame(&mut self, log: LogId, index: u64, settled: &Settled, path: &Path, offset: u64) {
        let mut gap = |what: String| self.gaps.push((path.to_owned(), offset, what));
        match (self.next.get(&log.0), settled.get(&log.0)) {
            (Some(next), _) if index != *next => {
                gap(format!("log {log:?} goes on at entry {index} instead of {next}"))
            }
            (None, Some(settled)) if index > *settled => {
                gap(format!("log {log:?} begins at entry {index}; {settled} are integrated"));
            }
            _ => {}
        }
        self.next.insert(log.0, index.saturating_add(1));
        self.unsettled += u64::from(settled.get(&log.0).is_some_and(|settled| index >= *settled));
    }

    fn report(
        self,
        fs: &dyn Fs,
        wal: &Path,
        node: [u8; 16],
        found: &Scan,
        settled: &Settled,
        sink: Sink<'_>,
    ) {
        for (path, offset, what) in &self.gaps {
            sink.byte(path, *offset, FaultKind::Wal, what.as_str());
        }
        for segment in &found.segments {
            if let Err(error) = check_zeros(fs, wal, node, *segment, sink) {
                sink.file(&segment_path(wal, segment.incarnation), FaultKind::Wal, error.to_string());
            }
        }
        if self.unsettled > 0 {
            sink.notice(format!(
                "{} entries are durable in the write-ahead log and not yet under a checkpoint",
                self.unsettled
            ));
        }
        let Some(end) = found.segments.last() else {
            return sink.notice("the write-ahead log has no live segment");
        };
        let path = segment_path(wal, end.incarnation);
        // Segments go oldest first: if one frame of a log is live, all that follow it are.
        let lost =
            self.next.iter().find(|(log, next)| settled.get(*log).is_some_and(|settled| settled > *next));
        let torn = torn_end(fs, &path, *end, found.next_batch, settled);
        if let Some((log, next)) = lost {
            let what = format!(
                "a batch of the WAL that was durable does not check: entries of log {} from {next} on are integrated",
                hex::encode(log)
            );
            sink.byte(&path, end.end, FaultKind::Wal, what);
        } else if torn == Some(true) {
            let what = "a batch of the WAL that was durable does not check: its entries are integrated";
            sink.byte(&path, end.end, FaultKind::Wal, what);
        } else if torn == Some(false) {
            sink.notice(format!(
                "{}: byte {}: the last batch is not whole. A crash tore it before it was acknowledged, or it is damaged",
                sink.relative(&path),
                end.end
            ));
        }
    }
}

/// What stands where the next batch would: `None` if nothing that looks like it; else whether it is known to have been durable.
fn torn_end(fs: &dyn Fs, path: &Path, end: LiveSegment, number: u64, settled: &Settled) -> Option<bool> {
    let file = fs.open(path, Open::Read).ok()?;
    let left = file.len().ok()?.checked_sub(end.end)?;
    let mut header = [0; BATCH_HEADER_BYTES];
    file.read_at(&mut header, end.end).ok()?;
    let batch = BatchHeader::decode(&header).filter(|batch| {
        batch.incarnation == end.incarnation && batch.number == number && batch.span() <= left
    });
    let body_bytes = batch.map_or(PAGE_BYTES.min(left), |batch| batch.body_bytes);
    let mut body = vec![0; usize::try_from(body_bytes).ok()?];
    let read = file.read_at(&mut body, end.end + BATCH_HEADER_BYTES as u64).ok()?;
    let mut rest = body.get(..read)?;
    while let Some(frame) = rest.get(..FRAME_HEADER_BYTES) {
        let (length, log, index) =
            (word(frame, 4)? as usize, &frame[8..24], u64::from_be_bytes(*frame[24..].first_chunk()?));
        let is_settled = settled.get(log).is_some_and(|settled| index < *settled);
        // Without the batch's header a frame's own checksum must hold.
        if is_settled && (batch.is_some() || is_whole(rest.get(..length), end.incarnation, number)) {
            return Some(true);
        }
        rest = rest.get(length.max(1)..).unwrap_or_default();
        if length < FRAME_HEADER_BYTES {
            break;
        }
    }
    batch.map(|_| false)
}

fn is_whole(frame: Option<&[u8]>, incarnation: u64, number: u64) -> bool {
    frame.is_some_and(|frame| {
        let header = BatchHeader { frames: 1, number, incarnation, body_bytes: frame.len() as u64 };
        frames(&header, frame).is_some()
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// No checksum covers what is zero: after the segment's header, and between a batch's frames and the next page.
fn check_zeros(
    fs: &dyn Fs,
    wal: &Path,
    node: [u8; 16],
    segment: LiveSegment,
    sink: Sink<'_>,
) -> Result<(), LogError> {
    let path = segment_path(wal, segment.incarnation);
    let file = fs.open(&path, Open::Read)?;
    let zeros = |from: u64, length: u64| -> Result<(), LogError> {
        let mut bytes = vec![0; length as usize];
        file.read_exact_at(&mut bytes, from)?;
        if let Some(at) = bytes.iter().position(|byte| *byte != 0) {
            sink.byte(&path, from + at as u64, FaultKind::Wal, "this byte of padding is not zero");
        }
        Ok(())
    };
    zeros(HEADER_BYTES as u64, PAGE_BYTES - HEADER_BYTES as u64)?;
    // `None`: settled while this was read.
    let Some(reader) = BatchReader::open(fs, wal, segment.incarnation, node)? else { return Ok(()) };
    let mut offset = PAGE_BYTES;
    while offset < segment.end
        && let Some(batch) = reader.header_at(offset)?
    {
        let used = BATCH_HEADER_BYTES as u64 + batch.body_bytes;
        zeros(offset + used, batch.span() - used)?;
        offset += batch.span();
    }
    Ok(())
}
