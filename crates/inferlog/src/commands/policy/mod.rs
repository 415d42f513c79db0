//! `inferlog policy`: say what a system keeps, for how long, and what of it is personal.

mod explain;
mod serving;
mod set;
mod show;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use inferlog_policy::{Finding, PRESETS, Policy, PolicyError, Severity};
use inferlog_record::SystemName;
use serde_json::json;

use crate::cli::OpenArgs;
use crate::output::{self, BAD, DIM, Failure, GOOD, Verdict, styled};

pub(crate) use serving::{configured, without_policy};

/// Say what a system keeps, for how long, and what of it is personal.
#[derive(Args)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    pub(crate) command: PolicyCommand,
}

#[derive(Subcommand)]
pub(crate) enum PolicyCommand {
    Check(CheckArgs),
    Explain(ExplainArgs),
    Set(SetArgs),
    Show(ShowArgs),
    Presets(PresetsArgs),
}

/// Say what speaks against a policy: the law, or the policy itself.
///
/// A floor below the legal one is refused, unless the policy says who answers for it; so are rules that contradict each other. The
/// exit status is 1 if the policy would not be put in force.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog policy check credit.toml")]
pub(crate) struct CheckArgs {
    /// The policy; - for standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Say in plain words what follows from a policy.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog policy explain credit.toml
  inferlog policy explain --system credit-scoring --data /var/lib/inferlog --html policy.html")]
pub(crate) struct ExplainArgs {
    /// The policy; - for standard input.
    #[arg(value_name = "FILE", required_unless_present = "system", conflicts_with_all = ["system", "data"])]
    pub(crate) file: Option<PathBuf>,
    /// The system whose policy in force is explained.
    #[arg(long, value_name = "NAME", requires = "data")]
    pub(crate) system: Option<SystemName>,
    /// The data directory.
    #[arg(long, value_name = "DIR", env = "INFERLOG_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// Write a page to this file, to be read in a browser or printed.
    #[arg(long, value_name = "OUT")]
    pub(crate) html: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Register a policy and put it in force, for what is recorded from now on.
///
/// Each version is registered once and never changes. The log says what was in force before and what is now. Works while `serve` runs.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog policy set credit.toml --data /var/lib/inferlog")]
pub(crate) struct SetArgs {
    /// The policy; - for standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) open: OpenArgs,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Print policies that are, or were, in force.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog policy show --data /var/lib/inferlog
  inferlog policy show --data /var/lib/inferlog --system credit-scoring > credit.toml")]
pub(crate) struct ShowArgs {
    /// The data directory.
    #[arg(long, value_name = "DIR", env = "INFERLOG_DATA")]
    pub(crate) data: PathBuf,
    /// Print the text of this system's policy, byte for byte.
    #[arg(long, value_name = "NAME")]
    pub(crate) system: Option<SystemName>,
    /// List every version, oldest first.
    #[arg(long)]
    pub(crate) history: bool,
    /// Print one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// List policies to begin with, or print one: examples to edit, to be checked by your counsel.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog policy presets high-risk > policy.toml")]
pub(crate) struct PresetsArgs {
    /// Which to print.
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
}

pub(crate) fn run(args: &PolicyArgs) -> Result<Verdict, Failure> {
    match &args.command {
        PolicyCommand::Check(args) => check(args),
        PolicyCommand::Explain(args) => explain::run(args),
        PolicyCommand::Set(args) => set::run(args),
        PolicyCommand::Show(args) => show::run(args),
        PolicyCommand::Presets(args) => presets(args),
    }
}

fn check(args: &CheckArgs) -> Result<Verdict, Failure> {
    let text = super::registered::read(&args.file)?;
    let parsed = Policy::parse(&text);
    let findings = parsed.as_ref().map_or_else(|_| Vec::new(), Policy::check);
    let is_well = parsed.is_ok() && findings.iter().all(|finding| finding.severity != Severity::Refused);
    if args.json {
        let error = parsed
            .as_ref()
            .err()
            .map(|error| json!({"line": error.line, "key": error.key, "what": error.what}));
        let told = json!({ "ok": is_well, "error": error, "findings": findings });
        writeln!(output::stdout(), "{told}")?;
    } else {
        match &parsed {
            Ok(policy) => {
                print(&findings)?;
                conclude(policy, is_well)?;
            }
            Err(error) => unreadable(args, error)?,
        }
    }
    Ok(if is_well { Verdict::Well } else { Verdict::No })
}

fn unreadable(args: &CheckArgs, error: &PolicyError) -> Result<(), Failure> {
    Ok(writeln!(output::stdout(), "{} {}: {error}", styled(BAD, "refused"), args.file.display())?)
}

fn conclude(policy: &Policy, is_well: bool) -> Result<(), Failure> {
    let mut out = output::stdout();
    let id = policy.id();
    match is_well {
        true => writeln!(out, "{} {id} may be put in force", styled(GOOD, "ok"))?,
        false => writeln!(out, "{} {id} is not put in force as it is", styled(BAD, "refused"))?,
    }
    Ok(())
}

/// Prints what was found in a policy, each where it is and what it rests on.
fn print(findings: &[Finding]) -> Result<(), Failure> {
    let mut out = output::stdout();
    for Finding { severity, place, what, source } in findings {
        let style = match severity {
            Severity::Refused => BAD,
            Severity::Warning => output::BOLD,
            Severity::Note => DIM,
        };
        let word = format!("{:7}", severity.as_str());
        writeln!(out, "{} {place}: {what} {}", styled(style, word), styled(DIM, format!("({source})")))?;
    }
    Ok(())
}

fn presets(args: &PresetsArgs) -> Result<Verdict, Failure> {
    let mut out = output::stdout();
    let Some(name) = &args.name else {
        let rows: Vec<_> =
            PRESETS.iter().map(|preset| vec![preset.name.to_owned(), preset.about.to_owned()]).collect();
        super::registered::table(&["NAME", "FOR"], &rows)?;
        writeln!(
            out,
            "\nExamples to edit, to be checked by your counsel: inferlog policy presets NAME > policy.toml"
        )?;
        return Ok(Verdict::Well);
    };
    let Some(preset) = PRESETS.iter().find(|preset| preset.name == name) else {
        let known: Vec<_> = PRESETS.iter().map(|preset| preset.name).collect();
        return Err(Failure::new(format!("there is no preset {name}; there are: {}", known.join(", "))));
    };
    out.write_all(preset.text.as_bytes())?;
    Ok(Verdict::Well)
}
