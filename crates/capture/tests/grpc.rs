//! gRPC calls through the gateway.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/grpc.rs"]
mod grpc;
#[path = "support/http2.rs"]
mod http2;
#[path = "support/recording.rs"]
mod recording;
mod support;

use bytes::Bytes;
use gateway::{Log, route, serve};
use grpc::{ANSWER, REQUEST, call, framed, gzipped, trailers};
use http::{HeaderMap, Response, StatusCode};
use http2::{AnyBody, connect, post, read, upstream, whole, with_trailers};
use inferlog_capture::recorder::InForce;
use inferlog_record::body::Body;
use inferlog_record::{Content, Level, PayloadRole, RedactionAction, State, violations};
use std::net::SocketAddr;

const INFER: &str = "/inference.GRPCInferenceService/ModelInfer";
const WINDOW: u32 = 1 << 20;

/// An answer to a call: body, trailers, or where there are none the status in the head.
fn answer(body: impl Into<Bytes>, status: &str, message: &str) -> Response<AnyBody> {
    let body = body.into();
    let mut answer = match body.is_empty() {
        true => Response::new(whole(body)),
        false => Response::new(with_trailers(body, trailers(status, message))),
    };
    if http_body_is_empty(&answer) {
        answer.headers_mut().extend(trailers(status, message));
    }
    answer.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    answer
}

fn http_body_is_empty(answer: &Response<AnyBody>) -> bool {
    use hyper::body::Body;
    answer.body().is_end_stream()
}

fn grpc_route(upstream: SocketAddr, more: &str) -> String {
    route(&format!("http://{upstream}"), &format!("wire = \"oip-grpc\"\n{more}"))
}

/// `outcome exchange error status` of the last event.
fn closing(log: &Log) -> String {
    let events = log.only();
    for event in &events {
        assert_eq!(violations(event, Level::Required), [], "{event:#?}");
    }
    let Body::DecisionClosed(body) = &events.last().unwrap().body else { panic!("{events:#?}") };
    let error = body.error.map_or("-", |error| error.as_str());
    let status = body.status.map_or("-".to_owned(), |status| status.to_string());
    format!("{} {} {error} {status}", body.outcome, body.exchange.unwrap())
}

/// Status and message of an answer that is trailers only.
fn only_trailers(answer: &Response<impl hyper::body::Body>) -> (&str, &str) {
    assert!(answer.body().is_end_stream() && answer.status() == StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "application/grpc");
    let text = |name: &str| answer.headers()[name].to_str().unwrap();
    (text("grpc-status"), text("grpc-message"))
}

#[tokio::test]
async fn a_call_is_recorded_and_passed_on_with_its_trailers() {
    let dir = tempfile::tempdir().unwrap();
    let upstream = upstream(|request| async move {
        let headers = request.headers().clone();
        assert!(headers["te"] == "trailers" && headers["grpc-accept-encoding"] == "identity");
        assert_eq!(read(request.into_body()).await.0, framed(REQUEST));
        answer(framed(ANSWER), "0", "")
    });
    let served = serve(recording::open(dir.path()).await, &grpc_route(upstream.await, "")).await;
    let mut client = connect(served.address, WINDOW).await;
    let got = client.send_request(call(served.address, INFER, framed(REQUEST))).await.unwrap();
    assert!(got.headers().contains_key("inferlog-decision-id") && !got.headers().contains_key("grpc-status"));
    let (body, trailers) = read(got.into_body()).await;
    assert_eq!((body, &trailers.unwrap()["grpc-status"]), (framed(ANSWER), &"0".parse().unwrap()));
    drop(client);
    let log = served.end(dir.path().into()).await;
    assert_eq!(log.outline(), ["decision.opened", "inference ok, output, decision.closed answered"]);
    assert_eq!(closing(&log), "answered complete - 0");
    let events = log.only();
    let Body::DecisionOpened(opened) = &events[0].body else { panic!("{events:#?}") };
    assert_eq!((opened.wire.unwrap().as_str(), opened.method.unwrap().as_str()), ("oip_grpc", "grpc"));
    let Body::Inference(inference) = &events[1].body else { panic!("{events:#?}") };
    assert_eq!(inference.model.requested.as_ref().unwrap().as_str(), "credit");
    assert_eq!(inference.model.version.as_ref().unwrap().as_str(), "3");
    for (event, role, said) in
        [(&events[0], PayloadRole::InputRaw, REQUEST), (&events[1], PayloadRole::OutputRaw, ANSWER)]
    {
        let reference = event.payloads.iter().find(|payload| payload.role == role).unwrap();
        let Content::Sealed(sealed) = &reference.content else { panic!("{reference:#?}") };
        assert_eq!(sealed.media_type.as_str(), "application/x-protobuf");
        assert_eq!(log.text(event, role).as_bytes(), said);
    }
    assert_eq!(log.text(&events[1], PayloadRole::ParamsRequested), "{\"t\":true}");
    assert!(log.text(&events[1], PayloadRole::Headers).contains("\"grpc-status\":\"0\""));
}

