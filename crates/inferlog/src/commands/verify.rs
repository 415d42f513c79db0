//! `inferlog verify`: is the record what was signed?

use std::io::Write;
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
use crate::output::{self, DIM, Failure, Verdict, styled};

/// Check every byte against the signed checkpoints.
///
/// Says where each fault is, and what nothing has changed since. Needs no secret key and takes no lock. It reads all entries, tiles, packs and checkpoints, and reports every payload that is
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
        writeln!(out, "{}", report.to_text(true).trim_end())?;
        writeln!(out, "{}", styled(DIM, format!("took {:.1} s", began.elapsed().as_secs_f64())))?;
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

fn size(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} bytes"),
        10_240..10_485_760 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}
