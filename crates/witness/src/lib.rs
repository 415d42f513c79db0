//! A witness of logs (c2sp.org/tlog-witness): it remembers the newest checkpoint of every log it knows, cosigns one that is
//! consistent with what it remembers, and never goes back.
//!
//! **Memory.** One directory, held by one process. Each log has a folder, named by the SHA-256 of its origin: `log`, whose
//! keys are trusted; `newest`, the newest checkpoint with the witness's own cosignature, by which the file proves itself when it
//! is read; `forks/`, checkpoints that were refused and show, or may show, that the log has two histories.
//!
//! **The one rule.** `newest` is durable before a cosignature leaves ([`Witness::add_checkpoint`]). What a log asks is decided,
//! written and answered under that log's mutex, and nothing is kept in memory between two requests, so that there is nothing
//! that a race, a failed write or a restart could leave behind the disk. A write that failed may be readable and not durable: so
//! every cosignature, one over an unchanged checkpoint too, is preceded by a write of its own.
//!
//! **Sides.** [`Request`] is what a log sends, [`Answer`] what a witness says, [`Reply`] what a log makes of that. How the bytes
//! travel (HTTP, a file on a stick) is for others.
//!
//! Keys are not here: a witness signs through [`Cosign`].

mod answer;
mod fork;
mod reply;
mod request;
mod store;
mod witness;

pub use answer::{Answer, COSIGNATURE_TYPE, SIZE_TYPE};
pub use fork::{FORKS_PROVED_MAX, FORKS_UNPROVED_MAX, Fork, ForkFault, ForkKind};
pub use reply::{Refusal, Reply};
pub use request::{PROOF_LINES_MAX, REQUEST_BYTES_MAX, Request, RequestError};
pub use store::{KnownLog, Newest, StoreError, add_log, forks, known_log, known_logs, log_folder, newest};
pub use witness::{Cosign, Witness};
