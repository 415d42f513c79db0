//! The bare floor: one thread that writes and syncs the same bytes in the same batches as the Recorder just did.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use inferlog_disk::{File, Fs, Open};

use super::measure::percentile;
use crate::output::Failure;

/// Bytes of batches to read back and write again.
const BATCHES_BYTES_MAX: usize = 48 << 20;
/// Length of the file written to, bytes: that of a WAL segment.
const FILE_BYTES: u64 = 64 << 20;
const PAGE_BYTES: usize = 4_096;
/// docs/format.md, section 3.
const BATCH_MAGIC: &[u8] = b"ILBT";

/// Batches as they stand in a write-ahead log.
pub(crate) struct Batches {
    bytes: Vec<u8>,
    /// Where each begins and ends in `bytes`, and how many frames it has.
    spans: Vec<(usize, usize, u32)>,
}

/// What the bare disk did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Floor {
    pub(crate) frames_per_second: f64,
    /// Of one write and its sync, microseconds.
    pub(crate) p50_us: f64,
}

impl Batches {
    /// The batches of the write-ahead log in `dir` with a number above `after`, as far as they are still there; read by the
    /// format's description alone.
    pub(crate) fn read(dir: &Path, after: u64) -> Result<Self, Failure> {
        let mut batches = Self { bytes: Vec::new(), spans: Vec::new() };
        for segment in segments(dir)?.iter().rev() {
            walk(&std::fs::read(segment)?, |number, frames, batch| {
                if number > after && batches.bytes.len() < BATCHES_BYTES_MAX {
                    let start = batches.bytes.len();
                    batches.bytes.extend_from_slice(batch);
                    batches.spans.push((start, batches.bytes.len(), frames));
                }
            });
        }
        match batches.spans.is_empty() {
            true => Err(Failure::new("the write-ahead log holds no batch to measure the bare disk with")),
            false => Ok(batches),
        }
    }

    /// Number of the newest batch; 0 if there is none.
    pub(crate) fn newest(dir: &Path) -> Result<u64, Failure> {
        let mut newest = 0;
        for segment in segments(dir)? {
            walk(&std::fs::read(segment)?, |number, _, _| newest = newest.max(number));
        }
        Ok(newest)
    }
}

/// The file that batches are written to: preallocated, and every block of it written once before, as those of a segment are
/// that the Recorder uses again.
pub(crate) struct FloorFile {
    file: Box<dyn File>,
    at: u64,
}

impl FloorFile {
    pub(crate) fn create(fs: &dyn Fs, dir: &Path) -> Result<Self, Failure> {
        let file = fs.open(&dir.join("floor"), Open::CreateNew)?;
        file.allocate(FILE_BYTES)?;
        let zeros = vec![0; 1 << 20];
        for at in (0..FILE_BYTES).step_by(zeros.len()) {
            file.write_all_at(&zeros, at)?;
        }
        file.sync_data()?;
        fs.sync_dir(dir)?;
        Ok(Self { file, at: 0 })
    }

    /// Writes and syncs the batches, one after the other, again and again, for so long.
    pub(crate) fn replay(&mut self, batches: &Batches, time: Duration) -> Result<Floor, Failure> {
        let (began, mut frames, mut waits) = (Instant::now(), 0u64, Vec::new());
        for (start, end, count) in batches.spans.iter().cycle() {
            let batch = &batches.bytes[*start..*end];
            if self.at + batch.len() as u64 > FILE_BYTES {
                self.at = 0;
            }
            let write_began = Instant::now();
            self.file.write_all_at(batch, self.at)?;
            self.file.sync_data()?;
            waits.push(write_began.elapsed().as_micros().try_into().unwrap_or(u32::MAX));
            self.at += batch.len() as u64;
            frames += u64::from(*count);
            if began.elapsed() >= time {
                break;
            }
        }
        let frames_per_second = frames as f64 / began.elapsed().as_secs_f64();
        Ok(Floor { frames_per_second, p50_us: percentile(&mut waits, 500).into() })
    }
}

/// Live segments, oldest first.
fn segments(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(dir.join("wal"))?;
    let mut segments: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    segments.retain(|path| path.extension().is_some_and(|ending| ending == "wal"));
    segments.sort();
    Ok(segments)
}

/// Gives number, frames and bytes of each batch of a segment.
fn walk(segment: &[u8], mut visit: impl FnMut(u64, u32, &[u8])) {
    let field = |at: usize, len: usize| segment.get(at..at + len);
    let number =
        |at, len| field(at, len).map_or(0, |bytes| bytes.iter().fold(0u64, |n, b| n << 8 | u64::from(*b)));
    let (mut at, incarnation) = (PAGE_BYTES, number(24, 8));
    // A recycled segment holds batches of its former life behind those of this one.
    while field(at, 4) == Some(BATCH_MAGIC) && number(at + 16, 8) == incarnation {
        let span = (40 + number(at + 24, 8) as usize).next_multiple_of(PAGE_BYTES);
        let Some(batch) = field(at, span) else { return };
        visit(number(at + 8, 8), number(at + 4, 4) as u32, batch);
        at += span;
    }
}
