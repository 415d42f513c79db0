//! Appending batches.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use inferlog_disk::{DiskError, File, Fs, Open};
use parking_lot::Mutex;

use super::format::{BATCH_HEADER_BYTES, BatchHeader, PAGE_BYTES, SegmentHeader, free_header, put_frame};
use super::scan::{LiveSegment, Scan};
use super::segment::{BatchReader, Segments, segment_path, spare_path};
use crate::error::Result;
use crate::{Append, LogId};

/// The end of each segment is kept for appends with [`crate::Flags::RESERVED`], which may use it while no further segment
/// can be had, bytes. Others go on in a new segment, or are refused. An eighth of the segment where that is less.
pub const RESERVE_BYTES: u64 = 1 << 20;
/// The longest frame that may use the reserve, bytes: any entry without payloads. One that is committed alone takes 17
/// pages at most, so that the reserve holds 15 of the longest, and 256 of a page each; those that wait together share pages.
pub const RESERVED_FRAME_BYTES_MAX: u64 = 17 * PAGE_BYTES - BATCH_HEADER_BYTES as u64;

/// Spare segments kept for reuse; more are removed.
const SPARES_MAX: usize = 2;

/// One append with its place in its log.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    /// The log.
    pub log: LogId,
    /// The index the entry takes.
    pub index: u64,
    /// The entry and what was born with it.
    pub append: &'a Append,
}

/// Spare segments, shared by the writer, which takes them, and the integrator, which hands them back.
/// Only segments settled in this life are reused: of older ones it is not known which of their names are durable.
#[derive(Clone, Debug, Default)]
pub struct Spares {
    paths: Arc<Mutex<Vec<PathBuf>>>,
    /// Segments that are live, the one being written included.
    live: Arc<AtomicU64>,
}

impl Spares {
    /// Takes back a settled segment: it becomes a spare, or is removed. The caller retires the oldest first.
    pub fn retire(&self, fs: &dyn Fs, dir: &Path, incarnation: u64) -> Result<()> {
        let (live, spare) = (segment_path(dir, incarnation), spare_path(dir, incarnation));
        let keep = self.paths.lock().len() < SPARES_MAX;
        let file = fs.open(&live, Open::Write)?;
        file.write_all_at(&free_header(), 0)?;
        file.sync_data()?;
        if keep {
            fs.rename(&live, &spare)?;
        } else {
            fs.remove_file(&live)?;
        }
        // Synced before the next one is retired, so that no crash leaves a hole between live segments.
        fs.sync_dir(dir)?;
        self.live.fetch_sub(1, Ordering::Relaxed);
        if keep {
            self.paths.lock().push(spare);
        }
        Ok(())
    }
}

/// Writes batches to the end of the WAL. After an error from [`Writer::commit`] that is not [`Failure::NothingWritten`]
/// it must not be used again: what the failed call left behind is unknown until recovery has read it.
#[derive(Debug)]
pub struct Writer {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    node: [u8; 16],
    segment_bytes: u64,
    next_batch: u64,
    next_incarnation: u64,
    spares: Spares,
    current: Option<Current>,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Current {
    file: Box<dyn File>,
    incarnation: u64,
    offset: u64,
    len: u64,
}

/// Why a commit failed.
#[derive(Debug)]
pub enum Failure {
    /// No batch was begun: there was no room for a new segment. The writer is as it was.
    NothingWritten(crate::LogError),
    /// Part of the batch may be on disk, or all of it, or none.
    Unknown(crate::LogError),
}

impl Writer {
    /// A writer that goes on after what `scan` found: the last batch is first written into a new segment, for it may have
    /// been read back without being durable.
    pub fn resume(
        fs: Arc<dyn Fs>,
        dir: &Path,
        node: [u8; 16],
        segment_bytes: u64,
        scan: &Scan,
    ) -> Result<Self> {
        let mut writer = Self {
            dir: dir.to_owned(),
            node,
            // Whole pages, so that what fits by its length fits with its padding.
            segment_bytes: segment_bytes.div_ceil(PAGE_BYTES).saturating_mul(PAGE_BYTES),
            next_batch: scan.next_batch,
            next_incarnation: Segments::sweep(&*fs, dir)?,
            spares: Spares::default(),
            current: None,
            buffer: Vec::new(),
            fs,
        };
        let mut batch = Vec::new();
        if let Some((incarnation, offset, number)) = scan.last {
            writer.next_batch = number;
            let reader = BatchReader::open(&*writer.fs, dir, incarnation, node)?;
            let target = writer.next_incarnation;
            if let Some(mut reader) = reader
                && let Some((header, frames)) = reader.batch_at(offset)?
            {
                batch = reframe(&header, &frames, target);
            }
        }
        writer.spares.live.store(scan.segments.len() as u64, Ordering::Relaxed);
        writer.begin_segment(&batch)?;
        Ok(writer)
    }

