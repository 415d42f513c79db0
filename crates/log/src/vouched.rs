//! Checkpoints that others vouch for: cosigned by witnesses (c2sp.org/tlog-cosignature), timestamped by an authority (RFC 3161).
//! They stand beside the log, in `vouched/`, and the integrator knows nothing of them.

use std::path::PathBuf;

use inferlog_disk::{Fs, create_dir_all, read_optional, replace_file};
use inferlog_merkle::NOTE_BYTES_MAX;

use crate::LogDir;
use crate::error::{LogError, Result};

/// Length of the longest timestamp that is read, bytes.
pub const TIMESTAMP_BYTES_MAX: usize = 64 << 10;
/// Timestamps of one checkpoint at most.
pub const TIMESTAMPS_MAX: usize = 8;

/// A checkpoint that others vouch for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// Entries under it.
    pub size: u64,
    /// The signed note, cosignatures included.
    pub note: Vec<u8>,
    /// RFC 3161 responses over the note's text, DER.
    pub timestamps: Vec<Vec<u8>>,
}

impl LogDir {
    /// The directory of checkpoints that others vouch for.
    pub fn vouched(&self) -> PathBuf {
        self.path().join("vouched")
    }

    /// The note of one of them.
    pub fn vouched_note(&self, size: u64) -> PathBuf {
        self.vouched().join(format!("{size:020}.note"))
    }

    /// A timestamp over it.
    pub fn vouched_timestamp(&self, size: u64, number: usize) -> PathBuf {
        self.vouched().join(format!("{size:020}-{number}.tsr"))
    }
}

/// Sizes of the checkpoints that others vouch for, ascending.
///
/// # Errors
/// The file system's.
pub fn list_vouched(fs: &dyn Fs, log: &LogDir) -> Result<Vec<u64>> {
    let entries = match fs.read_dir(&log.vouched()) {
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        other => other?,
    };
    let size = |name: &str| name.strip_suffix(".note").filter(|digits| digits.len() == 20)?.parse().ok();
    let mut sizes: Vec<u64> = entries.iter().filter_map(|entry| size(&entry.name)).collect();
    sizes.sort_unstable();
    Ok(sizes)
}

/// Reads one of them; `None` if it is not there.
///
/// # Errors
/// The file system's; a file that is longer than any that is written.
pub fn read_vouched(fs: &dyn Fs, log: &LogDir, size: u64) -> Result<Option<Vouched>> {
    let read = |path: PathBuf, bytes_max: usize| -> Result<Option<Vec<u8>>> {
        let bytes = read_optional(fs, &path)?;
        match bytes {
            Some(bytes) if bytes.len() > bytes_max => {
                Err(LogError::damaged(&path, bytes_max as u64, "longer than any that is written"))
            }
            other => Ok(other),
        }
    };
    let Some(note) = read(log.vouched_note(size), NOTE_BYTES_MAX)? else { return Ok(None) };
    let mut timestamps = Vec::new();
    while timestamps.len() < TIMESTAMPS_MAX {
        let path = log.vouched_timestamp(size, timestamps.len());
        let Some(timestamp) = read(path, TIMESTAMP_BYTES_MAX)? else { break };
        timestamps.push(timestamp);
    }
    Ok(Some(Vouched { size, note, timestamps }))
}

/// Writes the note of a checkpoint that others vouch for, over an earlier one with fewer cosignatures. A crash leaves the one or
/// the other.
///
/// # Errors
/// The file system's.
pub fn write_vouched(fs: &dyn Fs, log: &LogDir, size: u64, note: &[u8]) -> Result<()> {
    create_dir_all(fs, &log.vouched())?;
    Ok(replace_file(fs, &log.vouched_note(size), note)?)
}

/// Adds a timestamp to a checkpoint whose note was written. A crash leaves it or none.
///
/// # Errors
/// The file system's.
pub fn write_timestamp(fs: &dyn Fs, log: &LogDir, size: u64, number: usize, response: &[u8]) -> Result<()> {
    Ok(replace_file(fs, &log.vouched_timestamp(size, number), response)?)
}
