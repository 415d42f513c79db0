//! `inferlog export bundle`: evidence for somebody who trusts nobody.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use inferlog::real_env;
use inferlog_audit::Openings;
use inferlog_bundle::layout::Disclosure;
use inferlog_bundle::write::{Draft, Phase, Selection, Step, WriteError, WriteOptions, Written, select};
use inferlog_record::{DataClass, Id, SystemName, Timestamp};
use serde_json::json;
use tempfile::NamedTempFile;
use tokio::runtime::Runtime;

use super::ids;
use crate::admin::{self, BundleKeys, Disclosing, Reader};
use crate::cli::OpenArgs;
use crate::output::{self, DIM, Failure, GOOD, Verdict, counted, styled};
use crate::when;

/// What the names of unfinished files begin with.
const UNFINISHED_PREFIX: &str = ".inferlog-bundle-";

/// Make an evidence bundle: one file that proves decisions to whoever trusts nobody.
///
/// A ZIP file with the decisions' entries, their proofs under one signed checkpoint, cosignatures and timestamps of others over
/// it, what of the content you disclose, and everything needed to check it offline: `inferlog verify --bundle FILE`, `verify.py`
/// and `report.html` in it. Content that is not disclosed stays proved as a commitment, which says nothing of it. A disclosure is
/// recorded in the log as an access first. Give the recipient the log's verifier key (`inferlog keys vkey`) another way than the
/// bundle. The file appears under its name when it is whole, readable by you alone. docs/bundle.md has every file in it.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct BundleArgs {
    #[command(flatten)]
    open: OpenArgs,
    /// The file; one of this name is replaced.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// This decision; may be given several times.
    #[arg(long, value_name = "ID")]
    decision: Vec<Id>,
    /// The decisions whose ids stand in this file, one a line; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    decisions: Option<PathBuf>,
    /// Decisions that were opened at or after this time: 2026-01-31, 2026-01-31T09:30:00Z, 15m, 2h, 7d.
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    since: Option<Timestamp>,
    /// Decisions that were opened before this time.
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    until: Option<Timestamp>,
    /// Decisions of this system.
    #[arg(long, value_name = "NAME")]
    system: Option<SystemName>,
    /// Decisions in the scope of the holds of this incident.
    #[arg(long, value_name = "ID")]
    incident: Option<Id>,
    /// Disclose content of this role: output.final, input.*, `*` for all; may be given several times. Without, none is.
    #[arg(long, value_name = "ROLE")]
    disclose: Vec<String>,
    /// Disclose content of this class alone; may be given several times: personal, pseudonymous, shared.
    #[arg(long, value_name = "CLASS", requires = "disclose")]
    disclose_class: Vec<DataClass>,
    /// Add the sealed bytes of the content, which say nothing without a key.
    #[arg(long)]
    sealed: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reader: Reader,
}

const EXAMPLES: &str = "\
Examples:
  inferlog export bundle --data /var/lib/inferlog --decision ID --output evidence.zip
  inferlog export bundle --data /var/lib/inferlog --decision ID --disclose '*' --purpose complaint --output full.zip
  inferlog export bundle --data /var/lib/inferlog --system credit --since 2026-01-01 --until 2026-02-01 \\
    --disclose output.final --output january.zip
  inferlog export bundle --data /var/lib/inferlog --incident ID --role auditor --disclose 'input.*' --output incident.zip
  inferlog find --data /var/lib/inferlog --json --outcome failed | jq -r .decision |
    inferlog export bundle --data /var/lib/inferlog --decisions - --output failed.zip

Without --disclose the bundle has who decided what when, by which model, and proofs, but no content:
whoever holds the content elsewhere can show that it is the one recorded.";

