//! Ollama's own API (`docs/api.md` there): chat, generate, embed, under any base path.
//!
//! Chat and generate stream unless asked not to: a JSON object a line, until one says `"done":true`; an error in the middle
//! is a line of its own. Calls of tools come whole, in newer servers with an id. What pulls, creates, copies and deletes
//! models is control, as a model repository's load and unload are in OIP. The paths that speak OpenAI's or Anthropic's
//! protocol (`/v1/…`) are those wires' routes.

mod request;
mod supplies;

pub(super) use request::request;
pub(super) use supplies::ENDPOINTS;

use super::parts::{framing, object, pieces};
use super::{
    Call, Ending, Finish, Framing, Gap, Kind, Operation, Reader, ReasoningFact, ResponseFacts, ToolCallFact,
};
use bytes::Bytes;
use http::{HeaderMap, Method};
use inferlog_record::body::{FinishReason, ReasoningForm, Usage};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// What ends a stream.
pub(super) const ENDING: Ending = Ending::Flag("done");

/// Members of an answer of which the last that is there counts: of what is said once, in the last line of a stream.
const LAST: [&str; 5] = ["model", "done", "done_reason", "prompt_eval_count", "eval_count"];

/// What the server says of where it had the request served.
const SERVED: [&str; 2] = ["remote_model", "remote_host"];

pub(super) fn classify(method: &Method, segments: &[String]) -> Kind {
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let inference = |operation| Kind::Inference(Call { operation, ..Call::default() });
    match (method, segments.as_slice()) {
        (&Method::HEAD | &Method::OPTIONS, _) => Kind::Control,
        (&Method::POST, [.., "api", "chat"]) => inference(Operation::Chat),
        (&Method::POST, [.., "api", "generate"]) => inference(Operation::Generate),
        (&Method::POST, [.., "api", "embed" | "embeddings"]) => inference(Operation::Embeddings),
        (&Method::POST, [.., "api", "show" | "pull" | "push" | "create" | "copy"]) => Kind::Control,
        (&Method::POST, [.., "api", "blobs", _]) | (&Method::DELETE, [.., "api", "delete"]) => Kind::Control,
        (&Method::GET, [] | [.., "api", "tags" | "ps" | "version" | "status"]) => Kind::Control,
        _ => Kind::Unknown,
    }
}

pub(super) fn response(call: &Call, headers: &HeaderMap, body: &Bytes) -> ResponseFacts {
    let mut answer = Answer::default();
    if framing(headers) == Some(Framing::Lines) {
        answer.lines(body);
    } else {
        let mut read = Reader::new(body);
        answer.object(&mut read);
        answer.keep_gap(read);
        if !answer.has_content && answer.facts.error.is_none() {
            let missing = match call.operation {
                Operation::Generate => "response",
                Operation::Embeddings => "embeddings",
                _ => "message",
            };
            answer.facts.gap.get_or_insert(Gap::Missing(missing.to_owned()));
        }
    }
    answer.facts()
}

/// An answer, as far as it is known.
#[derive(Default)]
struct Answer {
    facts: ResponseFacts,
    text: String,
    thinking: String,
    usage: Usage,
    served: BTreeMap<&'static str, String>,
    has_content: bool,
    is_done: bool,
}

impl Answer {
    fn lines(&mut self, body: &Bytes) {
        for line in pieces(body, Framing::Lines).filter(|line| !line.trim_ascii().is_empty()) {
            // A last line that broke off is no fault of its own: the stream as a whole broke off.
            if !line.ends_with(b"\n") && serde_json::from_slice::<IgnoredAny>(line).is_err() {
                break;
            }
            let line = body.slice_ref(line);
            let mut read = Reader::new(&line);
            self.object(&mut read);
            self.keep_gap(read);
            if self.is_done {
                break;
            }
        }
        self.facts.broken_off = !(self.is_done || self.facts.error.is_some());
    }

    /// A whole answer, or a line of a streamed one.
    fn object(&mut self, read: &mut Reader<'_>) {
        let names = ["error", "message", "response", "thinking", "tool_calls", "image"];
        let [error, message, response, thinking, tool_calls, image] = read.members(names);
        if error.is_some() {
            self.facts.error = read.message(error);
            return;
        }
        self.totals(read);
        let names = ["content", "thinking", "tool_calls"];
        let [content, said, calls] = read.within("message", message, names);
        self.content(read, content.or(response), said.or(thinking), calls.or(tool_calls));
        let [embeddings, embedding] = read.members(["embeddings", "embedding"]);
        let output = embeddings.or(embedding).or(image);
        self.facts.output = read.slice(output).or(self.facts.output.take());
        self.has_content |= message.or(response).or(output).is_some();
    }

    fn totals(&mut self, read: &mut Reader<'_>) {
        let [model, done, reason, prompted, written] = read.members(LAST);
        self.facts.model = read.scalar("model", model).or(self.facts.model.take());
        self.is_done |= done.is_some_and(|done| done.get() == "true");
        if let Some(text) = read.string("done_reason", reason) {
            self.facts.finish = Some(Finish { reason: finish(&text), text });
        }
        self.usage.input = read.count("prompt_eval_count", prompted).or(self.usage.input);
        self.usage.output = read.count("eval_count", written).or(self.usage.output);
        for (name, value) in SERVED.into_iter().zip(read.members(SERVED)) {
            if let Some(value) = value {
                self.served.insert(name, value.get().to_owned());
            }
        }
    }

    fn content<'a>(
        &mut self,
        read: &mut Reader<'a>,
        content: Option<&'a RawValue>,
        thinking: Option<&'a RawValue>,
        calls: Option<&'a RawValue>,
    ) {
        if let Some(text) = read.string("content", content) {
            self.facts.choices = 1;
            self.text.push_str(&text);
        }
        self.thinking.push_str(&read.string("thinking", thinking).unwrap_or_default());
        for call in read.items("tool_calls", calls) {
            let call = tool_call(read, call);
            self.facts.choices = 1;
            self.facts.tool_calls.push(call);
        }
    }

    fn keep_gap(&mut self, read: Reader<'_>) {
        self.facts.gap = self.facts.gap.take().or(read.gap);
    }

    fn facts(self) -> ResponseFacts {
        let mut facts = self.facts;
        let is_empty_text = facts.output.is_none() && facts.tool_calls.is_empty() && facts.choices > 0;
        if !self.text.is_empty() || is_empty_text {
            facts.output = Some(self.text.into());
        }
        if !self.thinking.is_empty() {
            let content = self.thinking.into();
            facts.reasoning.push(ReasoningFact { form: ReasoningForm::Full, content });
        }
        facts.usage = (self.usage != Usage::default()).then_some(self.usage);
        facts.params = object(self.served.iter().map(|(name, value)| (*name, value.as_str())));
        facts
    }
}

/// `{"function": {"name", "arguments"}}`, in newer servers with an `id`.
fn tool_call<'a>(read: &mut Reader<'a>, call: &'a RawValue) -> ToolCallFact {
    let [id, function] = read.within("tool_calls", Some(call), ["id", "function"]);
    let [name, arguments] = read.within("function", function, ["name", "arguments"]);
    ToolCallFact {
        call: read.string("id", id).unwrap_or_default(),
        name: read.string("name", name).unwrap_or_default(),
        arguments: read.slice(arguments).unwrap_or_default(),
        choice: 0,
    }
}

/// `load` and `unload`, which answer an empty prompt, are no ends of a generation.
fn finish(reason: &str) -> FinishReason {
    match reason {
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        _ => FinishReason::Other,
    }
}
