//! The holds that stand, and those that did.

use std::collections::BTreeMap;
use std::io::Write;

use clap::Args;
use inferlog::real_env;
use inferlog_audit::Select;
use inferlog_audit::keeping::{HoldTold, covered, keeping, scope_words};
use inferlog_record::body::Scope;
use inferlog_record::{SystemName, Timestamp};
use serde_json::json;

use crate::admin;
use crate::cli::DataArg;
use crate::output::{self, BOLD, DIM, Failure, Verdict, counted, styled};

/// List holds, those that stand and those that were released.
///
/// Read from the log itself: needs no key. Of those that stand it says how many decisions they cover now.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog hold list --data /var/lib/inferlog
  inferlog hold list --data /var/lib/inferlog --json | jq '.holds[] | select(.stands)'")]
pub(super) struct ListArgs {
    #[command(flatten)]
    dir: DataArg,
    /// Only those of this system.
    #[arg(long, value_name = "NAME")]
    system: Option<SystemName>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ListArgs) -> Result<Verdict, Failure> {
    let (data, fs) = (&args.dir.data, real_env().fs);
    admin::require_data(data)?;
    admin::refresh(data);
    let select = args.system.as_ref().map_or_else(Select::default, |system| Select::system(system.as_str()));
    let holds = keeping(&fs, data, &select)?.holds;
    let mut standing: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, hold) in holds.iter().enumerate().filter(|(_, hold)| hold.stands()) {
        standing.entry(&hold.system).or_default().push(place);
    }
    let mut counts = vec![None; holds.len()];
    for (system, places) in standing {
        // Each log is read once, however many holds stand.
        let scopes: Vec<&[Scope]> = places.iter().map(|place| &*holds[*place].scopes).collect();
        let found = covered(&fs, data, &Select::system(system), &scopes)?;
        places.iter().zip(found).for_each(|(place, count)| counts[*place] = Some(count));
    }
    let mut out = output::stdout();
    if args.json {
        let told: Vec<_> = holds.iter().zip(&counts).map(|(hold, count)| told(hold, *count)).collect();
        writeln!(out, "{}", json!({ "holds": told.into_iter().collect::<Result<Vec<_>, _>>()? }))?;
        return Ok(Verdict::Well);
    }
    if holds.is_empty() {
        writeln!(out, "No hold was placed here.")?;
    }
    holds.iter().zip(&counts).try_for_each(|(hold, count)| print(&mut out, hold, *count))?;
    Ok(Verdict::Well)
}

fn told(hold: &HoldTold, count: Option<u64>) -> Result<serde_json::Value, Failure> {
    let mut told = serde_json::to_value(hold)?;
    told["stands"] = hold.stands().into();
    told["covered"] = json!(count);
    Ok(told)
}

fn print(out: &mut impl Write, hold: &HoldTold, count: Option<u64>) -> Result<(), Failure> {
    let basis = hold.basis.as_str().replace('_', " ");
    let state = match (&hold.released, count) {
        (None, Some(count)) => format!("stands, {}", counted(count, "decision")),
        (None, None) => "stands".to_owned(),
        (Some(end), _) => {
            format!("released {} ({})", short(end.stated.at), end.basis.as_str().replace('_', " "))
        }
    };
    writeln!(out, "{}  {:<16}  {basis}: {}", styled(BOLD, hold.hold), hold.system, styled(BOLD, state))?;
    let by =
        hold.placed.first().and_then(|placed| placed.by).map(|by| format!(" by {by}")).unwrap_or_default();
    let order = if hold.order.is_some() { "; the order's words are sealed in the log" } else { "" };
    writeln!(out, "{}", styled(DIM, format!("    placed {}{by}{order}", short(hold.placed_at))))?;
    writeln!(out, "{}", styled(DIM, format!("    freezes {}", scope_words(&hold.scopes))))?;
    if let Some(incident) = hold.incident {
        writeln!(out, "{}", styled(DIM, format!("    for incident {incident}")))?;
    }
    Ok(())
}

fn short(time: Timestamp) -> String {
    let text: String = time.to_string().chars().take(19).collect();
    format!("{text}Z")
}
