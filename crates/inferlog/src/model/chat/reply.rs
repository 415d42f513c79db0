//! The model's answer in OpenAI's form, whole or as a stream of chunks.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::Either;
use http_body_util::channel::{Channel, Sender};
use serde_json::{Value, json};

use super::advisor::Advice;
use super::request::ChatRequest;
use super::{FINGERPRINT, NAME, Reply};

/// Time between two words of a stream, as a quick language model takes.
const PACE: Duration = Duration::from_millis(5);
/// Chunks that the model may be ahead of its reader.
const AHEAD: usize = 8;

/// An answer.
pub(super) struct Answer {
    advice: Advice,
    finish_reason: &'static str,
    /// Tells this request from others.
    digest: String,
    /// Seconds since 1970.
    created: u64,
    usage: Value,
}

impl Answer {
    pub(super) fn new(mut advice: Advice, request: &ChatRequest, digest: &str, created: u64) -> Self {
        let mut finish_reason = "stop";
        let count = |text: &str| text.split_whitespace().count();
        let said = match &mut advice {
            Advice::Call(calls) => {
                finish_reason = "tool_calls";
                calls.iter().map(|(name, arguments)| count(name) + count(&arguments.to_string())).sum()
            }
            Advice::Say(text) => {
                if count(text) > request.words_max() {
                    finish_reason = "length";
                    *text = pieces(text).take(request.words_max()).collect::<String>().trim_end().to_owned();
                }
                count(text)
            }
        };
        let asked = request.words();
        let usage =
            json!({ "prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said });
        Self { advice, finish_reason, digest: digest.to_owned(), created, usage }
    }

    /// The answer as one object.
    pub(super) fn whole(&self) -> Value {
        let message = match &self.advice {
            Advice::Say(text) => json!({ "role": "assistant", "content": text, "refusal": null }),
            Advice::Call(_) => {
                json!({ "role": "assistant", "content": null, "refusal": null, "tool_calls": self.calls(false) })
            }
        };
        let choice = json!({
            "index": 0, "message": message, "logprobs": null, "finish_reason": self.finish_reason
        });
        let mut whole = self.head("chat.completion");
        whole["choices"] = json!([choice]);
        whole["usage"] = self.usage.clone();
        whole
    }

    fn head(&self, object: &str) -> Value {
        json!({
            "id": format!("chatcmpl-{}", self.digest), "object": object, "created": self.created, "model": NAME,
            "system_fingerprint": FINGERPRINT.as_str(),
        })
    }

    /// The calls asked for; a stream numbers them.
    fn calls(&self, is_numbered: bool) -> Vec<Value> {
        let Advice::Call(calls) = &self.advice else { return Vec::new() };
        let call = |(at, (name, arguments)): (usize, &(String, Value))| {
            let function = json!({ "name": name, "arguments": arguments.to_string() });
            let mut call = json!({ "id": format!("call_{}_{at}", self.digest), "type": "function", "function": function });
            if is_numbered {
                call["index"] = json!(at);
            }
            call
        };
        calls.iter().enumerate().map(call).collect()
    }

    /// The answer as server-sent events.
    pub(super) fn streamed(self, with_usage: bool) -> Response<Reply> {
        let (sender, body) = Channel::new(AHEAD);
        tokio::spawn(write(sender, self.chunks(with_usage)));
        let mut response = Response::new(Either::Right(body));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        response
    }

    fn chunks(&self, with_usage: bool) -> Vec<Value> {
        let chunk = |choices: Value| {
            let mut chunk = self.head("chat.completion.chunk");
            chunk["choices"] = choices;
            chunk
        };
        let delta = |delta: Value, finish: Option<&str>| {
            chunk(json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }]))
        };
        let mut chunks = vec![delta(json!({ "role": "assistant", "content": null }), None)];
        match &self.advice {
            Advice::Say(text) => {
                chunks.extend(pieces(text).map(|piece| delta(json!({ "content": piece }), None)));
            }
            Advice::Call(_) => {
                let call = |call: Value| delta(json!({ "tool_calls": [call] }), None);
                chunks.extend(self.calls(true).into_iter().map(call));
            }
        }
        chunks.push(delta(json!({}), Some(self.finish_reason)));
        if with_usage {
            let mut usage = chunk(json!([]));
            usage["usage"] = self.usage.clone();
            chunks.push(usage);
        }
        chunks
    }
}

/// The words of a text, each with the blank after it.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}

/// Writes chunk by chunk; a reader that leaves ends it.
async fn write(mut sender: Sender<Bytes, Infallible>, chunks: Vec<Value>) {
    for chunk in chunks {
        if sender.send_data(format!("data: {chunk}\n\n").into()).await.is_err() {
            return;
        }
        tokio::time::sleep(PACE).await;
    }
    drop(sender.send_data(Bytes::from_static(b"data: [DONE]\n\n")).await);
}
