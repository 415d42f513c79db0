//! A node at work: the writer on one thread, the integrator on another, appends from anywhere.

mod integrator;
mod rounds;
mod writer;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};
use tokio::sync::{Semaphore, oneshot, watch};

use crate::error::{AppendError, Result};
use crate::integrate::{Hooks, Place};
use crate::prune::Job;
use crate::recover::{NodeLock, RecoveredLog, create_log, recover_locked};
use crate::wal::LiveSegment;
use crate::{Append, Appended, Env, LogDir, LogId, LogIdentity, NodeConfig, NodeIdentity};

/// Bytes of appends that may wait for the writer; more appends wait before they are queued.
const QUEUE_BYTES_MAX: usize = 64 << 20;
/// The queue's budget is counted in units of this many bytes.
const QUEUE_UNIT_BYTES: usize = 1024;

/// An open data directory: the one writer of its WAL and logs.
pub struct Node {
    shared: Arc<Shared>,
    queue: Sender<Message>,
    threads: Mutex<Option<Threads>>,
    logs: Mutex<HashMap<String, LogHandle>>,
    /// Held by whoever makes a log, or lists its keys.
    identities: Mutex<()>,
    recovered: Vec<RecoveredLog>,
    identity: NodeIdentity,
    config: NodeConfig,
    env: Env,
    hooks: Hooks,
    frame_bytes_max: u64,
    _lock: NodeLock,
}

struct Threads {
    writer: JoinHandle<()>,
    integrator: JoinHandle<()>,
}

/// What the threads and handles share.
pub(crate) struct Shared {
    env: Env,
    wal: PathBuf,
    integrate_ms: u64,
    state: Mutex<Work>,
    /// Wakes the integrator.
    wake: Condvar,
    budget: Arc<Semaphore>,
    integrated: watch::Sender<Option<Place>>,
}

/// What is durable, what is integrated, and what is asked for.
struct Work {
    live: Vec<LiveSegment>,
    /// When the oldest batch that is not integrated became durable, nanoseconds of the boot clock.
    oldest_ns: Option<u64>,
    requested: bool,
    closing: bool,
    poison: Option<String>,
    /// Set while the integrator waits for space.
    stalled: Option<String>,
    /// The integrator's thread has ended.
    is_over: bool,
    new_logs: Vec<(LogId, LogDir)>,
    /// What is to be done between two rounds.
    jobs: Vec<(Job, std::sync::mpsc::Sender<Result<()>>)>,
}

pub(crate) enum Message {
    Append(Submission),
    /// Commit what is queued, then stop.
    Close,
}

pub(crate) struct Submission {
    log: Arc<LogSlot>,
    appends: Vec<Append>,
    ack: oneshot::Sender<Result<u64, AppendError>>,
    _budget: tokio::sync::OwnedSemaphorePermit,
}

pub(crate) struct LogSlot {
    id: LogId,
    next: AtomicU64,
}

/// Appends to one log. Cheap to clone.
#[derive(Clone)]
pub struct LogHandle {
    slot: Arc<LogSlot>,
    dir: LogDir,
    identity: Arc<LogIdentity>,
    shared: Arc<Shared>,
    queue: Sender<Message>,
    frame_bytes_max: u64,
}

/// How a node is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Why nothing can be appended until the node is reopened.
    pub poisoned: Option<String>,
    /// Why integration waits; it goes on by itself once there is space.
    pub stalled: Option<String>,
    /// Age of the oldest durable batch without a checkpoint, nanoseconds.
    pub lag_ns: u64,
    /// Live WAL segments.
    pub segments: usize,
}

impl Node {
    /// Recovers a data directory and starts to work. Blocks until recovery is done.
    pub fn open(env: Env, config: NodeConfig, hooks: Hooks) -> Result<Self> {
        Self::open_locked(NodeLock::take(&*env.fs, &config.dir)?, env, config, hooks)
    }

