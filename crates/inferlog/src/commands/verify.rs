//! `inferlog verify`: is the record what was signed?

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressDrawTarget, ProgressStyle};
use inferlog::real_env;
use inferlog_audit::{Options, Report, Select, verify};
use inferlog_merkle::VerifierKey;
use inferlog_record::SystemName;

use crate::admin;
use crate::cli::DataArg;
use crate::output::{self, BAD, DIM, Failure, GOOD, Verdict, counted, styled};

/// Check every byte of the logs against their signed checkpoints, and say where each fault is.
///
/// Needs no secret key and takes no lock. It reads all entries, tiles, packs and checkpoints, and reports every payload that is
/// missing without an event that says why. A key or checkpoint that you kept elsewhere makes it proof against whoever can write
/// to the directory: without --key the keys listed in the directory itself are believed. The exit status is 0 only when all
/// is well, 1 when a fault was found.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog verify --data /var/lib/inferlog
  inferlog verify --data /var/lib/inferlog --key \"$(cat credit.vkey)\" --against kept-last-month.checkpoint
  inferlog verify --data /var/lib/inferlog --json | jq .faults")]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) dir: DataArg,
    /// Print one JSON object, with ok, size and faults.
    #[arg(long)]
    pub(crate) json: bool,
    /// The verifier key that you were given (`inferlog keys vkey`); may be given several times, for several logs.
    #[arg(long, value_name = "VKEY")]
    pub(crate) key: Vec<VerifierKey>,
    /// A checkpoint that you kept: the log must contain all that it covers, unchanged.
    #[arg(long, value_name = "CHECKPOINT")]
    pub(crate) against: Option<PathBuf>,
    /// Only this system's logs; node, write-ahead log and keystore are checked in any case.
    #[arg(long, value_name = "NAME")]
    pub(crate) system: Option<SystemName>,
    /// Where `serve --twin` keeps the newest checkpoints.
    #[arg(long, value_name = "DIR")]
    pub(crate) twin: Option<PathBuf>,
}

/// Times a second that the progress is drawn.
const DRAWS_PER_SECOND: u8 = 10;

pub(crate) fn run(args: VerifyArgs) -> Result<Verdict, Failure> {
    let against = args.against.as_ref().map(|path| {
        std::fs::read(path).map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))
    });
    let mut options = Options {
        keys: args.key.clone(),
        against: against.transpose()?,
        twins: args.twin.clone(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        ..Options::default()
    };
    if let Some(system) = &args.system {
        options.select = Select::system(system.as_str());
    }
    admin::refresh(&args.dir.data);
    let began = Instant::now();
    let report = check(&args.dir.data, &options)?;
    let mut out = output::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        print(&mut out, &report, began.elapsed().as_secs_f64())?;
    }
    Ok(if report.ok { Verdict::Well } else { Verdict::No })
}

/// Verifies, with a progress bar if somebody watches.
pub(crate) fn check(data: &Path, options: &Options) -> Result<Report, Failure> {
    let bar = output::progress(String::new());
    bar.set_draw_target(match output::is_watched() {
        true => ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND),
        false => ProgressDrawTarget::hidden(),
    });
    bar.set_style(ProgressStyle::with_template("verifying {bar:40} {percent} %  {msg}  {eta} left")?);
    let report = verify(&real_env().fs, data, options, &|progress| {
        bar.set_length(progress.bundles_total);
        bar.set_position(progress.bundles);
        bar.set_message(size(progress.bytes));
    });
    bar.finish_and_clear();
    Ok(report?)
}

/// The report for people. It never says "valid": it says since when nothing has changed, and on whose word.
pub(crate) fn print(out: &mut impl Write, report: &Report, seconds: f64) -> io::Result<()> {
    for fault in &report.faults {
        let log = fault.log.as_deref().map(|log| format!(" in {log}")).unwrap_or_default();
        let offset = fault.offset.map(|offset| format!(", byte {offset}")).unwrap_or_default();
        let entry = fault.index.map(|index| format!(", entry {index}")).unwrap_or_default();
        writeln!(out, "{} {}{offset}{entry}{log}\n      {}", styled(BAD, "FAULT"), fault.file, fault.what)?;
    }
    let unlisted = report.fault_count - report.faults.len() as u64;
    if unlisted > 0 {
        writeln!(out, "      and {} more", counted(unlisted, "fault"))?;
    }
    for log in &report.logs {
        let root = log.root.as_deref().unwrap_or("none yet");
        writeln!(out, "{}  {}  root {root}", log.origin, counted_entries(log.size))?;
    }
    if let Some(against) = &report.against {
        let style = if against.unchanged { GOOD } else { BAD };
        writeln!(out, "{}", styled(style, &against.what))?;
    }
    let read = format!(
        "{}, {}, {} read in {seconds:.1} s",
        counted_entries(report.size),
        counted(report.payloads, "sealed payload"),
        size(report.bytes)
    );
    match report.fault_count {
        0 => writeln!(out, "{} {read}", styled(GOOD, "no fault:"))?,
        count => writeln!(out, "{} {read}", styled(BAD, format!("{}:", counted(count, "fault"))))?,
    }
    for notice in &report.notices {
        writeln!(out, "{} {}", styled(DIM, "note:"), notice.what)?;
    }
    Ok(())
}

fn counted_entries(count: u64) -> String {
    if count == 1 { "1 entry".into() } else { format!("{count} entries") }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} bytes"),
        10_240..10_485_760 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}
