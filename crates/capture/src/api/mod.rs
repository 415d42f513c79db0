//! The application's half: what a gateway cannot see, attached to a decision at any time.
//!
//! An application, or a person at the command line, says in JSON what was retrieved, which tools were called, what the user
//! was shown, what a reviewer did, how it turned out. The form is docs/events.md: `form` reads a batch of events strictly and
//! `kinds` maps each to a record's event, both pure; `attach` finds the decisions, compares outputs (`compare`) and records.
//!
//! All text and JSON of callers is sealed. In clear stand the names of indexes, tools, steps, labels and models, which an
//! application is trusted with as configuration is, where they keep the pattern; of any other the field says `unlisted`.
//!
//! An event with an `id` of its caller's is recorded once: the same id leads to the same event id, also after a restart. What
//! is of one decision in a batch becomes durable together, or not at all.

mod access;
mod attach;
mod biometric;
mod calls;
mod compare;
mod content;
mod fields;
mod form;
mod kinds;
mod names;
mod session;

pub use access::{Access, Denied, TOKEN_BYTES_MIN, Token};
pub use attach::{Attached, AttachedEvent, How, attach};
pub use kinds::KINDS;

use crate::recorder::RecordError;

/// Longest batch, bytes.
pub const BATCH_BYTES_MAX: usize = 8 << 20;
/// Events in one batch.
pub const BATCH_EVENTS_MAX: usize = 1_000;
/// Longest id that a caller may give an event, bytes.
pub const CALLER_ID_BYTES_MAX: usize = 256;

/// Why events were not attached. Nothing of them is recorded unless the message says so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// The HTTP status that says the same.
    pub status: u16,
    /// A fixed name.
    pub code: &'static str,
    /// What is wrong and what to do. May quote names of members, never their content.
    pub message: String,
}

impl ApiError {
    /// The body does not have the form that docs/events.md describes.
    fn malformed(message: impl Into<String>) -> Self {
        Self { status: 400, code: "malformed", message: message.into() }
    }

    /// More than is taken at once.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self { status: 413, code: "too_large", message: message.into() }
    }
}

impl From<RecordError> for ApiError {
    fn from(error: RecordError) -> Self {
        let (status, message) = match &error {
            RecordError::NoDecision(_) => (404, format!("{error}: {}", error.advice())),
            RecordError::Biometric(_) => (422, error.to_string()),
            RecordError::NotSelected(_) => (409, format!("{error}: {}", error.advice())),
            RecordError::Append(inferlog_log::AppendError::Invalid(_))
            | RecordError::Entry(_)
            | RecordError::Invalid(_) => (422, format!("it cannot be recorded: {error}")),
            _ => {
                let what = format!("it is not recorded: {}. What to do: {}", error.summary(), error.advice());
                (503, what)
            }
        };
        Self { status, code: error.code(), message }
    }
}