    /// [`Node::open`] under a lock that was taken before, so that the keystore could be opened under it too.
    pub fn open_locked(lock: NodeLock, env: Env, config: NodeConfig, hooks: Hooks) -> Result<Self> {
        let recovered = recover_locked(lock, &env, &config, &hooks)?;
        let frame_bytes_max = recovered.writer.frame_bytes_max();
        let shared = Arc::new(Shared {
            wal: config.dir.join("wal"),
            env: env.clone(),
            integrate_ms: config.integrate_ms,
            state: Mutex::new(Work {
                live: recovered.live,
                oldest_ns: None,
                requested: false,
                closing: false,
                poison: None,
                stalled: None,
                is_over: false,
                new_logs: Vec::new(),
                jobs: Vec::new(),
            }),
            wake: Condvar::new(),
            budget: Arc::new(Semaphore::new(QUEUE_BYTES_MAX / QUEUE_UNIT_BYTES)),
            integrated: watch::Sender::new(None),
        });
        let (queue, submissions) = std::sync::mpsc::channel();
        let integrator = integrator::Restart {
            hooks: hooks.clone(),
            node: recovered.node.id(),
            spares: recovered.writer.spares(),
            integrator: Some(recovered.integrator),
            logs: recovered.logs.iter().map(|log| (log.identity.id(), log.dir.clone())).collect(),
        };
        let threads = Threads {
            writer: writer::spawn(shared.clone(), recovered.writer, submissions)?,
            integrator: integrator::spawn(shared.clone(), integrator)?,
        };
        let node = Self {
            shared,
            queue,
            threads: Mutex::new(Some(threads)),
            logs: Mutex::new(HashMap::new()),
            identities: Mutex::new(()),
            recovered: recovered.logs,
            identity: recovered.node,
            config,
            env,
            hooks,
            frame_bytes_max,
            _lock: recovered.lock,
        };
        for log in &node.recovered {
            node.adopt(log.identity.clone(), log.dir.clone(), log.size);
        }
        Ok(node)
    }

    /// What recovery found, per log.
    pub fn recovered(&self) -> &[RecoveredLog] {
        &self.recovered
    }

    /// The node.
    pub fn identity(&self) -> &NodeIdentity {
        &self.identity
    }

    /// Systems that have a log on this node.
    pub fn systems(&self) -> Vec<String> {
        let mut systems: Vec<_> = self.logs.lock().keys().cloned().collect();
        systems.sort();
        systems
    }

    /// The log of a system, created if the node has none. Blocks while it is created.
    pub fn log(&self, system: &str) -> Result<LogHandle> {
        let known = || self.logs.lock().get(system).cloned();
        if let Some(log) = known() {
            return Ok(log);
        }
        let _identities = self.identities.lock();
        // Another thread may have been here first.
        known().map_or_else(|| self.create(system), Ok)
    }

    /// Begins a new epoch of a system's log: a new origin, a new tree. What older epochs hold stays readable.
    pub fn new_epoch(&self, system: &str) -> Result<LogHandle> {
        let _identities = self.identities.lock();
        self.create(system)
    }

    fn create(&self, system: &str) -> Result<LogHandle> {
        let org = self.identity.org();
        let (identity, dir) = create_log(&self.env, &self.config, &self.hooks, org, system, SHARD)?;
        self.shared.state.lock().new_logs.push((identity.id(), dir.clone()));
        Ok(self.adopt(identity, dir, 0))
    }

    /// Writes the keys a log signs with, after a rotation, to where readers find them.
    pub fn refresh_keys(&self, system: &str) -> Result<()> {
        let log = self.log(system)?;
        // Of two at the same time the later one lists what the earlier did.
        let _identities = self.identities.lock();
        let vkeys = crate::integrate::vkeys(&*self.hooks.signer, &log.identity.origin)?;
        let mut identity = (*log.identity).clone();
        identity.vkeys = vkeys;
        identity.store(&*self.env.fs, &log.dir)
    }

    /// A signed note (c2sp.org/signed-note) of this text, by the keys that sign the checkpoints of `origin` now. The text ends in a
    /// newline, and is no checkpoint's.
    pub fn sign_note(&self, origin: &str, text: String) -> Result<Vec<u8>> {
        crate::integrate::note(&*self.hooks.signer, origin, text)
    }

    /// Integrates all that is durable now and waits until a checkpoint covers it.
    pub async fn integrate(&self) -> Result<(), AppendError> {
        self.shared.integrate().await
    }

    /// How the node is doing.
    pub fn status(&self) -> Status {
        let work = self.shared.state.lock();
        let now = self.env.clock.boot_ns();
        Status {
            poisoned: work.poison.clone(),
            stalled: work.stalled.clone(),
            lag_ns: work.oldest_ns.map_or(0, |oldest| now.saturating_sub(oldest)),
            segments: work.live.len(),
        }
    }

    /// Stops: nothing more is accepted, what is queued is committed, what is durable is integrated. Blocks until done.
    pub fn close(&self) {
        let Some(threads) = self.threads.lock().take() else { return };
        self.shared.budget.close();
        // The threads end by themselves if they are gone already; a panic in one has been printed.
        let _ = self.queue.send(Message::Close);
        let _ = threads.writer.join();
        self.shared.state.lock().closing = true;
        self.shared.wake.notify_all();
        let _ = threads.integrator.join();
    }

