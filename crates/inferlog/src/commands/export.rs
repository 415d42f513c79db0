//! `inferlog export`: records taken out.

mod bundle;

pub(crate) use bundle::{Bundled, of_incident};

use std::collections::HashSet;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand, ValueEnum};
use indicatif::ProgressStyle;
use inferlog::real_env;
use inferlog_audit::{Openings, Select};
use inferlog_export::table::{TableError, TableFormat};
use inferlog_export::{ExportError, Format, LabelFilter, Options, Output, Report, Selection, Table, export};
use inferlog_record::body::Outcome;
use inferlog_record::{DataClass, Id, SystemName, Timestamp};
use inferlog_vault::RootSource;
use serde_json::Value;

use self::bundle::BundleArgs;
use crate::admin::{self, Act, Door, ExportBegun, ExportOpenings, Reader};
use crate::cli::{DataArg, OpenArgs};
use crate::output::{self, DIM, Failure, Verdict, counted, styled};
use crate::when;

/// Take records out: as JSON lines, tables, or in a format of others.
///
/// Reads the published logs in order and writes what is asked for as a stream; it may run while `serve` does. Without --content
/// it needs no key and takes no lock, and payloads stay sealed. With it, their content is opened and held against the log; that
/// is recorded as an access first. The file appears under its name when it is whole, readable by you alone. Which logs it was
/// made from, how far and under which signed checkpoints stands in a Parquet file's own metadata, and beside other files as
/// NAME.meta.json. docs/export.md has every column, and what each format does not prove.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_long_help = EXAMPLES)]
pub(crate) struct ExportArgs {
    #[command(subcommand)]
    command: Option<ExportCommand>,
    #[command(flatten)]
    dir: Option<DataArg>,
    /// Where the root key is: file:PATH, env:NAME or command:CMD [default: ~/.config/inferlog/<keystore id>.root]
    #[arg(long, value_name = "PLACE", env = "INFERLOG_ROOT_KEY", hide_env_values = true, value_parser = RootSource::parse)]
    root_key: Option<RootSource>,
    /// What to write.
    #[arg(long, value_enum, required = true)]
    format: Option<FormatArg>,
    /// The file or, for aiact-audit-log, the directory; `-` is standard output.
    #[arg(long, value_name = "PATH", required = true)]
    output: Option<PathBuf>,
    /// Of which table, for csv and parquet: events, or the payloads they speak of.
    #[arg(long, value_enum)]
    table: Option<TableArg>,
    /// Open content too, where there is a key and a column for it; oip always does.
    #[arg(long)]
    content: bool,
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    reader: Reader,
}

#[derive(Subcommand)]
enum ExportCommand {
    Bundle(Box<BundleArgs>),
}

/// An export of records, as it is asked for.
struct Records {
    open: OpenArgs,
    format: FormatArg,
    output: PathBuf,
    table: Option<TableArg>,
    content: bool,
    wanted: Wanted,
    reader: Reader,
}

/// Which records.
#[derive(Args)]
pub(crate) struct Wanted {
    /// Only this system.
    #[arg(long, value_name = "NAME")]
    pub(crate) system: Option<SystemName>,
    /// Only what was logged at or after this time; for oip, decisions that began then: 2026-01-31, 2026-01-31T09:30:00Z, 15m, 2h, 7d.
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub(crate) since: Option<Timestamp>,
    /// Only what was logged before this time; for oip, decisions that began before.
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub(crate) until: Option<Timestamp>,
    /// Only this decision; may be given several times.
    #[arg(long, value_name = "ID")]
    pub(crate) decision: Vec<Id>,
    /// Only the decisions whose ids stand in this file, one a line; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) decisions: Option<PathBuf>,
    /// Only pairs of decisions that ended so; may be given several times (oip).
    #[arg(long, value_name = "OUTCOME", value_parser = outcomes())]
    pub(crate) outcome: Vec<String>,
    /// Only pairs of decisions that have this label; may be given several times, all must be there (oip).
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(crate) label: Vec<LabelFilter>,
    /// Only pairs whose bodies are of this class: personal, pseudonymous (oip).
    #[arg(long, value_name = "CLASS", value_parser = classes())]
    pub(crate) class: Vec<String>,
}

const EXAMPLES: &str = "\
Formats:
  jsonl            one event a line, as it stands in the log, with its place there
  csv, parquet     one row an event, or with --table payloads one a payload
  oip              bodies of the Open Inference Protocol with outcome, labels and people's
                   interventions, one pair of request and response a line: for retraining
  aiact-audit-log  the directory of @systima/aiact-audit-log, with a valid hash chain
  databricks       the columns of Databricks' inference tables, in Parquet; in JSON lines or CSV
                   if the output's name ends with .jsonl or .csv

