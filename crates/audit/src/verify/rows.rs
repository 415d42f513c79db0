//! The rows of a pack's index, handed out in order to whoever checks the pack.
//!
//! An index file is derived, and may be damaged; the pack beside it carries a checksum per record. So rows say where to cut a
//! pack into slices that several threads check, and every cut is held against the records on both sides of it.

use std::collections::VecDeque;
use std::sync::Arc;

use inferlog_disk::{File, Fs, Open, Result as DiskResult};
use inferlog_log::packs::{PACK_HEADER_BYTES, PACK_INDEX_BYTES, PackName};

use super::record::Records;
use crate::report::{FaultKind, Sink};

/// Rows read at once.
const ROWS_READ: u64 = 4096;
const ROW_BYTES: u64 = PACK_INDEX_BYTES as u64;

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Index of the entry that the payload was born with.
    pub(super) index: u64,
    /// Offset of the record in the pack.
    pub(super) offset: u64,
    /// Number of the row in the index file; `None` where the file has none and the pack itself was asked.
    pub(super) position: Option<u64>,
}

impl Row {
    /// Where in the index file the row stands.
    pub(super) fn at(&self) -> Option<u64> {
        self.position.map(|position| position * ROW_BYTES)
    }
}

/// An open pack and how much of it counts.
#[derive(Debug)]
pub(super) struct Pack {
    pub(super) name: PackName,
    pub(super) file: Box<dyn File>,
    /// Bytes that count: all, or up to where `state` says.
    pub(super) len: u64,
    /// Whether it holds what was kept when the pack was purged.
    pub(super) is_kept: bool,
}

/// A run of records, all of entries of one unit of work.
#[derive(Debug)]
pub(super) struct Slice {
    pub(super) pack: Arc<Pack>,
    /// The row before the first, if there is one.
    pub(super) before: Option<Row>,
    pub(super) rows: Vec<Row>,
    /// Where the next slice begins; the pack's length after the last one.
    pub(super) end: u64,
    /// Whether no slice follows.
    pub(super) is_last: bool,
}

/// Hands out the rows of one pack.
#[derive(Debug)]
pub(super) struct Rows {
    pack: Arc<Pack>,
    index: Option<Box<dyn File>>,
    /// Rows in the index file that count, and how many of them were read.
    count: u64,
    position: u64,
    ahead: VecDeque<Row>,
    /// The last row read, and the last handed out.
    tail: Option<Row>,
    last: Option<Row>,
    is_done: bool,
}

impl Rows {
    /// Opens a pack and its index up to the lengths that count (`None`: all of both). Reports what is missing.
    pub(super) fn open(
        fs: &Arc<dyn Fs>,
        name: PackName,
        lens: Option<(u64, u64)>,
        is_kept: bool,
        sink: Sink<'_>,
    ) -> DiskResult<Self> {
        let file = fs.open(&name.pack, Open::Read)?;
        let found = file.len()?;
        let (pack_len, index_len) = lens.unwrap_or((found, u64::MAX));
        if found < pack_len {
            let what = format!("this pack has {found} bytes; {pack_len} were durable");
            sink.byte(&name.pack, found, FaultKind::Pack, what);
        }
        let index = match fs.open(&name.index, Open::Read) {
            // Replaced at another time than its pack, and a hint: the pack itself is asked.
            _ if is_kept => None,
            Ok(index) => Some(index),
            Err(error) => {
                sink.file(&name.index, FaultKind::PackIndex, error.to_string());
                None
            }
        };
        let index_len = index.as_ref().map_or(Ok(0), |index| index.len())?.min(index_len);
        let count = index_len / ROW_BYTES;
        if index_len % ROW_BYTES != 0 {
            sink.byte(&name.index, count * ROW_BYTES, FaultKind::PackIndex, "the index ends within a row");
        }
        let pack = Arc::new(Pack { name, file, len: pack_len.min(found), is_kept });
        let ahead = VecDeque::new();
        Ok(Self { pack, index, count, position: 0, ahead, tail: None, last: None, is_done: false })
    }

