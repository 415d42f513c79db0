//! The gateway against the plain reverse proxy: same server, same client, same model, with and without the record.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use inferlog_capture::config::{routes, routes_from_flags};
use inferlog_capture::forward::forward;
use inferlog_capture::gateway::{Gateway, GatewayConfig};
use inferlog_capture::recorder::Recorder;
use inferlog_capture::route::Route;
use inferlog_capture::upstream::Client;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::measure::{Stopwatch, percentile};
use super::stream;
use crate::http_server::serve;
use crate::output::Failure;

const REQUEST: &str = r#"{"id":"0","inputs":[{"name":"x","shape":[1,8],"datatype":"FP64","data":[0.11,1.22,2.33,3.44,4.55,5.66,6.77,7.88]}]}"#;
const ANSWER: &str = r#"{"model_name":"bench","model_version":"1","id":"0","outputs":[{"name":"y","shape":[1,1],"datatype":"FP64","data":[0.5]}]}"#;
const PATH: &str = "/v2/models/bench/versions/1/infer";

/// A model, and two ways to it.
pub(crate) struct Ways {
    pub(crate) proxy: SocketAddr,
    pub(crate) gateway: SocketAddr,
    /// The same two ways to a model that streams.
    pub(crate) stream_proxy: SocketAddr,
    pub(crate) stream_gateway: SocketAddr,
    /// Ends all three when dropped.
    _servers: JoinSet<()>,
}

/// One phase.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    pub(crate) requests_per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) cores: f64,
}

impl Ways {
    /// Starts model, proxy and gateway.
    pub(crate) async fn start(recorder: &Recorder) -> Result<Self, Failure> {
        let mut servers = JoinSet::new();
        let (listener, model) = listen().await?;
        servers.spawn(serve(listener, model_answer));
        let (listener, stream_model) = listen().await?;
        servers.spawn(serve(listener, stream::model));
        let whole = routes_from_flags(&format!("http://{model}"), "bench", None)?;
        let streamed = format!(
            "[[route]]\nname = \"stream\"\nsystem = \"bench\"\nwire = \"openai\"\nupstream = \"http://{stream_model}\""
        );
        let streamed = routes(&streamed, &|_| None)?;
        let (proxy, gateway) = ways(&mut servers, whole, recorder).await?;
        let (stream_proxy, stream_gateway) = ways(&mut servers, streamed, recorder).await?;
        Ok(Self { proxy, gateway, stream_proxy, stream_gateway, _servers: servers })
    }
}

/// A model and a gateway in front of it.
pub(crate) struct Door {
    pub(crate) gateway: SocketAddr,
    /// Ends both when dropped.
    _servers: JoinSet<()>,
}

impl Door {
    /// Starts both, with the routes that lead to the model.
    pub(crate) async fn start<E>(
        recorder: &Recorder,
        routes: impl FnOnce(&str) -> Result<Vec<Route>, E>,
    ) -> Result<Self, Failure>
    where
        Failure: From<E>,
    {
        let mut servers = JoinSet::new();
        let (listener, model) = listen().await?;
        servers.spawn(serve(listener, model_answer));
        let (_, gateway) = ways(&mut servers, routes(&format!("http://{model}"))?, recorder).await?;
        Ok(Self { gateway, _servers: servers })
    }
}

/// Starts proxy and gateway for some routes, the first of which the proxy takes.
async fn ways(
    servers: &mut JoinSet<()>,
    routes: Vec<Route>,
    recorder: &Recorder,
) -> Result<(SocketAddr, SocketAddr), Failure> {
    let route = routes.first().ok_or_else(|| Failure::new("no route to measure"))?.clone();
    let client = Client::new(&route.upstream, route.limits.connect_time_max)?;
    let (listener, proxy) = listen().await?;
    servers.spawn(serve(listener, move |request| {
        let (client, route) = (client.clone(), route.clone());
        async move {
            let passed = forward(&client, &route, request, IpAddr::V4(Ipv4Addr::LOCALHOST)).await;
            let passed = passed.map(|answer| answer.map(Either::Right));
            passed.unwrap_or_else(|error| {
                let mut answer: Response<Either<Full<Bytes>, Incoming>> =
                    Response::new(Either::Left(error.to_string().into()));
                *answer.status_mut() = StatusCode::BAD_GATEWAY;
                answer
            })
        }
    }));
    let (listener, gateway) = listen().await?;
    let serving = Gateway::new(GatewayConfig::new(routes), recorder.clone()).await?;
    servers.spawn(async move { serving.serve(listener, std::future::pending()).await });
    Ok((proxy, gateway))
}

