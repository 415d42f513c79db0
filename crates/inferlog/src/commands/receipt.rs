//! `inferlog receipt`: a decision's proof, to keep or to hand over.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use inferlog::real_env;
use inferlog_audit::{
    AuditError, CheckedReceipt, EntryReceipt, ReceiptFault, Select, check_receipt_file, receipts,
};
use inferlog_disk::RealFs;
use inferlog_merkle::VerifierKey;
use inferlog_record::Id;
use serde_json::json;

use crate::admin;
use crate::cli::DataArg;
use crate::output::{self, BAD, Failure, GOOD, Verdict, styled};

/// Make the receipts of a decision, or check one offline.
///
/// A receipt proves that an entry stands in the log. It is two files: `<index>.entry`, the entry's bytes, and
/// `<index>.tlog-proof`, its inclusion proof and the signed checkpoint as text (c2sp.org/tlog-proof). Whoever holds both needs
/// neither the log nor this program to check them, only the verifier key. They hold no content.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_long_help = "\
Examples:
  inferlog receipt 0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11 --data /var/lib/inferlog --output receipts
  inferlog receipt check receipts/17.tlog-proof --key \"$(cat credit.vkey)\""
)]
pub(crate) struct ReceiptArgs {
    #[command(subcommand)]
    pub(crate) check: Option<ReceiptCommand>,
    /// The decision's id.
    #[arg(required = true)]
    pub(crate) decision: Option<Id>,
    #[command(flatten)]
    pub(crate) dir: Option<DataArg>,
    /// The directory to write to: one receipt for each entry of the decision.
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) output: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum ReceiptCommand {
    Check(CheckArgs),
}

/// Check a receipt offline. The exit status is 0 only if it holds, 1 if it does not.
#[derive(Args)]
pub(crate) struct CheckArgs {
    /// The receipt's `.tlog-proof`; its `.entry` lies beside it.
    pub(crate) file: PathBuf,
    /// The log's verifier key, as `inferlog keys vkey` printed it.
    #[arg(long, value_name = "VKEY")]
    pub(crate) key: VerifierKey,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(args: ReceiptArgs) -> Result<Verdict, Failure> {
    match args {
        ReceiptArgs { check: Some(ReceiptCommand::Check(args)), .. } => check(&args),
        ReceiptArgs { decision: Some(decision), dir: Some(dir), output: Some(output), json, .. } => {
            make(decision, &dir.data, &output, json)
        }
        _ => Err(Failure::new("say which decision, and where to: DECISION --data DIR --output DIR")),
    }
}

fn make(decision: Id, data: &Path, to: &Path, json: bool) -> Result<Verdict, Failure> {
    admin::require_data(data)?;
    admin::refresh(data);
    let receipts = match receipts(&real_env().fs, data, decision, &Select::default()) {
        Err(AuditError::NoDecision(_)) => {
            writeln!(output::stderr(), "There is no decision {decision} in {}.", data.display())?;
            return Ok(Verdict::No);
        }
        other => other?,
    };
    write(&receipts, to)?;
    let mut out = output::stdout();
    if json {
        let described = receipts.iter().map(|receipt| {
            json!({"log": receipt.log, "index": receipt.index, "proof": to.join(receipt.proof_file()), "entry": to.join(receipt.entry_file())})
        });
        writeln!(out, "{}", json!({ "receipts": described.collect::<Vec<_>>() }))?;
    } else {
        receipts.iter().try_for_each(|receipt| print_made(&mut out, receipt, to))?;
    }
    Ok(Verdict::Well)
}

/// Writes proofs and entries.
pub(crate) fn write(receipts: &[EntryReceipt], to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for receipt in receipts {
        fs::write(to.join(receipt.entry_file()), &receipt.entry)?;
        fs::write(to.join(receipt.proof_file()), &receipt.proof)?;
    }
    Ok(())
}

pub(crate) fn print_made(out: &mut impl Write, receipt: &EntryReceipt, to: &Path) -> io::Result<()> {
    let bytes = receipt.proof.len() + receipt.entry.len();
    writeln!(
        out,
        "entry {}: {} ({bytes} bytes with its entry)",
        receipt.index,
        to.join(receipt.proof_file()).display()
    )
}

fn check(args: &CheckArgs) -> Result<Verdict, Failure> {
    let mut out = output::stdout();
    match check_receipt_file(&RealFs, &args.file, std::slice::from_ref(&args.key)) {
        Ok(checked) if args.json => {
            let mut value = serde_json::to_value(&checked)?;
            value["ok"] = true.into();
            writeln!(out, "{value}")?;
            Ok(Verdict::Well)
        }
        Ok(checked) => {
            print_checked(&mut out, &checked)?;
            Ok(Verdict::Well)
        }
        Err(fault @ (ReceiptFault::Disk(_) | ReceiptFault::Name(_))) => Err(fault.into()),
        Err(fault) if args.json => {
            writeln!(out, "{}", json!({ "ok": false, "fault": fault.to_string() }))?;
            Ok(Verdict::No)
        }
        Err(fault) => {
            writeln!(out, "{} {}", styled(BAD, "this receipt proves nothing:"), Failure::from(fault))?;
            Ok(Verdict::No)
        }
    }
}

pub(crate) fn print_checked(out: &mut impl Write, checked: &CheckedReceipt) -> io::Result<()> {
    let (index, events) = (checked.index, checked.events.join(", "));
    let whose =
        checked.decision.as_deref().map_or("the life of the system".into(), |id| format!("decision {id}"));
    writeln!(out, "{} entry {index} ({events}) of {whose}", styled(GOOD, "proved:"))?;
    writeln!(out, "  logged at {}, in the log {}", checked.logged_at, checked.log)?;
    writeln!(out, "  under its checkpoint of {} entries, root {}", checked.size, checked.root)
}
