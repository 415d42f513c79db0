//! PostgreSQL: the central store of several nodes.

mod connection;
mod error;
mod place;
mod reader;
mod tls;

pub use connection::{
    ANSWER_SECONDS_MAX, CONNECT_SECONDS_MAX, Connection, Interrupt, LOCK_SECONDS_MAX, STATEMENT_SECONDS_MAX,
    Stream,
};
pub use error::PostgresError;
pub use place::{Place, PlaceError};
pub use reader::postgres_reader;
/// The client library, for the types of columns and values.
pub use tokio_postgres;

use error::told;
