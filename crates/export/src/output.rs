//! Where an export goes: a file or directory that appears under its name when it is whole, or a stream.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

use crate::error::{ExportError, Result};

/// What the names of unfinished files begin with.
pub const UNFINISHED_PREFIX: &str = ".inferlog-export-";

/// Where an export goes.
pub enum Output {
    /// A file, or a directory where the format is one. A file of this name is replaced; a directory must not be there, or be
    /// empty.
    Path(PathBuf),
    /// A stream, such as standard output.
    Stream(Box<dyn Write + Send>),
}

/// A file that is being written beside its place, readable by its owner alone.
pub(crate) struct NewFile {
    place: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl NewFile {
    pub(crate) fn create(place: &Path) -> Result<Self> {
        let failed = |source| ExportError::Write { path: place.to_owned(), source };
        let file = tempfile::Builder::new().prefix(UNFINISHED_PREFIX).tempfile_in(parent(place));
        let file = BufWriter::with_capacity(1 << 16, file.map_err(failed)?);
        Ok(Self { place: place.to_owned(), file })
    }

    /// Gives the file its name. A crash before leaves the name as it was, and a file whose name says that it means nothing;
    /// after, the file is whole.
    pub(crate) fn finish(self) -> Result<()> {
        let Self { place, file } = self;
        let finished = || {
            let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.as_file().sync_all()?;
            file.persist(&place).map_err(|error| error.error)?;
            sync_dir(parent(&place))
        };
        finished().map_err(|source| ExportError::Write { path: place.clone(), source })
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A directory that is being written beside its place.
pub(crate) struct NewDir {
    place: PathBuf,
    dir: TempDir,
}

impl NewDir {
    pub(crate) fn create(place: &Path) -> Result<Self> {
        let failed = |source| ExportError::Write { path: place.to_owned(), source };
        if let Ok(mut there) = fs::read_dir(place) {
            if there.next().is_some() {
                return Err(ExportError::NotEmpty(place.to_owned()));
            }
        } else if place.exists() {
            return Err(ExportError::NotEmpty(place.to_owned()));
        }
        let dir = tempfile::Builder::new().prefix(UNFINISHED_PREFIX).tempdir_in(parent(place));
        Ok(Self { place: place.to_owned(), dir: dir.map_err(failed)? })
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Gives the directory its name, once all in it is durable. A crash before leaves a directory whose name says that it means
    /// nothing.
    pub(crate) fn finish(self) -> Result<()> {
        let Self { place, dir } = self;
        let failed = |source| ExportError::Write { path: place.clone(), source };
        sync_dirs(dir.path()).map_err(failed)?;
        // Renamed over an empty directory, or to a new name; whoever put something there meanwhile is not overwritten.
        fs::rename(dir.path(), &place).map_err(failed)?;
        // It has another name now; nothing is left to remove.
        let _ = dir.keep();
        sync_dir(parent(&place)).map_err(failed)
    }
}

/// Makes the names in a directory, and in those below, durable. Files are synced as they are closed.
fn sync_dirs(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_dirs(&entry.path())?;
        }
    }
    sync_dir(dir)
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn parent(place: &Path) -> &Path {
    match place.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A file of one export, or a stream.
pub(crate) enum Sink {
    File(NewFile),
    Stream(BufWriter<Box<dyn Write + Send>>),
}

impl Sink {
    pub(crate) fn open(output: Output) -> Result<Self> {
        Ok(match output {
            Output::Path(path) => Self::File(NewFile::create(&path)?),
            Output::Stream(stream) => Self::Stream(BufWriter::with_capacity(1 << 16, stream)),
        })
    }

    /// The path that the export will have.
    pub(crate) fn place(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(&file.place),
            Self::Stream(_) => None,
        }
    }

    pub(crate) fn finish(self) -> Result<()> {
        match self {
            Self::File(file) => file.finish(),
            Self::Stream(mut stream) => Ok(stream.flush()?),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Stream(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Stream(stream) => stream.flush(),
        }
    }
}
