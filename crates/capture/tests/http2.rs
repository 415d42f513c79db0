//! HTTP/2 on both sides of the gateway.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/http2.rs"]
mod http2;
#[path = "support/recording.rs"]
mod recording;
mod support;

use gateway::{infer, route, serve, status};
use http::{HeaderMap, Response, StatusCode, Version};
use http_body_util::BodyExt;
use http2::{connect, post, read, upstream, whole, with_trailers};
use inferlog_record::body::Body;
use std::sync::Arc;
use std::time::Duration;
use support::{RawServer, Then, exchange};
use tokio::sync::Notify;

const ANSWER: &str = "{\"model_name\":\"credit\",\"outputs\":[1]}";
const INFER: &str = "/v2/models/credit/infer";
const WINDOW: u32 = 1 << 20;

fn answered(outline: &[String]) -> usize {
    outline.iter().filter(|line| line.ends_with("decision.closed answered")).count()
}

#[tokio::test]
async fn a_client_in_http2_and_an_upstream_in_http1() {
    let dir = tempfile::tempdir().unwrap();
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{ANSWER}", ANSWER.len());
    let mut upstream = RawServer::answering(answer.leak().as_bytes(), Then::Close).await;
    let served = serve(recording::open(dir.path()).await, &route(&upstream.url(), "")).await;
    let mut client = connect(served.address, WINDOW).await;
    let mut request = post(served.address, INFER, whole("{\"inputs\":[]}"));
    request.headers_mut().append("cookie", "a=1".parse().unwrap());
    request.headers_mut().append("cookie", "b=2".parse().unwrap());
    request.headers_mut().insert("te", "trailers".parse().unwrap());
    let answer = client.send_request(request).await.unwrap();
    assert!(answer.headers().contains_key("inferlog-decision-id"));
    assert_eq!(
        (answer.status(), answer.headers()["content-length"].to_str().unwrap()),
        (StatusCode::OK, "37")
    );
    assert_eq!(read(answer.into_body()).await.0, ANSWER);
    let seen = upstream.requests.recv().await.unwrap().to_ascii_lowercase();
    assert!(seen.starts_with("post /v2/models/credit/infer http/1.1\r\n"), "{seen}");
    let host = format!("\r\nx-forwarded-host: {}\r\n", served.address);
    for kept in [host.as_str(), "\r\ncookie: a=1; b=2\r\n", "\r\ncontent-length: 13\r\n"] {
        assert!(seen.contains(kept), "no {kept:?} in\n{seen}");
    }
    assert!(!seen.contains("\r\nte:"), "{seen}");
    drop(client);
    let log = served.end(dir.path().into()).await;
    assert_eq!(log.outline(), ["decision.opened", "inference ok, output, decision.closed answered"]);
}

#[tokio::test]
async fn a_client_in_http1_and_an_upstream_in_http2() {
    let dir = tempfile::tempdir().unwrap();
    let upstream = upstream(|request| async move {
        assert_eq!((request.version(), request.uri().path()), (Version::HTTP_2, INFER));
        assert!(!request.headers().contains_key("host") && request.headers()["x-forwarded-host"] == "g");
        assert_eq!(read(request.into_body()).await.0, "{\"inputs\":[]}");
        Response::new(whole(ANSWER))
    });
    let keys = route(&format!("http://{}", upstream.await), "http2 = true");
    let served = serve(recording::open(dir.path()).await, &keys).await;
    let answer = exchange(served.address, &infer("{\"inputs\":[]}", "")).await;
    assert!(status(&answer) == 200 && answer.starts_with("HTTP/1.1") && answer.ends_with(ANSWER), "{answer}");
    let log = served.end(dir.path().into()).await;
    assert_eq!(log.outline(), ["decision.opened", "inference ok, output, decision.closed answered"]);
}

