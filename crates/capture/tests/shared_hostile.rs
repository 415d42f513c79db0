//! Decisions that exchanges share, under hostile requests and unlucky moments: never about two persons, never left open, never
//! without end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/recording.rs"]
mod recording;
#[path = "support/streaming.rs"]
mod streaming;
#[path = "support/mod.rs"]
mod support;

use gateway::{Log, Served, route, serve, status};
use inferlog_capture::recorder::{EraseRequest, Target};
use inferlog_disk::{OsRng, RealFs, SlowSyncFs, SystemClock};
use inferlog_log::{Env, NodeConfig};
use inferlog_record::body::{Body, OrderKind};
use inferlog_record::{Event, Kind, Level, PayloadRole, violations};
use std::sync::Arc;
use std::time::{Duration, Instant};
use streaming::{Client, Upstream, chat};
use support::{RawServer, Then, exchange};

const BODY: &str = "{\"id\":\"c1\",\"model\":\"m-2024-08-06\",\"choices\":[{\"index\":0,\"finish_reason\":\"stop\",\
                    \"message\":{\"role\":\"assistant\",\"content\":\"yes\"}}]}";
const ASK: &str = "{\"model\":\"m\",\"user\":\"7\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}";

fn answer(body: &str) -> &'static [u8] {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    (head + body).leak().as_bytes()
}

async fn model() -> RawServer {
    RawServer::answering(answer(BODY), Then::Close).await
}

struct World {
    dir: tempfile::TempDir,
    served: Served,
}

impl World {
    async fn of(text: &str, delay: Duration) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let fs = Arc::new(SlowSyncFs::new(Arc::new(RealFs), delay));
        let env = Env { fs, clock: Arc::new(SystemClock), rng: Arc::new(OsRng) };
        let recorder = recording::open_node(env, NodeConfig::new(dir.path())).await;
        Self { served: serve(recorder, text).await, dir }
    }

    async fn new(url: &str, more: &str) -> Self {
        Self::of(&route(url, &format!("wire = \"openai\"\n{more}")), Duration::ZERO).await
    }

    async fn ask(&self, body: &str, headers: &str) -> u16 {
        status(&exchange(self.served.address, &chat(body, headers)).await)
    }

    async fn end(self) -> (Log, tempfile::TempDir) {
        (self.served.end(self.dir.path().to_owned()).await, self.dir)
    }
}

fn kinds(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.body.kind_text()).collect()
}

fn assert_ends_closed(decisions: &[Vec<Event>]) {
    for events in decisions {
        assert_eq!(events.last().unwrap().kind(), Some(Kind::DecisionClosed), "{:?}", kinds(events));
    }
}

#[tokio::test]
async fn ten_thousand_results_at_once_are_recorded_as_far_as_lists_go() {
    let upstream = model().await;
    let world = World::new(&upstream.url(), "join = [\"trace\"]").await;
    let call = |at: usize| {
        format!(
            "{{\"id\":\"t{at}\",\"type\":\"function\",\"function\":{{\"name\":\"f\",\"arguments\":\"{{}}\"}}}}"
        )
    };
    let result = |at: usize| format!("{{\"role\":\"tool\",\"tool_call_id\":\"t{at}\",\"content\":\"{at}\"}}");
    let (calls, results): (Vec<_>, Vec<_>) = (0..10_000).map(|at| (call(at), result(at))).unzip();
    let body = format!(
        "{{\"model\":\"m\",\"messages\":[{{\"role\":\"user\",\"content\":\"x\"}},{{\"role\":\"assistant\",\"tool_calls\":[{}]}},{}]}}",
        calls.join(","),
        results.join(",")
    );
    let began = Instant::now();
    for headers in ["", "inferlog-decision: many\r\n", "inferlog-decision: many\r\n"] {
        assert_eq!(world.ask(&body, headers).await, 200);
    }
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    let (log, _dir) = world.end().await;
    let decisions = log.decisions();
    assert_ends_closed(&decisions);
    for event in decisions.iter().flatten() {
        let found = violations(event, Level::Required);
        assert!(!found.iter().any(|violation| violation.rule.contains("items")), "{found:#?}");
    }
    let told = kinds(&decisions[1]).iter().filter(|kind| **kind == "tool_call").count();
    assert_eq!(told, 256, "those of the first request, once");
    let opened = &decisions[1][0];
    assert_eq!(opened.capture.as_ref().unwrap().completeness.as_str(), "partial");
    assert_eq!(log.text(opened, PayloadRole::InputRaw), body);
}

