//! Rollups: the difference that a batch makes, by minute and hour in which decisions began and by facet.

use std::collections::BTreeMap;

use crate::latency::bucket;
use crate::rows::{Counters, DecisionRow, LatencyRow, RollupRow, Rows};

/// One minute, nanoseconds.
pub const MINUTE_NS: i64 = 60_000_000_000;
/// One hour, nanoseconds.
pub const HOUR_NS: i64 = 60 * MINUTE_NS;

/// Differences, collected.
#[derive(Debug, Default)]
pub(crate) struct Rollups {
    minutes: BTreeMap<(i64, i32), Sum>,
    hours: BTreeMap<(i64, i32), Sum>,
    latency_minutes: BTreeMap<(i64, i32, i32), i64>,
    latency_hours: BTreeMap<(i64, i32, i32), i64>,
}

#[derive(Debug, Default)]
struct Sum {
    decisions: i64,
    ended: i64,
    latency_sum_ns: i64,
    counters: Counters,
}

/// The begin of the window of this width that holds a time.
fn window(ns: i64, width: i64) -> i64 {
    ns - ns.rem_euclid(width)
}

impl Rollups {
    /// Adds a decision's row, or with -1 takes it away.
    pub(crate) fn add(&mut self, row: &DecisionRow, facet: i32, sign: i64) {
        let latency = row.ended_ns.map(|ended| ended.saturating_sub(row.started_ns).max(0));
        for (width, sums, latencies) in [
            (MINUTE_NS, &mut self.minutes, &mut self.latency_minutes),
            (HOUR_NS, &mut self.hours, &mut self.latency_hours),
        ] {
            let start = window(row.started_ns, width);
            let sum = sums.entry((start, facet)).or_default();
            sum.decisions += sign;
            for (sum, counter) in sum.counters.0.iter_mut().zip(row.counters.0) {
                *sum += sign * counter;
            }
            if let Some(latency) = latency {
                sum.ended += sign;
                sum.latency_sum_ns += sign * latency;
                *latencies.entry((start, facet, bucket(latency.unsigned_abs()))).or_default() += sign;
            }
        }
    }

    /// The rows that change, in the order of their keys.
    pub(crate) fn finish(self, rows: &mut Rows) {
        let sums = |sums: BTreeMap<(i64, i32), Sum>| {
            let changed = sums.into_iter().filter(|(_, sum)| !sum.is_zero());
            changed.map(|((start_ns, facet), sum)| sum.row(start_ns, facet)).collect()
        };
        (rows.minutes, rows.hours) = (sums(self.minutes), sums(self.hours));
        let latencies = |latencies: BTreeMap<(i64, i32, i32), i64>| {
            let changed = latencies.into_iter().filter(|(_, decisions)| *decisions != 0);
            let row =
                |((start_ns, facet, bucket), decisions)| LatencyRow { start_ns, facet, bucket, decisions };
            changed.map(row).collect()
        };
        rows.latency_minutes = latencies(self.latency_minutes);
        rows.latency_hours = latencies(self.latency_hours);
    }
}

impl Sum {
    fn is_zero(&self) -> bool {
        let counters = self.counters == Counters::default();
        counters && (self.decisions, self.ended, self.latency_sum_ns) == (0, 0, 0)
    }

    fn row(self, start_ns: i64, facet: i32) -> RollupRow {
        let Self { decisions, ended, latency_sum_ns, counters } = self;
        RollupRow { start_ns, facet, decisions, ended, latency_sum_ns, counters }
    }
}
