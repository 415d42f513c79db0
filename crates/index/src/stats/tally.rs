//! What is summed up of a group.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::latency::middle;
use crate::rows::Facet;
use crate::stats::price::{Price, amount};
use crate::stats::read::Counts;
use crate::stats::{Dimension, time};

/// Sums of one group, or of all.
#[derive(Debug, Default)]
pub(super) struct Tally {
    decisions: i64,
    ended: i64,
    latency_sum_ns: i64,
    outcomes: BTreeMap<String, i64>,
    overridden: i64,
    counts: BTreeMap<&'static str, i64>,
    latencies: BTreeMap<i32, i64>,
    costs: BTreeMap<String, i128>,
    unpriced: i64,
}

/// One row of the answer.
#[derive(Clone, Debug, Serialize)]
pub struct StatsRow {
    /// Begin of the window, as far as it lies in the range.
    pub from: String,
    /// Its end.
    pub to: String,
    /// The values that the row is grouped by.
    pub group: BTreeMap<Dimension, Option<String>>,
    /// Decisions that began then.
    pub decisions: i64,
    /// Decisions a second.
    pub rate_per_second: f64,
    /// Decisions by how they ended; `open` for those that have not.
    pub outcomes: BTreeMap<String, i64>,
    /// Failed ones of those that ended; `null` if none has.
    pub error_rate: Option<f64>,
    /// Refused ones of those that ended.
    pub refusal_rate: Option<f64>,
    /// From begin to end, of those that ended.
    pub latency_ms: Option<Latency>,
    /// Turns: requests of the decisions.
    pub turns: i64,
    /// Calls of models.
    pub model_calls: i64,
    /// Those that failed.
    pub model_calls_failed: i64,
    /// Calls of tools.
    pub tool_calls: i64,
    /// Those that failed.
    pub tool_calls_failed: i64,
    /// Queries of indices.
    pub retrievals: i64,
    /// Tokens, as model servers counted them.
    pub tokens: Tokens,
    /// What they cost, by currency; `null` without prices.
    pub cost: Option<BTreeMap<String, f64>>,
    /// Decisions with tokens whose model has no price: their cost is missing. `null` without prices.
    pub unpriced_decisions: Option<i64>,
    /// What people did: approvals, overrides and the rest.
    pub human_actions: i64,
    /// Decisions that a person overrode.
    pub overridden: i64,
    /// Those of all decisions.
    pub override_rate: Option<f64>,
    /// Labels.
    pub labels: i64,
}

/// Tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tokens {
    /// Read.
    pub input: i64,
    /// Written.
    pub output: i64,
    /// Read from a cache, part of `input`.
    pub cached: i64,
    /// Spent on reasoning, part of `output`.
    pub reasoning: i64,
}

/// Latencies, milliseconds. Percentiles are told from a histogram, the mean is exact.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// The mean.
    pub mean: f64,
    /// The median.
    pub p50: f64,
    /// Nine of ten took no longer.
    pub p90: f64,
    /// 95 of a hundred.
    pub p95: f64,
    /// 99 of a hundred.
    pub p99: f64,
}

const NS_PER_MS: f64 = 1e6;

impl Tally {
    pub(super) fn add(&mut self, counts: Counts<'_>, facet: &Facet, price: Option<&Price>) {
        let decisions = counts.decisions();
        self.decisions += decisions;
        self.ended += counts.ended();
        self.latency_sum_ns += counts.latency_sum_ns();
        *self.outcomes.entry(facet.outcome().to_owned()).or_default() += decisions;
        self.overridden += if facet.overridden { decisions } else { 0 };
        for name in crate::rows::COUNTERS {
            *self.counts.entry(name).or_default() += counts.get(name);
        }
        let [input, output, cached] =
            ["tokens_input", "tokens_output", "tokens_cached"].map(|name| counts.get(name));
        match price {
            Some(price) => {
                *self.costs.entry(price.currency.clone()).or_default() += price.of(input, output, cached);
            }
            None if input + output > 0 => self.unpriced += decisions,
            None => {}
        }
    }

    pub(super) fn add_latency(&mut self, bucket: i32, decisions: i64) {
        *self.latencies.entry(bucket).or_default() += decisions;
    }

    /// The row of a window that lasts from one time to another, nanoseconds since 1970.
    pub(super) fn row(
        self,
        from: i64,
        to: i64,
        group: BTreeMap<Dimension, Option<String>>,
        priced: bool,
    ) -> StatsRow {
        let count = |name: &str| self.counts.get(name).copied().unwrap_or_default();
        let outcome = |name: &str| self.outcomes.get(name).copied().unwrap_or_default();
        let seconds = (to - from) as f64 / 1e9;
        StatsRow {
            from: time(from),
            to: time(to),
            group,
            decisions: self.decisions,
            rate_per_second: if seconds > 0.0 { self.decisions as f64 / seconds } else { 0.0 },
            error_rate: share(outcome("failed"), self.ended),
            refusal_rate: share(outcome("refused"), self.ended),
            latency_ms: self.latency(),
            turns: count("turns"),
            model_calls: count("model_calls"),
            model_calls_failed: count("model_calls_failed"),
            tool_calls: count("tool_calls"),
            tool_calls_failed: count("tool_calls_failed"),
            retrievals: count("retrievals"),
            tokens: Tokens {
                input: count("tokens_input"),
                output: count("tokens_output"),
                cached: count("tokens_cached"),
                reasoning: count("tokens_reasoning"),
            },
            human_actions: count("human_actions"),
            overridden: self.overridden,
            override_rate: share(self.overridden, self.decisions),
            labels: count("labels"),
            unpriced_decisions: priced.then_some(self.unpriced),
            cost: priced.then(|| self.costs.into_iter().map(|(of, parts)| (of, amount(parts))).collect()),
            outcomes: self.outcomes.into_iter().filter(|(_, decisions)| *decisions != 0).collect(),
        }
    }

    fn latency(&self) -> Option<Latency> {
        let all: i64 = self.latencies.values().sum();
        if all <= 0 || self.ended <= 0 {
            return None;
        }
        let percentile = |per_cent: i64| {
            let mut rank = (all * per_cent + 99) / 100;
            let bucket = self.latencies.iter().find(|(_, decisions)| {
                rank -= **decisions;
                rank <= 0
            });
            bucket.map_or(0.0, |(bucket, _)| middle(*bucket) as f64 / NS_PER_MS)
        };
        Some(Latency {
            mean: self.latency_sum_ns as f64 / self.ended as f64 / NS_PER_MS,
            p50: percentile(50),
            p90: percentile(90),
            p95: percentile(95),
            p99: percentile(99),
        })
    }
}

fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
