//! `inferlog models`: registered models.

use std::io::Write;
use std::path::Path;

use clap::{Args, Subcommand};
use indicatif::{ProgressDrawTarget, ProgressStyle};
use inferlog_record::{ClearName, Digest};
use inferlog_registry::{Entry, EntryKind, Files, Hashed, Registration, Snapshot, What};
use serde_json::{Value, json};

use super::registered::{self, short, when};
use crate::cli::DataArg;
use crate::mlflow;
use crate::output::{self, Failure, Verdict};

/// Register models, list and show them, import them from MLflow.
#[derive(Args)]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    pub(crate) command: ModelsCommand,
}

#[derive(Subcommand)]
pub(crate) enum ModelsCommand {
    Add(AddArgs),
    Import(ImportArgs),
    List(ListArgs),
    Show(ShowArgs),
}

/// Register a model.
///
/// A decision of this model in this version has its digest in the record. The digest of a file is its SHA-256; that of a directory
/// the SHA-256 of a manifest of all its files, which is kept. A version's digest never changes; one that was not known may
/// become known. Works while `serve` runs.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog models add --data /var/lib/inferlog credit --version 3 --location /models/credit/3
  inferlog models add --data /var/lib/inferlog llama --version 3.1 --location s3://models/llama --digest \"$(cat llama.sha256)\"")]
