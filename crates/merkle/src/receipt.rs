use std::fmt;
use std::str::FromStr;

use crate::{
    Checkpoint, CheckpointError, Hash, NoteError, PROOF_HASHES_MAX, SignedNote, VerifiedCheckpoint,
    VerifierKey, VerifyError, text, verify_checkpoint, verify_inclusion,
};

/// Length of the longest receipt that is read: a note and as much again.
pub const RECEIPT_BYTES_MAX: usize = 2 << 20;

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// An entry's inclusion proof under a signed checkpoint, to be checked offline (c2sp.org/tlog-proof). Displays as that text
/// and parses from it, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    extra: Option<Vec<u8>>,
    index: u64,
    proof: Vec<Hash>,
    note: SignedNote,
    checkpoint: Checkpoint,
}

/// Why a receipt is not one, or proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The receipt is too long.
    #[error("a receipt of {length} bytes is longer than {RECEIPT_BYTES_MAX}")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// The text does not follow c2sp.org/tlog-proof.
    #[error("the receipt's {0} is missing or not as c2sp.org/tlog-proof writes it")]
    Text(&'static str),
    /// The proof has more hashes than any tree asks for.
    #[error("the receipt's proof has more than {PROOF_HASHES_MAX} hashes")]
    TooManyHashes,
    /// Extra data was given, but none of it: no data is `None`.
    #[error("the receipt's extra data is empty: leave it out")]
    EmptyExtra,
    /// The checkpoint is not one, or is not to be believed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The proof does not lead from the entry to the checkpoint.
    #[error(transparent)]
    Proof(#[from] VerifyError),
}

impl From<NoteError> for ReceiptError {
    fn from(error: NoteError) -> Self {
        Self::Checkpoint(error.into())
    }
}

impl Receipt {
    /// Puts a receipt together: the entry's index, its proof from the leaf up, the signed checkpoint. The extra data is
    /// opaque and authenticated by nothing.
    pub fn new(
        index: u64,
        proof: Vec<Hash>,
        note: SignedNote,
        extra: Option<Vec<u8>>,
    ) -> Result<Self, ReceiptError> {
        if proof.len() > PROOF_HASHES_MAX {
            return Err(ReceiptError::TooManyHashes);
        }
        if extra.as_ref().is_some_and(Vec::is_empty) {
            return Err(ReceiptError::EmptyExtra);
        }
        let checkpoint = note.text().parse()?;
        Ok(Self { extra, index, proof, note, checkpoint })
    }

    /// Reads a receipt.
    pub fn parse(receipt: &[u8]) -> Result<Self, ReceiptError> {
        if receipt.len() > RECEIPT_BYTES_MAX {
            return Err(ReceiptError::TooLong { length: receipt.len() });
        }
        let text = std::str::from_utf8(receipt).map_err(|_| ReceiptError::Text("text (UTF-8)"))?;
        let (header, mut rest) = text.split_once('\n').ok_or(ReceiptError::Text("first line"))?;
        if header != HEADER {
            return Err(ReceiptError::Text("first line"));
        }
        let mut extra = None;
        if let Some((line, after)) = rest.strip_prefix("extra ").and_then(|rest| rest.split_once('\n')) {
            extra = Some(text::base64_decode(line).ok_or(ReceiptError::Text("extra data"))?);
            rest = after;
        }
        let index = rest.strip_prefix("index ").and_then(|rest| rest.split_once('\n'));
        let (index, mut rest) = index.ok_or(ReceiptError::Text("index"))?;
        let index = text::decimal_decode(index).ok_or(ReceiptError::Text("index"))?;
        let mut proof = Vec::new();
        loop {
            let (line, after) = rest.split_once('\n').ok_or(ReceiptError::Text("inclusion proof"))?;
            rest = after;
            if line.is_empty() {
                break;
            }
            if proof.len() == PROOF_HASHES_MAX {
                return Err(ReceiptError::TooManyHashes);
            }
            proof.push(Hash::from_base64(line).ok_or(ReceiptError::Text("inclusion proof"))?);
        }
        Self::new(index, proof, rest.parse()?, extra)
    }

    /// Index of the entry.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The inclusion proof, from the leaf's sibling up.
    pub fn proof(&self) -> &[Hash] {
        &self.proof
    }

    /// The signed checkpoint.
    pub fn note(&self) -> &SignedNote {
        &self.note
    }

    /// What the note says; to be believed after [`Receipt::verify`] alone.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Opaque data, authenticated by nothing.
    pub fn extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }

    /// Checks that the entry with this leaf hash is in the log `origin`, under a checkpoint that one of the log's keys
    /// signed (c2sp.org/tlog-proof, Verifying a tlog proof). As to witnesses see [`verify_checkpoint`].
    pub fn verify(
        &self,
        leaf: &Hash,
        origin: &str,
        log: &[VerifierKey],
        witnesses: &[VerifierKey],
    ) -> Result<VerifiedCheckpoint, ReceiptError> {
        let verified = verify_checkpoint(&self.note, origin, log, witnesses)?;
        verify_inclusion(leaf, self.index, self.checkpoint.size(), &self.proof, &self.checkpoint.root())?;
        Ok(verified)
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", text::base64_encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{}", hash.to_base64()))?;
        write!(f, "\n{}", self.note)
    }
}

impl FromStr for Receipt {
    type Err = ReceiptError;

    fn from_str(receipt: &str) -> Result<Self, ReceiptError> {
        Self::parse(receipt.as_bytes())
    }
}
