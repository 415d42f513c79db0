//! What erasures and purges ask of a store.

use inferlog_record::{Id, Pseudonym};

use crate::rows::{EventNo, KeyNo};

/// What an `erasure` event says: of phase `withheld` these keys are spared, else persons and keys are erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// The event that announced it, which may be this one.
    pub intent: Id,
    /// Whether the keys are withheld from it.
    pub is_withheld: bool,
    /// The persons.
    pub subjects: Vec<Pseudonym>,
    /// The keys.
    pub keys: Vec<KeyNo>,
}

/// Payloads that a `purge` event covers: of a class, of the entries of a log from one to another. Ranges of a class that touch are
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurgedPayloads {
    /// The term of the retention class.
    pub class: i32,
    /// The smallest number in the first entry.
    pub first: EventNo,
    /// The largest number in the last entry.
    pub last: EventNo,
}

/// A `purge` event of entries that is not carried out in the store yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurgeDue {
    /// The event, whose number names the log.
    pub event: EventNo,
    /// The last entry of the range.
    pub last: u64,
}

/// Where an event, or a part of it, stands in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The place.
    pub no: EventNo,
    /// The event: the place itself, or that of the event which is continued or stands again there.
    pub event: EventNo,
    /// Its decision; of an alarm the one it is about.
    pub decision: Option<Id>,
    /// Whether the event stands here again: what it says was taken from elsewhere.
    pub is_again: bool,
}

/// What lies outside an SQLite index, whatever is erased in it: for the certificate.
pub const SQLITE_OUTSIDE: [&str; 3] = [
    "copies and backups of DIR/index, until they are deleted",
    "snapshots of the file system, until they are deleted",
    "blocks of the disk that the file system or the drive has taken out of use",
];

/// What lies outside a PostgreSQL index, whatever is erased in it: for the certificate.
pub const POSTGRES_OUTSIDE: [&str; 6] = [
    "PostgreSQL's own write-ahead log (pg_wal), until its segments are recycled",
    "archives of the write-ahead log, until they are deleted",
    "replicas, physical and logical, until they have replayed the erasure",
    "base backups and dumps of the database, until they are deleted",
    "the server's log and pg_stat_statements, where they were told to keep parameters",
    "snapshots of the file system, and blocks of the disk that were taken out of use",
];
