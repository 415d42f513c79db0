//! The listener: connections in, requests dispatched, an orderly end. A connection speaks HTTP/1.1, or HTTP/2 from its first
//! byte ("prior knowledge", RFC 9113, section 3.3).

use crate::forward::forward;
use crate::gateway::answer;
use crate::gateway::delivery::{Outbox, Reply, Watched, Way};
use crate::gateway::detach::Detach;
use crate::gateway::events;
use crate::gateway::metrics::End;
use crate::gateway::threads::SWEEP_PERIOD;
use crate::gateway::{Gateway, Inner, Lane, grpc};
use crate::route::{Matched, find};
use crate::upstream::UpstreamError;
use crate::wire::grpc::is_grpc;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use hyper_util::server::conn::auto;
use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a client may take for a request's head, and how long a connection may lie idle. Above the idle time of common
/// clients, so that they and not the gateway close first.
const HEAD_TIME_MAX: Duration = Duration::from_secs(75);
/// Requests under way at one time on one HTTP/2 connection.
const STREAMS_MAX: u32 = 128;
/// Longest head of an HTTP/2 request, bytes, decoded.
const HEAD_BYTES_MAX: u32 = 64 << 10;
/// Time between two pings on an HTTP/2 connection, and how long an answer to one is waited for.
const PING_PERIOD: Duration = Duration::from_secs(30);
/// How long to wait when a connection cannot be accepted, for want of file descriptors say.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// One connection from a client.
struct Connection {
    peer: SocketAddr,
    outbox: Arc<Outbox>,
    pulse: Mutex<Pulse>,
}

/// What goes on on a connection.
struct Pulse {
    in_flight: usize,
    idle_since: Instant,
}

impl Connection {
    fn new(peer: SocketAddr) -> Arc<Self> {
        let pulse = Pulse { in_flight: 0, idle_since: Instant::now() };
        Arc::new(Self { peer, outbox: Outbox::new(), pulse: Mutex::new(pulse) })
    }

    /// A request is under way as long as the guard is there.
    fn enter(self: &Arc<Self>) -> Busy {
        self.pulse.lock().in_flight += 1;
        Busy(self.clone())
    }

    /// When it will have lain idle for too long; no request lies idle.
    fn idle_until(&self) -> Instant {
        let pulse = self.pulse.lock();
        let since = if pulse.in_flight == 0 { pulse.idle_since } else { Instant::now() };
        since + HEAD_TIME_MAX
    }
}

struct Busy(Arc<Connection>);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut pulse = self.0.pulse.lock();
        pulse.in_flight -= 1;
        pulse.idle_since = Instant::now();
    }
}

/// Runs what hyper starts for each HTTP/2 request where the end of the gateway waits for it.
#[derive(Clone)]
struct Tasks(TaskTracker);

impl<F: Future<Output: Send + 'static> + Send + 'static> hyper::rt::Executor<F> for Tasks {
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

/// The two steps of an end: finish what you have, then stop.
#[derive(Clone, Default)]
struct Ends {
    drain: CancellationToken,
    kill: CancellationToken,
}

impl Gateway {
    /// Serves until `shutdown` is done, then finishes what is under way, for at most the configured time. The recorder stays
    /// open: whoever opened it closes it after this.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let ends = Ends::default();
        let permits = Arc::new(Semaphore::new(self.inner.config.connections_max));
        let swept = CancellationToken::new();
        let sweeper = tokio::spawn(sweep(self.inner.clone(), swept.clone()));
        let mut shutdown = pin!(shutdown);
        loop {
            let (stream, peer, permit) = tokio::select! {
                biased;
                () = &mut shutdown => break,
                accepted = accept(&listener, &permits) => accepted,
            };
            let served = connection(self.inner.clone(), stream, peer, ends.clone(), permit);
            self.inner.tasks.spawn(served);
        }
        drop(listener);
        self.drain(&ends).await;
        // What it has taken from the table it closes.
        swept.cancel();
        let _ = sweeper.await;
        self.inner.close_threads(true).await;
    }

    async fn drain(&self, ends: &Ends) {
        self.inner.is_draining.store(true, Ordering::Release);
        self.inner.tasks.close();
        ends.drain.cancel();
        if timeout(self.inner.config.drain_time_max, self.inner.tasks.wait()).await.is_err() {
            tracing::warn!(left = self.inner.tasks.len(), "the time to drain is up: what is left is cut off");
            ends.kill.cancel();
            // What was cut off is still recorded as aborted; an upstream that never answers is not waited for.
            let _ = timeout(Duration::from_secs(5), self.inner.tasks.wait()).await;
        }
    }
}

