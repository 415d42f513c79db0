//! `inferlog followers`: what follows the log, and how far it is.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, Subcommand};

use crate::admin::{self, Act, Door};
use crate::cli::{DataArg, OpenArgs};
use crate::followers::{
    FollowerReport, ForgetAsked, ForgetDone, LogReport, SkipAsked, SkipDone, Store, complete, local_report,
    rebuild,
};
use crate::output::{self, BAD, BOLD, DIM, Failure, GOOD, Verdict, counted, styled};

/// Show what follows the log, and how far it is.
///
/// A follower reads the log in order, keeps its own cursor, and derives something from it: an index. While `serve` runs these are
/// its own; otherwise the index in the data directory, which commands bring up to date when they ask it. Whatever a follower derived
/// can be deleted and built again.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog followers --data /var/lib/inferlog
  inferlog followers rebuild --data /var/lib/inferlog
  inferlog followers skip --data /var/lib/inferlog --log acme/credit/0/1 --to 4711 --reason \"damaged, see INC-7\"
  inferlog followers forget postgres --data /var/lib/inferlog --reason \"the database was given up\"")]
pub(crate) struct FollowersArgs {
    #[command(subcommand)]
    command: Option<FollowersCommand>,
    /// The data directory.
    #[arg(long, value_name = "DIR", env = "INFERLOG_DATA")]
    data: Option<PathBuf>,
    /// Print one JSON object a line, one for each follower.
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum FollowersCommand {
    Rebuild(RebuildArgs),
    Skip(SkipArgs),
    Forget(ForgetArgs),
}

/// Delete an index and build it again.
///
/// Mends one that is damaged, of a newer program, or lost. May run while `serve` does: its follower goes on in the new one. External
/// ids and content in clear come back when a process with the root key follows.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog followers rebuild --data /var/lib/inferlog
  inferlog followers rebuild --data /var/lib/inferlog --index env:INDEX_URL")]
struct RebuildArgs {
    #[command(flatten)]
    dir: DataArg,
    /// Which index: sqlite (in the data directory), or postgres://…, env:NAME or file:PATH.
    #[arg(long, value_name = "PLACE", default_value = "sqlite", value_parser = Store::parse)]
    index: Store,
}

/// Leave out entries that cannot be indexed.
///
/// The follower goes on behind them. Answers lack what they say, and say so; an `alert` event in the log says who left out how
/// many, and why. Try `inferlog verify` first.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog followers skip --data /var/lib/inferlog --log acme/credit/0/20260131-6a21d92d --to 4711 \\
      --reason \"damaged by the disk, see INC-7\"")]
struct SkipArgs {
    #[command(flatten)]
    open: OpenArgs,
    /// The log, by its origin.
    #[arg(long, value_name = "ORIGIN")]
    log: String,
    /// The last entry to leave out; the first is the one that the follower stands at.
    #[arg(long, value_name = "INDEX")]
    to: u64,
    /// Why; stands in the index, and sealed in the log.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Which index: sqlite (in the data directory), or postgres://…, env:NAME or file:PATH.
    #[arg(long, value_name = "PLACE", default_value = "sqlite", value_parser = Store::parse)]
    index: Store,
}

/// Wait for a follower no more.
///
/// Nothing is purged, and no erasure is complete, before every follower that has a cursor has applied it: one that is not run any more
/// holds them back. An `alert` event in every log says who was forgotten, by whom and why, before the cursor goes. What the follower's store
/// holds is not touched: delete it, for it misses what is erased from now on.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog followers forget postgres --data /var/lib/inferlog --reason \"the database was given up, see OPS-31\"")]
struct ForgetArgs {
    #[command(flatten)]
    open: OpenArgs,
    /// The follower, as `inferlog followers` names it.
    #[arg(value_name = "NAME")]
    name: String,
    /// Why; stands sealed in the log.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who has it done, as your organisation knows you; stands sealed beside the reason [default: the environment's USER].
    #[arg(long, value_name = "NAME", env = "USER", hide_env = true)]
    actor: Option<String>,
}

pub(crate) fn run(args: FollowersArgs) -> Result<Verdict, Failure> {
    match (args.command, args.data) {
        (Some(FollowersCommand::Rebuild(args)), _) => run_rebuild(&args),
        (Some(FollowersCommand::Skip(args)), _) => run_skip(&args),
        (Some(FollowersCommand::Forget(args)), _) => run_forget(&args),
        (None, Some(data)) => run_list(&data, args.json),
        (None, None) => Err(Failure::new("give --data, the data directory")),
    }
}

