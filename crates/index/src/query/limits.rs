//! How much a statement may cost.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Time that a statement may take, unless the caller says otherwise.
pub const TIME_MAX: Duration = Duration::from_secs(30);
/// Memory that a statement may take, bytes, unless the caller says otherwise.
pub const MEMORY_BYTES_MAX: u64 = 512 << 20;
/// The least memory that a caller may allow, bytes: less does not open an index.
pub const MEMORY_BYTES_MIN: u64 = 32 << 20;
/// The largest temporary file of a statement, bytes, unless the caller says otherwise. A statement may have a few of them.
pub const TEMP_BYTES_MAX: u64 = 1 << 30;
/// Longest statement, bytes.
pub const SQL_BYTES_MAX: usize = 64 << 10;
/// Longest value, and longest row, bytes, that SQLite may make.
pub const VALUE_BYTES_MAX: i32 = 64 << 20;

/// How much a statement may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Time, without that which whoever takes the rows takes.
    pub time_max: Duration,
    /// Memory, bytes.
    pub memory_bytes_max: u64,
    /// The largest temporary file, bytes.
    pub temp_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time_max: TIME_MAX, memory_bytes_max: MEMORY_BYTES_MAX, temp_bytes_max: TEMP_BYTES_MAX }
    }
}

impl Limits {
    /// That it took too long.
    pub fn time_is_up(&self) -> super::QueryError {
        super::QueryError::new(
            super::QueryFault::Time,
            format!("the query took longer than {} and was stopped", seconds(self.time_max)),
        )
        .hint("ask for less (WHERE, LIMIT), use an index (started_ns, id), or allow more time")
    }

    /// That it wanted too much memory.
    pub fn memory_is_full(&self) -> super::QueryError {
        super::QueryError::new(
            super::QueryFault::Memory,
            format!("the query wanted more than {} of memory and was stopped", bytes(self.memory_bytes_max)),
        )
        .hint("ask for fewer or shorter values, aggregate in steps, or allow more memory")
    }

    /// That it wanted too much room for temporary files.
    pub fn disk_is_full(&self) -> super::QueryError {
        super::QueryError::new(
            super::QueryFault::Disk,
            format!(
                "the query wanted a temporary file of more than {}, or there was no room for it, and was stopped",
                bytes(self.temp_bytes_max)
            ),
        )
        .hint("sort and group less (WHERE, fewer columns), or allow more")
    }
}

fn seconds(time: Duration) -> String {
    match time.subsec_millis() {
        0 => format!("{} s", time.as_secs()),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

fn bytes(bytes: u64) -> String {
    match bytes {
        _ if bytes >= 1 << 30 && bytes.is_multiple_of(1 << 30) => format!("{} GiB", bytes >> 30),
        _ => format!("{} MiB", bytes >> 20),
    }
}
