//! Reading a WAL from its start: what is there, where it ends, and whether what lies before the end is whole.

use std::path::Path;

use inferlog_disk::Fs;

use super::format::{Frame, PAGE_BYTES};
use super::segment::{BatchReader, Segments};
use crate::error::{LogError, Result};

/// A live segment as far as it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveSegment {
    /// Its incarnation, and name.
    pub incarnation: u64,
    /// The offset after its last batch that counts.
    pub end: u64,
}

/// What a scan found.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// Live segments, oldest first.
    pub segments: Vec<LiveSegment>,
    /// Segment, offset and number of the last whole batch. It alone may have been read back without being durable.
    pub last: Option<(u64, u64, u64)>,
    /// The number that the next batch takes.
    pub next_batch: u64,
}

/// Walks all batches that count, oldest first, and gives each frame to `visit` with the number of its batch.
///
/// # Errors
/// [`LogError::Damaged`] where a batch that was durable does not check, with file and offset; whatever `visit` returns.
pub fn scan(
    fs: &dyn Fs,
    dir: &Path,
    node: [u8; 16],
    mut visit: impl FnMut(&Frame<'_>, &Path, u64) -> Result<()>,
) -> Result<Scan> {
    // Opened one at a time: a node that could not integrate for long has more segments than a process has open files.
    let (mut live, mut firsts) = (Vec::new(), Vec::new());
    for incarnation in Segments::list(fs, dir)?.live {
        if let Some(reader) = BatchReader::open(fs, dir, incarnation, node)? {
            live.push(incarnation);
            firsts.push(reader.header().first_batch);
        }
    }
    // Not the oldest segment's: one that was begun and never written to may claim a later batch than its successor.
    let mut found = Scan { next_batch: firsts.iter().min().copied().unwrap_or(1), ..Scan::default() };
    for (position, incarnation) in live.into_iter().enumerate() {
        // The oldest claim on a batch number by any later segment ends what counts in this one.
        let superseded = firsts[position + 1..].iter().min().copied();
        let Some(mut reader) = BatchReader::open(fs, dir, incarnation, node)? else { continue };
        let end = scan_segment(&mut reader, superseded, &mut found, &mut visit)?;
        found.segments.push(LiveSegment { incarnation, end });
    }
    Ok(found)
}

/// Walks one segment up to (excluding) batch `superseded`, or to the torn end.
fn scan_segment(
    reader: &mut BatchReader,
    superseded: Option<u64>,
    found: &mut Scan,
    visit: &mut impl FnMut(&Frame<'_>, &Path, u64) -> Result<()>,
) -> Result<u64> {
    let header = reader.header();
    let path = reader.path().to_owned();
    if header.first_batch != found.next_batch && superseded.is_none_or(|first| first > header.first_batch) {
        return Err(LogError::damaged(&path, 32, "the batches before this WAL segment are missing"));
    }
    let mut offset = PAGE_BYTES;
    while superseded.is_none_or(|first| found.next_batch < first) {
        let number = found.next_batch;
        let Some((batch, frames)) = reader.batch_at(offset)?.filter(|(batch, _)| batch.number == number)
        else {
            break;
        };
        for frame in &frames {
            visit(frame, &path, offset)?;
        }
        found.last = Some((header.incarnation, offset, number));
        found.next_batch += 1;
        offset += batch.span();
    }
    // Where a later segment says from which batch it goes on, every batch before it was durable.
    if superseded.is_some_and(|first| found.next_batch < first) {
        return Err(LogError::damaged(&path, offset, "a batch of the WAL that was durable does not check"));
    }
    if superseded.is_none()
        && let Some(later) = reader.later_batch(offset.saturating_sub(PAGE_BYTES), found.next_batch)?
    {
        let what =
            format!("a batch of the WAL that was durable does not check (a later one is at offset {later})");
        return Err(LogError::damaged(&path, offset, &what));
    }
    Ok(offset)
}