fn run_list(data: &Path, json: bool) -> Result<Verdict, Failure> {
    admin::require_data(data)?;
    let served = tokio::runtime::Runtime::new()?.block_on(async {
        match Door::to_server(data).await? {
            Some(mut server) => server.ask::<Vec<FollowerReport>>(Act::Followers).await.map(Some),
            None => Ok::<_, Failure>(None),
        }
    })?;
    let (mut reports, is_served) = match served {
        Some(reports) => (reports, true),
        None => (vec![local_report(data, &Store::Sqlite)?], false),
    };
    complete(&inferlog::real_env().fs, data, &mut reports)?;
    let mut out = output::stdout();
    for report in &reports {
        if json {
            writeln!(out, "{}", serde_json::to_string(report)?)?;
        } else {
            write_report(&mut out, report)?;
        }
    }
    if !json && !is_served {
        writeln!(
            out,
            "{}",
            styled(DIM, "nobody serves: commands bring the index up to date when they ask it")
        )?;
    }
    if !json && reports.is_empty() {
        writeln!(out, "{}", styled(DIM, "the process that serves has no follower"))?;
    }
    Ok(if reports.iter().any(FollowerReport::is_failing) { Verdict::No } else { Verdict::Well })
}

fn write_report(out: &mut impl Write, report: &FollowerReport) -> Result<(), Failure> {
    let style = match report.state.as_str() {
        "following" => GOOD,
        "failing" => BAD,
        _ => DIM,
    };
    writeln!(
        out,
        "{}  {}  {}",
        styled(BOLD, &report.name),
        styled(style, &report.state),
        styled(DIM, &report.store)
    )?;
    if let Some(why) = &report.why {
        writeln!(out, "  {}", styled(BAD, why))?;
    }
    for log in &report.logs {
        let lag = match log.lag_entries {
            0 => "up to date".to_owned(),
            lag => format!(
                "{} behind, for {:.1} s",
                counted(lag, "entry").replace("entrys", "entries"),
                log.lag_seconds
            ),
        };
        let behind = log.next.saturating_sub(log.identified);
        let ids = if behind > 0 { format!(", external ids {behind} behind") } else { String::new() };
        writeln!(out, "  {}  {} of {}  {}", log.log, log.next, log.size, styled(DIM, format!("{lag}{ids}")))?;
    }
    write_waiting(out, report)?;
    for skipped in &report.skipped {
        writeln!(out, "  left out: {} {}", skipped.to_text(), styled(DIM, &skipped.at))?;
    }
    Ok(())
}

/// What waits for the follower.
fn write_waiting(out: &mut impl Write, report: &FollowerReport) -> Result<(), Failure> {
    let sum = |of: fn(&LogReport) -> u64| report.logs.iter().map(of).sum::<u64>();
    let (erasures, purges) = (sum(|log| log.erasures_waiting), sum(|log| log.purges_waiting));
    if erasures + purges > 0 {
        let waiting =
            format!("{} and {} wait for it", counted(erasures, "erasure"), counted(purges, "purge"));
        writeln!(out, "  {}", styled(BAD, waiting))?;
    }
    if report.state == "not run" {
        let what = "nobody runs it here; it holds erasures and purges back until `inferlog followers forget` says otherwise";
        writeln!(out, "  {}", styled(DIM, what))?;
    }
    Ok(())
}

fn run_forget(args: &ForgetArgs) -> Result<Verdict, Failure> {
    let ForgetArgs { name, reason, actor, .. } = args;
    let asked = ForgetAsked { name: name.clone(), reason: reason.clone(), actor: actor.clone() };
    let done: ForgetDone = tokio::runtime::Runtime::new()?.block_on(async {
        let mut door = Door::open(&args.open).await?;
        let done = door.ask(Act::ForgetFollower(asked)).await;
        door.close().await?;
        done
    })?;
    let ForgetDone { events, erasures, purges } = done;
    let mut out = output::stdout();
    writeln!(
        out,
        "{} is forgotten; {} in the logs {} so",
        args.name,
        counted(events.len() as u64, "event"),
        if events.len() == 1 { "says" } else { "say" }
    )?;
    if erasures + purges > 0 {
        let missed = format!("{} and {}", counted(erasures, "erasure"), counted(purges, "purge"));
        writeln!(out, "{}", styled(BAD, format!("its store has missed {missed}: delete it")))?;
    }
    Ok(Verdict::Well)
}

fn run_rebuild(args: &RebuildArgs) -> Result<Verdict, Failure> {
    admin::require_data(&args.dir.data)?;
    admin::refresh(&args.dir.data);
    let began = Instant::now();
    let entries = rebuild(&args.dir.data, &args.index)?;
    writeln!(
        output::stdout(),
        "{} is built anew: {entries} entries in {:.1} s",
        args.index.place(&args.dir.data),
        began.elapsed().as_secs_f64()
    )?;
    Ok(Verdict::Well)
}

fn run_skip(args: &SkipArgs) -> Result<Verdict, Failure> {
    let asked = SkipAsked {
        store: args.index.place(&args.open.dir.data),
        log: args.log.clone(),
        to: args.to,
        reason: args.reason.clone(),
    };
    let done: SkipDone = tokio::runtime::Runtime::new()?.block_on(async {
        let mut door = Door::open(&args.open).await?;
        let done = door.ask(Act::SkipEntries(asked)).await;
        door.close().await?;
        done
    })?;
    let SkipDone { first, last, event } = done;
    writeln!(output::stdout(), "entries {first} to {last} are left out of the index; event {event} says so")?;
    Ok(Verdict::Well)
}
