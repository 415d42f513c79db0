//! Logs to measure and to test with: real ones, signed and verifiable, of decisions that nobody took.
//!
//! What is random comes from a seed, and time is simulated, so that the same options give the same entries (the log's origin
//! and keys are its own). No payload is sealed: references say `not_captured`, or, with [`Options::sealed`], are as long as those
//! of sealed content that is not there. Several systems are written to side by side; decisions interleave, some of them agentic;
//! a hundredth hears of a label or an override days later; some events come twice, as a client's retry makes them.

mod decision;
mod life;
mod make;
mod steps;
mod systems;
mod traffic;

use std::path::Path;
use std::sync::Arc;

use inferlog_capture::recorder::{RecordError, VaultHooks, open_keystore};
use inferlog_log::{Append, AppendError, Hooks, LogError, LogHandle, Node, NodeConfig, NodeLock, Pending};
use inferlog_record::{EntryError, TextError};
use inferlog_vault::RootSource;

use crate::real_env;
pub use systems::SYSTEMS;
pub use traffic::Traffic;

/// What to generate.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many decisions are opened. A decision has a little more than four events on average.
    pub decisions: u64,
    /// Everything random follows from it.
    pub seed: u64,
    /// Over how many days decisions begin; what comes late comes up to three weeks later.
    pub days: u64,
    /// References as long as those of sealed content. Whoever verifies such a log finds their payloads missing.
    pub sealed: bool,
}

impl Options {
    /// So many decisions over six weeks.
    pub fn new(decisions: u64) -> Self {
        Self { decisions, seed: 1, days: 42, sealed: false }
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Decisions opened.
    pub decisions: u64,
    /// Entries of all logs.
    pub entries: u64,
    /// Events of all entries, repeated ones and those of the systems' lives included; an event that a further entry continues counts
    /// once.
    pub events: u64,
    /// Length of all entries, bytes.
    pub entry_bytes: u64,
}

/// Why nothing could be generated.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// An entry could not be written as bytes.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// A system has a name that it may not have.
    #[error(transparent)]
    Name(#[from] TextError),
    /// The log could not be opened.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log did not take an entry.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The keystore could not be made.
    #[error(transparent)]
    Keystore(#[from] RecordError),
    /// A thread ended early.
    #[error(transparent)]
    Thread(#[from] tokio::task::JoinError),
}

/// Bytes of entries that become durable together.
const BATCH_BYTES: usize = 1 << 20;
/// Batches of one log that may wait for the disk.
const PENDING_MAX: usize = 4;

/// Writes logs in `dir`, an empty or a new directory, and waits until checkpoints cover them. The root key is `dir/root`.
pub async fn write(dir: &Path, options: &Options) -> Result<Written, GenerateError> {
    let env = real_env();
    let lock = NodeLock::take(&*env.fs, dir)?;
    let root = RootSource::File(dir.join("root"));
    let keys = VaultHooks(open_keystore(&lock, &env, dir, |_| root.store(env.fs.clone()))?);
    let hooks = Hooks { signer: Arc::new(keys.clone()), births: Arc::new(keys), twins: None };
    let config = NodeConfig::new(dir);
    let node = tokio::task::spawn_blocking(move || Node::open_locked(lock, env, config, hooks)).await??;
    let mut logs = Vec::new();
    for system in SYSTEMS {
        logs.push(Batches { log: node.log(system)?, batch: Vec::new(), bytes: 0, pending: Vec::new() });
    }
    let mut traffic = Traffic::new(options)?;
    for write in traffic.by_ref() {
        let (system, appends) = write?;
        if let Some(log) = logs.get_mut(system) {
            log.push(appends).await?;
        }
    }
    for log in &mut logs {
        log.send().await?;
        log.settle(0).await?;
    }
    node.integrate().await?;
    tokio::task::spawn_blocking(move || node.close()).await?;
    Ok(traffic.written())
}

/// One log, and what is on its way there.
struct Batches {
    log: LogHandle,
    batch: Vec<Append>,
    bytes: usize,
    pending: Vec<Pending>,
}

impl Batches {
    /// Adds what becomes durable together.
    async fn push(&mut self, appends: Vec<Append>) -> Result<(), AppendError> {
        self.bytes += appends.iter().map(|append| append.entry.len()).sum::<usize>();
        self.batch.extend(appends);
        if self.bytes >= BATCH_BYTES {
            self.send().await?;
            self.settle(PENDING_MAX).await?;
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), AppendError> {
        self.bytes = 0;
        if !self.batch.is_empty() {
            self.pending.push(self.log.submit(std::mem::take(&mut self.batch)).await?);
        }
        Ok(())
    }

    /// Waits until no more than so many batches are on their way.
    async fn settle(&mut self, pending_max: usize) -> Result<(), AppendError> {
        let done = self.pending.len().saturating_sub(pending_max);
        for pending in self.pending.drain(..done) {
            pending.durable().await?;
        }
        Ok(())
    }
}
