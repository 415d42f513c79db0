//! `inferlog keys`: verifier keys, rotation, backups.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use inferlog_disk::RealFs;
use inferlog_log::{LogIdentity, list_logs};
use inferlog_record::SystemName;
use serde::de::DeserializeOwned;

use crate::admin::{Act, Door, Rotated, require_data};
use crate::cli::{DataArg, OpenArgs};
use crate::output::{self, Failure, GOOD, Verdict, styled};

/// Print verifier keys, rotate signing keys, back the keystore up.
#[derive(Args)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    pub(crate) command: KeysCommand,
}

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    Vkey(VkeyArgs),
    Rotate(RotateArgs),
    Backup(BackupArgs),
}

/// Print the verifier key of a system's log.
///
/// One line, as c2sp.org/signed-note writes it. Give it to everybody who will ever verify, when the log is set up, by a way that
/// is not the log's own: a key read from the directory that it is to verify proves nothing against whoever can write there.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog keys vkey --data /var/lib/inferlog --system credit-scoring > credit.vkey")]
pub(crate) struct VkeyArgs {
    #[command(flatten)]
    pub(crate) dir: DataArg,
    /// The system.
    #[arg(long, value_name = "NAME")]
    pub(crate) system: SystemName,
    /// Print every key that the log ever signed with, oldest first.
    #[arg(long)]
    pub(crate) all: bool,
}

/// Make a new signing key for a system's log.
///
/// From now on checkpoints are signed by the new key and by the one before it, so that whoever knows only the older one can still
/// check. Prints the new verifier key.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog keys rotate --data /var/lib/inferlog --system credit-scoring")]
pub(crate) struct RotateArgs {
    #[command(flatten)]
    pub(crate) open: OpenArgs,
    /// The system.
    #[arg(long, value_name = "NAME")]
    pub(crate) system: SystemName,
}

/// Copy the keystore to another directory, or bring a copy up to date.
///
/// Without the keystore every content is unreadable for ever: keep copies on other storage. A copy is nothing without the root
/// key, which is not copied: keep that elsewhere too. To restore, copy the directory back to DIR/keystore.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog keys backup --data /var/lib/inferlog --to /mnt/other/inferlog-keystore")]
pub(crate) struct BackupArgs {
    #[command(flatten)]
    pub(crate) open: OpenArgs,
    /// The directory to copy to; of this keystore alone.
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
}

pub(crate) fn run(args: KeysArgs) -> Result<Verdict, Failure> {
    match args.command {
        KeysCommand::Vkey(args) => vkey(&args),
        KeysCommand::Rotate(args) => {
            let (system, open) = (args.system, args.open);
            let rotated: Rotated = ask(&open, Act::RotateKeys { system })?;
            writeln!(output::stdout(), "{}", rotated.vkey)?;
            Ok(Verdict::Well)
        }
        KeysCommand::Backup(args) => {
            // The process that serves may stand in another directory.
            let to = std::path::absolute(&args.to)?;
            let () = ask(&args.open, Act::BackUpKeys { to: to.clone() })?;
            writeln!(output::stdout(), "{} {}", styled(GOOD, "keystore copied to"), to.display())?;
            Ok(Verdict::Well)
        }
    }
}

fn ask<T: DeserializeOwned>(open: &OpenArgs, act: Act) -> Result<T, Failure> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let mut door = Door::open(open).await?;
        let answer = door.ask(act).await;
        door.close().await?;
        answer
    })
}

/// The keys of the system's newest log.
fn vkey(args: &VkeyArgs) -> Result<Verdict, Failure> {
    let data = &args.dir.data;
    require_data(data)?;
    let mut newest: Option<LogIdentity> = None;
    let logs = list_logs(&RealFs, data)?;
    for log in logs.iter().filter(|log| log.system() == args.system.as_str()) {
        let identity = LogIdentity::load(&RealFs, log)?;
        if newest.as_ref().is_none_or(|newest| newest.created <= identity.created) {
            newest = Some(identity);
        }
    }
    let Some(identity) = newest else {
        let mut known: Vec<_> = logs.iter().map(|log| log.system()).collect();
        known.dedup();
        let what = format!(
            "there is no log of {} in {}; there are: {}",
            args.system,
            data.display(),
            known.join(", ")
        );
        return Err(Failure::new(what));
    };
    let skip = if args.all { 0 } else { identity.vkeys.len().saturating_sub(1) };
    let mut out = output::stdout();
    for vkey in &identity.vkeys[skip..] {
        writeln!(out, "{vkey}")?;
    }
    Ok(Verdict::Well)
}
