//! The maths of a tiled transparency log: tree, tiles, proofs, signed notes, checkpoints, receipts.
//!
//! Pure: no files, no clock, no keys, no async. Bytes come in, bytes and verdicts go out, and hostile bytes never panic.
//! What reads a log from disk or from an object store hands it over through [`TileSource`].
//!
//! | module | source |
//! | --- | --- |
//! | [`struct@Hash`], [`leaf_hash`], [`node_hash`] | RFC 6962 §2.1 |
//! | [`TilePath`], [`tiles_for_growth`], [`encode_entry`], [`entries`] | c2sp.org/tlog-tiles |
//! | [`TreeEdge`]: a tree that grows, held as its right edge alone | the same |
//! | [`inclusion_proof`], [`consistency_proof`], [`root`] from tiles | RFC 9162 §2.1.3.1, §2.1.4.1 |
//! | [`verify_inclusion`], [`verify_consistency`] | RFC 9162 §2.1.3.2, §2.1.4.2 |
//! | [`SignedNote`], [`NoteSignature`], [`VerifierKey`], [`cosignature_line`] | c2sp.org/signed-note, c2sp.org/tlog-cosignature |
//! | [`Policy`]: which witnesses suffice | c2sp.org/tlog-policy |
//! | [`Checkpoint`], [`verify_checkpoint`] | c2sp.org/tlog-checkpoint |
//! | [`Receipt`] | c2sp.org/tlog-proof |
//!
//! Two choices hold everywhere. Texts have one spelling: base64 is canonical, decimals have no leading zero, and what
//! parses prints as the same bytes again. And a type that prints is valid by construction: fields are private, so that no
//! newline in an origin can forge a line of a checkpoint.
//!
//! Audit needs no keys: [`check_bundle`] holds an entry bundle against its level-0 tile, [`full_tile_root`] a tile against
//! its parent, [`root`] the top against the checkpoint.

mod bundle;
mod checkpoint;
mod cosignature;
mod edge;
mod hash;
mod note;
mod policy;
mod proof;
mod receipt;
mod source;
mod text;
mod tile;
mod verify;
mod vkey;

pub use bundle::{
    BundleError, BundleFault, ENTRY_BYTES_MAX, Entries, EntryTooLong, check_bundle, encode_entry, entries,
};
pub use checkpoint::{Checkpoint, CheckpointError, VerifiedCheckpoint, verify_checkpoint};
pub use cosignature::{cosignature_line, cosignature_message};
pub use edge::{TREE_SIZE_MAX, Tile, TreeEdge};
pub use hash::{EMPTY_ROOT, HASH_BYTES, Hash, leaf_hash, node_hash};
pub use note::{
    NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX, NoteError, NoteSignature, SignedNote, VerifiedSignature,
    ed25519_signature_line,
};
pub use policy::{POLICY_NAMES_MAX, Policy, PolicyError, PolicyFault, PolicyLog, PolicyWitness};
pub use proof::{consistency_proof, inclusion_proof, root};
pub use receipt::{RECEIPT_BYTES_MAX, Receipt, ReceiptError};
pub use source::{TileSource, TreeError, full_tile_root};
pub use tile::{
    TILE_BYTES, TILE_HEIGHT, TILE_LEVEL_MAX, TILE_WIDTH, TileLevel, TilePath, TilePathError, tiles_for_growth,
};
pub use verify::{PROOF_HASHES_MAX, VerifyError, verify_consistency, verify_inclusion};
pub use vkey::{KeyKind, VerifierKey, VkeyError};
