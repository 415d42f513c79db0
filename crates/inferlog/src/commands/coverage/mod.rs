//! `inferlog coverage`: what the record has and lacks.

mod accept;
mod profile;
mod usage;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand, ValueEnum};
use indicatif::ProgressStyle;
use inferlog::real_env;
use inferlog_audit::Select;
use inferlog_audit::coverage::{CoverageOptions, CoverageReport, Profiles, Severity, cover};
use inferlog_record::{SystemName, Timestamp};

use crate::admin::{refresh, require_data};
use crate::output::{self, Failure, Verdict};
use crate::when;

/// Judge what the record of a window has and lacks.
///
/// Reads the log, not an index: the share of each kind, route, way of capture and member; model names that are aliases, prompts that are
/// not registered, decisions that never ended, tool calls without results, gaps, silent hours judged by the system's own rhythm, and what the
/// profile expects beyond. Each finding says how grave it is, which provision the missing part would serve, and what to do.
/// The exit status is 1 if there is a finding as grave as --fail-on that nobody answers for, else 0.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_long_help = "\
Examples:
  inferlog coverage --data /var/lib/inferlog
  inferlog coverage --data /var/lib/inferlog --since 7d --fail-on warning
  inferlog coverage --data /var/lib/inferlog --system triage --profile human-in-the-loop
  inferlog coverage --data /var/lib/inferlog --usage completions_usage.json --usage-tolerance 1
  inferlog coverage --data /var/lib/inferlog --json | jq -r '.systems[].findings[].id'
  inferlog coverage accept model-alias/gpt-4o --data /var/lib/inferlog \\
      --reason \"pinned by contract until the migration\" --until 2027-03-31

A file of profiles (docs/coverage.md):
  profile = \"general\"                 # of systems that are not named
  [systems.triage]
  profile = \"human-in-the-loop\"       # or general, sessions, biometric
  interventions = 0.2                 # share of decisions on which a person acts
  within = \"7d\"                       # and how long that may take
  routes = [\"chat\"]"
)]
pub(crate) struct CoverageArgs {
    #[command(subcommand)]
    pub(crate) command: Option<CoverageCommand>,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
}

#[derive(Subcommand)]
pub(crate) enum CoverageCommand {
    Accept(accept::AcceptArgs),
}

/// What is judged, and how it is told.
#[derive(Args)]
pub(crate) struct JudgeArgs {
    /// The data directory.
    // Optional only beside a subcommand, which has its own.
    #[arg(long, value_name = "DIR", env = "INFERLOG_DATA", required = true)]
    pub(crate) data: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// Judge what was logged at or after this time: 2026-01-31, 2026-01-31T09:30:00Z, or a time ago: 12h, 7d [default: 30d, or the log's beginning].
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub(crate) since: Option<Timestamp>,
    /// Judge what was logged before this time [default: now].
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub(crate) until: Option<Timestamp>,
    /// Only this system.
    #[arg(long, value_name = "NAME")]
    pub(crate) system: Option<SystemName>,
    /// What is expected: general, human-in-the-loop, sessions or biometric; or a file that says so for each system.
    #[arg(long, value_name = "NAME|FILE", default_value = "general", value_parser = profile::parse)]
    pub(crate) profile: Profiles,
    /// From which gravity on a finding makes the exit status 1.
    #[arg(long, value_name = "GRAVITY", value_enum, default_value_t = FailOn::Critical)]
    pub(crate) fail_on: FailOn,
    /// A provider's usage export (CSV or JSON), to be compared by day and model.
    #[arg(long, value_name = "FILE")]
    pub(crate) usage: Option<PathBuf>,
    /// How the export's columns are called, as in time=date,model=name,requests=calls (also input_tokens, output_tokens).
    #[arg(long, value_name = "NAMES", requires = "usage", value_parser = usage::Columns::parse)]
    pub(crate) usage_columns: Option<usage::Columns>,
    /// Differences that are let pass, per cent of the larger number.
    #[arg(long, value_name = "PERCENT", requires = "usage", default_value_t = 0.0, value_parser = percent)]
    pub(crate) usage_tolerance: f64,
    /// Show every member of every kind of event.
    #[arg(long)]
    pub(crate) fields: bool,
}

/// How grave a finding has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    Critical,
    Warning,
    Info,
    /// No finding changes the exit status.
    Never,
}

impl FailOn {
    fn severity(self) -> Option<Severity> {
        match self {
            FailOn::Critical => Some(Severity::Critical),
            FailOn::Warning => Some(Severity::Warning),
            FailOn::Info => Some(Severity::Info),
            FailOn::Never => None,
        }
    }
}

fn percent(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if (0.0..=100.0).contains(&number) { Ok(number) } else { Err("write 0 to 100".to_owned()) }
}

pub(crate) fn run(args: CoverageArgs) -> Result<Verdict, Failure> {
    match args.command {
        Some(CoverageCommand::Accept(accept)) => accept::run(&accept),
        None => judge(args.judge),
    }
}

fn judge(args: JudgeArgs) -> Result<Verdict, Failure> {
    let data = args.data.unwrap_or_default();
    require_data(&data)?;
    let usage =
        args.usage.as_deref().map(|file| usage::read(file, args.usage_columns.as_ref())).transpose()?;
    let options = CoverageOptions {
        select: args.system.as_ref().map_or_else(Select::default, |name| Select::system(name.as_str())),
        since: args.since,
        until: args.until,
        now: now(),
        profiles: args.profile,
        usage: usage.map(|rows| usage::within(rows, args.usage_tolerance / 100.0)),
    };
    if matches!((options.since, options.until), (Some(since), Some(until)) if until <= since) {
        return Err(Failure::new("the window is empty: --until is not after --since"));
    }
    let report = report(&data, &options)?;
    let mut out = output::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        write!(out, "{}", report.to_text(true, args.fields))?;
    }
    let fails = args.fail_on.severity().is_some_and(|least| report.failing(least).next().is_some());
    Ok(if fails { Verdict::No } else { Verdict::Well })
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// Reads the logs, with a progress bar if somebody watches.
fn report(data: &Path, options: &CoverageOptions) -> Result<CoverageReport, Failure> {
    refresh(data);
    let bar = output::progress(String::new());
    bar.set_style(ProgressStyle::with_template(
        "reading {bar:40} {percent} %  {human_pos} of {human_len} entries  {eta} left",
    )?);
    let report = cover(&real_env().fs, data, options, &mut |progress| {
        bar.set_length(progress.entries_total);
        bar.set_position(progress.entries);
    });
    bar.finish_and_clear();
    Ok(report?)
}
