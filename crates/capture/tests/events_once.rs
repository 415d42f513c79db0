//! The application's half over HTTP: who may, what is recorded once, what is identical.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/events.rs"]
mod posted;
#[path = "support/recording.rs"]
mod recording;
#[path = "support/mod.rs"]
mod support;

use gateway::{route, serve_with};
use inferlog_capture::api::{self, Access, How, Token};
use inferlog_capture::config::routes;
use inferlog_capture::gateway::GatewayConfig;
use inferlog_capture::recorder::{EraseRequest, Target};
use inferlog_record::body::{Body, OrderKind, Tri};
use inferlog_record::{Event, Id, PayloadRole};
use posted::{CHAT, SCORED, WORDS, World, post};
use recording::open;
use serde_json::{Value, json};
use support::{RawServer, Then, exchange};

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
    world
        .served
        .recorder
        .erase(EraseRequest::new(Target::Decision(decision), OrderKind::Request))
        .await
        .unwrap();
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