Examples:
  inferlog export --data /var/lib/inferlog --format parquet --output events.parquet
  inferlog export --data /var/lib/inferlog --format jsonl --content --since 7d --output - | jq .event.kind
  inferlog export --data /var/lib/inferlog --format oip --outcome answered --label repaid=true --output pairs.jsonl
  inferlog find --data /var/lib/inferlog --json --outcome failed | jq -r .decision |
    inferlog export --data /var/lib/inferlog --format jsonl --decisions - --output failed.jsonl

For somebody who is to check the records offline: `inferlog export bundle`.

A program that opens CSV by a double click may run cells that begin with `=`: import such files as text.";

/// Formats, by the words of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArg {
    /// One event a line.
    Jsonl,
    /// A table, RFC 4180.
    Csv,
    /// A table, Apache Parquet.
    Parquet,
    /// Pairs of request and response for retraining.
    Oip,
    /// The layout of @systima/aiact-audit-log.
    AiactAuditLog,
    /// Databricks' inference table.
    Databricks,
}

/// Tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableArg {
    /// One row an event.
    Events,
    /// One row a payload reference.
    Payloads,
}

fn outcomes() -> PossibleValuesParser {
    PossibleValuesParser::new(Outcome::ALL.iter().map(|outcome| outcome.as_str()).chain(["open"]))
}

fn classes() -> PossibleValuesParser {
    PossibleValuesParser::new([DataClass::Personal.as_str(), DataClass::Pseudonymous.as_str()])
}

pub(crate) fn run(args: ExportArgs) -> Result<Verdict, Failure> {
    let ExportArgs { command, dir, root_key, format, output, table, content, wanted, reader } = args;
    match (command, dir, format, output) {
        (Some(ExportCommand::Bundle(args)), ..) => bundle::run(&args),
        (None, Some(dir), Some(format), Some(output)) => {
            let open = OpenArgs { dir, root_key };
            records(Records { open, format, output, table, content, wanted, reader })
        }
        _ => Err(Failure::new("say what to export, and where to: --data DIR --format FORMAT --output PATH")),
    }
}

fn records(args: Records) -> Result<Verdict, Failure> {
    let data = &args.open.dir.data;
    admin::require_data(data)?;
    let format = format(&args)?;
    let selection = selection(&args)?;
    let report = if args.content || format == Format::Oip {
        with_content(&args, format, selection)?
    } else {
        admin::refresh(data);
        write(&args, format, selection, None)?
    };
    say(&args, &report)?;
    Ok(Verdict::Well)
}

/// What is to be written; a word that does not go with the format is an error, not ignored.
fn format(args: &Records) -> Result<Format, Failure> {
    let table = match args.table {
        None | Some(TableArg::Events) => Table::Events,
        Some(TableArg::Payloads) => Table::Payloads,
    };
    let is_table = matches!(args.format, FormatArg::Csv | FormatArg::Parquet);
    if args.table.is_some() && !is_table {
        return Err(Failure::new("--table goes with --format csv and parquet"));
    }
    if is_table && args.content && table == Table::Events {
        return Err(Failure::new(
            "a table of events has no column for content: add --table payloads, or leave out --content",
        ));
    }
    let of_pairs =
        [!args.wanted.outcome.is_empty(), !args.wanted.label.is_empty(), !args.wanted.class.is_empty()];
    if args.format != FormatArg::Oip && of_pairs.contains(&true) {
        return Err(Failure::new(
            "--outcome, --label and --class go with --format oip; for others find the decisions first: \
             inferlog find --json … | jq -r .decision | inferlog export --decisions - …",
        ));
    }
    Ok(match args.format {
        FormatArg::Jsonl => Format::Jsonl,
        FormatArg::Csv => Format::Table(table, TableFormat::Csv),
        FormatArg::Parquet => Format::Table(table, TableFormat::Parquet),
        FormatArg::Oip => Format::Oip,
        FormatArg::AiactAuditLog => Format::AiactAuditLog,
        FormatArg::Databricks => {
            Format::Databricks(match args.output.extension().and_then(|end| end.to_str()) {
                Some("jsonl" | "json" | "ndjson") => TableFormat::Json,
                Some("csv") => TableFormat::Csv,
                _ => TableFormat::Parquet,
            })
        }
    })
}

