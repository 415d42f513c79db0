//! Promise 1 for answers that stream and for agents: SIGKILL at random moments under load. An answer that a client received
//! to its end is in the log whole; one that was cut shows what had been delivered, up to the last piece that was recorded on
//! the way; every exchange of an agent that was answered is in its decision.
//!
//! `ROUNDS=500 cargo test --release -p inferlog --test kill_streams` runs longer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test")]

mod harness;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use harness::{Serve, free_address, header, json_lines, read_head, root_key};
use serde_json::{Value, json};

const ROUNDS: u64 = 50;
const STREAMS: u64 = 6;
const AGENTS: u64 = 2;
/// Agents that are looked at in the end.
const AGENTS_CHECKED: usize = 200;
/// Time between two pieces that are recorded on the way.
const JOURNAL: Duration = Duration::from_millis(20);
/// What a busy machine may add to that.
const SLACK: Duration = Duration::from_millis(500);

/// What one stream's client saw.
struct Seen {
    number: u64,
    decision: Option<String>,
    /// When how much of the body was there.
    times: Vec<(Instant, usize)>,
    body: String,
    is_whole: bool,
}

/// What one agent saw: answers that it received whole, by the decision that they named.
type Agents = BTreeMap<String, usize>;

#[test]
fn whole_answers_are_in_the_log_and_cut_ones_show_what_was_delivered() {
    let rounds = std::env::var("ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let config = dir.path().join("routes.toml");
    let text = format!(
        "[[route]]\nname = \"chat\"\nsystem = \"alpha\"\nwire = \"openai\"\nupstream = \"http://{}\"\njournal_ms = {}\n",
        start_chat(),
        JOURNAL.as_millis()
    );
    std::fs::write(&config, text).unwrap();
    let routes = ["--config", config.to_str().unwrap()];
    let (mut killed, mut agents) = (Vec::new(), Agents::new());
    for _ in 0..rounds {
        let listen = free_address();
        let mut serve = Serve::start_with(&[], &data, listen, &routes);
        killed.push(round(&mut serve, listen, &mut agents));
    }
    // The last start closes what the last kill left open.
    Serve::start_with(&[], &data, free_address(), &routes).stop();

    let report = json_lines(&["verify", "--data", data.to_str().unwrap(), "--json"]);
    assert_eq!(report[0]["ok"], true, "{}", report[0]);
    let (mut whole, mut cut, mut delivered) = (0, 0, 0);
    for (at, streams) in &killed {
        for seen in streams {
            assert!(
                expected(seen.number).starts_with(&seen.body),
                "the client got other bytes than the model sent"
            );
            let Some(decision) = &seen.decision else { continue };
            let story = show(&data, decision);
            if seen.is_whole {
                check_whole(&story, seen);
                whole += 1;
            } else {
                delivered += check_cut(&story, seen, *at);
                cut += 1;
            }
        }
    }
    // Most of them are alike; each costs a process.
    let every = agents.len().div_ceil(AGENTS_CHECKED);
    for (decision, answers) in agents.iter().step_by(every) {
        check_agent(&show(&data, decision), *answers);
    }
    println!("{whole} whole, {cut} cut of which {delivered} show pieces, {} agents", agents.len());
    assert!(
        whole > 20 && cut > 20 && delivered > 5 && agents.len() > 10,
        "the load was too small to prove anything"
    );
}

/// One life of the process: streams and agents until it is killed. Answers when that was, and what the streams' clients saw.
fn round(serve: &mut Serve, listen: SocketAddr, agents: &mut Agents) -> (Instant, Vec<Seen>) {
    let stop = Arc::new(AtomicBool::new(false));
    let (seen, answered) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Agents::new())));
    let mut clients = Vec::new();
    for _ in 0..STREAMS {
        let (stop, seen) = (stop.clone(), seen.clone());
        clients.push(std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                seen.lock().unwrap().extend(stream(listen));
            }
        }));
    }
    for _ in 0..AGENTS {
        let (stop, answered) = (stop.clone(), answered.clone());
        clients.push(std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                agent(listen, &stop, &answered);
            }
        }));
    }
    std::thread::sleep(Duration::from_millis(fastrand::u64(100..1_500)));
    let at = Instant::now();
    serve.kill();
    stop.store(true, Ordering::Relaxed);
    clients.into_iter().for_each(|client| client.join().unwrap());
    agents.append(&mut answered.lock().unwrap());
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    (at, seen)
}

