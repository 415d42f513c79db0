//! `inferlog subject export`: a person's own data, in files that they can read.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Seek, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use inferlog::real_env;
use inferlog_audit::person::{
    PersonIndex, PersonRow, Personal, index_foot, index_head, index_row, is_shared,
};
use inferlog_audit::{Openings, ScanLocator, Select, Story, StoryOptions, about, story};
use inferlog_disk::Fs;
use inferlog_record::body::{AccessPurpose, AccessRole};
use inferlog_record::{Id, Pseudonym, SystemName, Timestamp};
use serde::Serialize;
use serde_json::Value;
use tempfile::SpooledTempFile;
use tokio::runtime::Runtime;

use super::package::Package;
use super::whom::Whom;
use crate::admin::{Act, Door, ExportOpenings, Known, Reader, SubjectAct, words};
use crate::cli::OpenArgs;
use crate::output::{self, DIM, Failure, GOOD, Verdict, counted, styled};

/// Decisions whose places are held in memory at a time; the log is read once for so many.
const CHUNK_DECISIONS: usize = 65_536;
/// Bytes of the list that are held in memory.
const LIST_BYTES_MAX: usize = 1 << 20;
/// The version of the files' form.
const FORMAT: u32 = 1;

/// Give a person their own data: every decision about them, its contents opened.
///
/// Writes a JSON file for each decision and a list of them, with --html pages too. Before anything is opened it is recorded as an
/// access, for the purpose subject_request. Contents are held against the log. Pseudonyms of others are masked; a decision that is
/// about others too is in the list, with its clear fields, but its contents are left out unless you say --include-shared. Read what you
/// give away: a content may speak of others without the record knowing. What was erased is not there, and says so. The files
/// appear under their name when they are whole, readable by you alone. The exit status is 1 if nobody of that name is known.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog subject export --data /var/lib/inferlog --subject 4711 --out person.zip --html
  echo 4711 | inferlog subject export --data /var/lib/inferlog --subject-file - --out person
  inferlog subject export --data /var/lib/inferlog --subject-file value.txt --system credit --include-shared --out p.zip")]
pub(super) struct ExportArgs {
    #[command(flatten)]
    open: OpenArgs,
    #[command(flatten)]
    whom: Whom,
    /// Only from this system [default: from all].
    #[arg(long, value_name = "NAME")]
    system: Option<SystemName>,
    /// The directory, which must not be there or be empty; or, if it ends in .zip, the file.
    #[arg(long, value_name = "DIR|FILE.zip")]
    out: PathBuf,
    /// Give the contents of decisions that are about others too.
    #[arg(long)]
    include_shared: bool,
    /// Add pages to read in a browser: index.html and one for each decision.
    #[arg(long)]
    html: bool,
    /// Print JSON: what was written.
    #[arg(long)]
    json: bool,
    /// In which role you answer the person; stands in the record, as do the next two.
    #[arg(long, default_value = "compliance", value_parser = words::<AccessRole>(AccessRole::TEXTS))]
    role: AccessRole,
    /// For what purpose.
    #[arg(long, default_value = "subject_request", value_parser = words::<AccessPurpose>(AccessPurpose::TEXTS))]
    purpose: AccessPurpose,
    /// Who you are, as your organisation knows you; the record has a pseudonym of it [default: the environment's USER].
    #[arg(long, value_name = "NAME", env = "USER", hide_env = true)]
    actor: Option<String>,
}

/// What was written.
#[derive(Debug, Serialize)]
struct Done {
    decisions: u64,
    shared: u64,
    withheld: u64,
    contents: u64,
    /// Contents that are not given, by what stands in their place.
    not_given: BTreeMap<String, u64>,
    persons: Vec<Known>,
    out: PathBuf,
}

