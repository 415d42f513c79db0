//! Records taken out: tables in JSON lines, CSV and Parquet, and the formats of others.
//!
//! [`export`] reads the published logs of a data directory in order, as far as their checkpoints reach, and writes what is
//! asked for as a stream: memory grows with what is open at one time, not with the log. It takes no lock and changes nothing.
//! Content comes out only where somebody gives [`Openings`], and is held against its commitment.
//! The same log gives the same bytes. docs/export.md has the formats.
//!
//! [`table`] writes rows of named columns, whatever they are rows of.

mod aiact;
mod content;
mod databricks;
mod error;
mod happening;
mod jsonl;
mod manifest;
mod oip;
mod output;
mod repeats;
mod rows;
mod selection;
mod source;
mod survey;
pub mod table;
mod text;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use inferlog_audit::{CONTENT_BYTES_MAX, Openings, SharedContent};
use inferlog_disk::Fs;
use serde::Serialize;

pub use error::{ExportError, Result};
pub use manifest::{LogRange, META_ENDING};
pub use output::{Output, UNFINISHED_PREFIX};
pub use selection::{LabelFilter, Selection};

use aiact::Layout;
use content::Opener;
use databricks::Databricks;
use happening::happenings;
use manifest::Manifest;
use oip::Oip;
use output::{NewDir, Sink};
use repeats::Repeats;
use source::Source;
use survey::Removed;
use table::{TableFormat, TableWriter};

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One event a line, as it stands in the log.
    Jsonl,
    /// A table.
    Table(Table, TableFormat),
    /// Pairs of request and response of the Open Inference Protocol.
    Oip,
    /// The directory of `@systima/aiact-audit-log`.
    AiactAuditLog,
    /// Databricks' inference table.
    Databricks(TableFormat),
}

/// A table of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// One row an event.
    Events,
    /// One row a payload reference.
    Payloads,
}

/// What to export and how.
pub struct Options<'a> {
    /// What is written.
    pub format: Format,
    /// Of which records.
    pub selection: Selection,
    /// Whoever gives openings; without, content stays sealed.
    pub openings: Option<&'a dyn Openings>,
    /// The most content of one payload, bytes.
    pub content_bytes_max: usize,
    /// Told now and then how far it is.
    pub progress: &'a dyn Fn(Progress),
}

impl Options<'_> {
    /// Everything, its content sealed.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            selection: Selection::default(),
            openings: None,
            content_bytes_max: CONTENT_BYTES_MAX,
            progress: &|_| (),
        }
    }
}

/// How far an export is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Entries read.
    pub entries: u64,
    /// Entries that there are to read.
    pub entries_total: u64,
}

/// Counts entries, and tells whoever wants to know.
struct Tick<'a> {
    done: Progress,
    progress: &'a dyn Fn(Progress),
}

/// What an export wrote, and what it left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Lines, rows, pairs or entries written.
    pub rows: u64,
    /// What was asked for and not written, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Payloads of what was written whose content was not given, by what stands in its place: `erased`, `sealed`, …
    pub not_opened: BTreeMap<String, u64>,
}

impl Report {
    fn repeated(&mut self) {
        *self.skipped.entry("stands in the log before".to_owned()).or_default() += 1;
    }

    fn not_opened(&mut self, state: &str) {
        *self.not_opened.entry(state.to_owned()).or_default() += 1;
    }
}

/// Exports the logs of a data directory.
///
/// # Errors
/// What cannot be read or written. A file is under its name only if all went well; a stream may have been written to.
pub fn export(fs: &Arc<dyn Fs>, data: &Path, options: &Options<'_>, output: Output) -> Result<Report> {
    let sources = source::open(fs, data, &options.selection)?;
    let manifest =
        Manifest::new(options.format.name(), &sources, &options.selection, options.openings.is_some());
    let shared = SharedContent::new(fs, data);
    let mut job = Job { options, sources: &sources, shared: &shared, manifest, report: Report::default() };
    if options.format == Format::AiactAuditLog {
        job.aiact(output)?;
        return Ok(job.report);
    }
    let sink = Sink::open(output)?;
    let place = sink.place().map(manifest::beside);
    match options.format {
        Format::Jsonl => job.jsonl(sink)?,
        Format::Table(table, format) => job.table(table, format, sink)?,
        Format::Oip => job.oip(sink)?,
        Format::Databricks(format) => job.databricks(format, sink)?,
        Format::AiactAuditLog => {}
    }
    if let Some(place) = place.filter(|_| !options.format.describes_itself()) {
        job.manifest.write(&place, &job.report)?;
    }
    Ok(job.report)
}

