//! Streams of gRPC calls through the gateway: one decision each, every answer durable before it is passed on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/grpc.rs"]
mod grpc;
#[path = "support/grpc_stream.rs"]
mod grpc_stream;
#[path = "support/http2.rs"]
mod http2;
#[path = "support/recording.rs"]
mod recording;
mod support;

use bytes::Bytes;
use gateway::{Log, route, serve};
use grpc::{ANSWER, REQUEST, framed, headed, trailers, with_id};
use grpc_stream::{Got, Model, Open, STREAM, before};
use http::{HeaderMap, Response};
use http2::{connect, post, upstream, whole};
use hyper::body::Body as _;
use inferlog_record::body::Body;
use inferlog_record::{Event, Level, PayloadRole, violations};
use std::time::Duration;

/// The kinds of the events, with their outcomes, in the order of the log; nothing that the profile requires is missing.
fn outline(log: &Log) -> Vec<String> {
    let events = log.only();
    for event in &events {
        assert_eq!(violations(event, Level::Required), [], "{event:#?}");
    }
    events.iter().map(told).collect()
}

fn told(event: &Event) -> String {
    match &event.body {
        Body::Inference(body) => format!("inference {}", body.outcome),
        Body::DecisionClosed(body) => {
            let error = body.error.map_or("-", |error| error.as_str());
            let status = body.status.map_or("-".to_owned(), |status| status.to_string());
            format!("closed {} {} {error} {status}", body.outcome, body.exchange.unwrap())
        }
        body => body.kind_text().trim_start_matches("decision.").to_owned(),
    }
}

#[tokio::test]
async fn a_stream_is_one_decision_and_answers_find_their_requests() {
    let dir = tempfile::tempdir().unwrap();
    let served = before(&dir, "", |mut model| async move {
        assert_eq!(model.asked().await.unwrap(), framed(REQUEST));
        model.answer(ANSWER).await;
        let (second, third) = (model.asked().await.unwrap(), model.asked().await.unwrap());
        assert_eq!((second, third), (framed(&with_id(REQUEST, "r-2")), framed(&with_id(REQUEST, "r-3"))));
        // Not in the order of the requests.
        model.answer(&with_id(ANSWER, "r-3")).await;
        model.answer(&with_id(ANSWER, "r-2")).await;
        assert!(model.asked().await.is_none());
        model.end("0", "").await;
    })
    .await;
    let mut stream = Open::new(&served, REQUEST).await;
    assert_eq!(stream.next().await, Got::Message(framed(ANSWER)));
    stream.ask(&with_id(REQUEST, "r-2")).await;
    stream.ask(&with_id(REQUEST, "r-3")).await;
    assert_eq!(stream.next().await, Got::Message(framed(&with_id(ANSWER, "r-3"))));
    assert_eq!(stream.next().await, Got::Message(framed(&with_id(ANSWER, "r-2"))));
    drop(stream.to.take());
    assert_eq!(stream.next().await, Got::Trailers("0".into(), String::new()));
    drop(stream);
    let log = served.end(dir.path().into()).await;
    let expected = [
        "opened",
        "inference ok",
        "joined",
        "joined",
        "inference ok",
        "inference ok",
        "output",
        "closed answered complete - 0",
    ];
    assert_eq!(outline(&log), expected);
    let events = log.only();
    for (inference, request, id) in [(1, 0, "r-1"), (4, 3, "r-3"), (5, 2, "r-2")] {
        assert_eq!(events[inference].after, vec![events[request].id].into(), "{id}");
        assert_eq!(log.text(&events[request], PayloadRole::InputRaw).as_bytes(), with_id(REQUEST, id));
        assert_eq!(log.text(&events[inference], PayloadRole::OutputRaw).as_bytes(), with_id(ANSWER, id));
        let Body::Inference(body) = &events[inference].body else { panic!() };
        assert_eq!((body.stream, body.status), (Some(true), None));
    }
    let Body::DecisionJoined(joined) = &events[2].body else { panic!() };
    assert_eq!((joined.method.unwrap().as_str(), joined.wire.unwrap().as_str()), ("grpc_stream", "oip_grpc"));
    assert!(log.text(&events[2], PayloadRole::Headers).contains(STREAM));
}