pub(super) fn run(args: &ExportArgs) -> Result<Verdict, Failure> {
    let value = args.whom.value()?.ok_or_else(|| {
        Failure::new("say whose data: --subject VALUE, or --subject-file FILE (`-` is standard input)")
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut door = runtime.block_on(Door::open(&args.open))?;
    let asked = Act::Subject(SubjectAct::Find { value, system: args.system.clone() });
    let known: Result<Vec<Known>, Failure> = runtime.block_on(async {
        door.ask::<Value>(Act::Checkpoint).await?;
        door.ask(asked).await
    });
    let openings = ExportOpenings::new(door, runtime.handle());
    let done = known.and_then(|known| match known.is_empty() {
        true => Ok(None),
        false => export(args, known, &openings, &runtime).map(Some),
    });
    runtime.block_on(openings.close())?;
    let Some(done) = done? else {
        let whom = "This person is not known here, or was erased before: there is nothing to give.";
        match args.json {
            true => writeln!(output::stdout(), "{}", serde_json::json!({ "decisions": 0, "persons": [] }))?,
            false => writeln!(output::stdout(), "{whom}")?,
        }
        return Ok(Verdict::No);
    };
    match args.json {
        true => writeln!(output::stdout(), "{}", serde_json::to_string(&done)?)?,
        false => say(&done)?,
    }
    Ok(Verdict::Well)
}

fn export(
    args: &ExportArgs,
    known: Vec<Known>,
    openings: &ExportOpenings,
    runtime: &Runtime,
) -> Result<Done, Failure> {
    let bar = output::progress("looking for decisions".to_owned());
    let mut job = Job {
        args,
        fs: real_env().fs,
        openings,
        runtime,
        bar: &bar,
        package: Package::create(&args.out)?,
        list: SpooledTempFile::new(LIST_BYTES_MAX),
        done: Done {
            decisions: 0,
            shared: 0,
            withheld: 0,
            contents: 0,
            not_given: BTreeMap::new(),
            persons: known,
            out: args.out.clone(),
        },
    };
    for person in job.done.persons.clone() {
        job.person(&person)?;
    }
    let done = job.finish();
    bar.finish_and_clear();
    done
}

/// An export under way.
struct Job<'a> {
    args: &'a ExportArgs,
    fs: std::sync::Arc<dyn Fs>,
    openings: &'a ExportOpenings,
    runtime: &'a Runtime,
    bar: &'a ProgressBar,
    package: Package,
    /// Rows of the list, one a line.
    list: SpooledTempFile,
    done: Done,
}

impl Job<'_> {
    /// All decisions about the person in one system.
    fn person(&mut self, person: &Known) -> Result<(), Failure> {
        let (data, select) = (&self.args.open.dir.data, Select::system(person.system.as_str()));
        self.bar.set_style(ProgressStyle::with_template("{msg} {bar:40} {percent} %  {eta} left")?);
        self.bar.set_message("looking for decisions");
        let found = about(&self.fs, data, &select, person.pseudonym, |done, total| {
            self.bar.set_length(total);
            self.bar.set_position(done);
        })?;
        let decisions: Vec<Id> = found.into_iter().collect();
        self.bar.set_message("writing decisions");
        self.bar.set_length(decisions.len() as u64);
        self.bar.set_position(0);
        for chunk in decisions.chunks(CHUNK_DECISIONS) {
            self.chunk(person, &select, chunk)?;
        }
        Ok(())
    }

    fn chunk(&mut self, person: &Known, select: &Select, chunk: &[Id]) -> Result<(), Failure> {
        let data = &self.args.open.dir.data;
        let places = ScanLocator::scan(&self.fs, data, select, chunk, |_, _| ())?;
        let mut opened = Vec::new();
        for decision in chunk {
            let sealed = self.tell(select, &places, *decision, None)?;
            if self.args.include_shared || !is_shared(&sealed, person.pseudonym) {
                opened.push(*decision);
            }
        }
        self.record(person, &opened)?;
        for decision in chunk {
            let is_given = opened.binary_search(decision).is_ok();
            let openings = is_given.then_some(self.openings as &dyn Openings);
            let story = self.tell(select, &places, *decision, openings)?;
            self.write(Personal::of(story, person.pseudonym, is_given))?;
            self.bar.inc(1);
        }
        Ok(())
    }

    /// Before anything is opened.
    fn record(&self, person: &Known, opened: &[Id]) -> Result<(), Failure> {
        if opened.is_empty() {
            return Ok(());
        }
        let Known { system, pseudonym } = person;
        let reader =
            Reader { role: self.args.role, purpose: self.args.purpose, actor: self.args.actor.clone() };
        let asked = SubjectAct::BeginExport {
            reader,
            decisions: BTreeMap::from([(system.clone(), opened.to_vec())]),
            // By pseudonym: what was typed stands nowhere.
            selection: format!("subject export of {pseudonym}"),
        };
        self.openings.ask::<Value>(self.runtime.handle(), Act::Subject(asked)).map(drop)
    }

    fn tell(
        &self,
        select: &Select,
        places: &ScanLocator,
        decision: Id,
        openings: Option<&dyn Openings>,
    ) -> Result<Story, Failure> {
        let options = StoryOptions {
            select: select.clone(),
            openings,
            locator: Some(places),
            ..StoryOptions::default()
        };
        Ok(story(&self.fs, &self.args.open.dir.data, decision, &options)?)
    }

    fn write(&mut self, personal: Personal) -> Result<(), Failure> {
        let id = personal.decision;
        self.package.add(&format!("decisions/{id}.json"), |out| json(out, &personal))?;
        if self.args.html {
            self.package.add(&format!("decisions/{id}.html"), |out| text(out, &personal.to_html()))?;
        }
        let done = &mut self.done;
        done.decisions += 1;
        done.shared += u64::from(personal.shared);
        done.withheld += u64::from(personal.contents_withheld);
        done.contents += personal.given();
        for state in personal.not_given() {
            *done.not_given.entry(state.to_owned()).or_default() += 1;
        }
        let row = PersonRow {
            contents: personal.given(),
            contents_withheld: personal.contents_withheld,
            decision: id,
            model: personal.model,
            outcome: personal.outcome,
            shared: personal.shared,
            started_at: personal.started_at,
            system: personal.system,
        };
        json(&mut self.list, &row)
    }

    /// Writes the list, and gives the package its name.
    fn finish(mut self) -> Result<Done, Failure> {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let pair = |known: &Known| (known.system.to_string(), known.pseudonym);
        let persons: Vec<(String, Pseudonym)> = self.done.persons.iter().map(pair).collect();
        let Done { decisions, shared, withheld, .. } = self.done;
        let made_at = Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
        let index = PersonIndex { made_at, persons, decisions, shared, withheld };
        let list = &mut self.list;
        self.package.add("index.json", |out| {
            let head = serde_json::to_string(&index)?;
            // The list stands at the end of the object.
            write!(out, "{},\"format\":{FORMAT},\"list\":[", head.trim_end_matches('}'))?;
            let mut between = "\n";
            rows(list, |row| {
                write!(out, "{between}{row}")?;
                between = ",\n";
                Ok(())
            })?;
            Ok(out.write_all(b"\n]}\n")?)
        })?;
        if self.args.html {
            self.package.add("index.html", |out| {
                text(out, &index_head(&index))?;
                rows(list, |row| text(out, &index_row(&serde_json::from_str::<PersonRow>(row)?)))?;
                text(out, &index_foot(&index))
            })?;
        }
        self.package.finish()?;
        Ok(self.done)
    }
}

