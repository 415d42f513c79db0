//! Opening a data directory for recording: lock, keystore, log, recorder, in this order.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use inferlog_capture::recorder::{
    AHEAD_MAX, Lapses, RecordError, Recorder, RecorderConfig, VaultHooks, open_keystore,
};
use inferlog_disk::{DiskError, OsRng, RealFs, SystemClock};
use inferlog_log::recover::create_log;
use inferlog_log::{Env, Hooks, LogError, NodeConfig, NodeIdentity, NodeLock, list_logs};
use inferlog_record::{ClearName, Digest, SystemName, Timestamp};
use inferlog_registry::{REGISTRY_DIR, Registry, RegistryError};
use inferlog_vault::{BackupReport, KeystoreId, RootSource, Vault, default_root_path};
use sha2::Digest as _;

use crate::policy::{self, PolicyFault, policies_in_force};

/// What to open, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data directory; created if missing.
    pub data: PathBuf,
    /// Where the root key is; `~/.config/inferlog/<keystore id>.root` if `None`.
    pub root_key: Option<RootSource>,
    /// The org in the logs' origins; counts only when the directory is new.
    pub org: Option<String>,
    /// Another failure domain for the twins.
    pub twins: Option<PathBuf>,
    /// Directories that copies of the keystore are kept in.
    pub backups: Vec<PathBuf>,
    /// Systems whose logs begin anew, under a new origin: after data was lost. What the old logs hold stays readable.
    pub new_epochs: Vec<SystemName>,
    /// Policies, as text, to be in force from the start on: each is registered if it is new.
    pub policies: Vec<String>,
    /// How far ahead of the log a start may find a clock that no time service vouches for, before purging is frozen.
    pub clock_ahead_max: Duration,
    /// For how long backups are kept that inferlog does not write: certificates of erasure name the day.
    pub backup_horizon: Option<Duration>,
    /// The rest of the configuration, as text: its digest stands in the record.
    pub configuration: String,
}

impl Settings {
    /// The defaults for a data directory.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            root_key: None,
            org: None,
            twins: None,
            backups: Vec::new(),
            new_epochs: Vec::new(),
            policies: Vec::new(),
            clock_ahead_max: AHEAD_MAX,
            backup_horizon: None,
            configuration: String::new(),
        }
    }

    fn digest(&self) -> Digest {
        let text = format!("{:?} {:?} {}", self.org, self.twins, self.configuration);
        Digest(sha2::Sha256::digest(text.as_bytes()).into())
    }
}

/// A data directory open for recording: by this process alone.
#[derive(Clone)]
pub struct Instance {
    /// Records decisions.
    pub recorder: Recorder,
    /// The keystore.
    pub vault: Vault,
    /// Registered prompts, tools and models.
    pub registry: Registry,
    /// The outside world it stands on.
    pub env: Env,
    /// The data directory.
    pub data: PathBuf,
}

/// Why a data directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The log could not be opened.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The keystore could not be opened, or the recorder could not begin.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The registry could not be opened.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A policy could not be put in force.
    #[error(transparent)]
    Policy(#[from] PolicyFault),
    /// A file operation failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// There is a log and no keystore.
    #[error(
        "{}: the logs are here and their keystore is not: restore {} from a backup, or give another data directory",
        data.display(), data.join("keystore").display()
    )]
    KeystoreLost {
        /// The data directory.
        data: PathBuf,
    },
    /// Nothing says where the root key is to live.
    #[error(
        "this process has no home directory to keep the root key in: say where with --root-key file:PATH"
    )]
    NoHome,
    /// The program's own name breaks the record's rules.
    #[error("{0}")]
    Name(#[from] inferlog_record::TextError),
}

/// The one shard of each system that a node writes.
const SHARD: &str = "0";

/// The real file system, clock and randomness.
pub fn real_env() -> Env {
    Env { fs: Arc::new(RealFs), clock: Arc::new(SystemClock), rng: Arc::new(OsRng) }
}

impl Instance {
    /// Opens a data directory, recovers what a crash left, and begins to record. Needs a tokio runtime.
    pub async fn open(env: Env, settings: &Settings) -> Result<Self, OpenError> {
        let lock = NodeLock::take(&*env.fs, &settings.data)?;
        let vault = open_vault(&lock, &env, settings)?;
        let registry = Registry::open(env.fs.clone(), &settings.data.join(REGISTRY_DIR))?;
        for policy in &settings.policies {
            policy::register(&registry, policy, Timestamp(env.clock.now_ns()))?;
        }
        begin_epochs(&env, &node_config(settings), &vault, &settings.new_epochs)?;
        Self::record(lock, env, settings, vault, registry, None).await
    }