pub(crate) struct AddArgs {
    #[command(flatten)]
    pub(crate) dir: DataArg,
    /// Its name, as requests and answers call it: letters, digits and . _ : / @ -.
    #[arg(value_name = "NAME")]
    pub(crate) name: ClearName,
    /// Its version, as answers call it [default: the next number]
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<ClearName>,
    /// Where it is; the digest of a path that exists is computed.
    #[arg(long, value_name = "PATH|URL")]
    pub(crate) location: String,
    /// Its SHA-256; compared with what the path holds, if that exists.
    #[arg(long, value_name = "SHA256")]
    pub(crate) digest: Option<Digest>,
    /// Another word for this version, from now on; may be given several times.
    #[arg(long, value_name = "WORD")]
    pub(crate) alias: Vec<ClearName>,
    /// Print one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Import the registered models of an MLflow server.
///
/// Every version of every model becomes a version here, located where MLflow has it; the digest is computed where that is a path
/// on this machine. Aliases become what they are there. Do it again at any time: what is here already stays. The exit status
/// is 1 if some could not be registered. The server is asked with MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and
/// MLFLOW_TRACKING_PASSWORD, if these are set.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog models import --data /var/lib/inferlog --mlflow http://mlflow:5000 --name credit")]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    pub(crate) dir: DataArg,
    /// The server.
    #[arg(long, value_name = "URL")]
    pub(crate) mlflow: String,
    /// Only this model.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<ClearName>,
    /// Print one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// List all models.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog models list --data /var/lib/inferlog")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) dir: DataArg,
    /// Print one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Print what is known of a model, and the manifest of its files.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog models show --data /var/lib/inferlog credit@champion")]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) dir: DataArg,
    /// Which; without a version the one registered last.
    #[arg(value_name = "NAME[@VERSION|@ALIAS]")]
    pub(crate) model: String,
    /// Print it on one line.
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(args: ModelsArgs) -> Result<Verdict, Failure> {
    match args.command {
        ModelsCommand::Add(args) => add(args),
        ModelsCommand::Import(args) => {
            let known = registered::load(&args.dir.data)?;
            let found = mlflow::read(&args.mlflow, args.name.as_ref(), &known)?;
            let verdict = registered::add(&args.dir.data, found.registrations, args.json)?;
            Ok(if found.left_out == 0 { verdict } else { Verdict::No })
        }
        ModelsCommand::List(args) => list(&args),
        ModelsCommand::Show(args) => show(&args),
    }
}

fn add(args: AddArgs) -> Result<Verdict, Failure> {
    let path = Path::new(&args.location);
    let (mut location, mut digest, mut manifest) = (args.location.clone(), args.digest, None);
    if !args.location.contains("://") {
        // The process that serves may stand in another directory.
        location = std::path::absolute(path)?.display().to_string();
        if path.exists() || digest.is_none() {
            let hashed = hash(path)?;
            if digest.is_some_and(|digest| digest != hashed.digest) {
                return Err(Failure::new(format!("{location} has the digest {}", hashed.digest)));
            }
            (digest, manifest) = (Some(hashed.digest), hashed.manifest);
        }
    }
    let what = What::Model { digest, location, source: None, manifest };
    let model = Registration { name: args.name.clone(), version: args.version.clone(), what };
    if args.alias.is_empty() {
        return registered::add(&args.dir.data, vec![model], args.json);
    }
    let Some(version) = args.version else {
        return Err(Failure::new("an alias stands for a version: give it with --version"));
    };
    let aliases = args.alias.into_iter().map(|alias| Registration {
        name: args.name.clone(),
        version: Some(version.clone()),
        what: What::Alias { alias },
    });
    registered::add(&args.dir.data, std::iter::once(model).chain(aliases).collect(), args.json)
}

/// The digest of a file or directory, with a progress bar if somebody watches.
pub(crate) fn hash(path: &Path) -> Result<Hashed, Failure> {
    let files = Files::find(path)?;
    let bar = output::progress(path.display().to_string());
    bar.set_draw_target(match output::is_watched() {
        true => ProgressDrawTarget::stderr_with_hz(10),
        false => ProgressDrawTarget::hidden(),
    });
    bar.set_length(files.bytes());
    bar.set_style(ProgressStyle::with_template(
        "hashing {msg} {bar:40} {percent} %  {binary_bytes_per_sec}  {eta} left",
    )?);
    let hashed = files.hash(&mut |bytes| bar.inc(bytes));
    bar.finish_and_clear();
    Ok(hashed?)
}

fn list(args: &ListArgs) -> Result<Verdict, Failure> {
    let snapshot = registered::load(&args.dir.data)?;
    let mut rows = Vec::new();
    for entry in registered::list(&snapshot, EntryKind::Model) {
        let Entry::Model(model) = entry else { continue };
        let aliases = snapshot.aliases(model.name.as_str(), model.version.as_str());
        if args.json {
            writeln!(output::stdout(), "{}", registered::to_json(entry, &[("aliases", json!(aliases))])?)?;
        }
        rows.push(vec![
            model.name.to_string(),
            model.version.to_string(),
            aliases.join(" "),
            model.digest.map_or("unknown".into(), short),
            when(model.added_at),
            model.location.clone(),
        ]);
    }
    if !args.json {
        registered::table(&["NAME", "VERSION", "ALIASES", "DIGEST", "ADDED", "LOCATION"], &rows)?;
    }
    Ok(Verdict::Well)
}

fn show(args: &ShowArgs) -> Result<Verdict, Failure> {
    let snapshot = registered::load(&args.dir.data)?;
    let entry = registered::resolve(&snapshot, EntryKind::Model, &args.model)?;
    let told = registered::to_json(entry, &describe(&snapshot, entry)?)?;
    match args.json {
        true => writeln!(output::stdout(), "{told}")?,
        false => writeln!(output::stdout(), "{}", serde_json::to_string_pretty(&told)?)?,
    }
    Ok(Verdict::Well)
}

fn describe(snapshot: &Snapshot, entry: &Entry) -> Result<Vec<(&'static str, Value)>, Failure> {
    let Entry::Model(model) = entry else { return Ok(Vec::new()) };
    let aliases = snapshot.aliases(model.name.as_str(), model.version.as_str());
    let mut more = vec![("aliases", json!(aliases))];
    if let Some(manifest) = model.sha256 {
        more.push(("manifest", serde_json::from_slice(&snapshot.object(manifest)?)?));
    }
    Ok(more)
}
