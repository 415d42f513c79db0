//! What a verification found.

mod statement;
mod text;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use inferlog_disk::Fs;
use inferlog_log::LogError;
use parking_lot::Mutex;
use serde::Serialize;

pub use statement::{Cosigned, Evidence, Quorum, Statement, Timestamped};

/// The result of a verification. All paths are relative to the data directory.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether nothing was wrong.
    pub ok: bool,
    /// Entries under the verified checkpoints, over all logs.
    pub size: u64,
    /// Bytes that were read of bundles and packs.
    pub bytes: u64,
    /// Sealed payloads that were found and hashed.
    pub payloads: u64,
    /// What is wrong, by log, file and place; at most as many as the caller asked for.
    pub faults: Vec<Fault>,
    /// How many faults there are, those not listed included.
    pub fault_count: u64,
    /// What a reader should know and is no fault.
    pub notices: Vec<Notice>,
    /// One part for each log.
    pub logs: Vec<LogReport>,
    /// One part for each thing that the reader remembers.
    pub against: Vec<AgainstReport>,
    /// What damage cannot be seen without keys or without a copy to compare with.
    pub not_covered: Vec<&'static str>,
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    /// Origin of the log; absent where the fault is the node's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// The file, relative to the data directory.
    pub file: String,
    /// Bytes from the file's start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// The entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// What kind of fault.
    pub kind: FaultKind,
    /// What is wrong, as a sentence.
    pub what: String,
}

/// Kinds of fault, by what is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A file that says who a node or log is.
    Identity,
    /// The checkpoint does not parse, or is not that of the tree.
    Checkpoint,
    /// A signature is false, or none of the known keys signed.
    Signature,
    /// The twin does not check, or is ahead of the log.
    Twin,
    /// The integrator's state does not check.
    State,
    /// A tile of hashes.
    Tile,
    /// An entry bundle.
    Bundle,
    /// An entry that hashes as it should and is not as the format says.
    Entry,
    /// A pack of sealed payloads.
    Pack,
    /// The index of a pack.
    PackIndex,
    /// The file `pruned`, or entries that are gone without a purge that says so.
    Pruned,
    /// Entries that were kept when others were purged.
    Kept,
    /// A purge whose numbers are not those of what is there.
    Purge,
    /// A payload that an entry says is present and that no pack holds, without an event that says why.
    MissingPayload,
    /// A payload that no entry refers to.
    UnreferencedPayload,
    /// A follower's cursor.
    Cursor,
    /// The marker of degraded operation.
    Marker,
    /// The registry of prompts, tools and models.
    Registry,
    /// The write-ahead log.
    Wal,
    /// The keystore, as far as it can be read without keys.
    Keystore,
    /// A checkpoint that others vouch for, or what they say of it, does not check, or is of another history than the log's.
    Vouched,
    /// The log is not the one that the reader remembers.
    Against,
    /// A file that could not be read.
    Unreadable,
}

/// What a reader should know and is no fault.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Notice {
    /// Origin of the log; absent where it is about the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// A sentence.
    pub what: String,
}

/// One log.
#[derive(Clone, Debug, Serialize)]
pub struct LogReport {
    /// `<org>/<system>/<shard>/<epoch>`.
    pub origin: String,
    /// The system.
    pub system: String,
    /// Entries under the checkpoint.
    pub size: u64,
    /// Where it begins: entries before this one were purged, those kept apart.
    pub first: u64,
    /// Its payloads, by what became of them.
    pub payloads: PayloadCounts,
    /// Root hash at that size, base64; `None` if there is no checkpoint yet.
    pub root: Option<String>,
    /// Verifier keys whose signatures on the checkpoint verify (c2sp.org/signed-note).
    pub signed_by: Vec<String>,
    /// Whose word that key is.
    pub key_from: KeySource,
    /// Faults in this log.
    pub fault_count: u64,
    /// How far it is complete, and what others vouch for.
    pub statement: Statement,
}

/// Payloads of a log, by what became of them. Whether a key still opens what is there is not asked here: an erasure destroys the key
/// first, and leaves sealed bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PayloadCounts {
    /// Sealed bytes that were found and hashed.
    pub present: u64,
    /// Of these, those kept when their packs were purged.
    pub kept: u64,
    /// Erased when they were recorded, or gone since with an erasure that says why.
    pub erased: u64,
    /// Gone with a purge that says so.
    pub purged: u64,
    /// Left out by a rule before they were recorded.
    pub redacted: u64,
    /// Never reached the Recorder, or it had no room; the reason stands in the entry.
    pub not_captured: u64,
    /// Gone, and no event says why: each is a fault.
    pub missing: u64,
    /// Places within payloads where a rule took something out.
    pub spans_redacted: u64,
    /// Entries that were purged.
    pub entries_purged: u64,
    /// Entries that were kept when those around them were purged.
    pub entries_kept: u64,
}

