//! Verification of a data directory, without keys: every file held against every other, down to the byte or the entry.
//!
//! What holds what: the signature the checkpoint; the checkpoint the root; the root the tiles, from the top down; a tile the
//! hashes of its entries; an entry, by `sealed`, its payloads; an index file the records of its pack. So damage is found from
//! both sides and put down to the file that does not lead to the signed root. Memory does not grow with the log; each byte of
//! bundles and packs is read once.

mod against;
mod bundle;
mod history;
mod join;
mod kept;
mod keystore;
mod log;
mod missing;
mod node;
mod progress;
mod purged;
mod record;
mod remembered;
mod rows;
mod signed;
mod tree;
mod units;
mod vouched;
mod wal;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_log::{LogDir, LogId, LogIdentity, LogReader, State};
use inferlog_merkle::{Policy, TILE_WIDTH, VerifierKey};
use inferlog_record::Timestamp;
use inferlog_timestamp::Roots;

pub use progress::Progress;
pub use remembered::Remembered;

use crate::error::Result;
use crate::report::{AgainstReport, FaultKind, Faults, KeySource, LogReport, Report, Sink};
use crate::select::Select;
use against::Given;
use history::History;
use progress::Tracker;
use remembered::Held;
use wal::{Settled, Wal};

/// Faults that are listed unless the caller says otherwise; all are counted.
pub const FAULTS_LISTED_MAX: usize = 1_000;
/// Threads that verify unless the caller says otherwise.
pub const THREADS_DEFAULT: usize = 2;

/// What damage cannot be seen without keys, or without a copy to compare with.
const NOT_COVERED: &[&str] = &[
    "keystore/table and keystore/pages: what is sealed is authenticated by keys alone, and the root epoch with it",
    "keystore/absorbed and cursors: numbers without a checksum; only their form is checked",
    "degraded, if it was removed: a node that never degrades has none",
    "logs/*/log: the time of day in `created`",
    "wal/*.spare, and what follows the last batch of a live segment: free space",
];

/// What to verify and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which logs; all of them by default. Node, WAL and keystore are checked in any case.
    pub select: Select,
    /// Verifier keys that the caller holds. A log without one is checked by the keys in the directory itself, which proves
    /// nothing against somebody who can write there.
    pub keys: Vec<VerifierKey>,
    /// What the caller remembers: checkpoints and receipts.
    pub against: Vec<Remembered>,
    /// Keys of witnesses that the caller trusts (c2sp.org/tlog-cosignature).
    pub witnesses: Vec<VerifierKey>,
    /// Which witnesses must have cosigned (c2sp.org/tlog-policy). Its witnesses are trusted as those above, its logs' keys as
    /// those that the caller gave.
    pub policy: Option<Policy>,
    /// Certificates that the caller trusts to vouch for timestamping authorities.
    pub tsa_roots: Option<Roots>,
    /// The time, for the age of what is vouched for.
    pub now: Option<Timestamp>,
    /// Where twins are kept, if not beside their logs.
    pub twins: Option<PathBuf>,
    /// Threads over bundles, at least 1.
    pub threads: usize,
    /// Faults to list.
    pub faults_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            select: Select::default(),
            keys: Vec::new(),
            against: Vec::new(),
            witnesses: Vec::new(),
            policy: None,
            tsa_roots: None,
            now: None,
            twins: None,
            threads: THREADS_DEFAULT,
            faults_max: FAULTS_LISTED_MAX,
        }
    }
}

impl Options {
    /// Keys of logs: the caller's, and those of the policy.
    pub(crate) fn log_keys(&self) -> Vec<VerifierKey> {
        let policy = self.policy.iter().flat_map(|policy| policy.logs().iter().map(|log| &log.key));
        unique(self.keys.iter().chain(policy))
    }

    /// Keys of witnesses: the caller's, and those of the policy.
    pub(crate) fn witness_keys(&self) -> Vec<VerifierKey> {
        let policy = self.policy.iter().flat_map(|policy| policy.witnesses().map(|witness| &witness.key));
        unique(self.witnesses.iter().chain(policy))
    }
}

fn unique<'a>(keys: impl Iterator<Item = &'a VerifierKey>) -> Vec<VerifierKey> {
    let mut unique: Vec<VerifierKey> = Vec::new();
    for key in keys {
        if !unique.contains(key) {
            unique.push(key.clone());
        }
    }
    unique
}

