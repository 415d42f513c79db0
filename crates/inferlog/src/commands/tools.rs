//! `inferlog tools`: registered tools.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use inferlog_record::ClearName;
use inferlog_registry::{Entry, EntryKind, Registration, Snapshot};
use serde_json::{Value, json};

use super::registered::{self, short, when};
use crate::cli::DataArg;
use crate::output::{self, Failure, Verdict};

/// Register tools, list, show and compare them.
#[derive(Args)]
pub(crate) struct ToolsArgs {
    #[command(subcommand)]
    pub(crate) command: ToolsCommand,
}

#[derive(Subcommand)]
pub(crate) enum ToolsCommand {
    Add(AddArgs),
    List(ListArgs),
    Show(ShowArgs),
    Diff(DiffArgs),
}

/// Register one tool, or a list of tools, as the model is offered them.
///
/// A request that offers the same is linked to it by name, version and SHA-256, whatever its spacing and order of keys; the order
/// of a list counts. A version never changes: other tools need another version, and the same again changes nothing. Works
/// while `serve` runs.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog tools add --data /var/lib/inferlog lending-tools tools.json")]
pub(crate) struct AddArgs {
    #[command(flatten)]
    pub(crate) dir: DataArg,
    /// Their name: letters, digits and . _ : / @ -, as it will stand in records.
    #[arg(value_name = "NAME")]
    pub(crate) name: ClearName,
    /// Their JSON: an object for one tool, else a list of objects; - for standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Their version [default: the next number]
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<ClearName>,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// List all tools.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog tools list --data /var/lib/inferlog")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) dir: DataArg,
    /// Print one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Print the JSON of tools.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog tools show --data /var/lib/inferlog lending-tools@2")]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) dir: DataArg,
    /// Which; without a version the ones registered last.
    #[arg(value_name = "NAME[@VERSION]")]
    pub(crate) tools: String,
    /// Print one JSON object, with the tools and all that is known of them.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Compare two versions of tools, line by line.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog tools diff --data /var/lib/inferlog lending-tools@1 lending-tools@2")]
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

pub(crate) fn run(args: ToolsArgs) -> Result<Verdict, Failure> {
    match args.command {
        ToolsCommand::Add(args) => {
            let registration = Registration::tools(args.name, args.version, registered::read(&args.file)?);
            registered::add(&args.dir.data, vec![registration], args.json)
        }
        ToolsCommand::List(args) => list(&args),
        ToolsCommand::Show(args) => show(&args),
        ToolsCommand::Diff(args) => {
            let snapshot = registered::load(&args.dir.data)?;
            let (old, new) = (find(&snapshot, &args.old)?, find(&snapshot, &args.new)?);
            registered::diff((old.0, &pretty(&old.1)?), (new.0, &pretty(&new.1)?))?;
            Ok(Verdict::Well)
        }
    }
}

fn list(args: &ListArgs) -> Result<Verdict, Failure> {
    let snapshot = registered::load(&args.dir.data)?;
    let mut rows = Vec::new();
    for entry in registered::list(&snapshot, EntryKind::Tools) {
        let Entry::Tools(tools) = entry else { continue };
        let names = names(&serde_json::from_slice(&snapshot.object(tools.sha256)?)?);
        if args.json {
            writeln!(output::stdout(), "{}", registered::to_json(entry, &[("names", json!(names))])?)?;
        }
        rows.push(vec![
            tools.name.to_string(),
            tools.version.to_string(),
            tools.size.to_string(),
            short(tools.sha256),
            when(tools.added_at),
            names.join(" "),
        ]);
    }
    if !args.json {
        registered::table(&["NAME", "VERSION", "BYTES", "SHA-256", "ADDED", "TOOLS"], &rows)?;
    }
    Ok(Verdict::Well)
}

fn show(args: &ShowArgs) -> Result<Verdict, Failure> {
    let snapshot = registered::load(&args.dir.data)?;
    let (entry, tools) = find(&snapshot, &args.tools)?;
    match args.json {
        true => writeln!(output::stdout(), "{}", registered::to_json(entry, &[("tools", tools)])?)?,
        false => output::stdout().write_all(pretty(&tools)?.as_bytes())?,
    }
    Ok(Verdict::Well)
}

fn find<'s>(snapshot: &'s Snapshot, at: &str) -> Result<(&'s Entry, Value), Failure> {
    match registered::resolve(snapshot, EntryKind::Tools, at)? {
        entry @ Entry::Tools(tools) => Ok((entry, serde_json::from_slice(&snapshot.object(tools.sha256)?)?)),
        _ => Err(Failure::new(format!("{at} are no tools"))),
    }
}

fn pretty(tools: &Value) -> Result<String, Failure> {
    Ok(serde_json::to_string_pretty(tools)? + "\n")
}

/// What the tools call themselves, in the forms of OpenAI (`function.name`) and the others (`name`).
fn names(tools: &Value) -> Vec<String> {
    let list = tools.as_array().map_or(std::slice::from_ref(tools), Vec::as_slice);
    let name = |tool: &Value| Some(tool.pointer("/function/name").or(tool.get("name"))?.as_str()?.to_owned());
    list.iter().map(|tool| name(tool).unwrap_or_else(|| "-".into())).collect()
}
