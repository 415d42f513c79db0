//! What a witness remembers, on disk.
//!
//! ```text
//! STATE/
//!   key                       the signing key
//!   lock                      held by the one process that cosigns
//!   logs/<SHA-256 of the origin, hex>/
//!     log                     origin and verifier keys
//!     newest                  the newest checkpoint that was cosigned: a signed note
//!     forks/*.json            refused checkpoints that contradict it
//! ```

use std::path::{Path, PathBuf};

use inferlog_disk::{DiskError, Fs, create_dir_all, read_optional, replace_file};
use inferlog_merkle::{Checkpoint, KeyKind, SignedNote, VerifierKey};
use sha2::{Digest, Sha256};

use crate::fork::{FORKS_PROVED_MAX, FORKS_UNPROVED_MAX, Fork};

/// First line of `log`.
const LOG_MAGIC: &str = "inferlog witness log v1";

/// What the memory of a witness cannot be used for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file does not hold what its place asks for. Cosigning goes on for other logs; this one needs the file from a backup that
    /// is no older, or a new witness: an older file would let the log go back.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not check.
        what: String,
    },
    /// Another process cosigns with this memory.
    #[error("{} is in use: another process cosigns with it", .0.display())]
    InUse(PathBuf),
    /// The log's key is not one that a log signs with.
    #[error("{0} is a witness's key (type 0x04), not a log's (type 0x01)")]
    NotALog(String),
    /// The origin cannot stand in a checkpoint.
    #[error("{0:?} is no origin: one line that is not empty and has no control characters")]
    Origin(String),
    /// A file operation failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// A log that is cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownLog {
    /// Its origin.
    pub origin: String,
    /// The keys that it may sign with.
    pub keys: Vec<VerifierKey>,
}

/// The newest checkpoint of a log that was cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newest {
    /// The note: signatures of the log that were verified, and the cosignature.
    pub note: SignedNote,
    /// What it says.
    pub checkpoint: Checkpoint,
    /// When it was cosigned, seconds since 1970.
    pub time: u64,
}

/// Name of a log's folder, and of its place under the monitoring prefix: SHA-256 of the origin, lower-case hexadecimal.
pub fn log_folder(origin: &str) -> String {
    hex::encode(Sha256::digest(origin))
}

fn folder(dir: &Path, origin: &str) -> PathBuf {
    dir.join("logs").join(log_folder(origin))
}

/// Makes a log known, or gives one that is known further keys. A crash leaves it as it was or as it is to be. One process at a
/// time; one that cosigns meanwhile takes it up with its next request.
///
/// # Errors
/// A key or origin that is none; the file system's.
pub fn add_log(fs: &dyn Fs, dir: &Path, origin: &str, keys: &[VerifierKey]) -> Result<KnownLog, StoreError> {
    if origin.is_empty() || origin.chars().any(char::is_control) {
        return Err(StoreError::Origin(origin.to_owned()));
    }
    if let Some(key) = keys.iter().find(|key| key.kind() != KeyKind::Ed25519) {
        return Err(StoreError::NotALog(key.name().to_owned()));
    }
    let _adding = fs.lock(&dir.join("adding"))?;
    let present = known_log(fs, dir, origin)?;
    let mut log = present.unwrap_or_else(|| KnownLog { origin: origin.to_owned(), keys: Vec::new() });
    for key in keys {
        if !log.keys.contains(key) {
            log.keys.push(key.clone());
        }
    }
    let folder = folder(dir, origin);
    create_dir_all(fs, &folder)?;
    let keys: String = log.keys.iter().map(|key| format!("{key}\n")).collect();
    replace_file(fs, &folder.join("log"), format!("{LOG_MAGIC}\n{origin}\n{keys}").as_bytes())?;
    Ok(log)
}

/// A log by its origin; `None` if it is not known.
///
/// # Errors
/// The file is damaged; the file system's.
pub fn known_log(fs: &dyn Fs, dir: &Path, origin: &str) -> Result<Option<KnownLog>, StoreError> {
    let log = read_log(fs, &folder(dir, origin))?;
    Ok(log.filter(|log| log.origin == origin))
}

/// Every log that is known, by origin.
///
/// # Errors
/// A file is damaged; the file system's.
pub fn known_logs(fs: &dyn Fs, dir: &Path) -> Result<Vec<KnownLog>, StoreError> {
    let folders = match fs.read_dir(&dir.join("logs")) {
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        other => other?,
    };
    let mut logs = Vec::new();
    for folder in folders.iter().filter(|entry| entry.is_dir) {
        // A folder without its file was left by a crash.
        logs.extend(read_log(fs, &folder.path)?);
    }
    logs.sort_by(|one, other| one.origin.cmp(&other.origin));
    Ok(logs)
}

