//! The Recorder: the one door into the log.
//!
//! A decision takes two writes. [`System::begin`] mints its id and queues `decision.opened` with the sealed input, while the
//! model works; [`Decision::finish`] records the rest and waits until all of it is durable. Whoever waits for neither has
//! nothing. What is sealed under one key may be in several writes; the key's *birth* rides in each of them until one is known
//! to be durable, so that no crash leaves sealed content without its key.
//!
//! **The gate.** Whoever seals holds it, shared, from before the seal until the write has its place in the log's order. An
//! erasure takes it alone. So when the erasure's intent has its place, everything sealed before has an earlier one, is durable
//! with it, and is integrated before keys are destroyed; everything after meets dead keys.
//!
//! **Late events.** A decision may be added to at any time: [`Recorder::ongoing`] finds it in a table of recent ones, or in the
//! log by its id.
//!
//! **Lapses.** What is answered though it cannot be recorded is counted ([`System::lapse`]); the count becomes a `gap`.
//!
//! **Ends.** A decision that is dropped is closed as aborted. What a crash leaves open is closed as `interrupted` by the next
//! start, which also says whether the last end was clean.

mod access;
mod answer;
mod biometric;
mod clock_guard;
mod decision;
mod desk;
mod door;
mod draft;
mod drill;
mod erase;
mod error;
mod gap;
mod hold;
mod hooks;
mod identities;
mod ids;
mod keystore;
mod lapse;
mod ledger;
mod left_out;
mod life;
mod ongoing;
mod open;
mod policy;
mod purge;
mod queue;
mod refer;
mod resume;
mod sample;
mod scan;
mod seal;
mod trail;
mod write;

pub use biometric::SESSIONS_OPEN_MAX;
pub use clock_guard::{AHEAD_MAX, Frozen};
pub use decision::{Decision, closed, error_payload};
pub use desk::{DECISIONS_REMEMBERED_MAX, EVENTS_REMEMBERED_MAX};
pub use draft::{NewContent, NewDecision, NewEvent, NewPayload, bare};
pub use erase::{
    Certificate, EraseRequest, Erased, ErasurePlan, ErasureStatus, FOLLOWERS_TIME_MAX,
    Outcome as ErasureOutcome, Phase as ErasurePhase, StorePlan, Target, Withheld,
};
pub use error::RecordError;
pub use gap::GAP_PERIOD;
pub use hold::NewHold;
pub use hooks::VaultHooks;
pub use keystore::open_keystore;
pub use lapse::Lapses;
pub use ledger::{Announced, Ledger, StandingHold, Told, ToldIncident};
pub use left_out::FOLLOWER_SKIP;
pub use ongoing::{Ongoing, Recorded};
pub use policy::InForce;
pub use purge::{
    ClassHoldings, ClassPlan, ClassRule, DayHoldings, FrozenBecause, Holdings, PurgePlan, Purged, due_at,
};

pub(crate) use answer::Answer;
pub(crate) use desk::Done;

use clock_guard::ClockGuard;
use desk::Desk;
use door::{DoorInForce, SharedStore};
use ids::Minter;
use inferlog_log::{Env, LogHandle, Node, Status};
use inferlog_record::{ClearName, Digest, Id, Pseudonym, Purpose, Role, SystemName};
use inferlog_registry::Identities;
use inferlog_vault::Vault;
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::time::Duration;
use tokio::runtime::Handle;

/// Time between two `clock` events of a system, unless configured otherwise.
pub const CLOCK_PERIOD: Duration = Duration::from_secs(300);

