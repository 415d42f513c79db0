//! Which requests to language models are inferences, which are harmless, and which are refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

use http::Method;
use inferlog_capture::wire::{Kind, Wire};

fn check(wire: &Wire, cases: &[(&str, &str, &str)]) {
    for (method, path, expected) in cases {
        let kind = match wire.classify(&method.parse::<Method>().unwrap(), path) {
            Kind::Inference(call) => format!("{:?}", call.operation),
            other => format!("{other:?}"),
        };
        assert_eq!(kind, *expected, "{method} {path}");
    }
}

#[test]
fn anthropic() {
    let cases = [
        ("POST", "/v1/messages", "Messages"),
        ("POST", "/anthropic/v1/messages", "Messages"),
        ("OPTIONS", "/v1/messages", "Control"),
        ("GET", "/v1/messages", "Unknown"),
        ("POST", "/v1/messages/", "Unknown"),
        ("POST", "/v1/messages/count_tokens", "Control"),
        ("GET", "/v1/models", "Control"),
        ("GET", "/v1/models/claude-sonnet-4-5", "Control"),
        // Inferences whose answers come on another request, or another way.
        ("POST", "/v1/messages/batches", "Unknown"),
        ("GET", "/v1/messages/batches/msgbatch_1/results", "Unknown"),
        ("POST", "/v1/complete", "Unknown"),
        ("POST", "/model/anthropic.claude-sonnet-4-5-20250929-v1:0/invoke", "Unknown"),
        ("POST", "/v1/projects/p/locations/l/publishers/anthropic/models/claude:rawPredict", "Unknown"),
        ("GET", "/v1/files", "Unknown"),
    ];
    check(&Wire::Anthropic, &cases);
}

#[test]
fn ollama() {
    let cases = [
        ("POST", "/api/chat", "Chat"),
        ("POST", "/ollama/api/generate", "Generate"),
        ("POST", "/api/embed", "Embeddings"),
        ("POST", "/api/embeddings", "Embeddings"),
        ("GET", "/", "Control"),
        ("HEAD", "/", "Control"),
        ("GET", "/api/tags", "Control"),
        ("GET", "/api/ps", "Control"),
        ("GET", "/api/version", "Control"),
        ("POST", "/api/show", "Control"),
        ("POST", "/api/pull", "Control"),
        ("POST", "/api/push", "Control"),
        ("POST", "/api/create", "Control"),
        ("POST", "/api/copy", "Control"),
        ("DELETE", "/api/delete", "Control"),
        (
            "POST",
            "/api/blobs/sha256:29fdb92e57cf0827ded04ae6461b5931d01fa595843f55d36f5b275a52087dd2",
            "Control",
        ),
        ("GET", "/api/chat", "Unknown"),
        ("POST", "/api/experimental/web_search", "Unknown"),
        ("POST", "/api/signout", "Unknown"),
        // Other wires' routes.
        ("POST", "/v1/chat/completions", "Unknown"),
        ("POST", "/v1/messages", "Unknown"),
    ];
    check(&Wire::Ollama, &cases);
}