impl Format {
    /// Its name in an export's metadata.
    const fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Table(Table::Events, _) => "events",
            Self::Table(Table::Payloads, _) => "payloads",
            Self::Oip => "oip",
            Self::AiactAuditLog => "aiact-audit-log",
            Self::Databricks(_) => "databricks",
        }
    }

    /// Whether the file has a place for metadata.
    const fn describes_itself(self) -> bool {
        matches!(self, Self::Table(_, TableFormat::Parquet) | Self::Databricks(TableFormat::Parquet))
    }
}

/// An export under way.
struct Job<'a> {
    options: &'a Options<'a>,
    sources: &'a [Source],
    shared: &'a SharedContent,
    manifest: Manifest,
    report: Report,
}

impl<'a> Job<'a> {
    fn opener(&self) -> Result<Opener<'a>> {
        Ok(Opener {
            sources: self.sources,
            removed: Removed::of(self.sources)?,
            shared: self.shared,
            openings: self.options.openings,
            content_bytes_max: self.options.content_bytes_max,
        })
    }

    fn tick(&self) -> Tick<'a> {
        Tick::new(self.sources, self.options.progress)
    }

    fn jsonl(&mut self, mut sink: Sink) -> Result<()> {
        let (opener, mut tick, contents) = (self.opener()?, self.tick(), self.options.openings.is_some());
        let selection = &self.options.selection;
        jsonl::write(&mut sink, &opener, selection, contents, &mut tick, &mut self.report)?;
        tick.tell();
        sink.finish()
    }

    fn table(&mut self, table: Table, format: TableFormat, sink: Sink) -> Result<()> {
        let (late, mut tick, selection) = (survey::late(self.sources)?, self.tick(), &self.options.selection);
        let mut repeats = Repeats::new(&late);
        let columns = match table {
            Table::Events => rows::event_columns(),
            Table::Payloads => rows::payload_columns(),
        };
        let mut writer = TableWriter::new(sink, format, columns, self.manifest.pairs()?)?;
        match table {
            Table::Events => {
                rows::events(
                    &mut writer,
                    self.sources,
                    selection,
                    &mut repeats,
                    &mut tick,
                    &mut self.report,
                )?;
            }
            Table::Payloads => {
                let opener = self.opener()?;
                rows::payloads(&mut writer, &opener, selection, &mut repeats, &mut tick, &mut self.report)?;
            }
        }
        self.report.rows = writer.rows();
        tick.tell();
        writer.finish()?.finish()
    }

    fn oip(&mut self, mut sink: Sink) -> Result<()> {
        let (opener, late, mut tick) = (self.opener()?, survey::late(self.sources)?, self.tick());
        let selection = &self.options.selection;
        let mut oip = Oip::new(&mut sink, &opener, selection, &late, &mut self.report);
        happenings(self.sources, &late, &mut tick, &mut oip)?;
        tick.tell();
        sink.finish()
    }

    fn databricks(&mut self, format: TableFormat, sink: Sink) -> Result<()> {
        let (opener, late, mut tick) = (self.opener()?, survey::late(self.sources)?, self.tick());
        let writer = TableWriter::new(sink, format, databricks::columns(), self.manifest.pairs()?)?;
        let mut rows = Databricks::new(writer, &opener, &self.options.selection, &mut self.report);
        happenings(self.sources, &late, &mut tick, &mut rows)?;
        let writer = rows.table;
        self.report.rows = writer.rows();
        tick.tell();
        writer.finish()?.finish()
    }

    fn aiact(&mut self, output: Output) -> Result<()> {
        let Output::Path(path) = output else { return Err(ExportError::NeedsDirectory) };
        let dir = NewDir::create(&path)?;
        let (opener, late, mut tick) = (self.opener()?, survey::late(self.sources)?, self.tick());
        let (selection, logs) = (&self.options.selection, &self.manifest.logs);
        let mut layout = Layout::new(dir.path(), &opener, selection, logs, &mut self.report);
        happenings(self.sources, &late, &mut tick, &mut layout)?;
        layout.finish()?;
        tick.tell();
        dir.finish()
    }
}