/// Gives each row of the list to `visit`.
fn rows(
    list: &mut SpooledTempFile,
    mut visit: impl FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    list.seek(io::SeekFrom::Start(0))?;
    for row in BufReader::new(list).lines() {
        visit(&row?)?;
    }
    Ok(())
}

fn json(mut out: &mut dyn Write, value: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer(&mut out, value)?;
    Ok(out.write_all(b"\n")?)
}

fn text(out: &mut dyn Write, text: &str) -> Result<(), Failure> {
    Ok(out.write_all(text.as_bytes())?)
}

fn say(done: &Done) -> Result<(), Failure> {
    let mut out = output::stdout();
    let what = format!("{} of {}", counted(done.contents, "content"), counted(done.decisions, "decision"));
    writeln!(out, "{} {what} in {}", styled(GOOD, "given:"), done.out.display())?;
    for person in &done.persons {
        writeln!(out, "{}", styled(DIM, format!("  {}, known as {}", person.system, person.pseudonym)))?;
    }
    if done.shared > 0 {
        let given = match done.withheld {
            0 => "their contents are given all the same".to_owned(),
            withheld => format!("the contents of {withheld} are left out (--include-shared gives them)"),
        };
        writeln!(out, "  {} about others too: {given}", counted(done.shared, "decision"))?;
    }
    for (state, count) in &done.not_given {
        writeln!(out, "  {} not given: {}", counted(*count, "content"), state.replace('_', " "))?;
    }
    writeln!(
        out,
        "It was recorded as an access before. Read it before you give it away: contents may speak of others."
    )?;
    Ok(())
}
