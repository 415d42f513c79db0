//! `inferlog erase`: the keys of a person or a decision are destroyed.

use std::io::{IsTerminal, Write};

use clap::Args;
use inferlog_record::{Id, SystemName};

use crate::admin::{Act, Door, ErasureDone, ErasurePlan, Target};
use crate::cli::OpenArgs;
use crate::output::{self, BAD, Failure, GOOD, Verdict, counted, styled};

/// Make content about a person, or of a decision, unreadable for ever.
///
/// All proofs stay valid. The keys are destroyed in the keystore and its configured backups, and the root key is replaced, so that older copies open
/// nothing of it. The log's entries do not change: their clear fields (times, model, outcome, a random pseudonym) stay, the
/// content is gone. Without --yes it says what would be erased and asks. The exit status is 1 if there is nothing to erase.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog erase --data /var/lib/inferlog --subject 4711
  inferlog erase --data /var/lib/inferlog --decision 0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11 --yes")]
pub(crate) struct EraseArgs {
    #[command(flatten)]
    pub(crate) open: OpenArgs,
    /// The person, by the value that came in the request.
    #[arg(long, value_name = "VALUE", required_unless_present = "decision", conflicts_with = "decision")]
    pub(crate) subject: Option<String>,
    /// One decision.
    #[arg(long, value_name = "ID")]
    pub(crate) decision: Option<Id>,
    /// Only in this system [default: in all].
    #[arg(long, value_name = "NAME")]
    pub(crate) system: Option<SystemName>,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(args: EraseArgs) -> Result<Verdict, Failure> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let mut door = Door::open(&args.open).await?;
        let done = erase(&args, &mut door).await;
        door.close().await?;
        done
    })
}

async fn erase(args: &EraseArgs, door: &mut Door) -> Result<Verdict, Failure> {
    let (target, system) = (target(args)?, args.system.clone());
    if !args.yes {
        let plans: Vec<ErasurePlan> =
            door.ask(Act::PlanErasure { target: target.clone(), system: system.clone() }).await?;
        if plans.is_empty() {
            return nothing(args);
        }
        if !confirm(&plans)? {
            writeln!(output::stderr(), "Nothing was erased.")?;
            return Ok(Verdict::No);
        }
    }
    let erased: Vec<ErasureDone> = door.ask(Act::Erase { target, system }).await?;
    if erased.is_empty() {
        return nothing(args);
    }
    let mut out = output::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::json!({ "erased": erased }))?;
    } else {
        erased.iter().try_for_each(|done| print(&mut out, done))?;
    }
    Ok(Verdict::Well)
}

fn target(args: &EraseArgs) -> Result<Target, Failure> {
    match (&args.subject, args.decision) {
        (Some(value), _) => Ok(Target::Subject(value.clone())),
        (None, Some(id)) => Ok(Target::Decision(id)),
        (None, None) => Err(Failure::new("say whom or what to erase: --subject VALUE or --decision ID")),
    }
}

fn nothing(args: &EraseArgs) -> Result<Verdict, Failure> {
    let mut out = output::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::json!({ "erased": [] }))?;
    } else {
        let what = if args.subject.is_some() { "This person is" } else { "This decision is" };
        writeln!(out, "{what} not known here, or was erased before: there is nothing to erase.")?;
    }
    Ok(Verdict::No)
}

/// Says what would be erased, and asks. Without a terminal to ask at, the answer is no.
fn confirm(plans: &[ErasurePlan]) -> Result<bool, Failure> {
    let mut out = output::stderr();
    for plan in plans {
        let decisions = counted(plan.decisions, "decision");
        match &plan.pseudonym {
            Some(pseudonym) => {
                writeln!(out, "{}: person {pseudonym}, all content of {decisions}", plan.system)?
            }
            None => writeln!(out, "{}: all content of {decisions}", plan.system)?,
        }
    }
    writeln!(
        out,
        "Their keys will be destroyed. Nobody can undo that. The log's entries and proofs stay as they are."
    )?;
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new("nobody is here to confirm: say --yes if this is what you want"));
    }
    write!(out, "Erase? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}

pub(crate) fn print(out: &mut impl Write, done: &ErasureDone) -> std::io::Result<()> {
    let (keys, decisions) = (counted(done.keys.len() as u64, "key"), counted(done.decisions, "decision"));
    writeln!(
        out,
        "{} {}: {keys} destroyed ({}); the content of {decisions} is unreadable for ever",
        styled(GOOD, "erased"),
        done.system,
        done.keys.join(", ")
    )?;
    match &done.old_root_kept {
        None => writeln!(out, "  root key replaced (epoch {}), the old one destroyed", done.root_epoch)?,
        Some(why) => writeln!(
            out,
            "  {} the old root key may still be there: {why}. Whoever has it and an old copy of the keystore can still read",
            styled(BAD, "but")
        )?,
    }
    for left in &done.leftovers {
        writeln!(out, "  {} {left}", styled(BAD, "not done yet:"))?;
    }
    writeln!(out, "  recorded as event {}; proofs given out before stay valid", done.intent)
}
