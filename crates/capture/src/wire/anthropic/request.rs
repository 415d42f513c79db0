//! What a request for a message says.

use crate::wire::{Gap, PromptFact, Reader, RequestFacts, ToolCallFact, ToolResult, json};
use bytes::Bytes;
use inferlog_record::body::PromptRole;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Members that are no parameters of the inference.
const CONTENT: [&str; 6] = ["messages", "system", "model", "tools", "metadata", "stream"];

pub(in crate::wire) fn request(body: &Bytes) -> RequestFacts {
    let mut read = Reader::new(body);
    let [model, messages, system, tools, stream] =
        read.members(["model", "messages", "system", "tools", "stream"]);
    let input = read.array("messages", messages);
    let messages = messages.filter(|messages| json::is_array(messages));
    let messages: Vec<Message<'_>> = read
        .items("messages", messages)
        .into_iter()
        .map(|message| {
            let [role, content] = read.within("messages", Some(message), ["role", "content"]);
            Message { role: read.string("role", role).unwrap_or_default(), content }
        })
        .collect();
    let answered = messages.iter().rposition(|message| message.role == "assistant");
    RequestFacts {
        model: read.scalar("model", model),
        params: read.others(&CONTENT),
        input,
        stream: stream.is_some_and(|stream| stream.get() == "true"),
        prompts: prompts(&mut read, system, &messages),
        tools: read.slice(tools),
        tool_results: answered.map(|at| tool_results(&mut read, &messages[at..])).unwrap_or_default(),
        gap: read.gap,
        ..RequestFacts::default()
    }
}

struct Message<'a> {
    role: String,
    content: Option<&'a RawValue>,
}

/// The system prompt, instructions between the messages, and the user's latest words.
fn prompts<'a>(
    read: &mut Reader<'a>,
    system: Option<&'a RawValue>,
    messages: &[Message<'a>],
) -> Vec<PromptFact> {
    let prompt = |role, text: Option<String>| text.map(|text| PromptFact { role, text });
    let mut prompts: Vec<PromptFact> =
        prompt(PromptRole::System, text(read, "system", system)).into_iter().collect();
    let mut latest = None;
    for (at, message) in messages.iter().enumerate().rev().filter(|(_, message)| message.role == "user") {
        if let Some(words) = text(read, "content", message.content) {
            latest = Some((at, words));
            break;
        }
    }
    for (at, message) in messages.iter().enumerate() {
        if message.role == "system" {
            prompts.extend(prompt(PromptRole::System, text(read, "content", message.content)));
        }
        if let Some((_, words)) = latest.take_if(|(latest, _)| *latest == at) {
            prompts.push(PromptFact { role: PromptRole::User, text: words });
        }
    }
    prompts
}

/// A text, or the texts of an array of blocks, a line's end between.
fn text<'a>(read: &mut Reader<'a>, name: &str, value: Option<&'a RawValue>) -> Option<String> {
    if !json::is_array(value?) {
        return read.string(name, value);
    }
    let mut texts = Vec::new();
    for block in read.items(name, value) {
        let [kind, text] = read.within(name, Some(block), ["type", "text"]);
        if read.string("type", kind).as_deref() == Some("text") {
            texts.extend(read.string("text", text));
        }
    }
    (!texts.is_empty()).then(|| texts.join("\n"))
}

/// What tools gave since the assistant's latest message, which is the first of these.
fn tool_results<'a>(read: &mut Reader<'a>, messages: &[Message<'a>]) -> Vec<ToolResult> {
    let Some((assistant, users)) = messages.split_first() else { return Vec::new() };
    let asked = blocks(read, assistant.content).into_iter().filter_map(|block| tool_use(read, block));
    let mut asked: BTreeMap<String, ToolCallFact> = asked.map(|asked| (asked.call.clone(), asked)).collect();
    let mut results = Vec::new();
    for block in users.iter().flat_map(|user| blocks(read, user.content)).collect::<Vec<_>>() {
        let names = ["type", "tool_use_id", "content", "is_error"];
        let [kind, call, content, is_error] = read.within("content", Some(block), names);
        if read.string("type", kind).as_deref() != Some("tool_result") {
            continue;
        }
        if call.is_none() {
            read.gap(Gap::Missing("tool_use_id".to_owned()));
        }
        let call = read.string("tool_use_id", call).unwrap_or_default();
        results.push(ToolResult {
            // A call has one result: a second one would repeat it, and what hostile callers repeat grows without bound.
            asked: asked.remove(&call),
            call,
            content: read.message(content).unwrap_or_default(),
            is_error: is_error.is_some_and(|is_error| is_error.get() == "true"),
        });
    }
    results
}

/// The blocks of a message; none where it is a text.
fn blocks<'a>(read: &mut Reader<'a>, content: Option<&'a RawValue>) -> Vec<&'a RawValue> {
    read.items("content", content.filter(|content| json::is_array(content)))
}

fn tool_use<'a>(read: &mut Reader<'a>, block: &'a RawValue) -> Option<ToolCallFact> {
    let [kind, id, name, input] = read.within("content", Some(block), ["type", "id", "name", "input"]);
    (read.string("type", kind)? == "tool_use").then(|| ToolCallFact {
        call: read.string("id", id).unwrap_or_default(),
        name: read.string("name", name).unwrap_or_default(),
        arguments: read.slice(input).unwrap_or_default(),
        choice: 0,
    })
}
