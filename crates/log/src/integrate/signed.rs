//! Checkpoints: making them, and holding a recovered tree against those that were made before.

use inferlog_merkle::{Checkpoint, KeyKind, SignedNote, VerifierKey};

use crate::State;
use crate::error::{LogError, Result};
use crate::hooks::Signer;
use crate::reader::LogReader;

/// Checks that a tree of `size` entries contains the twin's checkpoint and the published one. Returns the size of one that
/// is ahead of the tree, if any: then nothing may be signed yet.
pub(super) fn ahead(reader: &LogReader, twin: Option<&[u8]>, origin: &str, size: u64) -> Result<Option<u64>> {
    let forked = |what: String| LogError::Forked { origin: origin.to_owned(), what };
    let mut signed = Vec::new();
    if let Some(bytes) = twin {
        let unreadable = |error: &dyn std::fmt::Display| forked(format!("the twin does not parse: {error}"));
        let note = SignedNote::parse(bytes).map_err(|error| unreadable(&error))?;
        signed.push(("twin", note.text().parse::<Checkpoint>().map_err(|error| unreadable(&error))?));
    }
    if let Some((_, checkpoint)) = reader.checkpoint()? {
        signed.push(("published checkpoint", checkpoint));
    }
    for (what, checkpoint) in signed {
        if checkpoint.origin() != origin {
            return Err(forked(format!("the {what} is of {}", checkpoint.origin())));
        }
        if checkpoint.size() > size {
            return Ok(Some(checkpoint.size()));
        }
        let root = inferlog_merkle::root(reader, checkpoint.size())
            .map_err(|error| LogError::Tree { origin: origin.to_owned(), what: error.to_string() })?;
        if root != checkpoint.root() {
            return Err(forked(format!("the {what} of size {} is of another tree", checkpoint.size())));
        }
    }
    Ok(None)
}

/// A signed checkpoint of this state.
pub(super) fn sign(signer: &dyn Signer, origin: &str, state: &State) -> Result<Vec<u8>> {
    let tree = |what: String| LogError::Tree { origin: origin.to_owned(), what };
    let checkpoint =
        Checkpoint::new(origin, state.size, state.root).map_err(|error| tree(error.to_string()))?;
    note(signer, origin, checkpoint.to_string())
}

/// A signed note of this text, by the origin's own keys.
pub(crate) fn note(signer: &dyn Signer, origin: &str, text: String) -> Result<Vec<u8>> {
    let tree = |what: String| LogError::Tree { origin: origin.to_owned(), what };
    let raw = signer.sign(origin, text.as_bytes());
    let raw = raw.map_err(|error| LogError::hook("cannot sign a note", error))?;
    let mut note = SignedNote::new(text).map_err(|error| tree(error.to_string()))?;
    for one in raw {
        let line = inferlog_merkle::ed25519_signature_line(origin, &one.public_key, &one.signature);
        line.and_then(|line| note.push(line)).map_err(|error| tree(error.to_string()))?;
    }
    Ok(note.to_string().into_bytes())
}

/// The verifier keys of an origin, as text.
pub(crate) fn vkeys(signer: &dyn Signer, origin: &str) -> Result<Vec<String>> {
    let keys = signer.public_keys(origin);
    let keys = keys.map_err(|error| LogError::hook("cannot read the log's signing keys", error))?;
    let text =
        keys.iter().map(|key| VerifierKey::new(origin, KeyKind::Ed25519, key).map(|vkey| vkey.to_string()));
    text.collect::<std::result::Result<_, _>>()
        .map_err(|error| LogError::Tree { origin: origin.to_owned(), what: error.to_string() })
}