/// Closes decisions that lie idle, until it is told to stop.
async fn sweep(gateway: Arc<Inner>, stop: CancellationToken) {
    while timeout(SWEEP_PERIOD, stop.cancelled()).await.is_err() {
        gateway.close_threads(false).await;
    }
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed: there is always a permit, sooner or later.
    let permit = permits.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, permit),
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

async fn connection(
    gateway: Arc<Inner>,
    stream: TcpStream,
    peer: SocketAddr,
    ends: Ends,
    _permit: Option<OwnedSemaphorePermit>,
) {
    // Without it the last packet of an answer waits for the client's acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let _counted = Counted::new(&gateway.metrics.connections);
    let connection = Connection::new(peer);
    let io = Watched::new(stream, connection.outbox.clone());
    let service = service_fn(|request| {
        let (gateway, connection, busy) = (gateway.clone(), connection.clone(), connection.enter());
        async move {
            let answer = gateway.answer(request, &connection).await;
            drop(busy);
            Ok::<_, Infallible>(answer)
        }
    });
    let builder = builder(&gateway.tasks);
    let mut served = pin!(builder.serve_connection(io, service));
    let mut is_ending = false;
    let ended = loop {
        let idle_until = connection.idle_until();
        tokio::select! {
            ended = served.as_mut() => break ended,
            () = ends.drain.cancelled(), if !is_ending => {
                is_ending = true;
                served.as_mut().graceful_shutdown();
            }
            () = ends.kill.cancelled() => break Ok(()),
            // HTTP/1.1 watches over itself; this is for HTTP/2, and for who never says which of the two it speaks.
            () = sleep_until(idle_until), if !is_ending => {
                if connection.idle_until() <= Instant::now() {
                    is_ending = true;
                    served.as_mut().graceful_shutdown();
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended in disorder");
    }
}

fn builder(tasks: &TaskTracker) -> auto::Builder<Tasks> {
    let mut builder = auto::Builder::new(Tasks(tasks.clone()));
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIME_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX)
        .keep_alive_interval(PING_PERIOD)
        .keep_alive_timeout(PING_PERIOD);
    builder
}

/// Counts something as long as it is there.
struct Counted(Gauge);

impl Counted {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Inner {
    async fn answer(self: Arc<Self>, request: Request<Incoming>, connection: &Connection) -> Response<Reply> {
        if let Some(own) = self.own(request.uri().path()).await {
            return own;
        }
        if request.uri().path() == events::PATH {
            return self.events(request, connection.peer.ip()).await;
        }
        let _counted = Counted::new(&self.metrics.in_flight);
        match find(&self.lanes, request.method(), request.uri()) {
            Matched::Inference(lane, _) if lane.route.wire.is_grpc() && !is_grpc(request.headers()) => {
                let message = "this route speaks gRPC: send `content-type: application/grpc`";
                answer::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_grpc", message)
            }
            Matched::Inference(lane, call) => {
                let (outbox, peer) = (connection.outbox.clone(), connection.peer);
                let way = Way { outbox, version: request.version() };
                let (gateway, lane) = (self.clone(), lane.clone());
                Detach::new(&self.tasks, &self.runtime, |gone| {
                    gateway.decide(lane, call, request, peer, gone, way)
                })
                .await
            }
            Matched::Control(lane) => self.pass(lane, request, connection, End::Control).await,
            Matched::Passthrough(lane) => self.pass(lane, request, connection, End::Passthrough).await,
            Matched::None => self.unmatched(&request),
        }
    }

    /// Passes on what is no decision.
    async fn pass(
        &self,
        lane: &Lane,
        request: Request<Incoming>,
        connection: &Connection,
        end: End,
    ) -> Response<Reply> {
        lane.metrics.count(end);
        match forward(&lane.client, &lane.route, request, connection.peer.ip()).await {
            Ok(answer) => answer.map(Reply::Stream),
            Err(error @ UpstreamError::TimedOut) => {
                lane.error(StatusCode::GATEWAY_TIMEOUT, "upstream_timeout", &error.to_string())
            }
            Err(error) => lane.error(StatusCode::BAD_GATEWAY, "upstream_failed", &error.to_string()),
        }
    }

    fn unmatched(&self, request: &Request<Incoming>) -> Response<Reply> {
        self.metrics.unmatched.inc();
        let routes: Vec<String> = self
            .lanes
            .iter()
            .map(|lane| format!("{} ({} on {})", lane.route.name, lane.route.wire.name(), lane.route.path))
            .collect();
        let message = format!(
            "no route records {} requests to this path, so it is refused. Routes: {}. Add a route for it, or set \
             `passthrough = true` to let it by unrecorded",
            request.method(),
            routes.join(", ")
        );
        match is_grpc(request.headers()) {
            true => grpc::error(StatusCode::NOT_FOUND, &message),
            false => answer::error(StatusCode::NOT_FOUND, "no_route", &message),
        }
    }
}
