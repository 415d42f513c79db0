//! What a request for a completion says, as far as the model heeds it.

use serde::Deserialize;
use serde_json::Value;

use super::advisor::{Conversation, Outcome};

/// A request.
#[derive(Deserialize)]
pub(super) struct ChatRequest {
    pub(super) model: String,
    messages: Vec<Message>,
    #[serde(default)]
    pub(super) stream: bool,
    #[serde(default)]
    pub(super) stream_options: StreamOptions,
    #[serde(default)]
    tools: Vec<Tool>,
    tool_choice: Option<Value>,
    n: Option<u32>,
    #[serde(alias = "max_completion_tokens")]
    max_tokens: Option<usize>,
}

#[derive(Default, Deserialize)]
pub(super) struct StreamOptions {
    #[serde(default)]
    pub(super) include_usage: bool,
}

#[derive(Deserialize)]
struct Message {
    role: Role,
    content: Option<Content>,
    #[serde(default)]
    tool_calls: Vec<ToolCall>,
    tool_call_id: Option<String>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Role {
    System,
    Developer,
    User,
    Assistant,
    Tool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
struct ToolCall {
    id: String,
    function: Function,
}

#[derive(Deserialize)]
struct Tool {
    function: Function,
}

#[derive(Deserialize)]
struct Function {
    name: String,
}

impl Message {
    fn text(&self) -> String {
        match &self.content {
            None => String::new(),
            Some(Content::Text(text)) => text.clone(),
            Some(Content::Parts(parts)) => {
                parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join("\n")
            }
        }
    }
}

impl ChatRequest {
    /// Reads a request. The error says what is wrong, for the answer's `error`.
    pub(super) fn parse(body: &[u8]) -> Result<Self, String> {
        let request: Self =
            serde_json::from_slice(body).map_err(|error| format!("malformed request: {error}"))?;
        if request.messages.is_empty() {
            return Err("messages is empty".into());
        }
        if request.n.is_some_and(|n| n != 1) {
            return Err("n: this model gives one choice".into());
        }
        if !matches!(request.tool_choice.as_ref().map(Value::as_str), None | Some(Some("none" | "auto"))) {
            return Err("tool_choice: this model knows \"none\" and \"auto\"".into());
        }
        if request.max_tokens == Some(0) {
            return Err("max_tokens is 1 or more".into());
        }
        Ok(request)
    }

    /// Words that the answer may have.
    pub(super) fn words_max(&self) -> usize {
        self.max_tokens.unwrap_or(usize::MAX)
    }

    /// Words of all messages.
    pub(super) fn words(&self) -> usize {
        self.messages.iter().map(|message| message.text().split_whitespace().count()).sum()
    }

    /// What the model goes by: instructions, the latest question, and what tools gave since.
    pub(super) fn conversation(&self) -> Conversation {
        let of = |role: Role| self.messages.iter().filter(move |message| message.role == role);
        let instructions =
            self.messages.iter().filter(|message| matches!(message.role, Role::System | Role::Developer));
        let question = self.messages.iter().rposition(|message| message.role == Role::User);
        let since = question.map_or(&[][..], |at| &self.messages[at..]);
        let name = |id: &str| {
            let mut calls = of(Role::Assistant).flat_map(|message| &message.tool_calls);
            calls.find(|call| call.id == id).map(|call| call.function.name.clone())
        };
        let results = since.iter().filter(|message| message.role == Role::Tool).filter_map(|message| {
            let tool = name(message.tool_call_id.as_deref()?)?;
            let text = message.text();
            let given = serde_json::from_str(&text).unwrap_or(Value::String(text));
            Some(Outcome { tool, given })
        });
        let may_call = self.tool_choice.as_ref().and_then(Value::as_str) != Some("none");
        let tools = self.tools.iter().filter(|_| may_call).map(|tool| tool.function.name.clone());
        Conversation {
            instructions: instructions.map(Message::text).collect::<Vec<_>>().join("\n"),
            question: question.map_or_else(String::new, |at| self.messages[at].text()),
            tools: tools.collect(),
            results: results.collect(),
        }
    }
}
