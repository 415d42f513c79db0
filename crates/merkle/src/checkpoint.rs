use std::fmt;
use std::str::FromStr;

use crate::{Hash, NoteError, SignedNote, VerifiedSignature, VerifierKey, text};

/// A log's size and root hash: the text of a signed note (c2sp.org/tlog-checkpoint). Displays as that text and parses from
/// it, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    extension: Vec<String>,
}

/// A checkpoint whose signatures were checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCheckpoint {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// Signatures of the log: at least one.
    pub log: Vec<VerifiedSignature>,
    /// Signatures of the witnesses that were asked about. Whether they suffice is for the reader's policy to say.
    pub witnesses: Vec<VerifiedSignature>,
}

/// Why a checkpoint is not one, or is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The text is not a sequence of at least three lines that are not empty and end in newlines.
    #[error("a checkpoint is at least three lines that are not empty: origin, size, root hash")]
    Lines,
    /// A line is empty or holds a newline or another control character.
    #[error("origin and extension lines must not be empty nor hold control characters: {0:?}")]
    Line(String),
    /// The size is not a decimal without leading zeros, or does not fit 64 bits.
    #[error("the tree size {0:?} is not a decimal number without leading zeros")]
    Size(String),
    /// The root hash is not the base64 of 32 bytes.
    #[error("the root hash {0:?} is not the base64 of 32 bytes")]
    Root(String),
    /// The checkpoint is of another log.
    #[error("the checkpoint is of the log {found:?}, not {expected:?}")]
    Origin {
        /// The origin that was expected.
        expected: String,
        /// The origin that it has.
        found: String,
    },
    /// The note around it is not to be believed.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl Checkpoint {
    /// A checkpoint without extension lines.
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, CheckpointError> {
        Self::with_extension(origin, size, root, Vec::new())
    }

    /// A checkpoint with extension lines, given without their newlines.
    pub fn with_extension(
        origin: &str,
        size: u64,
        root: Hash,
        extension: Vec<String>,
    ) -> Result<Self, CheckpointError> {
        let mut lines = std::iter::once(origin).chain(extension.iter().map(String::as_str));
        if let Some(bad) = lines.find(|line| line.is_empty() || !text::is_clean_line(line)) {
            return Err(CheckpointError::Line(bad.to_owned()));
        }
        Ok(Self { origin: origin.to_owned(), size, root, extension })
    }

    /// The log's identity.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root hash of the tree of that many entries.
    pub fn root(&self) -> Hash {
        self.root
    }

    /// Extension lines, without their newlines.
    pub fn extension(&self) -> &[String] {
        &self.extension
    }
}

/// Checks that a note is a checkpoint of the log `origin`, signed by at least one of the log's keys. A false signature of
/// any of these keys, of a witness too, refuses it; missing witnesses do not.
pub fn verify_checkpoint(
    note: &SignedNote,
    origin: &str,
    log: &[VerifierKey],
    witnesses: &[VerifierKey],
) -> Result<VerifiedCheckpoint, CheckpointError> {
    let log = note.verify(log)?;
    let witnesses = note.verify_any(witnesses)?;
    let checkpoint: Checkpoint = note.text().parse()?;
    if checkpoint.origin != origin {
        return Err(CheckpointError::Origin { expected: origin.to_owned(), found: checkpoint.origin });
    }
    Ok(VerifiedCheckpoint { checkpoint, log, witnesses })
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root.to_base64())?;
        self.extension.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let lines: Vec<&str> = text.strip_suffix('\n').ok_or(CheckpointError::Lines)?.split('\n').collect();
        let [origin, size, root, extension @ ..] = lines.as_slice() else {
            return Err(CheckpointError::Lines);
        };
        let size = text::decimal_decode(size).ok_or_else(|| CheckpointError::Size((*size).to_owned()))?;
        let root = Hash::from_base64(root).ok_or_else(|| CheckpointError::Root((*root).to_owned()))?;
        Self::with_extension(origin, size, root, extension.iter().map(|&line| line.to_owned()).collect())
    }
}
