//! The auditor's path: verify, reconstruct, find, prove. It reads a data directory and changes nothing in it.
//!
//! [`verify`] needs no keys and trusts no file: it holds each against the others and says where they disagree.

mod error;
mod json;
mod keys;
mod report;
mod select;
mod verify;

pub use error::{AuditError, Result};
pub use report::{AgainstReport, Fault, FaultKind, KeySource, LogReport, Notice, Report};
pub use select::Select;
pub use verify::{FAULTS_LISTED_MAX, Options, Progress, THREADS_DEFAULT, verify};
