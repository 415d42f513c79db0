//! A file system in memory that fails, tears and forgets on command.
//!
//! [`SimFs`] keeps what readers see apart from what is durable. Between them stand, per sector of each file, every state
//! since the last sync; per file, every length; and the operations on names, in order. A crash picks one of the states that
//! a disk could hold, as the seed decides, so that a failing run is repeated by its seed. Where file systems differ the
//! simulation takes the worse: syncing a file does not make its name durable, nor a name its file; nothing orders the
//! write-back of two sectors, or of a sector and the length; a sync that failed loses what it should have kept.
//!
//! What it does not do: directories cannot be renamed, and disks do not lie about syncs that they report done.
//!
//! A process is a life. [`SimFs::crash`] and [`SimFs::kill`] return the file system of the next life; handles, locks and
//! clones of the one before are dead, so that threads left over from it cannot touch the new one.
//!
//! ```
//! use inferlog_disk::sim::{Fault, How, Keep, Op, SimFs};
//! use inferlog_disk::{replace_file, Fs};
//! use std::path::Path;
//!
//! // Fail every call in turn, each both ways, and look after each.
//! let run = |fs: &SimFs| replace_file(fs, Path::new("/twin"), b"new");
//! let calls = {
//!     let fs = SimFs::new(0);
//!     run(&fs).unwrap();
//!     fs.call_count()
//! };
//! for call in 0..calls {
//!     for how in [How::NoEffect, How::Applied] {
//!         let fs = SimFs::new(call);
//!         fs.inject(Fault::at(call).how(how));
//!         assert!(run(&fs).is_err());
//!         let fs = fs.crash();
//!         assert!(!fs.exists(Path::new("/twin")).unwrap() || fs.read(Path::new("/twin")).unwrap() == b"new");
//!     }
//! }
//! ```

mod call;
mod crash;
mod fault;
mod fs;
mod inode;
mod tree;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

pub use call::{Call, Event, Op, Outcome};
pub use crash::{Keep, Torn};
pub use fault::{Fault, How};
pub use inode::SECTOR_BYTES;

use crate::Result;
use crate::error::Context;
use tree::Disk;

/// A file system in memory; clones share it. See the [module](self).
#[derive(Clone)]
pub struct SimFs {
    world: Arc<Mutex<World>>,
    life: u64,
}

/// Bytes that were once written, for a test that plays an adversary who reads recycled blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remain {
    /// The path that the file was opened under.
    pub path: PathBuf,
    /// Where in the file they were written.
    pub offset: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

struct World {
    disk: Disk,
    rng: fastrand::Rng,
    torn: Torn,
    life: u64,
    powered: bool,
    events: Vec<Event>,
    calls: u64,
    faults: Vec<Fault>,
    faults_fired: u64,
    /// Locked paths and the tickets of their holders.
    locks: BTreeMap<PathBuf, u64>,
    tickets: u64,
    remains: Option<Vec<Remain>>,
}

impl SimFs {
    /// An empty root directory. The seed decides what crashes keep and which calls fail by chance.
    pub fn new(seed: u64) -> Self {
        Self::from_disk(Disk::new(), seed)
    }

    fn from_disk(disk: Disk, seed: u64) -> Self {
        let world = World {
            disk,
            rng: fastrand::Rng::with_seed(seed),
            torn: Torn::default(),
            life: 0,
            powered: true,
            events: Vec::new(),
            calls: 0,
            faults: Vec::new(),
            faults_fired: 0,
            locks: BTreeMap::new(),
            tickets: 0,
            remains: None,
        };
        Self { world: Arc::new(Mutex::new(world)), life: 0 }
    }

    /// A copy of the disk, durable or not, that shares nothing with this one: a snapshot to come back to, a backup, or the
    /// same moment crashed once more under another seed. It has the capacity and none of the handles, locks, faults, calls
    /// and remains.
    #[must_use]
    pub fn fork(&self, seed: u64) -> Self {
        let mut disk = self.world.lock().disk.clone();
        disk.close_all();
        Self::from_disk(disk, seed)
    }

    // ---- ends ----

