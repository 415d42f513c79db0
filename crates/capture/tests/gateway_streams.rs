//! Answers that stream: what passes at once, what is withheld, and what the record says of each end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/recording.rs"]
mod recording;
#[path = "support/streaming.rs"]
mod streaming;
#[path = "support/mod.rs"]
mod support;
#[path = "support/world.rs"]
mod world;

use inferlog_record::body::{Body, ErrorCode, ExchangeEnd, Outcome};
use inferlog_record::{Event, PayloadRole};
use std::io::Write;
use streaming::{ASK, Client, DONE, STOP, chat, delta};
use world::{World, ended};

/// The body of a chunked answer, put together; `None` if its end did not come.
fn body(answer: &str) -> Option<String> {
    let (_, mut rest) = answer.split_once("\r\n\r\n")?;
    let mut body = String::new();
    loop {
        let (length, more) = rest.split_once("\r\n")?;
        let length = usize::from_str_radix(length, 16).ok()?;
        if length == 0 {
            return Some(body);
        }
        body.push_str(more.get(..length)?);
        rest = more.get(length + 2..)?;
    }
}

fn find(events: &[Event], kind: &str) -> Event {
    events.iter().find(|event| event.body.kind_text() == kind).unwrap_or_else(|| panic!("no {kind}")).clone()
}

#[tokio::test]
async fn pieces_pass_at_once_and_the_terminator_waits_for_the_record() {
    let mut world = World::chat("").await;
    let (mut client, mut model) = world.ask(ASK, "").await;
    model.head("text/event-stream", "").await;
    model.chunk(delta("a")).await;
    client.until("\"a\"").await;
    let half = delta("b");
    model.chunk(&half[..10]).await;
    assert!(client.is_quiet().await, "half an event left");
    model.chunk(&half[10..]).await;
    client.until("\"b\"").await;
    model.chunk(format!("{STOP}{DONE}")).await;
    client.until("\"stop\"").await;
    assert!(!client.seen.contains("[DONE]"), "the end left before the upstream's body ended");
    model.end().await;
    let answer = client.rest().await;
    let expected = format!("{}{}{STOP}{DONE}", delta("a"), delta("b"));
    assert_eq!(body(&answer).as_deref(), Some(expected.as_str()));

    let (log, _dir) = world.end().await;
    let events = log.only();
    assert_eq!(ended(&events), (Outcome::Answered, Some(ExchangeEnd::Complete), None));
    let inference = find(&events, "inference");
    assert_eq!(log.text(&inference, PayloadRole::OutputRaw), expected);
    let Body::Inference(body) = inference.body else { panic!() };
    assert_eq!(body.stream, Some(true));
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_call_and_the_record_says_so() {
    let mut world = World::chat("").await;
    let (mut client, mut model) = world.ask(ASK, "").await;
    model.head("text/event-stream", "").await;
    model.chunk(delta("a")).await;
    client.until("\"a\"").await;
    client.leave();
    model.closed().await;
    let (log, _dir) = world.end().await;
    let events = log.only();
    assert_eq!(ended(&events), (Outcome::Aborted, Some(ExchangeEnd::ClientAbort), None));
    assert_eq!(log.text(&find(&events, "inference"), PayloadRole::OutputRaw), delta("a"));
}

#[tokio::test]
async fn a_stream_that_the_upstream_breaks_off_is_cut_and_recorded_as_that() {
    let mut world = World::chat("").await;
    let (mut client, mut model) = world.ask(ASK, "").await;
    model.head("text/event-stream", "").await;
    model.chunk(delta("a")).await;
    model.raw(b"ff\r\ndata: half").await;
    drop(model);
    let answer = client.rest().await;
    assert_eq!(body(&answer), None, "{answer}");
    assert!(answer.contains("\"a\""));
    let (log, _dir) = world.end().await;
    let events = log.only();
    let lost = (Outcome::Failed, Some(ExchangeEnd::UpstreamAbort), Some(ErrorCode::ConnectionLost));
    assert_eq!(ended(&events), lost);
}

#[tokio::test]
async fn long_streams_leave_pieces_on_the_way() {
    let mut world = World::chat("journal_ms = 20").await;
    let (mut client, mut model) = world.ask(ASK, "").await;
    model.head("text/event-stream", "").await;
    let mut sent = String::new();
    for word in ["a", "b", "c"] {
        model.chunk(delta(word)).await;
        sent.push_str(&delta(word));
        client.until(&format!("\"{word}\"")).await;
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
    }
    model.chunk(format!("{STOP}{DONE}")).await;
    model.end().await;
    client.rest().await;
    let (log, _dir) = world.end().await;
    let events = log.only();
    let pieces: Vec<_> = events.iter().filter(|event| event.body.kind_text() == "delivery").collect();
    // What came last may be recorded on the way too, if there was time.
    assert!((3..=4).contains(&pieces.len()), "{events:#?}");
    let text: String = pieces.iter().map(|piece| log.text(piece, PayloadRole::OutputPart)).collect();
    assert!(text == sent || text == format!("{sent}{STOP}"), "{text}");
}

#[tokio::test]
async fn a_buffered_stream_leaves_as_a_whole() {
    let mut world = World::chat("stream = \"buffer\"").await;
    let (mut client, mut model) = world.ask(ASK, "").await;
    model.head("text/event-stream", "").await;
    model.chunk(delta("a")).await;
    assert!(client.is_quiet().await);
    model.chunk(format!("{STOP}{DONE}")).await;
    model.end().await;
    let answer = client.rest().await;
    assert!(answer.ends_with(&format!("{}{STOP}{DONE}", delta("a"))), "{answer}");
    let (log, _dir) = world.end().await;
    assert_eq!(ended(&log.only()).0, Outcome::Answered);
}

#[tokio::test]
async fn a_length_that_is_known_is_kept_and_its_last_byte_waits() {
    let mut world = World::chat("").await;
    let (mut client, mut model) = world.ask(ASK, "").await;
    // Nothing in this stream says that it ends: only its length does.
    let text = delta("a");
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n",
        text.len()
    );
    model.raw(head.as_bytes()).await;
    model.raw(&text.as_bytes()[..text.len() - 1]).await;
    model.raw(b"\n").await;
    let answer = client.rest().await;
    assert!(answer.to_ascii_lowercase().contains(&format!("content-length: {}", text.len())), "{answer}");
    assert!(answer.ends_with(&text), "{answer}");
    let (log, _dir) = world.end().await;
    assert_eq!(log.text(&find(&log.only(), "inference"), PayloadRole::OutputRaw), text);
}

