//! Verifier keys: the caller's, or those that stand in the directory.

use inferlog_merkle::{CheckpointError, SignedNote, VerifiedCheckpoint, VerifierKey, verify_checkpoint};

use crate::report::KeySource;

/// The keys that may have signed for one log, and whose word they are.
#[derive(Clone, Debug)]
pub(crate) struct LogKeys {
    pub(crate) keys: Vec<VerifierKey>,
    pub(crate) source: KeySource,
}

impl LogKeys {
    /// The caller's keys of this origin; where there is none, those of the directory (the `vkeys` of the file `log`).
    pub(crate) fn choose(origin: &str, given: &[VerifierKey], directory: &[VerifierKey]) -> Self {
        let of = |keys: &[VerifierKey]| -> Vec<VerifierKey> {
            keys.iter().filter(|key| key.name() == origin).cloned().collect()
        };
        let keys = of(given);
        if keys.is_empty() {
            Self { keys: of(directory), source: KeySource::Directory }
        } else {
            Self { keys, source: KeySource::Given }
        }
    }

    /// Checks that the note is a checkpoint of `origin` that one of the keys signed.
    pub(crate) fn verify(
        &self,
        note: &SignedNote,
        origin: &str,
    ) -> Result<VerifiedCheckpoint, CheckpointError> {
        verify_checkpoint(note, origin, &self.keys, &[])
    }
}

/// The keys whose text parses.
pub(crate) fn parse_all(texts: &[String]) -> Vec<VerifierKey> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}
