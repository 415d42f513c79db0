//! Rows of the rollups.

use crate::error::Result;
use crate::read::{Reader, Value};
use crate::rows::COUNTERS;
use crate::stats::{HOUR_NS, MINUTE_NS, Range, Window};

/// Sums of a rollup's row: decisions, ended, sum of latencies, then [`COUNTERS`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts<'a>(&'a [Value]);

impl Counts<'_> {
    pub(super) fn decisions(self) -> i64 {
        self.at(0)
    }

    pub(super) fn ended(self) -> i64 {
        self.at(1)
    }

    pub(super) fn latency_sum_ns(self) -> i64 {
        self.at(2)
    }

    /// The counter of this name.
    pub(super) fn get(self, name: &str) -> i64 {
        COUNTERS.iter().position(|counter| *counter == name).map_or(0, |place| self.at(3 + place))
    }

    fn at(self, column: usize) -> i64 {
        self.0.get(column).and_then(Value::integer).unwrap_or_default()
    }
}

/// Gives sums by window and facet.
pub(super) fn counts(
    reader: &mut Reader,
    range: Range,
    by: Window,
    take: &mut dyn FnMut(i64, i64, Counts<'_>),
) -> Result<()> {
    let columns = ["decisions", "ended", "latency_sum_ns"].into_iter().chain(COUNTERS);
    let sums: Vec<String> = columns.map(|column| format!("CAST(sum({column}) AS BIGINT)")).collect();
    for (table, range) in tables(range, by, "rollup") {
        let sql = format!(
            "SELECT {}, facet, {} FROM {table} WHERE start_ns >= {} AND start_ns < {} GROUP BY 1, 2",
            window(by),
            sums.join(", "),
            range.from,
            range.to
        );
        reader.rows(&sql, &[], |row| {
            if let [Value::Integer(window), Value::Integer(facet), sums @ ..] = row {
                take(*window, *facet, Counts(sums));
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Gives how many latencies fell into each bucket, by window and facet.
pub(super) fn latencies(
    reader: &mut Reader,
    range: Range,
    by: Window,
    take: &mut dyn FnMut(i64, i64, i32, i64),
) -> Result<()> {
    for (table, range) in tables(range, by, "latency") {
        let sql = format!(
            "SELECT {}, facet, bucket, CAST(sum(decisions) AS BIGINT) FROM {table} \
             WHERE start_ns >= {} AND start_ns < {} GROUP BY 1, 2, 3",
            window(by),
            range.from,
            range.to
        );
        reader.rows(&sql, &[], |row| {
            if let [
                Value::Integer(window),
                Value::Integer(facet),
                Value::Integer(bucket),
                Value::Integer(decisions),
            ] = row
            {
                take(*window, *facet, i32::try_from(*bucket).unwrap_or(i32::MAX), *decisions);
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// SQL for the begin of a row's window.
fn window(by: Window) -> String {
    match by.length_ns() {
        Some(length) => format!("start_ns / {length} * {length}"),
        None => "CAST(0 AS BIGINT)".to_owned(),
    }
}

/// The tables to read a range from: hours where whole ones lie in it and windows are no shorter, minutes for the rest.
fn tables(range: Range, by: Window, name: &str) -> Vec<(String, Range)> {
    let minutes = format!("{name}_minute");
    let from = (range.from + HOUR_NS - 1) / HOUR_NS * HOUR_NS;
    let to = range.to / HOUR_NS * HOUR_NS;
    if by.length_ns() == Some(MINUTE_NS) || from >= to {
        return vec![(minutes, range)];
    }
    let parts = [
        (minutes.clone(), Range { from: range.from, to: from }),
        (format!("{name}_hour"), Range { from, to }),
        (minutes, Range { from: to, to: range.to }),
    ];
    parts.into_iter().filter(|(_, part)| part.from < part.to).collect()
}
