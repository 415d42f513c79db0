//! `inferlog prompts`: registered prompts.

use std::io::Write;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use inferlog_record::ClearName;
use inferlog_record::body::PromptRole;
use inferlog_registry::{Entry, EntryKind, PromptEntry, Registration, Snapshot, What};
use serde_json::json;

use super::registered::{self, short, when};
use crate::cli::DataArg;
use crate::output::{self, Failure, Verdict};

/// Register prompts, list, show and compare them.
#[derive(Args)]
pub(crate) struct PromptsArgs {
    #[command(subcommand)]
    pub(crate) command: PromptsCommand,
}

#[derive(Subcommand)]
pub(crate) enum PromptsCommand {
    Add(AddArgs),
    List(ListArgs),
    Show(ShowArgs),
    Diff(DiffArgs),
}

/// Register a prompt: a text, or a template of texts.
///
/// A decision whose prompt is this very text, or this template with values, is linked to it by name, version and SHA-256. In a
/// template {{name}} stands for any text, and for the same one wherever it returns; \{{ stands for {{. A version never
/// changes: another text needs another version, and the same text again changes nothing. Works while `serve` runs.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog prompts add --data /var/lib/inferlog --role system greeting greeting.txt
  inferlog prompts add --data /var/lib/inferlog --version 2026-07 --literal few-shot examples.json")]
pub(crate) struct AddArgs {
    #[command(flatten)]
    pub(crate) dir: DataArg,
    /// Its name: letters, digits and . _ : / @ -, as it will stand in records.
    #[arg(value_name = "NAME")]
    pub(crate) name: ClearName,
    /// The text, byte for byte as the model is sent it; - for standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Its version [default: the next number]
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<ClearName>,
    /// Whose words they are.
    #[arg(long, value_name = "ROLE", value_parser = PossibleValuesParser::new(["system", "developer", "user", "few_shot"]))]
    pub(crate) role: Option<String>,
    /// Take {{ for what it is: the text is no template.
    #[arg(long)]
    pub(crate) literal: bool,
    /// Leave out the line ends at the end of the file.
    #[arg(long)]
    pub(crate) trim: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// List all prompts.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog prompts list --data /var/lib/inferlog")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) dir: DataArg,
    /// Print one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Print a prompt's text, byte for byte.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog prompts show --data /var/lib/inferlog greeting@2")]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) dir: DataArg,
    /// Which; without a version the one registered last.
    #[arg(value_name = "NAME[@VERSION]")]
    pub(crate) prompt: String,
    /// Print one JSON object, with the text and all that is known of it.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Compare two prompts, line by line.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog prompts diff --data /var/lib/inferlog greeting@1 greeting@2")]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) dir: DataArg,
    /// The one.
    #[arg(value_name = "NAME[@VERSION]")]
    pub(crate) old: String,
    /// The other.
    #[arg(value_name = "NAME[@VERSION]")]
    pub(crate) new: String,
}

pub(crate) fn run(args: PromptsArgs) -> Result<Verdict, Failure> {
    match args.command {
        PromptsCommand::Add(args) => add(args),
        PromptsCommand::List(args) => list(&args),
        PromptsCommand::Show(args) => show(&args),
        PromptsCommand::Diff(args) => diff(&args),
    }
}

fn add(args: AddArgs) -> Result<Verdict, Failure> {
    let mut text = registered::read(&args.file)?;
    if args.trim {
        text.truncate(text.trim_end_matches(['\r', '\n']).len());
    }
    let role = args.role.map(|role| role.parse::<PromptRole>()).transpose()?;
    let what = What::Prompt { text, role, literal: args.literal };
    let registration = Registration { name: args.name, version: args.version, what };
    registered::add(&args.dir.data, vec![registration], args.json)
}

fn list(args: &ListArgs) -> Result<Verdict, Failure> {
    let snapshot = registered::load(&args.dir.data)?;
    let mut rows = Vec::new();
    for entry in registered::list(&snapshot, EntryKind::Prompt) {
        let Entry::Prompt(prompt) = entry else { continue };
        if args.json {
            let variables = json!(snapshot.variables(prompt));
            writeln!(output::stdout(), "{}", registered::to_json(entry, &[("variables", variables)])?)?;
        }
        rows.push(vec![
            prompt.name.to_string(),
            prompt.version.to_string(),
            prompt.role.map_or("-", PromptRole::as_str).to_owned(),
            prompt.size.to_string(),
            short(prompt.sha256),
            when(prompt.added_at),
            snapshot.variables(prompt).join(" "),
        ]);
    }
    if !args.json {
        registered::table(&["NAME", "VERSION", "ROLE", "BYTES", "SHA-256", "ADDED", "VARIABLES"], &rows)?;
    }
    Ok(Verdict::Well)
}

fn find<'s>(snapshot: &'s Snapshot, at: &str) -> Result<(&'s Entry, &'s PromptEntry, String), Failure> {
    match registered::resolve(snapshot, EntryKind::Prompt, at)? {
        entry @ Entry::Prompt(prompt) => Ok((entry, prompt, snapshot.text(prompt.sha256)?)),
        _ => Err(Failure::new(format!("{at} is no prompt"))),
    }
}

fn show(args: &ShowArgs) -> Result<Verdict, Failure> {
    let snapshot = registered::load(&args.dir.data)?;
    let (entry, prompt, text) = find(&snapshot, &args.prompt)?;
    if args.json {
        let more = [("text", json!(text)), ("variables", json!(snapshot.variables(prompt)))];
        writeln!(output::stdout(), "{}", registered::to_json(entry, &more)?)?;
    } else {
        output::stdout().write_all(text.as_bytes())?;
    }
    Ok(Verdict::Well)
}

fn diff(args: &DiffArgs) -> Result<Verdict, Failure> {
    let snapshot = registered::load(&args.dir.data)?;
    let (old, new) = (find(&snapshot, &args.old)?, find(&snapshot, &args.new)?);
    registered::diff((old.0, &old.2), (new.0, &new.2))?;
    Ok(Verdict::Well)
}
