//! What a log asks of a witness (c2sp.org/tlog-witness, add-checkpoint).

use std::fmt;

use inferlog_merkle::{Checkpoint, Hash, NoteError, SignedNote};

/// The longest request that is read, bytes: a proof and a checkpoint with dozens of signatures, post-quantum ones too.
pub const REQUEST_BYTES_MAX: usize = 256 << 10;
/// Hashes of a consistency proof at most.
pub const PROOF_LINES_MAX: usize = 63;

/// A checkpoint to cosign, and the proof that it extends the one before. Displays as the body of an `add-checkpoint` request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Size of the newest checkpoint that the witness cosigned, as far as the log knows; zero if none.
    pub old_size: u64,
    /// Consistency proof from that size to the checkpoint's (RFC 6962 §2.1.2).
    pub proof: Vec<Hash>,
    /// The checkpoint as a signed note, its signatures not yet verified.
    pub note: SignedNote,
    /// What the note says.
    pub checkpoint: Checkpoint,
}

/// Why a body is not a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// It is too long.
    #[error("the request has {0} bytes; {REQUEST_BYTES_MAX} are read")]
    TooLong(usize),
    /// There is no empty line between proof and checkpoint.
    #[error("the request has no empty line between the proof and the checkpoint")]
    NoCheckpoint,
    /// The first line does not say the old size.
    #[error("the first line must be `old <size>`, a decimal without leading zeros")]
    OldSize,
    /// A line of the proof is no hash.
    #[error("proof line {0} is not the base64 of 32 bytes")]
    Hash(usize),
    /// The proof is too long.
    #[error("the proof has {0} lines; {PROOF_LINES_MAX} are the most")]
    ProofTooLong(usize),
    /// It is a checkpoint, but a signature line is not one: what stands there verifies by no key.
    #[error("signature line {line} is not `\u{2014} <key name> <base64>`, in canonical base64")]
    Signature {
        /// Origin of the checkpoint.
        origin: String,
        /// The line, from 1.
        line: usize,
    },
    /// What follows is not a checkpoint.
    #[error("{0}")]
    Checkpoint(String),
}

impl Request {
    /// Puts a request together.
    ///
    /// # Errors
    /// The note is no checkpoint.
    pub fn new(old_size: u64, proof: Vec<Hash>, note: SignedNote) -> Result<Self, RequestError> {
        let checkpoint = note.text().parse().map_err(|error| checkpoint_error(&error))?;
        Ok(Self { old_size, proof, note, checkpoint })
    }

    /// Reads the body of a request.
    ///
    /// # Errors
    /// Where it is malformed: status 400.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        if body.len() > REQUEST_BYTES_MAX {
            return Err(RequestError::TooLong(body.len()));
        }
        let blank = body.windows(2).position(|pair| pair == b"\n\n").ok_or(RequestError::NoCheckpoint)?;
        let head = std::str::from_utf8(&body[..blank]).map_err(|_| RequestError::OldSize)?;
        let mut lines = head.split('\n');
        let old_size = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(decimal);
        let old_size = old_size.ok_or(RequestError::OldSize)?;
        let hashes: Vec<&str> = lines.collect();
        if hashes.len() > PROOF_LINES_MAX {
            return Err(RequestError::ProofTooLong(hashes.len()));
        }
        let hash = |(at, line): (usize, &&str)| Hash::from_base64(line).ok_or(RequestError::Hash(at + 1));
        let proof = hashes.iter().enumerate().map(hash).collect::<Result<_, _>>()?;
        let note = &body[blank + 2..];
        Self::new(old_size, proof, SignedNote::parse(note).map_err(|error| note_error(note, &error))?)
    }
}

fn note_error(note: &[u8], error: &NoteError) -> RequestError {
    let text = std::str::from_utf8(note).ok().and_then(|note| Some(&note[..=note.rfind("\n\n")?]));
    match (error, text.map(str::parse::<Checkpoint>)) {
        (NoteError::Line(line), Some(Ok(checkpoint))) => {
            RequestError::Signature { origin: checkpoint.origin().to_owned(), line: *line }
        }
        _ => checkpoint_error(error),
    }
}

fn checkpoint_error(error: &dyn fmt::Display) -> RequestError {
    RequestError::Checkpoint(error.to_string())
}

/// An ASCII decimal without sign, space or leading zero.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{}", hash.to_base64()))?;
        write!(f, "\n{}", self.note)
    }
}
