//! `inferlog find`: which decisions there are.

use std::fmt::Display;
use std::io::Write;
use std::ops::ControlFlow;

use clap::Args;
use inferlog::real_env;
use inferlog_audit::{FindOptions, FoundDecision, Select};
use inferlog_index::find::{Counted, Found, Query, Token, count, find};
use inferlog_record::{Pseudonym, Timestamp};
use serde::Serialize;

use crate::admin;
use crate::cli::OpenArgs;
use crate::commands::facet::FacetArgs;
use crate::followers::{Store, ready, ready_for_id};
use crate::output::{self, DIM, Failure, Verdict, counted, styled};
use crate::when;

/// List decisions, the newest last.
///
/// Asks the index, which is brought up to date first, for decisions that meet all conditions. Needs no key, but for --external-id.
/// May run while `serve` does. Decisions come in the order in which they began.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog find --data /var/lib/inferlog --since 2h --outcome failed
  inferlog find --data /var/lib/inferlog --overridden yes --label complaint --limit 20
  inferlog find --data /var/lib/inferlog --since 7d --model credit --count
  inferlog find --data /var/lib/inferlog --json | jq -r 'select(.model == \"credit\") | .decision'

With --json every line is an object with decision, outcome, model, started_at and more; the outcome is null while the
decision is open. The person whom a decision is about stands there by pseudonym. The page before a page is the one
before its first line's token.")]
pub(crate) struct FindArgs {
    #[command(flatten)]
    pub(crate) open: OpenArgs,
    /// Print one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Only decisions that began at or after this time: 2026-01-31, 2026-01-31T09:30:00Z, or a time ago: 15m, 2h, 7d.
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub(crate) since: Option<Timestamp>,
    /// Only decisions that began before this time.
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub(crate) until: Option<Timestamp>,
    #[command(flatten)]
    pub(crate) facet: FacetArgs,
    /// Only decisions about the person with this pseudonym.
    #[arg(long, value_name = "PSEUDONYM")]
    pub(crate) subject: Option<Pseudonym>,
    /// Only decisions that others know by this id: their own id, a request's or a trace's.
    #[arg(long, value_name = "ID", conflicts_with = "scan")]
    pub(crate) external_id: Option<String>,
    /// Only decisions with a label of this name.
    #[arg(long, value_name = "NAME", conflicts_with = "scan")]
    pub(crate) label: Option<String>,
    /// Only decisions with a call of this tool.
    #[arg(long, value_name = "NAME", conflicts_with = "scan")]
    pub(crate) tool: Option<String>,
    /// Only decisions with this text in a name that stands in clear: model, route, tool, prompt and the like.
    #[arg(long, value_name = "TEXT", conflicts_with = "scan")]
    pub(crate) text: Option<String>,
    /// Only the newest so many.
    #[arg(long, value_name = "COUNT")]
    pub(crate) limit: Option<usize>,
    /// Only those before the page that gave this token.
    #[arg(long, value_name = "TOKEN", conflicts_with = "scan")]
    pub(crate) before: Option<Token>,
    /// Print how many there are, and nothing else.
    #[arg(long, conflicts_with_all = ["limit", "before", "scan"])]
    pub(crate) count: bool,
    /// Ask this index: sqlite (in the data directory), or postgres://…, env:NAME or file:PATH.
    #[arg(long, value_name = "PLACE", default_value = "sqlite", value_parser = Store::parse)]
    pub(crate) index: Store,
    /// Read the log itself and ask no index: by time, outcome, model, system and subject, in the order in which they ended.
    #[arg(long)]
    pub(crate) scan: bool,
}

pub(crate) fn run(args: FindArgs) -> Result<Verdict, Failure> {
    admin::require_data(&args.open.dir.data)?;
    if args.scan {
        return scan(&args);
    }
    ask(&args).map_err(|failure| match failure.is_broken_pipe() {
        true => failure,
        false => Failure::new(format!("{failure}\n`inferlog find --scan` asks the log itself")),
    })
}

