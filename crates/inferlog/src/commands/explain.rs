//! `inferlog explain`: the draft of an explanation of one decision.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use inferlog_record::{Id, Pseudonym};

use crate::admin::{AccountForm, Act, Door, DraftForm, Reader, Wanted, Written, save};
use crate::cli::OpenArgs;
use crate::output::{self, Failure, Verdict};

/// Draft the explanation of one decision for the person it is about.
///
/// A deployer completes it: Article 86 of Regulation (EU) 2024/1689 gives persons a right to an explanation of the role of a
/// high-risk AI system (Annex III, point 2 excepted) in the procedure and of the main elements of a decision that affects them.
/// The draft says what the log shows, and marks what only the deployer can say as `[to be completed by the deployer: …]`. It
/// shows content of one person alone, never documents or results of tools. That content was read is recorded before it is given
/// out. The exit status is 1 if there is no such decision.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog explain 0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11 --data /var/lib/inferlog --purpose subject_request
  inferlog explain 0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11 --data /var/lib/inferlog --format html --output draft.html")]
pub(crate) struct ExplainArgs {
    /// The decision's id, from the answer's header `inferlog-decision-id` or from `find`.
    decision: Id,
    #[command(flatten)]
    open: OpenArgs,
    /// The person it is for, where the decision is about several: without, no content is shown then.
    #[arg(long, value_name = "PSEUDONYM")]
    subject: Option<Pseudonym>,
    /// The form of the draft.
    #[arg(long, value_enum, default_value_t = FormatArg::Text)]
    format: FormatArg,
    /// Write it to this file, for its owner alone; it is not there before it is whole.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Search the log itself and ask no index.
    #[arg(long)]
    scan: bool,
    #[command(flatten)]
    reader: Reader,
}

/// The form of a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    /// Plain text.
    Text,
    /// Markdown.
    Md,
    /// One file for a browser, and for paper.
    Html,
}

pub(crate) fn run(args: ExplainArgs) -> Result<Verdict, Failure> {
    let form = match args.format {
        FormatArg::Text => DraftForm::Text,
        FormatArg::Md => DraftForm::Markdown,
        FormatArg::Html => DraftForm::Html,
    };
    let form = AccountForm::Draft { form, subject: args.subject };
    let wanted = Wanted { decision: args.decision, form, scan: args.scan };
    let Some(written) = tokio::runtime::Runtime::new()?.block_on(written(&args, wanted))? else {
        let (decision, data) = (args.decision, args.open.dir.data.display());
        writeln!(output::stderr(), "There is no decision {decision} in {data}.")?;
        return Ok(Verdict::No);
    };
    match &args.output {
        Some(path) => save(path, written.text.trim_end())?,
        None => writeln!(output::stdout(), "{}", written.text.trim_end())?,
    }
    Ok(Verdict::Well)
}

async fn written(args: &ExplainArgs, wanted: Wanted) -> Result<Option<Written>, Failure> {
    let mut door = Door::open(&args.open).await?;
    let asked = door.ask(Act::Reconstruct { wanted, reader: args.reader.clone() }).await;
    door.close().await?;
    asked
}
