//! A gateway over a simulated disk that is opened again when it fails, as `serve` does it, and what its log says afterwards.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use crate::gateway::infer;
use crate::recording;
use crate::support::exchange;
use inferlog_capture::config::routes;
use inferlog_capture::gateway::{Gateway, GatewayConfig};
use inferlog_capture::recorder::{Lapses, RecordError, Recorder, RecorderConfig, open_keystore};
use inferlog_disk::sim::{Fault, Op, SimFs};
use inferlog_disk::{OsRng, SystemClock};
use inferlog_log::{Env, LogError, NodeConfig, NodeLock, list_logs};
use inferlog_record::body::{Body, LastEnd, Outcome};
use inferlog_record::{Event, Tally};
use inferlog_vault::FileRoot;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub const DATA: &str = "/data";
pub const TWINS: &str = "/twins";

pub fn env(fs: &SimFs) -> Env {
    Env { fs: Arc::new(fs.clone()), clock: Arc::new(SystemClock), rng: Arc::new(OsRng) }
}

/// Bytes in use, as the capacity counts them.
pub fn used(fs: &SimFs) -> u64 {
    fs.files().values().map(|bytes| bytes.len().next_multiple_of(512) as u64).sum()
}

async fn open(fs: &SimFs, lapses: Option<Arc<Lapses>>) -> Result<Recorder, RecordError> {
    let env = env(fs);
    let lock = match &lapses {
        Some(lapses) => lapses.node_lock(),
        None => free_lock(&env).await?,
    };
    let root = FileRoot::without_modes(env.fs.clone(), "/home/root.key".into());
    let vault = open_keystore(&lock, &env, Path::new(DATA), |_| Box::new(root))?;
    let node = NodeConfig {
        segment_bytes: 256 << 10,
        integrate_ms: 5,
        twins: Some(TWINS.into()),
        ..NodeConfig::new(DATA)
    };
    let config = RecorderConfig { lapses, gap_period: Duration::from_millis(20), ..recording::config() };
    Recorder::open(lock, env, node, vault, config).await
}

/// The lock of a directory that was closed: tasks of its last owner may take a moment to end.
async fn free_lock(env: &Env) -> Result<NodeLock, RecordError> {
    let began = Instant::now();
    loop {
        match NodeLock::take(&*env.fs, Path::new(DATA)) {
            Err(LogError::Locked(_)) if began.elapsed() < Duration::from_secs(5) => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            other => return Ok(other?),
        }
    }
}

