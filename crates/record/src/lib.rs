//! What a decision is: events, payload references, validation and canonical bytes. No I/O, no async.
//!
//! An [`Entry`] is what the log hashes: one or more [`Event`]s that became durable together. An event has fields common
//! to all kinds and a [`body::Body`] of its own kind. Both hold bounded clear values only: enums, numbers, times, digests,
//! configured names, pseudonyms. All other content is sealed elsewhere and stands as a [`Reference`].
//!
//! Every struct of the record is declared once, as a list of fields (`member.rs`). From it come the Rust type, its JSON in
//! the order of RFC 8785, the documentation, the JSON Schema, the columns for SQL and Arrow, and the rule which fields are
//! required. Nothing re-serialises an entry to verify it: it is hashed as stored.

pub mod body;
mod columns;
mod digest;
pub mod docs;
mod entry;
mod event;
mod id;
mod identity;
mod kind;
mod level;
mod member;
mod name;
mod number;
mod parts;
mod payload;
mod reference;
mod roles;
mod rules;
mod text;
mod timestamp;
mod validate;
mod view;

pub use columns::{Column, ColumnType, columns, reference_columns};
pub use digest::{Digest, KeyId};
pub use entry::{ENTRY_BYTES_MAX, ENTRY_VERSION, Entry, EntryError};
pub use event::{Capture, CaptureMethod, Completeness, Event, Purpose, Redaction, RedactionAction, Role};
pub use id::{Id, NodeId, Pseudonym};
pub use identity::identity;
pub use kind::Kind;
pub use level::Level;
pub use member::{FieldDoc, FieldType, LIST_ITEMS_MAX, List};
pub use name::{ClearName, RetentionClass, SystemName, UNLISTED};
pub use number::{Count, Millionths, NUMBER_MAX, Signed, Tally};
pub use payload::{DataClass, Encoding, MediaType, PayloadRole, Reason, State, Why};
pub use reference::{Absent, Content, Reference, ReferenceError, ReferenceFields, Sealed, Shared};
pub use roles::{COMMON_ROLES, RoleDoc};
pub use text::TextError;
pub use timestamp::Timestamp;
pub use validate::{Violation, absences, validate, violations};
pub use view::{EntryView, EventView, ReferenceView};
