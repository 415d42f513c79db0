//! What the follower is held against: reading the log alone, and inserting its events as they stand.

use std::path::Path;

use inferlog::real_env;
use inferlog_log::{LogReader, list_logs};
use inferlog_record::EntryView;
use rusqlite::Connection;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Phase;
use crate::bench::measure::Stopwatch;
use crate::output::Failure;

/// Entries inserted in one transaction.
const TRANSACTION_ENTRIES: u64 = 8_192;

/// Reads every entry, as a verifier does.
pub(super) fn scan(dir: &Path) -> Result<Phase, Failure> {
    let (watch, mut events) = (Stopwatch::start(), 0);
    each(dir, |entry| {
        events += EntryView::parse(entry)?.events.len() as u64;
        Ok(())
    })?;
    Ok(Phase { events, seconds: watch.seconds(), cores: watch.cores() })
}

#[derive(Deserialize)]
struct Lines<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

/// Inserts every event's JSON into the one table of a new file, and removes it.
pub(super) fn insert(dir: &Path, path: &Path) -> Result<Phase, Failure> {
    let watch = Stopwatch::start();
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection
        .execute_batch("CREATE TABLE event (no INTEGER PRIMARY KEY, json TEXT NOT NULL); BEGIN IMMEDIATE")?;
    let (mut events, mut entries) = (0, 0);
    {
        let mut insert = connection.prepare("INSERT INTO event (json) VALUES (?1)")?;
        each(dir, |entry| {
            entries += 1;
            for event in serde_json::from_slice::<Lines<'_>>(entry)?.events {
                insert.execute([event.get()])?;
                events += 1;
            }
            if entries % TRANSACTION_ENTRIES == 0 {
                connection.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
            }
            Ok(())
        })?;
    }
    connection.execute_batch("COMMIT")?;
    drop(connection);
    let phase = Phase { events, seconds: watch.seconds(), cores: watch.cores() };
    std::fs::remove_file(path)?;
    Ok(phase)
}

/// Gives every entry of every log to `visit`.
fn each(dir: &Path, mut visit: impl FnMut(&[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
    let fs = real_env().fs;
    for log in list_logs(&*fs, dir)? {
        let reader = LogReader::new(fs.clone(), log);
        let mut failed = None;
        reader.scan(0, reader.size()?, |_, entry| {
            failed = visit(entry).err();
            failed.is_none()
        })?;
        if let Some(failure) = failed {
            return Err(failure);
        }
    }
    Ok(())
}
