//! What shows that a log has two histories.

use std::fmt;

use inferlog_merkle::{
    Checkpoint, CheckpointError, Hash, NoteError, SignedNote, VerifierKey, VerifyError, verify_consistency,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::request::Request;

/// Proved forks that are kept of one log at most; one is enough.
pub const FORKS_PROVED_MAX: usize = 16;
/// Contradictions that prove nothing yet, likewise: whoever holds any larger checkpoint of a log can make one.
pub const FORKS_UNPROVED_MAX: usize = 4;

const FORMAT: u32 = 1;

/// Two checkpoints that a log signed and that do not stand in one history, as far as [`ForkKind`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fork {
    format: u32,
    /// What is shown.
    pub kind: ForkKind,
    /// The checkpoint that the witness had cosigned, a signed note.
    pub newest: String,
    /// Root of the refused checkpoint's tree at the size of the other one, base64, where it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix_root: Option<String>,
    /// The proof that came with the refused checkpoint, base64.
    pub proof: Vec<String>,
    /// The checkpoint that it refused, a signed note.
    pub refused: String,
    /// When it was refused, seconds since 1970.
    pub seen: u64,
}

/// What two checkpoints show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForkKind {
    /// Proof: both have one size and different roots.
    SameSize,
    /// Proof: the refused one's tree, at the size of the other, has another root than the other.
    OtherPrefix,
    /// No proof: the proof that came does not hold. Whoever asks the log for one that does, settles it.
    Unproved,
}

/// Why a fork is not what it says.
#[derive(Debug, thiserror::Error)]
pub enum ForkFault {
    /// Not a file of this format.
    #[error("it does not parse: {0}")]
    Json(#[from] serde_json::Error),
    /// A version that is not known.
    #[error("it has format {0}; this program reads {FORMAT}")]
    Format(u32),
    /// A note is not one, or the log did not sign it.
    #[error("{0}")]
    Note(#[from] NoteError),
    /// A note is no checkpoint.
    #[error("{0}")]
    Checkpoint(#[from] CheckpointError),
    /// The two do not contradict each other in the way that is said.
    #[error("the checkpoints and the proof do not show what it says")]
    NotShown,
}

impl Fork {
    /// What a refused request shows beside the newest checkpoint that was cosigned; nothing where they may still be one history.
    pub(crate) fn seen(
        newest: (&SignedNote, &Checkpoint),
        request: &Request,
        refused: SignedNote,
        seen: u64,
    ) -> Option<Self> {
        let (kind, prefix_root) = contradiction(newest.1, &request.checkpoint, &request.proof)?;
        // Two roots of one size need no proof beside them.
        let proof = if kind == ForkKind::SameSize { &[] } else { request.proof.as_slice() };
        Some(Self {
            format: FORMAT,
            kind,
            newest: newest.0.to_string(),
            prefix_root: prefix_root.map(|root| root.to_base64()),
            proof: proof.iter().map(Hash::to_base64).collect(),
            refused: refused.to_string(),
            seen,
        })
    }

    /// Whether the contradiction is proved, not only likely.
    pub fn is_proof(&self) -> bool {
        self.kind != ForkKind::Unproved
    }

    /// Name of its file: the same two checkpoints are kept once.
    pub(crate) fn file_name(&self) -> String {
        let texts = [&self.newest, &self.refused].map(|note| note.split("\n\n").next().unwrap_or(note));
        let digest =
            Sha256::new().chain_update(texts[0]).chain_update("\n\n").chain_update(texts[1]).finalize();
        let proved = if self.is_proof() { "proved" } else { "unproved" };
        format!("{proved}-{}.json", hex::encode(&digest[..16]))
    }

    pub(crate) fn to_json(&self) -> Result<Vec<u8>, ForkFault> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads one; what it says is not yet checked.
    ///
    /// # Errors
    /// It does not parse.
    pub fn parse(bytes: &[u8]) -> Result<Self, ForkFault> {
        let fork: Self = serde_json::from_slice(bytes)?;
        if fork.format == FORMAT { Ok(fork) } else { Err(ForkFault::Format(fork.format)) }
    }

    /// Checks all of it: that these keys of the log signed both checkpoints, and that they show what is said. Needs no trust in
    /// the witness.
    ///
    /// # Errors
    /// What does not hold.
    pub fn verify(&self, log: &[VerifierKey]) -> Result<(), ForkFault> {
        let mut checkpoints = Vec::with_capacity(2);
        for note in [&self.newest, &self.refused] {
            let note = SignedNote::parse(note.as_bytes())?;
            note.verify(log)?;
            checkpoints.push(note.text().parse::<Checkpoint>()?);
        }
        let proof: Option<Vec<Hash>> = self.proof.iter().map(|hash| Hash::from_base64(hash)).collect();
        let [newest, refused] = checkpoints.as_slice() else { return Err(ForkFault::NotShown) };
        let shown = proof.and_then(|proof| contradiction(newest, refused, &proof));
        let prefix = shown.and_then(|(_, root)| root).map(|root| root.to_base64());
        let is_shown = shown.is_some_and(|(kind, _)| kind == self.kind) && prefix == self.prefix_root;
        if newest.origin() == refused.origin() && is_shown { Ok(()) } else { Err(ForkFault::NotShown) }
    }
}

/// How a checkpoint contradicts an older one of the same log, under a proof of consistency that claims it does not.
fn contradiction(old: &Checkpoint, new: &Checkpoint, proof: &[Hash]) -> Option<(ForkKind, Option<Hash>)> {
    if old.size() == new.size() {
        return (old.root() != new.root()).then_some((ForkKind::SameSize, None));
    }
    let verify = |root: &Hash| verify_consistency(old.size(), new.size(), proof, root, &new.root());
    match verify(&old.root()) {
        // A proof that leads from another root to this very tree: the tree has that root at the old size.
        Err(VerifyError::Root { found, .. }) if verify(&found).is_ok() => {
            Some((ForkKind::OtherPrefix, Some(found)))
        }
        // At a power of two a proof leaves the old root out, so that it cannot tell which other one the tree has.
        Err(VerifyError::Root { .. }) => Some((ForkKind::Unproved, None)),
        _ => None,
    }
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = match self.kind {
            ForkKind::SameSize => "PROOF OF A FORK: the log signed two roots for one size.".to_owned(),
            ForkKind::OtherPrefix => format!(
                "PROOF OF A FORK: the second tree, at the size of the first, has the root {}.",
                self.prefix_root.as_deref().unwrap_or_default()
            ),
            ForkKind::Unproved => {
                "No proof of consistency between these two, and no proof of a fork: ask the log for one that \
                                   holds."
                    .to_owned()
            }
        };
        writeln!(f, "{shown}\n\n{}\n{}", self.newest, self.refused)
    }
}
