//! What appears for the first time is said once: over variants that alternate, templates with other values, restarts and
//! crashes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/recording.rs"]
mod recording;
#[path = "support/streaming.rs"]
mod streaming;
#[path = "support/mod.rs"]
mod support;

use gateway::{Served, route, serve_with};
use http::Response;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use inferlog_capture::config::routes;
use inferlog_capture::gateway::GatewayConfig;
use inferlog_record::body::{Body, ModelIdentity};
use inferlog_record::{ClearName, Digest, Event, Timestamp};
use inferlog_registry::{Registration, Registry};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;

/// Decisions in all.
const DECISIONS: usize = 10_000;
/// Decisions under way at one time.
const WRITERS: usize = 16;

/// A chat model whose variant the request's user decides.
async fn model() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(|request: http::Request<Incoming>| async {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let asked: serde_json::Value = serde_json::from_slice(&body).unwrap();
                let number: usize = asked["user"].as_str().unwrap().parse().unwrap();
                let answer = serde_json::json!({
                    "id": format!("c{number}"), "object": "chat.completion",
                    "model": if number.is_multiple_of(2) { "gpt-a-2026-01-01" } else { "gpt-b-2026-02-02" },
                    "system_fingerprint": format!("fp_{}", number % 3),
                    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}]
                });
                Ok::<_, std::convert::Infallible>(
                    Response::builder()
                        .header("content-type", "application/json")
                        .body(Full::new(Bytes::from(answer.to_string())))
                        .unwrap(),
                )
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    address
}

fn name(text: &str) -> ClearName {
    ClearName::new(text).unwrap()
}

fn registry(dir: &Path) -> Registry {
    let registry = Registry::open(recording::env().fs, &dir.join("registry")).unwrap();
    let now = Timestamp(1_700_000_000_000_000_000);
    let one = |number: &str| Some(name(number));
    for registration in [
        Registration::prompt(name("triage"), one("1"), "You sort cases. Customer: {{customer}}."),
        Registration::prompt(name("triage"), one("2"), "You sort cases, kindly. Customer: {{customer}}."),
        Registration::prompt(name("plain"), one("1"), "Answer with yes or no."),
        Registration::tools(name("search"), one("1"), tools(1).to_string()),
        Registration::tools(name("search"), one("2"), tools(2).to_string()),
        Registration::model(name("gpt-a-2026-01-01"), one("1"), Some(Digest([3; 32])), "s3://models/a"),
    ] {
        registry.add(&registration, now).unwrap();
    }
    registry
}

fn tools(version: usize) -> serde_json::Value {
    serde_json::json!([{"type": "function", "function": {"name": "search", "description": format!("v{version}"),
        "parameters": {"type": "object"}}}])
}

async fn start(dir: &Path, upstream: SocketAddr) -> Served {
    let text = route(&format!("http://{upstream}"), "wire = \"openai\"");
    let mut config = GatewayConfig::new(routes(&text, &|_| None).unwrap());
    config.registry = Some(registry(dir));
    serve_with(recording::open(dir).await, config).await
}

/// A request of a variant: template, value, tools, all from its number.
fn asked(number: usize) -> String {
    let system = match number % 4 {
        0 => format!("You sort cases. Customer: c-{number}."),
        1 => format!("You sort cases, kindly. Customer: c-{number}."),
        2 => "Answer with yes or no.".to_owned(),
        _ => format!("Nobody registered this, {number}."),
    };
    serde_json::json!({
        "model": "gpt", "user": number.to_string(), "tools": tools(1 + number / 7 % 3),
        "messages": [{"role": "system", "content": system}, {"role": "user", "content": format!("case {number}")}]
    })
    .to_string()
}

async fn ask_all(address: SocketAddr, numbers: std::ops::Range<usize>) {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (client, numbers) = (client.clone(), numbers.clone());
        writers.spawn(async move {
            for number in numbers.filter(|number| number % WRITERS == writer) {
                let request = http::Request::post(format!("http://{address}/v1/chat/completions"))
                    .header("content-type", "application/json")
                    .body(Full::new(Bytes::from(asked(number))))
                    .unwrap();
                let answer = client.request(request).await.unwrap();
                assert_eq!(answer.status(), 200);
                answer.into_body().collect().await.unwrap();
            }
        });
    }
    writers.join_all().await;
}

