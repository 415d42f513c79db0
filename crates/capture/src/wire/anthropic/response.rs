//! What a message says, whole or as the events of a stream.
//!
//! A stream is the message in parts: `message_start` has it without content, then each block of content starts, grows and
//! stops by its index, `message_delta` says why the model stopped and how many tokens there were so far (totals, not
//! increments), `message_stop` ends it. An `error` may come at any time. Events and deltas of other types are passed over.

use crate::wire::parts::{framing, object, pieces};
use crate::wire::{Finish, Framing, Gap, Reader, ReasoningFact, ResponseFacts, ToolCallFact, json, sse};
use bytes::Bytes;
use http::HeaderMap;
use inferlog_record::Count;
use inferlog_record::body::{ErrorCode, FinishReason, ReasoningForm, Usage};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Members of a message.
const MESSAGE: [&str; 6] = ["id", "model", "content", "stop_reason", "stop_details", "usage"];

/// What the server says of how it served the request, in `usage`.
const SERVED: [&str; 3] = ["service_tier", "inference_geo", "speed"];

pub(in crate::wire) fn response(headers: &HeaderMap, body: &Bytes) -> ResponseFacts {
    let mut message = Message::default();
    if framing(headers) == Some(Framing::Events) {
        message.events(body);
    } else {
        message.whole(body);
    }
    message.facts()
}

/// A message, as far as it is known.
#[derive(Default)]
struct Message {
    facts: ResponseFacts,
    blocks: BTreeMap<u64, Block>,
    usage: Totals,
    served: BTreeMap<&'static str, String>,
    is_stopped: bool,
}

/// A block of content.
enum Block {
    Text(String),
    Thinking {
        text: String,
        signature: String,
    },
    Redacted(String),
    /// A tool's call; the fragments of its arguments, where they come in such.
    Call(ToolCallFact, String),
    /// Any other: results of tools that the server itself ran, and blocks of the future.
    Other,
}

#[derive(Default)]
struct Totals {
    input: Option<u64>,
    created: Option<u64>,
    cached: Option<u64>,
    output: Option<u64>,
    reasoning: Option<u64>,
}

impl Message {
    fn whole(&mut self, body: &Bytes) {
        let mut read = Reader::new(body);
        let [error] = read.members(["error"]);
        if error.is_some() {
            self.error(&mut read, error);
        } else {
            let members = read.members(MESSAGE);
            if members[2].is_none() {
                read.gap(Gap::Missing("content".to_owned()));
            }
            self.message(&mut read, members);
        }
        self.keep_gap(read);
    }

    fn events(&mut self, body: &Bytes) {
        for piece in pieces(body, Framing::Events) {
            let (event, is_ended) = (sse::event(piece), sse::is_ended(piece));
            // A last event that broke off is no fault of its own: the stream as a whole broke off.
            if !is_ended && serde_json::from_str::<IgnoredAny>(&event.data).is_err() {
                break;
            }
            match event.kind() {
                Some(kind) => {
                    let data = Bytes::from(event.data);
                    let mut read = Reader::new(&data);
                    self.event(&mut read, &kind);
                    self.keep_gap(read);
                }
                None if event.data.is_empty() => {}
                None => self.gap(Gap::NotJson),
            }
            if std::str::from_utf8(piece).is_err() {
                self.gap(Gap::InvalidUtf8);
            }
            if self.is_stopped {
                break;
            }
        }
        let has_failed = self.facts.error.is_some();
        self.facts.broken_off = !(self.is_stopped || has_failed || self.facts.finish.is_some());
        if self.facts.choices == 0 && !has_failed {
            self.gap(Gap::Missing("message_start".to_owned()));
        }
    }