/// A number that no other request has.
fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn post(listen: SocketAddr, headers: &str, body: &Value) -> Option<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect_timeout(&listen, Duration::from_secs(5)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let body = body.to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    Some(BufReader::new(stream))
}

/// Reads one stream as far as it comes.
fn stream(listen: SocketAddr) -> Option<Seen> {
    let number = next();
    let body =
        json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": number.to_string()}]});
    let mut reader = post(listen, "", &body)?;
    let (first, headers) = read_head(&mut reader)?;
    assert!(first.contains(" 200 "), "{first}");
    let decision = header(&headers, "inferlog-decision-id");
    let mut seen = Seen { number, decision, times: Vec::new(), body: String::new(), is_whole: false };
    while let Some(chunk) = chunk(&mut reader) {
        if chunk.is_empty() {
            seen.is_whole = true;
            break;
        }
        seen.body.push_str(&chunk);
        seen.times.push((Instant::now(), seen.body.len()));
    }
    Some(seen)
}

/// The next chunk of a body; empty at its end, `None` if it broke off.
fn chunk(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut bytes = vec![0; usize::from_str_radix(line.trim_end(), 16).ok()? + 2];
    reader.read_exact(&mut bytes).ok()?;
    bytes.truncate(bytes.len() - 2);
    String::from_utf8(bytes).ok()
}

/// One agent: asks, runs the tool that it is told to, asks again, six times.
fn agent(listen: SocketAddr, stop: &AtomicBool, answered: &Mutex<Agents>) -> Option<()> {
    let (name, mut messages) = (next(), vec![json!({"role": "user", "content": "loop"})]);
    for step in 0..6 {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let end = if step == 5 { "inferlog-decision-end: true\r\n" } else { "" };
        let headers = format!("inferlog-decision: agent-{name}\r\n{end}");
        let mut reader = post(listen, &headers, &json!({"model": "m", "messages": messages}))?;
        let (first, headers) = read_head(&mut reader)?;
        assert!(first.contains(" 200 "), "{first}");
        let mut body = vec![0; header(&headers, "content-length")?.parse().ok()?];
        reader.read_exact(&mut body).ok()?;
        *answered.lock().unwrap().entry(header(&headers, "inferlog-decision-id")?).or_default() += 1;
        let answer: Value = serde_json::from_slice(&body).unwrap();
        let message = answer["choices"][0]["message"].clone();
        let call = message["tool_calls"][0]["id"].clone();
        messages.push(message);
        messages.push(json!({"role": "tool", "tool_call_id": call, "content": format!("result {step}")}));
    }
    Some(())
}

/// The chat model, in threads of its own: an answer follows from its request alone.
fn start_chat() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve_chat(stream));
        }
    });
    address
}

fn serve_chat(stream: TcpStream) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let (_, headers) = read_head(&mut reader)?;
        let mut body = vec![0; header(&headers, "content-length")?.parse().ok()?];
        reader.read_exact(&mut body).ok()?;
        let asked: Value = serde_json::from_slice(&body).ok()?;
        let messages = asked["messages"].as_array()?;
        if asked["stream"] == true {
            let number = messages[0]["content"].as_str()?.parse().ok()?;
            writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n").ok()?;
            let pause = Duration::from_micros(500 + number % 7 * 1_000);
            for event in events(number) {
                std::thread::sleep(pause);
                writer.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).ok()?;
            }
            writer.write_all(b"0\r\n\r\n").ok()?;
            continue;
        }
        std::thread::sleep(Duration::from_millis(u64::from(fastrand::u8(0..20))));
        let call = json!({"id": format!("call-{}", messages.len()), "type": "function",
                          "function": {"name": "look", "arguments": "{}"}});
        let answer = json!({"id": "c", "object": "chat.completion", "model": "m-2026-01-01", "choices": [
            {"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": null, "tool_calls": [call]}}]});
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        writer.write_all(format!("{head}{answer}").as_bytes()).ok()?;
    }
}

