//! The ends of streams: a record that fails, a log that is slow, a client that leaves at each moment.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/http2.rs"]
mod http2;
#[path = "support/recording.rs"]
mod recording;
#[path = "support/streaming.rs"]
mod streaming;
#[path = "support/mod.rs"]
mod support;

use gateway::{Log, Served, route, serve};
use http_body_util::BodyExt;
use inferlog_disk::sim::{Fault, Op, SimFs};
use inferlog_disk::{Fs, OsRng, RealFs, SlowSyncFs, SystemClock};
use inferlog_log::{Env, NodeConfig};
use inferlog_record::Event;
use inferlog_record::body::{Body, ExchangeEnd, Outcome};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use streaming::{ASK, Asked, Client, DONE, STOP, Upstream, chat, delta};
use tokio::time::sleep;

fn env(fs: Arc<dyn Fs>) -> Env {
    Env { fs, clock: Arc::new(SystemClock), rng: Arc::new(OsRng) }
}

async fn gateway_on(fs: Arc<dyn Fs>, dir: &Path, upstream: &Upstream, keys: &str) -> Served {
    let recorder = recording::open_node(env(fs), NodeConfig::new(dir)).await;
    serve(recorder, &route(&upstream.url(), &format!("wire = \"openai\"\n{keys}"))).await
}

fn text() -> String {
    format!("{}{STOP}{DONE}", delta("a"))
}

/// Answers with the whole stream, in the framing that the head says.
async fn answer(model: &mut Asked, with_length: bool) {
    let text = text();
    if with_length {
        let head = format!("content-type: text/event-stream\r\ncontent-length: {}", text.len());
        model.raw(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{text}").as_bytes()).await;
    } else {
        model.head("text/event-stream", "").await;
        model.chunk(text).await;
        model.end().await;
    }
}

fn fails_the_second_sync(fs: &SimFs) {
    let syncs = Fault::on(|call| call.op == Op::SyncData && call.path.starts_with("/data/wal"));
    fs.inject(syncs.after(1));
}

#[tokio::test]
async fn a_stream_whose_record_fails_is_cut_before_its_end() {
    for with_length in [false, true] {
        let (fs, mut upstream) = (SimFs::new(7), Upstream::start().await);
        let served =
            gateway_on(Arc::new(fs.clone()), Path::new("/data"), &upstream, "journal_ms = 60000").await;
        fails_the_second_sync(&fs);
        let mut client = Client::send(served.address, &chat(ASK, "")).await;
        answer(&mut upstream.asked().await, with_length).await;
        let seen = client.rest().await;
        let (_, body) = seen.split_once("\r\n\r\n").unwrap();
        assert!(!body.contains(DONE) && !body.contains("0\r\n\r\n"), "{seen}");
        // With a length, the terminator is withheld all the same; what came before may be lost with the connection.
        assert!(!body.contains("[DONE]") && (with_length || body.contains("\"stop\"")), "{seen}");
    }
}

#[tokio::test]
async fn a_stream_over_http2_whose_record_fails_is_reset() {
    let (fs, mut upstream) = (SimFs::new(7), Upstream::start().await);
    let served = gateway_on(Arc::new(fs.clone()), Path::new("/data"), &upstream, "journal_ms = 60000").await;
    fails_the_second_sync(&fs);
    let mut client = http2::connect(served.address, 1 << 20).await;
    let mut request = http2::post(served.address, "/v1/chat/completions", http2::whole(ASK));
    request.headers_mut().insert("content-type", "application/json".parse().unwrap());
    let asked =
        tokio::spawn(async move { client.send_request(request).await.map(|answer| (client, answer)) });
    answer(&mut upstream.asked().await, false).await;
    let (_client, came) = asked.await.unwrap().unwrap();
    let (mut body, mut seen) = (came.into_body(), Vec::new());
    let end = loop {
        match body.frame().await {
            Some(Ok(frame)) => seen.extend(frame.into_data().unwrap()),
            end => break end,
        }
    };
    assert!(matches!(end, Some(Err(_))), "an end that looks like one");
    let seen = String::from_utf8(seen).unwrap();
    assert!(seen.contains("\"stop\"") && !seen.contains("[DONE]"), "{seen}");
}

/// `outcome exchange` of the ends of a decision, and of the deliveries that say one.
fn ends(events: &[Event]) -> Vec<(Option<Outcome>, Option<ExchangeEnd>)> {
    let end = |event: &Event| match &event.body {
        Body::DecisionClosed(body) => Some((Some(body.outcome), body.exchange)),
        Body::Delivery(body) => body.end.map(|end| (None, Some(end))),
        _ => None,
    };
    events.iter().filter_map(end).collect()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Leaves {
    BeforeTheHead,
    BetweenPieces,
    WhileTheEndIsWritten,
    Never,
}

async fn leaving(leaves: Leaves, headers: &str) -> (Log, tempfile::TempDir) {
    let (dir, mut upstream) = (tempfile::tempdir().unwrap(), Upstream::start().await);
    let slow = Arc::new(SlowSyncFs::new(Arc::new(RealFs), Duration::from_millis(40)));
    let served = gateway_on(slow, dir.path(), &upstream, "").await;
    let mut client = Client::send(served.address, &chat(ASK, headers)).await;
    let mut model = upstream.asked().await;
    if leaves == Leaves::BeforeTheHead {
        client.leave();
        model.closed().await;
    } else {
        model.head("text/event-stream", "").await;
        model.chunk(delta("a")).await;
        client.until("\"a\"").await;
        if leaves == Leaves::BetweenPieces {
            client.leave();
            model.closed().await;
        } else {
            model.chunk(format!("{STOP}{DONE}")).await;
            model.end().await;
            client.until("\"stop\"").await;
            if leaves == Leaves::WhileTheEndIsWritten {
                sleep(Duration::from_millis(5)).await;
                client.leave();
                sleep(Duration::from_millis(400)).await;
            } else {
                assert!(client.rest().await.ends_with("0\r\n\r\n"));
            }
        }
    }
    (served.end(dir.path().to_owned()).await, dir)
}

#[tokio::test]
async fn a_client_that_leaves_is_recorded_as_that_at_each_moment() {
    let (answered, aborted) = (Some(Outcome::Answered), Some(Outcome::Aborted));
    let (complete, left) = (Some(ExchangeEnd::Complete), Some(ExchangeEnd::ClientAbort));
    let alone = [
        (Leaves::BeforeTheHead, vec![(aborted, left)]),
        (Leaves::BetweenPieces, vec![(aborted, left)]),
        (Leaves::WhileTheEndIsWritten, vec![(answered, complete), (aborted, left)]),
        (Leaves::Never, vec![(answered, complete)]),
    ];
    for (leaves, expected) in alone {
        let (log, _dir) = leaving(leaves, "").await;
        assert_eq!(ends(&log.only()), expected, "{leaves:?}");
    }
    let shared = [
        (Leaves::BeforeTheHead, vec![(None, left), (aborted, left)]),
        (Leaves::BetweenPieces, vec![(None, left), (aborted, left)]),
        (Leaves::WhileTheEndIsWritten, vec![(None, left), (answered, complete)]),
        (Leaves::Never, vec![(answered, complete)]),
    ];
    for (leaves, expected) in shared {
        let (log, _dir) = leaving(leaves, "inferlog-decision: run\r\n").await;
        assert_eq!(ends(&log.only()), expected, "{leaves:?}, in a decision that goes on");
    }
}
