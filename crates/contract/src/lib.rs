//! What every follower of an inference log must do, as a suite that its store must pass (docs/followers.md).
//!
//! The suite makes a real data directory with a `Recorder` on a simulated disk: decisions about marked persons, ids that others have,
//! holds, erasures, purges under a policy. The store under test follows it through a small trait, in processes that are ended at any of
//! their steps, and is held to the contract: each event once; a cursor that is never ahead; after an erasure no byte of what was marked;
//! what a hold keeps kept; after a purge what one that is derived anew from the remaining log would say.
//!
//! A fault is a text, so that the suite's own tests can break the contract on purpose and see that it is found. Only tests use
//! this crate.

mod suite;
mod world;

use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_record::Id;
use inferlog_vault::Vault;

pub use suite::{PARTS, Part, check};
pub use world::{DATA, MARK, SYSTEM, World};

/// What is followed: a data directory, and the keys to it.
pub struct Source<'a> {
    /// The file system that the directory is in.
    pub fs: Arc<dyn Fs>,
    /// The directory.
    pub data: &'a Path,
    /// Opens payloads.
    pub vault: &'a Vault,
}

/// A store under test. Each call that follows is a process of its own.
pub trait Store {
    /// The name of its cursors.
    fn name(&self) -> &str;

    /// Follows all logs to their checkpoints.
    ///
    /// # Errors
    /// What kept it from it.
    fn catch_up(&mut self, source: &Source<'_>) -> Result<(), String>;

    /// The same, but ended without a word at its `step`th step, from 1. True if it came to its end before.
    fn end_at(&mut self, source: &Source<'_>, step: usize) -> bool;

    /// Ids of the events that it holds, as often as it holds them.
    fn events(&mut self) -> Vec<Id>;

    /// Everything that it would answer, in an order and form of its own that do not depend on how it came there.
    fn answers(&mut self) -> Vec<String>;

    /// Whether it finds a decision by this digest of an id that others have ([`Vault::index_digest`]); for a store that keeps such
    /// ids in another form, by that.
    fn finds(&mut self, digest: &[u8; 16]) -> bool;

    /// The bytes of every file that it has.
    fn all_bytes(&mut self) -> Vec<Vec<u8>>;

    /// Deletes everything that it derived.
    fn clear(&mut self);
}
