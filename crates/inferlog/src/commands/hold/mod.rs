//! `inferlog hold`: freeze records: place, release and list holds.

mod list;
mod scope;

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use inferlog::real_env;
use inferlog_audit::Select;
use inferlog_audit::keeping::{covered, scope_words};
use inferlog_record::Id;
use inferlog_record::body::Basis;

use crate::admin::{Act, Door, ErasureAct, ErasureLine, HoldAct, HoldAsked, HoldDone, Outcome, Words, words};
use crate::cli::OpenArgs;
use crate::commands::erase::FollowHere;
use crate::output::{self, DIM, Failure, GOOD, Verdict, counted, styled};

pub(crate) use scope::ScopeArgs;

/// How long a release waits for the stores that follow what it carries on.
const WAIT_MAX: Duration = Duration::from_secs(30);
const LOOK_PERIOD: Duration = Duration::from_millis(200);

/// Freeze records: place, release and list holds.
///
/// While a hold stands nothing that it covers is erased or purged, whoever asks for it. Who placed it, on what ground and what it
/// covers stands in the log for good, and so does its release. What an erasure had to leave for a hold alone is erased when the last
/// hold of it is released.
#[derive(Args)]
pub(crate) struct HoldArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Place(Box<PlaceArgs>),
    Release(ReleaseArgs),
    List(list::ListArgs),
}

/// Freeze records.
///
/// What is frozen is what fits every option that is given: these decisions, this person, these classes, this time. A time without an end,
/// a person or a class covers what is recorded later, too. With the options of `inferlog find` (--outcome, --model, --label and the
/// like) the decisions that fit now are looked up and named one by one, and their number is said before.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog hold place --data /var/lib/inferlog --system credit --basis legal_claim --decision ID --decision ID
  inferlog hold place --data /var/lib/inferlog --system credit --basis authority_order --from 2026-03-01 --to 2026-04-01 \\
    --order-file order.txt --actor dana
  inferlog hold place --data /var/lib/inferlog --system credit --basis internal --since 30d --model credit-v3 --outcome failed
  echo 4711 | inferlog hold place --data /var/lib/inferlog --system credit --basis legal_claim --subject-file -")]
