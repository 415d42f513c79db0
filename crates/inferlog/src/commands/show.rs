//! `inferlog show`: one decision, in full.

use std::io::Write;

use clap::Args;
use inferlog::real_env;
use inferlog_record::Id;

use crate::admin::{self, Act, Door, Form, Reader, tell_sealed};
use crate::cli::OpenArgs;
use crate::output::{self, Failure, Verdict};

/// Show one decision in full.
///
/// Every step in the order of cause and effect, what went in, what came out, what is missing and why, and the proof that it
/// stands in the log. `#3` is the third step, `← #2` names the step that caused one. A decision of several requests is told turn
/// by turn. Contents are opened with the keystore, and that they were read is recorded first; where a key was erased the clear
/// fields stay and the content is gone. While `serve` runs the request goes through its admin.sock. The exit status is 1 if there is no such decision.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog show 0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11 --data /var/lib/inferlog
  inferlog show 0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11 --data /var/lib/inferlog --json | jq .")]
pub(crate) struct ShowArgs {
    /// The decision's id, from the answer's header `inferlog-decision-id` or from `find`.
    pub(crate) decision: Id,
    #[command(flatten)]
    pub(crate) open: OpenArgs,
    /// Leave content sealed: needs no key and no lock.
    #[arg(long)]
    pub(crate) sealed: bool,
    /// Show every field and all content, however long and however often an agent's requests repeat it.
    #[arg(long, conflicts_with = "json")]
    pub(crate) full: bool,
    /// Print JSON: everything, each event as it stands in the log.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    reader: Reader,
}

pub(crate) fn run(args: ShowArgs) -> Result<Verdict, Failure> {
    // Standard output drops colours where nobody sees them.
    let form = if args.json { Form::Json } else { Form::Text { color: true, full: args.full } };
    let told = tokio::runtime::Runtime::new()?.block_on(told(&args, form))?;
    let Some(told) = told else {
        writeln!(
            output::stderr(),
            "There is no decision {} in {}.",
            args.decision,
            args.open.dir.data.display()
        )?;
        return Ok(Verdict::No);
    };
    writeln!(output::stdout(), "{}", told.trim_end())?;
    Ok(Verdict::Well)
}

async fn told(args: &ShowArgs, form: Form) -> Result<Option<String>, Failure> {
    let (data, decision) = (&args.open.dir.data, args.decision);
    if args.sealed {
        admin::require_data(data)?;
        return tell_sealed(&real_env(), data, decision, form);
    }
    let mut door = Door::open(&args.open).await?;
    let asked = door.ask(Act::Show { decision, form, reader: args.reader.clone() }).await;
    door.close().await?;
    asked
}
