//! The names of the model that answered: which stand in the record, and why the others do not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/recording.rs"]
mod recording;
mod support;

use gateway::{route, serve, status};
use inferlog_record::PayloadRole;
use inferlog_record::body::Body;
use support::{RawServer, Then, exchange};

const OPENAI: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n\
{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"model\":\"gpt-4o-2024-08-06\",\"system_fingerprint\":\"fp_1\",\
\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}";
const NO_FINGERPRINT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n\
{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"model\":\"gpt-4o\",\
\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}";
const NOT_FOUND: &[u8] =
    b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n\
{\"error\":{\"code\":\"DeploymentNotFound\",\"message\":\"no such deployment\"}}";
const ANTHROPIC: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n\
{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-sonnet-4-5-20250929\",\
\"content\":[{\"type\":\"text\",\"text\":\"hi\"}],\"stop_reason\":\"end_turn\",\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}";
const NO_JSON: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"model\":\"m\",";
const EMBEDDING: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"embedding\":[0.5]}";

/// Each name of the model, or why it is not there; then what is sealed of names that do not stand in clear.
async fn names(wire: &str, path: &str, answer: &'static [u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let upstream = RawServer::answering(answer, Then::Close).await;
    let more = format!("wire = \"{wire}\"");
    let served = serve(recording::open(dir.path()).await, &route(&upstream.url(), &more)).await;
    let body =
        r#"{"model":"asked","max_tokens":5,"prompt":"hi","messages":[{"role":"user","content":"hi"}]}"#;
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: g\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    assert_ne!(status(&exchange(served.address, &request).await), 0);
    let log = served.end(dir.path().into()).await;
    let events = log.only();
    let event = events.iter().find(|event| matches!(event.body, Body::Inference(_))).unwrap();
    let Body::Inference(inference) = &event.body else { panic!("{event:#?}") };
    let model = &inference.model;
    let absent = model.absent.clone().unwrap_or_default();
    let names = [
        (&model.requested, absent.requested),
        (&model.returned, absent.returned),
        (&model.version, absent.version),
        (&model.fingerprint, absent.fingerprint),
        (&model.deployment, absent.deployment),
    ];
    let names = names.map(|(name, why)| match (name, why) {
        (Some(name), None) => name.as_str().to_owned(),
        (None, Some(why)) => format!("({})", why.as_str()),
        both => panic!("{both:?}"),
    });
    let has_sealed = event.payloads.iter().any(|payload| payload.role == PayloadRole::Unlisted);
    let sealed = if has_sealed { log.text(event, PayloadRole::Unlisted) } else { String::new() };
    format!("{} {sealed}", names.join(" ")).trim_end().to_owned()
}

#[tokio::test]
async fn a_name_stands_in_clear_or_says_why_not() {
    let azure = "/openai/deployments/chat-eu/chat/completions?api-version=2024-10-21";
    let cases = [
        ("openai", azure, OPENAI, "asked gpt-4o-2024-08-06 (not_on_wire) fp_1 chat-eu"),
        (
            "openai",
            "/v1/chat/completions",
            NO_FINGERPRINT,
            "asked gpt-4o (not_on_wire) (not_answered) (not_configured)",
        ),
        (
            "openai",
            "/v1/chat/completions",
            NO_JSON,
            "asked (not_parsed) (not_on_wire) (not_parsed) (not_configured)",
        ),
        (
            "openai",
            azure,
            NOT_FOUND,
            "unlisted (not_answered) (not_on_wire) (not_answered) unlisted \
             {\"model.requested\":\"asked\",\"model.deployment\":\"chat-eu\"}",
        ),
        (
            "anthropic",
            "/v1/messages",
            ANTHROPIC,
            "asked claude-sonnet-4-5-20250929 (not_on_wire) (not_on_wire) (not_configured)",
        ),
        (
            "ollama",
            "/api/embeddings",
            EMBEDDING,
            "asked (not_answered) (not_on_wire) (not_on_wire) (not_configured)",
        ),
    ];
    for (wire, path, answer, expected) in cases {
        assert_eq!(names(wire, path, answer).await, expected, "{wire} {path}");
    }
}
