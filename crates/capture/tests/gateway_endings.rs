//! Every way in which an exchange can end badly, over real sockets: what the client gets and what the record says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/recording.rs"]
mod recording;
mod support;

use gateway::{Log, infer, route, serve, status};
use inferlog_record::body::Body;
use inferlog_record::{Level, PayloadRole, violations};
use std::time::Duration;
use support::{RawServer, Then, exchange};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 34\r\n\r\n{\"model_name\":\"credit\",\"outputs\":1}";

/// `exchange error status` of the last event.
fn closing(log: &Log) -> String {
    let events = log.only();
    for event in &events {
        assert_eq!(violations(event, Level::Required), [], "{event:#?}");
    }
    let Body::DecisionClosed(body) = &events.last().unwrap().body else { panic!("{events:#?}") };
    let error = body.error.map_or("-", |error| error.as_str());
    format!("{} {error} {}", body.exchange.unwrap(), body.status.unwrap_or(0))
}

struct Ending {
    about: &'static str,
    upstream: Upstream,
    keys: &'static str,
    status: u16,
    code: &'static str,
    outline: &'static str,
    closing: &'static str,
    output: &'static str,
}

enum Upstream {
    Nobody,
    Answers(&'static [u8], Then),
}

const FAILED: &str = "inference failed, decision.closed failed";
const CUT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"model_name\":\"cre";
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"m\r\n";
const ABORTED: &str = "not_captured: upstream_aborted";

const ENDINGS: [Ending; 9] = [
    Ending {
        about: "nobody listens",
        upstream: Upstream::Nobody,
        keys: "",
        status: 502,
        code: "connect_failed",
        outline: FAILED,
        closing: "upstream_abort connect_failed 0",
        output: ABORTED,
    },
    Ending {
        about: "closes without a word",
        upstream: Upstream::Answers(b"", Then::Close),
        keys: "",
        status: 502,
        code: "connection_lost",
        outline: FAILED,
        closing: "upstream_abort connection_lost 0",
        output: ABORTED,
    },
    Ending {
        about: "resets",
        upstream: Upstream::Answers(b"", Then::Reset),
        keys: "",
        status: 502,
        code: "connection_lost",
        outline: FAILED,
        closing: "upstream_abort connection_lost 0",
        output: ABORTED,
    },
    Ending {
        about: "speaks no HTTP",
        upstream: Upstream::Answers(b"220 smtp ready\r\n", Then::Close),
        keys: "",
        status: 502,
        code: "connection_lost",
        outline: FAILED,
        closing: "upstream_abort connection_lost 0",
        output: ABORTED,
    },
    Ending {
        about: "never answers",
        upstream: Upstream::Answers(b"", Then::Stall),
        keys: "answer_ms_max = 200",
        status: 504,
        code: "timeout",
        outline: FAILED,
        closing: "timeout timeout 0",
        output: "not_captured: timed_out",
    },
    Ending {
        about: "stalls in the middle",
        upstream: Upstream::Answers(CUT, Then::Stall),
        keys: "answer_ms_max = 200",
        status: 504,
        code: "timeout",
        outline: FAILED,
        closing: "timeout timeout 200",
        output: "{\"model_name\":\"cre",
    },
    Ending {
        about: "breaks off in the middle",
        upstream: Upstream::Answers(CUT, Then::Close),
        keys: "",
        status: 502,
        code: "connection_lost",
        outline: FAILED,
        closing: "upstream_abort connection_lost 200",
        output: "{\"model_name\":\"cre",
    },
    Ending {
        about: "breaks off between chunks",
        upstream: Upstream::Answers(CHUNKED, Then::Close),
        keys: "",
        status: 502,
        code: "connection_lost",
        outline: FAILED,
        closing: "upstream_abort connection_lost 200",
        output: "{\"m",
    },
    Ending {
        about: "says too much",
        upstream: Upstream::Answers(OK, Then::Close),
        keys: "response_bytes_max = 33",
        status: 502,
        code: "too_large",
        outline: FAILED,
        closing: "over_limit too_large 200",
        output: "not_captured: over_limit",
    },
];

#[tokio::test]
async fn upstreams_that_give_no_whole_answer() {
    for ending in ENDINGS {
        let dir = tempfile::tempdir().unwrap();
        let url = match ending.upstream {
            Upstream::Nobody => {
                format!("http://{}", TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap())
            }
            Upstream::Answers(bytes, then) => RawServer::answering(bytes, then).await.url(),
        };
        let served = serve(recording::open(dir.path()).await, &route(&url, ending.keys)).await;
        let answer = exchange(served.address, &infer("{\"inputs\":[]}", "")).await;
        assert_eq!(status(&answer), ending.status, "{}: {answer}", ending.about);
        assert!(answer.contains(&format!("\"code\":\"{}\"", ending.code)), "{}: {answer}", ending.about);
        assert!(
            answer.contains("inferlog-decision-id: ") && !answer.contains("model_name"),
            "{}: {answer}",
            ending.about
        );
        let log = served.end(dir.path().into()).await;
        assert_eq!(log.outline(), ["decision.opened", ending.outline], "{}", ending.about);
        assert_eq!(closing(&log), ending.closing, "{}", ending.about);
        assert_eq!(log.text(&log.only()[1], PayloadRole::OutputRaw), ending.output, "{}", ending.about);
    }
}

const HEAD: &str = "POST /v2/models/credit/infer HTTP/1.1\r\nHost: g\r\nConnection: close\r\n";

/// What the client sends after the head, whether it then closes, the answer, and what the record says.
type Unfinished = (&'static str, bool, u16, &'static str, &'static str, &'static str);

const UNFINISHED: [Unfinished; 6] = [
    (
        "Content-Length: 21\r\n\r\n",
        false,
        413,
        "decision.closed refused",
        "over_limit - 0",
        "not_captured: over_limit",
    ),
    (
        "Transfer-Encoding: chunked\r\n\r\n15\r\n012345678901234567890\r\n",
        false,
        413,
        "decision.closed refused",
        "over_limit - 0",
        "not_captured: over_limit",
    ),
    ("Content-Length: 20\r\n\r\nslow", false, 408, "decision.closed failed", "timeout timeout 0", "slow"),
    (
        "Content-Length: 20\r\n\r\n",
        false,
        408,
        "decision.closed failed",
        "timeout timeout 0",
        "not_captured: timed_out",
    ),
    ("Content-Length: 20\r\n\r\ngone", true, 0, "decision.closed aborted", "client_abort - 0", "gone"),
    (
        "Transfer-Encoding: chunked\r\n\r\n4\r\ngone\r\n",
        true,
        0,
        "decision.closed aborted",
        "client_abort - 0",
        "gone",
    ),
];

#[tokio::test]
async fn requests_that_never_become_whole() {
    for (rest, closes, code, outline, close, input) in UNFINISHED {
        let request = format!("{HEAD}{rest}");
        let dir = tempfile::tempdir().unwrap();
        let mut upstream = RawServer::answering(OK, Then::Close).await;
        let keys = "request_bytes_max = 20\nrequest_ms_max = 200";
        let served = serve(recording::open(dir.path()).await, &route(&upstream.url(), keys)).await;
        if closes {
            let mut stream = TcpStream::connect(served.address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            drop(stream);
            tokio::time::sleep(Duration::from_millis(50)).await;
        } else {
            let answer = exchange(served.address, &request).await;
            assert_eq!(status(&answer), code, "{request}: {answer}");
            assert!(answer.contains("inferlog-decision-id: "), "{answer}");
        }
        assert!(upstream.requests.try_recv().is_err(), "the model was called");
        let log = served.end(dir.path().into()).await;
        assert_eq!(log.outline(), ["decision.opened", outline], "{request}");
        assert_eq!(
            (closing(&log).as_str(), log.text(&log.only()[0], PayloadRole::InputRaw).as_str()),
            (close, input)
        );
        assert_eq!(log.only()[0].capture.as_ref().unwrap().completeness.as_str(), "partial");
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_the_model_works() {
    let dir = tempfile::tempdir().unwrap();
    let mut upstream = RawServer::answering(b"", Then::Stall).await;
    let served = serve(recording::open(dir.path()).await, &route(&upstream.url(), "")).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(infer("{\"inputs\":[]}", "").as_bytes()).await.unwrap();
    upstream.requests.recv().await.unwrap();
    drop(stream);
    let log = served.end(dir.path().into()).await;
    assert_eq!(log.outline(), ["decision.opened", "inference aborted, decision.closed aborted"]);
    assert_eq!(closing(&log), "client_abort - 0");
    assert_eq!(log.text(&log.only()[1], PayloadRole::OutputRaw), "not_captured: client_aborted");
}

/// A server that answers with a megabyte of JSON.
async fn long_answer() -> RawServer {
    let body = format!("{{\"model_name\":\"credit\",\"outputs\":[\"{}\"]}}", "x".repeat(8 << 20));
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    RawServer::answering(answer.leak().as_bytes(), Then::Close).await
}

#[tokio::test]
async fn an_answer_that_does_not_get_away_is_a_later_end() {
    let dir = tempfile::tempdir().unwrap();
    let upstream = long_answer().await;
    let served = serve(recording::open(dir.path()).await, &route(&upstream.url(), "")).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(infer("{\"inputs\":[]}", "").as_bytes()).await.unwrap();
    // The head has come, so that the answer was released; the rest does not fit the buffers in between.
    let mut some = [0; 100];
    stream.read_exact(&mut some).await.unwrap();
    drop(stream);
    let log = served.end(dir.path().into()).await;
    let expected =
        ["decision.opened", "inference ok, output, decision.closed answered", "decision.closed aborted"];
    assert_eq!(
        (log.outline(), closing(&log).as_str()),
        (expected.map(str::to_owned).to_vec(), "client_abort - 0")
    );
}

#[tokio::test]
async fn answers_that_get_away_have_one_end_each() {
    let dir = tempfile::tempdir().unwrap();
    let upstream = long_answer().await;
    let served = serve(recording::open(dir.path()).await, &route(&upstream.url(), "")).await;
    let long = exchange(served.address, &infer("{\"inputs\":[]}", "")).await;
    assert!(long.len() > 8 << 20);
    // Three requests at once on one connection: answered in order.
    let one = infer("{\"inputs\":[]}", "").replace("Connection: close\r\n", "");
    let all = exchange(served.address, &format!("{one}{one}{}", infer("{}", ""))).await;
    assert_eq!(all.matches("HTTP/1.1 200 OK").count(), 3);
    let log = served.end(dir.path().into()).await;
    let outline = log.outline();
    assert_eq!(
        outline.iter().filter(|line| line.ends_with("decision.closed answered")).count(),
        4,
        "{outline:?}"
    );
    assert_eq!(outline.len(), 8, "{outline:?}");
}

#[tokio::test]
async fn an_orderly_end_waits_for_what_is_under_way_and_refuses_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut served = serve(recording::open(dir.path()).await, &route(&url, "")).await;
    let address = served.address;
    let idle = TcpStream::connect(address).await.unwrap();
    let client = tokio::spawn(async move {
        exchange(address, &infer("{\"inputs\":[]}", "").replace("Connection: close\r\n", "")).await
    });
    let (mut model, _) = listener.accept().await.unwrap();
    support::read_request(&mut model).await;
    let stopping = async {
        served.stop().await;
        served
    };
    let (served, ()) = tokio::join!(stopping, async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(TcpStream::connect(address).await.is_err(), "new connections are not taken");
        model.write_all(OK).await.unwrap();
    });
    let answer = client.await.unwrap();
    assert_eq!(status(&answer), 200, "{answer}");
    drop(idle);
    let log = served.end(dir.path().into()).await;
    assert_eq!(log.outline()[1], "inference ok, output, decision.closed answered");
}

#[tokio::test]
async fn what_is_no_decision_is_passed_on_or_refused_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let upstream =
        RawServer::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlive", Then::Close).await;
    let second = format!(
        "[[route]]\nname = \"open\"\nsystem = \"s\"\nupstream = \"{}\"\npath = \"/open/*\"\npassthrough = true",
        upstream.url()
    );
    let served =
        serve(recording::open(dir.path()).await, &format!("{}{second}", route(&upstream.url(), ""))).await;
    let get = async |path: &str| {
        exchange(served.address, &format!("GET {path} HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n"))
            .await
    };
    assert!(get("/v2/health/live").await.ends_with("live"));
    assert!(get("/open/anything").await.ends_with("live"));
    let refused = get("/nowhere").await;
    assert!(
        status(&refused) == 404 && refused.contains("Routes: r (oip-v2 on /*), open (oip-v2 on /open/*)"),
        "{refused}"
    );
    assert!(get("/healthz").await.ends_with("{\"status\":\"ok\"}"));
    let ready = get("/readyz").await;
    assert!(status(&ready) == 200 && ready.contains("\"ready\":true"), "{ready}");
    let metrics = get("/metrics").await;
    for line in [
        "inferlog_requests_total{route=\"r\",end=\"control\"} 1\n",
        "inferlog_requests_total{route=\"open\",end=\"passthrough\"} 1\n",
        "inferlog_unmatched_total 1\n",
        "inferlog_log_poisoned 0\n",
        "inferlog_log_entries{system=\"s\"} 2\n",
        "# EOF\n",
    ] {
        assert!(metrics.contains(line), "no {line} in\n{metrics}");
    }
    assert_eq!(served.end(dir.path().into()).await.outline(), [""; 0]);
}
