//! The application's half over HTTP: what is attached, what is refused, what is recorded once, what is identical.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/recording.rs"]
mod recording;
#[path = "support/mod.rs"]
mod support;

use gateway::{Log, Served, infer, route, serve, serve_with};
use inferlog_capture::api::{self, Access, BATCH_EVENTS_MAX, How, KINDS, Token};
use inferlog_capture::config::routes;
use inferlog_capture::gateway::GatewayConfig;
use inferlog_capture::recorder::Target;
use inferlog_record::body::{Body, OrderKind, Tri};
use inferlog_record::{Event, Id, PayloadRole, validate};
use recording::open;
use serde_json::{Value, json};
use support::{RawServer, Then, exchange};
use tempfile::TempDir;

const CHAT: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\
    {\"id\":\"c-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"index\":0,\
    \"message\":{\"role\":\"assistant\",\"content\":\"Granted, with \\\"conditions\\\".\"},\"finish_reason\":\"stop\"}]}";
const WORDS: &str = "Granted, with \"conditions\".";
const ASKED: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"May I?"}]}"#;
const SCORED: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\
    {\"model\":\"m\",\"answer\":{\"text\":\"yes\"},\"score\":{\"p\":0.5}}";

struct World {
    dir: TempDir,
    served: Served,
    _upstream: RawServer,
}

impl World {
    async fn new(answer: &'static str, more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let upstream = RawServer::answering(answer.as_bytes(), Then::Close).await;
        let text = route(&upstream.url(), &format!("subject = {{ header = \"x-person\" }}\n{more}"));
        let served = serve(open(dir.path()).await, &text).await;
        Self { dir, served, _upstream: upstream }
    }

    async fn chat() -> Self {
        Self::new(CHAT, "wire = \"openai\"").await
    }

    /// One exchange about a person; its decision.
    async fn ask(&self, path: &str, person: &str) -> Id {
        let request =
            infer(ASKED, &format!("x-person: {person}\r\n")).replace("/v2/models/credit/infer", path);
        let answer = exchange(self.served.address, &request).await;
        let named = answer.lines().find_map(|line| line.strip_prefix("inferlog-decision-id: "));
        named.unwrap_or_else(|| panic!("{answer}")).parse().unwrap()
    }

    async fn post(&self, body: &Value) -> (u16, Value) {
        self.post_text(&body.to_string()).await
    }

    async fn post_text(&self, body: &str) -> (u16, Value) {
        post(&self.served, body, "").await
    }

    /// Attaches, and demands that it works.
    async fn attach(&self, body: Value) -> Value {
        let (status, answer) = self.post(&body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    async fn end(self) -> Log {
        let Self { dir, served, .. } = self;
        served.end(dir.keep()).await
    }
}

async fn post(served: &Served, body: &str, headers: &str) -> (u16, Value) {
    let length = body.len();
    let request = format!(
        "POST /v1/events HTTP/1.1\r\nHost: g\r\nConnection: close\r\nContent-Type: application/json\r\n{headers}\
         Content-Length: {length}\r\n\r\n{body}"
    );
    let answer = exchange(served.address, &request).await;
    let body = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}")).1;
    (gateway::status(&answer), serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}")))
}

fn find<'a>(events: &'a [Event], kind: &str) -> &'a Event {
    events.iter().rfind(|event| event.body.kind_text() == kind).unwrap_or_else(|| panic!("no {kind}"))
}

/// One of every kind, each with all that the record asks for.
fn everything(about: Id) -> Value {
    let (began, ended) = ("2026-11-20T10:00:00+01:00", "2026-11-20T09:00:00.25Z");
    json!([
        {"kind": "context", "environment": "production", "build": "1.4.2", "region": "eu", "variant": "b",
         "flags": ["new-scorecard"], "input": {"income": 48.50}},
        {"kind": "retrieval", "started_at": began, "ended_at": ended, "index": "policies", "index_version": "2026-11",
         "source": "handbook", "query": "conditions", "total": 9, "documents": [
            {"id": "doc-7", "content": "Rule 7", "score": 0.75}, {"content": {"n": 8}, "rank": 4}]},
        {"kind": "tool_call", "started_at": began, "ended_at": ended, "name": "bureau.lookup", "attempt": 2,
         "latency_ms": 12.5, "arguments": {"id": 1}, "result": "B+", "external_ids": {"call": "call_1"}},
        {"kind": "tool_call", "started_at": began, "ended_at": ended, "name": "name with spaces", "attempt": 1,
         "arguments": {}, "error": {"code": "timeout", "message": "gave up"}},
        {"kind": "transform", "started_at": began, "ended_at": ended, "name": "mask", "version": "3", "stage": "post",
         "in": "a b", "out": {"media_type": "application/octet-stream", "base64": "AAEC"}},
        {"kind": "reasoning", "form": "summary", "content": "because"},
        {"kind": "inference", "started_at": began, "ended_at": ended, "model": {"requested": "judge", "version": "2"},
         "input": "is it fair?", "output": "yes", "params": {"temperature": 0}, "finish_reason": "stop",
         "usage": {"input": 5, "output": 1}, "prompts": [{"role": "system", "content": "Be fair."}]},
        {"kind": "output", "processed": "yes", "final": "Yes.", "explanation": {"shap": [0.1]}},
        {"kind": "human", "about": about, "action": "override", "reviewer": "kim@example.org", "before": "Yes.",
         "after": "No.", "reason": "Rule 7"},
        {"kind": "label", "name": "repaid", "origin": "ground_truth", "value": true, "follows": [about], "seq": 4},
        {"kind": "decision.closed", "outcome": "answered", "ended_at": ended},
    ])
}

