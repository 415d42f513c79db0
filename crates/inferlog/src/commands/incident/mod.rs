//! `inferlog incident`: open a serious incident, freeze its records, watch its deadlines.

mod open;
mod show;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::{Args, Subcommand};
use inferlog::real_env;
use inferlog_audit::Select;
use inferlog_audit::keeping::{IncidentTold, Keeping, TimeLeft, category_words, keeping};
use inferlog_record::body::{Basis, IncidentPhase};
use inferlog_record::{Id, SystemName, Timestamp};
use serde_json::json;

pub(crate) use self::open::bundle_place;
use crate::admin::{self, Act, Door, HoldAct, IncidentAct, IncidentDone, Words};
use crate::cli::{DataArg, OpenArgs};
use crate::commands::erase::FollowHere;
use crate::commands::hold::released;
use crate::output::{self, BAD, BOLD, DIM, Failure, GOOD, Verdict, styled};

/// Open a serious incident, freeze its records, watch its deadlines.
///
/// An incident is recorded with the time at which the organisation became aware; by its category the longest time for the report
/// follows (Article 73: 15, 10 or 2 days). Its records are frozen by a hold at once, and a bundle with proofs is made of them.
/// inferlog reports nothing to anybody. docs/incidents.md has what the clock is, and what it is not.
#[derive(Args)]
pub(crate) struct IncidentArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Open(Box<open::OpenIncidentArgs>),
    Report(AdvanceArgs),
    Close(CloseArgs),
    List(ListArgs),
    Show(show::ShowArgs),
}

/// Record that an incident was reported.
///
/// Its clock stops. The report's words may be sealed into the log with it.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog incident report --data /var/lib/inferlog INCIDENT --report-file report.txt --actor dana")]
struct AdvanceArgs {
    #[command(flatten)]
    open: OpenArgs,
    /// The incident's id.
    incident: Id,
    /// A file with the report's words, sealed into the log; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    report_file: Option<PathBuf>,
    /// Who says so, as your organisation knows you; the record has a pseudonym of it [default: the environment's USER].
    #[arg(long, value_name = "NAME", env = "USER", hide_env = true)]
    actor: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Record that an incident is closed.
///
/// Asks whether its hold is to be released; where nobody can be asked it stays.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog incident close --data /var/lib/inferlog INCIDENT
  inferlog incident close --data /var/lib/inferlog INCIDENT --release-hold --report-file findings.txt")]
struct CloseArgs {
    #[command(flatten)]
    advance: AdvanceArgs,
    /// Release its hold, without asking.
    #[arg(long, conflicts_with = "keep_hold")]
    release_hold: bool,
    /// Leave its hold, without asking.
    #[arg(long)]
    keep_hold: bool,
}

/// List incidents and their deadlines.
///
/// Read from the log itself: needs no key.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog incident list --data /var/lib/inferlog
  inferlog incident list --data /var/lib/inferlog --json | jq '.incidents[] | select(.seconds_left < 86400)'")]
struct ListArgs {
    #[command(flatten)]
    dir: DataArg,
    /// Only those of this system.
    #[arg(long, value_name = "NAME")]
    system: Option<SystemName>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &IncidentArgs) -> Result<Verdict, Failure> {
    match &args.command {
        Command::Open(args) => open::run(args),
        Command::Report(args) => report(args),
        Command::Close(args) => close(args),
        Command::List(args) => list(args),
        Command::Show(args) => show::run(args),
    }
}

/// What the log tells of a data directory's holds and incidents.
fn told(data: &Path, system: Option<&SystemName>) -> Result<Keeping, Failure> {
    admin::require_data(data)?;
    admin::refresh(data);
    let select = system.map_or_else(Select::default, |system| Select::system(system.as_str()));
    Ok(keeping(&real_env().fs, data, &select)?)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

async fn advance(args: &AdvanceArgs, door: &mut Door, phase: IncidentPhase) -> Result<IncidentDone, Failure> {
    let report = args.report_file.as_deref().map(Words::read).transpose()?;
    let asked = IncidentAct::Advance { incident: args.incident, phase, report, actor: args.actor.clone() };
    door.ask(Act::Incident(asked)).await
}

fn report(args: &AdvanceArgs) -> Result<Verdict, Failure> {
    let done = tokio::runtime::Runtime::new()?.block_on(async {
        let mut door = Door::open(&args.open).await?;
        let done = advance(args, &mut door, IncidentPhase::Reported).await;
        door.close().await?;
        done
    })?;
    let mut out = output::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&done)?)?;
        return Ok(Verdict::Well);
    }
    writeln!(out, "{} incident {} of {}", styled(GOOD, "reported:"), done.incident, done.system)?;
    writeln!(out, "{}", styled(DIM, "  recorded that you said so; inferlog sends nothing to anybody"))?;
    Ok(Verdict::Well)
}

