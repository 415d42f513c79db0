//! The file `index`: what is registered, one JSON object a line, oldest first.

use std::path::{Path, PathBuf};

use inferlog_disk::{Fs, create_dir_all, read_optional, replace_file};
use serde::{Deserialize, Serialize};

use crate::{Entry, RegistryError, Result};

/// The format's first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format: u32,
}

/// The version of the format that is written and read.
const FORMAT: u32 = 1;

/// Where the index is.
pub(crate) fn path(registry: &Path) -> PathBuf {
    registry.join("index")
}

/// The index as it lies on the disk: what it does not understand is kept as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IndexFile {
    bytes: Vec<u8>,
}

impl IndexFile {
    /// Reads the index; an empty one if there is none.
    pub(crate) fn read(fs: &dyn Fs, registry: &Path) -> Result<Self> {
        Ok(Self { bytes: read_optional(fs, &path(registry))?.unwrap_or_default() })
    }

    /// Whether nothing was ever registered.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Its entries, each with its line's number, or what is wrong with the line.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, Result<Entry, String>)> {
        let body = self.bytes.strip_suffix(b"\n").unwrap_or(&self.bytes);
        let cut_off = body.len() == self.bytes.len() && !body.is_empty();
        let lines = body.split(|byte| *byte == b'\n').filter(move |_| !body.is_empty()).zip(1..);
        let entries = lines.filter_map(|(line, number)| match number {
            1 => head(line).err().map(|what| (1, Err(what))),
            _ => Some((number, serde_json::from_slice(line).map_err(|error| error.to_string()))),
        });
        entries.chain(cut_off.then(|| (0, Err("the file does not end with a whole line".to_owned()))))
    }

    /// All entries, or the first fault.
    pub(crate) fn entries(&self, registry: &Path) -> Result<Vec<Entry>> {
        let fault = |line, what| RegistryError::Index { path: path(registry), line, what };
        self.lines().map(|(line, entry)| entry.map_err(|what| fault(line, what))).collect()
    }

    /// The index with further entries at its end.
    pub(crate) fn with(&self, entries: &[Entry]) -> Result<Self> {
        let mut bytes = self.bytes.clone();
        let write = |bytes: &mut Vec<u8>, line: serde_json::Result<Vec<u8>>| {
            let line = line.map_err(|error| RegistryError::Index {
                path: PathBuf::from("index"),
                line: 0,
                what: error.to_string(),
            })?;
            bytes.extend_from_slice(&line);
            bytes.push(b'\n');
            Ok::<_, RegistryError>(())
        };
        if bytes.is_empty() {
            write(&mut bytes, serde_json::to_vec(&Head { format: FORMAT }))?;
        }
        for entry in entries {
            write(&mut bytes, serde_json::to_vec(entry))?;
        }
        Ok(Self { bytes })
    }

    /// Replaces the file, durably. A crash in here leaves the old index or the new one.
    pub(crate) fn write(&self, fs: &dyn Fs, registry: &Path) -> Result<()> {
        create_dir_all(fs, registry)?;
        Ok(replace_file(fs, &path(registry), &self.bytes)?)
    }
}

fn head(line: &[u8]) -> Result<(), String> {
    match serde_json::from_slice(line) {
        Ok(Head { format: FORMAT }) => Ok(()),
        Ok(Head { format }) => Err(format!("format {format} is of a newer inferlog")),
        Err(error) => Err(error.to_string()),
    }
}
