//! `inferlog policy set`.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::path::Path;

use inferlog::{PolicyFault, read_policy, real_env};
use inferlog_log::{LogDir, list_logs};
use inferlog_policy::{Finding, Policy};
use similar::TextDiff;

use super::SetArgs;
use crate::admin::{Act, Door, PolicyDone};
use crate::commands::registered;
use crate::output::{self, BAD, DIM, Failure, GOOD, Verdict, styled};

pub(super) fn run(args: &SetArgs) -> Result<Verdict, Failure> {
    let text = registered::read(&args.file)?;
    let (policy, findings) = match read_policy(&text) {
        Ok(read) => read,
        Err(fault @ (PolicyFault::Text(_) | PolicyFault::Refused(_))) => {
            writeln!(output::stdout(), "{} {}: {fault}", styled(BAD, "refused"), args.file.display())?;
            return Ok(Verdict::No);
        }
        Err(other) => return Err(other.into()),
    };
    if !args.yes && !confirm(&args.open.dir.data, &policy, &findings, &text)? {
        writeln!(output::stderr(), "The policy was not put in force.")?;
        return Ok(Verdict::No);
    }
    let done: PolicyDone = tokio::runtime::Runtime::new()?.block_on(async {
        let mut door = Door::open(&args.open).await?;
        let done = door.ask(Act::SetPolicy { text }).await;
        door.close().await?;
        done
    })?;
    let mut out = output::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&done)?)?;
        return Ok(Verdict::Well);
    }
    let digest = styled(DIM, format!("  sha256 {}", done.sha256)).to_string();
    match (done.is_new, &done.before) {
        (false, _) => writeln!(out, "{} {}{digest}", styled(DIM, "in force before:"), done.policy)?,
        (true, None) => writeln!(out, "{} {}{digest}", styled(GOOD, "in force:"), done.policy)?,
        (true, Some(before)) => {
            writeln!(out, "{} {}, in place of {before}{digest}", styled(GOOD, "in force:"), done.policy)?;
        }
    }
    Ok(Verdict::Well)
}

/// Says what would change, and asks. Without a terminal to ask at, the answer is no.
fn confirm(data: &Path, policy: &Policy, findings: &[Finding], text: &str) -> Result<bool, Failure> {
    let snapshot = registered::load(data)?;
    let mut out = output::stderr();
    let logs = list_logs(&*real_env().fs, data)?;
    if logs.iter().all(|log| log.system() != policy.system.as_str()) {
        let known: BTreeSet<&str> = logs.iter().map(LogDir::system).collect();
        let known: Vec<&str> = known.into_iter().collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let what =
            format!("there is no log of {} here yet, there are: {known}; a new one begins", policy.system);
        writeln!(out, "{} {what}", styled(BAD, "note:"))?;
    }
    match snapshot.policy(policy.system.as_str()) {
        None => writeln!(
            out,
            "{} has no policy yet: all of it is kept for ever.\n{}",
            policy.system,
            policy.explain()
        )?,
        Some(known) => {
            let old = snapshot.text(known.sha256)?;
            let titles = [format!("{}/{}", known.name, known.version), policy.id().to_string()];
            let texts = TextDiff::from_lines(old.as_str(), text);
            writeln!(out, "{}", texts.unified_diff().header(&titles[0], &titles[1]))?;
            for finding in findings {
                writeln!(out, "{finding}")?;
            }
        }
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new("nobody is here to confirm: say --yes if this is what you want"));
    }
    write!(out, "Put {} in force? [y/N] ", policy.id())?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}