fn close(args: &CloseArgs) -> Result<Verdict, Failure> {
    let advance_args = &args.advance;
    let (done, freed) = tokio::runtime::Runtime::new()?.block_on(async {
        let mut door = Door::open(&advance_args.open).await?;
        let following = FollowHere::start(&door).await;
        let done = closed(args, &mut door).await;
        following.stop().await;
        door.close().await?;
        done
    })?;
    let mut out = output::stdout();
    if advance_args.json {
        let mut told = serde_json::to_value(&done)?;
        told["hold_released"] = json!(freed.is_some());
        told["carried_on"] = json!(freed.unwrap_or(0));
        writeln!(out, "{told}")?;
        return Ok(Verdict::Well);
    }
    writeln!(out, "{} incident {} of {}", styled(GOOD, "closed:"), done.incident, done.system)?;
    match (freed, done.hold) {
        (Some(0), _) => writeln!(out, "  its hold is released")?,
        (Some(erasures), _) => writeln!(
            out,
            "  its hold is released; erasures that it withheld were carried on: {erasures} (inferlog erase --status)"
        )?,
        (None, Some(hold)) if !done.hold_stands => writeln!(out, "  its hold {hold} was released before")?,
        (None, Some(hold)) => {
            writeln!(out, "  its hold stands: inferlog hold release {hold} --basis incident releases it")?;
        }
        (None, None) => {}
    }
    Ok(Verdict::Well)
}

/// Closes it, and releases its hold if that is wanted; how many erasures went on for that.
async fn closed(args: &CloseArgs, door: &mut Door) -> Result<(IncidentDone, Option<usize>), Failure> {
    let done = advance(&args.advance, door, IncidentPhase::Closed).await?;
    let Some(hold) = done.hold.filter(|_| done.hold_stands) else { return Ok((done, None)) };
    let may_ask = !args.keep_hold && !args.advance.json;
    let release = args.release_hold || (may_ask && is_wanted(hold)?);
    if !release {
        return Ok((done, None));
    }
    let actor = args.advance.actor.clone();
    let release = HoldAct::Release { hold, basis: Basis::Incident, text: None, actor };
    let (_, carried) = released(door, release).await.map_err(|error| {
        Failure::new(format!(
            "the incident is closed, but its hold may stand still: {error}: if so, inferlog hold release {hold} --basis incident \
             releases it"
        ))
    })?;
    Ok((IncidentDone { hold_stands: false, ..done }, Some(carried.len())))
}

/// Asks whether a hold is to be released. Without a terminal to ask at, the answer is no.
fn is_wanted(hold: Id) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    let mut out = output::stderr();
    write!(
        out,
        "Its hold {hold} still freezes its records. Release it? What it alone withheld from erasures is erased then. [y/N] "
    )?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}

fn list(args: &ListArgs) -> Result<Verdict, Failure> {
    let incidents = told(&args.dir.data, args.system.as_ref())?.incidents;
    let (now, mut out) = (now(), output::stdout());
    if args.json {
        let told: Vec<_> =
            incidents.iter().map(|incident| with_time_left(incident, now)).collect::<Result<_, _>>()?;
        writeln!(out, "{}", json!({ "incidents": told }))?;
        return Ok(Verdict::Well);
    }
    if incidents.is_empty() {
        writeln!(out, "No incident was opened here.")?;
    }
    for incident in &incidents {
        let left = incident.left(now);
        let style = match left {
            TimeLeft::Left(_) => BOLD,
            TimeLeft::Over(_) => BAD,
            TimeLeft::Stopped if incident.reported_at().is_some() => GOOD,
            TimeLeft::Stopped => BOLD,
        };
        let due: String = incident.due_at.to_string().chars().take(19).collect();
        let left = styled(style, incident.report_words(now));
        writeln!(
            out,
            "{}  {:<16}  {}",
            incident.incident,
            incident.system,
            category_words(incident.category)
        )?;
        writeln!(out, "    at the latest {due}Z: {left}")?;
    }
    Ok(Verdict::Well)
}

/// An incident with what follows from the time it is now.
pub(crate) fn with_time_left(incident: &IncidentTold, now: Timestamp) -> Result<serde_json::Value, Failure> {
    let mut told = serde_json::to_value(incident)?;
    let seconds = |ns: u64| i64::try_from(ns / 1_000_000_000).unwrap_or(i64::MAX);
    told["seconds_left"] = match incident.left(now) {
        TimeLeft::Left(left) => json!(seconds(left)),
        TimeLeft::Over(over) => json!(-seconds(over)),
        TimeLeft::Stopped => serde_json::Value::Null,
    };
    Ok(told)
}
