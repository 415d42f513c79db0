//! What a log says of itself: the files `log`, `checkpoint`, `state` and `twin`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_disk::{Fs, read_optional};
use inferlog_log::{LogDir, LogId, LogIdentity, LogReader, State};
use inferlog_merkle::{Checkpoint, CheckpointError, EMPTY_ROOT, SignedNote, VerifierKey};
use inferlog_record::Timestamp;
use parking_lot::Mutex;

use super::Options;
use super::log::Log;
use crate::keys::{LogKeys, parse_all};
use crate::report::{FaultKind, LogReport, PayloadCounts, Sink, Statement};

/// A log and what its signed files say.
pub(super) struct Opened<'a> {
    pub(super) log: Log<'a>,
    pub(super) keys: LogKeys,
    /// The keys that the directory lists, whether or not they are the ones that count.
    pub(super) listed: Vec<VerifierKey>,
    pub(super) report: LogReport,
}

/// The origin that a log's place in the directory asks for, without the org.
fn tail(dir: &LogDir) -> String {
    format!("/{}/{}/{}", dir.system(), dir.shard(), dir.epoch())
}

/// Reads a log's signed files and reports what is wrong with them. Whatever is wrong, the rest of the log is checked against
/// the best that is known: a checkpoint whose signature verifies, else the integrator's state, else a checkpoint that parses.
pub(super) fn open<'a>(
    fs: &'a Arc<dyn Fs>,
    dir: &'a LogDir,
    origin: &'a str,
    identity: Option<&LogIdentity>,
    options: &Options,
    sink: Sink<'a>,
) -> Opened<'a> {
    let listed = parse_all(identity.map_or(&[], |identity| &identity.vkeys));
    let keys = LogKeys::choose(origin, &options.log_keys(), &listed);
    // In this order: a live writer replaces state, then twin, then checkpoint.
    let published = checkpoint(&**fs, dir, sink, origin, &keys);
    let twin = read_twin(&**fs, dir, sink, options);
    let state = read_state(&**fs, dir, sink, LogId::of(origin));
    let signed = published.as_ref().filter(|(_, signers)| !signers.is_empty());
    let (size, root) = match (signed.or(published.as_ref().filter(|_| state.is_none())), &state) {
        (Some((checkpoint, _)), _) => (checkpoint.size(), checkpoint.root()),
        (None, Some(state)) => (state.size, state.root),
        (None, None) => (0, EMPTY_ROOT),
    };
    let reader = LogReader::new(fs.clone(), dir.clone());
    let edge_is_right = inferlog_merkle::root(&reader, size).is_ok_and(|found| found == root);
    let faulty = Mutex::default();
    let id = LogId::of(origin);
    let mut log = Log { fs, dir, reader, sink, id, state, size, first: 0, root, edge_is_right, faulty };
    log.first = super::kept::first(&log);
    compare_state(&log);
    if let Some(twin) = twin {
        check_twin(&log, origin, &keys, &twin, options);
    }
    let signed_by = published.iter().flat_map(|(_, signers)| signers.iter().map(VerifierKey::to_string));
    let report = LogReport {
        origin: origin.to_owned(),
        system: dir.system().to_owned(),
        size,
        first: log.first,
        payloads: PayloadCounts::default(),
        root: published.as_ref().map(|(checkpoint, _)| checkpoint.root().to_base64()),
        signed_by: signed_by.collect(),
        key_from: keys.source,
        fault_count: 0,
        statement: Statement::default(),
    };
    Opened { log, keys, listed, report }
}

