//! Streams as hostile models and clients send and take them: nothing that ends an answer leaves before its record, what leaves
//! is what came, and nothing waits for ever.

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

use gateway::infer;
use inferlog_record::body::{ErrorCode, ExchangeEnd, Outcome};
use inferlog_record::{Event, PayloadRole};
use std::io::Write;
use std::time::{Duration, Instant};
use streaming::{ASK, DONE, STOP, delta};
use tokio::time::sleep;
use world::{ANSWERED, World, ended};

fn inference(events: &[Event]) -> &Event {
    events.iter().find(|event| event.body.kind_text() == "inference").unwrap()
}

/// What a coding makes of texts, each flushed by itself.
fn coded(coding: &str, texts: &[&str]) -> Vec<Vec<u8>> {
    fn write<W: Write>(mut to: W, texts: &[&str], taken: impl Fn(&mut W) -> Vec<u8>) -> Vec<Vec<u8>> {
        let one = |text: &&str| {
            to.write_all(text.as_bytes()).unwrap();
            to.flush().unwrap();
            taken(&mut to)
        };
        texts.iter().map(one).collect()
    }
    let out = Vec::new();
    match coding {
        "gzip" => {
            let out = flate2::write::GzEncoder::new(out, flate2::Compression::default());
            write(out, texts, |out| std::mem::take(out.get_mut()))
        }
        "deflate" => {
            let out = flate2::write::ZlibEncoder::new(out, flate2::Compression::default());
            write(out, texts, |out| std::mem::take(out.get_mut()))
        }
        "br" => {
            let out = brotli::CompressorWriter::new(out, 4096, 5, 20);
            write(out, texts, |out| std::mem::take(out.get_mut()))
        }
        _ => {
            let out = zstd::Encoder::new(out, 3).unwrap();
            write(out, texts, |out| std::mem::take(out.get_mut()))
        }
    }
}

#[tokio::test]
async fn half_a_terminator_in_a_coding_is_withheld_too() {
    for coding in ["gzip", "deflate", "zstd", "br"] {
        let mut world = World::chat("").await;
        let (mut client, mut model) = world.ask(ASK, "").await;
        model.head("text/event-stream", &format!("content-encoding: {coding}\r\n")).await;
        // A client that reads line by line takes the last line but one for the end.
        let chunks = coded(coding, &[&delta("a"), STOP, "data: [DONE]\n", "\n"]);
        for chunk in &chunks[..2] {
            model.chunk(chunk).await;
            client.until_bytes(chunk).await;
        }
        model.chunk(&chunks[2]).await;
        assert!(client.is_quiet().await, "{coding}: the terminator left before its record");
        model.chunk(&chunks[3]).await;
        assert!(client.is_quiet().await, "{coding}: the terminator left before its record");
        model.end().await;
        client.until_bytes(b"0\r\n\r\n").await;
        let (log, _dir) = world.end().await;
        assert_eq!(ended(&log.only()), ANSWERED, "{coding}");
    }
}

#[tokio::test]
async fn a_length_that_is_announced_is_waited_for_after_the_terminator() {
    let mut world = World::chat("").await;
    let (mut client, mut model) = world.ask(ASK, "").await;
    let text = format!("{}{STOP}{DONE}: bye\n\n", delta("a"));
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n",
        text.len()
    );
    model.raw(head.as_bytes()).await;
    model.raw(&text.as_bytes()[..text.len() - 3]).await;
    sleep(Duration::from_millis(1300)).await;
    model.raw(&text.as_bytes()[text.len() - 3..]).await;
    let answer = client.rest().await;
    assert!(answer.ends_with(&text), "{answer}");
    let (log, _dir) = world.end().await;
    let events = log.only();
    assert_eq!(ended(&events), ANSWERED);
    assert_eq!(log.text(inference(&events), PayloadRole::OutputRaw), text);
}

