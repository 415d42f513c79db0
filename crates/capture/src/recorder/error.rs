//! Why something was not recorded.

use crate::recorder::Inner;
use inferlog_disk::DiskError;
use inferlog_log::{AppendError, LogError, ReadError};
use inferlog_record::body::GapReason;
use inferlog_record::{EntryError, Id};
use inferlog_vault::VaultError;

/// Why something was not recorded. Nothing of it counts as recorded; after [`RecordError::Append`] with
/// [`AppendError::Poisoned`] it may be in the log all the same.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The log did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// A log could not be opened, created or integrated.
    #[error(transparent)]
    Log(#[from] LogError),
    /// An entry could not be read back.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A key could not be made or used.
    #[error("keystore: {0}")]
    Vault(#[from] VaultError),
    /// The events do not fit the format.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The operating system failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// No log here has the decision that something was to be added to.
    #[error("there is no decision {0} here")]
    NoDecision(Id),
    /// What was to be added to is a decision that a policy's sampling did not select.
    #[error("decision {0} was not selected by the sampling policy in force, and is only counted")]
    NotSelected(Id),
    /// What the policy's biometric profile asks for is missing: everything that is.
    #[error("the biometric profile of the policy in force asks for more: {0}")]
    Biometric(String),
    /// A request for the recorder that cannot be met.
    #[error("{0}")]
    Invalid(String),
    /// A thread of the recorder ended before it was done.
    #[error("a thread of the recorder ended: {0}")]
    Thread(String),
}

impl RecordError {
    /// What a gap that it caused says of it.
    pub fn gap_reason(&self) -> GapReason {
        match self {
            Self::Append(AppendError::Full(_)) => GapReason::StorageFull,
            Self::Vault(error) if error.is_full() => GapReason::StorageFull,
            _ => GapReason::CommitFailed,
        }
    }

    /// A fixed name, for clients and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Append(AppendError::Full(_)) => "disk_full",
            Self::Vault(error) if error.is_full() => "disk_full",
            Self::Append(AppendError::Poisoned(_)) => "log_poisoned",
            Self::Append(AppendError::Closed) => "log_closed",
            Self::Append(AppendError::Invalid(_)) | Self::Entry(_) | Self::Invalid(_) => "not_recordable",
            Self::NoDecision(_) => "no_decision",
            Self::NotSelected(_) => "not_selected",
            Self::Biometric(_) => "biometric_profile",
            Self::Log(_) | Self::Read(_) => "log_failed",
            Self::Vault(_) => "keystore_failed",
            Self::Disk(_) | Self::Thread(_) => "internal",
        }
    }

    /// What happened, in words that tell a stranger nothing of this machine.
    pub fn summary(&self) -> &'static str {
        match self {
            Self::Append(AppendError::Full(_)) => "the disk of the record is full",
            Self::Vault(error) if error.is_full() => "the disk of the record is full",
            Self::Append(AppendError::Poisoned(_)) => "the disk of the record failed",
            Self::Append(AppendError::Closed) => "the recorder is stopping",
            Self::Append(AppendError::Invalid(_)) | Self::Entry(_) | Self::Invalid(_) => {
                "it does not fit the record"
            }
            Self::NoDecision(_) => "there is no such decision here",
            Self::NotSelected(_) => "the decision was not selected by the sampling policy in force",
            Self::Biometric(_) => "it lacks what the biometric profile of the policy in force asks for",
            Self::Log(_) | Self::Read(_) => "the log cannot be read or written",
            Self::Vault(_) => "the keystore failed",
            Self::Disk(_) | Self::Thread(_) => "the recorder failed",
        }
    }

    /// What whoever runs the system should do.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Append(AppendError::Full(_)) => {
                "free space on the file system of the data directory; recording resumes by itself"
            }
            Self::Vault(error) if error.is_full() => {
                "free space on the file system of the data directory; recording resumes by itself"
            }
            Self::Append(AppendError::Poisoned(_)) => {
                "look at the disk and the log of this process, which opens the log again: what is durable is recovered"
            }
            Self::Append(AppendError::Closed) => {
                "the recorder is stopping: send the request to another instance"
            }
            Self::Append(AppendError::Invalid(_)) | Self::Entry(_) | Self::Invalid(_) => {
                "send less in one request, or lower the limits of the route"
            }
            Self::NoDecision(_) => {
                "give the id from the header `inferlog-decision-id` of the answer, to the node that recorded it"
            }
            Self::NotSelected(_) => {
                "nothing is to be done: of such decisions only what a person did about them is recorded"
            }
            Self::Biometric(_) => "send it again with what is missing: nothing of it is recorded",
            Self::Log(_) | Self::Read(_) => "run `inferlog verify` on the data directory",
            Self::Vault(_) => "look at the keystore and the root key; this process opens it again",
            Self::Disk(_) | Self::Thread(_) => "look at the log of this process, then restart it",
        }
    }
}

impl Inner {
    /// Remembers a failure that only a restart ends.
    pub(crate) fn note(&self, error: &RecordError) {
        if let RecordError::Vault(
            error @ (VaultError::Poisoned | VaultError::Disk(_) | VaultError::Damaged { .. }),
        ) = error
            && !error.is_full()
        {
            self.keystore_failed.lock().get_or_insert_with(|| error.to_string());
        }
    }
}

impl From<tokio::task::JoinError> for RecordError {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Thread(error.to_string())
    }
}