/// Reads the file `log`, whose every byte has one spelling.
pub(super) fn identity(fs: &dyn Fs, dir: &LogDir, sink: Sink<'_>) -> Option<LogIdentity> {
    let path = dir.path().join("log");
    let identity = match LogIdentity::load(fs, dir) {
        Ok(identity) => identity,
        Err(error) => {
            sink.error(&path, FaultKind::Identity, &error);
            return None;
        }
    };
    if !fs.read(&path).is_ok_and(|bytes| super::is_canonical(&bytes)) {
        sink.file(
            &path,
            FaultKind::Identity,
            "not written as inferlog writes it: sorted, without spaces, one newline",
        );
    }
    if !identity.origin.ends_with(&tail(dir)) {
        sink.file(
            &path,
            FaultKind::Identity,
            format!("the origin {} is not that of this place", identity.origin),
        );
    }
    let created = identity.created.parse::<Timestamp>().map(|_| identity.created[..10].replace('-', ""));
    if !created.is_ok_and(|day| dir.epoch().split_once('-').is_some_and(|(epoch, _)| epoch == day)) {
        sink.file(&path, FaultKind::Identity, "`created` is not a time on the day that the epoch names");
    }
    for vkey in &identity.vkeys {
        match vkey.parse::<VerifierKey>() {
            Ok(key) if key.name() == identity.origin => {}
            Ok(key) => {
                let what = format!("a key of {} stands in the file of {}", key.name(), identity.origin);
                sink.file(&path, FaultKind::Identity, what);
            }
            Err(error) => sink.file(&path, FaultKind::Identity, error.to_string()),
        }
    }
    if identity.vkeys.is_empty() {
        sink.file(&path, FaultKind::Identity, "no verifier key is listed");
    }
    Some(identity)
}

/// The origin of a log whose files may be damaged: the one that most of `log`, its keys and `checkpoint` name.
pub(super) fn origin(fs: &Arc<dyn Fs>, dir: &LogDir, identity: Option<&LogIdentity>) -> String {
    let published = LogReader::new(fs.clone(), dir.clone()).checkpoint().ok().flatten();
    let mut named: Vec<String> =
        published.iter().map(|(_, checkpoint)| checkpoint.origin().to_owned()).collect();
    if let Some(identity) = identity {
        named.extend(parse_all(&identity.vkeys).iter().map(|key| key.name().to_owned()));
        named.push(identity.origin.clone());
    }
    named.retain(|origin| origin.ends_with(&tail(dir)));
    let votes = |origin: &String| named.iter().filter(|other| *other == origin).count();
    named.iter().max_by_key(|origin| votes(origin)).cloned().unwrap_or_else(|| format!("?{}", tail(dir)))
}

/// The published checkpoint and the keys whose signatures verify; as much of it as parses, for the rest is checked against it.
fn checkpoint(
    fs: &dyn Fs,
    dir: &LogDir,
    sink: Sink<'_>,
    origin: &str,
    keys: &LogKeys,
) -> Option<(Checkpoint, Vec<VerifierKey>)> {
    let path = dir.checkpoint();
    let bytes = match read_optional(fs, &path) {
        Ok(bytes) => bytes?,
        Err(error) => {
            sink.file(&path, FaultKind::Unreadable, error.to_string());
            return None;
        }
    };
    check_note(sink, &path, &bytes, origin, keys, FaultKind::Checkpoint)
}

fn check_note(
    sink: Sink<'_>,
    path: &Path,
    bytes: &[u8],
    origin: &str,
    keys: &LogKeys,
    kind: FaultKind,
) -> Option<(Checkpoint, Vec<VerifierKey>)> {
    let parsed = SignedNote::parse(bytes).map_err(CheckpointError::from);
    let parsed = parsed.and_then(|note| Ok((note.text().parse::<Checkpoint>()?, note)));
    let (checkpoint, note) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            sink.byte(path, 0, kind, error.to_string());
            return None;
        }
    };
    if keys.keys.is_empty() {
        // Why there is no key was reported with the file `log`.
        sink.notice(format!("{}: no key to check its signature with", sink.relative(path)));
        return (checkpoint.origin() == origin).then_some((checkpoint, Vec::new()));
    }
    let signers = match keys.verify(&note, origin) {
        Ok(verified) => verified.log.into_iter().map(|signature| signature.key).collect(),
        Err(error @ CheckpointError::Note(_)) => {
            sink.byte(path, 0, FaultKind::Signature, error.to_string());
            Vec::new()
        }
        Err(error) => {
            sink.byte(path, 0, kind, error.to_string());
            Vec::new()
        }
    };
    for signature in note.signatures() {
        let is_known =
            keys.keys.iter().any(|key| key.key_id() == signature.key_id() && key.name() == signature.name());
        if !is_known && !signers.is_empty() {
            sink.notice(format!(
                "{}: signed also by {} ({:08x}), a key that is not known here: that signature was not checked",
                sink.relative(path),
                signature.name(),
                signature.key_id(),
            ));
        }
    }
    // A checkpoint that nobody vouches for is still the best guide to what should be there.
    (checkpoint.origin() == origin).then_some((checkpoint, signers))
}

