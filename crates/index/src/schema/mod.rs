//! The schema, in both engines' words.

mod views;

use crate::rows::COUNTERS;

pub use views::views;

/// The version of the schema that this crate writes.
pub const SCHEMA_VERSION: i64 = 1;

const BASE: &str = include_str!("base.sql");

/// In whose words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

impl Dialect {
    /// Statements that make the base tables.
    pub fn base(self) -> String {
        let [uuid, blob, json, id, compact] = match self {
            Dialect::Sqlite => ["BLOB", "BLOB", "TEXT", "TEXT", "WITHOUT ROWID"],
            Dialect::Postgres => ["UUID", "BYTEA", "JSONB", "UUID", ""],
        };
        let counters = ["decisions", "ended", "latency_sum_ns"].into_iter().chain(COUNTERS);
        let counters: String = counters.map(|name| format!("{name} BIGINT NOT NULL,\n  ")).collect();
        let words =
            [("{uuid}", uuid), ("{blob}", blob), ("{json}", json), ("{id}", id), ("{compact}", compact)];
        let base = BASE.replace("{counters}", counters.trim_end());
        words.iter().fold(base, |sql, (word, meant)| sql.replace(word, meant))
    }
}
