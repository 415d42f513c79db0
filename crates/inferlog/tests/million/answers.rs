//! What is asked of a log three times: of SQLite, of PostgreSQL, and of the log's own entries.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// What is counted of a decision, in the order of the columns.
pub const COUNTED: [&str; 17] = [
    "turns",
    "events",
    "payloads",
    "payloads_absent",
    "model_calls",
    "model_calls_failed",
    "tool_calls",
    "tool_calls_failed",
    "retrievals",
    "transforms",
    "human_actions",
    "overrides",
    "labels",
    "tokens_input",
    "tokens_output",
    "tokens_cached",
    "tokens_reasoning",
];

/// The answers.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Events of each kind.
    pub kinds: BTreeMap<String, i64>,
    /// Decisions by how they ended; `-` is open.
    pub outcomes: BTreeMap<String, i64>,
    /// Decisions, tokens written, and latencies in nanoseconds, by model and version.
    pub models: BTreeMap<String, [i64; 3]>,
    /// Decisions by the day on which they began, days since 1970.
    pub days: BTreeMap<String, i64>,
    /// Sums of what is counted of decisions.
    pub sums: BTreeMap<String, i64>,
    /// Decisions by the names in their steps: tools, indexes, labels and the like.
    pub terms: BTreeMap<String, i64>,
    /// Persons and decisions about them, decisions that the system's life mentions.
    pub persons: BTreeMap<String, i64>,
    /// Every row of these, in order.
    pub digests: BTreeMap<&'static str, Rows>,
}

/// So many rows, and the SHA-256 of all of them.
#[derive(Debug, PartialEq, Eq)]
pub struct Rows {
    pub rows: u64,
    pub sha256: String,
}

/// Takes rows as lines of cells.
#[derive(Default)]
pub struct Digester {
    rows: u64,
    sha256: Sha256,
}

impl Digester {
    pub fn line(&mut self, line: &str) {
        self.rows += 1;
        self.sha256.update(line.as_bytes());
        self.sha256.update(b"\n");
    }

    pub fn end(self) -> Rows {
        let digest = self.sha256.finalize();
        Rows { rows: self.rows, sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect() }
    }
}

/// Rows whose order differs between engines, for some of their columns may be null.
pub fn digest_sorted(mut lines: Vec<String>) -> Rows {
    lines.sort_unstable();
    let mut digester = Digester::default();
    lines.iter().for_each(|line| digester.line(line));
    digester.end()
}

/// One row: cells, `-` for null.
pub fn line<'a>(cells: impl IntoIterator<Item = Option<&'a str>>) -> String {
    let cells: Vec<&str> = cells.into_iter().map(|cell| cell.unwrap_or("-")).collect();
    cells.join("\t")
}
