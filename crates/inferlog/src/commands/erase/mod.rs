//! `inferlog erase`: the keys of a person or a decision are destroyed.

mod certificate;
mod follow;
mod print;
mod status;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{ArgGroup, Args};
use inferlog_record::body::OrderKind;
use inferlog_record::{Id, SystemName};

use crate::admin::{
    Act, Door, ErasureAct, ErasureAsked, ErasureDone, ErasureLine, ErasurePlan, Outcome, Target, Words, words,
};
use crate::cli::OpenArgs;
use crate::commands::subject::Whom;
use crate::output::{self, Failure, Verdict};

pub(crate) use certificate::check as check_certificate;
pub(crate) use follow::FollowHere;

/// Time between two looks at an erasure that waits for followers.
const LOOK_PERIOD: Duration = Duration::from_millis(200);

/// Make content about a person, or of a decision, unreadable for ever.
///
/// First it says what would be erased, what stays and why (a hold, or a legal duty of the policy), and asks. Then the keys are
/// destroyed in the keystore and its configured backups, and the root key is replaced, so that older copies open nothing of it; every
/// store that follows the log deletes what it derived; and a certificate, signed by the log's own key, is put into the log. All
/// proofs stay valid: the log's entries do not change, their clear fields (times, model, outcome, a random pseudonym) stay. While a
/// store that follows is down the erasure waits for it, the keys being gone, and completes by itself. The exit status is 1 if
/// there is nothing to erase, or all of it must stay. docs/erasure.md has the rest.
#[derive(Args)]
#[command(
    group = ArgGroup::new("what").required(true).args(["subject", "subject_file", "decision", "status", "certificate"]),
    after_long_help = EXAMPLES
)]
pub(crate) struct EraseArgs {
    #[command(flatten)]
    open: OpenArgs,
    #[command(flatten)]
    whom: Whom,
    /// One decision.
    #[arg(long, value_name = "ID")]
    decision: Option<Id>,
    /// List all erasures and how far they are.
    #[arg(long)]
    status: bool,
    /// Print the certificate of the erasure that this event announced.
    #[arg(long, value_name = "ID")]
    certificate: Option<Id>,
    /// Only in this system [default: in all].
    #[arg(long, value_name = "NAME")]
    system: Option<SystemName>,
    /// On whose order; stands in the record. An authority's, a court's, or that of what should never have been recorded sets a legal
    /// duty to keep it aside; a hold nothing sets aside.
    #[arg(long, default_value = "request", value_parser = words::<OrderKind>(OrderKind::TEXTS))]
    order: OrderKind,
    /// A file with the order's or the request's words, sealed into the log; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    order_file: Option<PathBuf>,
    /// Who has it done, as your organisation knows you; the record has a pseudonym of it [default: the environment's USER].
    #[arg(long, value_name = "NAME", env = "USER", hide_env = true)]
    actor: Option<String>,
    /// Say what would be erased, and erase nothing.
    #[arg(long, conflicts_with_all = ["status", "certificate", "yes"])]
    plan: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// How long to wait for the stores that follow, seconds; afterwards it completes by itself.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    wait: u64,
    /// Make a page of the certificate, to print.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    html: Option<PathBuf>,
    /// Write the certificate to this file.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    out: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  inferlog erase --data /var/lib/inferlog --subject 4711
  echo 4711 | inferlog erase --data /var/lib/inferlog --subject-file - --plan
  inferlog erase --data /var/lib/inferlog --decision 0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11 --yes
  inferlog erase --data /var/lib/inferlog --subject-file value.txt --order court --order-file order.txt --yes
  inferlog erase --data /var/lib/inferlog --status
  inferlog erase --data /var/lib/inferlog --certificate ID --out erased.note --html erased.html
  inferlog verify --certificate erased.note --key credit.vkey";

pub(crate) fn run(args: EraseArgs) -> Result<Verdict, Failure> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let mut door = Door::open(&args.open).await?;
        let following = FollowHere::start(&door).await;
        let done = match (args.status, args.certificate) {
            (true, _) => status::run(&mut door, args.json).await,
            (_, Some(intent)) => certificate::run(&mut door, &args, intent).await,
            _ => erase(&args, &mut door).await,
        };
        following.stop().await;
        door.close().await?;
        done
    })
}

