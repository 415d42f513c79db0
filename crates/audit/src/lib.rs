//! The auditor's path: verify, reconstruct, find, prove. It reads a data directory and changes nothing in it.
//!
//! [`verify`] needs no keys and trusts no file: it holds each against the others and says where they disagree.

mod error;
mod find;
mod json;
mod keys;
mod open;
mod paint;
mod receipt;
mod report;
mod select;
mod story;
mod verify;

pub use error::{AuditError, Result};
pub use find::{FindOptions, FoundDecision, find};
pub use receipt::{
    CheckedReceipt, ENTRY_ENDING, EntryReceipt, PROOF_ENDING, ReceiptFault, check_receipt,
    check_receipt_file, receipts,
};
pub use report::{AgainstReport, Fault, FaultKind, KeySource, LogReport, Notice, Report};
pub use select::Select;
pub use story::{
    CONTENT_BYTES_MAX, EntryProof, MissingPart, Openings, PayloadContent, Place, Story, StoryEvent,
    StoryOptions, StoryPayload, StoryProof, Unopened, parse_decision, story,
};
pub use verify::{FAULTS_LISTED_MAX, Options, Progress, THREADS_DEFAULT, verify};
