//! An index as the auditor asks it where the entries of a decision stand.

use std::path::Path;

use inferlog_audit::{Located, Locator};
use inferlog_index::{Reader, locate, sqlite_path};
use inferlog_record::Id;
use parking_lot::Mutex;

use crate::followers::Store;

/// An index, or why it cannot be asked. The auditor then searches the log, and says why.
pub(crate) struct IndexLocator(Result<Mutex<Reader>, String>);

impl IndexLocator {
    /// The first of these stores, else the index in the data directory; `None` if there is none. May wait for a database.
    pub(crate) fn open(data: &Path, stores: &[Store]) -> Option<Self> {
        let own = || sqlite_path(data).exists().then_some(&Store::Sqlite);
        let reader = stores.first().or_else(own)?.reader(data);
        Some(Self(reader.map(Mutex::new).map_err(|error| error.to_string())))
    }
}

impl Locator for IndexLocator {
    fn locate(&self, decision: Id) -> Result<Vec<Located>, String> {
        let reader = self.0.as_ref().map_err(String::clone)?;
        let logs = locate(&mut reader.lock(), decision).map_err(|error| error.to_string())?;
        let told = |log: inferlog_index::Located| Located {
            origin: log.origin,
            through: log.through,
            entries: log.entries,
            mentions: log.mentions,
            erasures: log.erasures,
            changes: log.changes,
        };
        Ok(logs.into_iter().map(told).collect())
    }
}
