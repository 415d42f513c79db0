//! What an agent and its model say to each other, in the words of two wires.

use serde_json::{Value, json};

/// A wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wire {
    OpenAi,
    Anthropic,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub id: String,
    pub name: &'static str,
    pub arguments: Value,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Given {
    pub call: Call,
    pub text: String,
    pub is_error: bool,
}

/// One part of a conversation.
#[derive(Clone, Debug)]
pub enum Item {
    User(String),
    Asked(Vec<Call>),
    Results(Vec<Given>),
}

pub const MODEL: &str = "model-2026-08-06";

impl Wire {
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
        }
    }

    pub fn path(self) -> &'static str {
        match self {
            Self::OpenAi => "/v1/chat/completions",
            Self::Anthropic => "/v1/messages",
        }
    }

    pub fn request(self, conversation: &[Item], stream: bool) -> String {
        let messages: Vec<Value> = conversation.iter().flat_map(|item| self.messages(item)).collect();
        let tools = ["search", "read", "write"].map(|name| match self {
            Self::OpenAi => {
                json!({"type": "function", "function": {"name": name, "parameters": {"type": "object"}}})
            }
            Self::Anthropic => json!({"name": name, "input_schema": {"type": "object"}}),
        });
        json!({"model": "model", "max_tokens": 1000, "stream": stream, "tools": tools, "messages": messages})
            .to_string()
    }

    fn messages(self, item: &Item) -> Vec<Value> {
        let openai = self == Self::OpenAi;
        match item {
            Item::User(text) => vec![json!({"role": "user", "content": text})],
            Item::Asked(calls) if openai => {
                vec![
                    json!({"role": "assistant", "content": null, "tool_calls": calls.iter().map(openai_call).collect::<Vec<_>>()}),
                ]
            }
            Item::Asked(calls) => {
                vec![
                    json!({"role": "assistant", "content": calls.iter().map(anthropic_call).collect::<Vec<_>>()}),
                ]
            }
            Item::Results(results) if openai => results
                .iter()
                .map(|given| json!({"role": "tool", "tool_call_id": given.call.id, "content": given.text}))
                .collect(),
            Item::Results(results) => {
                let result = |given: &Given| json!({"type": "tool_result", "tool_use_id": given.call.id, "content": given.text, "is_error": given.is_error});
                vec![json!({"role": "user", "content": results.iter().map(result).collect::<Vec<_>>()})]
            }
        }
    }

    /// An answer as a whole: calls of tools, or words where there are none.
    pub fn whole(self, calls: &[Call], tokens: (u64, u64)) -> String {
        let answer = match self {
            Self::OpenAi => {
                let message = match calls {
                    [] => json!({"role": "assistant", "content": "done"}),
                    calls => {
                        json!({"role": "assistant", "content": null, "tool_calls": calls.iter().map(openai_call).collect::<Vec<_>>()})
                    }
                };
                let choice = json!({"index": 0, "message": message, "finish_reason": self.finish(calls)});
                json!({"id": "answer", "object": "chat.completion", "model": MODEL, "choices": [choice], "usage": self.usage(tokens)})
            }
            Self::Anthropic => {
                let content = match calls {
                    [] => vec![json!({"type": "text", "text": "done"})],
                    calls => calls.iter().map(anthropic_call).collect(),
                };
                json!({"id": "answer", "type": "message", "role": "assistant", "model": MODEL, "content": content,
                       "stop_reason": self.finish(calls), "usage": self.usage(tokens)})
            }
        };
        answer.to_string()
    }

    /// The same as a stream.
    pub fn stream(self, calls: &[Call], tokens: (u64, u64)) -> String {
        match self {
            Self::OpenAi => self.openai_stream(calls, tokens),
            Self::Anthropic => self.anthropic_stream(calls, tokens),
        }
    }

    fn openai_stream(self, calls: &[Call], tokens: (u64, u64)) -> String {
        let chunk = |delta: Value, finish: Value| {
            let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
            json!({"id": "answer", "object": "chat.completion.chunk", "model": MODEL, "choices": [choice]})
        };
        let mut events = vec![chunk(
            json!({"role": "assistant", "content": if calls.is_empty() { "do" } else { "" }}),
            Value::Null,
        )];
        if calls.is_empty() {
            events.push(chunk(json!({"content": "ne"}), Value::Null));
        }
        let fragment = |call: Value| chunk(json!({"tool_calls": [call]}), Value::Null);
        // Fragments of the calls, one call's between another's.
        for (at, call) in calls.iter().enumerate() {
            let function = json!({"name": call.name, "arguments": ""});
            events.push(fragment(
                json!({"index": at, "id": call.id, "type": "function", "function": function}),
            ));
        }
        for half in 0..2 {
            for (at, call) in calls.iter().enumerate() {
                let text = call.arguments.to_string();
                let (first, second) = text.split_at(text.len() / 2);
                let arguments = [first, second][half];
                events.push(fragment(json!({"index": at, "function": {"arguments": arguments}})));
            }
        }
        events.push(chunk(json!({}), self.finish(calls)));
        events.push(json!({"id": "answer", "object": "chat.completion.chunk", "model": MODEL, "choices": [], "usage": self.usage(tokens)}));
        let lines: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        format!("{lines}data: [DONE]\n\n")
    }

    fn anthropic_stream(self, calls: &[Call], tokens: (u64, u64)) -> String {
        let usage = json!({"input_tokens": tokens.0, "output_tokens": 1});
        let message = json!({"id": "answer", "type": "message", "role": "assistant", "model": MODEL, "content": [], "usage": usage});
        let mut events = vec![json!({"type": "message_start", "message": message})];
        let mut block = |at: usize, start: Value, deltas: Vec<Value>| {
            events.push(json!({"type": "content_block_start", "index": at, "content_block": start}));
            events.extend(
                deltas
                    .into_iter()
                    .map(|delta| json!({"type": "content_block_delta", "index": at, "delta": delta})),
            );
            events.push(json!({"type": "content_block_stop", "index": at}));
        };
        if calls.is_empty() {
            let text = |text| json!({"type": "text_delta", "text": text});
            block(0, json!({"type": "text", "text": ""}), vec![text("do"), text("ne")]);
        }
        for (at, call) in calls.iter().enumerate() {
            let text = call.arguments.to_string();
            let (first, second) = text.split_at(text.len() / 2);
            let piece = |json: &str| json!({"type": "input_json_delta", "partial_json": json});
            let start = json!({"type": "tool_use", "id": call.id, "name": call.name, "input": {}});
            block(at, start, vec![piece(first), piece(second)]);
        }
        let delta = json!({"stop_reason": self.finish(calls)});
        events.push(json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": tokens.1}}));
        events.push(json!({"type": "message_stop"}));
        let line = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
        events.iter().map(line).collect()
    }

    fn finish(self, calls: &[Call]) -> Value {
        match (self, calls.is_empty()) {
            (Self::OpenAi, false) => json!("tool_calls"),
            (Self::OpenAi, true) => json!("stop"),
            (Self::Anthropic, false) => json!("tool_use"),
            (Self::Anthropic, true) => json!("end_turn"),
        }
    }

    fn usage(self, (input, output): (u64, u64)) -> Value {
        match self {
            Self::OpenAi => {
                json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output})
            }
            Self::Anthropic => json!({"input_tokens": input, "output_tokens": output}),
        }
    }

    /// An error in place of an answer.
    pub fn error(self) -> String {
        match self {
            Self::OpenAi => json!({"error": {"message": "overloaded", "type": "server_error"}}),
            Self::Anthropic => {
                json!({"type": "error", "error": {"type": "overloaded_error", "message": "overloaded"}})
            }
        }
        .to_string()
    }
}

fn openai_call(call: &Call) -> Value {
    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments.to_string()}})
}

fn anthropic_call(call: &Call) -> Value {
    json!({"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments})
}
