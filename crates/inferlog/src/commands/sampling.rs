//! `inferlog sampling`: what sampling left out, and what the sample guarantees.

use clap::Args;
use inferlog::real_env;
use inferlog_audit::Select;
use inferlog_audit::sampling::{sampling, write_sampling};
use inferlog_record::{SystemName, Timestamp};
use serde_json::json;

use crate::admin;
use crate::cli::DataArg;
use crate::output::{self, Failure, Verdict};
use crate::when;

/// Say what sampling left out, and what the sample guarantees.
///
/// A policy may have only some decisions recorded (docs/sampling.md); the others are counted. This adds the counts up, as the logs tell
/// them, and computes what the sample says about what is not in it: how many decisions of one kind there can have been without one of
/// them being selected, with 95 % confidence. It needs neither an index nor a key.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog sampling --data /var/lib/inferlog
  inferlog sampling --data /var/lib/inferlog --system credit-scoring --from 2026-10-01 --to 2026-11-01 --json")]
pub(crate) struct SamplingArgs {
    #[command(flatten)]
    dir: DataArg,
    /// Only this system.
    #[arg(long, value_name = "NAME")]
    system: Option<SystemName>,
    /// Counts told from then on: 2026-01-31, 2026-01-31T09:30:00Z, or a time ago as in 7d.
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    from: Option<Timestamp>,
    /// Counts told before.
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    to: Option<Timestamp>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &SamplingArgs) -> Result<Verdict, Failure> {
    use std::io::Write;
    let data = &args.dir.data;
    admin::require_data(data)?;
    admin::refresh(data);
    let select = Select { system: args.system.as_ref().map(ToString::to_string), ..Select::default() };
    let reports = sampling(&real_env().fs, data, &select, (args.from, args.to))?;
    let mut out = output::stdout();
    match args.json {
        true => writeln!(
            out,
            "{}",
            json!({ "confidence": inferlog_audit::sampling::CONFIDENCE, "sampling": reports })
        )?,
        false => write_sampling(&mut out, &reports)?,
    }
    Ok(Verdict::Well)
}
