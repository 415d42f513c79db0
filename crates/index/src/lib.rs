//! The hot store: decisions and events in SQLite or PostgreSQL, derived from the log and rebuilt from it at will.
//!
//! A *follower* reads what checkpoints cover, in order, and writes it in batches; its cursor is committed with the rows, so that
//! each entry takes effect once, whatever is killed when. Both engines store the same base tables ([`schema`]) from the same
//! rows ([`Rows`]), which are folded by the same code: a decision's row is loaded, merged with what the batch says of it, and
//! written back; rollups get the difference. The views over the base tables are the interface (docs/index.md).
//!
//! Nothing personal stands here but pseudonyms, keyed digests of external ids, and the content of systems whose configuration
//! allows it; the last two are deleted by an erasure.

mod engine;
mod error;
mod facets;
pub mod find;
mod fold;
mod follow;
pub mod latency;
mod locate;
pub mod postgres;
pub mod query;
mod read;
mod removal;
mod rows;
pub mod schema;
mod skipped;
mod sqlite;
pub mod stats;

pub use engine::{Engine, LogName, Position};
pub use error::{IndexError, Result};
pub use facets::{FacetFilter, OPEN};
pub use fold::{HOUR_NS, MINUTE_NS};
pub use follow::{
    BACKOFF_MS_MAX, Caught, FollowOptions, Follower, LogStatus, POLL_MS, Progress, State, Status,
    StatusHandle, rewind_cursors,
};
pub use locate::{Located, locate};
pub use read::{Reader, Value};
pub use removal::{Erasure, POSTGRES_OUTSIDE, Place, PurgeDue, PurgedPayloads, SQLITE_OUTSIDE};
pub use rows::{
    COUNTERS, ClearContent, Counters, DecisionRow, EventNo, EventRow, Facet, Identifier, KeyNo, LatencyRow,
    RefKind, RefRow, RollupRow, Rows, Shared, key_no,
};
pub use skipped::{Skipped, skipped};
pub use sqlite::{APPLICATION_ID, SqliteEngine, sqlite_path};