/// How often each identity was said to appear.
fn changes(events: &[Event]) -> BTreeMap<String, usize> {
    let mut told = BTreeMap::new();
    for event in events {
        if let Body::SystemChanged(body) = &event.body {
            assert!(body.decision.is_some());
            let name = body.name.as_ref().map_or("", ClearName::as_str);
            let new = body.new.as_ref().map_or("", ClearName::as_str);
            *told.entry(format!("{} {name} {new}", body.aspect)).or_default() += 1;
        }
    }
    told
}

fn events(dir: &Path) -> Vec<Event> {
    recording::entries(dir, "s").into_iter().flat_map(|entry| entry.events).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_decisions_say_each_new_identity_once() {
    let dir = tempfile::tempdir().unwrap();
    let upstream = model().await;
    // A life that ends in order, one that a crash ends, and one after it.
    let mut first = start(dir.path(), upstream).await;
    ask_all(first.address, 0..DECISIONS / 3).await;
    first.stop().await;
    first.recorder.close().await.unwrap();
    drop(first);
    let second = start(dir.path(), upstream).await;
    ask_all(second.address, DECISIONS / 3..2 * DECISIONS / 3).await;
    let crashed = tempfile::tempdir().unwrap();
    recording::crash_copy(dir.path(), crashed.path());
    let third = start(crashed.path(), upstream).await;
    ask_all(third.address, 2 * DECISIONS / 3..DECISIONS).await;
    third.end(crashed.path().to_owned()).await;
    drop(second);

    let events = events(crashed.path());
    let told = changes(&events);
    let expected: BTreeSet<String> = [
        "model  gpt-a-2026-01-01",
        "model  gpt-b-2026-02-02",
        "fingerprint gpt-a-2026-01-01 fp_0",
        "fingerprint gpt-a-2026-01-01 fp_1",
        "fingerprint gpt-a-2026-01-01 fp_2",
        "fingerprint gpt-b-2026-02-02 fp_0",
        "fingerprint gpt-b-2026-02-02 fp_1",
        "fingerprint gpt-b-2026-02-02 fp_2",
        "prompt triage 1",
        "prompt triage 2",
        "prompt plain 1",
        "tools search 1",
        "tools search 2",
    ]
    .map(str::to_owned)
    .into();
    assert_eq!(told.keys().cloned().collect::<BTreeSet<_>>(), expected);
    assert!(told.values().all(|times| *times == 1), "{told:#?}");
    let inferences: Vec<_> = events
        .iter()
        .filter_map(|event| if let Body::Inference(body) = &event.body { Some(body) } else { None })
        .collect();
    assert_eq!(inferences.len(), DECISIONS);
    let registered = inferences.iter().filter(|body| body.prompts.iter().any(|prompt| prompt.name.is_some()));
    assert_eq!(registered.count(), DECISIONS * 3 / 4);
    assert!(inferences.iter().all(|body| body.model.identity == ModelIdentity::Exact), "the names are dated");
}

#[tokio::test]
async fn a_template_is_linked_with_its_values_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let served = start(dir.path(), model().await).await;
    ask_all(served.address, 0..1).await;
    let log = served.end(dir.path().to_owned()).await;
    let decision = log.only();
    let inference = decision.iter().find(|event| event.body.kind_text() == "inference").unwrap();
    let Body::Inference(body) = &inference.body else { panic!() };
    let prompts: Vec<_> =
        body.prompts.iter().map(|prompt| prompt.name.as_ref().map(ClearName::as_str)).collect();
    assert_eq!(prompts, [Some("triage"), None]);
    assert_eq!(log.text(inference, inferlog_record::PayloadRole::Prompt), "{\"customer\":\"c-0\"}");
    assert_eq!(body.toolsets.iter().map(|tools| tools.version.as_str()).collect::<Vec<_>>(), ["1"]);
}
