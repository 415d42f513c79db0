//! Receipts: an entry and its inclusion proof under a signed checkpoint, to be checked offline with no more than a key.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_disk::{DiskError, Fs};
use inferlog_merkle::{Receipt, ReceiptError, VerifierKey, inclusion_proof, leaf_hash};
use inferlog_record::Id;
use serde::Serialize;

use crate::error::{AuditError, Result};
use crate::json::EntryScan;
use crate::open::OpenLog;
use crate::select::Select;
use crate::story::{StoryOptions, Wanted, gather, search};

/// Ending of a file that holds an entry's bytes.
pub const ENTRY_ENDING: &str = "entry";
/// Ending of a file that holds a proof (c2sp.org/tlog-proof).
pub const PROOF_ENDING: &str = "tlog-proof";

/// The receipt of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryReceipt {
    /// Origin of the log.
    pub log: String,
    /// Index of the entry.
    pub index: u64,
    /// The name of its two files without their endings: the index, after the log's name where a decision spans several.
    pub name: String,
    /// The entry's bytes, as hashed.
    pub entry: Vec<u8>,
    /// The proof as text (c2sp.org/tlog-proof).
    pub proof: String,
}

impl EntryReceipt {
    /// `<index>.entry`.
    pub fn entry_file(&self) -> String {
        format!("{}.{ENTRY_ENDING}", self.name)
    }

    /// `<index>.tlog-proof`.
    pub fn proof_file(&self) -> String {
        format!("{}.{PROOF_ENDING}", self.name)
    }
}

/// Makes a receipt for each entry of a decision that is there or was kept.
///
/// # Errors
/// There is none, or none is left; damage that keeps entries from being read.
pub fn receipts(fs: &Arc<dyn Fs>, dir: &Path, decision: Id, select: &Select) -> Result<Vec<EntryReceipt>> {
    let mut found = Vec::new();
    for log in OpenLog::all(fs, dir, select, &[])? {
        let hits = search(&log, Wanted::only(decision))?;
        if !hits.entries.is_empty() {
            found.push((log, hits));
        }
    }
    let is_spread = found.len() > 1;
    let mut receipts = Vec::new();
    for (log, hits) in &found {
        for (index, entry) in &hits.entries {
            let prefix = format!("{}.{}.{}.", log.dir.system(), log.dir.shard(), log.dir.epoch());
            let name = format!("{}{index}", if is_spread { &prefix } else { "" });
            let proof = prove(log, *index)?;
            receipts.push(EntryReceipt {
                log: log.origin.clone(),
                index: *index,
                name,
                entry: entry.clone(),
                proof,
            });
        }
    }
    if receipts.is_empty() {
        // Why there is none: what was pruned is not proved again; a receipt that was given out before still verifies.
        let options = StoryOptions { select: select.clone(), ..StoryOptions::default() };
        gather(fs, dir, Wanted::only(decision), &options)?;
        return Err(AuditError::NoDecision(decision.to_string()));
    }
    Ok(receipts)
}

fn prove(log: &OpenLog, index: u64) -> Result<String> {
    let Some((note, checkpoint)) = &log.signed else {
        return Err(log.malformed(index, "the log has no checkpoint yet"));
    };
    let proof = inclusion_proof(&log.reader, index, checkpoint.size())
        .map_err(|error| log.malformed(index, error))?;
    let receipt =
        Receipt::new(index, proof, note.clone(), None).map_err(|error| log.malformed(index, error))?;
    Ok(receipt.to_string())
}

/// What a receipt proves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckedReceipt {
    /// Origin of the log.
    pub log: String,
    /// Index of the entry.
    pub index: u64,
    /// Entries under the checkpoint that it is proved under.
    pub size: u64,
    /// That checkpoint's root hash, base64.
    pub root: String,
    /// The keys whose signatures verified.
    pub signed_by: Vec<String>,
    /// The decision that the entry belongs to; absent in the life of the system.
    pub decision: Option<String>,
    /// The kinds of its events.
    pub events: Vec<String>,
    /// When the first of them was logged.
    pub logged_at: String,
}

/// Why a receipt proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptFault {
    /// A file could not be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The file's name has neither ending.
    #[error("{0}: expected <index>.{PROOF_ENDING}, with <index>.{ENTRY_ENDING} beside it")]
    Name(PathBuf),
    /// No key was given that is the log's.
    #[error("the receipt is of log {log}; the key given is of {given}")]
    OtherLog {
        /// The log of the receipt.
        log: String,
        /// Names of the keys given.
        given: String,
    },
    /// The proof, the signature or the entry is false.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// What is proved is no entry of an inferlog.
    #[error("the entry is in the log, but is not one that this version reads: {0}")]
    Entry(String),
}

/// Checks a receipt: `proof` as c2sp.org/tlog-proof writes it, `entry` as hashed, `keys` the verifier keys that the caller
/// trusts.
pub fn check_receipt(
    proof: &[u8],
    entry: &[u8],
    keys: &[VerifierKey],
) -> Result<CheckedReceipt, ReceiptFault> {
    let receipt = Receipt::parse(proof)?;
    let log = receipt.checkpoint().origin();
    let own: Vec<VerifierKey> = keys.iter().filter(|key| key.name() == log).cloned().collect();
    if own.is_empty() {
        let given: Vec<&str> = keys.iter().map(VerifierKey::name).collect();
        return Err(ReceiptFault::OtherLog { log: log.to_owned(), given: given.join(", ") });
    }
    let verified = receipt.verify(&leaf_hash(entry), log, &own, &[])?;
    let mut scan = EntryScan::default();
    scan.read(entry).map_err(|malformed| ReceiptFault::Entry(malformed.to_string()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(CheckedReceipt {
        log: log.to_owned(),
        index: receipt.index(),
        size: verified.checkpoint.size(),
        root: verified.checkpoint.root().to_base64(),
        signed_by: verified.log.iter().map(|signature| signature.key.to_string()).collect(),
        decision: scan.decision.map(text),
        events: scan.events.iter().map(|event| text(event.kind)).collect(),
        logged_at: scan.events.first().map_or(String::new(), |event| text(event.logged_at)),
    })
}

/// Checks a receipt in a file, with its entry beside it. Either of the two may be named.
pub fn check_receipt_file(
    fs: &dyn Fs,
    file: &Path,
    keys: &[VerifierKey],
) -> Result<CheckedReceipt, ReceiptFault> {
    let ending = file.extension().and_then(|ending| ending.to_str());
    if !matches!(ending, Some(ENTRY_ENDING | PROOF_ENDING)) {
        return Err(ReceiptFault::Name(file.to_owned()));
    }
    let proof = fs.read(&file.with_extension(PROOF_ENDING))?;
    let entry = fs.read(&file.with_extension(ENTRY_ENDING))?;
    check_receipt(&proof, &entry, keys)
}
