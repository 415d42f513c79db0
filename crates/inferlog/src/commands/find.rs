//! `inferlog find`: which decisions there are.

use std::io::Write;
use std::ops::ControlFlow;

use clap::Args;
use clap::builder::PossibleValuesParser;
use inferlog::real_env;
use inferlog_audit::{FindOptions, FoundDecision, Select, find};
use inferlog_record::body::Outcome;
use inferlog_record::{SystemName, Timestamp};

use crate::admin;
use crate::cli::DataArg;
use crate::output::{self, DIM, Failure, Verdict, counted, styled};
use crate::when;

/// List decisions, the newest last.
///
/// Reads the log's clear fields alone: it needs no key and takes no lock, and may run while `serve` does (it then sees what the
/// newest checkpoint covers, at most a second behind). Decisions come in the order in which they ended, open ones last.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog find --data /var/lib/inferlog --since 2h --outcome failed
  inferlog find --data /var/lib/inferlog --json | jq -r 'select(.model == \"credit\") | .decision'

With --json every line is an object with decision, outcome, model, started_at and more; the outcome is null while the
decision is open. The person whom a decision is about stands there by pseudonym.")]
pub(crate) struct FindArgs {
    #[command(flatten)]
    pub(crate) dir: DataArg,
    /// Print one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Only decisions that began at or after this time: 2026-01-31, 2026-01-31T09:30:00Z, or a time ago: 15m, 2h, 7d.
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub(crate) since: Option<Timestamp>,
    /// Only decisions that began before this time.
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub(crate) until: Option<Timestamp>,
    /// Only decisions that ended so, or that are still open.
    #[arg(long, value_name = "OUTCOME", value_parser = outcomes())]
    pub(crate) outcome: Option<String>,
    /// Only decisions of models whose name holds this text.
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Only decisions of this system.
    #[arg(long, value_name = "NAME")]
    pub(crate) system: Option<SystemName>,
    /// Only the newest so many.
    #[arg(long, value_name = "COUNT")]
    pub(crate) limit: Option<usize>,
}

fn outcomes() -> PossibleValuesParser {
    PossibleValuesParser::new(Outcome::ALL.iter().map(|outcome| outcome.as_str()).chain(["open"]))
}

pub(crate) fn run(args: FindArgs) -> Result<Verdict, Failure> {
    admin::require_data(&args.dir.data)?;
    admin::refresh(&args.dir.data);
    let options = FindOptions {
        select: args.system.as_ref().map_or_else(Select::default, |system| Select::system(system.as_str())),
        since: args.since,
        until: args.until,
        outcome: args.outcome.clone(),
        model: args.model.clone(),
        subject: None,
        limit: args.limit,
    };
    let (mut out, mut written) = (output::stdout(), Ok(()));
    let found = find(&real_env().fs, &args.dir.data, &options, &mut |found| {
        written = line(&mut out, &found, args.json);
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    written?;
    if !args.json {
        writeln!(out, "{}", styled(DIM, counted(found, "decision")))?;
    }
    Ok(Verdict::Well)
}

fn line(out: &mut impl Write, found: &FoundDecision, json: bool) -> Result<(), Failure> {
    if json {
        writeln!(out, "{}", serde_json::to_string(found)?)?;
    } else {
        writeln!(out, "{}", found.to_text(true))?;
    }
    Ok(())
}
