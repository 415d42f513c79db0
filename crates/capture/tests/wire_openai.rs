//! Which requests are inferences on OpenAI's wire, under all the paths that servers and Azure give them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
use inferlog_capture::wire::{Kind, Wire};

fn kind(line: &str) -> String {
    let (method, path) = line.split_once(' ').unwrap();
    match Wire::OpenAi.classify(&Method::from_bytes(method.as_bytes()).unwrap(), path) {
        Kind::Inference(call) => {
            assert_eq!((call.model, call.version), (None, None), "{line}: a deployment is no model");
            format!(
                "{:?}{}",
                call.operation,
                call.deployment.map(|name| format!(" {name}")).unwrap_or_default()
            )
        }
        kind => format!("{kind:?}"),
    }
}

#[test]
fn requests_are_told_apart_by_method_and_path() {
    for (line, wanted) in [
        ("POST /v1/chat/completions", "Chat"),
        ("POST /chat/completions", "Chat"),
        ("POST /api/v1/chat/completions", "Chat"),
        ("POST /models/chat/completions", "Chat"),
        ("POST /openai/v1/chat/completions", "Chat"),
        ("POST /openai/deployments/credit/chat/completions", "Chat credit"),
        ("POST /base/openai/deployments/a%20b/chat/completions", "Chat a b"),
        ("POST /v1/completions", "Completions"),
        ("POST /completions", "Completions"),
        ("POST /openai/deployments/credit/completions", "Completions credit"),
        ("POST /v1/embeddings", "Embeddings"),
        ("POST /openai/deployments/embed/embeddings", "Embeddings embed"),
        ("POST /v1/responses", "Responses"),
        ("POST /openai/responses", "Responses"),
        ("POST /openai/v1/responses", "Responses"),
        ("POST /v1/responses/resp_1/cancel", "Control"),
        ("GET /v1/responses/resp_1", "Control"),
        ("DELETE /v1/responses/resp_1", "Control"),
        ("GET /v1/responses/resp_1/input_items", "Control"),
        ("GET /v1/models", "Control"),
        ("HEAD /v1/models/gpt-4.1", "Control"),
        ("OPTIONS /models", "Control"),
        ("GET /v1/chat/completions", "Unknown"),
        ("PUT /v1/chat/completions", "Unknown"),
        ("POST /v1/chat/completions/", "Unknown"),
        ("POST /v1/chat/completions/chatcmpl-1", "Unknown"),
        ("POST /v1/chat/./completions", "Unknown"),
        ("POST /v1/chat%2Fcompletions", "Unknown"),
        ("POST /v1/responses/resp_1", "Unknown"),
        ("POST /v1/responses/compact", "Unknown"),
        ("DELETE /v1/models/ft-1", "Unknown"),
        ("POST /v1/audio/transcriptions", "Unknown"),
        ("POST /v1/images/generations", "Unknown"),
        ("POST /v1/moderations", "Unknown"),
        ("POST /v1/files", "Unknown"),
        ("POST /v1/batches", "Unknown"),
        ("GET /v1/realtime", "Unknown"),
        ("POST /", "Unknown"),
    ] {
        assert_eq!(kind(line), wanted, "{line}");
    }
}

#[test]
fn only_a_response_does_not_end_with_done() {
    let headers =
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"))]);
    for (path, wanted) in
        [("/v1/chat/completions", true), ("/v1/completions", true), ("/v1/responses", false)]
    {
        let Kind::Inference(call) = Wire::OpenAi.classify(&Method::POST, path) else { panic!("{path}") };
        let mut frames = Wire::OpenAi.frames(&call, &headers).unwrap();
        frames.push(b"data: [DONE]\n\n");
        assert_eq!(frames.is_over(), wanted, "{path}");
    }
}
