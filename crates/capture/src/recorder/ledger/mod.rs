//! What a system's logs say that nothing may forget: holds, incidents, erasures, purges, times that were stamped wrongly. These
//! events are of the class [`RetentionClass::permanent`]. They are few; all of them are in memory, in the order of the logs.
//!
//! Who appends one holds the gate until it is in here ([`System::tell_permanent`]): whoever has the gate alone sees all of them.

mod file;
mod query;
mod tell;

pub use query::{Announced, StandingHold, ToldIncident};
pub(crate) use tell::Flagged;

use crate::recorder::{RecordError, System};
use inferlog_log::{LogDir, LogId, LogIdentity, LogReader, list_logs};
use inferlog_record::{Entry, Event, RetentionClass};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A permanent event, and where it stands.
#[derive(Clone, Debug)]
pub struct Told {
    /// The log, for a system may have several epochs.
    pub log: LogId,
    /// Index of its entry in that log.
    pub index: u64,
    /// What it says.
    pub event: Event,
}

/// Every permanent event of a system, over all epochs of its log. A clone is a snapshot, and cheap.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    told: Vec<Arc<Told>>,
    /// The system's logs, the one that is written last.
    logs: BTreeMap<LogId, LogDir>,
}

impl Ledger {
    /// All of them, the oldest first.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &Told> {
        self.told.iter().map(|told| &**told)
    }

    /// The system's logs: of every epoch, in the order of their ids.
    pub fn logs(&self) -> impl Iterator<Item = (LogId, &LogDir)> {
        self.logs.iter().map(|(log, dir)| (*log, dir))
    }

    fn add(&mut self, told: Told) {
        self.told.push(Arc::new(told));
    }
}

/// The permanent events in an entry.
fn kept(entry: Entry) -> impl Iterator<Item = Event> {
    entry.events.into_iter().filter(|event| event.body.is_permanent())
}

impl System {
    /// What its logs say that nothing may forget, as of now.
    pub fn ledger(&self) -> Ledger {
        self.state.ledger.lock().clone()
    }

    /// Learns from the logs what they say. Blocks.
    pub(crate) fn learn_ledger(&self) -> Result<(), RecordError> {
        let (fs, present) = (&self.inner.env.fs, self.state.log.dir());
        let mut dirs = list_logs(&**fs, &self.inner.dir)?;
        dirs.retain(|dir| dir.system() == present.system() && dir != present);
        let mut ledger = Ledger::default();
        for dir in dirs.into_iter().chain([present.clone()]) {
            let log = LogId::of(&LogIdentity::load(&**fs, &dir)?.origin);
            file::learn(&LogReader::new(fs.clone(), dir.clone()), log, &mut ledger)?;
            ledger.logs.insert(log, dir);
        }
        *self.state.ledger.lock() = ledger;
        Ok(())
    }

    /// Writes down where the permanent events of the present log stand, for the next start. The caller holds the gate alone, so
    /// that what is published is known here.
    pub(crate) fn save_ledger(&self) -> Result<(), RecordError> {
        if self.state.ledger_doubtful.load(std::sync::atomic::Ordering::Acquire) {
            return Ok(());
        }
        let (fs, dir) = (&self.inner.env.fs, self.state.log.dir());
        let log = self.log_id();
        let next = LogReader::new(fs.clone(), dir.clone()).size()?;
        let ledger = self.ledger();
        let here = ledger.events().filter(|told| told.log == log && told.index < next);
        file::save(&**fs, dir, next, here.map(|told| told.index))
    }

    /// The id of the log that is written.
    pub(crate) fn log_id(&self) -> LogId {
        LogId::of(&self.state.log.identity().origin)
    }
}

/// The class of what the ledger keeps.
pub(crate) fn class() -> RetentionClass {
    RetentionClass::permanent()
}
