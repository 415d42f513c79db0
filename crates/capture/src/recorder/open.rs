//! Opening and closing a recorder.

use crate::recorder::clock_guard::ClockGuard;
use crate::recorder::desk::Desk;
use crate::recorder::door::{DoorInForce, SharedStore};
use crate::recorder::erase;
use crate::recorder::gap;
use crate::recorder::ids::Minter;
use crate::recorder::lapse::Lapses;
use crate::recorder::{
    Health, Inner, Orders, RecordError, Recorder, RecorderConfig, System, SystemState, VaultHooks,
};
use inferlog_log::marker::Found;
use inferlog_log::{AppendError, Env, Flags, Hooks, Node, NodeConfig, NodeLock, RecoveredLog};
use inferlog_record::body::StopReason;
use inferlog_record::{SystemName, Timestamp};
use inferlog_vault::Vault;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use tokio::runtime::Handle;

impl Recorder {
    /// Opens a data directory for recording: recovers its logs, says in each that recording begins, and closes the decisions
    /// that an earlier process left open. The keystore lies in the same directory, and was opened under the same lock
    /// ([`crate::recorder::open_keystore`]).
    pub async fn open(
        lock: NodeLock,
        env: Env,
        node: NodeConfig,
        vault: Vault,
        mut config: RecorderConfig,
    ) -> Result<Self, RecordError> {
        let hooks = VaultHooks(vault.clone());
        let hooks =
            Hooks { signer: Arc::new(hooks.clone()), births: Arc::new(hooks), twins: node.twins.clone() };
        let (opening, dir, carried) = (env.clone(), node.dir.clone(), config.lapses.take());
        let opened = tokio::task::spawn_blocking(move || {
            if let Some(lapses) = carried.as_ref().filter(|lapses| lapses.tails().is_none()) {
                lapses.set_tails(Some(gap::tails(&opening.fs, &node.dir)?));
            }
            // Recovery absorbs the births that a crash left in the WAL: no key may be made before.
            let opened = Node::open_locked(lock.clone(), opening.clone(), node.clone(), hooks)?;
            let id = opened.identity().id();
            let (lapses, found) = match carried {
                Some(lapses) => (lapses, Found::Clear),
                None => Lapses::open(&*opening.fs, &node.dir, node.twins.as_deref(), id, lock)?,
            };
            Ok::<_, RecordError>((opened, lapses, found))
        });
        let (node, lapses, found) = opened.await??;
        let shared = SharedStore::new(env.fs.clone(), &dir);
        let inner = Arc::new(Inner {
            node,
            vault,
            minter: Minter::new(env.clock.clone(), env.rng.clone()),
            clock_guard: ClockGuard::new(env.clock.clone(), config.clock_ahead_max),
            env,
            dir,
            config,
            gate: tokio::sync::RwLock::new(()),
            systems: tokio::sync::Mutex::new(HashMap::new()),
            orders: Mutex::new(Orders::default()),
            completing: Arc::default(),
            desk: Desk::default(),
            shared,
            violations: AtomicU64::new(0),
            life: lapses.begin_life(),
            lapses,
            keystore_failed: Mutex::new(None),
            is_closed: AtomicBool::new(false),
            runtime: Handle::current(),
        });
        let recorder = Self { inner };
        for log in recorder.inner.node.recovered() {
            let name =
                SystemName::new(log.dir.system()).map_err(|error| RecordError::Invalid(error.to_string()))?;
            let system = recorder.start(name, Some(log)).await?;
            system.tell_unknown(found, log).await?;
        }
        recorder.resolve_lapses().await?;
        recorder.inner.lapses.settle().await;
        recorder.resume_erasures().await?;
        tokio::spawn(tell_clocks(Arc::downgrade(&recorder.inner)));
        tokio::spawn(gap::tell_gaps(Arc::downgrade(&recorder.inner)));
        tokio::spawn(erase::tend(Arc::downgrade(&recorder.inner)));
        Ok(recorder)
    }

    /// A system's log, created if there is none.
    pub async fn system(&self, name: &SystemName) -> Result<System, RecordError> {
        self.start(name.clone(), None).await
    }

