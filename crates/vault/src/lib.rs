//! Sealing, the keystore, signing keys, shredding: the only holder of keys.
//!
//! **Sealing.** A payload is sealed under its own data key, which the key of its decision gives (format.md, section 5).
//! [`open_payload`] opens one with no more than that data key: it is what an auditor uses.
//!
//! **Keeping.** Keys of decisions, subjects and holds are random and lie in *pages*, each record sealed by the page's key; the
//! *table* holds the page keys, sealed by the *root key*, which lives elsewhere ([`RootStore`]). A key is born in memory, and
//! its *birth* rides in the frame of the write-ahead log that first needs it: [`DecisionKey::births`] before,
//! [`DecisionKey::mark_durable`] after the frame was acknowledged. Whoever integrates the log gives births to
//! [`Vault::absorb`], and before a segment of the log is reused calls [`Vault::sync_absorbed`]. Page keys alone are durable
//! before they are used, sixteen at a time.
//!
//! **Opening after a crash.** [`Vault::open`], then `absorb` every birth from [`Vault::absorbed`] on, then the erasures after
//! [`Vault::last_erasure`] again, and only then make keys: which slots are free is known once all births are absorbed.
//!
//! **Erasing** ([`Vault::erase`]) rewrites the affected pages under new page keys, the table under a new root key, and destroys
//! the old root key. What is left of the old pages and of their births, anywhere, then has no key. See the source of `erase.rs`
//! for the order of its writes.
//!
//! **Errors.** After a write that failed, what is on disk is uncertain: every further write fails with
//! [`VaultError::Poisoned`] until the keystore is opened anew.
//!
//! Keys are wiped when dropped and never printed. What hash and compression functions leave on the stack is not wiped.

mod aead;
mod alloc;
mod backup;
mod compress;
mod dir;
mod erase;
mod erased;
mod error;
mod ids;
mod keys;
mod lookup;
mod note_key;
mod open;
mod padme;
mod page;
mod root;
mod seal;
mod shred;
mod signing;
mod store;
mod subjects;
mod sync;
mod table;
mod vault;

pub use backup::BackupReport;
pub use erase::{Erasure, ErasureReport, OldRoot};
pub use error::{Result, VaultError};
pub use ids::KeystoreId;
pub use keys::{DecisionKey, Subject};
pub use lookup::LOOKUP_ENTRIES_MAX;
pub use note_key::{FileModes, NoteKey, NoteKeyError};
pub use padme::{BUCKET_BYTES_MIN, padme};
pub use page::header::Scope;
pub use page::plain::SubjectRef;
pub use root::{
    CommandRoot, EnvRoot, FileRoot, RootError, RootKey, RootSource, RootSourceError, RootStore,
    default_root_path,
};
pub use seal::{CONTENT_BYTES_MAX, DataKey, OpenError, SealContext, SealedPayload, open_payload};
pub use signing::PublicSignature;
pub use store::Intake;
pub use table::LogPosition;
pub use vault::{Absorbed, Vault};

/// The most subjects of one decision: the format counts them in one byte.
pub const SUBJECTS_MAX: usize = 255;
