//! The gateway: an HTTP server in front of model servers that answers nothing it has not recorded.
//!
//! A request that its route's wire knows as an inference becomes a decision (`exchange`): its body is read, its opening is
//! queued, the model is called meanwhile, the answer is read whole, the rest is recorded, and only when all of it is durable
//! does the first byte of the answer leave. Where the record fails the client gets a 503 and nothing of the answer. Whatever
//! happens on the way is recorded as what it was: a client that leaves ends the wait, not the work (`detach`).
//!
//! Health and metadata of the model server are passed on and counted ([`crate::forward`]). Everything else is refused, unless
//! its route says `passthrough`.

mod answer;
mod call;
mod calls;
mod delivery;
mod describe;
mod detach;
mod drills;
mod events;
mod exchange;
mod grpc;
mod health;
mod incidents;
mod keeping;
mod metrics;
mod names;
mod registered;
mod retention;
mod serve;
mod step;
mod stream;
mod subject;
mod threads;
mod tools;
mod verdict;
mod witnesses;

pub use answer::DECISION_ID;
pub use drills::{DrillSample, DrillSamples};
pub use metrics::{FollowerSample, FollowerSamples};
pub use retention::{RetentionSample, RetentionSamples};
pub use witnesses::{TimestampSample, VouchedSample, VouchedSamples, WitnessSample};

use crate::api::Access;
use crate::recorder::{RecordError, Recorder, System};
use crate::route::{Failure, Route};
use crate::upstream::{Client, TlsError};
use calls::Ledgers;
use delivery::Reply;
use http::{Response, StatusCode};
use inferlog_record::{Id, Timestamp};
use inferlog_registry::Registry;
use metrics::{LaneMetrics, Metrics};
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use threads::Threads;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use tools::ToolNames;

/// Free space below which readiness and a metric warn, bytes, unless configured otherwise.
pub const DISK_RESERVE_BYTES: u64 = 2 << 30;
/// How long requests may go on after the gateway was asked to stop, unless configured otherwise.
pub const DRAIN_TIME_MAX: Duration = Duration::from_secs(30);
/// Connections from clients at one time; more wait to be accepted.
pub const CONNECTIONS_MAX: usize = 4096;

/// How a gateway behaves, beyond its routes.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// The routes, in the order in which they are tried.
    pub routes: Vec<Route>,
    /// Whether `/metrics` answers.
    pub metrics: bool,
    /// Free space below which readiness and a metric warn, bytes.
    pub disk_reserve_bytes: u64,
    /// How long requests may go on after the gateway was asked to stop.
    pub drain_time_max: Duration,
    /// Connections from clients at one time.
    pub connections_max: usize,
    /// What prompts, tools and models are registered; nothing is where there is none.
    pub registry: Option<Registry>,
    /// Who may attach events to decisions.
    pub api: Access,
    /// Asks what follows the log how it is doing, for `/metrics`.
    pub followers: Option<FollowerSamples>,
    /// Asks what is vouched for, likewise.
    pub vouched: Option<VouchedSamples>,
    /// Asks how the last drills ended, likewise.
    pub drills: Option<DrillSamples>,
    /// Asks what is kept, likewise.
    pub retention: Option<RetentionSamples>,
}

impl GatewayConfig {
    /// The defaults for these routes.
    pub fn new(routes: Vec<Route>) -> Self {
        Self {
            routes,
            metrics: true,
            disk_reserve_bytes: DISK_RESERVE_BYTES,
            drain_time_max: DRAIN_TIME_MAX,
            connections_max: CONNECTIONS_MAX,
            registry: None,
            api: Access::default(),
            followers: None,
            vouched: None,
            drills: None,
            retention: None,
        }
    }
}

/// Why a gateway cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// An upstream that speaks TLS.
    #[error("route `{route}`: {source}")]
    Tls {
        /// The route.
        route: String,
        /// What is wrong.
        source: TlsError,
    },
    /// A route is laxer than its system's policy.
    #[error(
        "route `{route}` says failure = \"degrade\", and the policy {policy} of its system says \"block\": a route may be stricter than \
         the policy, never laxer; take the key out of the route, or change the policy"
    )]
    Laxer {
        /// The route.
        route: String,
        /// The policy in force.
        policy: String,
    },
    /// A system's log.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// A gateway, ready to serve. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
}

struct Inner {
    lanes: Vec<Arc<Lane>>,
    /// Replaced when its log was opened anew.
    recorder: RwLock<Recorder>,
    runtime: Handle,
    metrics: Metrics,
    config: GatewayConfig,
    is_draining: AtomicBool,
    /// Decisions that go on over several exchanges.
    threads: Threads,
    /// Everything that may still record: a drain waits for it.
    tasks: TaskTracker,
}

