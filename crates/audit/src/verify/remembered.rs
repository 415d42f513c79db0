//! What a reader remembers of a log, from before: a checkpoint, or a receipt.

use std::path::Path;

use inferlog_disk::{DiskError, Fs, read_optional};
use inferlog_merkle::{Checkpoint, Receipt, SignedNote, verify_inclusion};

use crate::receipt::{ENTRY_ENDING, PROOF_ENDING};
use crate::report::{AgainstReport, RememberedKind};

/// First line of a receipt (c2sp.org/tlog-proof).
const RECEIPT_START: &[u8] = b"c2sp.org/tlog-proof@";

/// Something that a reader remembers of a log: a checkpoint as a signed note, signed by the log or by a witness alone, or a
/// receipt, with its entry or without.
#[derive(Clone, Debug)]
pub struct Remembered {
    /// What the reader calls it.
    pub name: String,
    /// The note, or the receipt (c2sp.org/tlog-proof).
    pub bytes: Vec<u8>,
    /// The entry of a receipt.
    pub entry: Option<Vec<u8>>,
}

impl Remembered {
    /// Reads it from a file. For a receipt its entry is looked for beside it; either of the two may be named.
    ///
    /// # Errors
    /// The file system's.
    pub fn read(fs: &dyn Fs, file: &Path) -> Result<Self, DiskError> {
        let is = |ending: &str| file.extension().is_some_and(|found| found == ending);
        let proof = if is(ENTRY_ENDING) { file.with_extension(PROOF_ENDING) } else { file.to_owned() };
        let bytes = fs.read(&proof)?;
        let entry = match bytes.starts_with(RECEIPT_START) {
            true => read_optional(fs, &file.with_extension(ENTRY_ENDING))?,
            false => None,
        };
        Ok(Self { name: file.display().to_string(), bytes, entry })
    }
}

/// The same, parsed.
pub(super) struct Held {
    pub(super) note: SignedNote,
    pub(super) checkpoint: Checkpoint,
    /// A receipt, and its entry if the reader has that.
    pub(super) receipt: Option<(Receipt, Option<Vec<u8>>)>,
    pub(super) report: AgainstReport,
}

impl Held {
    /// Parses it; a report of why it is nothing otherwise.
    pub(super) fn parse(remembered: &Remembered) -> Result<Self, Box<AgainstReport>> {
        let is_receipt = remembered.bytes.starts_with(RECEIPT_START);
        let kind = if is_receipt { RememberedKind::Receipt } else { RememberedKind::Checkpoint };
        let report = |kind, what: String| AgainstReport {
            file: remembered.name.clone(),
            remembered: kind,
            origin: String::new(),
            size: 0,
            index: None,
            unchanged: false,
            key_from: None,
            signed_by: Vec::new(),
            changed: None,
            what,
        };
        let parsed = if is_receipt { receipt(remembered) } else { checkpoint(&remembered.bytes) };
        let (note, checkpoint, receipt) = parsed.map_err(|error| {
            let what = format!("the {} you hold is none: {error}", noun(kind));
            Box::new(report(RememberedKind::Unknown, what))
        })?;
        let (origin, size) = (checkpoint.origin().to_owned(), checkpoint.size());
        let what = format!(
            "the {} you hold is of {origin}, which is not among the logs that were verified",
            noun(kind)
        );
        let index = receipt.as_ref().map(|(receipt, _)| receipt.index());
        let report = AgainstReport { origin, size, index, ..report(kind, what) };
        Ok(Self { note, checkpoint, receipt, report })
    }

    /// What it is called in sentences.
    pub(super) fn noun(&self) -> &'static str {
        noun(self.report.remembered)
    }
}

fn noun(kind: RememberedKind) -> &'static str {
    if kind == RememberedKind::Receipt { "receipt" } else { "checkpoint" }
}

type Parsed = (SignedNote, Checkpoint, Option<(Receipt, Option<Vec<u8>>)>);

fn checkpoint(bytes: &[u8]) -> Result<Parsed, String> {
    let note = SignedNote::parse(bytes).map_err(|error| error.to_string())?;
    let checkpoint = note.text().parse::<Checkpoint>().map_err(|error| error.to_string())?;
    Ok((note, checkpoint, None))
}

/// A receipt whose proof leads from its entry to its checkpoint, if the entry is there.
fn receipt(remembered: &Remembered) -> Result<Parsed, String> {
    let receipt = Receipt::parse(&remembered.bytes).map_err(|error| error.to_string())?;
    let checkpoint = receipt.checkpoint().clone();
    if let Some(entry) = &remembered.entry {
        let leaf = inferlog_merkle::leaf_hash(entry);
        let (index, size) = (receipt.index(), checkpoint.size());
        verify_inclusion(&leaf, index, size, receipt.proof(), &checkpoint.root())
            .map_err(|error| format!("its proof does not lead from its entry to its checkpoint: {error}"))?;
    } else if receipt.index() >= checkpoint.size() {
        return Err(format!("its entry {} is not under its checkpoint", receipt.index()));
    }
    Ok((receipt.note().clone(), checkpoint, Some((receipt, remembered.entry.clone()))))
}
