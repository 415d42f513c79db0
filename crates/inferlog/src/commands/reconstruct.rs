//! `inferlog reconstruct`: the account of one decision.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use inferlog::real_env;
use inferlog_record::Id;

use crate::admin::{self, AccountForm, Act, Door, Reader, Wanted, Written, save};
use crate::cli::OpenArgs;
use crate::output::{self, BAD, Failure, GOOD, Verdict, styled};

/// Reconstruct one decision: the complete account of it.
///
/// Who decided with which model, prompts and parameters, what went in and came out at each stage and how the stages differ, every
/// step with its causes, what people did about it, what changed in the system since, the proof of each step, and whether the
/// record is complete: each missing item with the reason and the provision it would serve. That content was read is recorded
/// before it is given out; `--sealed` opens none and needs no key. The exit status is 1 if there is no such decision.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog reconstruct 0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11 --data /var/lib/inferlog
  inferlog reconstruct 0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11 --data /var/lib/inferlog --format html --output account.html \\
      --role auditor --purpose audit
  inferlog reconstruct 0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11 --data /var/lib/inferlog --format json | jq .verdict")]
pub(crate) struct ReconstructArgs {
    /// The decision's id, from the answer's header `inferlog-decision-id` or from `find`.
    decision: Id,
    #[command(flatten)]
    open: OpenArgs,
    /// The form of the account.
    #[arg(long, value_enum, default_value_t = FormatArg::Text)]
    format: FormatArg,
    /// Write it to this file, for its owner alone; it is not there before it is whole.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Leave content sealed: needs no key and no lock.
    #[arg(long)]
    sealed: bool,
    /// Show all content, however long.
    #[arg(long)]
    full: bool,
    /// Search the log itself and ask no index.
    #[arg(long)]
    scan: bool,
    #[command(flatten)]
    reader: Reader,
}

/// The form of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    /// A timeline, for a terminal.
    Text,
    /// Everything, under stable names (docs/reconstruct.md).
    Json,
    /// One file for a browser, and for paper.
    Html,
    /// Markdown, the graph in Mermaid.
    Md,
    /// PROV-JSON (W3C): what came of what.
    Prov,
}

pub(crate) fn run(args: ReconstructArgs) -> Result<Verdict, Failure> {
    // Standard output drops colours where nobody sees them.
    let form = match args.format {
        FormatArg::Text => AccountForm::Text { color: args.output.is_none(), full: args.full },
        FormatArg::Json => AccountForm::Json,
        FormatArg::Html => AccountForm::Html,
        FormatArg::Md => AccountForm::Markdown,
        FormatArg::Prov => AccountForm::Prov,
    };
    let wanted = Wanted { decision: args.decision, form, scan: args.scan };
    let written = tokio::runtime::Runtime::new()?.block_on(written(&args, wanted))?;
    let Some(written) = written else {
        let (decision, data) = (args.decision, args.open.dir.data.display());
        writeln!(output::stderr(), "There is no decision {decision} in {data}.")?;
        return Ok(Verdict::No);
    };
    match &args.output {
        Some(path) => save(path, &format!("{}\n", written.text.trim_end()))?,
        None => writeln!(output::stdout(), "{}", written.text.trim_end())?,
    }
    // The text says it itself.
    if args.format != FormatArg::Text || args.output.is_some() {
        tell(&written)?;
    }
    Ok(Verdict::Well)
}

/// Says the verdict beside the account.
fn tell(written: &Written) -> std::io::Result<()> {
    let style = if written.is_complete { GOOD } else { BAD };
    let missing = match written.unexplained {
        0 => String::new(),
        1 => ": 1 item is missing without a reason".to_owned(),
        count => format!(": {count} items are missing without a reason"),
    };
    writeln!(output::stderr(), "The record is {}{missing}.", styled(style, &written.verdict))
}

async fn written(args: &ReconstructArgs, wanted: Wanted) -> Result<Option<Written>, Failure> {
    if args.sealed {
        admin::require_data(&args.open.dir.data)?;
        return admin::sealed(&real_env(), &args.open.dir.data, wanted);
    }
    let mut door = Door::open(&args.open).await?;
    let asked = door.ask(Act::Reconstruct { wanted, reader: args.reader.clone() }).await;
    door.close().await?;
    asked
}