async fn listen() -> Result<(TcpListener, SocketAddr), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn model_answer(request: Request<Incoming>) -> Response<Full<Bytes>> {
    // A request that breaks off has no reader for its answer.
    let _ = request.into_body().collect().await;
    let mut answer = Response::new(Full::new(Bytes::from_static(ANSWER.as_bytes())));
    let json = http::HeaderValue::from_static("application/json");
    answer.headers_mut().insert(http::header::CONTENT_TYPE, json);
    answer
}

/// Sends requests over so many connections, each kept alive, for so long.
pub(crate) async fn run(address: SocketAddr, connections: usize, time: Duration) -> Result<Phase, Failure> {
    let (watch, end) = (Stopwatch::start(), Instant::now() + time);
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        tasks.spawn(ask(address, end));
    }
    phase(&watch, tasks).await
}

async fn phase(watch: &Stopwatch, mut tasks: JoinSet<Result<Vec<u32>, Failure>>) -> Result<Phase, Failure> {
    let mut waits = Vec::new();
    while let Some(done) = tasks.join_next().await {
        waits.append(&mut done??);
    }
    Ok(Phase {
        requests_per_second: waits.len() as f64 / watch.seconds(),
        cores: watch.cores(),
        p50_us: percentile(&mut waits, 500).into(),
        p99_us: percentile(&mut waits, 990).into(),
    })
}

/// One connection. Answers how long each request took, microseconds.
async fn ask(address: SocketAddr, end: Instant) -> Result<Vec<u32>, Failure> {
    let mut send = connect(address).await?;
    let mut waits = Vec::new();
    while Instant::now() < end {
        let began = Instant::now();
        request(&mut send).await?;
        waits.push(micros_since(began));
    }
    Ok(waits)
}

/// One connection that sends at its times, whether the answer before was late or not: a wait is from when a request was due.
/// Ends with `end`, or when `ended` closes.
async fn ask_at(
    address: SocketAddr,
    first: Instant,
    every: Duration,
    end: Instant,
    ended: watch::Receiver<()>,
) -> Result<Vec<u32>, Failure> {
    let mut send = connect(address).await?;
    let (mut waits, mut due) = (Vec::new(), first);
    while due < end && ended.has_changed().is_ok() {
        tokio::time::sleep_until(due.into()).await;
        request(&mut send).await?;
        waits.push(micros_since(due));
        due += every;
    }
    Ok(waits)
}

/// Sends so many requests a second over so many connections, for so long.
pub(crate) async fn run_at(
    address: SocketAddr,
    connections: u32,
    per_second: u32,
    time: Duration,
) -> Result<Phase, Failure> {
    let (_end, ended) = watch::channel(());
    run_until(address, connections, per_second, time, ended).await
}

/// The same, for so long at most: it ends as soon as the sender of `ended` is dropped.
pub(crate) async fn run_until(
    address: SocketAddr,
    connections: u32,
    per_second: u32,
    time: Duration,
    ended: watch::Receiver<()>,
) -> Result<Phase, Failure> {
    let (watch, began) = (Stopwatch::start(), Instant::now());
    let step = Duration::from_secs(1) / per_second.max(1);
    let mut tasks = JoinSet::new();
    for connection in 0..connections {
        let (first, end) = (began + step * connection, began + time);
        tasks.spawn(ask_at(address, first, step * connections, end, ended.clone()));
    }
    phase(&watch, tasks).await
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>, Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (send, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move { drop(connection.await) });
    Ok(send)
}

async fn request(send: &mut SendRequest<Full<Bytes>>) -> Result<(), Failure> {
    let request = Request::post(PATH)
        .header("host", "bench")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(REQUEST.as_bytes())))?;
    let (head, body) = send.send_request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    match head.status {
        StatusCode::OK => Ok(()),
        status => Err(Failure::new(format!("{status}: {}", String::from_utf8_lossy(&body)))),
    }
}

fn micros_since(began: Instant) -> u32 {
    began.elapsed().as_micros().try_into().unwrap_or(u32::MAX)
}
