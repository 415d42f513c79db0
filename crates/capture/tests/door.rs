//! Personal data through every way in, and what of it is in any file afterwards: nothing that a rule took out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/recording.rs"]
mod recording;
#[path = "support/streaming.rs"]
mod streaming;
#[path = "support/mod.rs"]
mod support;

use gateway::{Log, Served, infer, route, serve};
use inferlog_capture::recorder::{InForce, NewContent, NewDecision, NewEvent, Recorder, closed};
use inferlog_log::{NodeConfig, NodeLock};
use inferlog_record::body::{Body, DecisionOpened, ExchangeEnd, Outcome, Tri};
use inferlog_record::{Content, DataClass, Event, Kind, MediaType, PayloadRole, RedactionAction, State, Why};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use streaming::{Client, Upstream, chat};
use support::{RawServer, Then, exchange};
use tempfile::TempDir;

const HEAD: &str = "system = \"s\"\nversion = \"1\"\nprofile = \"other\"\n[[class]]\nname = \"default\"\nfloor = \"1 day\"\n\
                    target = \"2 days\"\nlegal_basis = \"none\"\n";
const DETECTORS: &str = r#"
[[detector]]
name = "email"
kind = "email"
action = "drop"
[[detector]]
name = "iban"
kind = "iban"
action = "drop"
[[detector]]
name = "marker"
kind = "pattern"
pattern = "Zaphod|zaphod"
action = "drop"
"#;
/// What must be nowhere.
const SECRETS: [&str; 6] =
    ["trillian@example.org", "example.org", "DE89370400440532013000", "DE89 3704", "Zaphod", "zaphod"];

/// A recorder under a policy with these rules.
async fn open(dir: &Path, rules: &str) -> Recorder {
    let lock = NodeLock::take(&*recording::env().fs, dir).unwrap();
    let vault = recording::vault_on(&recording::env(), dir, &lock);
    let mut config = recording::config();
    config.policies = vec![Arc::new(InForce::read(&format!("{HEAD}{rules}")).unwrap())];
    Recorder::open(lock, recording::env(), NodeConfig::new(dir), vault, config).await.unwrap()
}

/// Every byte of every file.
fn files(dir: &Path, out: &mut Vec<u8>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, out),
            false => {
                out.extend(std::fs::read(&path).unwrap());
                out.extend(path.to_string_lossy().bytes());
            }
        }
    }
}

