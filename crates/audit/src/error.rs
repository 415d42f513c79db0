//! Why a question could not be answered at all. What is wrong with the data is a [`crate::Fault`], not an error.

use inferlog_disk::DiskError;
use inferlog_log::{LogError, ReadError};

/// The result of a question.
pub type Result<T, E = AuditError> = std::result::Result<T, E>;

/// Why a question could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// There is no data directory.
    #[error("{0} is not a data directory: it has neither `node` nor `logs`")]
    NoData(String),
    /// No log fits.
    #[error("there is no log of {0} in this data directory; it has: {1}")]
    NoLog(String, String),
    /// No log has entries of the decision.
    #[error("no entry of decision {0} is under a checkpoint of this data directory")]
    NoDecision(String),
    /// No log has entries of the decision, and entries of its time were purged.
    #[error("no entry of decision {decision} is left, if there ever was one: {what}")]
    DecisionPurged {
        /// The decision.
        decision: String,
        /// What the logs say.
        what: String,
    },
    /// The text is not a decision's id.
    #[error("{0:?} is not a decision id: expected a UUIDv7 of 36 lower-case characters")]
    NotAnId(String),
    /// Bytes that were durable do not check.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A bundle or tile could not be read.
    #[error("{log}: {source}; run `inferlog verify` to locate the damage")]
    Read {
        /// Origin of the log.
        log: String,
        /// Why.
        source: ReadError,
    },
    /// An entry is not as the format says.
    #[error("{log}: entry {index}: {what}; run `inferlog verify` to see whether it is damaged")]
    Entry {
        /// Origin of the log.
        log: String,
        /// The entry.
        index: u64,
        /// What is wrong.
        what: String,
    },
    /// The file system failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}
