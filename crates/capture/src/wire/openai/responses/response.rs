//! What a response says, whole or as the events of a stream.
//!
//! The event that ends a stream holds the whole response, which then counts. Of one that broke off, or whose server leaves the
//! items out there, what the events said of each item counts.

use super::super::error::error;
use super::super::stream::events;
use super::super::usage;
use super::item::Item;
use crate::wire::parts::object;
use crate::wire::{Finish, Gap, Reader, ResponseFacts};
use bytes::Bytes;
use inferlog_record::body::{ErrorCode, FinishReason, Usage};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};

/// Members of a response.
const RESPONSE: [&str; 8] =
    ["id", "model", "status", "output", "usage", "error", "incomplete_details", "detail"];

/// Parameters that a response says were in force.
const PARAMS: [&str; 16] = [
    "background",
    "frequency_penalty",
    "max_output_tokens",
    "max_tool_calls",
    "parallel_tool_calls",
    "presence_penalty",
    "prompt_cache_retention",
    "reasoning",
    "service_tier",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "top_logprobs",
    "top_p",
    "truncation",
];

/// Larger parameters (the schema of a structured output, lists of tools) are in the answer's bytes alone.
const PARAM_BYTES_MAX: usize = 1024;

pub(in super::super) fn whole(body: &Bytes) -> ResponseFacts {
    let mut response = Response::default();
    let mut read = Reader::new(body);
    let members = read.members(RESPONSE);
    if members[3].is_none() && members[5].or(members[7]).is_none() {
        read.gap(Gap::Missing("output".to_owned()));
    }
    let params = read.members(PARAMS);
    response.take(&mut read, members, params);
    response.keep_gap(read);
    response.facts()
}

/// A stream: whole with one of the events that end it, or with an error.
pub(in super::super) fn streamed(body: &Bytes) -> ResponseFacts {
    let mut response = Response::default();
    for event in events(body) {
        if !event.is_utf8 {
            response.facts.gap.get_or_insert(Gap::InvalidUtf8);
        }
        // Not of this API, but some servers' habit.
        if event.is_done {
            continue;
        }
        let mut read = Reader::new(&event.data);
        response.event(&mut read, &event.name);
        response.keep_gap(read);
        if response.is_over {
            break;
        }
    }
    let has_failed = response.facts.error.is_some();
    response.facts.broken_off = !(response.is_over || has_failed);
    if has_failed {
        response.facts.error_code.get_or_insert(ErrorCode::UpstreamError);
    } else if !response.has_begun {
        response.facts.gap.get_or_insert(Gap::Missing("response".to_owned()));
    }
    response.facts()
}

/// A response, as far as it is known.
#[derive(Default)]
struct Response {
    facts: ResponseFacts,
    items: BTreeMap<u64, Item>,
    params: BTreeMap<&'static str, String>,
    status: Option<String>,
    /// Why it is not complete.
    reason: Option<String>,
    has_begun: bool,
    is_over: bool,
}

impl Response {
    fn event(&mut self, read: &mut Reader<'_>, name: &str) {
        let names = ["type", "response", "output_index", "item", "delta"];
        let [kind, response, index, item, delta] = read.members(names);
        let kind = read.string("type", kind).unwrap_or_default();
        let kind = if name.is_empty() { kind.as_str() } else { name };
        if kind == "error" {
            return self.fail(read);
        }
        if let Some(index) = read.count("output_index", index) {
            self.grow(read, kind, index.0, item, delta);
        }
        if response.is_some() {
            let members = read.within("response", response, RESPONSE);
            let params = read.within("response", response, PARAMS);
            self.take(read, members, params);
        }
        self.is_over = matches!(kind, "response.completed" | "response.incomplete" | "response.failed");
    }

    /// An error's event is the error, or has it as a member.
    fn fail(&mut self, read: &mut Reader<'_>) {
        let [failure] = read.members(["error"]);
        let itself = serde_json::from_slice(read.body).ok();
        if self.facts.error.is_none() {
            (self.facts.error, self.facts.error_code) = error(read, failure.or(itself));
        }
    }