/// A route with what it needs at work.
struct Lane {
    route: Route,
    client: Client,
    /// Replaced with the recorder.
    system: RwLock<System>,
    metrics: LaneMetrics,
    /// Tools that its models asked for.
    tools: ToolNames,
    /// The calls of recent decisions of all routes.
    ledgers: Arc<Ledgers>,
    registry: Option<Registry>,
}

impl Lane {
    /// What becomes of an answer that cannot be recorded: as the route says, and never laxer than the policy in force.
    fn failure(&self) -> Failure {
        let policy = self.system.read().policy().and_then(|known| known.policy.failure);
        match self.route.failure {
            Some(route) if !is_laxer(Some(route), policy) => route,
            _ => policy.unwrap_or_default(),
        }
    }
}

/// Whether a route says that answers are given which a policy says are not.
fn is_laxer(route: Option<Failure>, policy: Option<Failure>) -> bool {
    (route, policy) == (Some(Failure::Degrade), Some(Failure::Block))
}

impl AsRef<Route> for Arc<Lane> {
    fn as_ref(&self) -> &Route {
        &self.route
    }
}

impl Gateway {
    /// Sets up a gateway: opens the log of every route's system, and the way to every upstream. Nothing is served yet.
    pub async fn new(config: GatewayConfig, recorder: Recorder) -> Result<Self, GatewayError> {
        let metrics = Metrics::new();
        let mut lanes = Vec::with_capacity(config.routes.len());
        let ledgers = Arc::<Ledgers>::default();
        for route in &config.routes {
            let client = Client::new(&route.upstream, route.limits.connect_time_max)
                .map_err(|source| GatewayError::Tls { route: route.name.to_string(), source })?;
            let system = recorder.system(&route.system).await?;
            if let Some(known) = system.policy().filter(|known| is_laxer(route.failure, known.policy.failure))
            {
                return Err(GatewayError::Laxer {
                    route: route.name.to_string(),
                    policy: known.id.to_string(),
                });
            }
            let system = RwLock::new(system);
            let metrics = metrics.lane(route.name.as_str());
            let (route, tools, registry) = (route.clone(), ToolNames::default(), config.registry.clone());
            let ledgers = ledgers.clone();
            lanes.push(Arc::new(Lane { route, client, system, metrics, tools, ledgers, registry }));
        }
        let (is_draining, threads, tasks) = (AtomicBool::new(false), Threads::default(), TaskTracker::new());
        let (runtime, recorder) = (recorder.runtime().clone(), RwLock::new(recorder));
        let inner = Inner { lanes, recorder, runtime, metrics, config, is_draining, threads, tasks };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The recorder behind it.
    pub fn recorder(&self) -> Recorder {
        self.inner.recorder()
    }

    /// Records with another recorder from now on: the one so far was closed, and its directory opened again. What was begun
    /// with the old one ends with it; decisions that exchanges share begin anew.
    ///
    /// # Errors
    /// If a system's log cannot be opened: then nothing is changed.
    pub async fn attach(&self, recorder: Recorder) -> Result<(), RecordError> {
        let mut systems = Vec::with_capacity(self.inner.lanes.len());
        for lane in &self.inner.lanes {
            systems.push(recorder.system(&lane.route.system).await?);
        }
        for (lane, system) in self.inner.lanes.iter().zip(systems) {
            *lane.system.write() = system;
        }
        *self.inner.recorder.write() = recorder;
        Ok(())
    }
}

impl Inner {
    fn recorder(&self) -> Recorder {
        self.recorder.read().clone()
    }
}

impl Lane {
    /// The system that its decisions are recorded in, as of now.
    fn system(&self) -> System {
        self.system.read().clone()
    }

    fn now(&self) -> Timestamp {
        self.system.read().now()
    }

    /// An error in the words of the gateway, as the route's clients expect it.
    fn error(&self, status: StatusCode, code: &str, message: &str) -> Response<Reply> {
        match self.route.wire.is_grpc() {
            true => grpc::error(status, message),
            false => answer::error(status, code, message),
        }
    }

    /// The answer where the record failed. Nothing of the model's answer is in it.
    fn not_recorded(&self, failure: &RecordError) -> Response<Reply> {
        match self.route.wire.is_grpc() {
            true if matches!(failure, RecordError::Biometric(_)) => {
                grpc::error(StatusCode::UNPROCESSABLE_ENTITY, &answer::words(failure))
            }
            true => grpc::error(StatusCode::SERVICE_UNAVAILABLE, &answer::words(failure)),
            false => answer::not_recorded(failure),
        }
    }

    fn mint(&self) -> Result<Id, RecordError> {
        self.system.read().mint()
    }
}
