//! `inferlog witness`: cosigning other logs, and having ours cosigned by way of files.

mod exchange;
mod print;
mod server;
mod state;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use inferlog_merkle::VerifierKey;
use inferlog_record::SystemName;

use crate::cli::DataArg;
use crate::logging::LogForm;
use crate::output::{Failure, Verdict};

/// Cosign the checkpoints of logs, and have ours cosigned (c2sp.org/tlog-witness).
///
/// A witness remembers the newest checkpoint of each log it knows and cosigns one that extends it. So a log that was rolled back, or
/// that shows different histories to different readers, does not get its cosignature. It learns size and root of a log, never content.
/// `serve` asks the witnesses of its configuration (docs/witness.md); `request`, `cosign` and `accept` do the same by files, where
/// there is no network between the two.
#[derive(Args)]
pub(crate) struct WitnessArgs {
    #[command(subcommand)]
    pub(crate) command: WitnessCommand,
}

#[derive(Subcommand)]
pub(crate) enum WitnessCommand {
    Init(InitArgs),
    AddLog(AddLogArgs),
    Logs(LogsArgs),
    Serve(ServeArgs),
    Forks(ForksArgs),
    Request(RequestArgs),
    Cosign(CosignArgs),
    Accept(AcceptArgs),
}

/// Where a witness's memory is.
#[derive(Args, Clone, Debug)]
pub(crate) struct StateArg {
    /// The witness's directory: its key, and what it remembers. Never restore an older copy of it.
    #[arg(long, value_name = "DIR", env = "INFERLOG_WITNESS_STATE")]
    pub(crate) state: PathBuf,
}

/// Make a witness: its directory and its key. Prints the verifier key, for the policies of those who rely on it.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog witness init --state /var/lib/witness --name witness.example.org/w1")]
pub(crate) struct InitArgs {
    #[command(flatten)]
    state: StateArg,
    /// The witness's name: a URL without its scheme, for people to know it by.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Let a witness cosign a log, or give a log that it knows a further key. One that serves takes it up at once.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog witness add-log --state /var/lib/witness \"$(cat credit.vkey)\"
  inferlog witness add-log --state /var/lib/witness --origin \"go.sum database tree\" \\
      sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8")]
pub(crate) struct AddLogArgs {
    #[command(flatten)]
    state: StateArg,
    /// The log's verifier key, as `inferlog keys vkey` prints it; all must be of one log.
    #[arg(required = true, value_name = "VKEY")]
    keys: Vec<VerifierKey>,
    /// The log's origin, where its key has another name.
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
}

/// List the logs that a witness knows, and the newest checkpoint that it cosigned of each.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog witness logs --state /var/lib/witness")]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    state: StateArg,
    /// Print JSON, one log a line.
    #[arg(long)]
    json: bool,
}

/// Cosign over HTTP: POST PREFIX/add-checkpoint, GET PREFIX/<SHA-256 of the origin>/checkpoint, GET /healthz.
///
/// Nothing in a request is secret and every answer is signed, so that plain HTTP forges nothing; put what speaks TLS in front of it
/// where others should not see which logs ask. SIGTERM ends it.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog witness serve --state /var/lib/witness --listen 127.0.0.1:7380")]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    state: StateArg,
    /// Where to listen.
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// The path that requests stand below.
    #[arg(long, value_name = "PATH", default_value = "/")]
    prefix: String,
    /// The form of this process's own log.
    #[arg(long, value_enum, default_value_t = LogForm::Auto)]
    log: LogForm,
}

/// Show what a witness refused because it contradicts what it had cosigned. The exit status is 1 if a fork is proved.
///
/// Prints both checkpoints, as the log signed them: whoever has the log's verifier key can check them without the witness.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog witness forks --state /var/lib/witness")]
pub(crate) struct ForksArgs {
    #[command(flatten)]
    state: StateArg,
    /// Print JSON, one a line.
    #[arg(long)]
    json: bool,
}

/// Write what a witness is asked into a file, to be carried to it.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog witness request --data /var/lib/inferlog --system credit-scoring --witness \"$(cat w1.vkey)\" --output request
  inferlog witness cosign --state /var/lib/witness request --output cosigned       # there
  inferlog witness accept --data /var/lib/inferlog cosigned --witness \"$(cat w1.vkey)\"")]
pub(crate) struct RequestArgs {
    #[command(flatten)]
    dir: DataArg,
    /// The system; may be left out where there is one.
    #[arg(long, value_name = "NAME")]
    system: Option<SystemName>,
    /// The size that the witness cosigned last [default: 0, which it knows nothing of the log at]
    #[arg(long, value_name = "SIZE", conflicts_with = "witness")]
    from: Option<u64>,
    /// The witness's verifier key: the size is the last of which a cosignature was accepted.
    #[arg(long, value_name = "VKEY")]
    witness: Option<VerifierKey>,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

/// Answer a request that came as a file. The exit status is 1 if the checkpoint is not cosigned.
///
/// Writes the whole checkpoint with its cosignature, so that the answer needs no request beside it. While `witness serve` runs, the
/// same file can be posted to it instead.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog witness cosign --state /var/lib/witness request --output cosigned
  curl --data-binary @request http://127.0.0.1:7380/add-checkpoint                 # of one that serves")]
pub(crate) struct CosignArgs {
    #[command(flatten)]
    state: StateArg,
    /// The request.
    #[arg(value_name = "REQUEST")]
    request: PathBuf,
    /// The file to write the cosigned checkpoint to; standard output if left out.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print what was answered as JSON.
    #[arg(long, requires = "output")]
    json: bool,
}

/// Take in a cosigned checkpoint, or a witness's bare answer, that came as a file.
///
/// It is kept only if this log signed the checkpoint, the log as it is now has its root at that size, and a cosignature of a witness that
/// you name verifies.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog witness accept --data /var/lib/inferlog cosigned --witness \"$(cat w1.vkey)\"
  inferlog witness accept --data /var/lib/inferlog answer --request request --policy witnesses.policy")]
pub(crate) struct AcceptArgs {
    #[command(flatten)]
    dir: DataArg,
    /// The cosigned checkpoint, or signature lines.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The request that signature lines answer.
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// The verifier key of a witness to believe; may be given several times.
    #[arg(long, value_name = "VKEY", required_unless_present = "policy")]
    witness: Vec<VerifierKey>,
    /// A policy file (c2sp.org/tlog-policy) whose witnesses to believe.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &WitnessArgs) -> Result<Verdict, Failure> {
    match &args.command {
        WitnessCommand::Init(args) => state::init(args),
        WitnessCommand::AddLog(args) => state::add(args),
        WitnessCommand::Logs(args) => print::logs(args),
        WitnessCommand::Serve(args) => server::run(args),
        WitnessCommand::Forks(args) => print::forks(args),
        WitnessCommand::Request(args) => exchange::request(args),
        WitnessCommand::Cosign(args) => exchange::cosign(args),
        WitnessCommand::Accept(args) => exchange::accept(args),
    }
}
