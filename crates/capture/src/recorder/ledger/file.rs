//! The file `ledger` beside a log: at which indices its permanent events stand. Derived from the log; one that is missing or
//! does not fit is made again by reading the log.

use super::{Ledger, Told, kept};
use crate::recorder::RecordError;
use inferlog_disk::{Fs, replace_file};
use inferlog_log::{LogDir, LogId, LogReader};
use inferlog_record::Entry;
use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};

/// The file beside the log.
const FILE: &str = "ledger";
const FORMAT: u32 = 1;

/// What the file says.
#[derive(Debug, Serialize, Deserialize)]
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
        let saved: Self = serde_json::from_slice(bytes).ok()?;
        let ascends = saved.events.windows(2).all(|pair| pair[0] < pair[1]);
        let fits = saved.events.last().is_none_or(|last| *last < saved.next);
        (saved.format == FORMAT && saved.next <= size && ascends && fits).then_some(saved)
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
    let saved = serde_json::to_vec(&Saved { format: FORMAT, next, events });
    let bytes = saved.map_err(|error| RecordError::Invalid(error.to_string()))?;
    Ok(replace_file(fs, &dir.path().join(FILE), &bytes)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]
    use super::*;

    #[test]
    fn the_frozen_file_is_read_for_ever_and_what_does_not_fit_is_not() {
        let frozen = include_bytes!("../../../../../fixtures/v1/capture/ledger");
        let saved = Saved::parse(frozen, 42).unwrap();
        assert_eq!((saved.next, &saved.events[..]), (42, &[3, 17, 41][..]));
        assert!(Saved::parse(frozen, 41).is_none(), "of a longer log");
        let text = std::str::from_utf8(frozen).unwrap();
        for (from, to) in
            [("17", "2"), ("41", "42"), ("\"format\":1", "\"format\":2"), ("3,", "3,3,"), ("}", "")]
        {
            assert!(Saved::parse(text.replace(from, to).as_bytes(), 100).is_none(), "{from} as {to}");
        }
        let again = serde_json::to_vec(&saved).unwrap();
        assert_eq!(again, frozen);
    }
}
