//! Is the registry what was registered?

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_disk::{Fs, TMP_PREFIX};
use inferlog_record::Digest;
use serde::Serialize;

use crate::index::{self, IndexFile};
use crate::objects::Objects;
use crate::{Entry, RegistryError, Snapshot};

/// Something in the registry that is not as it was registered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// The line of the index, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
}

/// Checks every object against its name and the index against its own SHA-256, every line of it
/// against its object and the lines before. No registry is
/// no problem. Takes no lock: what is being registered meanwhile is not yet named, or there as a whole.
pub fn check(fs: &Arc<dyn Fs>, registry: &Path) -> Vec<Problem> {
    let mut checked = Check { objects: Objects::new(fs.clone(), registry), problems: Vec::new() };
    // The index first: what it names was durable before it was.
    match IndexFile::read(&**fs, registry) {
        Err(error) => checked.found(index::path(registry), None, error),
        Ok(index) => {
            for (line, entry) in index.lines() {
                match entry {
                    Ok(entry) => checked.line(&**fs, &index::path(registry), line, &entry),
                    Err(what) => checked.found(index::path(registry), Some(line), what),
                }
            }
        }
    }
    checked.objects(&**fs, &registry.join("objects"));
    // What is wrong with lines that can be read one by one: they contradict each other, or a text is no template.
    if checked.problems.is_empty()
        && let Err(error) = Snapshot::load(fs, registry)
    {
        match error {
            RegistryError::Index { path, line, what } => checked.found(path, Some(line), what),
            other => checked.found(index::path(registry), None, other),
        }
    }
    checked.problems.sort();
    checked.problems.dedup();
    checked.problems
}

struct Check {
    objects: Objects,
    problems: Vec<Problem>,
}

impl Check {
    fn found(&mut self, path: PathBuf, line: Option<usize>, what: impl ToString) {
        self.problems.push(Problem { path, line, what: what.to_string() });
    }

    fn line(&mut self, fs: &dyn Fs, index: &Path, line: usize, entry: &Entry) {
        let Some((digest, size)) = entry.object() else { return };
        match self.objects.read(digest) {
            Ok(bytes) if bytes.len() as u64 == size => {}
            Ok(bytes) => {
                let what = format!("its object has {} bytes and the line says {size}", bytes.len());
                self.found(index.to_owned(), Some(line), what);
            }
            // One that is there and damaged is told once, with all objects.
            Err(RegistryError::Object { path, what }) => match fs.exists(&path) {
                Ok(true) => {}
                _ => self.found(index.to_owned(), Some(line), format!("its object {digest} {what}")),
            },
            Err(error) => self.found(index.to_owned(), Some(line), error),
        }
    }

    fn objects(&mut self, fs: &dyn Fs, dir: &Path) {
        let folders = match fs.read_dir(dir) {
            Err(error) if error.is_not_found() => return,
            Err(error) => return self.found(dir.to_owned(), None, error),
            Ok(folders) => folders,
        };
        for folder in folders {
            let files = match fs.read_dir(&folder.path) {
                Ok(files) => files,
                Err(error) => {
                    self.found(folder.path, None, error);
                    continue;
                }
            };
            for file in files.into_iter().filter(|file| !file.name.starts_with(TMP_PREFIX)) {
                match format!("{}{}", folder.name, file.name).parse::<Digest>() {
                    Err(_) => self.found(file.path, None, "is not the name of an object"),
                    Ok(digest) => match self.objects.read(digest) {
                        Ok(_) => {}
                        Err(RegistryError::Object { path, what }) => self.found(path, None, what),
                        Err(error) => self.found(file.path, None, error),
                    },
                }
            }
        }
    }
}
