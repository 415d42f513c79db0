//! The auditor's path: verify, reconstruct, find, prove. It reads a data directory, takes no lock and changes nothing.
//!
//! [`verify`] needs no keys and trusts no file: it holds each against the others and says where they disagree, and which of
//! them does not lead to the signed root (docs/verify.md lists what is covered). [`story`] tells one decision: its entries
//! proved under the checkpoint, its payloads opened where somebody gives [`Openings`], and what is not there named with the
//! reason and the provision that it would serve. [`find`] gives decisions in a row; [`receipts`] gives proofs away, and
//! [`check_receipt`] believes one with no more than a key.
//!
//! Nothing here shares the writer's code: the formats are read by pure code and by readers of their own. Entries are scanned
//! in place, without values being built; memory does not grow with the log.

mod about;
pub mod account;
pub mod certificate;
pub mod coverage;
pub mod drill;
mod error;
pub mod fate;
mod find;
mod json;
pub mod keeping;
mod keys;
mod open;
mod opened;
mod paint;
pub mod person;
mod policy_page;
mod receipt;
mod report;
pub mod sampling;
mod select;
mod story;
mod verify;

pub use about::about;
pub use account::Account;
pub use error::{AuditError, Result};
pub use find::{FindOptions, FoundDecision, find};
pub use opened::{WantedPayload, open_payloads};
pub use policy_page::policy_page;
pub use receipt::{
    CheckedReceipt, ENTRY_ENDING, EntryReceipt, PROOF_ENDING, ReceiptFault, check_receipt,
    check_receipt_file, receipts,
};
pub use report::{
    AgainstReport, Cosigned, Evidence, Fault, FaultKind, KeySource, LogReport, Notice, Quorum,
    RememberedKind, Report, Statement, Timestamped,
};
pub use select::Select;
pub use story::{
    CONTENT_BYTES_MAX, EntriesPurged, EntryProof, HeldBy, Located, Locator, MissingPart, Openings,
    PayloadContent, Place, RedactionTold, Removed, ScanLocator, SharedContent, States, Story, StoryEvent,
    StoryOptions, StoryPayload, StoryProof, Summary, TextOptions, Tokens, Unopened, WithheldFrom,
    parse_decision, story,
};
pub use verify::{FAULTS_LISTED_MAX, Options, Progress, Remembered, THREADS_DEFAULT, verify};
