//! The file `index`: what is registered, one JSON object a line, oldest first. Its first line says what it is and holds the
//! SHA-256 of all that follows, so that a bit that rots in a name is found.

use std::path::{Path, PathBuf};

use inferlog_disk::{Fs, create_dir_all, read_optional, replace_file};
use inferlog_record::Digest;
use serde::{Deserialize, Serialize};

use crate::objects::sha256;
use crate::{Entry, RegistryError, Result};

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format: u32,
    /// SHA-256 of all bytes after this line.
    sha256: Digest,
}

/// The version of the format that is written and read.
const FORMAT: u32 = 1;

/// The line that holds the first entry: the one before says what the file is.
const FIRST_ENTRY_LINE: usize = 2;

/// Where the index is.
pub(crate) fn path(registry: &Path) -> PathBuf {
    registry.join("index")
}

/// What is wrong with a line of a registry's index.
pub(crate) fn fault(registry: &Path, line: usize, what: impl ToString) -> RegistryError {
    RegistryError::Index { path: path(registry), line, what: what.to_string() }
}

/// The index as it lies on the disk: lines are kept as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IndexFile {
    /// All after the first line.
    lines: Vec<u8>,
    /// What is wrong with the whole of it.
    fault: Option<String>,
}

impl IndexFile {
    /// Reads the index; an empty one if there is none.
    pub(crate) fn read(fs: &dyn Fs, registry: &Path) -> Result<Self> {
        let Some(bytes) = read_optional(fs, &path(registry))? else { return Ok(Self::default()) };
        let head_len = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| end + 1);
        let (head, lines) = bytes.split_at(head_len);
        let fault = match serde_json::from_slice(head) {
            Ok(Head { format, .. }) if format != FORMAT => {
                Some(format!("format {format} is of a newer inferlog"))
            }
            Ok(head) if head.sha256 != sha256(lines) => {
                Some("the lines that follow are not those that were written".into())
            }
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        };
        Ok(Self { lines: lines.to_owned(), fault })
    }

    /// Whether nothing was ever registered.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Its entries, or what is wrong, each with its line's number.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, Result<Entry, String>)> {
        let whole = self.fault.iter().map(|what| (1, Err(what.clone())));
        let lines = self.lines.split_inclusive(|byte| *byte == b'\n').zip(FIRST_ENTRY_LINE..);
        whole.chain(
            lines.map(|(line, number)| {
                (number, serde_json::from_slice(line).map_err(|error| error.to_string()))
            }),
        )
    }

    /// The index with further entries at its end.
    pub(crate) fn with(&self, entries: &[Entry]) -> serde_json::Result<Self> {
        let mut next = self.clone();
        for entry in entries {
            serde_json::to_writer(&mut next.lines, entry)?;
            next.lines.push(b'\n');
        }
        Ok(next)
    }

    /// Replaces the file, durably. A crash in here leaves the old index or the new one.
    pub(crate) fn write(&self, fs: &dyn Fs, registry: &Path) -> Result<()> {
        create_dir_all(fs, registry)?;
        let head = Head { format: FORMAT, sha256: sha256(&self.lines) };
        let mut bytes = serde_json::to_vec(&head).map_err(|error| fault(registry, 1, error))?;
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.lines);
        Ok(replace_file(fs, &path(registry), &bytes)?)
    }
}