fn has(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

/// No secret is in any file, nor in any content that the keys open; what the events of all decisions say in clear and sealed.
fn nothing_left(dir: &Path, log: &Log) -> Vec<(Event, Vec<(PayloadRole, String)>)> {
    let mut bytes = Vec::new();
    files(dir, &mut bytes);
    let mut told = Vec::new();
    for event in log.decisions().into_iter().flatten() {
        let mut contents = Vec::new();
        for reference in &event.payloads {
            if matches!(reference.content, Content::Sealed(_)) {
                // Each of them, and none that does not open for want of anything.
                let content = recording::opened(dir, "s", &event, reference);
                let content = content.unwrap_or_else(|why| panic!("{}: {why}", reference.role));
                contents.push((reference.role, String::from_utf8_lossy(&content).into_owned()));
            }
        }
        told.push((event, contents));
    }
    for secret in SECRETS {
        assert!(!has(&bytes, secret), "{secret} is in a file");
        for (event, contents) in &told {
            for (role, content) in contents {
                assert!(!content.contains(secret), "{secret} in {role} of {:?}: {content}", event.kind());
            }
        }
    }
    told
}

fn count(told: &[(Event, Vec<(PayloadRole, String)>)], kind: Kind, rule: &str) -> u64 {
    let events = told.iter().filter(|(event, _)| event.kind() == Some(kind));
    let redactions = events.flat_map(|(event, _)| event.redactions.iter());
    redactions
        .filter(|one| one.rule.as_str() == rule && one.action == RedactionAction::Redacted)
        .map(|one| one.count.0)
        .sum()
}

struct World {
    dir: TempDir,
    served: Served,
}

impl World {
    async fn new(upstream: &str, keys: &str, rules: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let served = serve(open(dir.path(), rules).await, &route(upstream, keys)).await;
        Self { dir, served }
    }

    async fn end(self) -> (TempDir, Log) {
        let log = self.served.end(self.dir.path().to_owned()).await;
        (self.dir, log)
    }
}

const ANSWERED: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\
    {\"id\":\"c-1\",\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\
    \"content\":\"Granted by Zaphod.\"},\"finish_reason\":\"stop\"}]}";
const FAILED: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nx-request-id: zaphod-1\r\nserver: Zaphod/1\r\n\
    connection: close\r\n\r\n{\"error\":{\"message\":\"bad account of trillian@example.org: DE89370400440532013000\"}}";

#[tokio::test]
async fn requests_headers_ids_and_errors_of_the_gateway_pass_the_door() {
    let upstream = RawServer::answering(FAILED, Then::Close).await;
    let keys = "wire = \"openai\"\nsubject = { header = \"x-person\" }";
    let world = World::new(&upstream.url(), keys, DETECTORS).await;
    let body = json!({
        "model": "Zaphod-model", "user": "trillian@example.org", "metadata": {"Zaphod": "DE89 3704 0044 0532 0130 00"},
        "tools": [{"type": "function", "function": {"name": "Zaphod", "description": "mails trillian@example.org"}}],
        "messages": [{"role": "system", "content": "Serve Zaphod."}, {"role": "user", "content": "I am trillian\u{40}example.org"},
            {"role": "assistant", "tool_calls": [{"id": "zaphod", "type": "function",
                "function": {"name": "zaphod", "arguments": "{\"to\":\"trillian@example.org\"}"}}]},
            {"role": "tool", "tool_call_id": "zaphod", "content": "sent to DE89370400440532013000"}],
    });
    let headers = "x-person: trillian@example.org\r\nx-request-id: Zaphod\r\nuser-agent: Zaphod (trillian@example.org)\r\n\
                   traceparent: zaphod\r\n";
    let path = "/v1/chat/completions?who=trillian%40example.org&by=Zaphod";
    let request = infer(&body.to_string(), headers).replace("/v2/models/credit/infer", path);
    let answer = exchange(world.served.address, &request).await;
    assert!(answer.contains("trillian@example.org"), "the client gets what the model said: {answer}");
    let (dir, log) = world.end().await;
    let told = nothing_left(dir.path(), &log);
    for (kind, rule) in [
        (Kind::DecisionOpened, "email"),
        (Kind::DecisionOpened, "marker"),
        (Kind::DecisionOpened, "iban"),
        (Kind::Inference, "email"),
        (Kind::Inference, "marker"),
        (Kind::Inference, "iban"),
    ] {
        assert!(count(&told, kind, rule) > 0, "{kind:?} {rule}");
    }
    let text = |kind: Kind, role: PayloadRole| {
        let (_, contents) = told.iter().find(|(event, _)| event.kind() == Some(kind)).unwrap();
        contents.iter().find(|(of, _)| *of == role).map(|(_, text)| text.clone()).unwrap_or_default()
    };
    assert!(
        text(Kind::DecisionOpened, PayloadRole::Headers)
            .contains("/v1/chat/completions?who=[email]&by=[marker]")
    );
    assert!(text(Kind::DecisionOpened, PayloadRole::ExternalIds).contains("\"x-request-id\":\"[marker]\""));
    assert!(text(Kind::Inference, PayloadRole::Error).contains("bad account of [email]: [iban]"));
    assert!(text(Kind::Inference, PayloadRole::Unlisted).contains("[marker]-model"));
}

#[tokio::test]
async fn a_streamed_answer_leaves_no_piece_of_what_was_taken_out() {
    let mut upstream = Upstream::start().await;
    let world = World::new(&upstream.url(), "wire = \"openai\"\njournal_ms = 1", DETECTORS).await;
    let ask = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"who?"}]}"#;
    let mut client = Client::send(world.served.address, &chat(ask, "")).await;
    let mut model = upstream.asked().await;
    model.head("text/event-stream", "").await;
    for piece in ["mail tril", "lian@exa", "mple.o", "rg about DE8937040", "0440532013000 ", "and Zap", "hod"]
    {
        model.chunk(streaming::delta(piece)).await;
        client.until("delta").await;
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    model.chunk(format!("{}{}", streaming::STOP, streaming::DONE)).await;
    model.end().await;
    assert!(client.rest().await.contains("hod"));
    let (dir, log) = world.end().await;
    let told = nothing_left(dir.path(), &log);
    let (inference, contents) = told.iter().find(|(event, _)| event.kind() == Some(Kind::Inference)).unwrap();
    let (_, output) = contents.iter().find(|(role, _)| *role == PayloadRole::OutputRaw).unwrap();
    let said: String = output
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter_map(|line| {
            let json: Value = serde_json::from_str(line).ok()?;
            Some(json["choices"][0]["delta"]["content"].as_str()?.to_owned())
        })
        .collect();
    assert_eq!(said, "mail [email] about [iban] and [marker]", "{output}");
    assert_eq!(inference.redactions.len(), 3);
    let journalled = told.iter().filter(|(event, _)| event.kind() == Some(Kind::Delivery));
    let pieces = journalled.flat_map(|(event, _)| event.payloads.iter());
    let pieces: Vec<_> = pieces.filter(|piece| piece.role == PayloadRole::OutputPart).collect();
    assert!(!pieces.is_empty() && pieces.iter().all(|piece| piece.state() == State::Redacted), "{pieces:?}");
}

#[tokio::test]
async fn events_of_the_application_pass_the_door_in_payloads_and_names() {
    let upstream = RawServer::answering(ANSWERED, Then::Close).await;
    let world = World::new(&upstream.url(), "wire = \"openai\"", DETECTORS).await;
    let mail = "trillian@example.org";
    let events = json!([
        {"kind": "context", "build": mail, "flags": ["zaphod", "on"], "input": {"by": mail}},
        {"kind": "retrieval", "index": "Zaphod", "source": mail, "query": mail, "total": 1,
         "documents": [{"id": mail, "content": "of Zaphod"}]},
        {"kind": "tool_call", "name": "zaphod", "version": mail, "attempt": 1, "arguments": {"to": mail}, "result": "to Zaphod",
         "external_ids": {"call": "zaphod"}},
        {"kind": "tool_call", "name": "t", "attempt": 1, "arguments": {}, "error": {"code": "timeout", "message": mail}},
        {"kind": "transform", "name": mail, "version": "3", "stage": "post", "in": mail, "out": "Zaphod"},
        {"kind": "reasoning", "form": "summary", "content": "Zaphod said so"},
        {"kind": "inference", "model": {"requested": mail, "version": "zaphod"}, "input": mail, "output": "Zaphod",
         "params": {"user": mail}, "prompts": [{"role": "system", "content": mail}]},
        {"kind": "output", "processed": mail, "final": mail, "explanation": {"by": "Zaphod"}},
        {"kind": "human", "action": "override", "reviewer": mail, "before": mail, "after": "Zaphod", "reason": mail},
        {"kind": "label", "name": "zaphod", "origin": "ground_truth", "value": mail},
        {"kind": "decision.closed", "outcome": "answered"},
    ]);
    let ask = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"May I?"}]}"#;
    let answer = exchange(world.served.address, &chat(ask, "")).await;
    let decision = answer
        .lines()
        .find_map(|line| line.strip_prefix("inferlog-decision-id: "))
        .unwrap_or_else(|| panic!("{answer}"));
    let body = json!({"decision": decision, "system": "s", "events": events}).to_string();
    let length = body.len();
    let request = format!(
        "POST /v1/events HTTP/1.1\r\nHost: g\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let answer = exchange(world.served.address, &request).await;
    assert_eq!(gateway::status(&answer), 200, "{answer}");
    let (dir, log) = world.end().await;
    let told = nothing_left(dir.path(), &log);
    let kinds: Vec<Kind> = told
        .iter()
        .filter(|(event, _)| !event.redactions.is_empty())
        .filter_map(|(event, _)| event.kind())
        .collect();
    for kind in [
        Kind::ContextAdded,
        Kind::Retrieval,
        Kind::ToolCall,
        Kind::Transform,
        Kind::Reasoning,
        Kind::Inference,
        Kind::Output,
        Kind::Human,
        Kind::Label,
    ] {
        assert!(kinds.contains(&kind), "nothing was taken out of {kind:?}");
    }
    // Whether stages are identical is said of what they were, not of what is left of them.
    let output = told.iter().find_map(|(event, _)| match &event.body {
        Body::Output(output)
            if event
                .payloads
                .iter()
                .any(|one| one.role == PayloadRole::OutputFinal && one.state() == State::Present) =>
        {
            Some((output.identical.raw_processed, output.identical.processed_final))
        }
        _ => None,
    });
    assert_eq!(output, Some((Tri::False, Tri::True)));
}