    /// Opens its directory again, with the same settings: after the log or the keystore failed, and [`Instance::recorder`] was
    /// closed. The directory is never free for another process meanwhile, and what was answered unrecorded is not forgotten.
    pub async fn reopen(&self, settings: &Settings) -> Result<Self, OpenError> {
        let (env, lapses) = (self.env.clone(), self.recorder.lapses().clone());
        let lock = lapses.node_lock();
        let vault = open_vault(&lock, &env, settings)?;
        Self::record(lock, env, settings, vault, self.registry.clone(), Some(lapses)).await
    }

    async fn record(
        lock: NodeLock,
        env: Env,
        settings: &Settings,
        vault: Vault,
        registry: Registry,
        lapses: Option<Arc<Lapses>>,
    ) -> Result<Self, OpenError> {
        let build = ClearName::new(concat!("inferlog/", env!("CARGO_PKG_VERSION")))?;
        let policies = policies_in_force(&registry)?;
        let clock_ahead_max = settings.clock_ahead_max;
        let config = RecorderConfig {
            lapses,
            policies,
            clock_ahead_max,
            backup_horizon: settings.backup_horizon,
            ..RecorderConfig::new(build, settings.digest())
        };
        let node = node_config(settings);
        let recorder = Recorder::open(lock, env.clone(), node, vault.clone(), config).await?;
        Ok(Self { recorder, vault, registry, env, data: settings.data.clone() })
    }

    /// Brings every configured copy of the keystore up to date. Blocks.
    pub fn back_up(&self) -> Vec<BackupReport> {
        self.vault.backup_all()
    }
}

fn node_config(settings: &Settings) -> NodeConfig {
    let mut node = NodeConfig::new(&settings.data);
    node.org.clone_from(&settings.org);
    node.twins.clone_from(&settings.twins);
    node
}

/// Opens the keystore alone, to read content with, of a directory that nobody records in meanwhile: the lock says so as long
/// as it is kept. Only what is published can be read so; what a crash left behind waits for [`Instance::open`].
pub fn open_to_read(env: &Env, settings: &Settings) -> Result<(NodeLock, Vault), OpenError> {
    let lock = NodeLock::take(&*env.fs, &settings.data)?;
    let vault = open_vault(&lock, env, settings)?;
    Ok((lock, vault))
}

/// Makes new logs, which recovery then takes for the newest: what the old ones signed binds them no more.
fn begin_epochs(
    env: &Env,
    node: &NodeConfig,
    vault: &Vault,
    systems: &[SystemName],
) -> Result<(), OpenError> {
    if systems.is_empty() {
        return Ok(());
    }
    let keys = VaultHooks(vault.clone());
    let hooks = Hooks { signer: Arc::new(keys.clone()), births: Arc::new(keys), twins: node.twins.clone() };
    let identity = NodeIdentity::load_or_create(&*env.fs, &*env.rng, &node.dir, node.org.as_deref())?;
    for system in systems {
        create_log(env, node, &hooks, identity.org(), system.as_str(), SHARD)?;
    }
    Ok(())
}

/// Opens the keystore of a data directory, or makes one where there is no log yet.
fn open_vault(lock: &NodeLock, env: &Env, settings: &Settings) -> Result<Vault, OpenError> {
    let has_keystore = env.fs.exists(&settings.data.join("keystore").join("table"))?;
    if !has_keystore && !list_logs(&*env.fs, &settings.data)?.is_empty() {
        return Err(OpenError::KeystoreLost { data: settings.data.clone() });
    }
    if settings.root_key.is_none() && default_root_path(KeystoreId([0; 16])).is_none() {
        return Err(OpenError::NoHome);
    }
    let vault =
        open_keystore(lock, env, &settings.data, |id| root_source(settings, id).store(env.fs.clone()))?;
    Ok(vault.with_backups(settings.backups.clone()))
}

fn root_source(settings: &Settings, keystore: KeystoreId) -> RootSource {
    let default = || default_root_path(keystore).map(RootSource::File);
    // Without a home directory nothing is opened: the name is never used.
    settings.root_key.clone().or_else(default).unwrap_or_else(|| RootSource::Env("HOME".into()))
}
