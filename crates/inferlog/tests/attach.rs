//! What people and applications attach to a decision: through the process that serves, and with nobody serving.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

mod support;

use serde_json::{Value, json};
use support::{REQUEST, World, model, post};

/// The events of a decision as `show` tells them, by kind.
fn shown(world: &World, decision: &str, kind: &str) -> Vec<Value> {
    let told = world.ok(&["show", decision, "--json"]).json();
    let events = told["events"].as_array().unwrap().iter();
    events.filter(|event| event["kind"] == kind).cloned().collect()
}

/// Content of an event's payload, as `show` tells it.
fn content(event: &Value, role: &str) -> Value {
    let payload =
        event["payloads"].as_array().unwrap().iter().find(|payload| payload["role"] == role).unwrap();
    payload["content"].clone()
}

#[test]
fn a_review_and_a_label_are_attached_while_serving_and_after() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let (_, decision, _) = serve.infer("4711", REQUEST);
    let human = |more: &[&str]| {
        let args =
            ["human", "--decision", &decision, "--action", "override", "--reviewer", "kim@example.org"];
        world.ok(&[&args, more].concat())
    };
    std::fs::write(world.path("shown.json"), "{\"granted\": 1.50}\n").unwrap();
    let shown_file = format!("@{}", world.path("shown.json").display());
    let told = human(&[
        "--before",
        &shown_file,
        "--after",
        "json:{\"granted\":0}",
        "--reason",
        "misread",
        "--id",
        "r1",
    ]);
    assert!(told.stdout().starts_with("recorded human: event "), "{}", told.stdout());
    let again = human(&[
        "--before",
        &shown_file,
        "--after",
        "json:{\"granted\":0}",
        "--reason",
        "misread",
        "--id",
        "r1",
        "--json",
    ]);
    let again = again.json()["events"][0].clone();
    assert!(again["duplicate"] == true && told.stdout().contains(again["id"].as_str().unwrap()), "{again}");
    world
        .run(&["human", "--data", "data", "--decision", &decision, "--action", "approve", "--id", "r1"])
        .expect(2);
    assert_eq!(serve.stop(), 0);

    // With nobody serving, by the command itself.
    world.ok(&[
        "label",
        "--decision",
        &decision,
        "--name",
        "repaid",
        "--origin",
        "ground_truth",
        "--value",
        "json:true",
    ]);
    let reviews = shown(&world, &decision, "human");
    assert_eq!(reviews.len(), 1);
    assert_eq!(content(&reviews[0], "human.before"), json!({"json": {"granted": 1.5}}));
    assert_eq!(content(&reviews[0], "human.reason"), json!({"text": "misread"}));
    assert!(!reviews[0].to_string().contains("kim@"));
    assert_eq!(content(&shown(&world, &decision, "label")[0], "label.value"), json!({"json": true}));
    world.ok(&["verify"]);
}

#[test]
fn every_command_attaches_its_kind() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let (_, decision, _) = serve.infer("4711", REQUEST);
    let attach = |args: &[&str]| world.ok(&[args, &["--decision", &decision]].concat());
    attach(&["output", "--processed", "0.7", "--final", "70 %"]);
    attach(&["context", "--environment", "staging", "--flag", "a", "--flag", "b", "--input", "enriched"]);
    attach(&[
        "retrieval",
        "--index",
        "policies",
        "--query",
        "q",
        "--document",
        "one",
        "--document",
        "json:{\"n\":2}",
    ]);
    attach(&[
        "tool-call",
        "--name",
        "lookup",
        "--arguments",
        "text:@4711",
        "--error",
        "timeout",
        "--latency-ms",
        "1.5",
    ]);
    attach(&[
        "transform",
        "--name",
        "mask",
        "--stage",
        "post",
        "--in",
        "a",
        "--out",
        "b",
        "--started-at",
        "2026-01-31T09:30:00Z",
    ]);
    attach(&["events", "close", "--outcome", "answered"]);
    for kind in ["context", "retrieval", "tool_call", "transform"] {
        assert_eq!(shown(&world, &decision, kind).len(), 1, "{kind}");
    }
    let documents = shown(&world, &decision, "retrieval");
    assert!(documents[0].to_string().contains("\"one\"") && documents[0].to_string().contains("\"rank\":2"));
    assert_eq!(
        content(&shown(&world, &decision, "tool_call")[0], "tool.arguments"),
        json!({"text": "@4711"})
    );
    assert!(
        shown(&world, &decision, "output")
            .last()
            .unwrap()
            .to_string()
            .contains("\"raw_processed\":\"false\"")
    );
    // A batch from a file, and what it says over HTTP.
    let batch = json!({"decision": decision, "events": [
        {"kind": "label", "name": "fair", "origin": "review", "value": 1},
        {"kind": "reasoning", "content": "because"},
    ]});
    std::fs::write(world.path("batch.json"), batch.to_string()).unwrap();
    let told = world.ok(&["events", "add", world.path("batch.json").to_str().unwrap(), "--json"]).json();
    assert_eq!(told["events"].as_array().unwrap().len(), 2);
    let (head, body) = post(serve.address, "/v1/events", "", &batch.to_string());
    assert!(head.starts_with("HTTP/1.1 200"), "{head}{body}");
    assert_eq!(shown(&world, &decision, "label").len(), 2);
}

#[test]
fn what_cannot_be_attached_is_told() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let (_, decision, _) = serve.infer("4711", REQUEST);
    let unknown = "0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11";
    std::fs::write(world.path("wrong.json"), "{\"kind\":\"human\"}").unwrap();
    let wrong = world.path("wrong.json");
    for (args, status, says) in [
        (&["human", "--decision", unknown, "--action", "approve"][..], 1, "there is no decision"),
        (&["human", "--decision", &decision, "--action", "shrug"], 2, "one of approve reject"),
        (
            &["human", "--decision", &decision, "--action", "stop", "--reason", "@nowhere"],
            2,
            "--reason: cannot read nowhere",
        ),
        (
            &["human", "--decision", &decision, "--action", "stop", "--reason", "json:{"],
            2,
            "this is not JSON",
        ),
        (&["output", "--decision", &decision], 2, "final: is missing"),
        (&["output", "--decision", &decision, "--final", "-", "--processed", "-"], 2, "read once"),
        (
            &[
                "label",
                "--decision",
                &decision,
                "--system",
                "other",
                "--name",
                "a",
                "--origin",
                "review",
                "--value",
                "1",
            ],
            1,
            "no decision",
        ),
        (&["events", "add", wrong.to_str().unwrap()], 2, "decision: is missing"),
        (&["events", "close", "--decision", &decision, "--outcome", "failed"], 2, "goes with the outcome"),
    ] {
        let args = [args, &["--data", "data"]].concat();
        let run = world.run(&args);
        assert_eq!((run.status(), run.stdout().as_str()), (status, ""), "{args:?} {}", run.stderr());
        assert!(run.stderr().contains(says), "{args:?}: {}", run.stderr());
    }
}