    /// Makes one batch durable. On return all of it is; its position is after [`Writer::position`] as it was before.
    pub fn commit(&mut self, commits: &[Commit<'_>]) -> std::result::Result<(), Failure> {
        let body_bytes: usize = commits.iter().map(|commit| super::format::frame_bytes(commit.append)).sum();
        let mut header = BatchHeader {
            frames: commits.len() as u32,
            number: self.next_batch,
            incarnation: 0,
            body_bytes: body_bytes as u64,
        };
        if self.left(self.reserve()) < header.span() {
            let is_reserved = commits.iter().all(|commit| commit.append.may_use_reserve());
            match self.go_on() {
                Err(Failure::NothingWritten(_)) if is_reserved && self.left(0) >= header.span() => {}
                other => other?,
            }
        }
        let Some(current) = &mut self.current else { return Ok(()) };
        header.incarnation = current.incarnation;
        self.buffer.clear();
        self.buffer.extend_from_slice(&header.encode());
        for commit in commits {
            put_frame(
                &mut self.buffer,
                commit.append,
                commit.log,
                commit.index,
                current.incarnation,
                self.next_batch,
            );
        }
        self.buffer.resize(header.span() as usize, 0);
        // A crash here leaves any part of the batch; recovery takes it whole or not at all.
        let written =
            current.file.write_all_at(&self.buffer, current.offset).and_then(|()| current.file.sync_data());
        written.map_err(|error| Failure::Unknown(error.into()))?;
        current.offset += header.span();
        self.next_batch += 1;
        if self.buffer.capacity() > BUFFER_KEEP_BYTES_MAX {
            self.buffer = Vec::new();
        }
        Ok(())
    }

    /// The segment being written and the offset after its last durable batch.
    pub fn position(&self) -> LiveSegment {
        self.current.as_ref().map_or(LiveSegment { incarnation: 0, end: 0 }, |current| LiveSegment {
            incarnation: current.incarnation,
            end: current.offset,
        })
    }

    /// Where settled segments are handed back for reuse.
    pub fn spares(&self) -> Spares {
        self.spares.clone()
    }

    /// The largest append that fits a segment, bytes of its frame.
    pub fn frame_bytes_max(&self) -> u64 {
        let others = PAGE_BYTES + BATCH_HEADER_BYTES as u64 + self.reserve();
        // A frame's length has four bytes.
        self.segment_bytes.saturating_sub(others).min(u32::MAX.into())
    }

    /// Bytes of frames that one batch of [`crate::Flags::RESERVED`] appends can still have without a new segment.
    pub fn reserved_bytes_left(&self) -> u64 {
        self.left(0).saturating_sub(BATCH_HEADER_BYTES as u64)
    }

    /// Bytes at the end of each segment that are kept.
    fn reserve(&self) -> u64 {
        RESERVE_BYTES.min(self.segment_bytes / 8) / PAGE_BYTES * PAGE_BYTES
    }

    /// Bytes left in the segment being written, but for the last `kept`.
    fn left(&self, kept: u64) -> u64 {
        self.current.as_ref().map_or(0, |current| current.len.saturating_sub(kept + current.offset))
    }

    /// Goes on in a new segment.
    fn go_on(&mut self) -> std::result::Result<(), Failure> {
        let next = segment_path(&self.dir, self.next_incarnation);
        self.make_room().and_then(|()| self.begin_segment(&[])).map_err(|error| {
            // A segment that has its name supersedes what would still be written to the one before.
            match error.is_full() && self.fs.exists(&next).is_ok_and(|exists| !exists) {
                true => Failure::NothingWritten(error),
                false => Failure::Unknown(error),
            }
        })
    }

    /// Refuses a new segment that would leave no room to settle it: what the live segments hold is written once more, as
    /// packs and bundles, before their space comes back. Without this a full disk could never drain.
    fn make_room(&self) -> Result<()> {
        let live = self.spares.live.load(Ordering::Relaxed);
        let new = u64::from(self.spares.paths.lock().is_empty());
        let needed = (live + new).saturating_mul(self.segment_bytes);
        let free = self.fs.free_bytes(&self.dir)?;
        if free < needed {
            let why = format!(
                "{free} bytes are free, and {needed} are needed to go on and to settle what is written"
            );
            let full = std::io::Error::new(std::io::ErrorKind::StorageFull, why);
            return Err(DiskError::new("begin a segment in", &self.dir, full).into());
        }
        Ok(())
    }

    /// Begins a segment whose first batch is `batch` (already framed for the next incarnation) or the next commit.
    fn begin_segment(&mut self, batch: &[u8]) -> Result<()> {
        let incarnation = self.next_incarnation;
        let needed = self.segment_bytes.max(PAGE_BYTES + batch.len() as u64 + self.reserve());
        let spare = match self.spares.paths.lock().last() {
            Some(path) => path.clone(),
            None => spare_path(&self.dir, incarnation),
        };
        let file = match self.fs.open(&spare, Open::Write) {
            Err(error) if error.is_not_found() => self.fs.open(&spare, Open::CreateNew)?,
            other => other?,
        };
        file.allocate(needed)?;
        let len = file.len()?.max(needed);
        let header = SegmentHeader { node: self.node, incarnation, first_batch: self.next_batch };
        file.write_all_at(&header.encode(), 0)?;
        if !batch.is_empty() {
            file.write_all_at(batch, PAGE_BYTES)?;
        }
        file.sync_data()?;
        // A crash before the directory is synced leaves a spare, or a live segment that holds nothing but what older
        // ones hold too: both mean the same.
        self.fs.rename(&spare, &segment_path(&self.dir, incarnation))?;
        self.fs.sync_dir(&self.dir)?;
        self.spares.paths.lock().retain(|path| *path != spare);
        self.next_incarnation += 1;
        self.spares.live.fetch_add(1, Ordering::Relaxed);
        self.next_batch += u64::from(!batch.is_empty());
        self.current = Some(Current { file, incarnation, offset: PAGE_BYTES + batch.len() as u64, len });
        Ok(())
    }
}

/// A commit buffer larger than this is given back after use.
const BUFFER_KEEP_BYTES_MAX: usize = 4 << 20;

/// The same frames as a batch of another segment.
fn reframe(header: &BatchHeader, frames: &[super::Frame<'_>], incarnation: u64) -> Vec<u8> {
    let header = BatchHeader { incarnation, ..*header };
    let mut out = Vec::with_capacity(header.span() as usize);
    out.extend_from_slice(&header.encode());
    for frame in frames {
        put_frame(&mut out, &Append::from_frame(frame), frame.log, frame.index, incarnation, header.number);
    }
    out.resize(header.span() as usize, 0);
    out
}
