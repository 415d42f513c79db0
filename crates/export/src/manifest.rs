//! What an export says of itself: which logs, how far, under which checkpoints, what was asked for and what was left out.
//!
//! Parquet has it in the file's own metadata; beside other files it stands as `NAME.meta.json`, so that their lines are records
//! and nothing else. There is no time of making in it: the same log gives the same bytes.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::Report;
use crate::error::Result;
use crate::output::NewFile;
use crate::selection::Selection;
use crate::source::Source;

/// What stands beside an export ends with this.
pub const META_ENDING: &str = ".meta.json";

/// The first part of it, known before anything is read.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Manifest {
    pub(crate) format: &'static str,
    /// Version of the program.
    inferlog: &'static str,
    pub(crate) logs: Vec<LogRange>,
    selection: Value,
    /// Whether content was asked for.
    content: bool,
}

/// What was read of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogRange {
    /// The log.
    pub origin: String,
    /// The system.
    pub system: String,
    /// Index of the first entry that was read; `null` if the log has none.
    pub first_index: Option<u64>,
    /// Index of the last.
    pub last_index: Option<u64>,
    /// The signed checkpoint that covers them, whole (c2sp.org/tlog-checkpoint); `null` before the first.
    pub checkpoint: Option<String>,
}

#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    manifest: &'a Manifest,
    #[serde(flatten)]
    report: &'a Report,
}

impl Manifest {
    pub(crate) fn new(
        format: &'static str,
        sources: &[Source],
        selection: &Selection,
        content: bool,
    ) -> Self {
        let log = |source: &Source| LogRange {
            origin: source.origin.clone(),
            system: source.system().to_owned(),
            first_index: (source.first < source.size).then_some(source.first),
            last_index: (source.first < source.size).then(|| source.size - 1),
            checkpoint: (!source.checkpoint.is_empty()).then(|| source.checkpoint.clone()),
        };
        Self {
            format,
            inferlog: env!("CARGO_PKG_VERSION"),
            logs: sources.iter().map(log).collect(),
            selection: selection.described(),
            content,
        }
    }

    /// For a file's own metadata.
    pub(crate) fn pairs(&self) -> Result<Vec<(String, String)>> {
        Ok(vec![
            ("inferlog.format".into(), self.format.into()),
            ("inferlog.version".into(), self.inferlog.into()),
            ("inferlog.logs".into(), serde_json::to_string(&self.logs)?),
            ("inferlog.selection".into(), self.selection.to_string()),
            ("inferlog.content".into(), self.content.to_string()),
        ])
    }

    /// Writes it to a file.
    pub(crate) fn write(&self, place: &Path, report: &Report) -> Result<()> {
        let mut file = NewFile::create(place)?;
        serde_json::to_writer_pretty(&mut file, &Whole { manifest: self, report })?;
        std::io::Write::write_all(&mut file, b"\n")?;
        file.finish()
    }
}

/// Where it stands beside an export.
pub(crate) fn beside(place: &Path) -> PathBuf {
    let mut name = place.as_os_str().to_owned();
    name.push(META_ENDING);
    name.into()
}