#[tokio::test]
async fn what_a_person_asks_after_an_erasure_is_another_decision() {
    let upstream = model().await;
    let world = World::new(&upstream.url(), "subject = { header = \"x-person\" }").await;
    let headers = "inferlog-decision: run\r\nx-person: ada\r\n";
    assert_eq!(world.ask(ASK, headers).await, 200);
    assert_eq!(world.ask(ASK, headers).await, 200);
    let erased = Target::Subject(b"ada".to_vec());
    world.served.recorder.erase(EraseRequest::new(erased, OrderKind::Request)).await.unwrap();
    assert_eq!(world.ask(ASK, headers).await, 200);
    let (log, _dir) = world.end().await;
    let decisions = log.decisions();
    assert_eq!(decisions.len(), 2);
    assert_ends_closed(&decisions);
    assert_ne!(log.text(&decisions[0][0], PayloadRole::InputRaw), ASK);
    assert_eq!(log.text(&decisions[1][0], PayloadRole::InputRaw), ASK);
    assert_ne!(
        decisions[0][0].subjects, decisions[1][0].subjects,
        "the person returns under a new pseudonym"
    );
}

#[tokio::test]
async fn a_decision_is_never_about_two_persons() {
    let upstream = model().await;
    let world = World::new(&upstream.url(), "subject = { header = \"x-person\" }").await;
    for person in ["x-person: ada\r\n", "x-person: eve\r\n", "", "x-person: eve\r\nx-person: ada\r\n"] {
        for _ in 0..2 {
            assert_eq!(world.ask(ASK, &format!("inferlog-decision: run\r\n{person}")).await, 200);
        }
    }
    let (log, _dir) = world.end().await;
    let decisions = log.decisions();
    let about: Vec<usize> = decisions.iter().map(|events| events[0].subjects.len()).collect();
    assert_eq!(about, [1, 1, 0, 2]);
    for events in &decisions {
        assert!(events.iter().all(|event| event.subjects == events[0].subjects));
        assert_eq!(kinds(events).iter().filter(|kind| **kind == "inference").count(), 2);
    }
}