/// Verifies a data directory. May run beside the node that writes it: then the checkpoints of this moment are verified.
///
/// # Errors
/// Where there is nothing to verify: no data directory, no log of that name. Damage is in the report.
pub fn verify(
    fs: &Arc<dyn Fs>,
    dir: &Path,
    options: &Options,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report> {
    let chosen = options.select.logs(&**fs, dir)?;
    let faults = Faults::new(options.faults_max);
    let sink = Sink { faults: &faults, root: dir, log: None };
    node::orphans(&**fs, dir, sink);
    let mut held: Vec<_> = options.against.iter().map(Held::parse).collect();

    let mut run = Run {
        fs,
        dir,
        options,
        faults: &faults,
        settled: Settled::new(),
        logs: Vec::new(),
        payloads: 0,
        bytes: 0,
    };
    let names: Vec<Named> =
        Select::default().logs(&**fs, dir)?.into_iter().map(|dir| run.name(dir)).collect();
    let origins: Vec<&str> = names.iter().map(|named| named.origin.as_str()).collect();
    let node = node::identity(&**fs, dir, &origins, sink);
    if let Some(node) = node {
        node::marker(&**fs, dir, options.twins.as_deref(), node, sink);
    }
    let sizes = names.iter().filter(|named| chosen.contains(&named.dir)).map(|named| named.bundles(fs));
    let tracker = Tracker::new(sizes.sum(), progress);
    for named in &names {
        let is_chosen = chosen.contains(&named.dir);
        let mut held: Vec<&mut Held> = held.iter_mut().filter_map(|held| held.as_mut().ok()).collect();
        held.retain(|held| held.report.origin == named.origin);
        run.log(named, is_chosen, &tracker, &mut held);
    }
    let settled_now = || names.iter().filter_map(|named| settled(&**fs, &named.dir)).collect();
    Wal { fs: &**fs, dir, settled: &run.settled, settled_now: &settled_now, sink }.check(node);
    keystore::check(&**fs, dir, sink);
    node::registry(fs, dir, sink);
    for key in options.keys.iter().filter(|key| !names.iter().any(|named| named.origin == key.name())) {
        let what = format!("there is no log {} here, whose key you gave", key.name());
        sink.file(&dir.join("logs"), FaultKind::Signature, what);
    }
    let against = held.into_iter().map(|held| held.map_or_else(|report| *report, |held| held.report));
    Ok(run.report(against.collect(), sink))
}

struct Run<'a> {
    fs: &'a Arc<dyn Fs>,
    dir: &'a Path,
    options: &'a Options,
    faults: &'a Faults,
    settled: Settled,
    logs: Vec<LogReport>,
    payloads: u64,
    bytes: u64,
}

/// A log and its origin.
struct Named {
    dir: LogDir,
    origin: String,
}

impl Named {
    /// Bundles under its checkpoint, for the progress bar.
    fn bundles(&self, fs: &Arc<dyn Fs>) -> u64 {
        let reader = LogReader::new(fs.clone(), self.dir.clone());
        reader.size().unwrap_or(0).div_ceil(u64::from(TILE_WIDTH))
    }
}

impl<'a> Run<'a> {
    fn name(&self, dir: LogDir) -> Named {
        let identity = LogIdentity::load(&**self.fs, &dir).ok();
        Named { origin: signed::origin(self.fs, &dir, identity.as_ref()), dir }
    }

    fn log(&mut self, named: &Named, is_chosen: bool, tracker: &Tracker<'_>, held: &mut [&mut Held]) {
        let before = self.faults.count();
        if !is_chosen {
            // The WAL holds entries of every log.
            self.settled.extend(settled(&**self.fs, &named.dir));
            return;
        }
        let sink = Sink { faults: self.faults, root: self.dir, log: Some(&named.origin) };
        let identity = signed::identity(&**self.fs, &named.dir, sink);
        let mut opened =
            signed::open(self.fs, &named.dir, &named.origin, identity.as_ref(), self.options, sink);
        let log = &opened.log;
        let mut totals = units::check(log, self.options.threads.max(1), tracker);
        purged::check(log, &mut totals);
        tree::check(log);
        tree::check_others(log);
        node::cursors(&**self.fs, &named.dir, sink);
        let (keys, witnesses) = (self.options.log_keys(), self.options.witness_keys());
        let mut history = History::default();
        let mut statement = vouched::check(&opened, self.options, &witnesses, &mut history);
        let given = Given { logs: &keys, witnesses: &witnesses };
        against::compare(held, &opened, &given, &mut history, before, self.faults);
        let settled = log.state.as_ref().map_or(log.size, |state| state.size);
        self.settled.insert(LogId::of(&named.origin).0, settled);
        self.payloads += totals.counts.present;
        opened.report.payloads = totals.counts;
        self.bytes += totals.bytes;
        opened.report.fault_count = self.faults.count() - before;
        let is_complete = opened.report.fault_count == 0 && !opened.report.signed_by.is_empty();
        statement.complete_to = is_complete.then_some(opened.report.size);
        statement.conclude(self.options.now);
        opened.report.statement = statement;
        if opened.report.key_from == KeySource::Directory {
            sink.notice(
                "verified by the key in the directory itself, which proves nothing against somebody who can write there: \
                 give a key you trust with --key, or a checkpoint you hold with --against",
            );
        }
        self.logs.push(opened.report);
    }

    fn report(self, against: Vec<AgainstReport>, sink: Sink<'_>) -> Report {
        // What no log was there to compare with.
        for against in against.iter().filter(|against| !against.unchanged && against.key_from.is_none()) {
            sink.file(&self.dir.join("logs"), FaultKind::Against, against.what.as_str());
        }
        let (faults, notices) = self.faults.take();
        let fault_count = self.faults.count();
        Report {
            ok: fault_count == 0,
            size: self.logs.iter().map(|log| log.size).sum(),
            bytes: self.bytes,
            payloads: self.payloads,
            faults,
            fault_count,
            notices,
            logs: self.logs,
            against,
            not_covered: NOT_COVERED.to_vec(),
        }
    }
}

/// A log and how many of its entries are integrated.
fn settled(fs: &dyn Fs, dir: &LogDir) -> Option<([u8; 16], u64)> {
    let state = State::load(fs, dir).ok()?;
    Some((state.log.0, state.size))
}

/// Whether these are the bytes that inferlog writes for this JSON: sorted members, no spaces, one newline.
fn is_canonical(bytes: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes) else { return false };
    serde_json::to_vec(&value).is_ok_and(|mut written| {
        written.push(b'\n');
        written == bytes
    })
}
