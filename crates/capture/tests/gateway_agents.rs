//! Exchanges that share a decision: what makes them one, how it ends, and what is recorded when things go wrong in it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/recording.rs"]
mod recording;
#[path = "support/streaming.rs"]
mod streaming;
#[path = "support/mod.rs"]
mod support;
#[path = "support/turns.rs"]
mod turns;
#[path = "support/world.rs"]
mod world;

use gateway::{Log, status};
use inferlog_record::body::{Body, ExchangeEnd, Outcome, StepOutcome};
use inferlog_record::{Event, PayloadRole};
use std::time::Duration;
use streaming::{Asked, Client, DONE, STOP, chat, delta};
use turns::{after, broken, calls, ended, kinds, results, steps, words};
use world::{ANSWERED, World};

const ASK: &str = r#"{"model":"m","user":"u-1","messages":[{"role":"user","content":"hello"}]}"#;
const RUN: &str = "inferlog-decision: run\r\n";
const LAST: &str = "inferlog-decision: run\r\ninferlog-decision-end: true\r\n";

impl World {
    /// One in which decisions are not closed for lying idle.
    async fn patient(more: &str) -> Self {
        Self::chat(&format!("idle_ms_max = 600000\n{more}")).await
    }

    /// One whole exchange; the id of its decision.
    async fn exchange(&mut self, body: &str, headers: &str, answer: &str) -> String {
        let (client, model) = self.ask(body, headers).await;
        whole(client, model, "200 OK", answer).await
    }
}