pub(super) fn run(args: &BundleArgs) -> Result<Verdict, Failure> {
    let data = &args.open.dir.data;
    admin::require_data(data)?;
    if args.output.as_os_str() == "-" {
        return Err(Failure::new(
            "a bundle is written to a file, not to standard output: its page is made from the file when the rest of it is \
             there; give --output FILE",
        ));
    }
    let disclosure = Disclosure {
        classes: args.disclose_class.iter().map(ToString::to_string).collect(),
        roles: args.disclose.clone(),
        sealed: args.sealed,
    };
    disclosure.check().map_err(Failure::new)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let keys = BundleKeys::open(&args.open, &runtime, !disclosure.roles.is_empty())?;
    let bar = output::progress("looking for the decisions".to_owned());
    let written = make(args, disclosure, &keys, &runtime, &bar);
    bar.finish_and_clear();
    keys.close(&runtime)?;
    let (written, bytes) = match written? {
        Ok(written) => written,
        Err(no) => {
            writeln!(output::stderr(), "{no}")?;
            return Ok(Verdict::No);
        }
    };
    if args.json {
        let mut told = serde_json::to_value(&written)?;
        told["bytes"] = bytes.into();
        told["output"] = json!(args.output);
        writeln!(output::stdout(), "{told}")?;
    } else {
        say(args, &written, bytes)?;
    }
    Ok(Verdict::Well)
}

/// A bundle that was made for an incident.
pub(crate) struct Bundled {
    pub(crate) decisions: u64,
    pub(crate) bytes: u64,
}

