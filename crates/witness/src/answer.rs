//! What a witness says, as c2sp.org/tlog-witness puts it into a status and a body.

use inferlog_merkle::NoteSignature;

use crate::Fork;
use crate::request::RequestError;

/// Media type of the body that says which size the witness has.
pub const SIZE_TYPE: &str = "text/x.tlog.size";
/// Media type of all other bodies.
pub const COSIGNATURE_TYPE: &str = "text/plain; charset=utf-8";

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200: the checkpoint is cosigned, and remembered.
    Cosigned {
        /// Origin of the log.
        origin: String,
        /// Size of the checkpoint.
        size: u64,
        /// The signature line to add to the checkpoint.
        signature: NoteSignature,
    },
    /// 400: not a request.
    Malformed(RequestError),
    /// 400: the old size is larger than the checkpoint.
    OldSizeBeyond {
        /// The old size.
        old_size: u64,
        /// The checkpoint's size.
        size: u64,
    },
    /// 403: the log is known, but none of its keys signed, or a signature of one of them is false.
    Untrusted(String),
    /// 404: the log is not known.
    UnknownLog(String),
    /// 409: the newest checkpoint that was cosigned has another size.
    Conflict {
        /// That size; zero if there was none.
        size: u64,
        /// What the request shows of a second history.
        fork: Option<Box<Fork>>,
    },
    /// 422: the checkpoint is not shown to extend the newest one that was cosigned.
    Inconsistent {
        /// In which way.
        why: String,
        /// What the request shows of a second history.
        fork: Option<Box<Fork>>,
    },
    /// 500: the witness could not remember it, and has not cosigned.
    Failed(String),
}

impl Answer {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::Cosigned { .. } => 200,
            Self::Malformed(_) | Self::OldSizeBeyond { .. } => 400,
            Self::Untrusted(_) => 403,
            Self::UnknownLog(_) => 404,
            Self::Conflict { .. } => 409,
            Self::Inconsistent { .. } => 422,
            Self::Failed(_) => 500,
        }
    }

    /// The body's media type.
    pub fn content_type(&self) -> &'static str {
        if matches!(self, Self::Conflict { .. }) { SIZE_TYPE } else { COSIGNATURE_TYPE }
    }

    /// The body: signature lines, a size, or a sentence for people.
    pub fn body(&self) -> String {
        match self {
            Self::Cosigned { signature, .. } => signature.to_string(),
            Self::Malformed(why) => format!("{why}\n"),
            Self::OldSizeBeyond { old_size, size } => {
                format!("the old size {old_size} is larger than the checkpoint's, {size}\n")
            }
            Self::Untrusted(why) => format!("{why}\n"),
            Self::UnknownLog(origin) => format!("this witness does not know the log {origin:?}\n"),
            Self::Conflict { size, .. } => format!("{size}\n"),
            Self::Inconsistent { why, fork } => {
                let fork = fork.as_ref().map(|fork| format!("\n{fork}")).unwrap_or_default();
                format!("{why}\n{fork}")
            }
            // What the disk said is the operator's affair.
            Self::Failed(_) => {
                "the witness could not remember this checkpoint and has not cosigned it: try again\n".into()
            }
        }
    }

    /// What the request showed of a second history of the log.
    pub fn fork(&self) -> Option<&Fork> {
        match self {
            Self::Conflict { fork, .. } | Self::Inconsistent { fork, .. } => fork.as_deref(),
            _ => None,
        }
    }
}