/// The model answers as a whole, and the client gets it; the id of the decision.
async fn whole(mut client: Client, mut model: Asked, status: &str, answer: &str) -> String {
    let length = answer.len();
    let head = "content-type: application/json\r\nconnection: close";
    let answer = format!("HTTP/1.1 {status}\r\n{head}\r\ncontent-length: {length}\r\n\r\n{answer}");
    model.raw(answer.as_bytes()).await;
    let answer = client.rest().await;
    let named = answer.lines().find_map(|line| line.strip_prefix("inferlog-decision-id: "));
    named.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[tokio::test]
async fn what_the_route_says_makes_exchanges_one_decision() {
    let trace = |id: u8| format!("traceparent: 00-{id:032x}-00f067aa0ba902b7-01\r\n");
    let session = |id: u8| format!("x-session-id: {id}\r\n");
    let bare = |_: u8| String::new();
    type Headers<'a> = &'a dyn Fn(u8) -> String;
    let cases: [(&str, Headers<'_>, bool); 3] = [
        ("join = [\"trace\"]", &trace, false),
        ("join = [{ header = \"x-session-id\" }]", &session, false),
        ("join = [{ pointer = \"/user\" }]", &bare, true),
    ];
    for (join, headers, in_body) in cases {
        let mut world = World::patient(join).await;
        let mut named = Vec::new();
        for id in [1, 2, 1, 2, 1] {
            let body = if in_body { ASK.replace("u-1", &format!("u-{id}")) } else { ASK.to_owned() };
            named.push(world.exchange(&body, &headers(id), &words("x")).await);
        }
        // What nothing ties to others is a decision of its own.
        let body = ASK.replace("\"user\":\"u-1\",", "");
        let alone =
            [world.exchange(&body, "", &words("x")).await, world.exchange(&body, "", &words("x")).await];
        assert_ne!(alone[0], alone[1], "{join}");
        assert_eq!((&named[0], &named[1]), (&named[2], &named[3]), "{join}");
        assert_eq!(named[0], named[4], "{join}");
        assert_ne!(named[0], named[1], "{join}");
        let (log, _dir) = world.end().await;
        let decisions = log.decisions();
        let of_two = decisions.iter().map(|events| steps(events).len()).collect::<Vec<_>>();
        assert_eq!(of_two, [3, 2, 1, 1], "{join}");
        for events in &decisions {
            assert_eq!(ended(events), ANSWERED, "{join}");
            assert_eq!(kinds(events).iter().filter(|kind| **kind == "decision.closed").count(), 1);
        }
    }
}

#[tokio::test]
async fn persons_never_share_a_decision() {
    let mut world = World::patient("subject = { header = \"x-person\" }").await;
    let mut named = Vec::new();
    for person in ["x-person: ada\r\n", "x-person: grace\r\n", "x-person: ada\r\n", ""] {
        named.push(world.exchange(ASK, &format!("{RUN}{person}"), &words("x")).await);
    }
    assert_eq!(named[0], named[2]);
    // A decision is not joined by its id either, but by those it is about.
    let other = format!("inferlog-decision: {}\r\nx-person: grace\r\n", named[0]);
    named.push(world.exchange(ASK, &other, &words("x")).await);
    let own = format!("inferlog-decision: {}\r\nx-person: ada\r\n", named[0]);
    assert_eq!(world.exchange(ASK, &own, &words("x")).await, named[0]);
    let (log, _dir) = world.end().await;
    let decisions = log.decisions();
    assert_eq!(decisions.iter().map(|events| steps(events).len()).collect::<Vec<_>>(), [3, 1, 1, 1]);
    for events in decisions {
        let mut subjects: Vec<_> = events.iter().flat_map(|event| event.subjects.to_vec()).collect();
        subjects.dedup();
        assert!(subjects.len() <= 1, "{subjects:?}");
    }
}

#[tokio::test]
async fn two_first_requests_at_the_same_time_are_one_decision() {
    for _ in 0..5 {
        let mut world = World::patient("").await;
        let request = chat(ASK, RUN);
        let (one, two) = tokio::join!(
            Client::send(world.served.address, &request),
            Client::send(world.served.address, &request)
        );
        let (first, second) = (world.upstream.asked().await, world.upstream.asked().await);
        // Which connection is whose does not matter: both get the same answer.
        let answer = words("x");
        let (one, two) =
            tokio::join!(whole(one, first, "200 OK", &answer), whole(two, second, "200 OK", &answer));
        assert_eq!(one, two);
        let (log, _dir) = world.end().await;
        let events = log.only();
        assert_eq!(&kinds(&events)[..2], ["decision.opened", "decision.joined"]);
        assert_eq!(after(&events[1]), [events[0].id]);
        assert_eq!(steps(&events), [StepOutcome::Ok; 2]);
        for event in events.iter().filter(|event| event.body.kind_text() == "inference") {
            assert!(event.after == vec![events[0].id].into() || event.after == vec![events[1].id].into());
        }
        assert_eq!(ended(&events), ANSWERED);
    }
}

#[tokio::test]
async fn stopping_ends_decisions_as_what_they_are() {
    for (answer, outcome) in [(words("x"), Outcome::Answered), (calls(&["t1"]), Outcome::Interrupted)] {
        let mut world = World::patient("").await;
        world.exchange(ASK, RUN, &answer).await;
        let (log, _dir) = world.end().await;
        let events = log.only();
        assert_eq!(ended(&events).0, outcome);
        assert_eq!(kinds(&events).contains(&"output"), outcome == Outcome::Answered);
    }
    // A call that an answer asked for which was lost and asked for again does not count as waiting.
    let mut world = World::patient("").await;
    world.exchange(ASK, RUN, &calls(&["t1"])).await;
    world.exchange(ASK, RUN, &calls(&["t2"])).await;
    world.exchange(&results(&["t2"], false), RUN, &words("x")).await;
    let (log, _dir) = world.end().await;
    assert_eq!(ended(&log.only()), ANSWERED);
}

#[tokio::test]
async fn a_request_that_is_refused_or_fails_does_not_end_the_decision() {
    let mut world = World::patient("request_bytes_max = 2000").await;
    world.exchange(ASK, RUN, &calls(&["t1"])).await;
    let long = ASK.replace("hello", &"x".repeat(3000));
    let refused = Client::send(world.served.address, &chat(&long, RUN)).await.rest().await;
    assert_eq!(status(&refused), 413, "{refused}");
    // The connection to the model breaks, the model answers with an error: the results count once all the same.
    let brings = results(&["t1"], false);
    let (mut client, model) = world.ask(&brings, RUN).await;
    drop(model);
    assert_eq!(status(&client.rest().await), 502);
    let (client, model) = world.ask(&brings, RUN).await;
    whole(client, model, "503 Service Unavailable", r#"{"error":{"message":"busy"}}"#).await;
    world.exchange(&brings, LAST, &words("x")).await;
    let (log, _dir) = world.end().await;
    let events = log.only();
    let expected = "decision.opened inference decision.joined delivery decision.joined tool_call inference delivery \
                    decision.joined inference decision.joined inference output decision.closed";
    assert_eq!(kinds(&events).join(" "), expected);
    let tool = events.iter().find(|event| event.body.kind_text() == "tool_call").unwrap();
    for inference in events.iter().filter(|event| event.body.kind_text() == "inference").skip(1) {
        assert_eq!(after(inference), [tool.id], "each was given the result");
    }
    for joined in events.iter().filter(|event| event.body.kind_text() == "decision.joined").skip(1) {
        assert_eq!(after(joined), [events[1].id], "each brings what the first model call asked for");
    }
    assert_eq!(steps(&events), [StepOutcome::Ok, StepOutcome::Failed, StepOutcome::Failed, StepOutcome::Ok]);
    let broken: Vec<_> = broken(&events).into_iter().map(|(end, _)| end).collect();
    assert_eq!(broken, [ExchangeEnd::OverLimit, ExchangeEnd::UpstreamAbort]);
    assert_eq!(ended(&events), ANSWERED);
}

#[tokio::test]
async fn a_decision_ends_as_its_latest_request_even_if_that_was_refused() {
    let mut world = World::patient("request_bytes_max = 2000").await;
    world.exchange(ASK, RUN, &words("x")).await;
    let long = ASK.replace("hello", &"x".repeat(3000));
    Client::send(world.served.address, &chat(&long, RUN)).await.rest().await;
    let (log, _dir) = world.end().await;
    let events = log.only();
    assert_eq!(ended(&events), (Outcome::Refused, Some(ExchangeEnd::OverLimit), None));
    assert!(!kinds(&events).contains(&"output"));
}

#[tokio::test]
async fn a_client_that_leaves_a_step_leaves_the_decision_open() {
    let mut world = World::patient("").await;
    world.exchange(ASK, RUN, &calls(&["t1"])).await;
    let (mut client, mut model) = world.ask(&results(&["t1"], true), RUN).await;
    model.head("text/event-stream", "").await;
    model.chunk(delta("a")).await;
    client.until("\"a\"").await;
    client.leave();
    model.closed().await;
    // Once more, to its end.
    let (mut client, mut model) = world.ask(&results(&["t1"], true), LAST).await;
    model.head("text/event-stream", "").await;
    model.chunk(format!("{}{STOP}{DONE}", delta("b"))).await;
    model.end().await;
    client.rest().await;
    let (log, _dir) = world.end().await;
    let events = log.only();
    assert_eq!(steps(&events), [StepOutcome::Ok, StepOutcome::Aborted, StepOutcome::Ok]);
    let left = events.iter().filter(|event| event.body.kind_text() == "inference").nth(1).unwrap();
    assert_eq!(broken(&events), [(ExchangeEnd::ClientAbort, Some(left.id))]);
    assert_eq!(log.text(left, PayloadRole::OutputRaw), delta("a"));
    assert_eq!(kinds(&events).iter().filter(|kind| **kind == "tool_call").count(), 1);
    assert_eq!(ended(&events), ANSWERED);
}

#[tokio::test]
async fn a_crash_leaves_a_decision_interrupted_with_all_that_was_recorded() {
    let mut world = World::patient("journal_ms = 10").await;
    world.exchange(ASK, RUN, &calls(&["t1", "t2"])).await;
    let (mut client, mut model) = world.ask(&results(&["t2", "t1"], true), RUN).await;
    model.head("text/event-stream", "").await;
    let mut passed = String::new();
    for word in ["a", "b"] {
        model.chunk(delta(word)).await;
        passed.push_str(&delta(word));
        client.until(&format!("\"{word}\"")).await;
        tokio::time::sleep(Duration::from_millis(80)).await;
    }
    let crashed = tempfile::tempdir().unwrap();
    recording::crash_copy(world.dir.path(), crashed.path());
    model.chunk(format!("{STOP}{DONE}")).await;
    model.end().await;
    client.rest().await;
    world.end().await;

    recording::open(crashed.path()).await.close().await.unwrap();
    let log = Log::of(crashed.path().to_owned());
    let events = log.only();
    assert_eq!(ended(&events), (Outcome::Interrupted, Some(ExchangeEnd::Interrupted), None));
    let expected = ["decision.opened", "inference", "decision.joined", "tool_call", "tool_call"];
    assert_eq!(kinds(&events)[..5], expected);
    let results: Vec<String> =
        events[3..5].iter().map(|event| log.text(event, PayloadRole::ToolResult)).collect();
    assert_eq!(results, ["of t2", "of t1"]);
    let pieces: Vec<&Event> = events.iter().filter(|event| event.body.kind_text() == "delivery").collect();
    let text: String = pieces.iter().map(|piece| log.text(piece, PayloadRole::OutputPart)).collect();
    assert_eq!(text, passed);
    for piece in pieces {
        assert_eq!(after(piece), [events[2].id]);
    }
}

#[tokio::test]
async fn a_decision_that_ended_is_another_one_by_its_text_and_the_same_one_by_its_id() {
    let mut world = World::patient("").await;
    let first = world.exchange(ASK, LAST, &words("x")).await;
    let second = world.exchange(ASK, RUN, &words("x")).await;
    assert_ne!(first, second, "the text of a decision that ended begins another");
    let by_id = format!("inferlog-decision: {first}\r\n");
    assert_eq!(world.exchange(ASK, &by_id, &words("x")).await, first);
    let (log, _dir) = world.end().await;
    let decisions = log.decisions();
    assert_eq!(decisions.len(), 2);
    let expected =
        "decision.opened inference output decision.closed decision.joined inference output decision.closed";
    assert_eq!(kinds(&decisions[0]).join(" "), expected);
    for events in &decisions {
        assert_eq!(ended(events), ANSWERED);
    }
}

#[tokio::test]
async fn an_answer_names_the_decision_and_its_tools_are_tied_by_that_name() {
    let mut world = World::patient("").await;
    // The first request knows of no decision yet.
    let id = world.exchange(ASK, "", &calls(&["t1"])).await;
    let headers = format!("inferlog-decision: {id}\r\ninferlog-decision-end: true\r\n");
    let brings = results(&["t1"], false);
    assert_eq!(world.exchange(&brings, &headers, &words("x")).await, id);
    let (log, _dir) = world.end().await;
    let events = log.only();
    let tool = events.iter().find(|event| event.body.kind_text() == "tool_call").unwrap();
    assert_eq!(after(tool), [events[1].id]);
    let Body::ToolCall(body) = &tool.body else { panic!() };
    assert_eq!((body.name.as_str(), body.attempt), ("search", Some(1)));
    assert!(body.latency_ns.is_some());
    assert_eq!(ended(&events), ANSWERED);
}

#[tokio::test]
async fn a_first_request_in_the_middle_of_a_conversation_counts_its_results_once() {
    let mut world = World::patient("").await;
    let brings = results(&["t1"], false);
    for _ in 0..2 {
        let (client, model) = world.ask(&brings, RUN).await;
        whole(client, model, "503 Service Unavailable", r#"{"error":{"message":"busy"}}"#).await;
    }
    world.exchange(&brings, LAST, &words("x")).await;
    let (log, _dir) = world.end().await;
    let events = log.only();
    assert_eq!(kinds(&events).iter().filter(|kind| **kind == "tool_call").count(), 1);
    let tool = events.iter().find(|event| event.body.kind_text() == "tool_call").unwrap();
    for inference in events.iter().filter(|event| event.body.kind_text() == "inference") {
        assert_eq!(after(inference), [tool.id]);
    }
}

#[tokio::test]
async fn an_exchange_under_way_when_another_ends_the_decision_is_still_recorded_in_it() {
    let mut world = World::patient("").await;
    let (slow, model) = world.ask(ASK, RUN).await;
    let first = world.exchange(ASK, LAST, &words("x")).await;
    assert_eq!(whole(slow, model, "200 OK", &words("late")).await, first);
    let next = world.exchange(ASK, RUN, &words("x")).await;
    assert_ne!(next, first, "what comes after the end is another decision");
    let (log, _dir) = world.end().await;
    let decisions = log.decisions();
    assert_eq!(decisions.len(), 2);
    let expected = "decision.opened decision.joined inference output decision.closed inference";
    assert_eq!(kinds(&decisions[0]).join(" "), expected);
    assert_eq!(ended(&decisions[0]), ANSWERED);
}
