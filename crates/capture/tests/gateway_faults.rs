//! A disk that fails under the gateway: no record, no answer, and nothing of the model's answer leaks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/recording.rs"]
mod recording;
mod support;

use gateway::{infer, route, serve, status};
use inferlog_disk::sim::{Fault, How, Op, SimFs};
use inferlog_disk::{OsRng, RealFs, SlowSyncFs, SystemClock};
use inferlog_log::{Env, NodeConfig};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{RawServer, Then, exchange};

const SECRET: &[u8] = b"HTTP/1.1 200 OK\r\nX-Model: secret\r\nContent-Length: 44\r\n\r\n{\"model_name\":\"credit\",\"outputs\":[\"secret\"]}";

fn env(fs: &SimFs) -> Env {
    Env { fs: Arc::new(fs.clone()), clock: Arc::new(SystemClock), rng: Arc::new(OsRng) }
}

/// A file system in which the data directory's parent is there.
fn sim() -> SimFs {
    SimFs::new(7)
}

const DIR: &str = "/data";

/// A sync of the write-ahead log, under whatever name its segment was opened.
fn wal_sync() -> Fault {
    Fault::on(|call| call.op == Op::SyncData && call.path.starts_with("/data/wal"))
}

async fn get(served: &gateway::Served, path: &str) -> String {
    exchange(served.address, &format!("GET {path} HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n")).await
}

#[tokio::test]
async fn a_failed_sync_answers_503_until_the_process_is_restarted() {
    // The sync of the opening, or that of the rest; reported failed though it took effect, or without effect.
    for (skipped, how) in [(0, How::NoEffect), (0, How::Applied), (1, How::NoEffect), (1, How::Applied)] {
        let fs = sim();
        let recorder = recording::open_on(env(&fs), Path::new(DIR)).await;
        let mut upstream = RawServer::answering(SECRET, Then::Close).await;
        let served = serve(recorder, &route(&upstream.url(), "")).await;
        assert_eq!(status(&get(&served, "/readyz").await), 200);
        fs.inject(wal_sync().after(skipped).how(how));
        let answer = exchange(served.address, &infer("{\"inputs\":[]}", "")).await;
        assert_eq!(status(&answer), 503, "{answer}");
        assert!(!answer.to_lowercase().contains("secret") && !answer.contains("credit"), "{answer}");
        assert!(answer.contains("\"code\":\"log_poisoned\"") && answer.contains("What to do: "), "{answer}");
        // The model works while the opening is written; where that fails at once it may not have been reached yet.
        if skipped == 1 {
            upstream.requests.recv().await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        while upstream.requests.try_recv().is_ok() {}
        // Nothing more is accepted, and the model is not even called: its work could not be used.
        let answer = exchange(served.address, &infer("{\"inputs\":[]}", "")).await;
        assert_eq!(status(&answer), 503, "{answer}");
        assert!(upstream.requests.try_recv().is_err());
        let ready = get(&served, "/readyz").await;
        assert!(status(&ready) == 503 && ready.contains("the log is poisoned"), "{ready}");
        let metrics = get(&served, "/metrics").await;
        assert!(metrics.contains("inferlog_log_poisoned 1\n"), "{metrics}");
        assert!(
            metrics.contains("inferlog_requests_total{route=\"r\",end=\"not_recorded\"} 2\n"),
            "{metrics}"
        );

        drop(served);
        let fs = fs.crash();
        fs.clear_faults();
        let restarted = recording::open_on(env(&fs), Path::new(DIR)).await;
        restarted.close().await.unwrap();
    }
}

#[tokio::test]
async fn before_call_means_that_no_model_works_unrecorded() {
    let fs = sim();
    let recorder = recording::open_on(env(&fs), Path::new(DIR)).await;
    let mut upstream = RawServer::answering(SECRET, Then::Close).await;
    let served = serve(recorder, &route(&upstream.url(), "opened = \"before-call\"")).await;
    let answer = exchange(served.address, &infer("{\"inputs\":[]}", "")).await;
    assert_eq!(status(&answer), 200, "{answer}");
    upstream.requests.recv().await.unwrap();
    fs.inject(wal_sync());
    let answer = exchange(served.address, &infer("{\"inputs\":[]}", "")).await;
    assert_eq!(status(&answer), 503, "{answer}");
    assert!(upstream.requests.try_recv().is_err(), "the model was called");
}

#[tokio::test]
async fn a_full_disk_answers_503_and_loses_nothing_that_was_answered() {
    let fs = sim();
    let config = NodeConfig { segment_bytes: 4 << 20, ..NodeConfig::new(DIR) };
    let recorder = recording::open_node(env(&fs), config).await;
    let upstream = RawServer::answering(SECRET, Then::Close).await;
    let served = serve(recorder, &route(&upstream.url(), "")).await;
    let mut answered = 0;
    for at in 0..20 {
        let answer = exchange(served.address, &infer(&noise(400 << 10, at), "")).await;
        match status(&answer) {
            200 => answered += 1,
            503 => {
                assert!(answer.contains("What to do: ") && !answer.contains("secret"), "{answer}");
                break;
            }
            _ => panic!("{answer}"),
        }
        // The live segment was reserved whole, and takes what fits in it.
        fs.set_capacity(Some(0));
    }
    assert!((1..20).contains(&answered), "{answered}");
    let ready = get(&served, "/readyz").await;
    assert!(status(&ready) == 503 && ready.contains("bytes of disk are left"), "{ready}");
    drop(served);
    let fs = fs.crash();
    fs.set_capacity(None);
    let restarted = recording::open_on(env(&fs), Path::new(DIR)).await;
    restarted.integrate().await.unwrap();
    let entries = recording::entries_on(env(&fs), Path::new(DIR), "s");
    let outline = recording::outline(&entries);
    let recorded = outline.iter().filter(|line| line.ends_with("decision.closed answered")).count();
    assert!(recorded >= answered, "{answered} were answered, but the log has {outline:?}");
    restarted.close().await.unwrap();
}

/// JSON of about so many bytes that does not compress much.
fn noise(bytes: usize, seed: u64) -> String {
    let mut state = seed + 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'0' + (state % 75) as u8)
    };
    let text: String = (0..bytes).map(|_| next()).filter(|c| *c != '"' && *c != '\\').collect();
    format!("{{\"inputs\":[\"{text}\"]}}")
}

#[tokio::test]
async fn no_answer_precedes_its_syncs() {
    let dir = tempfile::tempdir().unwrap();
    let delay = Duration::from_millis(60);
    let fs = Arc::new(SlowSyncFs::new(Arc::new(RealFs), delay));
    let env = Env { fs, clock: Arc::new(SystemClock), rng: Arc::new(OsRng) };
    let upstream = RawServer::answering(SECRET, Then::Close).await;
    let served = serve(recording::open_on(env, dir.path()).await, &route(&upstream.url(), "")).await;
    let begun = Instant::now();
    let answer = exchange(served.address, &infer("{\"inputs\":[]}", "")).await;
    assert_eq!(status(&answer), 200, "{answer}");
    assert!(begun.elapsed() >= delay, "{:?}", begun.elapsed());
}
