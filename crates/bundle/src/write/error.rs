//! Why a bundle could not be written.

use inferlog_audit::AuditError;
use inferlog_disk::DiskError;
use inferlog_log::LogError;
use inferlog_record::Id;

/// The result of a step.
pub(super) type Result<T, E = WriteError> = std::result::Result<T, E>;

/// Why a bundle could not be written. What was written of it is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// No log has entries of the decision.
    #[error("no entry of decision {0} is under a checkpoint of this data directory")]
    NoDecision(Id),
    /// Nothing is chosen.
    #[error("no decision fits: a bundle is of one at least")]
    NoDecisions,
    /// Too many are chosen.
    #[error(
        "{found} decisions fit, a bundle holds {max} at most: choose a shorter time or fewer, and make several"
    )]
    TooMany {
        /// How many.
        found: usize,
        /// How many there may be.
        max: usize,
    },
    /// A role or class that no payload has.
    #[error("{0}")]
    Disclosure(String),
    /// No event speaks of the incident.
    #[error("no hold and no incident of the id {0} is under a checkpoint of this data directory")]
    NoIncident(Id),
    /// The log cannot be read.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The log's directory is damaged.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The file system failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A checkpoint of the log is not to be believed.
    #[error("{log}: its checkpoint of {size} entries: {what}; run `inferlog verify` to locate the damage")]
    Checkpoint {
        /// The log's origin.
        log: String,
        /// Entries under it.
        size: u64,
        /// What is wrong.
        what: String,
    },
    /// The entry is not where the checkpoint says, or not as the format says.
    #[error("{log}: entry {index}: {what}; run `inferlog verify` to locate the damage")]
    Entry {
        /// The log's origin.
        log: String,
        /// The entry.
        index: u64,
        /// What is wrong.
        what: String,
    },
    /// The registry cannot be read.
    #[error(transparent)]
    Registry(#[from] inferlog_registry::RegistryError),
    /// Whoever holds the log's key did not sign.
    #[error("{log}: the bundle was not signed: {what}")]
    Sign {
        /// The log's origin.
        log: String,
        /// Why.
        what: String,
    },
    /// The page could not be made.
    #[error("the page could not be made: {0}")]
    Report(#[from] crate::report::ReportError),
    /// The archive could not be written.
    #[error("the bundle could not be written: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// A value is no JSON.
    #[error("the bundle could not be written: {0}")]
    Json(#[from] serde_json::Error),
    /// The file could not be written.
    #[error("the bundle could not be written: {0}")]
    Io(#[from] std::io::Error),
}