fn read_state(fs: &dyn Fs, dir: &LogDir, sink: Sink<'_>, id: LogId) -> Option<State> {
    let path = dir.state();
    let bytes = match fs.read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.is_not_found() => {
            sink.file(
                &path,
                FaultKind::State,
                "the file is missing; restore it from a copy of this directory",
            );
            return None;
        }
        Err(error) => {
            sink.file(&path, FaultKind::Unreadable, error.to_string());
            return None;
        }
    };
    match State::decode(&bytes) {
        Some(state) if state.log == id => Some(state),
        Some(_) => {
            sink.byte(&path, 8, FaultKind::State, "the integrator's state is of another log");
            None
        }
        None => {
            sink.byte(&path, 0, FaultKind::State, "the integrator's state does not check");
            None
        }
    }
}

/// `state` was durable before the checkpoint was, so it is not older; and the tiles have its root.
fn compare_state(log: &Log<'_>) {
    let Some(state) = &log.state else { return };
    let path = log.dir.state();
    if state.size < log.size {
        let what = format!("the integrator's state has {} entries, the checkpoint {}", state.size, log.size);
        return log.sink.byte(&path, 24, FaultKind::State, what);
    }
    if state.size > 0 && !log.fs.exists(&log.dir.checkpoint()).unwrap_or(true) {
        log.sink.file(&log.dir.checkpoint(), FaultKind::Checkpoint, "the file is missing");
    }
    // The tiles' root is held against the checkpoint where both are of one size.
    let is_right = match state.size == log.size {
        true => state.root == log.root,
        false => root_is(log, state.size, state.root),
    };
    if !is_right {
        log.sink.byte(&path, 32, FaultKind::State, "the integrator's state has another root than the log");
    }
}

/// Whether the tiles have this root at this size, which a live writer may just have passed.
fn root_is(log: &Log<'_>, size: u64, root: inferlog_merkle::Hash) -> bool {
    match inferlog_merkle::root(&log.reader, size) {
        Ok(found) => found == root,
        // Partial tiles of a size beyond the checkpoint may be gone already; the checkpoint that follows covers them.
        Err(_) => size > log.size,
    }
}

fn read_twin(fs: &dyn Fs, dir: &LogDir, sink: Sink<'_>, options: &Options) -> Option<(PathBuf, Vec<u8>)> {
    let path = match &options.twins {
        Some(twins) => twins.join(dir.system()).join(dir.shard()).join(dir.epoch()).join("twin"),
        None => dir.path().join("twin"),
    };
    match read_optional(fs, &path) {
        Ok(Some(bytes)) => Some((path, bytes)),
        Ok(None) => {
            sink.notice("no twin of the checkpoint was found: a restored older copy would not be noticed");
            None
        }
        Err(error) => {
            sink.file(&path, FaultKind::Unreadable, error.to_string());
            None
        }
    }
}

/// The twin was replaced before the checkpoint was: it is of the same tree and not older.
fn check_twin(
    log: &Log<'_>,
    origin: &str,
    keys: &LogKeys,
    (path, bytes): &(PathBuf, Vec<u8>),
    options: &Options,
) {
    if options.twins.is_none() {
        log.sink.notice("the twin lies on the same disk as the log: no rollback protection");
    }
    let Some((twin, signers)) = check_note(log.sink, path, bytes, origin, keys, FaultKind::Twin) else {
        return;
    };
    if signers.is_empty() && !keys.keys.is_empty() {
        // What nobody signed says nothing.
        return;
    }
    let integrated = log.state.as_ref().map_or(log.size, |state| state.size.max(log.size));
    if twin.size() < log.size {
        let what = format!("the twin has {} entries, the checkpoint {}", twin.size(), log.size);
        log.sink.byte(path, 0, FaultKind::Twin, what);
    } else if twin.size() > integrated {
        let what = format!(
            "the twin has {} entries, the log {integrated}: an older copy of the log was restored, or entries were removed",
            twin.size()
        );
        log.sink.byte(path, 0, FaultKind::Twin, what);
    } else {
        let is_right = match twin.size() == log.size {
            true => twin.root() == log.root,
            false => root_is(log, twin.size(), twin.root()),
        };
        if !is_right {
            log.sink.byte(
                path,
                0,
                FaultKind::Twin,
                "the twin has another root than the log: the two are forks",
            );
        }
    }
}