#[tokio::test]
async fn a_compressed_stream_passes_as_it_came_and_is_read_for_the_record() {
    for coding in ["gzip", "zstd", "deflate"] {
        let mut world = World::chat("").await;
        let (mut client, mut model) = world.ask(ASK, "").await;
        model.head("text/event-stream", &format!("content-encoding: {coding}\r\n")).await;
        let text = format!("{}{STOP}{DONE}", delta("a"));
        let coded = match coding {
            "gzip" => {
                let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                out.write_all(text.as_bytes()).unwrap();
                out.finish().unwrap()
            }
            "deflate" => {
                let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
                out.write_all(text.as_bytes()).unwrap();
                out.finish().unwrap()
            }
            _ => zstd::encode_all(text.as_bytes(), 3).unwrap(),
        };
        for chunk in coded.chunks(7) {
            model.chunk(chunk).await;
        }
        model.end().await;
        let answer = client.rest().await;
        assert!(answer.ends_with("0\r\n\r\n"), "{coding}: {answer}");
        let (log, _dir) = world.end().await;
        let events = log.only();
        assert_eq!(ended(&events).0, Outcome::Answered, "{coding}");
        assert_eq!(log.text(&find(&events, "inference"), PayloadRole::OutputRaw), text, "{coding}");
    }
}