#[tokio::test]
async fn compressed_messages_pass_as_they_came_and_are_recorded_legibly() {
    let dir = tempfile::tempdir().unwrap();
    let upstream = upstream(|request| async move {
        assert_eq!(read(request.into_body()).await.0, gzipped(REQUEST));
        let mut answer = answer(gzipped(ANSWER), "0", "");
        answer.headers_mut().insert("grpc-encoding", "gzip".parse().unwrap());
        answer
    });
    let served = serve(recording::open(dir.path()).await, &grpc_route(upstream.await, "")).await;
    let mut client = connect(served.address, WINDOW).await;
    let mut request = call(served.address, INFER, gzipped(REQUEST));
    request.headers_mut().insert("grpc-encoding", "gzip".parse().unwrap());
    let got = client.send_request(request).await.unwrap();
    assert_eq!(read(got.into_body()).await.0, gzipped(ANSWER));
    drop(client);
    let log = served.end(dir.path().into()).await;
    let events = log.only();
    assert_eq!(log.text(&events[0], PayloadRole::InputRaw).as_bytes(), REQUEST);
    assert_eq!(log.text(&events[1], PayloadRole::OutputRaw).as_bytes(), ANSWER);
}

#[tokio::test]
async fn calls_fail_in_ways_that_are_told_apart() {
    type Make = fn() -> Response<AnyBody>;
    let html = || {
        let mut answer = Response::new(whole("<html>"));
        *answer.status_mut() = StatusCode::BAD_GATEWAY;
        answer
    };
    let none = || {
        let mut answer = Response::new(whole(framed(ANSWER)));
        answer.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        answer
    };
    let cases: [(&str, Make, &str, &str); 5] = [
        (
            "in the head",
            || answer("", "5", "no such model%21"),
            "failed complete not_found 5",
            "no such model!",
        ),
        (
            "after a message",
            || answer(framed(ANSWER), "13", "late"),
            "failed complete upstream_error 13",
            "late",
        ),
        ("no gRPC", html, "failed complete unavailable -", "<html>"),
        ("no end", none, "failed upstream_abort connection_lost -", "without ending its answer"),
        ("no message", || answer(&b"\0\0\0\0\x09\x08"[..], "0", ""), "answered complete - 0", ""),
    ];
    for (about, make, end, error) in cases {
        let dir = tempfile::tempdir().unwrap();
        let upstream = upstream(move |_| async move { make() }).await;
        let served = serve(recording::open(dir.path()).await, &grpc_route(upstream, "")).await;
        let mut client = connect(served.address, WINDOW).await;
        let got = client.send_request(call(served.address, INFER, framed(REQUEST))).await.unwrap();
        let expected = make();
        assert_eq!(got.status(), expected.status(), "{about}");
        assert_eq!(got.headers().get("grpc-status"), expected.headers().get("grpc-status"), "{about}");
        assert_eq!(read(got.into_body()).await, read(expected.into_body()).await, "{about}");
        drop(client);
        let log = served.end(dir.path().into()).await;
        assert_eq!(closing(&log), end, "{about}");
        if !error.is_empty() {
            let said = log.text(&log.only()[1], PayloadRole::Error);
            assert!(said.contains(error), "{about}: {said}");
        }
    }
}