/// The events of an answer; some take a tenth of a second, some two.
fn events(number: u64) -> Vec<String> {
    let event = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        format!("data: {}\n\n", json!({"id": "c", "model": "m-2026-01-01", "choices": [choice]}))
    };
    let words = (0..20 + number % 11 * 30)
        .map(|word| event(json!({"content": format!("w{number}-{word} ")}), Value::Null));
    words.chain([event(json!({}), json!("stop")), "data: [DONE]\n\n".to_owned()]).collect()
}

fn expected(number: u64) -> String {
    events(number).concat()
}

fn show(data: &Path, decision: &str) -> Value {
    let (data, root) = (data.to_str().unwrap(), root_key(data));
    json_lines(&["show", decision, "--data", data, "--json", "--root-key", &root]).remove(0)
}

fn of_kind<'a>(story: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    story["events"].as_array().unwrap().iter().filter(move |event| event["kind"] == kind)
}

fn content(event: &Value, role: &str) -> String {
    let payloads = event["payloads"].as_array().unwrap();
    let payload = payloads
        .iter()
        .find(|payload| payload["role"] == role)
        .unwrap_or_else(|| panic!("no {role}: {event}"));
    assert_eq!(payload["verified"], true, "{payload}");
    payload["content"]["text"].as_str().unwrap_or_else(|| panic!("{payload}")).to_owned()
}

fn check_whole(story: &Value, seen: &Seen) {
    assert_eq!(seen.body, expected(seen.number));
    assert_eq!(story["outcome"], "answered", "{story}");
    assert_eq!(content(of_kind(story, "inference").next().unwrap(), "output.raw"), seen.body);
}

/// Whether pieces were recorded.
fn check_cut(story: &Value, seen: &Seen, killed_at: Instant) -> usize {
    if let Some(inference) = of_kind(story, "inference").next() {
        // The whole was durable; only its end did not get away.
        assert_eq!(content(inference, "output.raw"), expected(seen.number));
        return 0;
    }
    assert_eq!(story["outcome"], "interrupted", "{story}");
    let pieces: String = of_kind(story, "delivery").map(|piece| content(piece, "output.part")).collect();
    assert!(expected(seen.number).starts_with(&pieces), "{pieces}");
    let due = killed_at.checked_sub(JOURNAL + SLACK).unwrap();
    let delivered = seen.times.iter().rev().find(|(at, _)| *at <= due).map_or(0, |(_, length)| *length);
    assert!(
        pieces.len() >= delivered,
        "{} bytes recorded, {delivered} had been delivered long before",
        pieces.len()
    );
    usize::from(!pieces.is_empty())
}

fn check_agent(story: &Value, answers: usize) {
    let inferences: Vec<_> = of_kind(story, "inference").map(|event| event["id"].clone()).collect();
    assert!(inferences.len() >= answers, "{answers} answers were received, {} are there", inferences.len());
    for tool in of_kind(story, "tool_call") {
        let after = tool["event"]["after"].as_array().unwrap();
        assert!(after.len() == 1 && inferences.contains(&after[0]), "{tool}");
    }
    // The last answer's tool may have been run or not; every one before was.
    assert!(of_kind(story, "tool_call").count() + 1 >= answers);
    let outcome = story["outcome"].as_str().unwrap();
    assert!(["answered", "interrupted"].contains(&outcome), "{outcome}");
    assert!(answers < 6 || outcome == "answered", "{outcome}");
}
