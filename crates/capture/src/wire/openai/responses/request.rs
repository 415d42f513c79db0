//! What a request for a response says.

use super::super::request::is_true;
use super::super::turns::{Turns, role};
use super::super::words;
use super::item::Call;
use crate::wire::{Gap, Reader, RequestFacts, json};
use bytes::Bytes;
use inferlog_record::body::PromptRole;
use serde_json::value::RawValue;

/// Members that are no parameters of the inference: content, context, and who asks.
const NO_PARAMS: [&str; 12] = [
    "conversation",
    "input",
    "instructions",
    "metadata",
    "model",
    "previous_response_id",
    "prompt_cache_key",
    "safety_identifier",
    "stream",
    "stream_options",
    "tools",
    "user",
];

pub(in super::super) fn request(body: &Bytes) -> RequestFacts {
    let mut read = Reader::new(body);
    let names = [
        "model",
        "instructions",
        "input",
        "tools",
        "stream",
        "previous_response_id",
        "conversation",
        "prompt",
    ];
    let [model, instructions, input, tools, stream, previous, conversation, prompt] = read.members(names);
    let is_given = [input, previous, conversation, prompt].iter().any(Option::is_some);
    if !is_given && read.gap.is_none() {
        read.gap(Gap::Missing("input".to_owned()));
    }
    let mut turns = Turns::default();
    if let Some(text) = words(&mut read, "instructions", instructions) {
        turns.instruct(PromptRole::System, text);
    }
    match input {
        Some(text) if !json::is_array(text) => turns.ask(input),
        items => {
            for item in read.items("input", items) {
                turn(&mut read, &mut turns, item);
            }
        }
    }
    let (prompts, tool_results) = turns.facts(&mut read);
    let conversation = match conversation {
        Some(value) if json::is_object(value.get()) => read.within("conversation", conversation, ["id"])[0],
        conversation => conversation,
    };
    RequestFacts {
        model: read.scalar("model", model),
        params: read.others(&NO_PARAMS),
        input: read.slice(input),
        stream: is_true(stream),
        prompts,
        tools: read.slice(tools),
        tool_results,
        previous: read.string("previous_response_id", previous.or(conversation)),
        gap: read.gap,
        ..RequestFacts::default()
    }
}

/// One item of a conversation. A message need not say that it is one.
fn turn<'a>(read: &mut Reader<'a>, turns: &mut Turns<'a>, item: &'a RawValue) {
    let names = ["type", "role", "content", "call_id", "output"];
    let [kind, speaker, content, call, output] = read.within("input", Some(item), names);
    let kind = read.string("type", kind).unwrap_or_default();
    match (kind.as_str(), read.string("role", speaker).unwrap_or_default().as_str()) {
        ("" | "message", speaker @ ("system" | "developer")) => {
            if let Some(text) = words(read, "content", content) {
                turns.instruct(role(speaker), text);
            }
        }
        ("" | "message", "user") => turns.ask(content),
        ("" | "message", "assistant") | ("reasoning", _) => turns.answer(),
        (kind, _) if kind.ends_with("_call") => {
            turns.answer();
            let call = Call::new(read, item, kind);
            turns.call(call.id.clone(), call.fact());
        }
        (kind, _) if kind.ends_with("_call_output") => {
            let call = read.string("call_id", call).unwrap_or_default();
            turns.result(&call, call.clone(), read.message(output));
        }
        _ => {}
    }
}
