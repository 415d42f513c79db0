//! The integrator: from settled WAL batches to bundles, tiles, packs, births and a signed checkpoint.
//!
//! A round reads batches back from disk, re-checks them, and ends with one commit in the order of docs/format.md,
//! section 6. A round that fails leaves the directory as any crash would: the integrator is then dropped and a new one
//! begins at what `state` says.

mod signed;
mod tree;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use inferlog_disk::Fs;

use crate::error::{LogError, Result};
use crate::hooks::{BirthSink, Signer};
use crate::packs::PackWriter;
use crate::wal::format::PAGE_BYTES;
use crate::wal::{BatchReader, LiveSegment, segment_path};
use crate::{LogDir, LogId, LogIdentity, State};

pub(crate) use signed::{note, vkeys};
pub(crate) use tree::Tree;

/// Bytes of WAL after which a round commits and another begins.
pub const ROUND_BYTES_MAX: u64 = 16 << 20;

/// A place in the WAL: everything before it is integrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The segment.
    pub incarnation: u64,
    /// Offset in it, bytes.
    pub offset: u64,
}

/// Reads the WAL and grows trees.
pub struct Integrator {
    fs: Arc<dyn Fs>,
    wal: PathBuf,
    node: [u8; 16],
    hooks: Hooks,
    logs: HashMap<LogId, LogDir>,
    trees: HashMap<LogId, Tree>,
    place: Option<Place>,
    reader: Option<(u64, BatchReader)>,
    births: bool,
}

/// What the integrator needs from outside the log.
#[derive(Clone)]
pub struct Hooks {
    /// Signs checkpoints.
    pub signer: Arc<dyn Signer>,
    /// Takes births.
    pub births: Arc<dyn BirthSink>,
    /// Where twins are kept, if not beside their logs.
    pub twins: Option<PathBuf>,
}

impl Integrator {
    pub(crate) fn new(fs: Arc<dyn Fs>, wal: PathBuf, node: [u8; 16], hooks: Hooks) -> Self {
        let (logs, trees) = (HashMap::new(), HashMap::new());
        Self { fs, wal, node, hooks, logs, trees, place: None, reader: None, births: false }
    }

    /// Tells the integrator of a log whose frames may come.
    pub fn add_log(&mut self, id: LogId, dir: LogDir) {
        self.logs.insert(id, dir);
    }

    /// Integrates batches between the last place and the end of `live`, at most [`ROUND_BYTES_MAX`] of them, and commits.
    /// Returns the place reached. `live` is what is durable: segments oldest first, each up to its `end`.
    ///
    /// # Errors
    /// After an error this integrator is no longer usable; what it had committed stands.
    pub fn round(&mut self, live: &[LiveSegment]) -> Result<Option<Place>> {
        let mut bytes = 0;
        for segment in live {
            let from = match self.place {
                Some(place) if place.incarnation > segment.incarnation => continue,
                Some(place) if place.incarnation == segment.incarnation => place.offset,
                _ => PAGE_BYTES,
            };
            let mut offset = from;
            while offset < segment.end && bytes < ROUND_BYTES_MAX {
                let span = self.batch(segment.incarnation, offset)?;
                offset += span;
                bytes += span;
            }
            self.place = Some(Place { incarnation: segment.incarnation, offset });
            if offset < segment.end {
                break;
            }
        }
        if bytes > 0 {
            self.commit()?;
        }
        Ok(self.place)
    }

    /// Applies one batch and returns its span.
    fn batch(&mut self, incarnation: u64, offset: u64) -> Result<u64> {
        let mut reader = match self.reader.take() {
            Some((open, reader)) if open == incarnation => reader,
            _ => BatchReader::open(&*self.fs, &self.wal, incarnation, self.node)?.ok_or_else(|| {
                LogError::damaged(
                    &segment_path(&self.wal, incarnation),
                    0,
                    "this WAL segment was settled before it was read",
                )
            })?,
        };
        let path = segment_path(&self.wal, incarnation);
        let Some((header, frames)) = reader.batch_at(offset)? else {
            return Err(LogError::damaged(
                &path,
                offset,
                "a durable batch of the WAL does not check when read back",
            ));
        };
        for frame in &frames {
            let tree = match self.trees.entry(frame.log) {
                std::collections::hash_map::Entry::Occupied(tree) => tree.into_mut(),
                std::collections::hash_map::Entry::Vacant(vacant) => {
                    let Some(dir) = self.logs.get(&frame.log) else {
                        return Err(LogError::damaged(
                            &path,
                            offset,
                            "the WAL has entries of a log that is not in logs/",
                        ));
                    };
                    vacant.insert(Tree::open(self.fs.clone(), dir.clone(), &self.hooks)?)
                }
            };
            if tree.apply(frame, &path, offset)? && !frame.births.is_empty() {
                let absorbed = self.hooks.births.absorb(frame.births);
                absorbed.map_err(|error| LogError::hook("cannot keep the keys born with an entry", error))?;
                self.births = true;
            }
        }
        let span = header.span();
        self.reader = Some((incarnation, reader));
        Ok(span)
    }

    /// Makes everything applied so far durable and signs it.
    fn commit(&mut self) -> Result<()> {
        for tree in self.trees.values_mut() {
            tree.write()?;
        }
        if self.births {
            let marks: Vec<_> = self.trees.iter().map(|(id, tree)| (id.0, tree.size())).collect();
            let synced = self.hooks.births.sync(&marks);
            synced
                .map_err(|error| LogError::hook("cannot make the keys born with entries durable", error))?;
            self.births = false;
        }
        for tree in self.trees.values_mut() {
            tree.publish(&*self.hooks.signer)?;
        }
        Ok(())
    }

    /// The tree of a log, opened if need be.
    pub(crate) fn tree(&mut self, id: LogId) -> Result<Option<&mut Tree>> {
        if let (false, Some(dir)) = (self.trees.contains_key(&id), self.logs.get(&id)) {
            let tree = Tree::open(self.fs.clone(), dir.clone(), &self.hooks)?;
            self.trees.insert(id, tree);
        }
        Ok(self.trees.get_mut(&id))
    }

    /// Closes the packs of a class that have no record of an entry after `last`, between two rounds: `state` does not name them
    /// any more, and nothing is appended to them again. After an error they are closed or not; what is integrated goes on.
    pub(crate) fn close_packs(&mut self, log: &LogDir, class: &str, last: u64) -> Result<()> {
        let id = LogIdentity::load(&*self.fs, log)?.id();
        // After an error it is opened again when the next frame comes, as `state` has it then. Of a log that is damaged otherwise,
        // or of an older epoch, nothing else is looked at.
        let tree = self.trees.remove(&id);
        let mut state = State::load(&*self.fs, log)?;
        let mut packs = PackWriter::open(self.fs.clone(), log.packs(), state.log, &state.packs)?;
        packs.close(class, last)?;
        state.packs = packs.sync()?;
        // Stored though it may say so already: what was read may be a change whose sync failed, and packs go after this.
        state.store(&*self.fs, &log.state())?;
        if let Some(mut tree) = tree {
            tree.go_on_with(state.packs, packs);
            self.trees.insert(id, tree);
        }
        Ok(())
    }

    /// Size of a log as integrated.
    pub fn size(&self, id: LogId) -> u64 {
        self.trees.get(&id).map_or(0, Tree::size)
    }
}
