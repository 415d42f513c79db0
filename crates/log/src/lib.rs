//! The durable truth: a write-ahead log that acknowledges, and Merkle logs that prove.
//!
//! Two halves with one rule between them. The **writer** ([`wal`]) makes batches durable and acknowledges; it knows nothing
//! of trees. The **integrator** ([`integrate`]) reads settled batches back from disk, and makes bundles, tiles, packs and
//! births durable before it signs a checkpoint over them; it is never on a request's path. The rule: whatever the
//! integrator publishes was in the WAL first, in the same order, so that opening after a crash is the same integrator over
//! the same WAL. [`Node`] puts each half on a thread of its own; [`recover`] is both halves without threads, which is how
//! tests drive them over a file system that fails.
//!
//! Keys are not here. A log signs through a [`Signer`] and hands births to a [`BirthSink`]; what is sealed stays sealed.
//!
//! Reading ([`LogReader`], [`packs`]) shares formats with writing and nothing else: it takes no lock and may run beside a
//! writer.

mod append;
mod bytes;
mod cursor;
pub mod derived;
mod error;
mod hooks;
mod identity;
pub mod integrate;
pub mod kept;
mod logdir;
pub mod marker;
mod node;
pub mod packs;
mod payload;
pub mod prune;
mod reader;
pub mod recover;
mod runs;
mod seek;
mod state;
mod twin;
mod vouched;
pub mod wal;

pub use append::{Append, Appended, Flags, LogId};
pub use cursor::{Cursor, cursors};
pub use error::{AppendError, LogError, Result};
pub use hooks::{BirthSink, HookError, RawSignature, Signer};
pub use identity::{LogIdentity, NodeIdentity, list_logs};
pub use inferlog_merkle::ENTRY_BYTES_MAX;
pub use integrate::Hooks;
pub use logdir::LogDir;
pub use marker::Marker;
pub use node::{LogHandle, Node, Pending, Status};
pub use payload::{PAYLOAD_HEADER_BYTES, PayloadRecord, Payloads, records};
pub use reader::{LogReader, ReadError};
pub use recover::{Env, NodeConfig, NodeLock, Recovered, RecoveredLog};
pub use runs::{Run, Runs};
pub use seek::SEEK_MARGIN_NS;
pub use state::{PackTail, State};
pub use vouched::{
    TIMESTAMP_BYTES_MAX, TIMESTAMPS_MAX, Vouched, list_vouched, read_vouched, write_timestamp, write_vouched,
};
