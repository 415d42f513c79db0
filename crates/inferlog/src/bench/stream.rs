//! Streamed answers: the gateway against the plain reverse proxy, event by event.
//!
//! Two kinds of phase. In one the model writes as fast as it is read: how many events pass in a second. In the other it writes
//! at the pace of a model and stamps each event: how long the first and every other event is on its way.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::measure::{Stopwatch, percentile};
use crate::output::Failure;

/// Events of one answer.
const EVENTS: usize = 200;
/// Time between two events of a model that takes its time.
const PACE: Duration = Duration::from_millis(5);
/// Events that the model may be ahead of its reader.
const AHEAD: usize = 16;

const PATH: &str = "/v1/chat/completions";
const HURRIED: &str = r#"{"model":"bench","stream":true,"messages":[{"role":"user","content":"hurry"}]}"#;
const PACED: &str = r#"{"model":"bench","stream":true,"messages":[{"role":"user","content":"slowly"}]}"#;

/// The beginning of the time that events are stamped with.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// One phase.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    pub(crate) events_per_second: f64,
    pub(crate) cores: f64,
    /// From the request to its first event, microseconds.
    pub(crate) first_p50_us: f64,
    /// From the model to the client, every event but the first, microseconds.
    pub(crate) delay_p50_us: f64,
    pub(crate) delay_p99_us: f64,
}

/// What one client saw.
#[derive(Default)]
struct Seen {
    events: usize,
    firsts: Vec<u32>,
    delays: Vec<u32>,
}

fn stamp() -> u128 {
    EPOCH.elapsed().as_nanos()
}

/// The model.
pub(crate) async fn model(request: Request<Incoming>) -> Response<Channel<Bytes, Infallible>> {
    let asked = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let pace = if asked == PACED { PACE } else { Duration::ZERO };
    let (sender, body) = Channel::new(AHEAD);
    tokio::spawn(tell(sender, pace));
    let mut answer = Response::new(body);
    let stream = http::HeaderValue::from_static("text/event-stream");
    answer.headers_mut().insert(header::CONTENT_TYPE, stream);
    answer
}

/// A reader that leaves ends it.
async fn tell(mut sender: Sender<Bytes, Infallible>, pace: Duration) {
    for number in 0..EVENTS {
        if !pace.is_zero() {
            tokio::time::sleep(pace).await;
        }
        let event = format!(
            "data: {{\"id\":\"b\",\"object\":\"chat.completion.chunk\",\"model\":\"bench-2026-01-01\",\"choices\":[{{\"index\":0,\
             \"delta\":{{\"content\":\"token {number} \"}}}}],\"t\":{:020}}}\n\n",
            stamp()
        );
        if sender.send_data(event.into()).await.is_err() {
            return;
        }
    }
    let end = "data: {\"id\":\"b\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    drop(sender.send_data(end.into()).await);
}

/// Reads so many streams at a time, for so long; of a model that takes its time if `is_paced`.
pub(crate) async fn run(
    address: SocketAddr,
    streams: usize,
    time: Duration,
    is_paced: bool,
) -> Result<Phase, Failure> {
    let (watch, end) = (Stopwatch::start(), Instant::now() + time);
    let mut tasks = JoinSet::new();
    for _ in 0..streams {
        tasks.spawn(read_all(address, end, if is_paced { PACED } else { HURRIED }));
    }
    let mut seen = Seen::default();
    while let Some(done) = tasks.join_next().await {
        let mut of_one = done??;
        seen.events += of_one.events;
        seen.firsts.append(&mut of_one.firsts);
        seen.delays.append(&mut of_one.delays);
    }
    Ok(Phase {
        events_per_second: seen.events as f64 / watch.seconds(),
        cores: watch.cores(),
        first_p50_us: percentile(&mut seen.firsts, 500).into(),
        delay_p50_us: percentile(&mut seen.delays, 500).into(),
        delay_p99_us: percentile(&mut seen.delays, 990).into(),
    })
}

/// One connection, one stream after the other.
async fn read_all(address: SocketAddr, end: Instant, body: &'static str) -> Result<Seen, Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut send, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move { drop(connection.await) });
    let mut seen = Seen::default();
    while Instant::now() < end {
        let began = stamp();
        let request = Request::post(PATH)
            .header("host", "bench")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from_static(body.as_bytes())))?;
        // The end of a stream is known to its reader before the connection knows it.
        send.ready().await?;
        let (head, body) = send.send_request(request).await?.into_parts();
        if head.status != StatusCode::OK {
            let text = body.collect().await?.to_bytes();
            return Err(Failure::new(format!("{}: {}", head.status, String::from_utf8_lossy(&text))));
        }
        read(body, began, &mut seen).await?;
    }
    Ok(seen)
}

/// One stream, to its terminator.
async fn read(mut body: Incoming, began: u128, seen: &mut Seen) -> Result<(), Failure> {
    let mut rest = Vec::new();
    let mut is_first = true;
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame?.into_data() else { continue };
        rest.extend_from_slice(&chunk);
        let now = stamp();
        while let Some(at) = memchr::memmem::find(&rest, b"\n\n") {
            let event: Vec<u8> = rest.drain(..at + 2).collect();
            if event == b"data: [DONE]\n\n" {
                while body.frame().await.is_some() {}
                return Ok(());
            }
            let stamped = memchr::memmem::find(&event, b"\"t\":").and_then(|at| event.get(at + 4..at + 24));
            let Some(at) = stamped.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()) else {
                continue;
            };
            seen.events += 1;
            let since = |then: u128| u32::try_from(now.saturating_sub(then) / 1_000).unwrap_or(u32::MAX);
            match std::mem::take(&mut is_first) {
                true => seen.firsts.push(since(began)),
                false => seen.delays.push(since(at)),
            }
        }
    }
    Err(Failure::new("a stream ended without its terminator"))
}
