//! `inferlog policy show`.

use std::io::Write;

use inferlog_registry::{PolicyEntry, Snapshot};
use serde_json::json;

use super::ShowArgs;
use crate::commands::registered::{self, short, when};
use crate::output::{self, Failure, Verdict};

pub(super) fn run(args: &ShowArgs) -> Result<Verdict, Failure> {
    let snapshot = registered::load(&args.data)?;
    let systems = match &args.system {
        Some(system) => vec![system.as_str()],
        None => snapshot.systems_with_policy(),
    };
    let policies: Vec<&PolicyEntry> = match args.history {
        true => systems.iter().flat_map(|system| snapshot.policies(system)).collect(),
        false => systems.iter().filter_map(|system| snapshot.policy(system)).collect(),
    };
    let mut out = output::stdout();
    if policies.is_empty() {
        if !args.json {
            let whose = args.system.as_ref().map_or(String::new(), |system| format!(" of {system}"));
            writeln!(
                output::stderr(),
                "No policy{whose} was ever in force here: `inferlog policy presets` has examples."
            )?;
        }
        return Ok(Verdict::No);
    }
    match policies.as_slice() {
        [policy] if args.system.is_some() && !args.json && !args.history => {
            out.write_all(snapshot.text(policy.sha256)?.as_bytes())?;
        }
        _ if args.json => {
            for policy in policies {
                writeln!(out, "{}", told(&snapshot, policy)?)?;
            }
        }
        _ => {
            drop(out);
            let rows: Vec<_> = policies.iter().map(|policy| row(&snapshot, policy)).collect();
            registered::table(&["SYSTEM", "VERSION", "SHA-256", "SINCE", "IN FORCE"], &rows)?;
        }
    }
    Ok(Verdict::Well)
}

fn is_in_force(snapshot: &Snapshot, policy: &PolicyEntry) -> bool {
    snapshot.policy(policy.name.as_str()) == Some(policy)
}

fn told(snapshot: &Snapshot, policy: &PolicyEntry) -> Result<String, Failure> {
    let told = json!({
        "system": policy.name, "version": policy.version, "sha256": policy.sha256, "added_at": policy.added_at,
        "in_force": is_in_force(snapshot, policy), "text": snapshot.text(policy.sha256)?,
    });
    Ok(told.to_string())
}

fn row(snapshot: &Snapshot, policy: &PolicyEntry) -> Vec<String> {
    let in_force = if is_in_force(snapshot, policy) { "yes" } else { "no" };
    vec![
        policy.name.to_string(),
        policy.version.to_string(),
        short(policy.sha256),
        when(policy.added_at),
        in_force.to_owned(),
    ]
}
