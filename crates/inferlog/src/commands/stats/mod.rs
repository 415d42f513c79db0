//! `inferlog stats`: counts, rates, latencies, tokens and cost.

mod prices;
mod table;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use inferlog_index::stats::{Dimension, StatsQuery, Window, stats};
use inferlog_record::Timestamp;

use crate::cli::DataArg;
use crate::commands::facet::FacetArgs;
use crate::followers::{Store, ready};
use crate::output::{self, Failure, Verdict};
use crate::when;

/// Sum up decisions: rates, errors, latencies, tokens, cost.
///
/// One row for each window and group, and a total. Asks the index's counts by minute and hour, so that the log's length does not
/// matter; the range is filled up to whole minutes. Latencies are told from histograms, at most 3.2 % off. A decision counts
/// where it began, with what was added to it since; its tokens count with the model that its last model call names.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog stats --data /var/lib/inferlog --since 7d --by day --group model
  inferlog stats --data /var/lib/inferlog --since 1h --by minute --model credit
  inferlog stats --data /var/lib/inferlog --since 30d --group model,version --prices prices.toml
  inferlog stats --data /var/lib/inferlog --json | jq '.rows[] | {model: .group.model, p99: .latency_ms.p99}'

A file of prices holds, for each model and currency, what a million tokens cost from a day on:
  [[price]]
  model = \"gpt-large\"      # or \"gpt-*\"
  from = 2026-01-01
  currency = \"EUR\"
  input = 2.50
  cached = 0.25            # default: as input
  output = 10.00")]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    pub(crate) dir: DataArg,
    /// Print one JSON object: range, rows, total.
    #[arg(long)]
    pub(crate) json: bool,
    /// Only decisions that began at or after this time: 2026-01-31, 2026-01-31T09:30:00Z, or a time ago: 15m, 2h, 7d.
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub(crate) since: Option<Timestamp>,
    /// Only decisions that began before this time.
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub(crate) until: Option<Timestamp>,
    /// One row for each minute, hour or day (UTC), or for the whole range.
    #[arg(long, value_enum, default_value_t = By::None)]
    pub(crate) by: By,
    /// One row for each value of these: system, route, wire, model, version, identity, environment, outcome, error, overridden.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = dimension)]
    pub(crate) group: Vec<Dimension>,
    #[command(flatten)]
    pub(crate) facet: FacetArgs,
    /// What tokens cost [default: as the system's policy says]
    #[arg(long, value_name = "FILE")]
    pub(crate) prices: Option<PathBuf>,
    /// Ask this index: sqlite (in the data directory), or postgres://…, env:NAME or file:PATH.
    #[arg(long, value_name = "PLACE", default_value = "sqlite", value_parser = Store::parse)]
    pub(crate) index: Store,
}

/// The length of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    Minute,
    Hour,
    Day,
    None,
}

fn dimension(name: &str) -> Result<Dimension, String> {
    let all = Dimension::ALL;
    all.into_iter().find(|dimension| dimension.name() == name).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|dimension| dimension.name()).collect();
        format!("decisions are grouped by {}", names.join(", "))
    })
}

pub(crate) fn run(args: StatsArgs) -> Result<Verdict, Failure> {
    let query = StatsQuery {
        since: args.since,
        until: args.until,
        by: match args.by {
            By::Minute => Window::Minute,
            By::Hour => Window::Hour,
            By::Day => Window::Day,
            By::None => Window::None,
        },
        group: args.group.clone(),
        facet: args.facet.filter(&args.dir)?,
        prices: match args.prices.as_deref() {
            Some(path) => Some(prices::read(path)?),
            None => prices::of_policy(&args.dir.data, args.facet.system.as_ref())?,
        },
    };
    let mut index = ready(&args.dir.data, &args.index)?;
    index.warn()?;
    let stats = stats(&mut index.reader, &query)?;
    let mut out = output::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&stats)?)?;
    } else {
        table::write(&mut out, &stats)?;
    }
    Ok(Verdict::Well)
}
