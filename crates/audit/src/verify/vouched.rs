//! The checkpoints that others vouch for (`vouched/`): each is one of this log's history, or the history was changed.

use std::path::Path;

use inferlog_disk::TMP_PREFIX;
use inferlog_log::{LogDir, list_vouched, read_vouched};
use inferlog_merkle::{
    Checkpoint, CheckpointError, NoteError, Policy, SignedNote, VerifiedCheckpoint, VerifierKey,
    entries as bundle_entries, verify_checkpoint,
};
use inferlog_record::Timestamp;
use inferlog_timestamp::{TimestampError, inspect};

use super::Options;
use super::against::parse;
use super::history::{History, entries};
use super::log::Log;
use super::signed::Opened;
use crate::json::EntryScan;
use crate::report::{Cosigned, FaultKind, Quorum, Statement, Timestamped};

/// Checks every checkpoint that others vouch for, and states what they vouch for.
pub(super) fn check(
    opened: &Opened<'_>,
    options: &Options,
    witnesses: &[VerifierKey],
    history: &mut History,
) -> Statement {
    let log = &opened.log;
    let mut found = Found { opened, options, witnesses, statement: Statement::default(), met_at: None };
    match list_vouched(&**log.fs, log.dir) {
        Ok(sizes) => {
            sizes.iter().for_each(|&size| found.one(size, history));
            others(log, &sizes);
        }
        Err(error) => log.sink.error(&log.dir.vouched(), FaultKind::Vouched, &error),
    }
    let mut statement = found.statement;
    statement.quorum = options.policy.as_ref().map(|policy| Quorum {
        name: policy.quorum().to_owned(),
        met_at: found.met_at,
        is_met: found.met_at == Some(log.size),
    });
    if let Some(policy) = options.policy.as_ref().filter(|policy| concerns(policy, opened))
        && found.met_at.is_none()
        && log.size > 0
    {
        let what = format!(
            "no checkpoint of this log is cosigned as your policy's quorum {:?} asks: ask its witnesses, or whoever runs the log",
            policy.quorum()
        );
        log.sink.file(&log.dir.vouched(), FaultKind::Vouched, what);
    }
    statement.newest_entry = newest_entry(log);
    statement
}

/// Whether a policy is about this log: it names it, or no log.
fn concerns(policy: &Policy, opened: &Opened<'_>) -> bool {
    let logs = policy.logs();
    logs.is_empty() || logs.iter().any(|log| log.key.name() == opened.report.origin)
}

struct Found<'a> {
    opened: &'a Opened<'a>,
    options: &'a Options,
    witnesses: &'a [VerifierKey],
    statement: Statement,
    met_at: Option<u64>,
}