struct PlaceArgs {
    #[command(flatten)]
    open: OpenArgs,
    /// On what ground. For an incident: `inferlog incident open`.
    #[arg(long, value_parser = words::<Basis>(&["authority_order", "legal_claim", "internal"]))]
    basis: Basis,
    #[command(flatten)]
    scope: ScopeArgs,
    /// A file with the order's words, sealed into the log; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    order_file: Option<PathBuf>,
    /// Who places it, as your organisation knows you; the record has a pseudonym of it [default: the environment's USER].
    #[arg(long, value_name = "NAME", env = "USER", hide_env = true)]
    actor: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Release a hold.
///
/// Erasures that it alone withheld are carried out then, without further asking.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog hold release --data /var/lib/inferlog HOLD --basis authority_order --order-file release.txt")]
struct ReleaseArgs {
    #[command(flatten)]
    open: OpenArgs,
    /// The hold's id.
    hold: Id,
    /// On what ground it is released.
    #[arg(long, value_parser = words::<Basis>(Basis::TEXTS))]
    basis: Basis,
    /// A file with the order's words, sealed into the log; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    order_file: Option<PathBuf>,
    /// Who releases it, as your organisation knows you; the record has a pseudonym of it [default: the environment's USER].
    #[arg(long, value_name = "NAME", env = "USER", hide_env = true)]
    actor: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &HoldArgs) -> Result<Verdict, Failure> {
    match &args.command {
        Command::Place(args) => place(args),
        Command::Release(args) => release(args),
        Command::List(args) => list::run(args),
    }
}

fn place(args: &PlaceArgs) -> Result<Verdict, Failure> {
    let data = &args.open.dir.data;
    args.scope.refuse_stdin_twice(args.order_file.as_deref())?;
    let (system, freeze) = args.scope.resolve(&args.open)?;
    let text = args.order_file.as_deref().map(Words::read).transpose()?;
    let asked =
        HoldAsked { system: system.clone(), basis: args.basis, freeze, text, actor: args.actor.clone() };
    let done: HoldDone = tokio::runtime::Runtime::new()?.block_on(async {
        let mut door = Door::open(&args.open).await?;
        let done = door.ask(Act::Hold(HoldAct::Place(asked))).await;
        door.close().await?;
        done
    })?;
    let scopes: Vec<_> = done.scope.iter().cloned().collect();
    let select = Select::system(system.as_str());
    let count = covered(&real_env().fs, data, &select, &[&scopes]);
    let count = count.map(|counts| counts.first().copied().unwrap_or(0));
    let mut out = output::stdout();
    if args.json {
        let mut told = serde_json::to_value(&done)?;
        told["covered"] = count.ok().into();
        writeln!(out, "{told}")?;
        return Ok(Verdict::Well);
    }
    writeln!(out, "{} {}: {}", styled(GOOD, "frozen"), done.system, scope_words(&scopes))?;
    let count = match count {
        Ok(count) => format!("{} now", counted(count, "decision")),
        // Placed it is, whatever the log says of the rest.
        Err(error) => format!("how many decisions that are cannot be told: {error}"),
    };
    writeln!(out, "  {count}; hold {}", done.hold)?;
    Ok(Verdict::Well)
}

fn release(args: &ReleaseArgs) -> Result<Verdict, Failure> {
    let text = args.order_file.as_deref().map(Words::read).transpose()?;
    let asked = HoldAct::Release { hold: args.hold, basis: args.basis, text, actor: args.actor.clone() };
    let (done, carried): (HoldDone, Vec<ErasureLine>) = tokio::runtime::Runtime::new()?.block_on(async {
        let mut door = Door::open(&args.open).await?;
        let following = FollowHere::start(&door).await;
        let done = released(&mut door, asked).await;
        following.stop().await;
        door.close().await?;
        done
    })?;
    let mut out = output::stdout();
    if args.json {
        let mut told = serde_json::to_value(&done)?;
        told["carried_on"] = serde_json::to_value(&carried)?;
        writeln!(out, "{told}")?;
        return Ok(Verdict::Well);
    }
    writeln!(out, "{} hold {} in {}", styled(GOOD, "released"), done.hold, done.system)?;
    for line in &carried {
        let decisions = counted(line.decisions, "decision");
        let state = match line.outcome {
            Outcome::Completed => "completed".to_owned(),
            Outcome::Announced => "announced, and goes on by itself".to_owned(),
            _ => format!("waits for {}", line.waits_for.join(", ")),
        };
        writeln!(
            out,
            "{}",
            styled(DIM, format!("  an erasure that it withheld was carried on: {decisions}, {state}"))
        )?;
    }
    Ok(Verdict::Well)
}

/// Releases, and tells which erasures went on for it.
pub(crate) async fn released(
    door: &mut Door,
    asked: HoldAct,
) -> Result<(HoldDone, Vec<ErasureLine>), Failure> {
    let before: Vec<ErasureLine> = door.ask(Act::Erasure(ErasureAct::Status)).await?;
    let done: HoldDone = door.ask(Act::Hold(asked)).await?;
    let began = Instant::now();
    loop {
        let mut lines: Vec<ErasureLine> = match door.ask(Act::Erasure(ErasureAct::Status)).await {
            Ok(lines) => lines,
            Err(error) => {
                // Released it is, whatever is seen of what follows.
                let what = "it cannot be seen which erasures were carried on (inferlog erase --status)";
                writeln!(output::stderr(), "{what}: {error}")?;
                return Ok((done, Vec::new()));
            }
        };
        let is_known = |line: &ErasureLine| before.iter().any(|known| known.intent == line.intent);
        lines.retain(|line| line.resumes.is_some() && !is_known(line));
        let waits = lines.iter().any(|line| line.outcome == Outcome::Waiting);
        if !waits || began.elapsed() > WAIT_MAX {
            return Ok((done, lines));
        }
        tokio::time::sleep(LOOK_PERIOD).await;
    }
}