pub struct Running {
    pub address: SocketAddr,
    pub recorder: Recorder,
    fs: SimFs,
    gateway: Gateway,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Running {
    pub async fn start(fs: &SimFs, text: &str) -> Self {
        let recorder = open(fs, None).await.unwrap();
        let config = GatewayConfig::new(routes(text, &|_| None).unwrap());
        let gateway = Gateway::new(config, recorder.clone()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = gateway.clone();
        let serving =
            tokio::spawn(async move { served.serve(listener, async { drop(stopped.await) }).await });
        Self { address, recorder, fs: fs.clone(), gateway, stop, serving }
    }

    pub fn has_failed(&self) -> bool {
        let health = self.recorder.health();
        health.log.poisoned.is_some() || health.keystore_failed.is_some()
    }

    /// What `serve` does when the log or the keystore failed.
    pub async fn reopen(&mut self) -> Result<(), RecordError> {
        let _ = self.recorder.close().await;
        let again = open(&self.fs, Some(self.recorder.lapses().clone())).await?;
        self.gateway.attach(again.clone()).await?;
        self.recorder = again;
        Ok(())
    }

    pub async fn get(&self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n");
        exchange(self.address, &request).await
    }

    /// Waits until the log tells of everything.
    pub async fn told(&self) {
        let began = Instant::now();
        while self.recorder.lapses().untold().is_some() || !self.is_clear() {
            assert!(began.elapsed() < Duration::from_secs(20), "{:?}", self.recorder.lapses());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn is_clear(&self) -> bool {
        self.fs.files().iter().filter(|(path, _)| is_marker(path)).all(|(_, bytes)| bytes[8] == 0)
    }

    /// Stops in order.
    pub async fn stop(self) -> Result<(), RecordError> {
        drop(self.stop);
        self.serving.await.unwrap();
        self.recorder.close().await
    }

    /// The process is gone, without a word.
    pub fn kill(self) {
        self.serving.abort();
    }
}

fn is_marker(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("degraded") && !name.starts_with('.')
}

/// What the log says in the end.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Decisions that were closed as answered.
    pub answered: u64,
    /// Those of them whose model call has no content.
    pub bare: u64,
    pub interrupted: u64,
    pub failed: u64,
    /// Sum of the gaps.
    pub missing: u64,
    pub gaps: u64,
    /// Gaps whose count nobody knows.
    pub unknown: u64,
    pub unclean: u64,
}

/// Opens the directory once more, and reads everything.
pub async fn read(fs: &SimFs) -> (Told, Vec<Event>) {
    let recorder = open(fs, None).await.unwrap();
    recorder.integrate().await.unwrap();
    recorder.close().await.unwrap();
    drop(recorder);
    let mut events = Vec::new();
    for log in list_logs(fs, Path::new(DATA)).unwrap() {
        let entries = recording::entries_on(env(fs), Path::new(DATA), log.system());
        events.extend(entries.into_iter().flat_map(|entry| entry.events));
    }
    let mut told = Told::default();
    for event in &events {
        match &event.body {
            Body::DecisionClosed(body) => match body.outcome {
                Outcome::Answered => told.answered += 1,
                Outcome::Interrupted => told.interrupted += 1,
                Outcome::Failed => told.failed += 1,
                _ => {}
            },
            Body::Inference(_) => told.bare += u64::from(is_bare(event)),
            Body::Gap(gap) => match gap.count {
                Tally::Known(count) => {
                    told.missing += count;
                    told.gaps += 1;
                }
                Tally::Unknown => told.unknown += 1,
            },
            Body::RecorderStarted(body) => told.unclean += u64::from(body.last_end == LastEnd::Unclean),
            _ => {}
        }
    }
    (told, events)
}

fn is_bare(event: &Event) -> bool {
    serde_json::to_string(&event.payloads).unwrap().contains("not_stored")
}

/// An answer after which the server closes, as it says: who keeps such a connection loses the next request to it.
pub const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 43\r\n\r\n{\"model_name\":\"credit\",\"outputs\":[\"answer\"]}";
/// A long answer, which does not compress much.
pub fn long_answer() -> &'static [u8] {
    let body = format!("{{\"outputs\":[\"answer\",\"{}\"]}}", noise(9_000));
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    Box::leak((head + &body).into_bytes().into_boxed_slice())
}

pub const DEGRADE: &str = "failure = \"degrade\"";

/// Asks with a body of so many bytes.
pub async fn ask(node: &Running, bytes: usize) -> String {
    let body = format!("{{\"inputs\":[\"{}\"]}}", noise(bytes));
    exchange(node.address, &infer(&body, "")).await
}

/// Text that does not compress much.
pub fn noise(bytes: usize) -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(bytes).collect()
}

/// Whether the answer says where it is recorded.
pub fn names_decision(answer: &str) -> bool {
    answer.to_lowercase().contains("inferlog-decision-id")
}

/// Calls on the write-ahead log.
pub fn wal(op: Op) -> Fault {
    Fault::on(move |call| call.op == op && call.path.starts_with("/data/wal"))
}

/// Syncs of the marker, in the places below this path.
pub fn marker(place: &'static str) -> Fault {
    Fault::on(move |call| {
        let name = call.path.to_string_lossy();
        call.op == Op::SyncData && name.starts_with(place) && name.contains("/degraded")
    })
}

/// All of them at once.
pub async fn futures(asked: Vec<impl Future<Output = String>>) -> Vec<String> {
    let mut answers = Vec::new();
    let mut asked: Vec<_> = asked.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<String>> = asked.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (at, one) in asked.iter_mut().enumerate() {
            if done[at].is_none()
                && let std::task::Poll::Ready(answer) = one.as_mut().poll(cx)
            {
                done[at] = Some(answer);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    answers.extend(done.into_iter().flatten());
    answers
}