impl PayloadCounts {
    pub(crate) fn add(&mut self, other: Self) {
        let Self { present, kept, erased, purged, redacted, not_captured, missing, .. } = other;
        self.present += present;
        self.kept += kept;
        self.erased += erased;
        self.purged += purged;
        self.redacted += redacted;
        self.not_captured += not_captured;
        self.missing += missing;
        self.spans_redacted += other.spans_redacted;
        self.entries_purged += other.entries_purged;
        self.entries_kept += other.entries_kept;
    }
}

/// Where the key came from that verified a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// The caller gave it.
    Given,
    /// It stands in the directory itself: it proves nothing against somebody who can write there.
    Directory,
}

/// What became of something that the reader remembers of a log.
#[derive(Clone, Debug, Serialize)]
pub struct AgainstReport {
    /// What the reader calls it.
    pub file: String,
    /// What it is.
    pub remembered: RememberedKind,
    /// The log that it is of.
    pub origin: String,
    /// Size of its checkpoint.
    pub size: u64,
    /// The entry that it proves, for a receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// Whether the log's first `size` entries are those it was made of.
    pub unchanged: bool,
    /// Whose word the keys are that its signatures were checked with.
    pub key_from: Option<KeySource>,
    /// Those keys.
    pub signed_by: Vec<String>,
    /// The entries among which the first change is, from the first to the last, as far as what is at hand can tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<(u64, u64)>,
    /// All of it as a sentence.
    pub what: String,
}

/// What a reader may remember of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RememberedKind {
    /// A checkpoint, signed by the log, by witnesses, or by both.
    Checkpoint,
    /// A receipt: an entry and its proof under a checkpoint.
    Receipt,
    /// Neither.
    Unknown,
}

/// Collects faults from several threads; keeps the first ones and counts the rest.
#[derive(Debug)]
pub(crate) struct Faults {
    listed: Mutex<Vec<Fault>>,
    notices: Mutex<Vec<Notice>>,
    count: AtomicU64,
    listed_max: usize,
}

impl Faults {
    pub(crate) fn new(listed_max: usize) -> Self {
        Self {
            listed: Mutex::new(Vec::new()),
            notices: Mutex::new(Vec::new()),
            count: AtomicU64::new(0),
            listed_max,
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub(crate) fn push(&self, fault: Fault) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut listed = self.listed.lock();
        if listed.len() < self.listed_max {
            listed.push(fault);
        }
    }

    pub(crate) fn notice(&self, log: Option<&str>, what: impl Into<String>) {
        self.notices.lock().push(Notice { log: log.map(str::to_owned), what: what.into() });
    }

    /// Both lists, in order.
    pub(crate) fn take(&self) -> (Vec<Fault>, Vec<Notice>) {
        let mut faults = std::mem::take(&mut *self.listed.lock());
        faults.sort();
        let mut notices = std::mem::take(&mut *self.notices.lock());
        notices.sort();
        notices.dedup();
        (faults, notices)
    }
}

/// Reports faults of one log, or of the node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sink<'a> {
    pub(crate) faults: &'a Faults,
    /// The data directory.
    pub(crate) root: &'a Path,
    pub(crate) log: Option<&'a str>,
}

impl Sink<'_> {
    pub(crate) fn file(&self, file: &Path, kind: FaultKind, what: impl Into<String>) {
        self.push(file, None, None, kind, what.into());
    }

    pub(crate) fn byte(&self, file: &Path, offset: u64, kind: FaultKind, what: impl Into<String>) {
        self.push(file, Some(offset), None, kind, what.into());
    }

    pub(crate) fn entry(
        &self,
        file: &Path,
        offset: u64,
        index: u64,
        kind: FaultKind,
        what: impl Into<String>,
    ) {
        self.push(file, Some(offset), Some(index), kind, what.into());
    }

    /// A payload of an entry, in a file that may not hold it.
    pub(crate) fn payload(&self, file: &Path, index: u64, kind: FaultKind, what: impl Into<String>) {
        self.push(file, None, Some(index), kind, what.into());
    }

    /// What the log's own reader says of a file: the place it names, or the whole file.
    pub(crate) fn error(&self, file: &Path, kind: FaultKind, error: &LogError) {
        match error {
            LogError::Damaged { path, offset, what } => self.byte(path, *offset, kind, what.as_str()),
            LogError::Disk(_) => self.file(file, FaultKind::Unreadable, error.to_string()),
            _ => self.file(file, kind, error.to_string()),
        }
    }

    pub(crate) fn notice(&self, what: impl Into<String>) {
        self.faults.notice(self.log, what);
    }

    /// Whether a file or directory exists; not being able to tell is a fault.
    pub(crate) fn exists(&self, fs: &dyn Fs, path: &Path) -> bool {
        fs.exists(path).unwrap_or_else(|error| {
            self.file(path, FaultKind::Unreadable, error.to_string());
            false
        })
    }

    /// A path as reports give it.
    pub(crate) fn relative(&self, file: &Path) -> String {
        file.strip_prefix(self.root).unwrap_or(file).display().to_string()
    }

    fn push(&self, file: &Path, offset: Option<u64>, index: Option<u64>, kind: FaultKind, what: String) {
        let log = self.log.map(str::to_owned);
        self.faults.push(Fault { log, file: self.relative(file), offset, index, kind, what });
    }
}