impl Found<'_> {
    fn one(&mut self, size: u64, history: &mut History) {
        let log = &self.opened.log;
        let path = log.dir.vouched_note(size);
        let vouched = match read_vouched(&**log.fs, log.dir, size) {
            Ok(Some(vouched)) => vouched,
            // A live writer keeps the newest, and one of each day.
            Ok(None) => return,
            Err(error) => return log.sink.error(&path, FaultKind::Vouched, &error),
        };
        let (note, checkpoint) = match parse(&vouched.note) {
            Ok(parsed) => parsed,
            Err(error) => return log.sink.byte(&path, 0, FaultKind::Vouched, error.to_string()),
        };
        if checkpoint.size() != size {
            let what = format!("the checkpoint has {} entries, its name says {size}", checkpoint.size());
            return log.sink.byte(&path, 0, FaultKind::Vouched, what);
        }
        let Some(verified) = self.signed(&path, &note) else { return };
        if !self.is_ours(&path, &checkpoint, &verified, history) {
            return;
        }
        self.cosigned(&note, &verified, size);
        for (number, response) in vouched.timestamps.iter().enumerate() {
            let path = log.dir.vouched_timestamp(size, number);
            self.timestamped(&path, response, note.text(), size);
        }
    }

    /// Whose signatures hold: the log's, and those of the witnesses whose keys the reader gave.
    fn signed(&self, path: &Path, note: &SignedNote) -> Option<VerifiedCheckpoint> {
        let (sink, keys) = (self.opened.log.sink, &self.opened.keys);
        let origin = &self.opened.report.origin;
        if keys.keys.is_empty() {
            // Why there is no key was reported with the file `log`.
            sink.notice(format!("{}: no key to check its signature with", sink.relative(path)));
            return None;
        }
        // A key that came later signed nothing before. Whether the log still has this history is compared all the same.
        let older = || verify_checkpoint(note, origin, &self.opened.listed, &[]).ok();
        let (known, by_log) = match keys.verify(note, origin) {
            Ok(verified) => (&keys.keys, verified),
            Err(error) => match older().filter(|_| is_unknown(&error)) {
                Some(verified) => {
                    let what = "signed by an older key, which the directory alone vouches for";
                    sink.notice(format!("{}: {what}", sink.relative(path)));
                    (&self.opened.listed, verified)
                }
                None => {
                    sink.byte(path, 0, FaultKind::Vouched, error.to_string());
                    return None;
                }
            },
        };
        match verify_checkpoint(note, origin, known, self.witnesses) {
            Ok(verified) => Some(verified),
            Err(error) => {
                sink.byte(path, 0, FaultKind::Vouched, error.to_string());
                Some(by_log)
            }
        }
    }

    /// Whether the log's history has this checkpoint. If not, entries were removed or changed after it was vouched for.
    fn is_ours(
        &self,
        path: &Path,
        checkpoint: &Checkpoint,
        verified: &VerifiedCheckpoint,
        history: &mut History,
    ) -> bool {
        let (log, size) = (&self.opened.log, checkpoint.size());
        let by = verified.witnesses.iter().map(|witness| witness.key.name()).collect::<Vec<_>>().join(", ");
        let by = if by.is_empty() { String::new() } else { format!(", cosigned by {by}") };
        if size > log.size {
            // A live writer may have gone on since its checkpoint was read.
            if log.reader.size().is_ok_and(|now| now >= size) {
                return false;
            }
            let what = format!(
                "the log signed {size} entries{by}, and has {}: entries were removed, or an older copy was restored; {} are \
                 not there",
                log.size,
                entries((log.size, size - 1))
            );
            log.sink.file(path, FaultKind::Vouched, what);
            return false;
        }
        match inferlog_merkle::root(&log.reader, size) {
            Ok(root) => {
                let is_same = root == checkpoint.root();
                history.note(size, is_same);
                if !is_same {
                    let what = format!(
                        "the log signed another tree of {size} entries{by}: its history was changed, or is a fork of this \
                         one; the first change is among {}",
                        entries(history.changed_below(size))
                    );
                    log.sink.file(path, FaultKind::Vouched, what);
                }
                is_same
            }
            Err(error) => {
                log.sink.file(
                    path,
                    FaultKind::Vouched,
                    format!("the root at size {size} cannot be computed: {error}"),
                );
                false
            }
        }
    }

    fn cosigned(&mut self, note: &SignedNote, verified: &VerifiedCheckpoint, size: u64) {
        for witness in &verified.witnesses {
            let Some(at) = witness.timestamp.and_then(|seconds| seconds.checked_mul(1_000_000_000)) else {
                continue;
            };
            let cosigned = Cosigned { by: witness.key.to_string(), at: Timestamp(at), size };
            keep_newest(&mut self.statement.cosigned, cosigned, |one| &one.by, |one| (one.at, one.size));
        }
        let is_by = |name: &str, id: u32, key: &VerifierKey| key.key_id() == id && key.name() == name;
        for signature in note.signatures() {
            let mut known = self.opened.keys.keys.iter().chain(self.witnesses);
            let (name, id) = (signature.name(), signature.key_id());
            // A log that changed its key signs with the older ones, too.
            if name != self.opened.report.origin && !known.any(|key| is_by(name, id, key)) {
                self.statement.cosigned_unchecked.push(name.to_owned());
            }
        }
        if self.options.policy.as_ref().is_some_and(|policy| policy.satisfied(&verified.witnesses)) {
            self.met_at = self.met_at.max(Some(size));
        }
    }

    fn timestamped(&mut self, path: &Path, response: &[u8], text: &str, size: u64) {
        let sink = self.opened.log.sink;
        let said = inspect(response, text.as_bytes());
        let checked = self
            .options
            .tsa_roots
            .as_ref()
            .map(|roots| inferlog_timestamp::verify(response, text.as_bytes(), None, roots));
        let (stamp, is_trusted) = match (said, checked) {
            (_, Some(Ok(stamp))) => (stamp, true),
            (Ok(stamp), None) => (stamp, false),
            (Ok(stamp), Some(Err(error @ TimestampError::Untrusted(_)))) => {
                sink.notice(format!("{}: {error}", sink.relative(path)));
                (stamp, false)
            }
            (_, Some(Err(error))) | (Err(error), None) => {
                return sink.byte(path, 0, FaultKind::Vouched, error.to_string());
            }
        };
        let stamped = Timestamped {
            by: stamp.authority,
            at: Timestamp(stamp.time_ns),
            accuracy_ns: stamp.accuracy_ns,
            serial: stamp.serial,
            policy: stamp.policy,
            size,
            is_trusted,
        };
        keep_newest(
            &mut self.statement.timestamped,
            stamped,
            |one| &one.by,
            |one| (one.is_trusted, one.at, one.size),
        );
    }
}

