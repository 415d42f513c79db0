//! What a request to Ollama says.

use super::tool_call;
use crate::wire::{Call, Operation, PromptFact, Reader, RequestFacts, ToolCallFact, ToolResult, json};
use bytes::Bytes;
use inferlog_record::body::PromptRole;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, VecDeque};

/// Members that are no parameters of the inference.
const CONTENT: [&str; 11] = [
    "model", "messages", "tools", "stream", "prompt", "suffix", "system", "template", "context", "images",
    "input",
];

pub(in crate::wire) fn request(call: &Call, body: &Bytes) -> RequestFacts {
    let mut read = Reader::new(body);
    let [model, stream] = read.members(["model", "stream"]);
    let mut facts = RequestFacts {
        model: read.scalar("model", model),
        params: read.others(&CONTENT),
        // The server's default.
        stream: stream.is_none_or(|stream| stream.get() != "false"),
        ..RequestFacts::default()
    };
    match call.operation {
        Operation::Generate => generate(&mut read, &mut facts),
        Operation::Embeddings => {
            let [input, prompt] = read.members(["input", "prompt"]);
            facts.input = read.slice(input.or(prompt));
            facts.stream = false;
        }
        _ => chat(&mut read, &mut facts),
    }
    facts.gap = read.gap;
    facts
}

fn generate(read: &mut Reader<'_>, facts: &mut RequestFacts) {
    let [system, template, prompt] = read.members(["system", "template", "prompt"]);
    facts.input = read.slice(prompt);
    let roles = [PromptRole::System, PromptRole::Other, PromptRole::User];
    for (role, (name, value)) in
        roles.into_iter().zip([("system", system), ("template", template), ("prompt", prompt)])
    {
        let text = read.string(name, value).filter(|text| !text.is_empty());
        facts.prompts.extend(text.map(|text| PromptFact { role, text }));
    }
}

struct Message<'a> {
    value: &'a RawValue,
    role: String,
    content: Option<&'a RawValue>,
}

fn chat(read: &mut Reader<'_>, facts: &mut RequestFacts) {
    let [messages, tools] = read.members(["messages", "tools"]);
    facts.tools = read.slice(tools);
    facts.input = read.array("messages", messages);
    let messages = messages.filter(|messages| json::is_array(messages));
    let messages: Vec<Message<'_>> = read
        .items("messages", messages)
        .into_iter()
        .map(|value| {
            let [role, content] = read.within("messages", Some(value), ["role", "content"]);
            Message { value, role: read.string("role", role).unwrap_or_default(), content }
        })
        .collect();
    let latest = messages.iter().rposition(|message| message.role == "user");
    for (at, message) in messages.iter().enumerate() {
        let role = match message.role.as_str() {
            "system" => PromptRole::System,
            "user" if Some(at) == latest => PromptRole::User,
            _ => continue,
        };
        let text = read.string("content", message.content);
        facts.prompts.extend(text.map(|text| PromptFact { role, text }));
    }
    facts.tool_results = tool_results(read, &messages);
}

/// What tools gave since the assistant's latest message.
fn tool_results<'a>(read: &mut Reader<'a>, messages: &[Message<'a>]) -> Vec<ToolResult> {
    let answered = messages.iter().rposition(|message| message.role == "assistant");
    let mut asked = Asked::new(answered.map(|at| asked(read, &messages[at])).unwrap_or_default());
    let results = &messages[answered.map_or(0, |at| at + 1)..];
    results
        .iter()
        .filter(|message| message.role == "tool")
        .map(|message| {
            let [id, name, older] =
                read.within("messages", Some(message.value), ["tool_call_id", "tool_name", "name"]);
            let id = read.string("tool_call_id", id).unwrap_or_default();
            let name = read.string("tool_name", name.or(older)).unwrap_or_default();
            ToolResult {
                asked: asked.take(&id, &name),
                call: id,
                content: read.message(message.content).unwrap_or_default(),
                is_error: false,
            }
        })
        .collect()
}

fn asked<'a>(read: &mut Reader<'a>, assistant: &Message<'a>) -> Vec<ToolCallFact> {
    let [calls] = read.within("messages", Some(assistant.value), ["tool_calls"]);
    read.items("tool_calls", calls).into_iter().map(|call| tool_call(read, call)).collect()
}

/// The calls that wait for their results.
struct Asked {
    calls: Vec<Option<ToolCallFact>>,
    by_id: BTreeMap<String, VecDeque<usize>>,
    by_name: BTreeMap<String, VecDeque<usize>>,
    in_order: VecDeque<usize>,
}

impl Asked {
    fn new(calls: Vec<ToolCallFact>) -> Self {
        let (mut by_id, mut by_name) = (BTreeMap::<_, VecDeque<_>>::new(), BTreeMap::<_, VecDeque<_>>::new());
        for (at, call) in calls.iter().enumerate() {
            by_id.entry(call.call.clone()).or_default().push_back(at);
            by_name.entry(call.name.clone()).or_default().push_back(at);
        }
        Self {
            in_order: (0..calls.len()).collect(),
            calls: calls.into_iter().map(Some).collect(),
            by_id,
            by_name,
        }
    }

    /// The call that a result answers: by its id, else the first of its name, else the first, of those that wait. Of a call
    /// that the request does not repeat the result's own name is all there is.
    fn take(&mut self, id: &str, name: &str) -> Option<ToolCallFact> {
        let waiting = match (id, name) {
            ("", "") => Some(&mut self.in_order),
            ("", name) => self.by_name.get_mut(name),
            (id, _) => self.by_id.get_mut(id),
        };
        let calls = &mut self.calls;
        let found = waiting.and_then(|waiting| {
            std::iter::from_fn(|| waiting.pop_front()).find_map(|at| calls.get_mut(at)?.take())
        });
        found.or_else(|| {
            let (call, name) = (id.to_owned(), name.to_owned());
            (!name.is_empty()).then(|| ToolCallFact { call, name, ..ToolCallFact::default() })
        })
    }
}
