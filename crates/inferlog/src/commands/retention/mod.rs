//! `inferlog retention`: remove what has been kept long enough, and report what is kept.

mod plan;
mod report;

use std::io::Write;

use clap::{Args, Subcommand};
use inferlog_capture::recorder::{PurgePlan, Purged};
use inferlog_record::{SystemName, Timestamp};

use crate::admin::{Act, Door, RetentionAct, Settled, SystemKept};
use crate::cli::OpenArgs;
use crate::commands::verify::size;
use crate::output::{self, BAD, BOLD, DIM, Failure, GOOD, Verdict, counted, progress, styled};
use crate::when;

/// Remove what has been kept long enough, and report what is kept.
///
/// How long is the policy's to say (`inferlog policy`): each class of records has a floor, a target and perhaps a ceiling. Payloads go with
/// their keys as whole days come to be due, then the entries; their hashes stay, and what is left is proved as before. What a hold
/// covers stays. Nothing goes before every follower has read it, nor while the clock is in doubt. What was removed stands in the log.
#[derive(Args)]
pub(crate) struct RetentionArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Plan(PlanArgs),
    Apply(ApplyArgs),
    Report(ReportArgs),
    Settle(SettleArgs),
}

/// Say what is due, and what stands in its way. Nothing is removed.
#[derive(Args)]
struct PlanArgs {
    #[command(flatten)]
    open: OpenArgs,
    /// Of this system alone.
    #[arg(long, value_name = "NAME")]
    system: Option<SystemName>,
    /// What would be due then: 2027-01-31, or 2027-01-31T09:30:00Z.
    #[arg(long, value_name = "TIME", value_parser = when::point_or_error)]
    at: Option<Timestamp>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Remove what is due.
///
/// Without --yes it says what it would do. A run that is broken off, by a crash too, is carried on by the next. The exit status is 1 if
/// the clock is in doubt.
#[derive(Args)]
struct ApplyArgs {
    #[command(flatten)]
    open: OpenArgs,
    /// Of this system alone.
    #[arg(long, value_name = "NAME")]
    system: Option<SystemName>,
    /// Do it.
    #[arg(long)]
    yes: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Say what is kept, by system and class: how long, how much, what it costs, and what a year will bring.
#[derive(Args)]
struct ReportArgs {
    #[command(flatten)]
    open: OpenArgs,
    /// Of this system alone.
    #[arg(long, value_name = "NAME")]
    system: Option<SystemName>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Say that the clock is right: purging goes on.
///
/// Purging freezes when the wall clock was set, stood behind or far ahead of the log at a start, or leapt within it. Look at the clock first.
/// Entries that were stamped while it was wrong are named with --disregard: they then count as old as the first entry after
/// them. Both stand in the log, with a pseudonym of who you are.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog retention settle --data /var/lib/inferlog --yes
  inferlog retention settle --data /var/lib/inferlog --system credit --disregard 120418..120977 --yes")]
struct SettleArgs {
    #[command(flatten)]
    open: OpenArgs,
    /// In this system's log alone.
    #[arg(long, value_name = "NAME")]
    system: Option<SystemName>,
    /// Entries that were stamped while the clock was wrong, of the system named.
    #[arg(long, value_name = "FIRST..LAST", value_parser = range, requires = "system")]
    disregard: Option<(u64, u64)>,
    /// Do it.
    #[arg(long, required = true)]
    yes: bool,
    /// Who you are, as your organisation knows you; the record has a pseudonym of it [default: the environment's USER].
    #[arg(long, value_name = "NAME", env = "USER", hide_env = true)]
    actor: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn range(text: &str) -> Result<(u64, u64), String> {
    let read = || {
        let (first, last) = text.split_once("..")?;
        let range: (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        Some(range).filter(|(first, last)| first <= last)
    };
    read().ok_or_else(|| format!("`{text}` is no range of entries: write FIRST..LAST, both included"))
}

pub(crate) fn run(args: &RetentionArgs) -> Result<Verdict, Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    match &args.command {
        Command::Plan(args) => runtime.block_on(show_plan(args)),
        Command::Apply(args) => runtime.block_on(apply(args)),
        Command::Report(args) => runtime.block_on(show_report(args)),
        Command::Settle(args) => runtime.block_on(settle(args)),
    }
}

async fn ask<T: serde::de::DeserializeOwned>(
    open: &OpenArgs,
    what: &str,
    asked: RetentionAct,
) -> Result<T, Failure> {
    let bar = progress(what.to_owned());
    let mut door = Door::open(open).await?;
    let answer = door.ask(Act::Retention(asked)).await;
    let closed = door.close().await;
    bar.finish_and_clear();
    let answer = answer?;
    closed?;
    Ok(answer)
}

async fn show_plan(args: &PlanArgs) -> Result<Verdict, Failure> {
    let asked = RetentionAct::Plan { system: args.system.clone(), at: args.at };
    let plans: Vec<PurgePlan> = ask(&args.open, "looking at what is due", asked).await?;
    if args.json {
        writeln!(output::stdout(), "{}", serde_json::to_string_pretty(&plans)?)?;
    } else {
        plan::print(&mut output::stdout(), &plans, args.at.is_some())?;
    }
    Ok(Verdict::Well)
}

async fn apply(args: &ApplyArgs) -> Result<Verdict, Failure> {
    if !args.yes {
        let asked = RetentionAct::Plan { system: args.system.clone(), at: None };
        let plans: Vec<PurgePlan> = ask(&args.open, "looking at what is due", asked).await?;
        let mut out = output::stdout();
        plan::print(&mut out, &plans, false)?;
        writeln!(out, "\n{} nothing was removed: --yes removes it", styled(DIM, "note:"))?;
        return Ok(Verdict::Well);
    }
    let asked = RetentionAct::Apply { system: args.system.clone() };
    let done: Vec<Purged> = ask(&args.open, "removing what is due", asked).await?;
    let is_frozen = done.iter().any(|done| !done.frozen.is_empty());
    if args.json {
        writeln!(output::stdout(), "{}", serde_json::to_string_pretty(&done)?)?;
    } else {
        done.iter().try_for_each(|done| print_done(&mut output::stdout(), done))?;
    }
    Ok(if is_frozen { Verdict::No } else { Verdict::Well })
}

fn print_done(out: &mut impl Write, done: &Purged) -> Result<(), Failure> {
    writeln!(out, "{}", styled(BOLD, &done.system))?;
    for frozen in &done.frozen {
        writeln!(out, "  {} nothing is removed: {}", styled(BAD, "frozen"), frozen.why)?;
    }
    if !done.frozen.is_empty() {
        return Ok(());
    }
    if done.events.is_empty() && done.packs == 0 && done.entries == 0 {
        writeln!(
            out,
            "  nothing was removed: nothing is due, or what is due waits (inferlog retention plan says for what)"
        )?;
        return Ok(());
    }
    writeln!(
        out,
        "  {} payloads of {} ({} with {}), then {}; {} freed",
        styled(GOOD, "purged"),
        counted(done.purged, "entry").replace("entrys", "entries"),
        counted(done.payloads, "payload"),
        counted(done.keys, "key"),
        counted(done.entries, "entry").replace("entrys", "entries"),
        size(done.bytes)
    )?;
    if done.kept > 0 {
        let entries = counted(done.kept, "entry").replace("entrys", "entries");
        writeln!(out, "  kept for holds that cover them: {entries}")?;
    }
    for left in &done.left {
        writeln!(out, "  {} {left}", styled(BAD, "left:"))?;
    }
    let events: Vec<String> = done.events.iter().map(ToString::to_string).collect();
    writeln!(out, "  {} {}", styled(DIM, "recorded as"), events.join(", "))?;
    writeln!(out, "  {}", styled(DIM, format!("requests waited {} ms at most", done.waited_ms)))?;
    Ok(())
}

async fn show_report(args: &ReportArgs) -> Result<Verdict, Failure> {
    let asked = RetentionAct::Report { system: args.system.clone() };
    let kept: Vec<SystemKept> = ask(&args.open, "looking at what is kept", asked).await?;
    if args.json {
        writeln!(output::stdout(), "{}", serde_json::to_string_pretty(&kept)?)?;
    } else {
        report::print(&mut output::stdout(), &kept)?;
    }
    Ok(Verdict::Well)
}

async fn settle(args: &SettleArgs) -> Result<Verdict, Failure> {
    let asked = RetentionAct::Settle {
        system: args.system.clone(),
        disregard: args.disregard,
        actor: args.actor.clone(),
    };
    let settled: Vec<Settled> = ask(&args.open, "recording it", asked).await?;
    if args.json {
        writeln!(output::stdout(), "{}", serde_json::to_string_pretty(&settled)?)?;
        return Ok(Verdict::Well);
    }
    for Settled { system, event } in settled {
        writeln!(output::stdout(), "{} {system}: recorded as {event}", styled(GOOD, "settled"))?;
    }
    Ok(Verdict::Well)
}