#[tokio::test]
async fn a_body_shorter_than_its_length_is_no_whole_answer() {
    let mut world = World::chat("").await;
    let (mut client, mut model) = world.ask(ASK, "").await;
    let text = format!("{}{STOP}{DONE}", delta("a"));
    model.raw(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 5000\r\n\r\n").await;
    model.raw(text.as_bytes()).await;
    client.until("\"stop\"").await;
    drop(model);
    client.rest().await;
    let (log, _dir) = world.end().await;
    let lost = (Outcome::Failed, Some(ExchangeEnd::UpstreamAbort), Some(ErrorCode::ConnectionLost));
    assert_eq!(ended(&log.only()), lost);
}

#[tokio::test]
async fn a_stream_of_nothing_gets_away() {
    for (head, status) in [("200 OK\r\ncontent-length: 0", "200"), ("204 No Content", "204")] {
        let mut world = World::chat("").await;
        let (mut client, mut model) = world.ask(ASK, "").await;
        model.raw(format!("HTTP/1.1 {head}\r\ncontent-type: text/event-stream\r\n\r\n").as_bytes()).await;
        let answer = client.rest().await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        let (log, _dir) = world.end().await;
        let events = log.only();
        let ends = events.iter().filter(|event| event.body.kind_text() == "decision.closed").count();
        assert_eq!(ends, 1, "{events:#?}");
        assert_ne!(ended(&events).1, Some(ExchangeEnd::ClientAbort), "{head}: the client got all there was");
    }
}

#[tokio::test]
async fn a_model_that_goes_on_after_its_terminator_holds_nobody_up() {
    let mut world = World::chat("").await;
    let (mut client, mut model) = world.ask(ASK, "").await;
    model.head("text/event-stream", "").await;
    model.chunk(format!("{}{STOP}{DONE}", delta("a"))).await;
    let pinging = tokio::spawn(async move {
        for _ in 0..100 {
            if !model.try_chunk(": ping\n\n").await {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
    });
    let began = Instant::now();
    client.until("[DONE]").await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    client.rest().await;
    pinging.await.unwrap();
    let (log, _dir) = world.end().await;
    assert_eq!(ended(&log.only()), ANSWERED);
}

#[tokio::test]
async fn a_client_that_takes_nothing_has_left_and_slows_the_model_down_meanwhile() {
    let mut world = World::chat("answer_ms_max = 500\njournal_ms = 50").await;
    let (client, mut model) = world.ask(ASK, "").await;
    model.head("text/event-stream", "").await;
    let word = "x".repeat(64 << 10);
    let mut taken = 0;
    while tokio::time::timeout(Duration::from_secs(5), model.try_chunk(delta(&word))).await.unwrap() {
        taken += word.len();
    }
    // Sockets and what waits in between hold some; all of a stream would be sixteen megabytes.
    assert!(taken < 14 << 20, "{taken}");
    let (log, _dir) = world.end().await;
    let events = log.only();
    assert_eq!(ended(&events), (Outcome::Aborted, Some(ExchangeEnd::ClientAbort), None));
    assert!(events.iter().any(|event| event.body.kind_text() == "delivery"), "nothing was journaled");
    drop(client);
}

#[tokio::test]
async fn a_client_that_could_not_tell_a_cut_from_an_end_gets_a_stream_as_a_whole() {
    let request = infer("{\"inputs\":[]}", "").replace("HTTP/1.1", "HTTP/1.0");
    for breaks_off in [false, true] {
        let mut world = World::new("").await;
        let (mut client, mut model) = world.send(&request).await;
        model.head("text/event-stream", "").await;
        model.chunk("data: {\"model_name\":\"credit\",\"outputs\":[1]}\n\n").await;
        assert!(client.is_quiet().await, "breaks off: {breaks_off}");
        if breaks_off {
            drop(model);
        } else {
            model.end().await;
        }
        let answer = client.rest().await;
        assert_eq!(answer.contains("outputs"), !breaks_off, "{answer}");
        world.end().await;
    }
}

#[tokio::test]
async fn whatever_looks_like_a_terminator_passes_and_the_bytes_are_those_that_came() {
    // What passes at once, and what is withheld.
    let cases: [(&str, String, String); 8] = [
        ("a terminator within words", delta("data: [DONE]\\n\\n"), DONE.into()),
        ("a terminator within a comment", ": data: [DONE]\n\n".into(), DONE.into()),
        ("a terminator in another field", "event: [DONE]\n\nid: [DONE]\n\n".into(), DONE.into()),
        ("several lines of data", "data: [DONE]\ndata: more\n\n".into(), DONE.into()),
        ("two terminators", delta("a"), format!("{DONE}{DONE}")),
        ("data after the terminator", delta("a"), format!("{DONE}{}", delta("late"))),
        ("lines that end with CR", delta("a").replace('\n', "\r"), "data:[DONE]\r\r".into()),
        ("a byte order mark, and no end of line", format!("\u{feff}{}", delta("a")), "data: [DONE]".into()),
    ];
    for (about, passes, withheld) in cases {
        let mut world = World::chat("").await;
        let (mut client, mut model) = world.ask(ASK, "").await;
        model.head("text/event-stream", "").await;
        model.chunk(&passes).await;
        client.until(&passes).await;
        let seen = client.seen.len();
        for piece in withheld.as_bytes().chunks(5) {
            model.chunk(piece).await;
        }
        assert!(client.is_quiet().await, "{about}: {}", &client.seen[seen..]);
        model.end().await;
        let answer = client.rest().await;
        assert!(answer.contains(&withheld) && answer.ends_with("0\r\n\r\n"), "{about}: {answer}");
        let (log, _dir) = world.end().await;
        let events = log.only();
        let raw = log.text(inference(&events), PayloadRole::OutputRaw);
        assert_eq!(raw, format!("{passes}{withheld}"), "{about}");
    }
}

#[tokio::test]
async fn an_event_without_an_end_is_held_in_linear_time_and_cut_at_the_limit() {
    let mut world = World::chat("response_bytes_max = 8388608").await;
    let (mut client, mut model) = world.ask(ASK, "").await;
    model.head("text/event-stream", "").await;
    model.chunk(delta("a")).await;
    client.until("\"a\"").await;
    let began = Instant::now();
    let piece = format!("data: {}\n", "y".repeat(2000));
    while model.try_chunk(&piece).await {}
    client.rest().await;
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(!client.seen.ends_with("0\r\n\r\n"));
    let (log, _dir) = world.end().await;
    let events = log.only();
    let large = (Outcome::Failed, Some(ExchangeEnd::OverLimit), Some(ErrorCode::TooLarge));
    assert_eq!(ended(&events), large);
    let call = inference(&events);
    let kept = log.text(call, PayloadRole::OutputRaw).len() as u64;
    assert!(kept > 8 << 19);
    // At least one byte did not fit; what is kept was not dropped.
    let dropped = call.capture.as_ref().unwrap().bytes_dropped.0;
    assert!((1..1 << 20).contains(&dropped), "{dropped}");
}

#[tokio::test]
async fn a_coding_that_breaks_passes_as_it_came_and_its_end_waits() {
    let mut good = coded("gzip", &[&delta("a"), STOP]);
    good.push(b"this is no gzip at all, whatever it says".to_vec());
    for (coding, chunks) in [("gzip", good), ("surprise", vec![b"first".to_vec(), DONE.into()])] {
        let mut world = World::chat("").await;
        let (mut client, mut model) = world.ask(ASK, "").await;
        model.head("text/event-stream", &format!("content-encoding: {coding}\r\n")).await;
        for chunk in &chunks {
            model.chunk(chunk).await;
            client.until_bytes(chunk).await;
        }
        assert!(!client.raw.ends_with(b"0\r\n\r\n"));
        model.end().await;
        client.until_bytes(b"0\r\n\r\n").await;
        let (log, _dir) = world.end().await;
        let events = log.only();
        let capture = inference(&events).capture.clone().unwrap();
        assert_eq!(capture.completeness.as_str(), "partial", "{coding}");
    }
}

#[tokio::test]
async fn a_bomb_in_a_stream_costs_no_more_than_the_limit() {
    let bomb = "a".repeat(256 << 20);
    for coding in ["gzip", "zstd"] {
        let mut world = World::chat("response_bytes_max = 1048576").await;
        let (mut client, mut model) = world.ask(ASK, "").await;
        model.head("text/event-stream", &format!("content-encoding: {coding}\r\n")).await;
        let chunks = coded(coding, &["data: ", &bomb, "\n\n", DONE]);
        let began = Instant::now();
        for chunk in &chunks {
            model.chunk(chunk).await;
        }
        model.end().await;
        client.until_bytes(b"0\r\n\r\n").await;
        assert!(began.elapsed() < Duration::from_secs(10), "{coding}: {:?}", began.elapsed());
        let (log, _dir) = world.end().await;
        let events = log.only();
        assert_eq!(inference(&events).capture.as_ref().unwrap().completeness.as_str(), "partial", "{coding}");
    }
}
