//! `inferlog drill`: reconstructing a sample, to know that it can be done.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue};
use indicatif::{ProgressBar, ProgressStyle};
use inferlog::real_env;
use inferlog_audit::Openings;
use inferlog_audit::drill::{Comparison, DrawOptions, DrillReport, SAMPLE_MAX};
use inferlog_log::Env;
use inferlog_merkle::VerifierKey;
use inferlog_record::body::{AccessPurpose, AccessRole};
use inferlog_record::{Id, SystemName, Timestamp};
use serde_json::Value;
use tokio::runtime::Handle;

use super::export;
use crate::admin::{self, Act, Door, DrillBegun, DrillDone, ExportOpenings, Reader, words};
use crate::cli::OpenArgs;
use crate::drill::{Keeper, Plan, Progress, Replays, Target, Wanted, run as drill};
use crate::output::{self, Failure, Verdict};
use crate::when;

/// Reconstruct a random sample of decisions from storage alone.
///
/// Draws decisions from the log, each of a stratum as likely as any other, and reconstructs each: its entries are proved under a
/// signed checkpoint, its contents opened and held against what the entries commit to, its prompts, tools and models looked up in the
/// registry, and the models' files looked for. With --replay the recorded inputs are sent to the model again, and its
/// answers compared with the recorded ones. The access is recorded before anything is opened, the outcome as a `drill` event in the
/// log of each system. Works while `serve` runs, which can do it on a schedule. The exit status is 0 if nothing is wrong, 1 if
/// something is, 2 if the drill could not be done.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct DrillArgs {
    #[command(flatten)]
    open: OpenArgs,
    #[command(flatten)]
    which: Which,
    /// The verifier key that you were given (`inferlog keys vkey`); may be given several times, for several logs.
    #[arg(long, value_name = "VKEY")]
    key: Vec<VerifierKey>,
    /// Read the files of models too, and compare their SHA-256 with the registered one.
    #[arg(long)]
    check_artefacts: bool,
    /// Count it as failed, too, if a record lacks what inferlog's profile requires and does not say why.
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    replay: ReplayArgs,
    /// Print the report as one JSON object.
    #[arg(long)]
    json: bool,
    /// Write the report as a page, for its owner alone.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// In which role you drill; stands in the record, as does the next one.
    #[arg(long, default_value = "operator", value_parser = words::<AccessRole>(AccessRole::TEXTS))]
    role: AccessRole,
    /// Who you are, as your organisation knows you; the record has a pseudonym of it [default: the environment's USER].
    #[arg(long, value_name = "NAME", env = "USER", hide_env = true)]
    actor: Option<String>,
}

/// Which decisions.
#[derive(Args)]
struct Which {
    /// How many to draw: evenly among systems, and among the ages that each has (docs/drills.md).
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = sample())]
    sample: u64,
    /// What the draw follows from: the same seed and --until draw the same decisions [default: a fresh one]
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// Only this system; may be given several times.
    #[arg(long, value_name = "NAME")]
    system: Vec<SystemName>,
    /// Only what began at or after this time: 2026-01-31, 2026-01-31T09:30:00Z, 15m, 2h, 7d.
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    since: Option<Timestamp>,
    /// Only what began before this time; ages are measured from it [default: now]
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    until: Option<Timestamp>,
    /// Draw nothing, take this decision; may be given several times.
    #[arg(long, value_name = "ID", conflicts_with_all = ["seed", "system", "since", "until"])]
    decision: Vec<Id>,
    /// The same with decisions whose ids stand in a file, one a line; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "system", "since", "until"])]
    decisions: Option<PathBuf>,
}

/// Making model calls again.
#[derive(Args)]
struct ReplayArgs {
    /// Send recorded inputs to this model server, of one route or of all that no other names; may be given several times.
    #[arg(long, value_name = "[ROUTE=]URL")]
    replay: Vec<Target>,
    /// A header to send with them, such as a credential: NAME=env:VARIABLE or NAME=file:PATH; may be given several times.
    #[arg(long, value_name = "NAME=PLACE", requires = "replay", value_parser = header_of)]
    replay_header: Vec<(HeaderName, HeaderValue)>,
    /// How much two numbers of the answers may differ, relative to the larger one.
    #[arg(long, value_name = "SHARE", requires = "replay", default_value_t = 1e-6, value_parser = share)]
    tolerance: f64,
    /// How similar prose in the answers must be: 1 is word for word.
    #[arg(long, value_name = "SHARE", requires = "replay", default_value_t = 1.0, value_parser = share)]
    similarity: f64,
    /// A member of the answers that changes each time, as a JSON pointer; `*` is any item. May be given several times.
    #[arg(long, value_name = "POINTER", requires = "replay")]
    ignore: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  inferlog drill --data /var/lib/inferlog
  inferlog drill --data /var/lib/inferlog --sample 1000 --check-artefacts --html drill.html
  inferlog drill --data /var/lib/inferlog --system credit --since 180d --replay http://127.0.0.1:8080 --tolerance 0.001
  inferlog drill --data /var/lib/inferlog --decision 0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11 --json | jq .systems[].decisions";

fn sample() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(1..=SAMPLE_MAX as u64)
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("`{text}` is no share: write a number from 0 to 1"))
}

