//! Counts, rates, latencies, tokens and cost by window and group, from the rollups alone: the log's size does not matter.
//!
//! A range is cut into whole minutes: hours in its middle are read from the rollups of hours, the edges from those of minutes. Where
//! a price changes it is cut too, so that tokens cost what they did when their decision began.

mod price;
mod read;
mod tally;

use std::collections::{BTreeMap, BTreeSet};

use inferlog_record::Timestamp;
use serde::Serialize;

pub use self::price::Price;
pub use self::tally::{Latency, StatsRow, Tokens};

use self::tally::Tally;
use crate::error::Result;
use crate::facets::{FacetFilter, Facets};
use crate::latency::RELATIVE_ERROR_MAX;
use crate::read::Reader;
use crate::rows::Facet;

const MINUTE_NS: i64 = 60_000_000_000;
const HOUR_NS: i64 = 60 * MINUTE_NS;

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct StatsQuery {
    /// Decisions begun at or after; cut down to the minute.
    pub since: Option<Timestamp>,
    /// Decisions begun before; filled up to the minute.
    pub until: Option<Timestamp>,
    /// One row for each window of this length.
    pub by: Window,
    /// And for each value of these.
    pub group: Vec<Dimension>,
    /// Conditions on decisions.
    pub facet: FacetFilter,
    /// What tokens cost; without it no cost is told.
    pub prices: Option<Vec<Price>>,
}

/// The length of a window, in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// The whole range.
    #[default]
    None,
}

/// What decisions are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// The system.
    System,
    /// The configured route.
    Route,
    /// The wire.
    Wire,
    /// The model, as the last model call names it.
    Model,
    /// The model's version.
    Version,
    /// Whether its names pin one model.
    Identity,
    /// Production, staging and the like.
    Environment,
    /// How the decision ended.
    Outcome,
    /// What failed.
    Error,
    /// Whether a person overrode it.
    Overridden,
}

/// The answer.
#[derive(Clone, Debug, Serialize)]
pub struct Stats {
    /// Begin of the range; `null` if there is nothing.
    pub from: Option<String>,
    /// Its end.
    pub to: Option<String>,
    /// Length of the windows.
    pub by: Window,
    /// What rows are grouped by.
    pub group: Vec<Dimension>,
    /// How far a latency that is told may be from the true one, at most.
    pub latency_relative_error: f64,
    /// By window and group; windows and groups without decisions are left out.
    pub rows: Vec<StatsRow>,
    /// All of them together.
    pub total: StatsRow,
}

/// The values that a row is grouped by, in order.
type Key = Vec<Option<String>>;

/// Whole minutes, nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
struct Range {
    from: i64,
    to: i64,
}

/// Answers.
pub fn stats(reader: &mut Reader, query: &StatsQuery) -> Result<Stats> {
    let facets = Facets::read(reader)?;
    let range = range(reader, query)?;
    let prices = query.prices.as_deref().unwrap_or_default();
    let mut groups: BTreeMap<(i64, Key), Tally> = BTreeMap::new();
    let mut total = Tally::default();
    for part in range.into_iter().flat_map(|range| range.cut(prices)) {
        let mut take = |window: i64, number: i64, add: &dyn Fn(&mut Tally, &Facet)| {
            let facet = facets.get(number);
            if query.facet.fits(&facet) {
                let key = query.group.iter().map(|dimension| dimension.of(&facet)).collect();
                add(groups.entry((window, key)).or_default(), &facet);
                add(&mut total, &facet);
            }
        };
        read::counts(reader, part, query.by, &mut |window, facet, counts| {
            take(window, facet, &|tally, facet| {
                tally.add(counts, facet, price::at(prices, facet, part.from))
            });
        })?;
        read::latencies(reader, part, query.by, &mut |window, facet, bucket, decisions| {
            take(window, facet, &|tally, _| tally.add_latency(bucket, decisions));
        })?;
    }
    let priced = query.prices.is_some();
    let rows = groups
        .into_iter()
        .filter_map(|((window, key), tally)| {
            let within = query.by.clip(window, range?);
            let group = query.group.iter().copied().zip(key).collect();
            Some(tally.row(within.from, within.to, group, priced))
        })
        .collect();
    let whole = range.unwrap_or(Range { from: 0, to: 0 });
    Ok(Stats {
        from: range.map(|range| time(range.from)),
        to: range.map(|range| time(range.to)),
        by: query.by,
        group: query.group.clone(),
        latency_relative_error: RELATIVE_ERROR_MAX,
        rows,
        total: total.row(whole.from, whole.to, BTreeMap::new(), priced),
    })
}