fn read_log(fs: &dyn Fs, folder: &Path) -> Result<Option<KnownLog>, StoreError> {
    let path = folder.join("log");
    let Some(bytes) = read_optional(fs, &path)? else { return Ok(None) };
    let damaged = |what: &str| StoreError::Damaged { path: path.clone(), what: what.to_owned() };
    let text = String::from_utf8(bytes).map_err(|_| damaged("not UTF-8"))?;
    let lines: Vec<&str> = text.strip_suffix('\n').unwrap_or_default().split('\n').collect();
    let [LOG_MAGIC, origin, keys @ ..] = lines.as_slice() else {
        return Err(damaged("it does not begin with `inferlog witness log v1` and an origin"));
    };
    if folder.file_name().is_none_or(|name| name != log_folder(origin).as_str()) {
        return Err(damaged("its folder is not named by the SHA-256 of its origin"));
    }
    let keys = keys.iter().map(|key| key.parse::<VerifierKey>()).collect::<Result<Vec<_>, _>>();
    let keys = keys.map_err(|error| damaged(&error.to_string()))?;
    if keys.is_empty() {
        return Err(damaged("it has no keys"));
    }
    Ok(Some(KnownLog { origin: (*origin).to_owned(), keys }))
}

/// The newest checkpoint of a log that the witness with this key cosigned; `None` if it never did. The cosignature is verified:
/// a file that was changed is not believed.
///
/// # Errors
/// The file is damaged, or of another witness or log; the file system's.
pub fn newest(
    fs: &dyn Fs,
    dir: &Path,
    origin: &str,
    witness: &VerifierKey,
) -> Result<Option<Newest>, StoreError> {
    let path = folder(dir, origin).join("newest");
    let Some(bytes) = read_optional(fs, &path)? else { return Ok(None) };
    let damaged = |what: String| StoreError::Damaged { path: path.clone(), what };
    let note = SignedNote::parse(&bytes).map_err(|error| damaged(error.to_string()))?;
    let verified = note.verify(std::slice::from_ref(witness)).map_err(|error| damaged(error.to_string()))?;
    let checkpoint: Checkpoint = note.text().parse().map_err(|error| damaged(format!("{error}")))?;
    if checkpoint.origin() != origin {
        return Err(damaged(format!("it is of the log {:?}", checkpoint.origin())));
    }
    let time = verified.iter().find_map(|signature| signature.timestamp).unwrap_or_default();
    Ok(Some(Newest { note, checkpoint, time }))
}

/// Makes a checkpoint the newest of its log. After an error the file before or this one is there, the latter perhaps not durably.
pub(crate) fn write_newest(
    fs: &dyn Fs,
    dir: &Path,
    origin: &str,
    note: &SignedNote,
) -> Result<(), StoreError> {
    Ok(replace_file(fs, &folder(dir, origin).join("newest"), note.to_string().as_bytes())?)
}

/// Keeps what shows a fork, unless it is there or enough of its kind are.
pub(crate) fn write_fork(fs: &dyn Fs, dir: &Path, origin: &str, fork: &Fork) -> Result<(), StoreError> {
    let (dir, name) = (folder(dir, origin).join("forks"), fork.file_name());
    create_dir_all(fs, &dir)?;
    let (kind, max) = match fork.is_proof() {
        true => ("proved-", FORKS_PROVED_MAX),
        false => ("unproved-", FORKS_UNPROVED_MAX),
    };
    let present = fs.read_dir(&dir)?;
    let is_full = present.iter().filter(|entry| entry.name.starts_with(kind)).count() >= max;
    if is_full || present.iter().any(|entry| entry.name == name) {
        return Ok(());
    }
    let bytes = fork
        .to_json()
        .map_err(|error| StoreError::Damaged { path: dir.join(&name), what: error.to_string() })?;
    // A crash leaves the file or none. Nothing rests on it but the reader's knowledge.
    Ok(replace_file(fs, &dir.join(name), &bytes)?)
}

/// What was kept of a log's forks, proofs first. What they say is not yet checked: [`Fork::verify`].
///
/// # Errors
/// A file is damaged; the file system's.
pub fn forks(fs: &dyn Fs, dir: &Path, origin: &str) -> Result<Vec<Fork>, StoreError> {
    let entries = match fs.read_dir(&folder(dir, origin).join("forks")) {
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        other => other?,
    };
    let mut forks = Vec::new();
    // `proved-` comes before `unproved-`, and a temporary file has another ending or begins with a dot.
    for entry in entries.iter().filter(|entry| entry.name.ends_with(".json") && !entry.name.starts_with('.'))
    {
        let fork = Fork::parse(&fs.read(&entry.path)?);
        let damaged = |error| StoreError::Damaged { path: entry.path.clone(), what: format!("{error}") };
        forks.push(fork.map_err(damaged)?);
    }
    Ok(forks)
}
