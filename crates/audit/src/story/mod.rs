//! One decision, told: its entries found, put together, proved; its payloads opened where somebody has the keys; what
//! is not there named, with the reason and the provision that it would serve.

mod assemble;
mod gather;
mod locate;
mod many;
mod model;
mod order;
mod payloads;
mod removed;
mod search;
mod shared;
pub(crate) mod states;
mod text;
mod turns;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_log::{LogReader, ReadError};
use inferlog_merkle::{TilePath, TileSource, VerifierKey, inclusion_proof, leaf_hash, verify_inclusion};
use inferlog_record::{Id, KeyId};
use inferlog_vault::{DataKey, Vault, VaultError};

pub(crate) use assemble::lower;
pub(crate) use gather::{Gathered, gather};
pub use locate::{Located, Locator};
pub use many::ScanLocator;
pub use model::{
    EntriesPurged, EntryProof, HeldBy, MissingPart, PayloadContent, Place, RedactionTold, Removed, States,
    Story, StoryEvent, StoryPayload, StoryProof, Summary, Tokens, WithheldFrom,
};
pub(crate) use payloads::{MISSING, NO_PACK};
pub(crate) use search::{Hits, Wanted, search};
pub use shared::SharedContent;
pub use text::TextOptions;
pub(crate) use text::{articles, in_all, lasted, outcome, shorten, since, tokens, words};

use crate::error::{AuditError, Result};
use crate::open::OpenLog;
use crate::select::Select;

/// The most content of one payload that is opened, bytes, unless the caller says otherwise.
pub const CONTENT_BYTES_MAX: usize = 64 << 20;

/// Gives openings: a vault, or whoever was given some by one.
pub trait Openings {
    /// The opening of one payload.
    fn data_key(&self, key: KeyId, payload: Id) -> Result<DataKey, Unopened>;
}

/// What is said of a payload whose key was destroyed.
pub(crate) const KEY_DESTROYED: &str = "its key was destroyed";

/// Why there is no opening.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unopened {
    /// The key was destroyed.
    #[error("{KEY_DESTROYED}")]
    Erased,
    /// Another reason.
    #[error("{0}")]
    Other(String),
}

impl Openings for Vault {
    fn data_key(&self, key: KeyId, payload: Id) -> Result<DataKey, Unopened> {
        Vault::data_key(self, key, payload).map_err(|error| match error {
            VaultError::Erased => Unopened::Erased,
            other => Unopened::Other(other.to_string()),
        })
    }
}

/// What to tell and how.
pub struct StoryOptions<'a> {
    /// Which logs to look in.
    pub select: Select,
    /// Verifier keys that the caller holds.
    pub keys: Vec<VerifierKey>,
    /// Whoever gives openings; without, payloads stay sealed.
    pub openings: Option<&'a dyn Openings>,
    /// The most content of one payload to open, bytes.
    pub content_bytes_max: usize,
    /// Whoever knows where entries stand; without, logs are searched.
    pub locator: Option<&'a dyn Locator>,
}

impl Default for StoryOptions<'_> {
    fn default() -> Self {
        Self {
            select: Select::default(),
            keys: Vec::new(),
            openings: None,
            content_bytes_max: CONTENT_BYTES_MAX,
            locator: None,
        }
    }
}

/// Reads a decision's id as a person typed it.
pub fn parse_decision(text: &str) -> Result<Id> {
    text.trim().parse().map_err(|_| AuditError::NotAnId(text.chars().take(80).collect()))
}

/// Tells a decision.
///
/// # Errors
/// [`AuditError::NoDecision`] if no log under a checkpoint has an entry of it; damage that keeps entries from being read.
pub fn story(fs: &Arc<dyn Fs>, dir: &Path, decision: Id, options: &StoryOptions<'_>) -> Result<Story> {
    tell(&gather(fs, dir, Wanted::only(decision), options)?, decision, options)
}

/// Tells a decision from what was gathered of it.
pub(crate) fn tell(gathered: &Gathered, decision: Id, options: &StoryOptions<'_>) -> Result<Story> {
    let found = &gathered.found;
    let tells = |hits: &Hits| !hits.entries.is_empty() || !hits.mentions.is_empty();
    let proofs = found.iter().filter(|(_, hits)| tells(hits)).map(|(log, hits)| proof(log, hits)).collect();
    let mut story = assemble::assemble(decision, found, proofs)?;
    story.notices.clone_from(&gathered.notices);
    payloads::open(&mut story, gathered, options)?;
    shared::open(&mut story, gathered, options)?;
    removed::entries_purged(&mut story, found, &gathered.removals)?;
    removed::count(&mut story);
    Ok(story)
}

/// Proves the entries of one log against its checkpoint.
fn proof(log: &OpenLog, hits: &Hits) -> StoryProof {
    let mut proof = StoryProof {
        log: log.origin.clone(),
        size: log.size(),
        root: String::new(),
        signed_by: Vec::new(),
        key_from: log.keys.source,
        entries: Vec::new(),
        problem: None,
    };
    let Some((note, checkpoint)) = &log.signed else { return proof };
    proof.root = checkpoint.root().to_base64();
    match log.keys.verify(note, &log.origin) {
        Ok(verified) => {
            proof.signed_by = verified.log.iter().map(|signature| signature.key.to_string()).collect();
        }
        Err(error) => proof.problem = Some(error.to_string()),
    }
    let tiles = Tiles { reader: &log.reader, read: RefCell::default() };
    proof.entries = hits
        .entries
        .iter()
        .map(|(index, entry)| {
            let path = inclusion_proof(&tiles, *index, checkpoint.size()).map_err(|error| error.to_string());
            let checked = path.and_then(|path| {
                let leaf = leaf_hash(entry);
                verify_inclusion(&leaf, *index, checkpoint.size(), &path, &checkpoint.root())
                    .map_err(|error| error.to_string())
            });
            EntryProof { index: *index, included: checked.is_ok(), problem: checked.err() }
        })
        .collect();
    proof
}

/// The tiles of one log, each read once.
struct Tiles<'a> {
    reader: &'a LogReader,
    read: RefCell<HashMap<TilePath, Vec<u8>>>,
}

impl TileSource for Tiles<'_> {
    type Error = ReadError;

    fn read_tile(&self, path: TilePath) -> Result<Vec<u8>, ReadError> {
        if let Some(tile) = self.read.borrow().get(&path) {
            return Ok(tile.clone());
        }
        let tile = self.reader.read_tile(path)?;
        self.read.borrow_mut().insert(path, tile.clone());
        Ok(tile)
    }
}
