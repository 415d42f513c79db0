//! What may go wrong with an index, and what to do about it.

/// A result of this crate.
pub type Result<T, E = IndexError> = std::result::Result<T, E>;

/// Why an index does not answer or does not follow.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// SQLite failed.
    #[error("the index {path}: {source}")]
    Sqlite {
        /// The file.
        path: String,
        /// What it said.
        source: rusqlite::Error,
    },
    /// PostgreSQL failed, or the way to it.
    #[error("the index {place}: {source}")]
    Postgres {
        /// The database, without a password.
        place: String,
        /// What it said.
        source: Box<crate::postgres::PostgresError>,
    },
    /// Another version wrote it.
    #[error(
        "the index {place} has schema version {found}, this program knows {known}: use a newer inferlog, or rebuild the index \
         with `inferlog followers rebuild`"
    )]
    Newer {
        /// File or database.
        place: String,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The file is damaged, or no index.
    #[error(
        "the index {place} is damaged ({what}): rebuild it with `inferlog followers rebuild`; the log is not affected"
    )]
    Damaged {
        /// File or database.
        place: String,
        /// What was found.
        what: String,
    },
    /// Another process holds it.
    #[error("the index {place} is locked by another process ({what}): try again, or end what holds it")]
    Locked {
        /// File or database.
        place: String,
        /// What holds it.
        what: String,
    },
    /// The disk is full.
    #[error("the index {place}: the disk is full; free space, and the index goes on by itself")]
    Full {
        /// File or database.
        place: String,
    },
    /// It may not be written.
    #[error("the index {place} cannot be written ({what}): check its permissions and its file system")]
    Unwritable {
        /// File or database.
        place: String,
        /// What the system said.
        what: String,
    },
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] inferlog_log::LogError),
    /// An entry could not be read.
    #[error("the log {origin}: {source}")]
    Read {
        /// The log.
        origin: String,
        /// Why.
        source: inferlog_log::ReadError,
    },
    /// Keys could not be read.
    #[error(transparent)]
    Vault(#[from] inferlog_vault::VaultError),
    /// An entry is not one.
    #[error(
        "entry {index} of the log {origin} does not parse ({what}): run `inferlog verify`, then `inferlog followers skip`"
    )]
    Entry {
        /// The log.
        origin: String,
        /// The entry.
        index: u64,
        /// What was found.
        what: String,
    },
}