    async fn start(&self, name: SystemName, recovered: Option<&RecoveredLog>) -> Result<System, RecordError> {
        // Held until the log says that recording begins: nobody may record in it before.
        let mut systems = self.inner.systems.lock().await;
        self.inner.check_open()?;
        if let Some(state) = systems.get(&name) {
            return Ok(System { inner: self.inner.clone(), state: state.clone() });
        }
        let (inner, wanted) = (self.inner.clone(), name.clone());
        let log = tokio::task::spawn_blocking(move || {
            let log = inner.node.log(wanted.as_str())?;
            // A crash may have come between a new signing key and its place in the list.
            inner.node.refresh_keys(wanted.as_str())?;
            Ok::<_, RecordError>(log)
        });
        let log = log.await??;
        let state = Arc::new(SystemState {
            name: name.clone(),
            log,
            clock: Mutex::new(None),
            policy: RwLock::default(),
            identities: Mutex::default(),
            doubtful: AtomicUsize::new(0),
            ledger: Mutex::default(),
            ledger_doubtful: AtomicBool::new(false),
            retention: Arc::default(),
            door: DoorInForce::default(),
            sampler: Default::default(),
            sessions: Mutex::default(),
        });
        let system = System { inner: self.inner.clone(), state };
        let learning = system.clone();
        tokio::task::spawn_blocking(move || learning.learn_ledger()).await??;
        if let Some(before) = recovered {
            // Before anything is stamped: what was logged last is by the clock of an earlier process.
            self.inner.clock_guard.begin(system.last_time(before));
            let learning = system.clone();
            tokio::task::spawn_blocking(move || learning.learn_identities()).await??;
        }
        system.start(recovered).await?;
        systems.insert(name, system.state.clone());
        Ok(system)
    }

    /// Every system that has a log here.
    pub async fn systems(&self) -> Vec<System> {
        let systems = self.inner.systems.lock().await;
        systems.values().map(|state| System { inner: self.inner.clone(), state: state.clone() }).collect()
    }

    /// The keystore, for what is no record: backups, signing keys.
    pub fn vault(&self) -> &Vault {
        &self.inner.vault
    }

    /// The node, for what is no record: the verifier keys of its logs.
    pub fn node(&self) -> &Node {
        &self.inner.node
    }

    /// The runtime that it was opened on, which outlives it.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.inner.runtime
    }

    /// How it is doing.
    pub fn health(&self) -> Health {
        Health { log: self.inner.node.status(), keystore_failed: self.inner.keystore_failed.lock().clone() }
    }

    /// How many times an event lacked something that the profile asks for, of those that were checked: one in sixteen.
    pub fn violations(&self) -> u64 {
        self.inner.violations.load(Ordering::Relaxed)
    }

    /// Bytes free on the data directory's file system.
    pub fn free_bytes(&self) -> Result<u64, RecordError> {
        Ok(self.inner.env.fs.free_bytes(&self.inner.dir)?)
    }

    /// Waits until a checkpoint covers all that is durable now.
    pub async fn integrate(&self) -> Result<(), RecordError> {
        Ok(self.inner.node.integrate().await?)
    }

    /// Says in every log that recording ends, and closes them. What is begun and not finished is closed by the next start.
    /// Calling it again does nothing.
    pub async fn close(&self) -> Result<(), RecordError> {
        if self.inner.is_closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        // What holds the gate has its place before; nothing gets one after.
        let gate = self.inner.gate.write().await;
        self.tell_lapses(Flags::RESERVED).await;
        let mut result = Ok(());
        for system in self.systems().await {
            if let Err(error) = system.stop(StopReason::Requested).await {
                result = Err(error);
            }
        }
        let inner = self.inner.clone();
        tokio::task::spawn_blocking(move || inner.node.close()).await?;
        drop(gate);
        // Who completes erasures meets the closed log, and lets go.
        drop(self.inner.completing.lock().await);
        // What a later opening finds in the WAL comes after what is published now.
        self.inner.lapses.set_tails(None);
        // Of what is integrated by now: a full disk is not waited for.
        for system in self.systems().await {
            let saved = system.save_identities().await;
            saved.unwrap_or_else(|error| tracing::debug!(%error, "left to the next start"));
        }
        result
    }
}

impl System {
    /// The system's name.
    pub fn name(&self) -> &SystemName {
        &self.state.name
    }

    /// The time, as its events state it.
    pub fn now(&self) -> Timestamp {
        self.inner.minter.now()
    }

    /// Entries in its log.
    pub fn entries(&self) -> u64 {
        self.state.log.len()
    }
}

impl Inner {
    /// Fails once the recorder is closed. Whoever asks holds the gate, or the list of systems.
    pub(crate) fn check_open(&self) -> Result<(), RecordError> {
        if self.is_closed.load(Ordering::Acquire) { Err(AppendError::Closed.into()) } else { Ok(()) }
    }
}

/// Says in every log what the clock is worth, as long as the recorder lives.
async fn tell_clocks(inner: Weak<Inner>) {
    loop {
        let Some(period) = inner.upgrade().map(|inner| inner.config.clock_period) else { return };
        tokio::time::sleep(period).await;
        let Some(inner) = inner.upgrade() else { return };
        let recorder = Recorder { inner };
        for system in recorder.systems().await {
            let saved = system.save_identities().await;
            saved.unwrap_or_else(|error| tracing::debug!(%error, "left to the next start"));
            if let Err(error) = system.tell_sampling().await {
                tracing::debug!(system = %system.state.name, %error, "what was sampled could not be recorded");
            }
            let _gate = recorder.inner.gate.read().await;
            if recorder.inner.check_open().is_err() {
                return;
            }
            if let Err(error) = system.tell_clock().await {
                tracing::warn!(system = %system.state.name, %error, "the clock's state could not be recorded");
            }
        }
    }
}
