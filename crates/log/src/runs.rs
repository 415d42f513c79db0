//! A log read through, bundle by bundle.

use std::collections::VecDeque;

use inferlog_merkle::{TILE_WIDTH, encode_entry, entries};

use crate::reader::{LogReader, ReadError};
use crate::{LogDir, kept};

const WIDTH: u64 = TILE_WIDTH as u64;
/// Of so many bundles at most it is looked for each whether something was kept; of more, what was kept is listed.
const PROBED_BUNDLES_MAX: u64 = 16;

/// Entries that follow each other, as a bundle holds them: what a bundle has, or a part of what was kept of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Index of the first.
    pub first: u64,
    bytes: Vec<u8>,
    /// Where the first begins in `bytes`.
    start: usize,
}

impl Run {
    /// The entries' bytes, each after its length (c2sp.org/tlog-tiles, Log entries).
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// The entries, with their indices.
    pub fn entries(&self) -> impl Iterator<Item = Result<(u64, &[u8]), ReadError>> {
        (self.first..).zip(entries(self.bytes())).map(|(index, entry)| match entry {
            Ok(entry) => Ok((index, entry)),
            Err(_) => Err(ReadError::Malformed(format!("entry {index}"))),
        })
    }
}

/// The entries of a log from one on: first those that were kept of what was pruned, then all. See [`LogReader::bundles`].
#[derive(Debug)]
pub struct Runs {
    reader: LogReader,
    next: u64,
    size: u64,
    /// Nothing is read from here on.
    until: u64,
    /// Where the log begins; `None` before it was looked up.
    first: Option<u64>,
    /// Bundles of which entries were kept, and that are not read yet.
    kept: VecDeque<u64>,
    /// What was read and not given yet.
    ready: VecDeque<Run>,
}

impl Runs {
    pub(crate) fn new(reader: LogReader, from: u64, size: u64) -> Self {
        let (kept, ready) = (VecDeque::new(), VecDeque::new());
        Self { reader, next: from, size, until: size, first: None, kept, ready }
    }

    /// Ends with the bundle that holds the entry before this one.
    #[must_use]
    pub fn until(self, end: u64) -> Self {
        Self { until: end.min(self.size), ..self }
    }

    /// No entry before this one comes any more: where the next run begins, or later.
    pub fn at(&self) -> u64 {
        self.ready.front().map_or(self.next, |run| run.first)
    }

    fn read(&mut self) -> Result<Option<Run>, ReadError> {
        loop {
            if let Some(run) = self.ready.pop_front() {
                return Ok(Some(run));
            }
            if self.next >= self.until {
                return Ok(None);
            }
            let first = match self.first {
                Some(first) => first,
                None => self.look()?,
            };
            if self.next < first {
                self.read_kept(first)?;
                continue;
            }
            match self.read_bundle() {
                Ok(run) => return Ok(Some(run)),
                // Pruned since the beginning was looked up: what was kept of it was there before.
                Err(error) if error.is_not_found() && self.look()? > self.next => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Looks where the log begins, and what was kept of what stood before.
    fn look(&mut self) -> Result<u64, ReadError> {
        let first = self.reader.first()?;
        self.first = Some(first);
        self.kept.clear();
        let wanted = self.next / WIDTH..first.min(self.until).div_ceil(WIDTH);
        if wanted.end.saturating_sub(wanted.start) <= PROBED_BUNDLES_MAX {
            self.kept = wanted.collect();
        } else {
            let kept = kept::list(&**self.reader.fs(), self.reader.dir())?;
            self.kept = kept.into_iter().filter(|bundle| wanted.contains(bundle)).collect();
        }
        Ok(first)
    }

    fn read_kept(&mut self, first: u64) -> Result<(), ReadError> {
        let Some(bundle) = self.kept.front().copied().filter(|bundle| *bundle < first / WIDTH) else {
            self.next = first;
            return Ok(());
        };
        // One that is gone since it was listed has nothing left to keep.
        let entries = kept::read(&**self.reader.fs(), self.reader.dir(), bundle)?.unwrap_or_default();
        let from = self.next;
        for (index, entry) in entries.iter().filter(|(index, _)| (from..self.size).contains(index)) {
            if self.next != *index || self.ready.is_empty() {
                self.ready.push_back(Run { first: *index, bytes: Vec::new(), start: 0 });
            }
            if let Some(run) = self.ready.back_mut() {
                let encoded = encode_entry(&mut run.bytes, entry);
                encoded.map_err(|error| ReadError::Malformed(error.to_string()))?;
            }
            self.next = index + 1;
        }
        self.kept.pop_front();
        self.next = (bundle + 1) * WIDTH;
        Ok(())
    }

    fn read_bundle(&mut self) -> Result<Run, ReadError> {
        let path = LogDir::bundle_of(self.next, self.size).ok_or(ReadError::NoEntry(self.next))?;
        let mut run = Run { first: self.next, bytes: self.reader.bundle(path)?, start: 0 };
        for _ in 0..self.next % WIDTH {
            let length = run.bytes.get(run.start..run.start + 2);
            let length = length.map(|length| usize::from(u16::from_be_bytes([length[0], length[1]])));
            let start = length.map(|length| run.start + 2 + length).filter(|start| *start < run.bytes.len());
            run.start = start.ok_or_else(|| ReadError::Malformed(path.to_string()))?;
        }
        self.next = (self.next / WIDTH + 1).saturating_mul(WIDTH);
        Ok(run)
    }
}

impl Iterator for Runs {
    type Item = Result<Run, ReadError>;

    /// The next run. After an error the same is tried again.
    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}
