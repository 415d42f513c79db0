//! Items: the words, calls and reasoning of a response; in a request also what tools gave.

use super::super::{text_or_json, words};
use crate::wire::{Reader, ReasoningFact, ToolCallFact};
use inferlog_record::body::ReasoningForm;
use serde_json::value::RawValue;

/// What an item holds, as far as it is known. Items of other types, and of the future, hold nothing here.
#[derive(Default)]
pub(super) struct Item {
    pub(super) text: Option<String>,
    pub(super) refusal: String,
    /// Reasoning itself, and the summary of it.
    pub(super) reasoning: String,
    pub(super) summary: String,
    encrypted: String,
    pub(super) call: Option<Call>,
    /// The call that this item is the result of.
    pub(super) result_of: Option<String>,
}

/// A call of a tool.
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
    /// Whether somebody else is to answer it, as with a function; else the server itself runs the tool.
    pub(super) is_asked: bool,
}

impl Item {
    pub(super) fn new<'a>(read: &mut Reader<'a>, item: &'a RawValue) -> Self {
        let [kind] = read.within("output", Some(item), ["type"]);
        let kind = read.string("type", kind).unwrap_or_default();
        match kind.as_str() {
            "message" => Self::message(read, item),
            "reasoning" => Self::thought(read, item),
            // Of functions, custom tools, computers, shells, patches; of MCP, searches, code and images, which the server runs.
            kind if kind.ends_with("_call") => {
                Self { call: Some(Call::new(read, item, kind)), ..Self::default() }
            }
            kind if kind.ends_with("_call_output") => {
                let [call] = read.within("output", Some(item), ["call_id"]);
                Self { result_of: read.string("call_id", call), ..Self::default() }
            }
            _ => Self::default(),
        }
    }

    fn message<'a>(read: &mut Reader<'a>, item: &'a RawValue) -> Self {
        let mut message = Self::default();
        let [content] = read.within("output", Some(item), ["content"]);
        for part in read.items("content", content) {
            let [text, refusal] = read.within("content", Some(part), ["text", "refusal"]);
            if let Some(text) = read.string("text", text) {
                message.text.get_or_insert_default().push_str(&text);
            }
            message.refusal.push_str(&read.string("refusal", refusal).unwrap_or_default());
        }
        message
    }

    fn thought<'a>(read: &mut Reader<'a>, item: &'a RawValue) -> Self {
        let names = ["summary", "content", "encrypted_content"];
        let [summary, content, encrypted] = read.within("output", Some(item), names);
        Self {
            summary: words(read, "summary", summary).unwrap_or_default(),
            reasoning: words(read, "content", content).unwrap_or_default(),
            encrypted: read.string("encrypted_content", encrypted).unwrap_or_default(),
            ..Self::default()
        }
    }

    pub(super) fn reasoning(&self) -> impl Iterator<Item = ReasoningFact> {
        [
            (ReasoningForm::Full, &self.reasoning),
            (ReasoningForm::Summary, &self.summary),
            (ReasoningForm::Opaque, &self.encrypted),
        ]
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(form, text)| ReasoningFact { form, content: text.clone().into() })
    }
}

impl Call {
    /// Of an item of this type, which ends with `_call`: a tool without a name has that of the type.
    pub(super) fn new<'a>(read: &mut Reader<'a>, item: &'a RawValue, kind: &str) -> Self {
        let names = ["call_id", "id", "name", "arguments", "input", "action", "operation", "queries", "code"];
        let [call, id, name, arguments, input, action, operation, queries, code] =
            read.within("output", Some(item), names);
        let said = arguments.or(input).or(action).or(operation).or(queries).or(code);
        Self {
            id: read.string("call_id", call.or(id)).unwrap_or_default(),
            name: read.string("name", name).unwrap_or_else(|| kind.trim_end_matches("_call").to_owned()),
            arguments: text_or_json(read, "arguments", said).unwrap_or_default(),
            is_asked: call.is_some(),
        }
    }

    pub(super) fn fact(self) -> ToolCallFact {
        ToolCallFact { call: self.id, name: self.name, arguments: self.arguments.into(), choice: 0 }
    }
}