/// What the Recorder says of itself and of every decision.
#[derive(Clone, Debug)]
pub struct RecorderConfig {
    /// Name and version of the program.
    pub build: ClearName,
    /// SHA-256 of the configuration in force.
    pub configuration: Digest,
    /// What the organisation is to the systems.
    pub role: Role,
    /// Which purposes of Article 12(2) the record serves.
    pub purposes: Vec<Purpose>,
    /// The sampling policy in force.
    pub sampling: ClearName,
    /// The policies that recording begins under, of each system at most one.
    pub policies: Vec<Arc<InForce>>,
    /// For how long backups are kept that inferlog does not write: what certificates of erasure say of them.
    pub backup_horizon: Option<Duration>,
    /// How far ahead of what was logged last a start may find a wall clock that no time service vouches for, before purging is frozen;
    /// and how much longer everything is kept on such a machine.
    pub clock_ahead_max: Duration,
    /// Time between two `clock` events.
    pub clock_period: Duration,
    /// Time between two attempts to tell a gap.
    pub gap_period: Duration,
    /// What the recorder before this one left, where this process opens the same directory again ([`Recorder::lapses`]): it is
    /// told here. The lock to open it with is [`Lapses::node_lock`].
    pub lapses: Option<Arc<Lapses>>,
}

impl RecorderConfig {
    /// Everything is recorded, for all purposes, by a deployer.
    pub fn new(build: ClearName, configuration: Digest) -> Self {
        Self {
            build,
            configuration,
            role: Role::Deployer,
            purposes: vec![Purpose::A, Purpose::B, Purpose::C],
            sampling: ClearName::or_unlisted("all"),
            policies: Vec::new(),
            backup_horizon: None,
            clock_ahead_max: AHEAD_MAX,
            clock_period: CLOCK_PERIOD,
            gap_period: GAP_PERIOD,
            lapses: None,
        }
    }
}

/// Records decisions durably. Cheap to clone; a clone is the same recorder.
#[derive(Clone)]
pub struct Recorder {
    inner: Arc<Inner>,
}

/// How a recorder is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The log.
    pub log: Status,
    /// Why the keystore makes no keys until it is opened again.
    pub keystore_failed: Option<String>,
}

/// One system's log, to record decisions in. Cheap to clone.
#[derive(Clone)]
pub struct System {
    inner: Arc<Inner>,
    state: Arc<SystemState>,
}

struct SystemState {
    name: SystemName,
    log: LogHandle,
    /// The latest `clock` event.
    clock: Mutex<Option<Id>>,
    /// The policy in force. Read behind the gate, by whoever records under it.
    policy: RwLock<Option<Arc<InForce>>>,
    /// What its log has shown of its parts.
    identities: Mutex<Identities>,
    /// Writes that show identities for the first time and that are not known to be durable.
    doubtful: AtomicUsize,
    /// What its logs say that nothing may forget.
    ledger: Mutex<Ledger>,
    /// Whether the log may hold what the ledger does not.
    ledger_doubtful: AtomicBool,
    /// What retention remembers of its log; held by whoever purges.
    retention: Arc<tokio::sync::Mutex<purge::Memory>>,
    /// What the policy in force takes out of content.
    door: DoorInForce,
    /// Which decisions the policy in force selects, and how many there were.
    sampler: sample::Sampler,
    /// The periods of use that began and have not ended.
    sessions: Mutex<BTreeSet<Id>>,
}

struct Inner {
    node: Node,
    vault: Vault,
    env: Env,
    dir: PathBuf,
    config: RecorderConfig,
    minter: Minter,
    gate: tokio::sync::RwLock<()>,
    systems: tokio::sync::Mutex<HashMap<SystemName, Arc<SystemState>>>,
    orders: Mutex<Orders>,
    /// Held by whoever completes erasures.
    completing: Arc<tokio::sync::Mutex<()>>,
    /// Whether the wall clock may say what is old.
    clock_guard: ClockGuard,
    desk: Desk,
    /// Content that policies declare shared.
    shared: SharedStore,
    /// What events lacked of the profile.
    violations: AtomicU64,
    lapses: Arc<Lapses>,
    /// Which of the recorders this is that were opened with the same lapses.
    life: u64,
    /// Why the keystore makes no keys until it is opened anew.
    keystore_failed: Mutex<Option<String>>,
    is_closed: AtomicBool,
    runtime: Handle,
}

/// Which erasure destroyed whose keys while this process runs: what late events of theirs refer to.
#[derive(Default)]
struct Orders {
    subjects: HashMap<Pseudonym, Id>,
    decisions: HashMap<Id, Id>,
    /// Announced and not carried out yet.
    intended: Vec<erase::Intended>,
    /// Carried out, and to be completed when followers have passed.
    waiting: Vec<erase::Waiting>,
}
