//! `inferlog verify`: is the record what was signed?

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressDrawTarget, ProgressStyle};
use inferlog::real_env;
use inferlog_audit::{Options, Remembered, Report, Select, verify};
use inferlog_merkle::{Policy, VerifierKey};
use inferlog_record::{SystemName, Timestamp};
use inferlog_timestamp::Roots;

use crate::admin;
use crate::commands::erase::check_certificate;
use crate::commands::verify_bundle;
use crate::output::{self, DIM, Failure, Verdict, styled};

/// Check every byte against the signed checkpoints.
///
/// Says where each fault is, and what nothing has changed since. Needs no secret key and takes no lock. It reads all entries, tiles, packs and checkpoints, and reports every payload that is
/// missing without an event that says why. A key, a checkpoint or a receipt that you kept elsewhere makes it proof against whoever can
/// write to the directory: without --key the keys listed in the directory itself are believed. It states of each log how far it is
/// complete, which witnesses cosigned and when, which authority stamped the time, and how old the newest of these is. The exit
/// status is 0 only when all is well, 1 when a fault was found.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog verify --data /var/lib/inferlog
  inferlog verify --data /var/lib/inferlog --key \"$(cat credit.vkey)\" --against kept-last-month.checkpoint
  inferlog verify --data /var/lib/inferlog --policy witnesses.policy --tsa-roots authority.pem
  inferlog verify --data /var/lib/inferlog --against 137.tlog-proof --against cosigned-by-the-auditor.note
  inferlog verify --data /var/lib/inferlog --json | jq .faults
  inferlog verify --bundle evidence.zip --key credit.vkey --against kept-last-month.checkpoint
  inferlog verify --certificate erased.note --key credit.vkey")]
pub(crate) struct VerifyArgs {
    /// The data directory.
    #[arg(long, value_name = "DIR", env = DATA_VARIABLE, required_unless_present_any = ["bundle", "certificate"])]
    pub(crate) data: Option<PathBuf>,
    /// An evidence bundle (`inferlog export bundle`) to check instead: it needs no data directory.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["system", "twin"])]
    pub(crate) bundle: Option<PathBuf>,
    /// The certificate of an erasure (`inferlog erase --certificate`) to check instead: its signature and, with --data, that the log
    /// holds it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["bundle", "system", "twin", "against", "witness", "policy", "tsa_roots"])]
    pub(crate) certificate: Option<PathBuf>,
    /// Print one JSON object, with ok, size and faults.
    #[arg(long)]
    pub(crate) json: bool,
    /// The verifier key that you were given (`inferlog keys vkey`); may be given several times, for several logs. Or a
    /// file that holds it.
    #[arg(long, value_name = "VKEY", value_parser = verifier_key)]
    pub(crate) key: Vec<VerifierKey>,
    /// What you kept of a log: a checkpoint, signed by the log or by a witness alone, or a receipt; the log must contain all that it
    /// covers, unchanged. May be given several times.
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Vec<PathBuf>,
    /// The verifier key of a witness that you trust; may be given several times.
    #[arg(long, value_name = "VKEY", value_parser = verifier_key)]
    pub(crate) witness: Vec<VerifierKey>,
    /// A policy (c2sp.org/tlog-policy): the witnesses that you trust, and which of them must have cosigned.
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Certificates (PEM) that you trust to vouch for timestamping authorities (RFC 3161).
    #[arg(long, value_name = "FILE")]
    pub(crate) tsa_roots: Option<PathBuf>,
    /// Only this system's logs; node, write-ahead log and keystore are checked in any case.
    #[arg(long, value_name = "NAME")]
    pub(crate) system: Option<SystemName>,
    /// Where `serve --twin` keeps the newest checkpoints.
    #[arg(long, value_name = "DIR")]
    pub(crate) twin: Option<PathBuf>,
}

/// Names the data directory where no option does.
const DATA_VARIABLE: &str = "INFERLOG_DATA";
/// Times a second that the progress is drawn.
pub(crate) const DRAWS_PER_SECOND: u8 = 10;

/// Whether an option names the data directory, not the environment.
fn is_data_given(args: &VerifyArgs) -> bool {
    args.data.is_some() && args.data != std::env::var_os(DATA_VARIABLE).map(PathBuf::from)
}

pub(crate) fn run(args: VerifyArgs) -> Result<Verdict, Failure> {
    if let Some(certificate) = &args.certificate {
        // One that the environment names is not what this certificate is from.
        let data = args.data.as_deref().filter(|_| is_data_given(&args));
        if let Some(data) = data {
            admin::refresh(data);
        }
        return check_certificate(certificate, &args.key, data, args.json);
    }
    if let Some(bundle) = &args.bundle {
        if is_data_given(&args) {
            return Err(Failure::new("give --data or --bundle, not both: a bundle is checked by itself"));
        }
        return verify_bundle::run(bundle, &args);
    }
    let data = args
        .data
        .as_deref()
        .ok_or_else(|| Failure::new("say what to verify: --data DIR or --bundle FILE"))?;
    let env = real_env();
    let against = args.against.iter().map(|path| Remembered::read(&*env.fs, path));
    let mut options = Options {
        keys: args.key.clone(),
        against: against.collect::<Result<_, _>>()?,
        witnesses: args.witness.clone(),
        policy: args.policy.as_deref().map(policy).transpose()?,
        tsa_roots: args.tsa_roots.as_deref().map(roots).transpose()?,
        now: Some(Timestamp(env.clock.now_ns())),
        twins: args.twin.clone(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        ..Options::default()
    };
    if let Some(system) = &args.system {
        options.select = Select::system(system.as_str());
    }
    admin::refresh(data);
    let began = Instant::now();
    let report = check(data, &options)?;
    let mut out = output::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        writeln!(out, "{}", report.to_text(true).trim_end())?;
        writeln!(out, "{}", styled(DIM, format!("took {:.1} s", began.elapsed().as_secs_f64())))?;
    }
    Ok(if report.ok { Verdict::Well } else { Verdict::No })
}

/// A verifier key: its text, or a file of it.
fn verifier_key(text: &str) -> Result<VerifierKey, String> {
    let error = match text.trim().parse() {
        Ok(key) => return Ok(key),
        Err(error) => error,
    };
    match std::fs::read_to_string(text) {
        Ok(file) => {
            file.trim().parse().map_err(|error| format!("the file {text} holds no single key: {error}"))
        }
        Err(_) => Err(format!("{error}; nor is there a file of this name")),
    }
}

/// A policy in a file.
pub(crate) fn policy(path: &Path) -> Result<Policy, Failure> {
    let text = read(path)?;
    let text =
        String::from_utf8(text).map_err(|_| Failure::new(format!("{} is not UTF-8", path.display())))?;
    text.parse().map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

/// The certificates in a PEM file.
pub(crate) fn roots(path: &Path) -> Result<Roots, Failure> {
    Roots::from_pem(&read(path)?).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))
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

pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} bytes"),
        10_240..10_485_760 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}