#[tokio::test]
async fn every_kind_is_recorded_as_it_was_said() {
    let world = World::chat().await;
    let decision = world.ask("/v1/chat/completions", "ada").await;
    let answer =
        world.attach(json!({"decision": decision, "system": "s", "events": everything(decision)})).await;
    assert_eq!(answer["decision"], decision.to_string());
    let kinds: Vec<_> =
        answer["events"].as_array().unwrap().iter().map(|event| event["kind"].clone()).collect();
    assert!(KINDS.iter().all(|kind| kinds.contains(&json!(kind))), "{kinds:?}");
    assert!(answer["events"].as_array().unwrap().iter().all(|event| event["duplicate"] == false));
    let log = world.end().await;
    let events = log.only();
    let attached = &events[events.len() - kinds.len()..];
    for (event, told) in attached.iter().zip(answer["events"].as_array().unwrap()) {
        assert_eq!(
            (event.id.to_string(), event.body.kind_text()),
            (told["id"].as_str().unwrap().to_owned(), told["kind"].as_str().unwrap())
        );
        assert_eq!(validate(event), Ok(()), "{event:?}");
        assert_eq!(event.capture.as_ref().unwrap().adapter.as_str(), "events-api");
    }
    let text = |kind, role| log.text(find(attached, kind), role);
    for (kind, role, said) in [
        ("context", PayloadRole::InputEnriched, r#"{"income":48.5}"#),
        ("retrieval", PayloadRole::RetrievalQuery, "conditions"),
        ("retrieval", PayloadRole::RetrievalDocument, r#"{"id":"doc-7","content":"Rule 7"}"#),
        ("tool_call", PayloadRole::ToolArguments, "{}"),
        ("tool_call", PayloadRole::Error, r#"{"code":"timeout","message":"gave up"}"#),
        ("tool_call", PayloadRole::Unlisted, r#"{"name":"name with spaces"}"#),
        ("transform", PayloadRole::TransformOut, "\0\u{1}\u{2}"),
        ("reasoning", PayloadRole::Reasoning, "because"),
        ("inference", PayloadRole::OutputRaw, "yes"),
        ("inference", PayloadRole::Prompt, "Be fair."),
        ("output", PayloadRole::OutputFinal, "Yes."),
        ("output", PayloadRole::Explanation, r#"{"shap":[0.1]}"#),
        ("human", PayloadRole::HumanAfter, "No."),
        ("label", PayloadRole::LabelValue, "true"),
    ] {
        assert_eq!(text(kind, role), said, "{kind} {role}");
    }
    let bodies: Vec<&Body> = attached.iter().map(|event| &event.body).collect();
    let clear = format!("{bodies:?}");
    for said in
        ["policies", "bureau.lookup", "unlisted", "12500000", "750000", "repaid", "new-scorecard", "judge"]
    {
        assert!(clear.contains(said), "{said}: {clear}");
    }
    for sealed in ["kim", "conditions", "name with", "doc-7", "Rule"] {
        assert!(!clear.contains(sealed), "{sealed} stands in clear: {clear}");
    }
    let Body::Human(human) = &find(attached, "human").body else { panic!() };
    assert!(human.about == Some(decision) && human.reviewer.is_some());
    assert_eq!(find(attached, "retrieval").started_at.unwrap().to_string(), "2026-11-20T09:00:00.000000000Z");
    assert_eq!(find(attached, "label").after.to_vec(), [decision]);
    let Body::Output(output) = &find(attached, "output").body else { panic!() };
    // With the model call that the application told of just before.
    assert_eq!((output.identical.raw_processed, output.identical.processed_final), (Tri::True, Tri::False));
}

/// The documentation shows every kind, and what it shows is taken.
#[tokio::test]
async fn the_examples_of_the_documentation_are_taken() {
    let page = include_str!("../../../docs/events.md");
    let world = World::chat().await;
    let decision = world.ask("/v1/chat/completions", "ada").await;
    let mut kinds = Vec::new();
    for example in page.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
        let mut example: Value = serde_json::from_str(example).unwrap();
        let Some(kind) = example["kind"].as_str().map(str::to_owned) else { continue };
        example["decision"] = json!(decision);
        world.attach(example).await;
        kinds.push(kind);
    }
    kinds.sort();
    let mut every = KINDS.to_vec();
    every.sort();
    assert_eq!(kinds, every);
}

#[tokio::test]
async fn what_is_wrong_is_refused_and_nothing_of_the_batch_recorded() {
    let world = World::chat().await;
    let decision = world.ask("/v1/chat/completions", "ada").await;
    let human = |more: Value| {
        let mut event = json!({"decision": decision, "kind": "human", "action": "approve"});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let unknown = Id::new(decision.millis(), &[9; 10]);
    for (body, status, says) in [
        (
            human(json!({"actoin": 1})),
            400,
            "no member `actoin` here; possible are kind, decision, system, id, reviewer",
        ),
        (human(json!({"action": "shrug"})), 400, "the event.action: write one of approve reject"),
        (human(json!({"kind": "erasure"})), 400, "write one of context, retrieval"),
        (human(json!({"kind": null})), 400, "kind: write one of"),
        (human(json!({"about": "last"})), 400, "about: write a UUIDv7"),
        (human(json!({"reason": {"media_type": "text/csv", "text": "a"}})), 400, "`media_type` is one of"),
        (human(json!({"reason": {"media_type": "image/png", "base64": "?"}})), 400, "not base64"),
        (human(json!({"started_at": "yesterday"})), 400, "as in 2026-01-31T09:30:00Z"),
        (
            human(json!({"started_at": "2026-01-02T00:00:00Z", "ended_at": "2026-01-01T00:00:00Z"})),
            400,
            "before started_at",
        ),
        (human(json!({"follows": "x"})), 400, "an array of event ids"),
        (human(json!({"id": "x".repeat(257)})), 400, "at most 256"),
        (human(json!({"reviewer": ""})), 400, "1 to 1024 bytes"),
        (human(json!({"decision": "one"})), 400, "decision: write a UUIDv7"),
        (human(json!({"decision": unknown})), 404, "there is no decision"),
        (human(json!({"system": "other"})), 404, "there is no decision"),
        (json!({"kind": "human", "action": "stop"}), 400, "`inferlog-decision-id`"),
        (
            json!({"decision": decision, "kind": "label", "name": "x", "origin": "review"}),
            400,
            "value: is missing",
        ),
        (
            json!({"decision": decision, "kind": "label", "value": 1, "origin": "review"}),
            400,
            "name: is missing",
        ),
        (json!({"decision": decision, "kind": "output"}), 400, "final: is missing"),
        (json!({"decision": decision, "kind": "context"}), 400, "input: is missing"),
        (
            json!({"decision": decision, "kind": "retrieval", "documents": [{}]}),
            400,
            "documents[0].content: is missing",
        ),
        (
            json!({"decision": decision, "kind": "retrieval", "documents": vec![json!({"content": 1}); 257]}),
            400,
            "the best 256",
        ),
        (
            json!({"decision": decision, "kind": "tool_call", "name": "t", "outcome": "failed"}),
            400,
            "error: is missing",
        ),
        (
            json!({"decision": decision, "kind": "tool_call", "name": "t", "outcome": "ok", "error": "timeout"}),
            400,
            "there is an error",
        ),
        (json!({"decision": decision, "kind": "tool_call", "name": "t", "latency_ms": -1}), 400, "0 or more"),
        (
            json!({"decision": decision, "kind": "transform", "name": "t", "error": "tired"}),
            400,
            "write one of bad_request",
        ),
        (
            json!({"decision": decision, "kind": "decision.closed", "outcome": "failed"}),
            400,
            "goes with the outcome",
        ),
        (json!({"decision": decision, "kind": "inference", "input": "a"}), 400, "model: is missing"),
        (
            json!({"events": [human(json!({})), human(json!({"x": 1}))]}),
            400,
            "events[1]: there is no member `x`",
        ),
        (
            json!({"events": [human(json!({})), human(json!({"decision": unknown}))]}),
            404,
            "there is no decision",
        ),
        (json!({"events": [], "decision": decision}), 400, "no event in it"),
        (
            json!({"events": [human(json!({}))], "ids": 1}),
            400,
            "no member `ids` here; possible are events, decision, system",
        ),
        (json!([]), 400, "no event in it"),
        (json!("human"), 400, "write an event"),
        (json!(vec![human(json!({})); BATCH_EVENTS_MAX + 1]), 413, "at most 1000 events"),
    ] {
        let (found, answer) = world.post(&body).await;
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(
            found == status && error.contains(says) && answer["code"].is_string(),
            "{says}: {found} {answer}"
        );
        assert!(!error.contains("ada"), "{error}");
    }
    for (body, says) in [
        ("", "it ends too early"),
        ("{", "it ends too early"),
        ("nonsense", "not JSON"),
        ("{\"kind\":1,\"kind\":2}", "twice"),
    ] {
        let (status, answer) = world.post_text(body).await;
        assert!(status == 400 && answer["error"].as_str().unwrap().contains(says), "{body}: {answer}");
    }
    let before = world.served.recorder.systems().await[0].entries();
    assert_eq!(world.post(&json!({"decision": decision, "kind": "human"})).await.0, 400);
    assert_eq!(world.served.recorder.systems().await[0].entries(), before);
    assert!(world.end().await.only().iter().all(|event| event.body.kind_text() != "human"));
}

#[tokio::test]
async fn who_may_is_whoever_has_the_token_or_is_on_this_machine() {
    let dir = tempfile::tempdir().unwrap();
    let upstream = RawServer::answering(CHAT.as_bytes(), Then::Close).await;
    let mut config =
        GatewayConfig::new(routes(&route(&upstream.url(), "wire = \"openai\""), &|_| None).unwrap());
    config.api = Access::Token(Token::new("0123456789abcdef0123456789abcdef").unwrap());
    let mut served = serve_with(open(dir.path()).await, config).await;
    let right = "Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n";
    assert_eq!(post(&served, "[]", "").await.0, 401);
    assert_eq!(post(&served, "[]", &right.replace('f', "e")).await.1["code"], "unauthorized");
    assert_eq!(post(&served, "[]", right).await.0, 400);
    served.stop().await;

    let world = World::chat().await;
    let (status, answer) = post(&world.served, "[]", "Origin: http://example.org\r\n").await;
    assert!(status == 403 && answer["error"].as_str().unwrap().contains("token_env"), "{answer}");
    let other =
        exchange(world.served.address, "GET /v1/events HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n")
            .await;
    assert!(other.starts_with("HTTP/1.1 405") && other.contains("allow: POST"), "{other}");
    let text = "POST /v1/events HTTP/1.1\r\nHost: g\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n[]";
    assert!(exchange(world.served.address, text).await.starts_with("HTTP/1.1 415"));
    let huge = format!(
        "POST /v1/events HTTP/1.1\r\nHost: g\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        (8 << 20) + 1
    );
    assert!(exchange(world.served.address, &huge).await.starts_with("HTTP/1.1 413"));
}

#[tokio::test]
async fn an_event_with_an_id_of_its_caller_s_is_recorded_once() {
    let world = World::chat().await;
    let (decision, other) =
        (world.ask("/v1/chat/completions", "ada").await, world.ask("/v1/chat/completions", "bob").await);
    let event = |decision: Id, reason: &str| json!({"decision": decision, "kind": "human", "action": "approve", "id": "review 1", "reason": reason});
    let first = world.attach(event(decision, "fine")).await["events"][0].clone();
    // The same, differently written, in a batch, and twice in it.
    let text = format!(
        "{{\"events\":[{0},{0}],\"decision\":\"{decision}\"}}",
        r#"{"reason":"fine", "id":"review 1", "action":"approve","kind":"human"}"#
    );
    let (_, again) = world.post_text(&text).await;
    for repeated in again["events"].as_array().unwrap() {
        assert_eq!(
            (&repeated["id"], &repeated["index"], &repeated["duplicate"]),
            (&first["id"], &first["index"], &json!(true))
        );
    }
    let (status, answer) = world.post(&event(decision, "not fine")).await;
    assert_eq!((status, answer["code"].as_str().unwrap()), (409, "id_reused"));
    // Another decision's is another event.
    let others = world.attach(json!([event(other, "fine"), event(decision, "fine")])).await;
    assert_ne!(others["events"][0]["id"], first["id"]);
    assert_eq!(
        (&others["events"][0]["duplicate"], &others["events"][1]["duplicate"]),
        (&json!(false), &json!(true))
    );
    assert!(others.get("decision").is_none());
    // Many at the same time.
    let mut at_once = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (recorder, body) =
            (world.served.recorder.clone(), event(other, "x").to_string().replace("review 1", "at once"));
        at_once
            .spawn(async move { api::attach(&recorder, body.into(), &How::new("test", &[])).await.unwrap() });
    }
    let found = at_once.join_all().await;
    assert_eq!(found.iter().filter(|attached| !attached.events[0].duplicate).count(), 1);
    assert!(found.iter().all(|attached| attached.events[0].id == found[0].events[0].id));
    // Without an id each is new.
    let anonymous = json!({"decision": other, "kind": "human", "action": "approve"});
    assert_ne!(
        world.attach(anonymous.clone()).await["events"][0]["id"],
        world.attach(anonymous).await["events"][0]["id"]
    );

    // After a restart the same id is derived again: readers take the first.
    let World { dir, mut served, .. } = world;
    served.stop().await;
    served.recorder.close().await.unwrap();
    drop(served);
    let recorder = open(dir.path()).await;
    let again = api::attach(&recorder, event(decision, "fine").to_string().into(), &How::new("test", &[]))
        .await
        .unwrap();
    assert_eq!(again.events[0].id.to_string(), first["id"].as_str().unwrap());
    assert_eq!(again.events[0].id.millis(), decision.millis());
    recorder.close().await.unwrap();
    drop(recorder);
    let entries = recording::entries(dir.path(), "s");
    let reviews = |decision| {
        recording::of_decision(&entries, decision)
            .into_iter()
            .filter(|event| event.body.kind_text() == "human")
            .count()
    };
    assert_eq!((reviews(decision), reviews(other)), (2, 4));
}

/// What the log says of the latest output's stages.
fn identical(events: &[Event]) -> Vec<(Tri, Tri)> {
    let outputs = events.iter().filter_map(|event| match &event.body {
        Body::Output(output) => Some((output.identical.raw_processed, output.identical.processed_final)),
        _ => None,
    });
    // The gateway's own comes first.
    outputs.skip(1).collect()
}

#[tokio::test]
async fn whether_an_answer_s_stages_are_identical_is_computed() {
    let world = World::chat().await;
    let decision = world.ask("/v1/chat/completions", "ada").await;
    let output = |more: Value| {
        let mut event = json!({"decision": decision, "kind": "output"});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    world.attach(output(json!({"processed": WORDS, "final": WORDS}))).await;
    world.attach(output(json!({"processed": format!("{WORDS} "), "final": WORDS}))).await;
    world.attach(output(json!({"processed": {"text": WORDS}}))).await;
    world.attach(output(json!({"final": WORDS}))).await;
    // A batch: each is compared with itself, and stored for itself.
    world
        .attach(json!([
            output(json!({"processed": "a", "final": "a"})),
            output(json!({"processed": "b", "final": "b"}))
        ]))
        .await;
    world.served.recorder.erase(Target::Decision(decision), None, OrderKind::Request).await.unwrap();
    world.attach(output(json!({"processed": WORDS, "final": WORDS}))).await;
    let log = world.end().await;
    let events = log.only();
    let expected = [
        (Tri::True, Tri::True),
        (Tri::False, Tri::False),
        (Tri::False, Tri::Unknown),
        (Tri::Unknown, Tri::Unknown),
        (Tri::False, Tri::True),
        (Tri::False, Tri::True),
        (Tri::Unknown, Tri::True),
    ];
    assert_eq!(identical(&events), expected);
    assert!(
        events
            .iter()
            .filter(|event| event.body.kind_text() == "output")
            .all(|event| event.payloads.len() == 2)
    );
    assert!(
        log.text(events.last().unwrap(), PayloadRole::OutputProcessed)
            .starts_with("erased: erased_by_order:")
    );
}

#[tokio::test]
async fn a_json_route_says_where_the_answer_s_words_are() {
    for (pointer, said, is_same) in [
        ("/answer/text", json!("yes"), Tri::True),
        ("/answer/text", json!("\"yes\""), Tri::False),
        ("/answer/text", json!({"media_type": "application/json", "json": "yes"}), Tri::True),
        ("/score", json!({"p": 0.5}), Tri::True),
        ("/score", json!({"p": 0.25}), Tri::False),
        ("/nothing", json!("yes"), Tri::Unknown),
    ] {
        let world =
            World::new(SCORED, &format!("wire = \"json\"\njson = {{ output = \"{pointer}\" }}")).await;
        let decision = world.ask("/score", "ada").await;
        world.attach(json!({"decision": decision, "kind": "output", "processed": said})).await;
        assert_eq!(identical(&world.end().await.only()), [(is_same, Tri::Unknown)], "{pointer} {said}");
    }
}