    fn adopt(&self, identity: LogIdentity, dir: LogDir, size: u64) -> LogHandle {
        let handle = LogHandle {
            slot: Arc::new(LogSlot { id: identity.id(), next: AtomicU64::new(size) }),
            identity: Arc::new(identity),
            dir,
            shared: self.shared.clone(),
            queue: self.queue.clone(),
            frame_bytes_max: self.frame_bytes_max,
        };
        self.logs.lock().insert(handle.dir.system().to_owned(), handle.clone());
        handle
    }
}

/// One node writes one shard of each system. Several nodes tell theirs apart by the org, or by directory.
const SHARD: &str = "0";

impl Drop for Node {
    fn drop(&mut self) {
        self.close();
    }
}

impl LogHandle {
    /// Queues entries that become durable together, in this order, and with consecutive indices. Waits only while too many
    /// bytes are queued already. The acknowledgement is the [`Pending`]; entries are queued even if it is dropped.
    pub async fn submit(&self, appends: Vec<Append>) -> Result<Pending, AppendError> {
        let mut bytes = 0;
        for append in &appends {
            append.check(self.frame_bytes_max)?;
            bytes += crate::wal::format::frame_bytes(append);
        }
        if appends.is_empty() || bytes as u64 > self.frame_bytes_max {
            return Err(AppendError::Invalid(format!(
                "{} entries of {bytes} bytes do not fit one batch",
                appends.len()
            )));
        }
        self.shared.check()?;
        let units = bytes.div_ceil(QUEUE_UNIT_BYTES).min(QUEUE_BYTES_MAX / QUEUE_UNIT_BYTES) as u32;
        let budget = self.shared.budget.clone().acquire_many_owned(units).await;
        let budget = budget.map_err(|_| self.shared.check().err().unwrap_or(AppendError::Closed))?;
        let (ack, pending) = oneshot::channel();
        let submission = Submission { log: self.slot.clone(), appends, ack, _budget: budget };
        self.queue.send(Message::Append(submission)).map_err(|_| AppendError::Closed)?;
        Ok(Pending(pending))
    }

    /// Queues entries and waits until they are durable.
    pub async fn append(&self, appends: Vec<Append>) -> Result<Appended, AppendError> {
        self.submit(appends).await?.durable().await
    }

    /// Entries acknowledged so far, and those of the batch being committed.
    pub fn len(&self) -> u64 {
        self.slot.next.load(Ordering::Acquire)
    }

    /// Whether the log has no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The log's directory.
    pub fn dir(&self) -> &LogDir {
        &self.dir
    }

    /// The log's identity.
    pub fn identity(&self) -> &LogIdentity {
        &self.identity
    }
}

/// Entries on their way to disk.
#[derive(Debug)]
#[must_use = "nothing is durable until this says so"]
pub struct Pending(oneshot::Receiver<Result<u64, AppendError>>);

impl Pending {
    /// Waits for the fdatasync that covers the entries.
    pub async fn durable(self) -> Result<Appended, AppendError> {
        let index = self.0.await.map_err(|_| AppendError::Closed)??;
        Ok(Appended { index })
    }
}

impl Shared {
    fn check(&self) -> Result<(), AppendError> {
        match &self.state.lock().poison {
            Some(why) => Err(AppendError::Poisoned(why.clone())),
            None => Ok(()),
        }
    }

    /// Nothing is appended any more: what the failed call left behind is unknown.
    fn poison(&self, why: &str) {
        tracing::error!(why, "the log is poisoned: nothing is accepted until it is reopened");
        self.state.lock().poison.get_or_insert_with(|| why.to_owned());
        self.budget.close();
        self.wake.notify_all();
        self.integrated.send_modify(|_| {});
    }

    async fn integrate(&self) -> Result<(), AppendError> {
        let mut progress = self.integrated.subscribe();
        let target = {
            let mut work = self.state.lock();
            work.requested = true;
            work.live.last().map(|last| Place { incarnation: last.incarnation, offset: last.end })
        };
        self.wake.notify_all();
        loop {
            self.check()?;
            if *progress.borrow_and_update() >= target {
                return Ok(());
            }
            if self.state.lock().is_over {
                return Err(AppendError::Closed);
            }
            progress.changed().await.map_err(|_| AppendError::Closed)?;
        }
    }
}