    /// The machine loses power and comes back: [`Keep::Any`].
    #[must_use = "this life is over: go on with the file system that is returned"]
    pub fn crash(&self) -> Self {
        self.crash_keeping(Keep::Any)
    }

    /// The machine loses power and comes back.
    #[must_use = "this life is over: go on with the file system that is returned"]
    pub fn crash_keeping(&self, keep: Keep) -> Self {
        let mut world = self.world.lock();
        let World { disk, rng, torn, .. } = &mut *world;
        disk.close_all();
        disk.crash(keep, *torn, rng);
        self.next_life(&mut world, Event::Crash)
    }

    /// The process is killed and the machine runs on: what was written is readable and as little durable as before. A later
    /// crash may still drop it.
    #[must_use = "this life is over: go on with the file system that is returned"]
    pub fn kill(&self) -> Self {
        let mut world = self.world.lock();
        world.disk.close_all();
        self.next_life(&mut world, Event::Kill)
    }

    fn next_life(&self, world: &mut World, event: Event) -> Self {
        world.life += 1;
        world.powered = true;
        world.locks.clear();
        world.events.push(event);
        Self { world: Arc::clone(&self.world), life: world.life }
    }

    // ---- faults ----

    /// Adds a fault. The first that wants a call has it. Faults stay through crashes.
    pub fn inject(&self, fault: Fault) {
        self.world.lock().faults.push(fault);
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.world.lock().faults.clear();
    }

    /// How many calls faults have failed: a test should see that its fault did strike.
    pub fn faults_fired(&self) -> u64 {
        self.world.lock().faults_fired
    }

    /// Limits the disk to so many bytes of file content, counted in sectors; `None` lifts the limit. What does not fit fails
    /// with [`std::io::ErrorKind::StorageFull`]; a write leaves what did fit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.world.lock().disk.capacity = bytes;
    }

    /// What crashes leave in sectors that were being written.
    pub fn set_torn(&self, torn: Torn) {
        self.world.lock().torn = torn;
    }

    /// Rots one bit (0 to 7) of a file, on the disk and in the cache. Not found if the file ends before.
    pub fn flip_bit(&self, path: &Path, offset: u64, bit: u8) -> Result<()> {
        let disk = &mut self.world.lock().disk;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let flipped = disk.find(path).and_then(|id| Ok(disk.file_mut(id)?.flip_bit(offset, bit)));
        match flipped.on("flip a bit of", path)? {
            true => Ok(()),
            false => Err(std::io::ErrorKind::NotFound).on("flip a bit of", path),
        }
    }

    // ---- what happened ----

    /// Every call so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        let call = |event: &Event| match event {
            Event::Call(call) => Some(call.clone()),
            _ => None,
        };
        self.world.lock().events.iter().filter_map(call).collect()
    }

    /// How many calls there were: the [`Call::index`] of the next.
    pub fn call_count(&self) -> u64 {
        self.world.lock().calls
    }

    /// Everything that happened so far, in order.
    pub fn events(&self) -> Vec<Event> {
        self.world.lock().events.clone()
    }

    /// Puts a mark among the events, such as `ack 17`.
    pub fn mark(&self, mark: &str) {
        self.world.lock().events.push(Event::Mark(mark.to_owned()));
    }

    // ---- what is there ----

    /// Every file's path and content as readers see them, without calls.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        self.world.lock().disk.files(false)
    }

    /// Every file's path and content as a crash with [`Keep::Nothing`] would leave them, without calls.
    pub fn durable_files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        self.world.lock().disk.files(true)
    }

    /// Keeps from now on every byte that is written, for [`SimFs::remains`].
    pub fn keep_remains(&self) {
        self.world.lock().remains.get_or_insert_default();
    }

    /// Every write since [`SimFs::keep_remains`], in order, overwritten and removed or not: more than recycled blocks could
    /// hold. Files that stood before are in [`SimFs::files`] only.
    pub fn remains(&self) -> Vec<Remain> {
        self.world.lock().remains.clone().unwrap_or_default()
    }
}

impl fmt::Debug for SimFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimFs").field("life", &self.life).finish_non_exhaustive()
    }
}
