//! One choice of an answer, as it grows.

use super::{text_or_json, words};
use crate::wire::{Finish, Reader, ToolCallFact, json};
use inferlog_record::body::FinishReason;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A choice of Chat Completions or Completions, as far as it is known.
#[derive(Default)]
pub(super) struct Choice {
    pub(super) text: Option<String>,
    pub(super) refusal: String,
    pub(super) reasoning: String,
    pub(super) finish: Option<String>,
    calls: Vec<Fragment>,
    /// The call that an index of the wire's goes on with; of a legacy function's call, which has none, `None`.
    at: BTreeMap<Option<u64>, usize>,
}

/// A call of a tool, or a piece of one.
#[derive(Default)]
pub(super) struct Fragment {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    arguments: String,
}

impl Choice {
    /// Takes a choice of a whole answer, or of one event of a stream.
    pub(super) fn take<'a>(&mut self, read: &mut Reader<'a>, choice: &'a RawValue) {
        let names = ["delta", "message", "text", "finish_reason"];
        let [delta, message, text, finish] = read.within("choices", Some(choice), names);
        if let Some(text) = read.string("text", text) {
            self.text.get_or_insert_default().push_str(&text);
        }
        if let Some(finish) = read.string("finish_reason", finish) {
            self.finish = Some(finish);
        }
        self.message(read, delta.or(message));
    }

    fn message<'a>(&mut self, read: &mut Reader<'a>, message: Option<&'a RawValue>) {
        let names =
            ["content", "refusal", "tool_calls", "function_call", "reasoning_content", "reasoning", "audio"];
        let [content, refusal, calls, function, reasoning, other_reasoning, audio] =
            read.within("message", message, names);
        let [transcript] = read.within("audio", audio, ["transcript"]);
        let said = [words(read, "content", content), read.string("transcript", transcript)];
        for said in said.into_iter().flatten() {
            self.text.get_or_insert_default().push_str(&said);
        }
        self.refusal.push_str(&read.string("refusal", refusal).unwrap_or_default());
        // Servers that send both send the same text twice.
        let reasoning = reasoning.or(other_reasoning).filter(|reasoning| reasoning.get().starts_with('"'));
        self.reasoning.push_str(&read.string("reasoning", reasoning).unwrap_or_default());
        for (position, call) in (0..).zip(read.items("tool_calls", calls)) {
            let [index] = read.within("tool_calls", Some(call), ["index"]);
            let index = read.count("index", index).map_or(position, |index| index.0);
            let fragment = Fragment::of_tool(read, call);
            self.grow(Some(index), fragment);
        }
        if let Some(function) = function {
            let fragment = Fragment::of_function(read, function);
            self.grow(None, fragment);
        }
    }

    /// Goes on with a call, or begins one: at a new index, and where servers that give every call the same index name another.
    fn grow(&mut self, index: Option<u64>, fragment: Fragment) {
        let known = self.at.get(&index).and_then(|at| self.calls.get_mut(*at));
        match known.filter(|known| fragment.id.is_none() || known.id.is_none() || known.id == fragment.id) {
            Some(known) => known.append(fragment),
            None => {
                self.at.insert(index, self.calls.len());
                self.calls.push(fragment);
            }
        }
    }

    /// Why the model stopped. A refusal's own reason says `stop`.
    pub(super) fn finish(&self) -> Option<Finish> {
        let text = self.finish.clone()?;
        let reason = match text.as_str() {
            _ if !self.refusal.is_empty() => FinishReason::Refusal,
            "stop" => FinishReason::Stop,
            "length" => FinishReason::Length,
            "tool_calls" | "function_call" => FinishReason::ToolCalls,
            "content_filter" => FinishReason::ContentFilter,
            // OpenRouter's and vLLM's.
            "error" => FinishReason::Error,
            "abort" => FinishReason::Cancelled,
            _ => FinishReason::Other,
        };
        Some(Finish { reason, text })
    }

    /// The text. An empty one is none where the model did something else.
    pub(super) fn output(&self) -> Option<String> {
        let is_else = !self.calls.is_empty() || !self.refusal.is_empty();
        self.text.clone().filter(|text| !text.is_empty() || !is_else)
    }

    /// The calls of tools, in the order in which they began.
    pub(super) fn calls(self, choice: u32) -> impl Iterator<Item = ToolCallFact> {
        self.calls.into_iter().map(move |call| call.call(choice))
    }
}

impl Fragment {
    /// Of an item of `tool_calls`: a function with arguments, or a custom tool with an input.
    pub(super) fn of_tool<'a>(read: &mut Reader<'a>, call: &'a RawValue) -> Self {
        let [id, function, custom] = read.within("tool_calls", Some(call), ["id", "function", "custom"]);
        let id = read.string("id", id).filter(|id| !id.is_empty());
        let called = function.or(custom).filter(|called| json::is_object(called.get()));
        called.map_or_else(Self::default, |called| Self::of_function(read, called)).identified(id)
    }

    /// Of a function or a custom tool.
    pub(super) fn of_function<'a>(read: &mut Reader<'a>, called: &'a RawValue) -> Self {
        let [name, arguments, input] = read.within("function", Some(called), ["name", "arguments", "input"]);
        Self {
            id: None,
            name: read.string("name", name),
            arguments: text_or_json(read, "arguments", arguments.or(input)).unwrap_or_default(),
        }
    }

    fn identified(self, id: Option<String>) -> Self {
        Self { id, ..self }
    }

    fn append(&mut self, next: Self) {
        self.id = self.id.take().or(next.id);
        match (&mut self.name, next.name) {
            (Some(name), Some(next)) => name.push_str(&next),
            (name, next) => *name = name.take().or(next),
        }
        self.arguments.push_str(&next.arguments);
    }

    /// The call, when nothing follows.
    pub(super) fn call(self, choice: u32) -> ToolCallFact {
        ToolCallFact {
            call: self.id.unwrap_or_default(),
            name: self.name.unwrap_or_default(),
            arguments: self.arguments.into(),
            choice,
        }
    }
}
