//! Segment files: names, lists, and reading one batch.

use std::path::{Path, PathBuf};

use inferlog_disk::{File, Fs, Open};

use super::format::{
    BATCH_HEADER_BYTES, BatchHeader, PAGE_BYTES, SegmentHeader, free_header, is_free_header,
};
use crate::error::{LogError, Result};

const LIVE: &str = "wal";
const SPARE: &str = "spare";

/// The path of a live segment.
pub fn segment_path(dir: &Path, incarnation: u64) -> PathBuf {
    dir.join(format!("{incarnation:016x}.{LIVE}"))
}

pub(super) fn spare_path(dir: &Path, incarnation: u64) -> PathBuf {
    dir.join(format!("{incarnation:016x}.{SPARE}"))
}

/// The segment files of a WAL directory.
#[derive(Debug, Default)]
pub struct Segments {
    /// Incarnations of live segments, ascending.
    pub live: Vec<u64>,
    /// Incarnations in the names of spare segments.
    pub spare: Vec<u64>,
}

impl Segments {
    /// Lists a WAL directory. Names that are not segments are an error: nothing else belongs there.
    pub fn list(fs: &dyn Fs, dir: &Path) -> Result<Self> {
        let mut segments = Self::default();
        for entry in fs.read_dir(dir)? {
            let parsed = entry.name.split_once('.').and_then(|(hex, kind)| {
                let number = (hex.len() == 16).then(|| u64::from_str_radix(hex, 16).ok()).flatten()?;
                Some((number, kind))
            });
            match parsed {
                Some((number, LIVE)) => segments.live.push(number),
                Some((number, SPARE)) => segments.spare.push(number),
                _ => {
                    return Err(LogError::damaged(
                        &entry.path,
                        0,
                        "this is not a WAL segment; move it elsewhere",
                    ));
                }
            }
        }
        segments.live.sort_unstable();
        Ok(segments)
    }

    /// Removes what the last life left over: spares, and live names whose content is settled. Returns an incarnation that
    /// is larger than any used so far.
    ///
    /// A rename whose sync failed may be readable and not durable, so that a settled segment comes back under its live name
    /// after a crash. Its header is therefore made to say so, durably, before any younger segment is settled.
    pub fn sweep(fs: &dyn Fs, dir: &Path) -> Result<u64> {
        let segments = Self::list(fs, dir)?;
        let mut last = segments.live.iter().chain(&segments.spare).max().copied().unwrap_or(0);
        let spares = segments.spare.iter().map(|number| (*number, spare_path(dir, *number)));
        let live = segments.live.iter().map(|number| (*number, segment_path(dir, *number)));
        for (number, path) in live.chain(spares) {
            let file = fs.open(&path, Open::Write)?;
            let mut page = vec![0; PAGE_BYTES as usize];
            let read = file.read_at(&mut page, 0)?;
            last = last.max(SegmentHeader::decode(&page[..read]).map_or(0, |header| header.incarnation));
            if segments.spare.contains(&number) || is_free_header(&page[..read]) {
                file.write_all_at(&free_header(), 0)?;
                file.sync_data()?;
                fs.remove_file(&path)?;
                fs.sync_dir(dir)?;
            }
        }
        Ok(last + 1)
    }
}

/// Reads batches of one segment.
#[derive(Debug)]
pub struct BatchReader {
    file: Box<dyn File>,
    path: PathBuf,
    len: u64,
    header: SegmentHeader,
    body: Vec<u8>,
}

impl BatchReader {
    /// Opens a live segment. A header that does not check is damage: it was durable before the segment got its name.
    /// `None` if the segment is settled.
    pub fn open(fs: &dyn Fs, dir: &Path, incarnation: u64, node: [u8; 16]) -> Result<Option<Self>> {
        let path = segment_path(dir, incarnation);
        let file = fs.open(&path, Open::Read)?;
        let len = file.len()?;
        let mut page = vec![0; PAGE_BYTES as usize];
        if len >= PAGE_BYTES {
            file.read_exact_at(&mut page, 0)?;
        }
        if is_free_header(&page) {
            return Ok(None);
        }
        let header = SegmentHeader::decode(&page)
            .filter(|header| header.incarnation == incarnation)
            .ok_or_else(|| LogError::damaged(&path, 0, "the header of this WAL segment does not check"))?;
        if header.node != node {
            return Err(LogError::damaged(&path, 8, "this WAL segment was written by another node"));
        }
        Ok(Some(Self { file, path, len, header, body: Vec::new() }))
    }

    /// The segment's header.
    pub fn header(&self) -> SegmentHeader {
        self.header
    }

    /// The segment's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The header of the batch at `offset`, if one that belongs to this incarnation stands there.
    pub fn header_at(&self, offset: u64) -> Result<Option<BatchHeader>> {
        let mut bytes = [0; BATCH_HEADER_BYTES];
        if offset.saturating_add(BATCH_HEADER_BYTES as u64) > self.len {
            return Ok(None);
        }
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(BatchHeader::decode(&bytes).filter(|header| {
            header.incarnation == self.header.incarnation && header.span() <= self.len - offset
        }))
    }

    /// The batch at `offset` if it is whole: its header and its frames. The frames borrow this reader's buffer.
    pub fn batch_at(&mut self, offset: u64) -> Result<Option<(BatchHeader, Vec<super::Frame<'_>>)>> {
        let Some(header) = self.header_at(offset)? else { return Ok(None) };
        // `span() <= len` bounds this by the file's size.
        self.body.resize(header.body_bytes as usize, 0);
        self.file.read_exact_at(&mut self.body, offset + BATCH_HEADER_BYTES as u64)?;
        Ok(super::format::frames(&header, &self.body).map(|frames| (header, frames)))
    }

    /// The first offset after `offset` at which the header of a batch later than `number` stands.
    pub fn later_batch(&self, offset: u64, number: u64) -> Result<Option<u64>> {
        let mut at = offset + PAGE_BYTES;
        while at < self.len {
            if self.header_at(at)?.is_some_and(|header| header.number > number) {
                return Ok(Some(at));
            }
            at += PAGE_BYTES;
        }
        Ok(None)
    }
}