/// One decision with these payloads of its opening.
async fn record(rules: &str, payloads: &[(PayloadRole, MediaType, &[u8])]) -> (TempDir, Event, Log) {
    let dir = tempfile::tempdir().unwrap();
    let recorder = open(dir.path(), rules).await;
    let system = recorder.system(&recording::system("s")).await.unwrap();
    let mut opened = NewEvent::new(DecisionOpened { context: None, method: None, route: None, wire: None });
    for (role, media_type, bytes) in payloads {
        opened = opened.with(*role, NewContent::personal(*media_type, bytes.to_vec()));
    }
    let mut decision = system.begin(NewDecision::new(opened)).await.unwrap();
    decision.opened().await.unwrap();
    decision.finish(vec![NewEvent::new(closed(Outcome::Answered, ExchangeEnd::Complete))]).await.unwrap();
    recorder.close().await.unwrap();
    drop((recorder, system, decision));
    let log = Log::of(dir.path().to_owned());
    let event = log.only().into_iter().find(|event| event.kind() == Some(Kind::DecisionOpened)).unwrap();
    (dir, event, log)
}

#[tokio::test]
async fn what_is_split_stands_alone_and_what_is_shared_stands_once() {
    let rules = "[[capture]]\nname = \"name\"\npointer = \"/name\"\naction = \"split\"\nclass = \"pseudonymous\"\n\
                 [[capture]]\nname = \"terms\"\nrole = \"input.enriched\"\naction = \"keep\"\nclass = \"shared\"\n\
                 [[detector]]\nname = \"iban\"\nkind = \"iban\"\naction = \"split\"\n";
    let terms = b"Terms of 2026: all of them.";
    let input = br#"{"name":"Ford","pay":"DE89370400440532013000"}"#;
    let payloads = [
        (PayloadRole::InputRaw, MediaType::Json, &input[..]),
        (PayloadRole::InputEnriched, MediaType::Text, &terms[..]),
    ];
    let (dir, event, log) = record(rules, &payloads).await;
    assert_eq!(
        log.text(&event, PayloadRole::InputRaw),
        r#"{"name":"[split:name:1]","pay":"[split:iban:1]"}"#
    );
    let splits: Vec<_> = event.payloads.iter().filter(|one| one.role == PayloadRole::Split).collect();
    let classes: Vec<_> = splits
        .iter()
        .map(|one| match one.content {
            Content::Sealed(sealed) => sealed.class,
            _ => panic!("{one:?}"),
        })
        .collect();
    assert_eq!(classes, [DataClass::Pseudonymous, DataClass::Personal]);
    assert_eq!(log.text(&event, PayloadRole::Split), r#"{"rule":"name","taken":["Ford"]}"#);
    let shared = event.payloads.iter().find(|one| one.role == PayloadRole::InputEnriched).unwrap();
    let Content::Shared(shared) = shared.content else { panic!("{shared:?}") };
    let name = shared.sha256.to_string();
    let object = dir.path().join("registry/objects").join(&name[..2]).join(&name[2..]);
    assert_eq!(std::fs::read(object).unwrap(), terms);
    let counts: Vec<_> =
        event.redactions.iter().map(|one| (one.rule.as_str(), one.action, one.count.0)).collect();
    assert_eq!(counts, [("name", RedactionAction::Split, 1), ("iban", RedactionAction::Split, 1)]);
}

#[tokio::test]
async fn what_is_left_out_whole_says_so_and_large_content_passes() {
    let rules = format!(
        "[[capture]]\nname = \"enriched\"\nrole = \"input.enriched\"\naction = \"drop\"\n{DETECTORS}"
    );
    let large = format!("[{}\"Zaphod\"]", "\"a text of some length\",".repeat(200_000));
    let payloads = [
        (PayloadRole::InputRaw, MediaType::Json, large.as_bytes()),
        (PayloadRole::InputEnriched, MediaType::Text, b"Zaphod".as_slice()),
    ];
    let (dir, event, log) = record(&rules, &payloads).await;
    nothing_left(dir.path(), &log);
    assert_eq!(log.text(&event, PayloadRole::InputRaw), large.replace("Zaphod", "[marker]"));
    let left_out = event.payloads.iter().find(|one| one.role == PayloadRole::InputEnriched).unwrap();
    let Content::Absent(absent) = left_out.content else { panic!("{left_out:?}") };
    assert_eq!((absent.state, absent.reason), (State::Redacted, Why::RedactedByPolicy.into()));
    let counts: Vec<_> =
        event.redactions.iter().map(|one| (one.rule.as_str(), one.action, one.count.0)).collect();
    assert_eq!(counts, [("marker", RedactionAction::Redacted, 1), ("enriched", RedactionAction::Dropped, 1)]);
}
