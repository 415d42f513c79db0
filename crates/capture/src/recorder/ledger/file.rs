//! The file `ledger` beside a log: at which indices its permanent events stand. Derived from the log; one that is missing, does
//! not check or does not fit is made again by reading the log.

use super::{Ledger, Told, kept};
use crate::recorder::RecordError;
use inferlog_disk::{Fs, replace_file};
use inferlog_log::{LogDir, LogId, LogReader, derived};
use inferlog_record::Entry;
use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};

/// The file beside the log.
const FILE: &str = "ledger";
const FORMAT: u32 = 1;

/// What the file says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    format: u32,
    /// Entries below this index were looked at.
    next: u64,
    /// Indices of entries with permanent events, ascending.
    events: Vec<u64>,
}

/// Adds what a published log says to the ledger.
pub(super) fn learn(reader: &LogReader, log: LogId, ledger: &mut Ledger) -> Result<(), RecordError> {
    let size = reader.size()?;
    let before = ledger.told.len();
    let mut from = 0;
    if let Some(saved) = load(reader, size)? {
        match recall(reader, log, &saved, size, ledger) {
            Ok(true) => from = saved.next,
            // Whatever is wrong with the file, or with what it led to: the log itself decides.
            Ok(false) | Err(_) => ledger.told.truncate(before),
        }
    }
    let permanent = [Finder::new(r#""retention":"permanent""#), Finder::new(r#""kind":"erasure""#)];
    let mut failed = None;
    reader.scan(from, size, |index, bytes| {
        if permanent.iter().any(|finder| finder.find(bytes).is_some()) {
            match Entry::from_bytes(bytes) {
                Ok(entry) => kept(entry).for_each(|event| ledger.add(Told { log, index, event })),
                Err(error) => failed = Some(error),
            }
        }
        failed.is_none()
    })?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// Reads the entries that the file names; whether each is what the file says.
fn recall(
    reader: &LogReader,
    log: LogId,
    saved: &Saved,
    size: u64,
    ledger: &mut Ledger,
) -> Result<bool, RecordError> {
    for index in &saved.events {
        let entry = Entry::from_bytes(&reader.entry(*index, size)?)?;
        if !entry.events.iter().any(|event| event.body.is_permanent()) {
            return Ok(false);
        }
        kept(entry).for_each(|event| ledger.add(Told { log, index: *index, event }));
    }
    Ok(true)
}

fn load(reader: &LogReader, size: u64) -> Result<Option<Saved>, RecordError> {
    let path = reader.dir().path().join(FILE);
    let Some(bytes) = inferlog_disk::read_optional(&**reader.fs(), &path)? else { return Ok(None) };
    Ok(Saved::parse(&bytes, size))
}

impl Saved {
    /// What a file says of a log of `size` entries, if it can be that.
    fn parse(bytes: &[u8], size: u64) -> Option<Self> {
        // A figure that a damaged disk changed would hide a hold, and what it keeps would be removed: the file bears its own digest.
        let saved: Self = serde_json::from_str(derived::checked(bytes)?).ok()?;
        let ascends = saved.events.windows(2).all(|pair| pair[0] < pair[1]);
        let fits = saved.events.last().is_none_or(|last| *last < saved.next);
        (saved.format == FORMAT && saved.next <= size && ascends && fits).then_some(saved)
    }

    fn to_bytes(&self) -> Result<Vec<u8>, RecordError> {
        let json = serde_json::to_string(self).map_err(|error| RecordError::Invalid(error.to_string()))?;
        Ok(derived::with_digest(&json))
    }
}

/// Replaces the file. A crash leaves the old one or the new one: either is true of the entries below its `next`.
pub(super) fn save(
    fs: &dyn Fs,
    dir: &LogDir,
    next: u64,
    events: impl Iterator<Item = u64>,
) -> Result<(), RecordError> {
    let mut events: Vec<u64> = events.collect();
    events.dedup();
    let bytes = Saved { format: FORMAT, next, events }.to_bytes()?;
    Ok(replace_file(fs, &dir.path().join(FILE), &bytes)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]
    use super::*;

    const FROZEN: &[u8] = include_bytes!("../../../../../fixtures/v1/capture/ledger");

    #[test]
    fn the_frozen_file_is_read_for_ever_and_what_does_not_fit_is_not() {
        let saved = Saved::parse(FROZEN, 42).unwrap();
        assert_eq!((saved.next, &saved.events[..]), (42, &[3, 17, 41][..]));
        assert_eq!(saved.to_bytes().unwrap(), FROZEN);
        assert!(Saved::parse(FROZEN, 41).is_none(), "of a longer log");
        let json = derived::checked(FROZEN).unwrap();
        for (from, to) in [
            ("17", "2"),
            ("41", "42"),
            ("\"format\":1", "\"format\":2"),
            ("3,", "3,3,"),
            ("}", ""),
            ("}", ",\"also\":1}"),
        ] {
            let other = derived::with_digest(&json.replace(from, to));
            assert!(Saved::parse(&other, 100).is_none(), "{from} as {to}");
        }
    }

    #[test]
    fn every_byte_that_changed_and_every_line_that_is_lost_is_noticed() {
        for at in 0..FROZEN.len() {
            for bit in 0..8 {
                let mut changed = FROZEN.to_vec();
                changed[at] ^= 1 << bit;
                assert!(Saved::parse(&changed, 1 << 40).is_none(), "bit {bit} of byte {at}");
            }
            assert!(Saved::parse(&FROZEN[..at], 1 << 40).is_none(), "cut off at {at}");
        }
        let lines: Vec<&[u8]> = FROZEN.split_inclusive(|byte| *byte == b'\n').collect();
        assert_eq!(lines.len(), 2);
        for line in &lines {
            assert!(Saved::parse(line, 1 << 40).is_none(), "one line alone");
        }
        assert!(Saved::parse(&lines.concat().repeat(2), 1 << 40).is_none(), "twice");
        let damaged = include_bytes!("../../../../../fixtures/v1/capture/ledger-corrupt");
        assert!(Saved::parse(damaged, 1 << 40).is_none(), "the index of a hold is lost");
        let before = include_bytes!("../../../../../fixtures/v1/capture/ledger-no-digest");
        assert!(Saved::parse(before, 1 << 40).is_none(), "without a digest");
    }
}
