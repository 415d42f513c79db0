//! Where a person's data goes: a directory or a ZIP file, which appears under its name when it is whole.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::output::Failure;

/// What the names of unfinished packages begin with.
const UNFINISHED_PREFIX: &str = ".inferlog-subject-";

/// A package on its way, readable by its owner alone.
pub(super) struct Package {
    place: PathBuf,
    form: Form,
}

enum Form {
    Dir(TempDir),
    Zip(Box<ZipWriter<BufWriter<NamedTempFile>>>),
}

impl Package {
    /// Begins one beside its place: a ZIP file, replaced if there is one, where the name ends in `.zip`; else a directory, which must
    /// not be there or be empty.
    pub(super) fn create(place: &Path) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(format!("cannot write {}: {error}", place.display()))
        };
        let mut unfinished = tempfile::Builder::new();
        unfinished.prefix(UNFINISHED_PREFIX);
        let is_zip = place.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("zip"));
        let form = if is_zip {
            let file = unfinished.tempfile_in(parent(place)).map_err(|error| failed(&error))?;
            Form::Zip(Box::new(ZipWriter::new(BufWriter::with_capacity(1 << 16, file))))
        } else {
            if place.exists() && fs::read_dir(place).map_err(|error| failed(&error))?.next().is_some() {
                return Err(failed(&"it is not empty: give a new name"));
            }
            let dir = unfinished.tempdir_in(parent(place)).map_err(|error| failed(&error))?;
            fs::DirBuilder::new()
                .mode(0o700)
                .create(dir.path().join("decisions"))
                .map_err(|error| failed(&error))?;
            Form::Dir(dir)
        };
        Ok(Self { place: place.to_owned(), form })
    }

    /// Adds a file, which `write` writes.
    pub(super) fn add(
        &mut self,
        name: &str,
        write: impl FnOnce(&mut dyn Write) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match &mut self.form {
            Form::Dir(dir) => {
                let path = dir.path().join(name);
                let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
                let mut file = BufWriter::new(file);
                write(&mut file)?;
                let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
                Ok(file.sync_all()?)
            }
            Form::Zip(zip) => {
                // Owner's alone, as it is packed; larger than 4 GiB where it must be.
                let options = SimpleFileOptions::default().unix_permissions(0o600).large_file(true);
                zip.start_file(name, options)?;
                write(zip)
            }
        }
    }

    /// Gives it its name. A crash before leaves the name as it was, and something whose name says that it means nothing.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let Self { place, form } = self;
        let finished = || -> Result<(), Failure> {
            match form {
                Form::Dir(dir) => {
                    sync(&dir.path().join("decisions"))?;
                    sync(dir.path())?;
                    fs::rename(dir.path(), &place)?;
                    // It has another name now; nothing is left to remove.
                    let _ = dir.keep();
                }
                Form::Zip(zip) => {
                    let file = zip.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
                    file.as_file().sync_all()?;
                    file.persist(&place)?;
                }
            }
            Ok(sync(parent(&place))?)
        };
        finished().map_err(|error| Failure::new(format!("cannot write {}: {error}", place.display())))
    }
}

fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn parent(place: &Path) -> &Path {
    match place.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
