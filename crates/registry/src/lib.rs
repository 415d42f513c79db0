//! Prompts, tools and models of an AI system, and its policies: versioned, content-addressed, resolvable for ever.
//!
//! A record names what a model was given: this prompt in this version, these tools, this model's weights. The registry is
//! where such a name leads: to bytes that cannot have changed since. A node's registry lies under `DIR/registry` and is
//! written by the one process that holds the data directory; anybody may read it meanwhile.
//!
//! - `objects/<2 hex>/<62 hex>`: content, named by its SHA-256. Written under a temporary name, synced, renamed, the
//!   directory synced; never replaced by anything but itself.
//! - `index`: one JSON object a line. What is registered is added at the end, and the file replaced as a whole, after the
//!   objects that it speaks of are durable: a crash leaves the index before or the one after, and at most an object that
//!   nothing names yet.
//!
//! A name and version never change their content; a model's digest that was not known may become known. An alias of a
//! model may move, and every move is a line: what it stood for at any time can be told. Of a system's policies the one registered
//! last is in force.
//!
//! [`Registry`] is for the process that holds the directory, [`Snapshot`] what it knew at one moment, unchanging: readers ask
//! that, and may load one without any lock. Everything that lookups need is in memory: texts by their SHA-256, tools by that
//! of their canonical JSON (RFC 8785), templates by how they begin. [`check`] finds what is not as it was registered.
//! [`Files`] computes the digest of a model's file or directory.
//!
//! [`Identities`] is apart from all that: which versions of its parts a system has shown, so that the first appearance of
//! one can be told from a return.

mod check;
mod entry;
mod error;
mod files;
mod identities;
mod index;
mod objects;
mod prompts;
mod registration;
mod registry;
mod snapshot;
mod template;
mod tools;

pub use check::{Problem, check};
pub use entry::{AliasEntry, Entry, EntryKind, ModelEntry, PolicyEntry, PromptEntry, ToolsEntry};
pub use error::{Refusal, RegistryError, Result};
pub use files::{Files, FilesError, Hashed};
pub use identities::{Change, IDENTITIES_MAX, Identities, Identity};
pub use objects::Objects;
pub use registration::{Registration, What};
pub use registry::{Added, Registry};
pub use snapshot::{Match, Snapshot, ToolsMatch};

/// Where the registry lies in a data directory.
pub const REGISTRY_DIR: &str = "registry";

/// Longest content of one object, bytes.
pub const OBJECT_BYTES_MAX: usize = 4 << 20;
