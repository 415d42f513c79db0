//! `inferlog policy explain`.

use std::io::Write;

use inferlog_audit::policy_page;
use inferlog_capture::recorder::InForce;
use serde_json::json;

use super::ExplainArgs;
use crate::admin::save;
use crate::commands::registered;
use crate::output::{self, Failure, GOOD, Verdict, styled};

pub(super) fn run(args: &ExplainArgs) -> Result<Verdict, Failure> {
    let read = InForce::read(&text(args)?)?;
    let words = read.policy.explain();
    if let Some(path) = &args.html {
        save(path, &policy_page(&words, read.sha256))?;
    }
    let mut out = output::stdout();
    match (args.json, &args.html) {
        (true, _) => {
            writeln!(out, "{}", json!({ "policy": read.id, "sha256": read.sha256, "explanation": words }))?
        }
        (false, Some(path)) => writeln!(out, "{} {}", styled(GOOD, "written:"), path.display())?,
        (false, None) => write!(out, "{words}")?,
    }
    Ok(Verdict::Well)
}

fn text(args: &ExplainArgs) -> Result<String, Failure> {
    match (&args.file, &args.system, &args.data) {
        (Some(file), ..) => registered::read(file),
        (None, Some(system), Some(data)) => {
            let snapshot = registered::load(data)?;
            let policy = snapshot.policy(system.as_str());
            let policy = policy.ok_or_else(|| {
                Failure::new(format!(
                    "no policy of {system} was ever in force here: see `inferlog policy show`"
                ))
            })?;
            Ok(snapshot.text(policy.sha256)?)
        }
        _ => Err(Failure::new("give a file, or --system and --data")),
    }
}
