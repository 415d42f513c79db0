//! What requests for Chat Completions, Completions and Embeddings say.

use super::choice::Fragment;
use super::turns::{Turns, role};
use super::words;
use crate::wire::{Gap, PromptFact, Reader, RequestFacts, json};
use bytes::Bytes;
use inferlog_record::body::PromptRole;
use serde_json::value::RawValue;

/// Members that are no parameters of the inference: content, and who asks.
const NO_PARAMS: [&str; 12] = [
    "functions",
    "input",
    "messages",
    "metadata",
    "model",
    "prompt",
    "prompt_cache_key",
    "safety_identifier",
    "stream",
    "stream_options",
    "tools",
    "user",
];

/// Chat Completions.
pub(super) fn chat(body: &Bytes) -> RequestFacts {
    let mut read = Reader::new(body);
    let [model, messages, tools, functions, stream] =
        read.members(["model", "messages", "tools", "functions", "stream"]);
    let input = read.array("messages", messages);
    let mut turns = Turns::default();
    for message in read.items("messages", messages.filter(|messages| json::is_array(messages))) {
        turn(&mut read, &mut turns, message);
    }
    let (prompts, tool_results) = turns.facts(&mut read);
    RequestFacts {
        model: read.scalar("model", model),
        params: read.others(&NO_PARAMS),
        input,
        stream: is_true(stream),
        prompts,
        tools: read.slice(tools.or(functions)),
        tool_results,
        gap: read.gap,
        ..RequestFacts::default()
    }
}

/// One message of a conversation.
fn turn<'a>(read: &mut Reader<'a>, turns: &mut Turns<'a>, message: &'a RawValue) {
    let names = ["role", "content", "tool_calls", "function_call", "tool_call_id", "name"];
    let [speaker, content, calls, function, call, name] = read.within("messages", Some(message), names);
    match read.string("role", speaker).unwrap_or_default().as_str() {
        speaker @ ("system" | "developer") => {
            if let Some(text) = words(read, "content", content) {
                turns.instruct(role(speaker), text);
            }
        }
        "user" => turns.ask(content),
        "assistant" => {
            turns.answer();
            for call in read.items("tool_calls", calls) {
                let fragment = Fragment::of_tool(read, call);
                turns.call(fragment.id.clone().unwrap_or_default(), fragment.call(0));
            }
            if let Some(function) = function {
                // The result of a function's call, which has no id, names the function.
                let fragment = Fragment::of_function(read, function);
                turns.call(fragment.name.clone().unwrap_or_default(), fragment.call(0));
            }
        }
        "tool" => {
            if call.is_none() {
                read.gap(Gap::Missing("tool_call_id".to_owned()));
            }
            let call = read.string("tool_call_id", call).unwrap_or_default();
            turns.result(&call, call.clone(), read.message(content));
        }
        "function" => {
            let name = read.string("name", name).unwrap_or_default();
            turns.result(&name, String::new(), read.message(content));
        }
        _ => {}
    }
}

/// Completions and Embeddings, whose input is one member.
pub(super) fn plain(body: &Bytes, input: &'static str) -> RequestFacts {
    let mut read = Reader::new(body);
    let [model, content, stream] = read.members(["model", input, "stream"]);
    if content.is_none() && read.gap.is_none() {
        read.gap(Gap::Missing(input.to_owned()));
    }
    // Embeddings are not asked in words; of several prompts, or of tokens, none is one that a registry might know.
    let prompt = content.filter(|content| input == "prompt" && content.get().starts_with('"'));
    let text = read.string(input, prompt);
    RequestFacts {
        model: read.scalar("model", model),
        params: read.others(&NO_PARAMS),
        input: read.slice(content),
        stream: is_true(stream),
        prompts: text.map(|text| PromptFact { role: PromptRole::User, text }).into_iter().collect(),
        gap: read.gap,
        ..RequestFacts::default()
    }
}

/// Whether a member is there and true.
pub(super) fn is_true(value: Option<&RawValue>) -> bool {
    value.is_some_and(|value| value.get() == "true")
}