    /// What an event says of an item.
    fn grow<'a>(
        &mut self,
        read: &mut Reader<'a>,
        kind: &str,
        index: u64,
        item: Option<&'a RawValue>,
        delta: Option<&'a RawValue>,
    ) {
        if let ("response.output_item.added" | "response.output_item.done", Some(item)) = (kind, item) {
            let item = Item::new(read, item);
            self.items.insert(index, item);
        }
        let Some(item) = self.items.get_mut(&index) else { return };
        let grown = match kind {
            "response.output_text.delta" => item.text.get_or_insert_default(),
            "response.refusal.delta" => &mut item.refusal,
            "response.reasoning_text.delta" => &mut item.reasoning,
            "response.reasoning_summary_text.delta" => &mut item.summary,
            "response.reasoning_summary_part.added" if !item.summary.is_empty() => {
                return item.summary.push('\n');
            }
            // Of functions and MCP; of custom tools; of the code interpreter.
            kind if ["arguments.delta", "_call_input.delta", "_call_code.delta"]
                .iter()
                .any(|end| kind.ends_with(end)) =>
            {
                let Some(call) = &mut item.call else { return };
                &mut call.arguments
            }
            _ => return,
        };
        // Some servers send the pieces of arguments as JSON rather than as text.
        grown.push_str(&super::super::text_or_json(read, "delta", delta).unwrap_or_default());
    }

    /// The response itself, as it is at this point.
    fn take<'a>(
        &mut self,
        read: &mut Reader<'a>,
        members: [Option<&'a RawValue>; 8],
        params: [Option<&'a RawValue>; 16],
    ) {
        let [id, model, status, output, tokens, failure, details, detail] = members;
        let facts = &mut self.facts;
        self.has_begun = true;
        facts.id = read.scalar("id", id).or(facts.id.take());
        facts.model = read.scalar("model", model).or(facts.model.take());
        self.status = read.string("status", status).or(self.status.take());
        let [reason] = read.within("incomplete_details", details, ["reason"]);
        self.reason = read.string("reason", reason).or(self.reason.take());
        let tokens = usage(read, tokens);
        if tokens != Usage::default() {
            facts.usage = Some(tokens);
        }
        if let Some(failure) = failure.or(detail) {
            (facts.error, facts.error_code) = error(read, Some(failure));
        }
        let items = read.items("output", output);
        if !items.is_empty() {
            self.items = (0..).zip(items.into_iter().map(|item| Item::new(read, item))).collect();
        }
        for (name, value) in PARAMS.into_iter().zip(params) {
            if let Some(value) = value.filter(|value| value.get().len() <= PARAM_BYTES_MAX) {
                self.params.insert(name, value.get().to_owned());
            }
        }
    }

    fn keep_gap(&mut self, read: Reader<'_>) {
        self.facts.gap = self.facts.gap.take().or(read.gap);
    }

    fn facts(self) -> ResponseFacts {
        let mut facts = self.facts;
        let answered: BTreeSet<_> = self.items.values().filter_map(|item| item.result_of.clone()).collect();
        let (mut output, mut refusal, mut is_asking) = (None::<String>, String::new(), false);
        for item in self.items.into_values() {
            facts.reasoning.extend(item.reasoning());
            if let Some(text) = item.text {
                output.get_or_insert_default().push_str(&text);
            }
            refusal.push_str(&item.refusal);
            if let Some(call) = item.call {
                is_asking |= call.is_asked && !answered.contains(&call.id);
                facts.tool_calls.push(call.fact());
            }
        }
        let is_refused = !refusal.is_empty();
        facts.finish = finish(self.status, self.reason, is_refused, is_asking);
        facts.output = output.map(Bytes::from);
        facts.refusal = is_refused.then(|| refusal.into());
        facts.params = object(self.params.iter().map(|(name, value)| (*name, value.as_str())));
        facts
    }
}

/// Why the model stopped, by the response's status; of one that is not at its end, nothing.
fn finish(
    status: Option<String>,
    reason: Option<String>,
    is_refused: bool,
    is_asking: bool,
) -> Option<Finish> {
    let status = status?;
    let found = match (status.as_str(), reason.as_deref()) {
        ("in_progress" | "queued", _) => return None,
        (_, Some("max_output_tokens" | "max_tokens")) => FinishReason::Length,
        (_, Some("content_filter")) => FinishReason::ContentFilter,
        ("completed", _) if is_refused => FinishReason::Refusal,
        ("completed", _) if is_asking => FinishReason::ToolCalls,
        ("completed", _) => FinishReason::Stop,
        ("failed", _) => FinishReason::Error,
        ("cancelled", _) => FinishReason::Cancelled,
        _ => FinishReason::Other,
    };
    Some(Finish { reason: found, text: reason.unwrap_or(status) })
}