/// Whether none of the keys that were tried signed.
fn is_unknown(error: &CheckpointError) -> bool {
    matches!(error, CheckpointError::Note(NoteError::NoKnownKey { .. }))
}

/// Keeps one of each name: the one that is first by `rank`.
fn keep_newest<T, K: PartialOrd>(
    kept: &mut Vec<T>,
    new: T,
    name: impl Fn(&T) -> &String,
    rank: impl Fn(&T) -> K,
) {
    match kept.iter_mut().find(|one| name(one) == name(&new)) {
        Some(one) if rank(&new) > rank(one) => *one = new,
        Some(_) => {}
        None => kept.push(new),
    }
}

/// Names the files of `vouched/` that belong to nothing.
fn others(log: &Log<'_>, sizes: &[u64]) {
    let Ok(listed) = log.fs.read_dir(&log.dir.vouched()) else { return };
    for file in listed {
        let known = sizes.iter().any(|&size| is_of(&file.name, log.dir, size));
        if !known && file.name != "lock" && !file.name.starts_with(TMP_PREFIX) {
            let what = "belongs to no checkpoint that others vouch for; not looked at";
            log.sink.notice(format!("{}: {what}", log.sink.relative(&file.path)));
        }
    }
}

fn is_of(name: &str, dir: &LogDir, size: u64) -> bool {
    let is = |path: std::path::PathBuf| path.file_name().is_some_and(|own| own == name);
    let mut numbers = 0..inferlog_log::TIMESTAMPS_MAX;
    is(dir.vouched_note(size)) || numbers.any(|number| is(dir.vouched_timestamp(size, number)))
}

/// When the newest entry says that it was logged.
fn newest_entry(log: &Log<'_>) -> Option<Timestamp> {
    let path = LogDir::bundle_of(log.size.checked_sub(1)?, log.size)?;
    let bundle = log.reader.bundle(path).ok()?;
    let entry = bundle_entries(&bundle).last()?.ok()?;
    let mut scan = EntryScan::default();
    scan.read(entry).ok()?;
    std::str::from_utf8(scan.events.first()?.logged_at).ok()?.parse().ok()
}