fn selection(args: &Records) -> Result<Selection, Failure> {
    let wanted = &args.wanted;
    let mut decisions: HashSet<Id> = wanted.decision.iter().copied().collect();
    if let Some(path) = &wanted.decisions {
        decisions.extend(ids(path)?);
    }
    let is_named = wanted.decisions.is_some() || !wanted.decision.is_empty();
    let classes = wanted.class.iter().map(|class| class.parse::<DataClass>());
    Ok(Selection {
        select: wanted.system.as_ref().map_or_else(Select::default, |system| Select::system(system.as_str())),
        since: wanted.since,
        until: wanted.until,
        decisions: is_named.then_some(decisions),
        outcomes: wanted.outcome.clone(),
        labels: wanted.label.clone(),
        classes: classes.collect::<Result<_, _>>()?,
    })
}

/// The ids in a file, one a line.
pub(crate) fn ids(path: &Path) -> Result<Vec<Id>, Failure> {
    let failed =
        |error: io::Error| Failure::new(format!("cannot read decisions from {}: {error}", path.display()));
    let input: Box<dyn BufRead> = match path.to_str() {
        Some("-") => Box::new(io::stdin().lock()),
        _ => Box::new(io::BufReader::new(std::fs::File::open(path).map_err(failed)?)),
    };
    let mut ids = Vec::new();
    for (number, line) in (1..).zip(input.lines()) {
        let line = line.map_err(failed)?;
        if !line.trim().is_empty() {
            let id = inferlog_audit::parse_decision(&line);
            ids.push(
                id.map_err(|error| Failure::new(format!("{}, line {number}: {error}", path.display())))?,
            );
        }
    }
    Ok(ids)
}

/// Opens content: through the process that serves the directory, or as its only user.
fn with_content(args: &Records, format: Format, selection: Selection) -> Result<Report, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut door = runtime.block_on(Door::open(&args.open))?;
    runtime.block_on(door.ask::<Value>(Act::Checkpoint))?;
    // Before anything is opened.
    let begun = ExportBegun {
        reader: args.reader.clone(),
        system: args.wanted.system.clone(),
        decisions: selection.decisions.as_ref().map(|named| named.iter().copied().collect()),
        selection: format!("export --format {} {}", word(args.format), selection.described()),
    };
    runtime.block_on(door.ask::<Value>(Act::BeginExport { begun }))?;
    let openings = ExportOpenings::new(door, runtime.handle());
    let report = write(args, format, selection, Some(&openings));
    runtime.block_on(openings.close())?;
    report
}

fn write(
    args: &Records,
    format: Format,
    selection: Selection,
    openings: Option<&dyn Openings>,
) -> Result<Report, Failure> {
    let output = match args.output.to_str() {
        Some("-") => Output::Stream(Box::new(io::stdout())),
        _ => Output::Path(args.output.clone()),
    };
    let bar = output::progress("reading the log".to_owned());
    bar.set_style(ProgressStyle::with_template("exporting {bar:40} {percent} %  {eta} left")?);
    let progress = |progress: inferlog_export::Progress| {
        bar.set_length(progress.entries_total);
        bar.set_position(progress.entries);
    };
    let options = Options { selection, openings, progress: &progress, ..Options::new(format) };
    let report = export(&real_env().fs, &args.open.dir.data, &options, output);
    bar.finish_and_clear();
    report.map_err(|error| match error {
        // A reader of the output that has seen enough is told by the error itself.
        ExportError::Io(error) | ExportError::Table(TableError::Io(error)) => error.into(),
        error => error.into(),
    })
}

fn word(format: FormatArg) -> String {
    format.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

/// What was written and what was not, on standard error.
fn say(args: &Records, report: &Report) -> Result<(), Failure> {
    let what = match (args.format, args.table) {
        (FormatArg::Oip, _) => "pair",
        (FormatArg::AiactAuditLog, _) => "entry of the chain",
        (FormatArg::Databricks, _) => "row",
        (_, Some(TableArg::Payloads)) => "payload",
        _ => "event",
    };
    let mut out = output::stderr();
    let written = match what {
        "entry of the chain" => format!("{} of the chain", entries(report.rows)),
        _ => counted(report.rows, what),
    };
    let to = match args.output.to_str() {
        Some("-") => String::new(),
        _ => format!(" in {}", args.output.display()),
    };
    writeln!(out, "{}", styled(DIM, format!("{written}{to}")))?;
    for (reason, count) in &report.skipped {
        writeln!(out, "{}", styled(DIM, format!("  left out: {count} ({reason})")))?;
    }
    for (state, count) in &report.not_opened {
        writeln!(
            out,
            "{}",
            styled(DIM, format!("  {} without content: {state}", counted(*count, "payload")))
        )?;
    }
    Ok(())
}

fn entries(count: u64) -> String {
    if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") }
}
