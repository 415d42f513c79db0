//! The schema, in both engines' words.

mod views;

use crate::rows::COUNTERS;

pub(crate) use views::each_view;
pub use views::views;

/// The version of the schema that this crate writes.
pub const SCHEMA_VERSION: i64 = 2;

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
        let [uuid, blob, json, id, no, compact] = match self {
            Dialect::Sqlite => ["BLOB", "BLOB", "TEXT", "TEXT", "INTEGER", "WITHOUT ROWID"],
            Dialect::Postgres => ["UUID", "BYTEA", "JSONB", "UUID", "BIGINT", ""],
        };
        let counters = ["decisions", "ended", "latency_sum_ns"].into_iter().chain(COUNTERS);
        let counters: String = counters.map(|name| format!("{name} BIGINT NOT NULL,\n  ")).collect();
        let words = [
            ("{uuid}", uuid),
            ("{blob}", blob),
            ("{json}", json),
            ("{id}", id),
            ("{no}", no),
            ("{compact}", compact),
        ];
        let base = BASE.replace("{counters}", counters.trim_end());
        words.iter().fold(base, |sql, (word, meant)| sql.replace(word, meant))
    }
}
