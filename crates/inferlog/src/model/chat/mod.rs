//! The demo's chat model, served over OpenAI's Chat Completions, whole and streamed.
//!
//! No language model: a small program of rules that stands in for one. It understands no language and invents no words, and it
//! really decides: which tools it asks for, what it says and whom it quotes follow from the request and from nothing else
//! (`advisor`). The same request gives the same answer, but for the time in `created`. Tokens are counted as words.

mod advisor;
mod reply;
mod request;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Either, Limited};
use hyper::body::Incoming;
use inferlog_disk::{Clock, SystemClock};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{REQUEST_BYTES_MAX, Reply};
use crate::http_server::json_response;
use reply::Answer;
use request::ChatRequest;

pub(crate) use advisor::{LOOKUP, SCORE, words};

/// The model's own name.
pub(crate) const NAME: &str = "demo-chat-2026-11-01";
/// Another name for it.
pub(crate) const ALIAS: &str = "demo-chat";

/// What the rules were compiled from: another text of them is another fingerprint.
const RULES: &str = include_str!("advisor.rs");

/// The model's `system_fingerprint`.
pub(crate) static FINGERPRINT: LazyLock<String> =
    LazyLock::new(|| format!("fp_{}", digest(RULES.as_bytes())));

/// The first ten hexadecimal digits of a SHA-256.
fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(5).map(|byte| format!("{byte:02x}")).collect()
}

fn now() -> u64 {
    SystemClock.now_ns() / 1_000_000_000
}

/// Answers a request for a completion.
pub(super) async fn complete(request: Request<Incoming>) -> Response<Reply> {
    let Ok(body) = Limited::new(request.into_body(), REQUEST_BYTES_MAX).collect().await else {
        return refuse(StatusCode::BAD_REQUEST, None, "the request is too large, or broke off");
    };
    let body: Bytes = body.to_bytes();
    let request = match ChatRequest::parse(&body) {
        Ok(request) => request,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, None, &error),
    };
    if ![NAME, ALIAS].contains(&request.model.as_str()) {
        let error = format!("there is no model of this name; there is {NAME}");
        return refuse(StatusCode::NOT_FOUND, Some("model_not_found"), &error);
    }
    let advice = advisor::advise(&request.conversation());
    let answer = Answer::new(advice, &request, &digest(&body), now());
    match request.stream {
        true => answer.streamed(request.stream_options.include_usage),
        false => json_response(StatusCode::OK, &answer.whole()).map(Either::Left),
    }
}

/// The models there are, in OpenAI's form.
pub(super) fn models() -> Value {
    json!({ "object": "list", "data": [{ "id": NAME, "object": "model", "owned_by": "inferlog-demo" }] })
}

fn refuse(status: StatusCode, code: Option<&str>, message: &str) -> Response<Reply> {
    let error = json!({ "message": message, "type": "invalid_request_error", "param": null, "code": code });
    json_response(status, &json!({ "error": error })).map(Either::Left)
}