/// Makes a bundle of the decisions that an incident's holds freeze, with nothing disclosed; or says why there is none.
pub(crate) fn of_incident(
    open: &OpenArgs,
    incident: Id,
    output: &Path,
) -> Result<Result<Bundled, String>, Failure> {
    let args = BundleArgs {
        open: open.clone(),
        output: output.to_owned(),
        decision: Vec::new(),
        decisions: None,
        since: None,
        until: None,
        system: None,
        incident: Some(incident),
        disclose: Vec::new(),
        disclose_class: Vec::new(),
        sealed: false,
        json: false,
        reader: Reader::default(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let keys = BundleKeys::open(open, &runtime, false)?;
    let bar = output::progress("looking for the decisions".to_owned());
    let disclosure = Disclosure { classes: Vec::new(), roles: Vec::new(), sealed: false };
    let written = make(&args, disclosure, &keys, &runtime, &bar);
    bar.finish_and_clear();
    keys.close(&runtime)?;
    Ok(written?.map(|(written, bytes)| Bundled { decisions: written.decisions, bytes }))
}

/// Writes the file; what was written, and its length in bytes, or why the answer is no.
fn make(
    args: &BundleArgs,
    disclosure: Disclosure,
    keys: &BundleKeys,
    runtime: &Runtime,
    bar: &ProgressBar,
) -> Result<Result<(Written, u64), String>, Failure> {
    let (data, fs) = (&args.open.dir.data, real_env().fs);
    let style = ProgressStyle::with_template("{msg} {bar:40} {percent} %  {eta} left")?;
    let mut progress = |step: Step| tell(bar, &style, step);
    let decisions = chosen(args, &mut progress)?;
    let discloses = !disclosure.roles.is_empty();
    let build = concat!("inferlog/", env!("CARGO_PKG_VERSION")).to_owned();
    let options = WriteOptions { decisions, disclosure, build };
    let draft = match Draft::new(&fs, data, &options, &mut progress) {
        Err(WriteError::NoDecision(id)) => {
            return Ok(Err(format!("There is no decision {id} in {}.", data.display())));
        }
        Err(WriteError::NoDecisions) => {
            return Ok(Err(format!("There is no such decision in {}.", data.display())));
        }
        other => other?,
    };
    if discloses {
        let (reader, decisions) = (args.reader.clone(), draft.systems());
        let selection = format!("export bundle {}", described(args));
        keys.disclose(Disclosing { reader, decisions, selection }, runtime)?;
    }
    let mut file = NewFile::create(&args.output)?;
    let openings = discloses.then_some(keys as &dyn Openings);
    let written = draft.write(openings, keys, file.file(), &mut progress)?;
    let bytes = file.finish(&args.output)?;
    Ok(Ok((written, bytes)))
}

/// The decisions that are named, and those that are found.
fn chosen(args: &BundleArgs, progress: &mut dyn FnMut(Step)) -> Result<Vec<Id>, Failure> {
    let mut chosen = args.decision.clone();
    if let Some(path) = &args.decisions {
        chosen.extend(ids(path)?);
    }
    let BundleArgs { system, since, until, incident, .. } = args;
    let selection = Selection { system: system.clone(), since: *since, until: *until, incident: *incident };
    let is_named = !args.decision.is_empty() || args.decisions.is_some();
    if selection.is_empty() && !is_named {
        return Err(Failure::new(
            "say which decisions: --decision ID, --decisions FILE, --since TIME, --until TIME, --system NAME or --incident ID",
        ));
    }
    if !selection.is_empty() {
        chosen.extend(select(&real_env().fs, &args.open.dir.data, &selection, progress)?);
    }
    Ok(chosen)
}

/// What was asked for, for the record of the disclosure.
fn described(args: &BundleArgs) -> serde_json::Value {
    json!({
        "classes": args.disclose_class.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "decisions": args.decision.len(),
        "incident": args.incident,
        "roles": args.disclose,
        "since": args.since,
        "system": args.system,
        "until": args.until,
    })
}

fn tell(bar: &ProgressBar, style: &ProgressStyle, step: Step) {
    let what = match step.phase {
        Phase::Searching => "searching the log",
        Phase::Reading => "reading decisions",
        Phase::Writing => "proving and writing",
        Phase::Judging => "judging the coverage",
        Phase::Report => "making the page",
    };
    if bar.message() != what {
        bar.set_style(style.clone());
        bar.set_message(what);
        bar.reset_eta();
    }
    bar.set_length(step.total);
    bar.set_position(step.done);
}

fn say(args: &BundleArgs, written: &Written, bytes: u64) -> Result<(), Failure> {
    let mut out = output::stdout();
    let what = format!("{} in {}", counted(written.decisions, "decision"), args.output.display());
    writeln!(out, "{} {what} ({} KiB)", styled(GOOD, "bundle:"), bytes.div_ceil(1024))?;
    for log in &written.logs {
        writeln!(out, "  under the checkpoint of {} entries of {}", log.size, log.origin)?;
        let (cosigned, stamped) = (log.cosignatures as u64, log.timestamps as u64);
        let others = format!("{}, {}", counted(cosigned, "cosignature"), counted(stamped, "timestamp"));
        writeln!(out, "  {}", styled(DIM, format!("  {others} over it")))?;
    }
    let content = match (written.disclosed, written.payloads) {
        (0, all) => format!("{} committed to, none disclosed", counted(all, "payload")),
        (some, all) => format!("{some} of {} disclosed, which the log now says", counted(all, "payload")),
    };
    writeln!(out, "  {content}")?;
    if written.shared > 0 {
        writeln!(out, "  {} of registered prompts and tools", counted(written.shared, "file"))?;
    }
    if written.erased > 0 {
        writeln!(out, "  {} erased before: nobody can disclose it", counted(written.erased, "payload"))?;
    }
    for (what, count) in &written.left_out {
        writeln!(out, "  left out: {count} {what}")?;
    }
    writeln!(out, "check it: inferlog verify --bundle {} --key VKEY", args.output.display())?;
    Ok(())
}

/// A file that is written beside its place, readable by its owner alone.
struct NewFile(NamedTempFile);

impl NewFile {
    fn create(place: &Path) -> Result<Self, Failure> {
        let file = tempfile::Builder::new().prefix(UNFINISHED_PREFIX).tempfile_in(parent(place));
        file.map(Self).map_err(|error| failed(place, &error))
    }

    fn file(&mut self) -> &mut File {
        self.0.as_file_mut()
    }

    /// Gives the file its name, and says how long it is. A crash before leaves the name as it was, and a file whose name says
    /// that it means nothing; after, the file is whole.
    fn finish(self, place: &Path) -> Result<u64, Failure> {
        let finished = || {
            self.0.as_file().sync_all()?;
            let bytes = self.0.as_file().metadata()?.len();
            self.0.persist(place).map_err(|error| error.error)?;
            File::open(parent(place))?.sync_all()?;
            Ok(bytes)
        };
        finished().map_err(|error| failed(place, &error))
    }
}

fn failed(place: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot write {}: {error}", place.display()))
}

fn parent(place: &Path) -> &Path {
    match place.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