#[tokio::test]
async fn many_streams_at_once_on_one_connection() {
    const REQUESTS: usize = 300;
    let dir = tempfile::tempdir().unwrap();
    let upstream = upstream(|request| async move {
        let body = read(request.into_body()).await.0;
        Response::new(whole(format!(
            "{{\"model_name\":\"credit\",\"outputs\":{}}}",
            String::from_utf8_lossy(&body)
        )))
    });
    let keys = route(&format!("http://{}", upstream.await), "http2 = true");
    let served = serve(recording::open(dir.path()).await, &keys).await;
    let client = connect(served.address, WINDOW).await;
    let calls = (0..REQUESTS).map(|n| {
        let mut client = client.clone();
        let request = post(served.address, INFER, whole(format!("{{\"inputs\":[{n}]}}")));
        tokio::spawn(async move {
            client.ready().await.unwrap();
            let answer = client.send_request(request).await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            let said = read(answer.into_body()).await.0;
            assert!(String::from_utf8_lossy(&said).contains(&format!("[{n}]")), "{said:?}");
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    drop(client);
    let outline = served.end(dir.path().into()).await.outline();
    // One end each: none was taken for one that did not get away.
    assert_eq!((answered(&outline), outline.len()), (REQUESTS, 2 * REQUESTS));
}

#[tokio::test]
async fn a_stream_that_the_client_resets_is_an_abort_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let (called, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let notes = (called.clone(), go_on.clone());
    let upstream = upstream(move |_| {
        let (called, go_on) = notes.clone();
        async move {
            called.notify_one();
            go_on.notified().await;
            Response::new(whole(ANSWER))
        }
    });
    let served =
        serve(recording::open(dir.path()).await, &route(&format!("http://{}", upstream.await), "")).await;
    let mut client = connect(served.address, WINDOW).await;
    let leaves = client.send_request(post(served.address, INFER, whole("{\"inputs\":[1]}")));
    let leaves = tokio::spawn(leaves);
    called.notified().await;
    let stays = tokio::spawn(client.send_request(post(served.address, INFER, whole("{\"inputs\":[2]}"))));
    called.notified().await;
    leaves.abort();
    assert!(leaves.await.unwrap_err().is_cancelled());
    tokio::time::sleep(Duration::from_millis(50)).await;
    go_on.notify_waiters();
    go_on.notify_one();
    assert_eq!(read(stays.await.unwrap().unwrap().into_body()).await.0, ANSWER);
    drop(client);
    let decisions = served.end(dir.path().into()).await.decisions();
    let ends = decisions.iter().map(|events| match &events.last().unwrap().body {
        Body::DecisionClosed(body) => format!("{} {}", body.outcome, body.exchange.unwrap()),
        other => panic!("{other:?}"),
    });
    assert_eq!(ends.collect::<Vec<_>>(), ["aborted client_abort", "answered complete"]);
}

#[tokio::test]
async fn an_answer_that_the_clients_window_holds_back_is_not_delivered() {
    let dir = tempfile::tempdir().unwrap();
    let long = format!("{{\"model_name\":\"credit\",\"outputs\":[\"{}\"]}}", "x".repeat(200_000));
    let answer = long.clone();
    let upstream = upstream(move |_| {
        let answer = answer.clone();
        async move { Response::new(whole(answer)) }
    });
    let served =
        serve(recording::open(dir.path()).await, &route(&format!("http://{}", upstream.await), "")).await;
    let mut client = connect(served.address, 65_535).await;
    let answer = client.send_request(post(served.address, INFER, whole("{\"inputs\":[1]}"))).await.unwrap();
    // The connection serves others meanwhile, and is flushed for them.
    let other = client.send_request(post(served.address, INFER, whole("{\"inputs\":[2]}"))).await.unwrap();
    assert_eq!(read(other.into_body()).await.0, long);
    drop(answer);
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(client);
    let decisions = served.end(dir.path().into()).await.decisions();
    let ends = decisions.iter().map(|events| {
        let closed = events.iter().filter_map(|event| match &event.body {
            Body::DecisionClosed(body) => Some(body.outcome.as_str()),
            _ => None,
        });
        closed.collect::<Vec<_>>()
    });
    assert_eq!(ends.collect::<Vec<_>>(), [vec!["answered", "aborted"], vec!["answered"]]);
}

#[tokio::test]
async fn a_grpc_health_check_passes_with_its_trailers() {
    let dir = tempfile::tempdir().unwrap();
    let upstream = upstream(|request| async move {
        assert_eq!(request.version(), Version::HTTP_2);
        assert_eq!(request.headers()["te"], "trailers");
        let (body, sent) = read(request.into_body()).await;
        assert_eq!((&body[..], sent.unwrap()["x-sent"].to_str().unwrap()), (&b"\0\0\0\0\0"[..], "yes"));
        let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
        let mut answer = Response::new(with_trailers(&b"\0\0\0\0\x02\x08\x01"[..], trailers));
        answer.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        answer
    });
    let keys = route(&format!("http://{}", upstream.await), "wire = \"oip-grpc\"");
    let served = serve(recording::open(dir.path()).await, &keys).await;
    let mut client = connect(served.address, WINDOW).await;
    for path in ["/inference.GRPCInferenceService/ServerLive", "/grpc.health.v1.Health/Check"] {
        let sent = HeaderMap::from_iter([("x-sent".parse().unwrap(), "yes".parse().unwrap())]);
        let mut request = post(served.address, path, with_trailers(&b"\0\0\0\0\0"[..], sent));
        request.headers_mut().insert("te", "trailers".parse().unwrap());
        request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        let answer = client.send_request(request).await.unwrap();
        let (body, trailers) = read(answer.into_body()).await;
        assert_eq!(&body[..], b"\0\0\0\0\x02\x08\x01");
        assert_eq!(trailers.unwrap()["grpc-status"], "0");
    }
    drop(client);
    assert_eq!(served.end(dir.path().into()).await.outline(), [""; 0]);
}

#[tokio::test]
async fn an_orderly_end_waits_for_streams_and_takes_no_new_ones() {
    let dir = tempfile::tempdir().unwrap();
    let (called, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let notes = (called.clone(), go_on.clone());
    let upstream = upstream(move |_| {
        let (called, go_on) = notes.clone();
        async move {
            called.notify_one();
            go_on.notified().await;
            Response::new(whole(ANSWER))
        }
    });
    let keys = route(&format!("http://{}", upstream.await), "");
    let mut served = serve(recording::open(dir.path()).await, &keys).await;
    let mut client = connect(served.address, WINDOW).await;
    let call = tokio::spawn(client.send_request(post(served.address, INFER, whole("{\"inputs\":[1]}"))));
    called.notified().await;
    let address = served.address;
    let (served, ()) = tokio::join!(
        async {
            served.stop().await;
            served
        },
        async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let refused = client.send_request(post(address, INFER, whole("{\"inputs\":[2]}"))).await;
            assert!(refused.is_err(), "a new stream on a connection that is ending");
            go_on.notify_one();
        }
    );
    let answer = call.await.unwrap().unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), ANSWER);
    let outline = served.end(dir.path().into()).await.outline();
    assert_eq!(outline, ["decision.opened", "inference ok, output, decision.closed answered"]);
}