fn ask(args: &FindArgs) -> Result<Verdict, Failure> {
    let query = Query {
        since: args.since,
        until: args.until,
        facet: args.facet.filter(&args.open.dir)?,
        subject: args.subject,
        identifier: None,
        label: args.label.clone(),
        tool: args.tool.clone(),
        text: args.text.clone(),
        limit: args.limit,
        before: args.before,
    };
    let (mut index, identifier) = match &args.external_id {
        None => (ready(&args.open.dir.data, &args.index)?, None),
        Some(id) => {
            let (index, digest) = ready_for_id(&args.open, &args.index, id)?;
            (index, Some(digest))
        }
    };
    let query = Query { identifier, ..query };
    index.warn()?;
    let mut out = output::stdout();
    if args.count {
        let counted = count(&mut index.reader, &query)?;
        write_count(&mut out, &counted, args.json)?;
        return Ok(Verdict::Well);
    }
    let mut written = Ok(());
    let page = find(&mut index.reader, &query, &mut |found| {
        written = line(&mut out, &found, || as_text(&found), args.json);
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    written?;
    if !args.json {
        let older = page.next.map(|token| format!("; older ones: --before {token}")).unwrap_or_default();
        writeln!(out, "{}", styled(DIM, format!("{}{older}", counted(page.given, "decision"))))?;
    }
    Ok(Verdict::Well)
}

/// What `find` did before there was an index, and what it is held against.
fn scan(args: &FindArgs) -> Result<Verdict, Failure> {
    if !args.facet.is_simple() {
        return Err(Failure::new(
            "with --scan decisions are chosen by --since, --until, --system, --model, --outcome and --subject alone",
        ));
    }
    admin::refresh(&args.open.dir.data);
    let system = args.facet.system.as_ref();
    let options = FindOptions {
        select: system.map_or_else(Select::default, |system| Select::system(system.as_str())),
        since: args.since,
        until: args.until,
        outcome: args.facet.outcome.clone(),
        model: args.facet.model.clone(),
        subject: args.subject.map(|subject| subject.to_string()),
        limit: args.limit,
    };
    let (mut out, mut written) = (output::stdout(), Ok(()));
    let found = inferlog_audit::find(&real_env().fs, &args.open.dir.data, &options, &mut |found| {
        written = line(&mut out, &found, || found.to_text(true), args.json);
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    written?;
    if !args.json {
        writeln!(out, "{}", styled(DIM, counted(found, "decision")))?;
    }
    Ok(Verdict::Well)
}

fn line<T: Display>(
    out: &mut impl Write,
    found: &impl Serialize,
    text: impl FnOnce() -> T,
    json: bool,
) -> Result<(), Failure> {
    if json {
        writeln!(out, "{}", serde_json::to_string(found)?)?;
    } else {
        writeln!(out, "{}", text())?;
    }
    Ok(())
}

fn as_text(found: &Found) -> String {
    let Found { decision, system, outcome, model, started_at, ended_at, .. } = found.clone();
    let same = FoundDecision {
        decision,
        system,
        outcome,
        model,
        started_at,
        ended_at,
        route: None,
        subjects: Vec::new(),
        entries: 0,
    };
    let marks = if found.overridden { "  overridden" } else { "" };
    format!("{}{marks}", same.to_text(true))
}

fn write_count(out: &mut impl Write, counts: &Counted, json: bool) -> Result<(), Failure> {
    if json {
        writeln!(out, "{}", serde_json::to_string(counts)?)?;
        return Ok(());
    }
    writeln!(out, "{}", counted(counts.decisions, "decision"))?;
    for (outcome, decisions) in &counts.outcomes {
        writeln!(out, "{}", styled(DIM, format!("{decisions:>12}  {outcome}")))?;
    }
    Ok(())
}
