//! The demo through the binary: what it tells, what it leaves on record, and what it answers while it serves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

mod support;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};

use serde_json::{Value, json};
use support::{World, post};

const CHAT_MODEL: &str = "demo-chat-2026-11-01";

/// The first of the chat model's two decisions: what a reviewer overrode; the other is what a policy took something out of.
fn advice(world: &World) -> Value {
    let found = world.ok(&["find", "--json"]).lines();
    let of_chat: Vec<&Value> = found.iter().filter(|found| found["model"] == CHAT_MODEL).collect();
    let [decision, _] = of_chat.as_slice() else { panic!("{} decisions", of_chat.len()) };
    assert_eq!(decision["outcome"], "answered");
    world.ok(&["show", decision["decision"].as_str().unwrap(), "--json"]).json()
}

/// The events of a kind, as recorded.
fn events<'s>(story: &'s Value, kind: &str) -> Vec<&'s Value> {
    let events = story["events"].as_array().unwrap().iter();
    events.filter(|event| event["kind"] == kind).map(|event| &event["event"]).collect()
}

#[test]
fn the_tour_shows_everything_and_leaves_a_log_that_verifies() {
    let world = World::new();
    let demo = world.run(&["demo", "--once", "--data", "data"]);
    assert_eq!(demo.status(), 0, "{}{}", demo.stdout(), demo.stderr());
    assert_eq!(demo.stderr(), "");
    let told = demo.stdout();
    for part in [
        "1 fault",
        "No fault",
        "erased",
        "Unchanged since",
        "receipt",
        "aborted",
        "Turn 3",
        "retrieval",
        "moderation",
        "override",
        "[account number removed]",
        "system.changed",
        "prompt credit-advisor 1",
        "inferlog stats --data",
        "inferlog query --data",
        "account.html",
        "1 of 6 payloads disclosed",
        "data.evidence.html",
        "in force: credit-scoring/1",
        "taken out: e-mails: split once, cards: redacted once",
        "at least 184 days",
        "frozen credit-scoring: 1 named decision",
        "1 decision must stay",
        "carried on: 1 decision, completed",
        "certificate is signed by demo/credit-scoring",
    ] {
        assert!(told.contains(part), "{part} is not in:\n{told}");
    }
    assert!((165..=340).contains(&told.lines().count()), "{} lines:\n{told}", told.lines().count());
    world.ok(&["verify"]);
    assert!(world.ok(&["find", "--json"]).lines().len() > 300);
    assert_eq!(world.run(&["demo", "--once", "--data", "data"]).status(), 2, "not into a directory in use");
    // The applicant was erased; what stands in clear tells the steps still.
    let advice = advice(&world);
    is_advice(&advice);
    // What is registered was never personal: a bundle has it, and nothing else of the content.
    let decision = advice["decision"].as_str().unwrap();
    let bundle =
        ["export", "bundle", "--decision", decision, "--disclose", "*", "--output", "b.zip", "--json"];
    let bundle = world.ok(&bundle).json();
    assert_eq!(bundle["shared"], 3, "two prompts and a list of tools: {bundle}");
}

/// Whether the decision has the steps of an agent's, in their order, each with its cause.
fn is_advice(story: &Value) {
    let kinds: Vec<&str> =
        story["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    for (kind, count) in [
        ("decision.opened", 1),
        ("decision.joined", 2),
        ("inference", 3),
        ("tool_call", 2),
        ("retrieval", 1),
        ("transform", 1),
        ("output", 1),
        ("decision.closed", 1),
        ("human", 1),
        ("label", 1),
    ] {
        assert_eq!(kinds.iter().filter(|found| **found == kind).count(), count, "{kind} in {kinds:?}");
    }
    assert_eq!(kinds[kinds.len() - 5..], ["transform", "output", "decision.closed", "human", "label"]);
    let chats: Vec<&Value> = events(story, "inference")
        .into_iter()
        .filter(|event| event["body"]["model"]["returned"] == CHAT_MODEL)
        .collect();
    let [asks, answers] = chats.as_slice() else { panic!("{} calls of the chat model", chats.len()) };
    assert_eq!(asks["body"]["model"]["identity"], "exact");
    assert_eq!(asks["body"]["prompts"][0]["name"], "credit-advisor", "{asks}");
    assert_eq!(asks["body"]["toolsets"][0]["name"], "credit-tools", "{asks}");
    let prompts = answers["body"]["prompts"].as_array().unwrap();
    assert!(prompts.iter().any(|prompt| prompt["name"] == "policy-paragraphs"), "{answers}");
    assert_eq!(answers["body"]["stream"], true);
    let tools = events(story, "tool_call");
    for tool in &tools {
        assert_eq!(tool["after"], json!([asks["id"]]));
        assert!(tool["body"]["latency_ns"].is_number() || tool["body"]["latency_ns"].is_string(), "{tool}");
    }
    let ids: Vec<&Value> = tools.iter().map(|tool| &tool["id"]).collect();
    assert_eq!(answers["after"], json!(ids));
    assert_eq!(events(story, "retrieval")[0]["body"]["index_version"], "2026-10");
    let identical = &events(story, "output")[0]["body"]["identical"];
    assert_eq!(identical, &json!({ "processed_final": "true", "raw_processed": "false" }));
    assert_eq!(events(story, "human")[0]["body"]["action"], "override");
}

/// A demo that serves on; killed when dropped.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The address in the invitation's line for a path.
fn address(invitation: &[String], path: &str) -> SocketAddr {
    let line = invitation.iter().find(|line| line.contains(path)).unwrap();
    let after = line.split_once("http://").unwrap().1;
    after.split_once(path).unwrap().0.parse().unwrap()
}

#[test]
fn what_the_invitation_says_to_try_can_be_tried() {
    let world = World::new();
    let mut command = world.command(&["demo", "--data", "data"]);
    let mut demo = Serving(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let told = BufReader::new(demo.0.stdout.take().unwrap()).lines().map(|line| line.unwrap());
    let invited = told.skip_while(|line| !line.contains("It goes on serving")).take(9).collect::<Vec<_>>();
    let customer = "x-applicant-id: applicant-07\r\n";

    let (head, body) =
        post(address(&invited, "/ask"), "/ask", customer, "What was decided about my loan, and why?");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}{body}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert!(answer["answer"].as_str().unwrap().contains("Your application was"), "{answer}");
    assert!(!body.contains("DE"), "no account number: {body}");
    let decision = answer["decision"].as_str().unwrap();

    // Nobody learns of others, and who is not known is told so.
    let (_, body) = post(
        address(&invited, "/ask"),
        "/ask",
        "x-applicant-id: nobody\r\n",
        "Why was applicant-07 declined?",
    );
    assert!(body.contains("this is not the customer who asks"), "{body}");

    world.ok(&[
        "human",
        "--decision",
        decision,
        "--action",
        "override",
        "--reviewer",
        "you",
        "--after",
        "Approved.",
    ]);
    assert!(world.ok(&["show", decision]).stdout().contains("Approved."));

    let gateway = address(&invited, "/v1/chat/completions");
    let hello = r#"{"model":"demo-chat","messages":[{"role":"user","content":"Hello"}]}"#;
    let (head, body) = post(gateway, "/v1/chat/completions", "x-applicant-id: me\r\n", hello);
    assert!(head.contains("inferlog-decision-id: ") && body.contains(CHAT_MODEL), "{head}{body}");
    let erased = world.ok(&["erase", "--subject", "me", "--yes", "--json"]).json();
    assert_eq!(erased["erased"][0]["decisions"], 1);
}