    /// The pack.
    pub(super) fn pack(&self) -> &Pack {
        &self.pack
    }

    /// Whether every record was handed out.
    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    /// The records of entries below `end`, from where the last slice ended; `None` if there are none.
    pub(super) fn slice(&mut self, end: u64, sink: Sink<'_>) -> DiskResult<Option<Slice>> {
        let (before, mut rows) = (self.last, Vec::new());
        while let Some(row) = self.next(sink)? {
            if row.index >= end && self.truly(row)?.is_none_or(|index| index >= end) {
                self.ahead.push_front(row);
                break;
            }
            rows.push(row);
        }
        // A damaged row may have claimed an entry before the cut whose record is of one after it.
        while let Some(row) = rows.last().copied()
            && self.truly(row)?.is_some_and(|index| index >= end)
        {
            rows.pop();
            self.ahead.push_front(row);
        }
        let next = self.next(sink)?;
        next.into_iter().for_each(|row| self.ahead.push_front(row));
        if rows.is_empty() && (next.is_some() || self.is_done) {
            return Ok(None);
        }
        self.last = rows.last().copied().or(before);
        self.is_done = next.is_none();
        let end = next.map_or(self.pack.len, |row| row.offset);
        Ok(Some(Slice { pack: self.pack.clone(), before, rows, end, is_last: next.is_none() }))
    }

    /// The entry of the record that a row points to, where the record contradicts the row and checks; else what the row says.
    fn truly(&self, row: Row) -> DiskResult<Option<u64>> {
        let mut records = Records::new(&self.pack, 0);
        match records.header(row.offset)? {
            Some(header) if header.index == row.index => Ok(Some(row.index)),
            _ => Ok(records.read(row.offset)?.map(|record| record.header.index)),
        }
    }

    fn next(&mut self, sink: Sink<'_>) -> DiskResult<Option<Row>> {
        if let Some(row) = self.ahead.pop_front() {
            return Ok(Some(row));
        }
        if self.position < self.count {
            self.read_rows()?;
            return Ok(self.ahead.pop_front());
        }
        let row = self.next_in_pack()?;
        if let (Some(_), Some(Row { position: Some(_), .. }) | None, false) =
            (row, self.tail, self.pack.is_kept)
        {
            let what = "the index ends before its pack does";
            sink.byte(&self.pack.name.index, self.count * ROW_BYTES, FaultKind::PackIndex, what);
        }
        self.tail = row.or(self.tail);
        Ok(row)
    }

    fn read_rows(&mut self) -> DiskResult<()> {
        let count = ROWS_READ.min(self.count - self.position);
        let mut bytes = vec![0; (count * ROW_BYTES) as usize];
        if let Some(index) = &self.index {
            index.read_exact_at(&mut bytes, self.position * ROW_BYTES)?;
        }
        for row in bytes.chunks_exact(PACK_INDEX_BYTES) {
            let word = |at: usize| {
                row.get(at..).and_then(|word| word.first_chunk()).map_or(0, |word| u64::from_be_bytes(*word))
            };
            let row = Row { index: word(0), offset: word(8), position: Some(self.position) };
            self.ahead.push_back(row);
            self.tail = Some(row);
            self.position += 1;
        }
        Ok(())
    }

    /// The record after the last row, as the pack itself says: where an index is cut short or gone.
    fn next_in_pack(&self) -> DiskResult<Option<Row>> {
        let mut records = Records::new(&self.pack, 0);
        let at = match self.tail {
            Some(tail) => match records.read(tail.offset)? {
                Some(record) => tail.offset + record.header.span(),
                None => return Ok(None),
            },
            None => PACK_HEADER_BYTES as u64,
        };
        let record = records.read(at)?;
        Ok(record.map(|record| Row { index: record.header.index, offset: at, position: None }))
    }
}
