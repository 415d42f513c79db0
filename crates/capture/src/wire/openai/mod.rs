//! OpenAI's API: Chat Completions, Completions, Embeddings, Responses (platform.openai.com, API reference), under `/v1`, bare,
//! under any base path, and under Azure's `/openai/deployments/{deployment}`. The servers that speak it too (vLLM, DeepSeek,
//! OpenRouter and others) add members, which are read where they are common.
//!
//! Everything else that OpenAI serves (audio, images, moderations, files, batches, realtime) is [`Kind::Unknown`].

mod answer;
mod choice;
mod embeddings;
mod error;
mod request;
mod responses;
mod stream;
mod supplies;
mod turns;

pub(super) use supplies::{ENDPOINTS, ending};

use super::parts::framing;
use super::{Call, Framing, Kind, Operation, Reader, RequestFacts, ResponseFacts, json};
use bytes::Bytes;
use http::{HeaderMap, Method};
use inferlog_record::body::Usage;
use serde_json::value::RawValue;

pub(super) fn classify(method: &Method, segments: &[String]) -> Kind {
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let is_read = [Method::GET, Method::HEAD, Method::OPTIONS].contains(method);
    match segments.as_slice() {
        [base @ .., "chat", "completions"] if method == Method::POST => inference(base, Operation::Chat),
        [base @ .., "completions"] if method == Method::POST => inference(base, Operation::Completions),
        [base @ .., "embeddings"] if method == Method::POST => inference(base, Operation::Embeddings),
        [base @ .., "responses"] if method == Method::POST => inference(base, Operation::Responses),
        [.., "responses", _, "cancel"] if method == Method::POST => Kind::Control,
        [.., "responses", _] if is_read || method == Method::DELETE => Kind::Control,
        [.., "responses", _, "input_items"] | [.., "models"] | [.., "models", _] if is_read => Kind::Control,
        _ => Kind::Unknown,
    }
}

/// In Azure's paths the deployment comes before the endpoint. It is not the model: its operator chose the name.
fn inference(base: &[&str], operation: Operation) -> Kind {
    let deployment = match base {
        [.., "deployments", deployment] => Some((*deployment).to_owned()),
        _ => None,
    };
    Kind::Inference(Call { deployment, operation, ..Call::default() })
}

pub(super) fn request(call: &Call, body: &Bytes) -> RequestFacts {
    match call.operation {
        Operation::Responses => responses::request(body),
        Operation::Embeddings => request::plain(body, "input"),
        Operation::Completions => request::plain(body, "prompt"),
        _ => request::chat(body),
    }
}

pub(super) fn response(call: &Call, headers: &HeaderMap, body: &Bytes) -> ResponseFacts {
    // An error in place of a stream may come under the stream's type; no event begins so.
    let is_object = body.trim_ascii_start().starts_with(b"{");
    let is_stream = framing(headers) == Some(Framing::Events) && !is_object;
    match call.operation {
        Operation::Embeddings => embeddings::response(body),
        Operation::Responses if is_stream => responses::streamed(body),
        Operation::Responses => responses::whole(body),
        _ if is_stream => answer::streamed(body),
        _ => answer::whole(body),
    }
}

/// Tokens. Chat Completions, Completions and Embeddings call them prompt and completion, Responses input and output.
fn usage<'a>(read: &mut Reader<'a>, usage: Option<&'a RawValue>) -> Usage {
    let [prompt, completion, input, output] =
        read.within("usage", usage, ["prompt_tokens", "completion_tokens", "input_tokens", "output_tokens"]);
    let details = [
        "prompt_tokens_details",
        "input_tokens_details",
        "completion_tokens_details",
        "output_tokens_details",
    ];
    let [of_prompt, of_input, of_completion, of_output] = read.within("usage", usage, details);
    let [cached] = read.within("input_tokens_details", of_prompt.or(of_input), ["cached_tokens"]);
    let [reasoning] = read.within("output_tokens_details", of_completion.or(of_output), ["reasoning_tokens"]);
    Usage {
        cached: read.count("cached_tokens", cached),
        input: read.count("input_tokens", prompt.or(input)),
        output: read.count("output_tokens", completion.or(output)),
        reasoning: read.count("reasoning_tokens", reasoning),
    }
}

/// The words of a content: a text, or the texts of its parts, a line's end between; images, sounds and files have none.
fn words<'a>(read: &mut Reader<'a>, name: &str, content: Option<&'a RawValue>) -> Option<String> {
    if !json::is_array(content?) {
        return read.string(name, content);
    }
    let mut texts = Vec::new();
    for part in read.items(name, content) {
        if part.get().starts_with('"') {
            texts.extend(read.string(name, Some(part)));
            continue;
        }
        let [text] = read.within(name, Some(part), ["text"]);
        texts.extend(read.string("text", text));
    }
    (!texts.is_empty()).then(|| texts.join("\n"))
}

/// The text of a string, the JSON of anything else.
fn text_or_json<'a>(read: &mut Reader<'a>, name: &str, value: Option<&'a RawValue>) -> Option<String> {
    match value?.get() {
        text if text.starts_with('"') => read.string(name, value),
        json => Some(json.to_owned()),
    }
}