#[tokio::test]
async fn a_request_may_have_several_answers_and_an_error_among_them() {
    let dir = tempfile::tempdir().unwrap();
    let served = before(&dir, "", |mut model| async move {
        model.asked().await.unwrap();
        model.answer(ANSWER).await;
        // Triton's way to say it: `ModelStreamInferResponse { error_message }`.
        model.answer(b"\x0a\x04lost").await;
        model.answer(ANSWER).await;
        model.end("0", "").await;
    })
    .await;
    let mut stream = Open::new(&served, REQUEST).await;
    for message in [ANSWER, b"\x0a\x04lost", ANSWER] {
        assert_eq!(stream.next().await, Got::Message(framed(message)));
    }
    assert_eq!(stream.next().await, Got::Trailers("0".into(), String::new()));
    let log = served.end(dir.path().into()).await;
    let expected = [
        "opened",
        "inference ok",
        "inference failed",
        "inference ok",
        "output",
        "closed answered complete - 0",
    ];
    assert_eq!(outline(&log), expected);
    let events = log.only();
    assert!(log.text(&events[2], PayloadRole::Error).contains("lost"));
    assert!(events[1..4].iter().all(|event| event.after == vec![events[0].id].into()));
}

/// A way for a stream to end, and what is told of it.
struct Case {
    about: &'static str,
    act: fn(Model) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>>,
    got: fn(&Got) -> bool,
    outline: [&'static str; 4],
    error: &'static str,
}

fn ends() -> [Case; 4] {
    [
        Case {
            about: "an error in the trailers",
            act: |mut model| {
                Box::pin(async move {
                    model.asked().await.unwrap();
                    model.answer(ANSWER).await;
                    model.asked().await.unwrap();
                    model.end("8", "too many").await;
                })
            },
            got: |got| *got == Got::Trailers("8".into(), "too many".into()),
            outline: ["joined", "inference failed", "closed failed complete rate_limited 8", "too many"],
            error: "too many",
        },
        Case {
            about: "no end",
            act: |mut model| {
                Box::pin(async move {
                    model.asked().await.unwrap();
                    model.answer(ANSWER).await;
                    model.asked().await.unwrap();
                })
            },
            got: |got| *got == Got::Trailers(String::new(), String::new()),
            outline: ["joined", "inference failed", "closed failed upstream_abort connection_lost -", ""],
            error: "without ending its answer",
        },
        Case {
            about: "silence",
            act: |mut model| {
                Box::pin(async move {
                    model.asked().await.unwrap();
                    model.answer(ANSWER).await;
                    model.asked().await.unwrap();
                    tokio::time::sleep(Duration::from_secs(30)).await;
                })
            },
            got: |got| matches!(got, Got::Trailers(status, message) if status == "4" && message.contains("in time")),
            outline: ["joined", "inference failed", "closed failed timeout timeout -", ""],
            error: "in time",
        },
        Case {
            about: "no message",
            act: |mut model| {
                Box::pin(async move {
                    model.asked().await.unwrap();
                    model.answer(ANSWER).await;
                    model.asked().await.unwrap();
                    model.to.send_data(Bytes::from_static(b"\x07garbage")).await.unwrap();
                })
            },
            got: |got| matches!(got, Got::Trailers(status, _) if status == "14"),
            outline: ["joined", "inference failed", "closed failed upstream_abort connection_lost -", ""],
            error: "broke off",
        },
    ]
}

#[tokio::test]
async fn streams_end_in_ways_that_are_told_apart() {
    for case in ends() {
        let dir = tempfile::tempdir().unwrap();
        let served = before(&dir, "answer_ms_max = 400", case.act).await;
        let mut stream = Open::new(&served, REQUEST).await;
        assert_eq!(stream.next().await, Got::Message(framed(ANSWER)), "{}", case.about);
        stream.ask(&with_id(REQUEST, "r-2")).await;
        let got = stream.next().await;
        assert!((case.got)(&got), "{}: {got:?}", case.about);
        drop(stream);
        let log = served.end(dir.path().into()).await;
        assert_eq!(outline(&log)[2..], case.outline[..3], "{}", case.about);
        for event in &log.only()[3..] {
            let said = log.text(event, PayloadRole::Error);
            assert!(said.contains(case.error), "{}: {said}", case.about);
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_is_an_abort() {
    let dir = tempfile::tempdir().unwrap();
    let served = before(&dir, "", |mut model| async move {
        model.asked().await.unwrap();
        model.answer(ANSWER).await;
        while model.asked().await.is_some() {}
        // The client has left, and the gateway has told the model.
        assert!(model.to.send_data(framed(ANSWER)).await.is_err() || model.body.is_end_stream());
    })
    .await;
    let mut stream = Open::new(&served, REQUEST).await;
    assert_eq!(stream.next().await, Got::Message(framed(ANSWER)));
    stream.ask(&with_id(REQUEST, "r-2")).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(stream);
    let log = served.end(dir.path().into()).await;
    let expected =
        ["opened", "inference ok", "joined", "inference aborted", "closed aborted client_abort - -"];
    assert_eq!(outline(&log), expected);
    assert_eq!(log.text(&log.only()[3], PayloadRole::OutputRaw), "not_captured: client_aborted");
}

#[tokio::test]
async fn an_answer_that_cannot_be_recorded_is_not_passed_on() {
    let dir = tempfile::tempdir().unwrap();
    let served = before(&dir, "", |mut model| async move {
        model.asked().await.unwrap();
        model.answer(ANSWER).await;
        model.asked().await.unwrap();
        model.answer(&with_id(ANSWER, "r-2")).await;
        model.end("0", "").await;
    })
    .await;
    let mut stream = Open::new(&served, REQUEST).await;
    assert_eq!(stream.next().await, Got::Message(framed(ANSWER)));
    served.recorder.close().await.unwrap();
    stream.ask(&with_id(REQUEST, "r-2")).await;
    let got = stream.next().await;
    assert!(
        matches!(&got, Got::Trailers(status, message) if status == "14" && message.contains("What to do")),
        "{got:?}"
    );
}

#[tokio::test]
async fn a_stream_that_asks_nothing_is_no_decision_and_one_that_asks_too_much_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let served = before(&dir, "request_bytes_max = 100", |mut model| async move {
        model.asked().await.unwrap();
        model.answer(ANSWER).await;
        while model.asked().await.is_some() {}
    })
    .await;
    let mut client = connect(served.address, 1 << 20).await;
    let nothing = headed(post(served.address, STREAM, whole("")));
    let answer = client.send_request(nothing).await.unwrap();
    assert!(answer.body().is_end_stream() && answer.headers()["grpc-status"] == "0");
    let long = headed(post(served.address, STREAM, whole(framed(&[0; 101]))));
    let answer = client.send_request(long).await.unwrap();
    assert!(answer.body().is_end_stream() && answer.headers()["grpc-status"] == "8");
    assert!(answer.headers()["grpc-message"].to_str().unwrap().contains("request_bytes_max"));
    let mut stream = Open::new(&served, REQUEST).await;
    assert_eq!(stream.next().await, Got::Message(framed(ANSWER)));
    stream.ask(&[0; 101]).await;
    assert!(matches!(stream.next().await, Got::Trailers(status, _) if status == "8"));
    drop((stream, client));
    let log = served.end(dir.path().into()).await;
    assert_eq!(outline(&log), ["opened", "inference ok", "closed refused over_limit - -"]);
}

#[tokio::test]
async fn an_upstream_that_refuses_a_stream_is_passed_on() {
    let dir = tempfile::tempdir().unwrap();
    let upstream = upstream(|_| async {
        let mut answer = Response::new(whole(""));
        answer.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        answer.headers_mut().extend(trailers("12", "no%20streams"));
        answer
    });
    let keys = route(&format!("http://{}", upstream.await), "wire = \"oip-grpc\"");
    let served = serve(recording::open(dir.path()).await, &keys).await;
    let mut client = connect(served.address, 1 << 20).await;
    let request = headed(post(served.address, STREAM, whole(framed(REQUEST))));
    let answer = client.send_request(request).await.unwrap();
    let head: &HeaderMap = answer.headers();
    assert!(
        answer.body().is_end_stream()
            && head["grpc-status"] == "12"
            && head["grpc-message"] == "no%20streams"
    );
    drop(client);
    let log = served.end(dir.path().into()).await;
    assert_eq!(outline(&log), ["opened", "inference failed", "closed failed complete not_found 12"]);
    assert!(log.text(&log.only()[1], PayloadRole::Error).contains("no streams"));
}

#[tokio::test]
async fn a_stream_may_be_a_part_of_a_decision_that_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let served = before(&dir, "", |mut model| async move {
        while model.asked().await.is_some() {
            model.answer(ANSWER).await;
        }
        model.end("0", "").await;
    })
    .await;
    for ends in ["false", "true"] {
        let mut client = connect(served.address, 1 << 20).await;
        let body = [framed(REQUEST), framed(&with_id(REQUEST, "r-2"))].concat();
        let mut request = headed(post(served.address, STREAM, whole(body)));
        request.headers_mut().insert("inferlog-decision", "d-1".parse().unwrap());
        request.headers_mut().insert("inferlog-decision-end", ends.parse().unwrap());
        let answer = client.send_request(request).await.unwrap();
        assert_eq!(http2::read(answer.into_body()).await.1.unwrap()["grpc-status"], "0");
    }
    let log = served.end(dir.path().into()).await;
    let told = outline(&log);
    assert_eq!(told.iter().filter(|told| *told == "opened").count(), 1, "{told:?}");
    assert_eq!(told.iter().filter(|told| *told == "joined").count(), 3, "{told:?}");
    assert_eq!(told.iter().filter(|told| told.starts_with("closed")).count(), 1, "{told:?}");
    assert_eq!(told.last().unwrap(), "closed answered complete - 0");
}
