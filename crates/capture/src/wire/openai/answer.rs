//! What an answer of Chat Completions or Completions says, whole or as the events of a stream.
//!
//! Each event of a stream is an answer in small: choices by their index, each with what came newly. Which comes when is not
//! promised: several choices mix, what filters say (Azure) and tokens may come in events without a choice, or never.

use super::choice::Choice;
use super::error::error;
use super::stream::events;
use super::usage;
use crate::wire::parts::object;
use crate::wire::{Gap, Reader, ReasoningFact, ResponseFacts};
use bytes::Bytes;
use inferlog_record::body::{ErrorCode, ReasoningForm, Usage};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A whole answer.
pub(super) fn whole(body: &Bytes) -> ResponseFacts {
    let mut answer = Answer::default();
    let mut read = Reader::new(body);
    answer.take(&mut read, "");
    answer.keep_gap(read);
    answer.facts()
}

/// A stream: whole with `[DONE]`, or with a reason for every choice that it began, or with an error.
pub(super) fn streamed(body: &Bytes) -> ResponseFacts {
    let mut answer = Answer::default();
    let mut is_done = false;
    for event in events(body) {
        if event.is_done {
            is_done = true;
            break;
        }
        if !event.is_utf8 {
            answer.facts.gap.get_or_insert(Gap::InvalidUtf8);
        }
        let mut read = Reader::new(&event.data);
        answer.take(&mut read, &event.name);
        answer.keep_gap(read);
    }
    let choices = &answer.choices;
    let is_finished = !choices.is_empty() && choices.values().all(|choice| choice.finish.is_some());
    answer.facts.broken_off = !(is_done || is_finished || answer.facts.error.is_some());
    if answer.facts.error.is_some() {
        answer.facts.error_code.get_or_insert(ErrorCode::UpstreamError);
    }
    answer.facts()
}

/// An answer, as far as it is known.
#[derive(Default)]
struct Answer {
    facts: ResponseFacts,
    choices: BTreeMap<u64, Choice>,
    usage: Usage,
    tier: Option<String>,
    has_choices: bool,
}

impl Answer {
    fn take(&mut self, read: &mut Reader<'_>, event: &str) {
        let names = [
            "id",
            "model",
            "system_fingerprint",
            "choices",
            "usage",
            "service_tier",
            "error",
            "detail",
            "object",
        ];
        let [id, model, fingerprint, choices, tokens, tier, failure, detail, object] = read.members(names);
        self.fail(read, event, failure.or(detail), object);
        for (fact, name, value) in [
            (&mut self.facts.id, "id", id),
            (&mut self.facts.model, "model", model),
            (&mut self.facts.fingerprint, "system_fingerprint", fingerprint),
        ] {
            // Azure's first event, which says what its filters found, leaves them empty.
            if fact.is_none() {
                *fact = read.scalar(name, value).filter(|text| !text.is_empty());
            }
        }
        self.tier = tier.map(|tier| tier.get().to_owned()).or(self.tier.take());
        self.has_choices |= choices.is_some();
        for (position, choice) in (0..).zip(read.items("choices", choices)) {
            let [index] = read.within("choices", Some(choice), ["index"]);
            let index = read.count("index", index).map_or(position, |index| index.0);
            self.choices.entry(index).or_default().take(read, choice);
        }
        let tokens = usage(read, tokens);
        self.usage = Usage {
            cached: tokens.cached.or(self.usage.cached),
            input: tokens.input.or(self.usage.input),
            output: tokens.output.or(self.usage.output),
            reasoning: tokens.reasoning.or(self.usage.reasoning),
        };
    }

    /// An error: as a member, as an event of that name, or as an object of that name.
    fn fail<'a>(
        &mut self,
        read: &mut Reader<'a>,
        event: &str,
        failure: Option<&'a RawValue>,
        object: Option<&'a RawValue>,
    ) {
        let is_itself = event == "error" || object.is_some_and(|object| object.get() == "\"error\"");
        let itself = || serde_json::from_slice(read.body).ok();
        if let Some(failure) = failure.or_else(|| is_itself.then(itself).flatten())
            && self.facts.error.is_none()
        {
            (self.facts.error, self.facts.error_code) = error(read, Some(failure));
        }
    }

    fn keep_gap(&mut self, read: Reader<'_>) {
        self.facts.gap = self.facts.gap.take().or(read.gap);
    }

    fn facts(self) -> ResponseFacts {
        let mut facts = self.facts;
        if !self.has_choices && facts.error.is_none() {
            facts.gap.get_or_insert(Gap::Missing("choices".to_owned()));
        }
        facts.choices = u32::try_from(self.choices.len()).unwrap_or(u32::MAX);
        if let Some(first) = self.choices.values().next() {
            facts.output = first.output().map(Bytes::from);
            facts.finish = first.finish();
            facts.refusal = (!first.refusal.is_empty()).then(|| first.refusal.clone().into());
        }
        for (index, mut choice) in self.choices {
            let reasoning = std::mem::take(&mut choice.reasoning);
            if !reasoning.is_empty() {
                let content = reasoning.into();
                facts.reasoning.push(ReasoningFact { form: ReasoningForm::Full, content });
            }
            facts.tool_calls.extend(choice.calls(u32::try_from(index).unwrap_or(u32::MAX)));
        }
        facts.params = object(self.tier.iter().map(|tier| ("service_tier", tier.as_str())));
        facts.usage = (self.usage != Usage::default()).then_some(self.usage);
        facts
    }
}
