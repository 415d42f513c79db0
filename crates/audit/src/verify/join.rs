//! Entries and packs side by side: each present payload has its record, each record its entry (promise 10).

use inferlog_disk::Result as DiskResult;
use inferlog_log::packs::PACK_HEADER_BYTES;

use super::record::{Record, Records};
use super::rows::{Row, Slice};
use crate::report::{FaultKind, Sink};

/// A payload that an entry says is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expect {
    /// The entry.
    pub(super) index: u64,
    pub(super) payload: [u8; 16],
    /// SHA-256 of its sealed bytes.
    pub(super) sealed: [u8; 32],
    pub(super) is_met: bool,
    /// Whether it was met in a pack, in what was kept of one: a purge that did not end leaves both.
    pub(super) places: [bool; 2],
}

/// The expectations of some entries for one retention class and day, ascending by entry, and what was found for them.
#[derive(Debug)]
pub(super) struct Join<'a> {
    pub(super) sink: Sink<'a>,
    pub(super) expects: &'a mut [Expect],
    /// Entries that could not be read, whose payloads nobody can name.
    pub(super) unread: &'a [u64],
    hint: usize,
    /// Payloads found and right.
    pub(super) met: u64,
    /// Of these, those found in what was kept.
    pub(super) kept: u64,
    /// Entries with a damaged record: what is missing of them was reported with the record.
    pub(super) damaged: Vec<u64>,
}

impl<'a> Join<'a> {
    pub(super) fn new(sink: Sink<'a>, expects: &'a mut [Expect], unread: &'a [u64]) -> Self {
        Self { sink, expects, unread, hint: 0, met: 0, kept: 0, damaged: Vec::new() }
    }

    /// Walks the records of a slice from one to the next and holds the index's rows against them. Where a record does not
    /// check, the next row says where to go on.
    pub(super) fn slice(&mut self, slice: &Slice) -> DiskResult<()> {
        let pack = &slice.pack;
        let mut records = Records::new(pack, slice.end);
        let mut at = match slice.before {
            None => PACK_HEADER_BYTES as u64,
            Some(before) => match records.read(before.offset)? {
                Some(record) => before.offset + record.header.span(),
                // Reported with its own slice.
                None => slice.rows.first().map_or(slice.end, |row| row.offset),
            },
        };
        for (number, row) in slice.rows.iter().enumerate() {
            let next = slice.rows.get(number + 1).map_or(slice.end, |row| row.offset);
            at = self.row(slice, &mut records, *row, at, next)?;
        }
        while slice.is_last && at < pack.len {
            let Some(record) = records.read(at)? else {
                self.sink.byte(
                    &pack.name.pack,
                    at,
                    FaultKind::Pack,
                    "what follows here is no payload record",
                );
                return Ok(());
            };
            self.visit(slice, record, at);
            at += record.header.span();
        }
        Ok(())
    }

    /// Checks one row and its record, which should stand at `at`. Returns where the next record should stand.
    fn row(
        &mut self,
        slice: &Slice,
        records: &mut Records<'_>,
        row: Row,
        at: u64,
        next: u64,
    ) -> DiskResult<u64> {
        let mut at = at;
        while at != row.offset {
            match records.read(at)? {
                Some(record)
                    if record.header.index == row.index
                        || row.offset < at
                        || row.offset >= slice.pack.len =>
                {
                    self.misfit(slice, row, "this row points to a place where no record begins");
                    break;
                }
                Some(record) => {
                    self.misfit(slice, row, "the index leaves out a record before this row");
                    self.visit(slice, record, at);
                    at += record.header.span();
                }
                None => {
                    if at < slice.pack.len {
                        self.damage(slice, row.index, at);
                        at = row.offset;
                        break;
                    }
                    self.misfit(slice, row, "this row points beyond its pack");
                    return Ok(at);
                }
            }
        }
        match records.read(at)? {
            Some(record) => {
                if record.header.index != row.index {
                    self.misfit(slice, row, "this row names another entry than its record does");
                }
                self.visit(slice, record, at);
                Ok(at + record.header.span())
            }
            None => {
                self.damage(slice, row.index, at);
                Ok(next)
            }
        }
    }

    fn visit(&mut self, slice: &Slice, record: Record, at: u64) {
        let index = record.header.index;
        if self.expects.get(self.hint).is_none_or(|expect| expect.index != index) {
            self.hint = self.expects.partition_point(|expect| expect.index < index);
        }
        let rest = self.expects.get_mut(self.hint..).unwrap_or_default();
        let mut group = rest.iter_mut().take_while(|expect| expect.index == index);
        let (pack, place) = (&slice.pack.name.pack, usize::from(slice.pack.is_kept));
        match group.find(|expect| expect.payload == record.header.payload && !expect.places[place]) {
            Some(expect) if expect.sealed == record.sha256 => {
                self.met += u64::from(!expect.is_met);
                self.kept += u64::from(slice.pack.is_kept && !expect.is_met);
                expect.is_met = true;
                expect.places[place] = true;
            }
            Some(expect) => {
                expect.is_met = true;
                expect.places[place] = true;
                let what = "the SHA-256 of these sealed bytes is not the one that the entry holds";
                self.sink.entry(pack, at, index, FaultKind::Pack, what);
            }
            None if self.unread.binary_search(&index).is_ok() => {}
            None => {
                let what = "no entry refers to this payload, or one refers to it twice";
                self.sink.entry(pack, at, index, FaultKind::UnreferencedPayload, what);
            }
        }
    }

    fn damage(&mut self, slice: &Slice, index: u64, at: u64) {
        self.damaged.push(index);
        self.sink.entry(
            &slice.pack.name.pack,
            at,
            index,
            FaultKind::Pack,
            "this payload record does not check",
        );
    }

    fn misfit(&self, slice: &Slice, row: Row, what: &str) {
        match row.at() {
            Some(at) => self.sink.byte(&slice.pack.name.index, at, FaultKind::PackIndex, what),
            None => self.sink.file(&slice.pack.name.index, FaultKind::PackIndex, what),
        }
    }
}
