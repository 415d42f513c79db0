//! The layout of `@systima/aiact-audit-log` 0.1.5: a directory for each system, a file for each UTC day, one entry a line, and a
//! hash chain through all of them.
//!
//! ```text
//! {system}/YYYY/MM/DD/NNNNNN.jsonl   entries by the day of their timestamp; a new number after 100 MiB
//! {system}/_chain/head.json          {seq, hash, systemId, updatedAt} of the last entry
//! {system}/_schema/v1.json           {schemaVersion, createdAt}
//! {system}/_meta/inferlog.json       ours: which logs, how far, under which checkpoints
//! ```
//!
//! The chain is made as the export is written. It says that these files are as they were exported, and no more: whoever can
//! write them can chain them anew.

mod chain;
mod entry;

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use inferlog_record::Timestamp;
use inferlog_record::body::Body;
use serde_json::json;

use self::chain::Chain;
use crate::Report;
use crate::content::Opener;
use crate::error::{ExportError, Result};
use crate::happening::{Happening, Visitor};
use crate::manifest::LogRange;
use crate::selection::Selection;

/// A file is not continued beyond this, bytes (`MAX_FILE_SIZE` in its `logger.ts`).
const FILE_BYTES_MAX: u64 = 100 * 1024 * 1024;

/// Writes the layout below a directory.
pub(crate) struct Layout<'a> {
    root: PathBuf,
    opener: &'a Opener<'a>,
    selection: &'a Selection,
    logs: &'a [LogRange],
    report: &'a mut Report,
    system: Option<System>,
}

/// The system that is being written: the logs of one stand together.
struct System {
    name: String,
    dir: PathBuf,
    chain: Chain,
    file: Option<DayFile>,
    /// By day: the number of its last file and that file's length, bytes.
    days: HashMap<String, (u32, u64)>,
    /// Times of the first and last entry.
    period: Option<(String, String)>,
}

struct DayFile {
    path: PathBuf,
    out: BufWriter<File>,
}

impl<'a> Layout<'a> {
    pub(crate) fn new(
        root: &Path,
        opener: &'a Opener<'a>,
        selection: &'a Selection,
        logs: &'a [LogRange],
        report: &'a mut Report,
    ) -> Self {
        Self { root: root.to_owned(), opener, selection, logs, report, system: None }
    }

    /// Ends what is open.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.system.take().map_or(Ok(()), |system| system.finish(self.logs))
    }

    /// The system whose log is read.
    fn system(&mut self, log: usize) -> Result<&mut System> {
        let name = self.opener.sources[log].system();
        if self.system.as_ref().is_none_or(|system| system.name != name) {
            self.finish()?;
        }
        Ok(self.system.get_or_insert_with(|| System {
            name: name.to_owned(),
            dir: self.root.join(name),
            chain: Chain::new(name),
            file: None,
            days: HashMap::new(),
            period: None,
        }))
    }
}

impl Visitor for Layout<'_> {
    fn event(&mut self, happening: &Happening) -> Result<()> {
        let event = &happening.event;
        if matches!(event.body, Body::Rest(_)) || !self.selection.has_event(happening.decision, event) {
            return Ok(());
        }
        let time = time(event.logged_at);
        let origin = &self.opener.sources[happening.log].origin;
        let entry = entry::entry(self.opener, self.report, happening, origin, &time);
        self.system(happening.log)?.write(entry, &time)?;
        self.report.rows += 1;
        Ok(())
    }
}

impl System {
    fn write(&mut self, entry: serde_json::Map<String, serde_json::Value>, time: &str) -> Result<()> {
        let mut line = self.chain.link(entry)?;
        line.push('\n');
        // A day in the directories' form; the time is as long as this.
        let day = time[..10].replace('-', "/");
        let (number, length) = self.days.entry(day.clone()).or_default();
        if *length > 0 && *length + line.len() as u64 > FILE_BYTES_MAX {
            (*number, *length) = (*number + 1, 0);
        }
        *length += line.len() as u64;
        let path = self.dir.join(day).join(format!("{number:06}.jsonl"));
        let failed = |source| ExportError::Write { path: path.clone(), source };
        if self.file.as_ref().is_none_or(|file| file.path != path) {
            self.close()?;
            self.file = Some(DayFile::open(&path).map_err(failed)?);
        }
        if let Some(file) = &mut self.file {
            file.out.write_all(line.as_bytes()).map_err(failed)?;
        }
        let first = self.period.take().map_or_else(|| time.to_owned(), |(first, _)| first);
        self.period = Some((first, time.to_owned()));
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        let Some(DayFile { path, out }) = self.file.take() else { return Ok(()) };
        let closed = || out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all();
        closed().map_err(|source| ExportError::Write { path, source })
    }

    fn finish(mut self, logs: &[LogRange]) -> Result<()> {
        self.close()?;
        let Some((first, last)) = &self.period else { return Ok(()) };
        let (seq, hash) = self.chain.head();
        let head = json!({ "seq": seq, "hash": hash, "systemId": self.name, "updatedAt": last });
        self.put("_chain/head.json", &head)?;
        self.put("_schema/v1.json", &json!({ "schemaVersion": "v1", "createdAt": first }))?;
        let logs: Vec<&LogRange> = logs.iter().filter(|log| log.system == self.name).collect();
        self.put("_meta/inferlog.json", &json!({ "inferlog": env!("CARGO_PKG_VERSION"), "logs": logs }))
    }

    fn put(&self, name: &str, json: &serde_json::Value) -> Result<()> {
        let path = self.dir.join(name);
        let put = || {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            let mut file = File::create_new(&path)?;
            file.write_all(format!("{json:#}\n").as_bytes())?;
            file.sync_all()
        };
        put().map_err(|source| ExportError::Write { path: path.clone(), source })
    }
}

impl DayFile {
    fn open(path: &Path) -> io::Result<Self> {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { path: path.to_owned(), out: BufWriter::new(file) })
    }
}

/// As JavaScript's `toISOString` writes it: milliseconds, what is below them cut off.
fn time(time: Timestamp) -> String {
    let mut text = time.to_string();
    text.truncate("2026-07-27T09:30:00.000".len());
    text.push('Z');
    text
}