#[tokio::test]
async fn exchanges_that_name_a_decision_join_it_and_tools_are_tied_to_the_call_that_asked() {
    let mut world = World::chat("idle_ms_max = 60000").await;
    let (mut client, mut model) = world.ask(ASK, "inferlog-decision: run-7\r\n").await;
    let call = "{\"id\":\"c1\",\"model\":\"m-2024-08-06\",\"choices\":[{\"index\":0,\"finish_reason\":\"tool_calls\",\
                \"message\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"t1\",\"type\":\"function\",\
                \"function\":{\"name\":\"search\",\"arguments\":\"{}\"}}]}}]}";
    assert!(!model.request.contains("inferlog-decision"), "{}", model.request);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{call}",
        call.len()
    );
    model.raw(head.as_bytes()).await;
    client.rest().await;

    let again = "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hello\"},\
                 {\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"t1\",\"type\":\"function\",\"function\":\
                 {\"name\":\"search\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"t1\",\"content\":\"42\"}]}";
    let headers = "inferlog-decision: run-7\r\ninferlog-decision-end: true\r\n";
    let mut client = Client::send(world.served.address, &chat(again, headers)).await;
    let mut model = world.upstream.asked().await;
    model.head("text/event-stream", "").await;
    model.chunk(format!("{}{STOP}{DONE}", delta("done"))).await;
    model.end().await;
    client.rest().await;

    let (log, _dir) = world.end().await;
    let events = log.only();
    let kinds: Vec<&str> = events.iter().map(|event| event.body.kind_text()).collect();
    let expected = [
        "decision.opened",
        "inference",
        "decision.joined",
        "tool_call",
        "inference",
        "output",
        "decision.closed",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(events[3].after.iter().copied().collect::<Vec<_>>(), [events[1].id]);
    assert_eq!(events[4].after.iter().copied().collect::<Vec<_>>(), [events[3].id]);
    let Body::ToolCall(tool) = &events[3].body else { panic!() };
    assert_eq!((tool.name.as_str(), tool.attempt), ("search", Some(1)));
    assert!(tool.latency_ns.is_some());
    assert_eq!(log.text(&events[3], PayloadRole::ToolResult), "42");
    assert_eq!(ended(&events).0, Outcome::Answered);
}

#[tokio::test]
async fn a_decision_that_lies_idle_is_closed_and_the_next_exchange_begins_another() {
    let mut world = World::chat("idle_ms_max = 1\njoin = [\"trace\"]").await;
    let trace = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
    for _ in 0..2 {
        let (mut client, mut model) = world.ask(ASK, trace).await;
        model.head("text/event-stream", "").await;
        model.chunk(format!("{}{STOP}{DONE}", delta("a"))).await;
        model.end().await;
        client.rest().await;
        tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    }
    let (log, _dir) = world.end().await;
    let decisions = log.decisions();
    assert_eq!(decisions.len(), 2);
    for events in decisions {
        let kinds: Vec<&str> = events.iter().map(|event| event.body.kind_text()).collect();
        assert_eq!(kinds, ["decision.opened", "inference", "output", "decision.closed"]);
        assert_eq!(ended(&events).0, Outcome::Answered);
    }
}

#[tokio::test]
async fn the_id_that_an_answer_named_goes_on_with_its_decision() {
    let mut world = World::chat("idle_ms_max = 60000").await;
    let mut answer = String::new();
    for headers in ["", "named"] {
        let named = header(&answer, "inferlog-decision-id").unwrap_or_default().to_owned();
        let more = if headers.is_empty() { String::new() } else { format!("inferlog-decision: {named}\r\n") };
        let (mut client, mut model) = world.ask(ASK, &more).await;
        model.head("text/event-stream", "").await;
        model.chunk(format!("{}{STOP}{DONE}", delta("a"))).await;
        model.end().await;
        answer = client.rest().await;
    }
    let (log, _dir) = world.end().await;
    let kinds: Vec<String> = log.only().iter().map(|event| event.body.kind_text().to_owned()).collect();
    let first = ["decision.opened", "inference", "output", "decision.closed"];
    let second = ["decision.joined", "inference", "output", "decision.closed"];
    assert_eq!(kinds, [first, second].concat());
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let lines = answer.lines().take_while(|line| !line.is_empty());
    lines.filter_map(|line| line.split_once(": ")).find(|(found, _)| *found == name).map(|(_, value)| value)
}
