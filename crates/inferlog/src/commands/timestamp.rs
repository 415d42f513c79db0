//! `inferlog timestamp`: having checkpoints stamped by way of files.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use inferlog::real_env;
use inferlog_log::{list_vouched, read_vouched};
use inferlog_merkle::{Checkpoint, SignedNote};
use inferlog_record::SystemName;
use inferlog_timestamp::{NOT_CHECKED, RESPONSE_BYTES_MAX, TimestampError};
use serde_json::json;

use super::verify::roots;
use crate::cli::DataArg;
use crate::output::{self, BAD, Failure, GOOD, Verdict, styled};
use crate::voucher::keep;
use crate::voucher::logs::{OwnLog, own_log};

/// Have checkpoints stamped with the time by an authority (RFC 3161).
///
/// A timestamp proves that a log's first entries existed, in this order, at a time that somebody else vouches for. The authority learns
/// a SHA-256 and nothing else. `serve` asks one that its configuration names (docs/timestamps.md); `request` and `accept` do the same
/// by files, where there is no network, or the authority speaks no HTTP. `inferlog verify --tsa-roots` reads what is kept.
#[derive(Args)]
pub(crate) struct TimestampArgs {
    #[command(subcommand)]
    command: TimestampCommand,
}

#[derive(Subcommand)]
enum TimestampCommand {
    Request(RequestArgs),
    Accept(AcceptArgs),
}

/// Write the request for a timestamp of the newest checkpoint into a file, to be carried to an authority.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog timestamp request --data /var/lib/inferlog --system credit-scoring --output request.tsq
  curl -H 'content-type: application/timestamp-query' --data-binary @request.tsq \\
      https://tsa.example.org/ -o response.tsr                                     # there
  inferlog timestamp accept --data /var/lib/inferlog response.tsr --roots tsa-roots.pem")]
struct RequestArgs {
    #[command(flatten)]
    dir: DataArg,
    /// The system; may be left out where there is one.
    #[arg(long, value_name = "NAME")]
    system: Option<SystemName>,
    /// The policy to ask for, an object identifier [default: the authority's own choice]
    #[arg(long, value_name = "OID")]
    policy: Option<String>,
    /// Where to write it.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

/// Verify an authority's response, and keep it beside the checkpoint that it is of. The exit status is 1 if it is refused.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog timestamp accept --data /var/lib/inferlog response.tsr --roots tsa-roots.pem")]
struct AcceptArgs {
    #[command(flatten)]
    dir: DataArg,
    /// The response (DER), as the authority gave it.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Certificates (PEM) that you trust to vouch for the authority.
    #[arg(long, value_name = "FILE")]
    roots: PathBuf,
    /// The system; may be left out where there is one.
    #[arg(long, value_name = "NAME")]
    system: Option<SystemName>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &TimestampArgs) -> Result<Verdict, Failure> {
    match &args.command {
        TimestampCommand::Request(args) => request(args),
        TimestampCommand::Accept(args) => accept(args),
    }
}

fn request(args: &RequestArgs) -> Result<Verdict, Failure> {
    let log = own_log(&args.dir.data, args.system.as_ref())?;
    let published = log.published()?;
    let (note, checkpoint) =
        published.ok_or_else(|| Failure::new(format!("{} has no checkpoint yet", log.origin)))?;
    let mut nonce = [0; 8];
    real_env().rng.fill(&mut nonce)?;
    let text = note.text().as_bytes();
    let request = inferlog_timestamp::request(text, u64::from_be_bytes(nonce), args.policy.as_deref())?;
    // Kept, so that it is there when the answer comes and the log has gone on.
    keep::hold(log.fs(), log.dir(), checkpoint.size(), &note)?;
    fs::write(&args.output, request)?;
    writeln!(
        output::stdout(),
        "{}: asks for the time of {} entries of {}",
        args.output.display(),
        checkpoint.size(),
        log.origin
    )?;
    Ok(Verdict::Well)
}

fn accept(args: &AcceptArgs) -> Result<Verdict, Failure> {
    let (roots, response) = (roots(&args.roots)?, read(&args.file)?);
    let log = own_log(&args.dir.data, args.system.as_ref())?;
    let mut refused = TimestampError::Imprint;
    for note in candidates(&log)? {
        match inferlog_timestamp::verify(&response, note.text().as_bytes(), None, &roots) {
            Ok(stamp) => {
                let size = note.text().parse::<Checkpoint>()?.size();
                keep::stamp(log.fs(), log.dir(), size, &note, &response)?;
                let (by, time) = (&stamp.authority, &stamp.time);
                let mut out = output::stdout();
                if args.json {
                    let line = json!({"authority": by, "log": log.origin, "policy": stamp.policy, "size": size, "time": time});
                    writeln!(out, "{line}")?;
                } else {
                    let kept = styled(GOOD, "kept:");
                    writeln!(
                        out,
                        "{kept} {size} entries of {}, stamped by {by} at {time}; {NOT_CHECKED}",
                        log.origin
                    )?;
                }
                return Ok(Verdict::Well);
            }
            // Of another checkpoint, perhaps.
            Err(TimestampError::Imprint) => {}
            Err(error) => {
                refused = error;
                break;
            }
        }
    }
    let hint = match refused {
        TimestampError::Imprint => format!(" (no checkpoint that is kept of {} has it)", log.origin),
        _ => String::new(),
    };
    writeln!(output::stderr(), "{} {refused}{hint}", styled(BAD, "not accepted:"))?;
    Ok(Verdict::No)
}

/// The checkpoints that a response may be of, the newest first: those that are kept, and the published one.
fn candidates(log: &OwnLog) -> Result<Vec<SignedNote>, Failure> {
    let mut notes: Vec<SignedNote> = log.published()?.into_iter().map(|(note, _)| note).collect();
    for size in list_vouched(log.fs(), log.dir())?.into_iter().rev() {
        let Some(vouched) = read_vouched(log.fs(), log.dir(), size)? else { continue };
        let note = SignedNote::parse(&vouched.note)?;
        note.verify(&log.keys)?;
        notes.push(note);
    }
    Ok(notes)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::new(format!("cannot read {}: {error}", path.display()));
    if fs::metadata(path).map_err(failed)?.len() > RESPONSE_BYTES_MAX as u64 {
        return Err(Failure::new(format!("{} is longer than {RESPONSE_BYTES_MAX} bytes", path.display())));
    }
    fs::read(path).map_err(failed)
}
