//! Which store an index is in.

use std::fmt;
use std::path::Path;

use inferlog_index::postgres::{Interrupt, Place, PostgresEngine};
use inferlog_index::{Engine, IndexError, Reader, SqliteEngine, sqlite_path};

/// A store of an index, as a command line or a configuration names it.
#[derive(Clone, Debug)]
pub(crate) enum Store {
    /// A file in the data directory.
    Sqlite,
    /// A database.
    Postgres(Box<Place>),
}

/// What `--index` may say to `serve`.
#[derive(Clone, Debug)]
pub(crate) enum IndexChoice {
    /// No index follows.
    None,
    /// This one does.
    Store(Store),
}

impl Store {
    /// Reads `sqlite`, `postgres://…`, `env:NAME` or `file:PATH`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "sqlite" => Ok(Self::Sqlite),
            text if Place::is_meant(text) => Place::parse(text)
                .map(|place| Self::Postgres(Box::new(place)))
                .map_err(|error| error.to_string()),
            text => Err(format!(
                "`{text}` is no index: write sqlite, postgres://USER@HOST/DATABASE, env:NAME or file:PATH"
            )),
        }
    }

    /// Opens it to write what a log says. Of a database nothing is asked yet.
    pub(super) fn engine(&self, data: &Path, interrupt: &Interrupt) -> Result<Box<dyn Engine>, IndexError> {
        Ok(match self {
            Self::Sqlite => Box::new(SqliteEngine::open(&sqlite_path(data))?),
            Self::Postgres(place) => Box::new(PostgresEngine::new((**place).clone(), interrupt.clone())),
        })
    }

    /// Lets nobody but its owner into the directory of a file that holds content in clear.
    pub(super) fn keep_private(&self, data: &Path) -> std::io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let path = sqlite_path(data);
        match (self, path.parent()) {
            (Self::Sqlite, Some(dir)) => {
                std::fs::create_dir_all(dir)?;
                std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))
            }
            _ => Ok(()),
        }
    }

    /// Opens it to write, whatever is there: what was derived is deleted.
    pub(super) fn anew(&self, data: &Path, interrupt: &Interrupt) -> Result<Box<dyn Engine>, IndexError> {
        match self {
            Self::Sqlite => Ok(Box::new(SqliteEngine::anew(&sqlite_path(data))?)),
            Self::Postgres(_) => {
                let mut engine = self.engine(data, interrupt)?;
                engine.clear()?;
                Ok(engine)
            }
        }
    }

    /// Opens it to read.
    pub(crate) fn reader(&self, data: &Path) -> Result<Reader, IndexError> {
        match self {
            Self::Sqlite => Reader::sqlite(&sqlite_path(data)),
            Self::Postgres(place) => Reader::postgres(place, &Interrupt::default()),
        }
    }

    /// The kind of store, which names its follower.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// Where it is: without a password.
    pub(crate) fn place(&self, data: &Path) -> String {
        match self {
            Self::Sqlite => sqlite_path(data).display().to_string(),
            Self::Postgres(place) => place.to_string(),
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite => f.write_str("sqlite"),
            Self::Postgres(place) => place.fmt(f),
        }
    }
}

impl IndexChoice {
    /// Reads `none`, or what [`Store::parse`] reads.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text == "none" { Ok(Self::None) } else { Store::parse(text).map(Self::Store) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn content_in_clear_is_its_owner_s_alone() {
        let dir = tempfile::tempdir().unwrap();
        Store::Sqlite.keep_private(dir.path()).unwrap();
        drop(SqliteEngine::open(&sqlite_path(dir.path())).unwrap());
        let mode = std::fs::metadata(dir.path().join("index")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
