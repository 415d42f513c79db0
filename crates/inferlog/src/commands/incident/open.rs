//! Opening an incident.

use std::fs::DirBuilder;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use clap::Args;
use inferlog_audit::keeping::{CLOCK_WORDS, DAY_NS, category_words};
use inferlog_record::body::IncidentCategory;
use inferlog_record::{Id, Timestamp};
use serde_json::json;

use crate::admin::{Act, Door, IncidentAct, IncidentAsked, IncidentDone, Words, words};
use crate::cli::OpenArgs;
use crate::commands::export::{Bundled, of_incident};
use crate::commands::hold::ScopeArgs;
use crate::output::{self, BAD, BOLD, DIM, Failure, GOOD, Verdict, counted, styled};
use crate::when;

/// Where bundles of incidents are put in a data directory.
const BUNDLES: &str = "incidents";

/// Open an incident: freeze its records, record it, make a bundle of what is frozen.
///
/// The hold comes first, so that nothing is lost between the two. The bundle proves the records as they stand now to whoever gets it; it
/// discloses no content, and content in the log stays as erasable as it is.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog incident open --data /var/lib/inferlog --system credit --category fundamental_rights --aware-at 2026-03-02T08:15:00Z \\
    --from 2026-02-01 --report-file first-notes.txt --actor dana
  inferlog incident open --data /var/lib/inferlog --system triage --category death --aware-at 2h --decision ID
  inferlog incident open --data /var/lib/inferlog --system credit --category health_harm --aware-at 1d --model credit-v3 --since 30d")]
pub(super) struct OpenIncidentArgs {
    #[command(flatten)]
    open: OpenArgs,
    /// What happened; it decides the longest time for the report.
    #[arg(long, value_parser = words::<IncidentCategory>(IncidentCategory::TEXTS))]
    category: IncidentCategory,
    /// When the organisation became aware: the clock runs from here. 2026-01-31T09:30:00Z, or a time ago: 15m, 2h, 7d.
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    aware_at: Timestamp,
    #[command(flatten)]
    scope: ScopeArgs,
    /// A file with a description, sealed into the log; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    report_file: Option<PathBuf>,
    /// Who opens it, as your organisation knows you; the record has a pseudonym of it [default: the environment's USER].
    #[arg(long, value_name = "NAME", env = "USER", hide_env = true)]
    actor: Option<String>,
    /// Where to put the bundle [default: DIR/incidents/ID.zip]
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Make no bundle.
    #[arg(long, conflicts_with = "bundle")]
    no_bundle: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &OpenIncidentArgs) -> Result<Verdict, Failure> {
    args.scope.refuse_stdin_twice(args.report_file.as_deref())?;
    let (system, freeze) = args.scope.resolve(&args.open)?;
    let report = args.report_file.as_deref().map(Words::read).transpose()?;
    let asked = IncidentAsked {
        system,
        category: args.category,
        aware_at: args.aware_at,
        freeze,
        report,
        actor: args.actor.clone(),
    };
    let done: IncidentDone = tokio::runtime::Runtime::new()?.block_on(async {
        let mut door = Door::open(&args.open).await?;
        let done = door.ask(Act::Incident(IncidentAct::Open(asked))).await;
        door.close().await?;
        done
    })?;
    // Told before the bundle is made: whatever becomes of that, the incident is open and its records are frozen.
    if !args.json {
        say(args, &done)?;
    }
    let bundle = (!args.no_bundle).then(|| bundle(args, done.incident));
    tell_bundle(args, &done, bundle.as_ref())?;
    bundle.transpose()?;
    Ok(Verdict::Well)
}

/// A bundle and where it is, or why there can be none.
type Made = (PathBuf, Result<Bundled, String>);

fn due_at(args: &OpenIncidentArgs) -> Timestamp {
    let days = u64::from(args.category.days());
    Timestamp(args.aware_at.nanos().saturating_add(days * DAY_NS))
}

fn say(args: &OpenIncidentArgs, done: &IncidentDone) -> Result<(), Failure> {
    let mut out = output::stdout();
    let now = super::now();
    let due: String = due_at(args).to_string().chars().take(19).collect();
    writeln!(out, "{} incident {} of {}", styled(GOOD, "opened:"), done.incident, done.system)?;
    writeln!(out, "  {}", category_words(args.category))?;
    let days = counted(u64::from(args.category.days()), "day");
    match due_at(args).nanos().checked_sub(now.nanos()) {
        Some(left) => {
            let hours = left / 3_600_000_000_000;
            let left = format!("{} and {} h left", counted(hours / 24, "day"), hours % 24);
            writeln!(
                out,
                "  report at the latest {}: {}",
                styled(BOLD, format!("{due}Z")),
                styled(BOLD, left)
            )?;
        }
        None => writeln!(out, "  report at the latest {due}Z: {}", styled(BAD, "that is over"))?,
    }
    writeln!(out, "{}", styled(DIM, format!("  {days} {CLOCK_WORDS}")))?;
    if let Some(hold) = done.hold {
        writeln!(out, "  frozen by hold {hold}")?;
    }
    Ok(())
}

/// Makes the bundle: where it is, and what it holds or why there is none.
fn bundle(args: &OpenIncidentArgs, incident: Id) -> Result<Made, Failure> {
    let place = match &args.bundle {
        Some(place) => place.clone(),
        None => bundle_place(&args.open.dir.data, incident)?,
    };
    let made = of_incident(&args.open, incident, &place).map_err(|error| {
        Failure::new(format!(
            "the incident is open and its records are frozen, but there is no bundle of them: {error}"
        ))
    })?;
    Ok((place, made))
}

/// Where the bundle of an incident is put by default, in a directory that its owner alone enters.
pub(crate) fn bundle_place(data: &Path, incident: Id) -> Result<PathBuf, Failure> {
    Ok(private_dir(&data.join(BUNDLES))?.join(format!("{incident}.zip")))
}

/// A directory that its owner alone enters.
fn private_dir(path: &Path) -> Result<&Path, Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    Ok(path)
}

fn tell_bundle(
    args: &OpenIncidentArgs,
    done: &IncidentDone,
    bundle: Option<&Result<Made, Failure>>,
) -> Result<(), Failure> {
    let mut out = output::stdout();
    if args.json {
        let mut told = serde_json::to_value(done)?;
        told["days"] = args.category.days().into();
        told["due_at"] = json!(due_at(args));
        let no_bundle = match bundle {
            Some(Ok((_, Err(why)))) => Some(why.clone()),
            Some(Err(failure)) => Some(failure.to_string()),
            _ => None,
        };
        told["bundle"] = match bundle {
            Some(Ok((place, Ok(made)))) => {
                json!({ "bytes": made.bytes, "decisions": made.decisions, "file": place })
            }
            _ => serde_json::Value::Null,
        };
        if let Some(why) = no_bundle {
            told["no_bundle"] = why.into();
        }
        writeln!(out, "{told}")?;
        return Ok(());
    }
    match bundle {
        Some(Ok((place, Ok(made)))) => {
            let decisions = counted(made.decisions, "decision");
            writeln!(out, "  bundle of {decisions}, nothing disclosed: {}", place.display())?;
        }
        Some(Ok((_, Err(why)))) => writeln!(out, "  no bundle: {why}")?,
        Some(Err(_)) | None => {}
    }
    writeln!(out, "{}", styled(DIM, format!("inferlog incident show {} has the sheet", done.incident)))?;
    Ok(())
}