    fn event(&mut self, read: &mut Reader<'_>, kind: &str) {
        match kind {
            "message_start" => {
                let [message] = read.members(["message"]);
                let members = read.within("message", message, MESSAGE);
                self.message(read, members);
            }
            "content_block_start" => {
                let [index, block] = read.members(["index", "content_block"]);
                if let (Some(index), Some(value)) = (read.count("index", index), block) {
                    let block = Block::new(read, value);
                    self.blocks.insert(index.0, block);
                }
            }
            "content_block_delta" => {
                let [index, delta] = read.members(["index", "delta"]);
                match read.count("index", index).and_then(|index| self.blocks.get_mut(&index.0)) {
                    Some(block) => block.grow(read, delta),
                    None => read.gap(Gap::Missing("content_block_start".to_owned())),
                }
            }
            "message_delta" => {
                let [delta, usage] = read.members(["delta", "usage"]);
                let [reason, details] = read.within("delta", delta, ["stop_reason", "stop_details"]);
                self.stop(read, reason, details);
                self.usage(read, usage);
            }
            "message_stop" => self.is_stopped = true,
            "error" => {
                let [error] = read.members(["error"]);
                self.error(read, error);
            }
            // `content_block_stop`, `ping`, and events of the future.
            _ => {}
        }
    }

    fn message<'a>(&mut self, read: &mut Reader<'a>, members: [Option<&'a RawValue>; 6]) {
        let [id, model, content, reason, details, usage] = members;
        self.facts.choices = 1;
        self.facts.id = read.scalar("id", id);
        self.facts.model = read.scalar("model", model);
        for (index, block) in (0..).zip(read.items("content", content)) {
            self.blocks.insert(index, Block::new(read, block));
        }
        self.stop(read, reason, details);
        self.usage(read, usage);
    }

    fn stop<'a>(
        &mut self,
        read: &mut Reader<'a>,
        reason: Option<&'a RawValue>,
        details: Option<&'a RawValue>,
    ) {
        if let Some(text) = read.string("stop_reason", reason) {
            self.facts.finish = Some(Finish { reason: finish(&text), text });
        }
        let [explanation] = read.within("stop_details", details, ["explanation"]);
        if let Some(words) = read.string("explanation", explanation) {
            self.facts.refusal = Some(words.into());
        }
    }

    /// Totals so far: what a later event says takes the place of what an earlier one said.
    fn usage<'a>(&mut self, read: &mut Reader<'a>, usage: Option<&'a RawValue>) {
        let names = [
            "input_tokens",
            "cache_creation_input_tokens",
            "cache_read_input_tokens",
            "output_tokens",
            "output_tokens_details",
        ];
        let [input, created, cached, output, details] = read.within("usage", usage, names);
        let [thinking] = read.within("output_tokens_details", details, ["thinking_tokens"]);
        let totals = &mut self.usage;
        for (total, name, value) in [
            (&mut totals.input, names[0], input),
            (&mut totals.created, names[1], created),
            (&mut totals.cached, names[2], cached),
            (&mut totals.output, names[3], output),
            (&mut totals.reasoning, "thinking_tokens", thinking),
        ] {
            *total = read.count(name, value).map(|count| count.0).or(*total);
        }
        for (name, value) in SERVED.into_iter().zip(read.within("usage", usage, SERVED)) {
            if let Some(value) = value {
                self.served.insert(name, value.get().to_owned());
            }
        }
    }

    fn error<'a>(&mut self, read: &mut Reader<'a>, error: Option<&'a RawValue>) {
        let Some(value) = error.filter(|error| json::is_object(error.get())) else {
            self.facts.error = read.message(error);
            return;
        };
        let [kind, message] = read.within("error", Some(value), ["type", "message"]);
        self.facts.error = read.message(message).or_else(|| read.slice(error));
        self.facts.error_code = read.string("type", kind).and_then(|kind| error_code(&kind));
    }

    fn keep_gap(&mut self, read: Reader<'_>) {
        read.gap.into_iter().for_each(|gap| self.gap(gap));
    }

    fn gap(&mut self, gap: Gap) {
        self.facts.gap.get_or_insert(gap);
    }

    fn facts(self) -> ResponseFacts {
        let mut facts = self.facts;
        let form = reasoning_form(facts.model.as_deref());
        let mut output: Option<String> = None;
        for block in self.blocks.into_values() {
            match block {
                Block::Text(text) => output.get_or_insert_default().push_str(&text),
                Block::Thinking { text, signature } if text.is_empty() => {
                    let content = signature.into();
                    facts.reasoning.push(ReasoningFact { form: ReasoningForm::Opaque, content });
                }
                Block::Thinking { text, .. } => {
                    facts.reasoning.push(ReasoningFact { form, content: text.into() });
                }
                Block::Redacted(data) => {
                    facts.reasoning.push(ReasoningFact { form: ReasoningForm::Opaque, content: data.into() });
                }
                Block::Call(mut call, fragments) => {
                    if !fragments.is_empty() {
                        call.arguments = fragments.into();
                    }
                    facts.tool_calls.push(call);
                }
                Block::Other => {}
            }
        }
        facts.output = output.map(Bytes::from);
        facts.usage = self.usage.total();
        facts.params = object(self.served.iter().map(|(name, value)| (*name, value.as_str())));
        facts
    }
}

