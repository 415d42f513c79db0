//! The application's half over HTTP: what is said of each kind, and what is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/events.rs"]
mod posted;
#[path = "support/recording.rs"]
mod recording;
#[path = "support/mod.rs"]
mod support;

use inferlog_capture::api::{BATCH_EVENTS_MAX, KINDS};
use inferlog_record::body::{Body, Tri};
use inferlog_record::{Event, Id, PayloadRole, validate};
use posted::World;
use serde_json::{Value, json};

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
        {"kind": "biometric.match", "started_at": began, "ended_at": ended, "database": "watchlist", "database_version": "7",
         "database_digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "result": "match",
         "score": 0.9, "input": "AB-12", "record": "entry 9", "verifiers": ["kim@example.org", "lou@example.org"]},
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
        ("biometric.match", PayloadRole::BiometricInput, "AB-12"),
        ("biometric.match", PayloadRole::BiometricRecord, "entry 9"),
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
    for sealed in ["kim", "lou@", "AB-12", "conditions", "name with", "doc-7", "Rule"] {
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

/// What is posted, the status of the answer, and what it says.
type Wrong = (Value, u16, &'static str);

/// An approval with other members, of this decision.
fn approval(decision: Id, more: Value) -> Value {
    let mut event = json!({"decision": decision, "kind": "human", "action": "approve"});
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

fn wrong_reviews(decision: Id, unknown: Id) -> Vec<Wrong> {
    let human = |more| approval(decision, more);
    vec![
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
    ]
}

fn wrong_of_other_kinds(decision: Id) -> Vec<Wrong> {
    vec![
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
    ]
}

fn wrong_batches(decision: Id, unknown: Id) -> Vec<Wrong> {
    let human = |more| approval(decision, more);
    vec![
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
    ]
}

#[tokio::test]
async fn what_is_wrong_is_refused_and_nothing_of_the_batch_recorded() {
    let world = World::chat().await;
    let decision = world.ask("/v1/chat/completions", "ada").await;
    let unknown = Id::new(decision.millis(), &[9; 10]);
    let wrong =
        [wrong_reviews(decision, unknown), wrong_of_other_kinds(decision), wrong_batches(decision, unknown)];
    for (body, status, says) in wrong.concat() {
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
