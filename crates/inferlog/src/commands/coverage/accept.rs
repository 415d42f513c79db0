//! `inferlog coverage accept`: somebody answers for a finding until a date.

use std::io::Write;

use clap::Args;
use inferlog_audit::Select;
use inferlog_audit::coverage::{CoverageOptions, Profiles, Rule};
use inferlog_record::{ClearName, SystemName, Timestamp};

use super::{now, profile, report};
use crate::admin::{Act, Door, RiskAccepted};
use crate::cli::OpenArgs;
use crate::output::{self, Failure, GOOD, Verdict, styled};
use crate::when;

/// Answer for a finding until a date.
///
/// Until then the finding is shown as accepted and does not make the exit status 1; after it, it counts again and says so. What is
/// written into the system's log: the finding, the date, a pseudonym of who you are, and the reason, sealed. A later acceptance of
/// the same finding stands in the place of this one.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog coverage accept silent-hours/2026-11-20T03 --data /var/lib/inferlog \\
      --reason \"planned maintenance, ticket 4711\" --until 2027-01-31")]
pub(crate) struct AcceptArgs {
    #[command(flatten)]
    pub(crate) open: OpenArgs,
    /// The finding's id, as `inferlog coverage` prints it.
    pub(crate) finding: ClearName,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// From this time on it counts again: 2027-01-31, or 2027-01-31T09:30:00Z.
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub(crate) until: Timestamp,
    /// The system [default: the one that has the finding].
    #[arg(long, value_name = "NAME")]
    pub(crate) system: Option<SystemName>,
    /// The profile that the finding comes from, as for `inferlog coverage`.
    #[arg(long, value_name = "NAME|FILE", default_value = "general", value_parser = profile::parse)]
    pub(crate) profile: Profiles,
    /// The window that the finding is in, if it is not the default one.
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    pub(crate) since: Option<Timestamp>,
    /// Who you are, as your organisation knows you; the record has a pseudonym of it [default: the environment's USER].
    #[arg(long, value_name = "NAME", env = "USER", hide_env = true)]
    pub(crate) actor: Option<String>,
}

pub(super) fn run(args: &AcceptArgs) -> Result<Verdict, Failure> {
    if args.reason.trim().is_empty() {
        return Err(Failure::new("say why: --reason TEXT"));
    }
    if args.until <= now() {
        return Err(Failure::new("--until is not in the future: the finding would count at once"));
    }
    let rule = rule(&args.finding)?;
    let system = match &args.system {
        Some(system) => system.clone(),
        None => having(args)?,
    };
    let accepted = RiskAccepted {
        system: system.clone(),
        finding: args.finding.clone(),
        rule: ClearName::new(rule.name())?,
        until: args.until,
        reason: args.reason.clone(),
        actor: args.actor.clone(),
    };
    tokio::runtime::Runtime::new()?.block_on(async {
        let mut door = Door::open(&args.open).await?;
        let event: Result<inferlog_record::Id, Failure> = door.ask(Act::AcceptRisk { accepted }).await;
        door.close().await?;
        let until = args.until.to_string();
        writeln!(
            output::stdout(),
            "{} {} of {system} until {}, recorded as event {}",
            styled(GOOD, "accepted"),
            args.finding,
            until.get(..10).unwrap_or(&until),
            event?
        )?;
        Ok(Verdict::Well)
    })
}

/// The rule that a finding's id begins with.
fn rule(finding: &ClearName) -> Result<Rule, Failure> {
    let name = finding.as_str().split('/').next().unwrap_or_default();
    Rule::ALL.iter().find(|rule| rule.name() == name).copied().ok_or_else(|| {
        let names: Vec<&str> = Rule::ALL.iter().map(|rule| rule.name()).collect();
        Failure::new(format!("`{finding}` is no finding's id: it begins with one of {}", names.join(", ")))
    })
}

/// The one system that has the finding.
fn having(args: &AcceptArgs) -> Result<SystemName, Failure> {
    let options = CoverageOptions {
        select: Select::default(),
        since: args.since,
        now: now(),
        profiles: args.profile.clone(),
        ..CoverageOptions::default()
    };
    let report = report(&args.open.dir.data, &options)?;
    let has = |system: &&inferlog_audit::coverage::SystemCoverage| {
        system.findings.iter().any(|finding| finding.id == args.finding.as_str())
    };
    let found: Vec<&str> = report.systems.iter().filter(has).map(|system| system.system.as_str()).collect();
    match found[..] {
        [system] => Ok(SystemName::new(system)?),
        [] => Err(Failure::new(format!(
            "no system has the finding `{}` now: look at `inferlog coverage`, or say --system",
            args.finding
        ))),
        _ => Err(Failure::new(format!("several systems have it, say which: --system {}", found.join(", ")))),
    }
}
