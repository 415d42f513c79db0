//! A conversation as requests repeat it: the instructions, the user's latest words, what tools gave since the model's.

use super::words;
use crate::wire::{PromptFact, Reader, ToolCallFact, ToolResult};
use bytes::Bytes;
use inferlog_record::body::PromptRole;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Takes the turns in their order.
#[derive(Default)]
pub(super) struct Turns<'a> {
    instructions: Vec<PromptFact>,
    /// The user's latest words, after this many instructions.
    latest: Option<(usize, &'a RawValue)>,
    /// What the model asked for in its latest words, by what a result calls it.
    asked: BTreeMap<String, ToolCallFact>,
    results: Vec<ToolResult>,
    is_models_turn: bool,
}

impl<'a> Turns<'a> {
    /// Instructions of the system or the developer.
    pub(super) fn instruct(&mut self, role: PromptRole, text: String) {
        self.is_models_turn = false;
        self.instructions.push(PromptFact { role, text });
    }

    /// Words of the user: a text or its parts.
    pub(super) fn ask(&mut self, content: Option<&'a RawValue>) {
        self.is_models_turn = false;
        if let Some(content) = content {
            self.latest = Some((self.instructions.len(), content));
        }
    }

    /// Words of the model. What stands together is one turn; what tools gave before it was for an earlier request.
    pub(super) fn answer(&mut self) {
        if !self.is_models_turn {
            self.asked.clear();
        }
        self.results.clear();
        self.is_models_turn = true;
    }

    /// A call that the model asked for, within its words.
    pub(super) fn call(&mut self, known_by: String, call: ToolCallFact) {
        self.asked.insert(known_by, call);
    }

    /// What a tool gave.
    pub(super) fn result(&mut self, known_by: &str, call: String, content: Option<Bytes>) {
        self.is_models_turn = false;
        // Taken, not copied: results that name one call over and over would copy it as often.
        let (asked, content) = (self.asked.remove(known_by), content.unwrap_or_default());
        // The wire has no word for a tool that failed.
        self.results.push(ToolResult { call, asked, content, is_error: false });
    }

    pub(super) fn facts(self, read: &mut Reader<'a>) -> (Vec<PromptFact>, Vec<ToolResult>) {
        let mut prompts = self.instructions;
        if let Some((at, content)) = self.latest
            && let Some(text) = words(read, "content", Some(content))
        {
            prompts.insert(at, PromptFact { role: PromptRole::User, text });
        }
        (prompts, self.results)
    }
}

/// The role that gives instructions.
pub(super) fn role(name: &str) -> PromptRole {
    match name {
        "developer" => PromptRole::Developer,
        _ => PromptRole::System,
    }
}