/// The range that is asked for; what is left open is as wide as what there is. `None` if there is nothing.
fn range(reader: &mut Reader, query: &StatsQuery) -> Result<Option<Range>> {
    let row = reader.row("SELECT min(start_ns), max(start_ns) FROM rollup_minute", &[])?;
    let number = |column: usize| row.as_ref().and_then(|row| row.get(column)?.integer());
    let (Some(first), Some(last)) = (number(0), number(1)) else { return Ok(None) };
    let ns = |time: Timestamp| i64::try_from(time.nanos()).unwrap_or(i64::MAX - MINUTE_NS);
    let from = query.since.map_or(first, |since| ns(since) / MINUTE_NS * MINUTE_NS);
    let to =
        query.until.map_or(last + MINUTE_NS, |until| (ns(until) + MINUTE_NS - 1) / MINUTE_NS * MINUTE_NS);
    Ok((from < to).then_some(Range { from, to }))
}

impl Range {
    /// Parts during which no price changes.
    fn cut(self, prices: &[Price]) -> Vec<Range> {
        let changes = prices.iter().map(|price| price.from_ns / MINUTE_NS * MINUTE_NS);
        let mut edges: BTreeSet<i64> = changes.filter(|at| (self.from..self.to).contains(at)).collect();
        edges.extend([self.from, self.to]);
        let edges: Vec<i64> = edges.into_iter().collect();
        edges.windows(2).map(|pair| Range { from: pair[0], to: pair[1] }).collect()
    }
}

impl Window {
    /// Its length, nanoseconds; none of the whole range.
    fn length_ns(self) -> Option<i64> {
        match self {
            Self::Minute => Some(MINUTE_NS),
            Self::Hour => Some(HOUR_NS),
            Self::Day => Some(24 * HOUR_NS),
            Self::None => None,
        }
    }

    /// What of a window lies in a range.
    fn clip(self, window: i64, range: Range) -> Range {
        match self.length_ns() {
            None => range,
            Some(length) => Range { from: window.max(range.from), to: (window + length).min(range.to) },
        }
    }
}

impl Dimension {
    /// Every one.
    pub const ALL: [Self; 10] = [
        Self::System,
        Self::Route,
        Self::Wire,
        Self::Model,
        Self::Version,
        Self::Identity,
        Self::Environment,
        Self::Outcome,
        Self::Error,
        Self::Overridden,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Route => "route",
            Self::Wire => "wire",
            Self::Model => "model",
            Self::Version => "version",
            Self::Identity => "identity",
            Self::Environment => "environment",
            Self::Outcome => "outcome",
            Self::Error => "error",
            Self::Overridden => "overridden",
        }
    }

    fn of(self, facet: &Facet) -> Option<String> {
        match self {
            Self::System => Some(facet.system.clone()),
            Self::Route => facet.route.clone(),
            Self::Wire => facet.wire.clone(),
            Self::Model => facet.model.clone(),
            Self::Version => facet.version.clone(),
            Self::Identity => facet.identity.clone(),
            Self::Environment => facet.environment.clone(),
            Self::Outcome => Some(facet.outcome().to_owned()),
            Self::Error => facet.error.clone(),
            Self::Overridden => Some(facet.overridden.to_string()),
        }
    }
}

fn time(ns: i64) -> String {
    Timestamp(ns.unsigned_abs()).to_string()
}
