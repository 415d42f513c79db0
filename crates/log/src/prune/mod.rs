//! Removing what a policy says is over: packs of a retention class, and the log's oldest entries.
//!
//! Whoever calls has decided what goes, has said so in the log, and made that durable; here it is carried out. Each function
//! takes a range and what to `keep` of it, and removes the rest of the range: of **packs** those that lie wholly in it, of
//! **entries** whole bundles. What is kept is written and synced in `kept/` first. A call that fails, or a crash in the midst of
//! it, leaves for everything in the range one of three: it is there, or it is kept, or it is gone and was not to be kept. The same
//! call again completes it, with the same `keep` or another; a call that was complete is done again without effect. A name that was
//! removed may come back at a crash if its directory's sync failed: repeat at each start what the log says is to be gone.
//!
//! Nothing here decides, and nothing here reads a clock. One call at a time for each log: it is the caller's to see to that. The
//! calls block, and read all that they remove.
//!
//! What stays: tiles of hashes, all of them; the last full bundle and the partial one; packs that the range covers in part; and
//! entries that were read back by a `keep` that said so, until a later call's says no.

mod dirs;
mod entries;
mod packs;
mod walk;

pub use entries::{PrunedEntries, plan_entries, prune_entries};
pub use packs::{KeepPayload, PurgedPack, PurgedPacks, plan_packs, purge_packs};

use std::path::PathBuf;
use std::sync::Arc;

use inferlog_disk::Fs;
use parking_lot::Mutex;

use crate::error::Result;
use crate::integrate::Integrator;
use crate::{LogDir, LogReader};

/// What is to be done between two rounds of the integrator, which it leaves fit for the next.
pub type Job = Box<dyn FnOnce(&mut Integrator) -> Result<()> + Send>;

/// Whoever has the logs of a node open for appending.
pub trait BetweenRounds: Send + Sync {
    /// Does something while nothing is being integrated, and waits for it.
    ///
    /// # Errors
    /// The job's own; the node is closed or poisoned.
    fn run(&self, job: Job) -> Result<()>;
}

impl BetweenRounds for Mutex<Integrator> {
    fn run(&self, job: Job) -> Result<()> {
        job(&mut self.lock())
    }
}

/// The right to prune a log: [`crate::LogHandle::pruner`], [`crate::Node::pruner`].
#[derive(Clone)]
pub struct Pruner {
    reader: LogReader,
    owner: Arc<dyn BetweenRounds>,
}

impl std::fmt::Debug for Pruner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pruner").field("log", self.reader.dir()).finish_non_exhaustive()
    }
}

impl Pruner {
    /// Prunes a log that `owner` has open.
    pub fn new(fs: Arc<dyn Fs>, dir: LogDir, owner: Arc<dyn BetweenRounds>) -> Self {
        Self { reader: LogReader::new(fs, dir), owner }
    }

    /// Reads the log.
    pub fn reader(&self) -> &LogReader {
        &self.reader
    }

    /// Closes the packs of `class` that have no record of an entry after `last`: nothing is appended to them any more, so that what
    /// [`plan_packs`] says of them afterwards stays true.
    ///
    /// # Errors
    /// The file system's; the node is closed or poisoned.
    pub fn close_packs(&self, class: &str, last: u64) -> Result<()> {
        let (dir, class) = (self.reader.dir().clone(), class.to_owned());
        self.owner.run(Box::new(move |integrator| integrator.close_packs(&dir, &class, last)))
    }

    /// Removes directories that are empty, the deepest first, while nothing is created in them.
    fn remove_dirs(&self, dirs: Vec<PathBuf>) -> Result<()> {
        if dirs.is_empty() {
            return Ok(());
        }
        let fs = self.reader.fs().clone();
        self.owner.run(Box::new(move |_| dirs::remove_empty(&*fs, dirs)))
    }
}
