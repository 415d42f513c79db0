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

/// A running node recycles segments under the reader: it is read again, so often at most.
const ATTEMPTS: usize = 20;
/// Bytes of a segment header that mean something; the rest of its page is zero.
const HEADER_BYTES: usize = 44;

/// Entries of a log that are integrated, by log.
pub(super) type Settled = BTreeMap<[u8; 16], u64>;

/// A write-ahead log under verification.
pub(super) struct Wal<'a> {
    pub(super) fs: &'a dyn Fs,
    /// The data directory.
    pub(super) dir: &'a Path,
    /// What is integrated, as read before.
    pub(super) settled: &'a Settled,
    /// The same, as it is when asked.
    pub(super) settled_now: &'a dyn Fn() -> Settled,
    pub(super) sink: Sink<'a>,
}

impl Wal<'_> {
    /// Checks the WAL. `node` is what the file `node` says, if it checks.
    pub(super) fn check(&self, node: Option<[u8; 16]>) {
        let wal = self.dir.join("wal");
        if !self.sink.exists(self.fs, &wal) {
            let what = "there is no write-ahead log here: what was not yet integrated is not in this copy";
            return self.sink.notice(what);
        }
        let writers = writers(self.fs, &wal);
        let writer = node.filter(|node| writers.contains(node)).or(writers.first().copied());
        if let (Some(node), Some(writer)) = (node, writer)
            && node != writer
        {
            let what =
                format!("the node's id is not the one in its write-ahead log, {}", hex::encode(writer));
            self.sink.file(&self.dir.join("node"), FaultKind::Identity, what);
        }
        let Some(node) = writer.or(node) else { return };
        // Damage stays where it is; what a running node changes meanwhile does not.
        let mut last: Option<String> = None;
        for _ in 0..ATTEMPTS {
            let mut seen = Seen::default();
            let found = scan(self.fs, &wal, node, |frame, path, offset| {
                seen.frame(frame.log, frame.index, self.settled, path, offset);
                Ok(())
            });
            match found {
                Ok(found) => return self.report(seen, &wal, node, &found),
                Err(LogError::Disk(error)) if error.is_not_found() => {}
                Err(error) if last.as_ref() == Some(&error.to_string()) => {
                    return self.sink.error(&wal, FaultKind::Wal, &error);
                }
                Err(error) => last = Some(error.to_string()),
            }
        }
        self.sink.notice("the write-ahead log changed too fast to be checked: stop the node, or try again");
    }

    fn report(&self, seen: Seen, wal: &Path, node: [u8; 16], found: &Scan) {
        let (fs, sink) = (self.fs, self.sink);
        for (path, offset, what) in &seen.gaps {
            sink.byte(path, *offset, FaultKind::Wal, what.as_str());
        }
        if !seen.begins.is_empty() {
            let now = (self.settled_now)();
            for (log, index, path, offset) in &seen.begins {
                if let Some(settled) = now.get(&log.0).filter(|settled| index > *settled) {
                    let what = format!("log {log:?} begins at entry {index}; {settled} are integrated");
                    sink.byte(path, *offset, FaultKind::Wal, what);
                }
            }
        }
        for segment in &found.segments {
            self.check_zeros(wal, node, *segment);
        }
        if seen.unsettled > 0 {
            let what = "entries are durable in the write-ahead log and not yet under a checkpoint";
            sink.notice(format!("{} {what}", seen.unsettled));
        }
        let Some(end) = found.segments.last() else {
            return sink.notice("the write-ahead log has no live segment");
        };
        let path = segment_path(wal, end.incarnation);
        // Segments go oldest first: if one frame of a log is live, all that follow it are.
        let lost = seen
            .next
            .iter()
            .find(|(log, next)| self.settled.get(*log).is_some_and(|settled| settled > *next));
        let torn = torn_end(fs, &path, *end, found.next_batch, self.settled);
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

    /// No checksum covers what is zero: after the segment's header, and between a batch's frames and the next page.
    fn check_zeros(&self, wal: &Path, node: [u8; 16], segment: LiveSegment) {
        let path = segment_path(wal, segment.incarnation);
        let found = not_zero(self.fs, wal, node, segment);
        // Recycled meanwhile: it lost its name before it was written to.
        if !self.fs.exists(&path).unwrap_or(true) {
            return;
        }
        match found {
            Ok(None) => {}
            Ok(Some(at)) => self.sink.byte(&path, at, FaultKind::Wal, "this byte of padding is not zero"),
            Err(error) => self.sink.error(&path, FaultKind::Wal, &error),
        }
    }
}

/// The nodes that the live segments name, whose headers carry a checksum.
fn writers(fs: &dyn Fs, wal: &Path) -> Vec<[u8; 16]> {
    let live = Segments::list(fs, wal).map_or(Vec::new(), |segments| segments.live);
    let node = |incarnation: &u64| {
        let mut page = vec![0; PAGE_BYTES as usize];
        let read = fs.open(&segment_path(wal, *incarnation), Open::Read).ok()?.read_at(&mut page, 0).ok()?;
        Some(SegmentHeader::decode(page.get(..read)?)?.node)
    };
    live.iter().filter_map(node).collect()
}

/// What the frames say.
#[derive(Debug, Default)]
struct Seen {
    /// Index after the last frame of each log.
    next: BTreeMap<[u8; 16], u64>,
    unsettled: u64,
    gaps: Vec<(PathBuf, u64, String)>,
    /// Logs whose first frame is beyond what was integrated when that was read.
    begins: Vec<(LogId, u64, PathBuf, u64)>,
}

impl Seen {
    fn frame(&mut self, log: LogId, index: u64, settled: &Settled, path: &Path, offset: u64) {
        match (self.next.get(&log.0), settled.get(&log.0)) {
            (Some(next), _) if index != *next => {
                let what = format!("log {log:?} goes on at entry {index} instead of {next}");
                self.gaps.push((path.to_owned(), offset, what));
            }
            (None, Some(settled)) if index > *settled => {
                self.begins.push((log, index, path.to_owned(), offset))
            }
            _ => {}
        }
        self.next.insert(log.0, index.saturating_add(1));
        self.unsettled += u64::from(settled.get(&log.0).is_some_and(|settled| index >= *settled));
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

/// The first byte of a segment that should be zero and is not.
fn not_zero(fs: &dyn Fs, wal: &Path, node: [u8; 16], segment: LiveSegment) -> Result<Option<u64>, LogError> {
    let file = fs.open(&segment_path(wal, segment.incarnation), Open::Read)?;
    let search = |from: u64, length: u64| -> Result<Option<u64>, LogError> {
        let mut bytes = vec![0; length as usize];
        file.read_exact_at(&mut bytes, from)?;
        Ok(bytes.iter().position(|byte| *byte != 0).map(|at| from + at as u64))
    };
    // `None`: settled while this was read.
    let Some(reader) = BatchReader::open(fs, wal, segment.incarnation, node)? else { return Ok(None) };
    let mut found = search(HEADER_BYTES as u64, PAGE_BYTES - HEADER_BYTES as u64)?;
    let mut offset = PAGE_BYTES;
    while found.is_none()
        && offset < segment.end
        && let Some(batch) = reader.header_at(offset)?
    {
        let used = BATCH_HEADER_BYTES as u64 + batch.body_bytes;
        found = search(offset + used, batch.span() - used)?;
        offset += batch.span();
    }
    Ok(found)
}
