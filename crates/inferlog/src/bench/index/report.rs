//! What was measured of the index, as JSON and as tables.

use std::io::{self, Write};

use serde::Serialize;

use super::asked::Asked;
use crate::bench::report::{Comparison, micros, section};

/// Everything that was measured of the index.
#[derive(Debug, Default, Serialize)]
pub(crate) struct IndexResults {
    /// Rates are medians of so many rounds.
    pub(crate) rounds: usize,
    pub(crate) followed: Option<Followed>,
    pub(crate) beside: Option<Beside>,
    pub(crate) built: Option<Built>,
    pub(crate) asked: Option<Asked>,
}

/// The follower alone, into SQLite, of events as the gateway writes them.
#[derive(Debug, Serialize)]
pub(crate) struct Followed {
    pub(crate) events: u64,
    pub(crate) entry_bytes_per_event: f64,
    pub(crate) events_per_second: f64,
    pub(crate) cores: f64,
    /// Against inserting the events' JSON into one table, and nothing else.
    pub(crate) against_insert: Comparison,
    /// Against reading the log, and nothing else.
    pub(crate) against_scan: Comparison,
    pub(crate) index_bytes_per_event: f64,
}

/// The follower beside a gateway; client, model, gateway and follower share the processors.
#[derive(Debug, Serialize)]
pub(crate) struct Beside {
    pub(crate) requests_per_second_asked: u32,
    pub(crate) requests_per_second: f64,
    pub(crate) events_per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Of the gateway, while nothing follows.
    pub(crate) alone_p50_us: f64,
    pub(crate) alone_p99_us: f64,
}

/// The large index, built from nothing: what a rebuild takes.
#[derive(Debug, Serialize)]
pub(crate) struct Built {
    pub(crate) events: u64,
    /// `None` if the log was there.
    pub(crate) generated_events_per_second: Option<f64>,
    /// `None` if the index was there.
    pub(crate) seconds: Option<f64>,
    pub(crate) events_per_second: Option<f64>,
    pub(crate) index_bytes_per_event: f64,
    pub(crate) tables: Vec<Table>,
}

/// A table or an index of a table.
#[derive(Debug, Serialize)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) bytes_per_event: f64,
}

/// How long answers took.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Waits {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
}

/// A first page.
#[derive(Debug, Serialize)]
pub(crate) struct Find {
    /// What was asked for.
    pub(crate) what: &'static str,
    /// How many decisions the page had.
    pub(crate) decisions: u64,
    pub(crate) p50_us: f64,
    pub(crate) max_us: f64,
}

impl IndexResults {
    /// The tables.
    pub(crate) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        if let Some(followed) = &self.followed {
            print_followed(out, followed)?;
        }
        if let Some(beside) = &self.beside {
            print_beside(out, beside)?;
        }
        if let Some(built) = &self.built {
            print_built(out, built)?;
        }
        self.asked.as_ref().map_or(Ok(()), |asked| print_asked(out, asked))
    }
}

fn print_followed(out: &mut impl Write, followed: &Followed) -> io::Result<()> {
    section(out, "Follower", "into SQLite; references as long as the gateway's")?;
    writeln!(
        out,
        "{} events of {:.0} bytes: {:.0} events/s on {:.2} cores; {:.0} bytes of index an event",
        followed.events,
        followed.entry_bytes_per_event,
        followed.events_per_second,
        followed.cores,
        followed.index_bytes_per_event,
    )?;
    writeln!(
        out,
        "{:.2} of inserting the events' JSON alone ({:.0}/s), {:.2} of reading the log alone ({:.0}/s)",
        followed.against_insert.ratio,
        followed.against_insert.base,
        followed.against_scan.ratio,
        followed.against_scan.base,
    )
}

fn print_beside(out: &mut impl Write, beside: &Beside) -> io::Result<()> {
    section(out, "Follower beside a gateway", "client, model, gateway and follower share the processors")?;
    writeln!(
        out,
        "{:.0} events/s while the gateway answers {:.0} requests/s (asked: {})",
        beside.events_per_second, beside.requests_per_second, beside.requests_per_second_asked,
    )?;
    writeln!(
        out,
        "gateway p50 {} and p99 {}; without a follower p50 {} and p99 {}",
        micros(beside.p50_us),
        micros(beside.p99_us),
        micros(beside.alone_p50_us),
        micros(beside.alone_p99_us),
    )
}

fn print_built(out: &mut impl Write, built: &Built) -> io::Result<()> {
    section(out, "Large index", "without payloads")?;
    write!(out, "{} events", built.events)?;
    if let (Some(seconds), Some(rate)) = (built.seconds, built.events_per_second) {
        write!(out, ", built from nothing in {seconds:.0} s ({rate:.0} events/s)")?;
    }
    if let Some(rate) = built.generated_events_per_second {
        write!(out, "; the log was generated at {rate:.0} events/s")?;
    }
    writeln!(out, "\n{:.0} bytes an event:", built.index_bytes_per_event)?;
    for Table { name, bytes_per_event } in &built.tables {
        writeln!(out, "{bytes_per_event:>8.1}  {name}")?;
    }
    Ok(())
}

fn print_asked(out: &mut impl Write, asked: &Asked) -> io::Result<()> {
    section(out, "Answers", "of the large index, warm")?;
    let Asked { decisions, lookup, reconstruct, finds } = asked;
    writeln!(out, "{:<40}{:>9}{:>9}{:>9}", format!("{decisions} decisions"), "p50", "p99", "max")?;
    for (what, waits) in [("row by id", lookup), ("reconstruct, as JSON", reconstruct)] {
        let [p50, p99, max] = [waits.p50_us, waits.p99_us, waits.max_us].map(micros);
        writeln!(out, "{what:<40}{p50:>9}{p99:>9}{max:>9}")?;
    }
    writeln!(out, "\n{:<40}{:>9}{:>9}{:>9}", "first page of find, by", "found", "p50", "max")?;
    for Find { what, decisions, p50_us, max_us } in finds {
        let [p50, max] = [*p50_us, *max_us].map(micros);
        writeln!(out, "{what:<40}{decisions:>9}{p50:>9}{max:>9}")?;
    }
    Ok(())
}