/// `NAME=env:VARIABLE` or `NAME=file:PATH`.
pub(crate) fn header_of(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let form = || format!("`{text}`: write NAME=env:VARIABLE or NAME=file:PATH");
    let (name, place) = text.split_once('=').ok_or_else(form)?;
    let value = match place.split_once(':') {
        Some(("env", name)) => std::env::var(name).map_err(|_| format!("the environment has no {name}"))?,
        Some(("file", path)) => std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?,
        _ => return Err(form()),
    };
    let name = HeaderName::try_from(name).map_err(|_| format!("`{name}` is no header"))?;
    let mut value = HeaderValue::try_from(value.trim_end())
        .map_err(|_| format!("what {place} holds cannot stand in a header"))?;
    value.set_sensitive(true);
    Ok((name, value))
}

pub(crate) fn run(args: &DrillArgs) -> Result<Verdict, Failure> {
    let data = &args.open.dir.data;
    admin::require_data(data)?;
    let env = real_env();
    let wanted = wanted(&args.which, &env)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut replays = replays(&args.replay, runtime.handle())?;
    if let Some(replays) = &replays {
        replays.check()?;
    }
    let mut door = runtime.block_on(Door::open(&args.open))?;
    runtime.block_on(door.ask::<Value>(Act::Checkpoint))?;
    let keeper =
        Asked { openings: ExportOpenings::new(door, runtime.handle()), runtime: runtime.handle().clone() };
    let plan = Plan {
        data: data.clone(),
        env,
        wanted,
        keys: args.key.clone(),
        hash_artefacts: args.check_artefacts,
        strict: args.strict,
        reader: Reader { role: args.role, purpose: AccessPurpose::Drill, actor: args.actor.clone() },
    };
    let bar = output::progress("drill".to_owned());
    let report = drill(&plan, &keeper, replays.as_mut(), &mut |progress| show(&bar, progress));
    bar.finish_and_clear();
    runtime.block_on(keeper.openings.close())?;
    tell(args, &report?)
}

fn wanted(which: &Which, env: &Env) -> Result<Wanted, Failure> {
    let mut named: BTreeSet<Id> = which.decision.iter().copied().collect();
    if let Some(path) = &which.decisions {
        named.extend(export::ids(path)?);
    }
    if named.len() > SAMPLE_MAX {
        return Err(Failure::new(format!("a drill takes {SAMPLE_MAX} decisions at most")));
    }
    if !named.is_empty() || which.decisions.is_some() {
        return Ok(Wanted::Named(named));
    }
    let systems: BTreeSet<String> = which.system.iter().map(ToString::to_string).collect();
    Ok(Wanted::Sample(DrawOptions {
        systems: systems.into_iter().collect(),
        since: which.since,
        until: which.until.unwrap_or_else(|| Timestamp(env.clock.now_ns())),
        seed: which.seed.map_or_else(|| fresh(env), Ok)?,
        sample: usize::try_from(which.sample)?,
    }))
}

/// A seed that nobody can foresee.
pub(crate) fn fresh(env: &Env) -> Result<u64, Failure> {
    let mut seed = [0; 8];
    env.rng.fill(&mut seed)?;
    Ok(u64::from_be_bytes(seed))
}

fn replays(args: &ReplayArgs, runtime: &Handle) -> Result<Option<Replays>, Failure> {
    if args.replay.is_empty() {
        return Ok(None);
    }
    let ReplayArgs { tolerance, similarity, ignore, .. } = args;
    let comparison = Comparison { tolerance: *tolerance, similarity: *similarity, ignored: ignore.clone() };
    let headers: HeaderMap = args.replay_header.iter().cloned().collect();
    Replays::new(&args.replay, headers, comparison, runtime).map(Some)
}

/// The process that serves the directory, or this one.
struct Asked {
    openings: ExportOpenings,
    runtime: Handle,
}

impl Keeper for Asked {
    fn openings(&self) -> &dyn Openings {
        &self.openings
    }

    fn begin(&self, begun: DrillBegun) -> Result<(), Failure> {
        self.openings.ask::<Value>(&self.runtime, Act::BeginDrill { begun }).map(drop)
    }

    fn finish(&self, done: DrillDone) -> Result<Id, Failure> {
        self.openings.ask(&self.runtime, Act::FinishDrill { done })
    }
}

fn show(bar: &ProgressBar, progress: Progress) {
    let (what, done, total) = match progress {
        Progress::Draw(done, total) => ("reading the log to draw", done, total),
        Progress::Locate(done, total) => ("reading the log to find their entries", done, total),
        Progress::Reconstruct(done, total) => ("reconstructing", done, total),
    };
    if bar.length() != Some(total) || bar.message() != what {
        if let Ok(style) = ProgressStyle::with_template("{msg} {bar:40} {pos} of {len}  {eta} left") {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar.set_length(total);
    }
    bar.set_position(done);
}

fn tell(args: &DrillArgs, report: &DrillReport) -> Result<Verdict, Failure> {
    if let Some(path) = &args.html {
        admin::save(path, &report.to_html())?;
    }
    match args.json {
        true => writeln!(output::stdout(), "{}", serde_json::to_string(report)?)?,
        false => writeln!(output::stdout(), "{}", report.to_text(true).trim_end())?,
    }
    Ok(if report.passed { Verdict::Well } else { Verdict::No })
}
