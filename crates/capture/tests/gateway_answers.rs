//! What the record says of exchanges that come to an answer, field by field.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/recording.rs"]
mod recording;
mod support;

use gateway::{infer, route, serve, status};
use inferlog_record::body::{Body, ModelIdentity};
use inferlog_record::{Completeness, Event, Level, PayloadRole, violations};
use serde_json::json;
use support::{RawServer, Then, exchange};

const REQUEST: &str = r#"{"id":"r-1","parameters":{"threshold":0.5},"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]}"#;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: model\r\nSet-Cookie: secret=1\r\nContent-Length: 116\r\n\r\n\
{\"model_name\":\"credit\",\"model_version\":\"v1.2.0\",\"id\":\"r-1\",\"parameters\":{\"k\":1},\"outputs\":[{\"name\":\"y\",\"data\":[1]}]}";

fn body_of(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[tokio::test]
async fn an_answered_inference_is_recorded_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut upstream = RawServer::answering(ANSWER, Then::Close).await;
    let keys = "subject = { header = \"x-applicant\" }\ncontext = { environment = \"test\", flags = [\"f1\", \"f2\"], variant = { header = \"x-variant\", values = [\"a\"] } }";
    let served = serve(recording::open(dir.path()).await, &route(&upstream.url(), keys)).await;
    let headers = "X-Applicant: Ada Lovelace\r\nX-Variant: b\r\nAuthorization: Bearer secret-token\r\nX-Request-Id: q-7\r\n\
                   traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
    let answer = exchange(served.address, &infer(REQUEST, headers)).await;
    assert_eq!(
        (status(&answer), body_of(&answer)),
        (200, std::str::from_utf8(&ANSWER[ANSWER.len() - 116..]).unwrap())
    );
    let seen = upstream.requests.recv().await.unwrap();
    assert_eq!(body_of(&seen), REQUEST);
    let id = answer.lines().find_map(|line| line.strip_prefix("inferlog-decision-id: ")).unwrap().to_owned();

    let log = served.end(dir.path().into()).await;
    assert_eq!(log.outline(), ["decision.opened", "inference ok, output, decision.closed answered"]);
    let events = log.only();
    let [opened, inference, output, closed] = &events[..] else { panic!("{events:#?}") };
    let decided = recording::entries(dir.path(), "s").into_iter().find_map(|entry| entry.decision).unwrap();
    assert_eq!(decided.to_string(), id);
    for event in &events {
        assert_eq!(violations(event, Level::Required), [], "{event:#?}");
        assert_eq!(event.subjects.len(), 1);
        assert!(!serde_json::to_string(event).unwrap().contains("Lovelace"));
    }
    check_opened(&log, opened);
    check_inference(&log, inference);
    assert_eq!(log.text(output, PayloadRole::OutputFinal), "not_captured: not_visible");
    let Body::DecisionClosed(body) = &closed.body else { panic!("{closed:#?}") };
    assert_eq!((body.exchange.unwrap().as_str(), body.status, body.error), ("complete", Some(200), None));
}

fn check_opened(log: &gateway::Log, opened: &Event) {
    let Body::DecisionOpened(body) = &opened.body else { panic!("{opened:#?}") };
    let context = body.context.as_ref().unwrap();
    let named = (
        context.environment.as_ref().unwrap().as_str(),
        context.flags.len(),
        context.variant.as_ref().unwrap().as_str(),
    );
    assert_eq!(named, ("test", 2, "unlisted"));
    assert_eq!(json_of(log, opened, PayloadRole::Unlisted), json!({ "context.variant": "b" }));
    assert_eq!((body.route.as_ref().unwrap().as_str(), body.wire.unwrap().as_str()), ("r", "oip_rest"));
    assert_eq!(log.text(opened, PayloadRole::InputRaw), REQUEST);
    let ids = json!({ "id": "r-1", "x-request-id": "q-7", "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" });
    assert_eq!(json_of(log, opened, PayloadRole::ExternalIds), ids);
    let headers = json_of(log, opened, PayloadRole::Headers);
    assert_eq!((&headers[":method"], &headers[":path"]), (&json!("POST"), &json!("/v2/models/credit/infer")));
    assert!(headers.get("authorization").is_none() && headers.get("x-applicant").is_none(), "{headers}");
    assert_eq!(opened.capture.as_ref().unwrap().completeness, Completeness::Complete);
}

fn check_inference(log: &gateway::Log, inference: &Event) {
    let Body::Inference(body) = &inference.body else { panic!("{inference:#?}") };
    let name = |name: &Option<inferlog_record::ClearName>| name.as_ref().map(|name| name.to_string());
    let named = [name(&body.model.requested), name(&body.model.returned), name(&body.model.version)];
    assert_eq!(named, [Some("credit".to_owned()), Some("credit".into()), Some("v1.2.0".into())]);
    assert_eq!((body.model.identity, body.status), (ModelIdentity::Exact, Some(200)));
    assert_eq!(log.text(inference, PayloadRole::ParamsRequested), r#"{"threshold":0.5}"#);
    assert_eq!(log.text(inference, PayloadRole::ParamsEffective), r#"{"k":1}"#);
    assert_eq!(log.text(inference, PayloadRole::OutputRaw).as_bytes(), &ANSWER[ANSWER.len() - 116..]);
    let headers = json_of(log, inference, PayloadRole::Headers);
    assert_eq!(
        (&headers[":status"], &headers["server"], headers.get("set-cookie")),
        (&json!("200"), &json!("model"), None)
    );
    assert!(inference.ended_at >= inference.started_at && body.time_to_first_byte_ns.is_some());
}

fn json_of(log: &gateway::Log, event: &Event, role: PayloadRole) -> serde_json::Value {
    serde_json::from_str(&log.text(event, role)).unwrap()
}

/// Answers, and the outline, error, completeness and message that the record has of each.
#[tokio::test]
async fn errors_of_the_upstream_pass_through_and_are_recorded_as_such() {
    let cases: [(&'static [u8], u16, &str, &str, &str); 6] = [
        (
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 29\r\n\r\n{\"error\":\"no model named x\"}\r\n",
            404,
            "not_found",
            "no model named x",
            "complete",
        ),
        (
            b"HTTP/1.1 422 X\r\nContent-Length: 26\r\n\r\n{\"detail\":[{\"msg\":\"bad\"}]}",
            422,
            "bad_request",
            "[{\"msg\":\"bad\"}]",
            "complete",
        ),
        (
            b"HTTP/1.1 500 X\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\noops",
            500,
            "upstream_error",
            "oops",
            "complete",
        ),
        (b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", 503, "unavailable", "", "complete"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{\"error\":\"overflowing\"}",
            200,
            "upstream_error",
            "overflowing",
            "complete",
        ),
        (b"HTTP/1.1 307 X\r\nLocation: /else\r\nContent-Length: 0\r\n\r\n", 307, "other", "", "complete"),
    ];
    for (answer, expected, code, message, completeness) in cases {
        let answer = fix_length(answer);
        let dir = tempfile::tempdir().unwrap();
        let upstream = RawServer::answering(answer, Then::Close).await;
        let served = serve(recording::open(dir.path()).await, &route(&upstream.url(), "")).await;
        let got = exchange(served.address, &infer(REQUEST, "")).await;
        assert_eq!(status(&got), expected, "{got}");
        assert!(got.contains("inferlog-decision-id: "), "{got}");
        let log = served.end(dir.path().into()).await;
        assert_eq!(
            log.outline(),
            ["decision.opened", "inference failed, decision.closed failed"],
            "{expected}"
        );
        let events = log.only();
        let Body::Inference(body) = &events[1].body else { panic!("{events:#?}") };
        assert_eq!((body.error.unwrap().as_str(), body.status), (code, Some(expected)));
        assert_eq!(
            json_of(&log, &events[1], PayloadRole::Error),
            json!({ "code": code, "message": message })
        );
        assert_eq!(events[1].capture.as_ref().unwrap().completeness.as_str(), completeness);
        for event in &events {
            assert_eq!(violations(event, Level::Required), [], "{event:#?}");
        }
        // A name that no upstream confirmed may be anything, a person's too.
        assert_eq!(body.model.requested.as_ref().unwrap().as_str(), "unlisted");
        assert_eq!(json_of(&log, &events[1], PayloadRole::Unlisted), json!({ "model.requested": "credit" }));
    }
}

/// The right `Content-Length`, whatever the case says.
fn fix_length(answer: &'static [u8]) -> &'static [u8] {
    let text = std::str::from_utf8(answer).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let head: Vec<&str> = head.lines().filter(|line| !line.starts_with("Content-Length")).collect();
    format!("{}\r\nContent-Length: {}\r\n\r\n{body}", head.join("\r\n"), body.len()).leak().as_bytes()
}

#[tokio::test]
async fn answers_that_are_no_protocol_are_passed_on_and_partial() {
    let gzip = {
        use std::io::Write;
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        out.write_all(b"{\"model_name\":\"credit\",\"outputs\":[]}").unwrap();
        out.finish().unwrap()
    };
    let coded = |coding: &str, body: &[u8]| -> &'static [u8] {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Vec::leak([head.as_bytes(), body].concat())
    };
    let cases: [(&'static [u8], &str, &str, &str); 5] = [
        (fix_length(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhello"), "partial", "hello", "text/plain"),
        (fix_length(b"HTTP/1.1 200 OK\r\n\r\n{\"model_name\":\"credit\",\"outputs\":[]}"), "complete", "{\"model_name\":\"credit\",\"outputs\":[]}", "application/json"),
        (fix_length(b"HTTP/1.1 200 OK\r\nInference-Header-Content-Length: 5\r\nContent-Type: application/json\r\n\r\n12345"), "partial", "12345", "application/octet-stream"),
        (coded("gzip", &gzip), "complete", "{\"model_name\":\"credit\",\"outputs\":[]}", "application/json"),
        (coded("lzma", b"???"), "partial", "???", "application/octet-stream"),
    ];
    for (answer, completeness, recorded, media_type) in cases {
        let dir = tempfile::tempdir().unwrap();
        let upstream = RawServer::answering(answer, Then::Close).await;
        let served = serve(recording::open(dir.path()).await, &route(&upstream.url(), "")).await;
        let got = exchange(served.address, &infer(REQUEST, "")).await;
        assert_eq!(status(&got), 200, "{got}");
        let log = served.end(dir.path().into()).await;
        assert_eq!(log.outline()[1], "inference ok, output, decision.closed answered");
        let inference = &log.only()[1];
        assert_eq!(inference.capture.as_ref().unwrap().completeness.as_str(), completeness, "{recorded}");
        assert_eq!(log.text(inference, PayloadRole::OutputRaw), recorded);
        let reference =
            inference.payloads.iter().find(|reference| reference.role == PayloadRole::OutputRaw).unwrap();
        let inferlog_record::Content::Sealed(sealed) = reference.content else { panic!("{reference:?}") };
        assert_eq!(sealed.media_type.as_str(), media_type);
    }
}

#[tokio::test]
async fn persons_are_found_in_headers_and_bodies() {
    let body = r#"{"rows":[{"id":7},{"id":8}],"who":["ada","bob","ada",""],"one":41}"#;
    let cases = [
        ("subject = { header = \"x-who\" }", "X-Who: ada\r\nX-Who: bob\r\n", 2, 200),
        ("subject = { header = \"x-who\" }", "", 0, 200),
        ("subject = { pointer = \"/who\" }", "", 2, 200),
        ("subject = { pointer = \"/one\" }", "", 1, 200),
        ("subject = { pointer = \"/rows/1/id\" }", "", 1, 200),
        ("subject = { pointer = \"/rows\" }", "", 0, 200),
        ("subject = { pointer = \"/nowhere/0\" }", "", 0, 200),
    ];
    for (keys, headers, expected, code) in cases {
        let dir = tempfile::tempdir().unwrap();
        let upstream = RawServer::answering(ANSWER, Then::Close).await;
        let served = serve(recording::open(dir.path()).await, &route(&upstream.url(), keys)).await;
        let got = exchange(served.address, &infer(body, headers)).await;
        assert_eq!(status(&got), code, "{got}");
        let metrics =
            exchange(served.address, "GET /metrics HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n").await;
        let missing = format!("inferlog_subjectless_total{{route=\"r\"}} {}\n", u32::from(expected == 0));
        assert!(metrics.contains(&missing), "{keys}: {metrics}");
        let events = served.end(dir.path().into()).await.only();
        assert_eq!(events[0].subjects.len(), expected, "{keys}");
    }
}

#[tokio::test]
async fn more_persons_than_can_be_erased_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut upstream = RawServer::answering(ANSWER, Then::Close).await;
    let served =
        serve(recording::open(dir.path()).await, &route(&upstream.url(), "subject = { pointer = \"/who\" }"))
            .await;
    let many = json!({ "who": (0..256).collect::<Vec<u32>>() }).to_string();
    let got = exchange(served.address, &infer(&many, "")).await;
    assert!(status(&got) == 422 && got.contains("at most 255 persons"), "{got}");
    assert!(upstream.requests.try_recv().is_err(), "the model was called");
}