#[tokio::test]
async fn the_gateways_own_errors_are_grpc() {
    let dir = tempfile::tempdir().unwrap();
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let keys = grpc_route(nobody, "request_bytes_max = 60");
    let served = serve(recording::open(dir.path()).await, &keys).await;
    let mut client = connect(served.address, WINDOW).await;
    let mut ask =
        async |path: &str, body: Bytes| client.send_request(call(served.address, path, body)).await.unwrap();
    let got = ask(INFER, framed(REQUEST)).await;
    let (status, message) = only_trailers(&got);
    assert!(status == "14" && message.contains("cannot be reached"), "{message}");
    assert!(got.headers().contains_key("inferlog-decision-id"));
    let got = ask(INFER, framed(&[0; 100])).await;
    assert!(only_trailers(&got).0 == "8" && only_trailers(&got).1.contains("request_bytes_max"));
    let got = ask("/inference.GRPCInferenceService/ServerLive", framed(b"")).await;
    assert_eq!(only_trailers(&got).0, "14");
    let got = ask("/inference.GRPCInferenceService/SystemSharedMemoryRegister", framed(b"")).await;
    assert!(only_trailers(&got).0 == "12" && only_trailers(&got).1.contains("passthrough"));
    let got = client.send_request(post(served.address, INFER, whole("{}"))).await.unwrap();
    assert_eq!(got.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    // No record, no answer.
    served.recorder.close().await.unwrap();
    let got = client.send_request(call(served.address, INFER, framed(REQUEST))).await.unwrap();
    let (status, message) = only_trailers(&got);
    assert!(status == "14" && message.contains("What to do"), "{message}");
}

#[tokio::test]
async fn metadata_names_the_person_and_the_decision() {
    let dir = tempfile::tempdir().unwrap();
    let upstream = upstream(|_| async move { answer(framed(ANSWER), "0", "") }).await;
    let served = serve(
        recording::open(dir.path()).await,
        &grpc_route(upstream, "subject = { header = \"x-applicant\" }"),
    )
    .await;
    let mut client = connect(served.address, WINDOW).await;
    for ends in ["false", "true"] {
        let mut request = call(served.address, INFER, framed(REQUEST));
        let more = [("x-applicant", "a-1"), ("inferlog-decision", "d-1"), ("inferlog-decision-end", ends)];
        request.headers_mut().extend(
            more.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .into_iter()
                .collect::<HeaderMap>(),
        );
        let got = client.send_request(request).await.unwrap();
        assert_eq!(read(got.into_body()).await.0, framed(ANSWER));
    }
    drop(client);
    let log = served.end(dir.path().into()).await;
    let kinds: Vec<String> = log.only().iter().map(|event| event.body.kind_text().to_owned()).collect();
    assert_eq!(
        kinds,
        ["decision.opened", "inference", "decision.joined", "inference", "output", "decision.closed"]
    );
    assert!(log.only().iter().all(|event| event.subjects.len() == 1), "{:#?}", log.only());
}

/// One field of a protobuf message, of bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

/// A tensor of texts: `BYTES`, typed contents.
fn texts(words: &str) -> Vec<u8> {
    let contents = field(5, &field(8, words.as_bytes()));
    [field(1, b"x"), field(2, b"BYTES"), vec![0x1a, 1, 1], contents].concat()
}

/// A call whose tensors, parameter and metadata hold an address, and whose tensors hold an account, under this policy.
async fn called_with_an_address(unreadable: &str) -> (Log, Bytes, Vec<u8>) {
    const WORDS: &str = "ada@example.com pays from DE89370400440532013000";
    let dir = tempfile::tempdir().unwrap();
    let parameter = [field(1, b"to"), field(2, &field(3, b"ada@example.com"))].concat();
    let asked =
        [field(1, b"credit"), field(3, b"r-1"), field(4, &parameter), field(5, &texts(WORDS))].concat();
    let told = [field(1, b"credit"), field(2, b"3"), field(3, b"r-1"), field(5, &texts(WORDS))].concat();
    let (expected, sent) = (asked.clone(), told.clone());
    let upstream = upstream(move |request| {
        let (asked, told) = (expected.clone(), sent.clone());
        async move {
            assert_eq!(read(request.into_body()).await.0, framed(&asked));
            answer(framed(&told), "0", "to ada@example.com")
        }
    });
    let recorder = recording::open(dir.path()).await;
    let policy = format!(
        "system = \"s\"\nversion = \"1\"\nunreadable = \"{unreadable}\"\n[[class]]\nname = \"default\"\nfloor = \"184 days\"\n\
         target = \"1 year\"\nlegal_basis = \"x\"\n[[detector]]\nname = \"mails\"\nkind = \"email\"\naction = \"drop\"\n\
         [[detector]]\nname = \"ibans\"\nkind = \"iban\"\naction = \"split\"\n"
    );
    assert!(recorder.put_in_force(InForce::read(&policy).unwrap()).await.unwrap());
    let served = serve(recorder, &grpc_route(upstream.await, "")).await;
    let mut client = connect(served.address, WINDOW).await;
    let got = client.send_request(call(served.address, INFER, framed(&asked))).await.unwrap();
    let (body, trailers) = read(got.into_body()).await;
    assert_eq!((body, &trailers.unwrap()["grpc-status"]), (framed(&told), &"0".parse().unwrap()));
    drop(client);
    (served.end(dir.keep()).await, asked.into(), told)
}

/// What no detector reads is kept or left out whole; what stands beside it is read either way.
#[tokio::test]
async fn a_policys_detectors_read_what_is_not_protobuf_and_the_policy_decides_on_the_rest() {
    for unreadable in ["keep", "drop"] {
        let (log, asked, told) = called_with_an_address(unreadable).await;
        assert_eq!(closing(&log), "answered complete - 0");
        let events = log.only();
        let raw = [(PayloadRole::InputRaw, &asked[..]), (PayloadRole::OutputRaw, &told[..])];
        let every =
            || events.iter().flat_map(|event| event.payloads.iter().map(move |payload| (event, payload)));
        for (role, said) in raw {
            let (event, payload) = every().find(|(_, payload)| payload.role == role).unwrap();
            match unreadable {
                "keep" => assert_eq!(log.text(event, role).as_bytes(), said),
                _ => {
                    assert_eq!(payload.state(), State::Redacted);
                    let count =
                        event.redactions.iter().find(|count| count.rule.as_str() == "unreadable").unwrap();
                    assert_eq!(count.action, RedactionAction::Dropped);
                }
            }
        }
        let mut marks = 0;
        for (event, payload) in every().filter(|(_, payload)| payload.state() == State::Present) {
            if raw.iter().all(|(role, _)| *role != payload.role) {
                let text = log.text(event, payload.role);
                assert!(
                    !text.contains("ada@example.com") && !text.contains("DE8937"),
                    "{}: {text}",
                    payload.role.as_str()
                );
                marks += text.matches("[mails]").count();
            }
        }
        assert_eq!(marks, 2, "the parameter's and the metadata's");
    }
}