impl Block {
    fn new<'a>(read: &mut Reader<'a>, block: &'a RawValue) -> Self {
        let names = ["type", "text", "thinking", "signature", "data", "id", "name", "input"];
        let [kind, text, thinking, signature, data, id, name, input] =
            read.within("content", Some(block), names);
        match read.string("type", kind).unwrap_or_default().as_str() {
            "text" => Self::Text(read.string("text", text).unwrap_or_default()),
            "thinking" => Self::Thinking {
                text: read.string("thinking", thinking).unwrap_or_default(),
                signature: read.string("signature", signature).unwrap_or_default(),
            },
            "redacted_thinking" => Self::Redacted(read.string("data", data).unwrap_or_default()),
            "tool_use" | "server_tool_use" | "mcp_tool_use" => {
                let call = ToolCallFact {
                    call: read.string("id", id).unwrap_or_default(),
                    name: read.string("name", name).unwrap_or_default(),
                    arguments: read.slice(input).unwrap_or_default(),
                    choice: 0,
                };
                Self::Call(call, String::new())
            }
            _ => Self::Other,
        }
    }

    fn grow<'a>(&mut self, read: &mut Reader<'a>, delta: Option<&'a RawValue>) {
        let names = ["type", "text", "thinking", "signature", "partial_json"];
        let [kind, text, thinking, signature, json] = read.within("delta", delta, names);
        let kind = read.string("type", kind).unwrap_or_default();
        let (grown, more) = match (self, kind.as_str()) {
            (Self::Text(grown), "text_delta") => (grown, read.string("text", text)),
            (Self::Thinking { text, .. }, "thinking_delta") => (text, read.string("thinking", thinking)),
            (Self::Thinking { signature: grown, .. }, "signature_delta") => {
                (grown, read.string("signature", signature))
            }
            (Self::Call(_, grown), "input_json_delta") => (grown, read.string("partial_json", json)),
            _ => return,
        };
        grown.push_str(more.as_deref().unwrap_or_default());
    }
}

impl Totals {
    /// `input_tokens` are those that neither came from the cache nor went there.
    fn total(&self) -> Option<Usage> {
        let cache = self.created.unwrap_or(0).saturating_add(self.cached.unwrap_or(0));
        let usage = Usage {
            cached: self.cached.map(Count),
            input: self.input.map(|input| Count(input.saturating_add(cache))),
            output: self.output.map(Count),
            reasoning: self.reasoning.map(Count),
        };
        (usage != Usage::default()).then_some(usage)
    }
}

/// From Claude 4 on, the text of a thinking block is a summary ("Extended thinking", differences between models); other
/// models that are served over this wire give the text itself.
fn reasoning_form(model: Option<&str>) -> ReasoningForm {
    match model {
        Some(model) if model.contains("claude-") && !model.contains("claude-3") => ReasoningForm::Summary,
        _ => ReasoningForm::Full,
    }
}

fn finish(reason: &str) -> FinishReason {
    match reason {
        "end_turn" | "stop_sequence" => FinishReason::Stop,
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "refusal" => FinishReason::Refusal,
        "pause_turn" => FinishReason::Pause,
        _ => FinishReason::Other,
    }
}

/// Types of errors ("Errors" of the API's reference); of others the status says what it is.
fn error_code(kind: &str) -> Option<ErrorCode> {
    Some(match kind {
        "invalid_request_error" => ErrorCode::BadRequest,
        "authentication_error" => ErrorCode::Unauthorized,
        "permission_error" => ErrorCode::Forbidden,
        "not_found_error" => ErrorCode::NotFound,
        "request_too_large" => ErrorCode::TooLarge,
        "rate_limit_error" => ErrorCode::RateLimited,
        "timeout_error" => ErrorCode::Timeout,
        "api_error" => ErrorCode::UpstreamError,
        "overloaded_error" => ErrorCode::Unavailable,
        _ => return None,
    })
}