async fn erase(args: &EraseArgs, door: &mut Door) -> Result<Verdict, Failure> {
    let is_words_stdin = args.order_file.as_ref().is_some_and(|path| path.as_os_str() == "-");
    if args.whom.is_stdin() && is_words_stdin {
        let what = "standard input is either the person or the order, not both: give a file for one of them";
        return Err(Failure::new(what));
    }
    let target = target(args)?;
    let (system, order) = (args.system.clone(), args.order);
    if args.plan || !args.yes {
        let asked = ErasureAct::Plan { target: target.clone(), system: system.clone(), order };
        let plans: Vec<ErasurePlan> = door.ask(Act::Erasure(asked)).await?;
        if plans.is_empty() {
            return nothing(args);
        }
        if args.plan {
            return planned(args, &plans);
        }
        if !confirm(args, &plans)? {
            writeln!(output::stderr(), "Nothing was erased.")?;
            return Ok(Verdict::No);
        }
    }
    let text = args.order_file.as_deref().map(Words::read).transpose()?;
    let asked = ErasureAsked { target, system, order, text, actor: args.actor.clone() };
    let bar = output::progress("destroying keys, then waiting for the stores that follow".to_owned());
    let mut erased: Result<Vec<ErasureDone>, Failure> =
        door.ask(Act::Erasure(ErasureAct::Erase(asked))).await;
    let waited = match &mut erased {
        Ok(erased) => wait(args, door, erased).await,
        Err(_) => Ok(()),
    };
    bar.finish_and_clear();
    let erased = erased?;
    // The keys are gone, whatever is seen of what follows.
    if let Err(error) = waited {
        writeln!(output::stderr(), "it cannot be seen how far it is (inferlog erase --status): {error}")?;
    }
    if erased.is_empty() {
        return nothing(args);
    }
    let mut out = output::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::json!({ "erased": erased }))?;
    } else {
        erased.iter().try_for_each(|done| print::done(&mut out, done))?;
    }
    let is_refused = erased.iter().all(|done| done.outcome == Outcome::Refused);
    Ok(if is_refused { Verdict::No } else { Verdict::Well })
}

/// Waits until nothing of these waits for a follower any more, or as long as was said.
async fn wait(args: &EraseArgs, door: &mut Door, erased: &mut [ErasureDone]) -> Result<(), Failure> {
    let began = Instant::now();
    while erased.iter().any(|done| done.outcome == Outcome::Waiting) && began.elapsed().as_secs() < args.wait
    {
        tokio::time::sleep(LOOK_PERIOD).await;
        let lines: Vec<ErasureLine> = door.ask(Act::Erasure(ErasureAct::Status)).await?;
        for done in erased.iter_mut().filter(|done| done.outcome == Outcome::Waiting) {
            let Some(line) = lines.iter().find(|line| line.intent == done.intent) else { continue };
            done.waits_for.clone_from(&line.waits_for);
            if line.outcome == Outcome::Completed {
                done.outcome = Outcome::Completed;
                done.certificate = certificate::ask(door, done.intent).await?.map(|given| given.note);
            }
        }
    }
    Ok(())
}

fn target(args: &EraseArgs) -> Result<Target, Failure> {
    match (args.whom.value()?, args.decision) {
        (Some(_), Some(_)) => Err(Failure::new("name a person or a decision, not both")),
        (Some(value), None) => Ok(Target::Subject(value)),
        (None, Some(id)) => Ok(Target::Decision(id)),
        (None, None) => Err(Failure::new("say whom or what to erase: --subject VALUE or --decision ID")),
    }
}

fn nothing(args: &EraseArgs) -> Result<Verdict, Failure> {
    let mut out = output::stdout();
    if args.json {
        let member = if args.plan { "plans" } else { "erased" };
        writeln!(out, "{}", serde_json::json!({ member: [] }))?;
    } else {
        let what = if args.whom.is_named() { "This person is" } else { "This decision is" };
        writeln!(out, "{what} not known here, or was erased before: there is nothing to erase.")?;
    }
    Ok(Verdict::No)
}

fn planned(args: &EraseArgs, plans: &[ErasurePlan]) -> Result<Verdict, Failure> {
    let mut out = output::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::json!({ "plans": plans }))?;
    } else {
        plans.iter().try_for_each(|plan| print::plan(&mut out, plan))?;
        print::outside(&mut out)?;
        writeln!(out, "Nothing was erased.")?;
    }
    Ok(if plans.iter().all(|plan| plan.refused) { Verdict::No } else { Verdict::Well })
}

/// Says what would be erased, and asks. Without a terminal to ask at, the answer is no.
fn confirm(args: &EraseArgs, plans: &[ErasurePlan]) -> Result<bool, Failure> {
    let mut out = output::stderr();
    plans.iter().try_for_each(|plan| print::plan(&mut out, plan))?;
    print::outside(&mut out)?;
    // A hold may be released meanwhile: what would be refused now is asked for as well.
    let (consequence, question) = match plans.iter().all(|plan| plan.refused) {
        true => (
            "As it stands nothing will be destroyed, and the log will say that it was refused.",
            "Ask for it all the same?",
        ),
        false => (
            "The keys will be destroyed. Nobody can undo that. The log's entries and proofs stay as they are.",
            "Erase?",
        ),
    };
    writeln!(out, "{consequence}")?;
    let is_words_stdin = args.order_file.as_ref().is_some_and(|path| path.as_os_str() == "-");
    let is_taken = args.whom.is_stdin() || is_words_stdin;
    if is_taken || !std::io::stdin().is_terminal() {
        return Err(Failure::new("nobody is here to confirm: say --yes if this is what you want"));
    }
    write!(out, "{question} [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}