#[tokio::test]
async fn the_same_text_elsewhere_is_another_decision() {
    let upstream = model().await;
    let one = |name: &str, join: &str| {
        format!(
            "[[route]]\nname = \"{name}\"\nsystem = \"s\"\nupstream = \"{}\"\npath = \"/{name}/*\"\nwire = \"openai\"\njoin = [{join}]\n",
            upstream.url()
        )
    };
    let text = format!(
        "{}{}{}",
        one("a", "{ header = \"x-session\" }"),
        one("b", "{ pointer = \"/user\" }"),
        one("c", "{ header = \"x-session\" }, { pointer = \"/user\" }")
    );
    let world = World::of(&text, Duration::ZERO).await;
    let ask = async |path: &str, headers: &str| {
        let request = chat(ASK, headers).replace("POST /", &format!("POST /{path}/"));
        assert_eq!(status(&exchange(world.served.address, &request).await), 200);
    };
    ask("a", "x-session: 7\r\n").await;
    ask("b", "x-session: 7\r\n").await;
    ask("c", "x-session: 7\r\n").await; // joins a's
    ask("c", "x-session: \r\n").await; // an empty one is none: joins b's
    ask("c", &format!("x-session: {}\r\n", "7".repeat(2000))).await; // so is one that is too long
    ask("a", "inferlog-decision: 7\r\n").await;
    let (log, _dir) = world.end().await;
    let joined: Vec<usize> = log
        .decisions()
        .iter()
        .map(|events| kinds(events).iter().filter(|kind| **kind == "decision.joined").count())
        .collect();
    assert_eq!(joined, [1, 2, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_idle_decisions_are_closed_together() {
    let upstream = model().await;
    let text = route(&upstream.url(), "wire = \"openai\"\njoin = [\"trace\"]\nidle_ms_max = 60000");
    let mut world = World::of(&text, Duration::from_millis(25)).await;
    let address = world.served.address;
    let asking = (0..300_u32).map(|at| {
        let headers = format!("traceparent: 00-{:032x}-b7ad6b7169203331-01\r\n", at + 1);
        tokio::spawn(async move { status(&exchange(address, &chat(ASK, &headers)).await) })
    });
    for asked in asking.collect::<Vec<_>>() {
        assert_eq!(asked.await.unwrap(), 200);
    }
    let began = Instant::now();
    world.served.stop().await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let (log, _dir) = world.end().await;
    let decisions = log.decisions();
    assert_eq!(decisions.len(), 300);
    assert_ends_closed(&decisions);
}

#[tokio::test]
async fn what_is_under_way_when_its_decision_is_ended_is_closed_too() {
    let mut upstream = Upstream::start().await;
    let keys = "wire = \"openai\"\nidle_ms_max = 1";
    let dir = tempfile::tempdir().unwrap();
    let served = serve(recording::open(dir.path()).await, &route(&upstream.url(), keys)).await;
    let headers = ["", "", "inferlog-decision-end: true\r\n", ""];
    let mut under_way = Vec::new();
    for more in headers {
        let request = chat(ASK, &format!("inferlog-decision: run\r\n{more}"));
        let client = Client::send(served.address, &request).await;
        under_way.push((client, upstream.asked().await));
        if !more.is_empty() {
            let (mut client, mut model) = under_way.pop().unwrap();
            model.raw(answer(BODY)).await;
            drop(model);
            client.rest().await;
        }
    }
    for (mut client, mut model) in under_way {
        model.raw(answer(BODY)).await;
        drop(model);
        client.rest().await;
    }
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let log = served.end(dir.path().to_owned()).await;
    let decisions = log.decisions();
    assert_eq!(decisions.len(), 2);
    let ends = |events: &Vec<Event>| kinds(events).iter().filter(|kind| **kind == "decision.closed").count();
    assert!(decisions.iter().all(|events| ends(events) == 1));
    let inferences = decisions.iter().flatten().filter(|event| matches!(event.body, Body::Inference(_)));
    assert_eq!(inferences.count(), 4);
}

#[tokio::test]
async fn an_answer_of_a_hundred_thousand_thoughts_is_recorded() {
    let thought = "{\"type\":\"thinking\",\"thinking\":\"so\",\"signature\":\"s\"}";
    let body = format!(
        "{{\"id\":\"m1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-x-20250101\",\"content\":[{}],\"stop_reason\":\
         \"end_turn\",\"usage\":{{\"input_tokens\":1,\"output_tokens\":1}}}}",
        vec![thought; 100_000].join(",")
    );
    let upstream = RawServer::answering(answer(&body), Then::Close).await;
    let text = route(&upstream.url(), "wire = \"anthropic\"");
    let world = World::of(&text, Duration::ZERO).await;
    let ask = "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}";
    let request = chat(ask, "").replace("/v1/chat/completions", "/v1/messages");
    let began = Instant::now();
    let answer = exchange(world.served.address, &request).await;
    assert_eq!(status(&answer), 200, "{}", &answer[..answer.len().min(300)]);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let (log, _dir) = world.end().await;
    let events = log.only();
    assert_eq!(kinds(&events).iter().filter(|kind| **kind == "reasoning").count(), 256);
    assert_eq!(events[1].capture.as_ref().unwrap().completeness.as_str(), "partial");
    assert_eq!(log.text(&events[1], PayloadRole::OutputRaw), body);
}
