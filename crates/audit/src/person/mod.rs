//! A decision as it is given to a person whom it is about: their own data, and nobody else's identifiers.
//!
//! A person asks for their own data (GDPR 15). What is given is what the record holds: each step with its clear fields and its
//! contents. Pseudonyms of others are masked wherever they stand; where a decision is about others too, its contents are left out
//! unless whoever answers the person decides otherwise. What contents say of others is for that answerer to judge.

mod html;
mod index;

use inferlog_record::{Id, Pseudonym};
use serde::Serialize;
use serde_json::Value;

pub use index::{PersonIndex, PersonRow, index_foot, index_head, index_row};

use crate::story::{PayloadContent, Story, StoryEvent, StoryPayload};

/// What stands in place of another person's pseudonym.
pub const ANOTHER_PERSON: &str = "another person";

/// A decision, told to a person.
#[derive(Clone, Debug, Serialize)]
pub struct Personal {
    /// The decision.
    pub decision: Id,
    /// The system.
    pub system: String,
    /// How it ended; absent while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_version: Option<String>,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Whether it is about others too.
    pub shared: bool,
    /// Whether its contents were left out for that.
    pub contents_withheld: bool,
    /// What happened, in order.
    pub steps: Vec<PersonalStep>,
    /// Whether every entry is proved under a signed checkpoint.
    pub proved: bool,
}

/// A step.
#[derive(Clone, Debug, Serialize)]
pub struct PersonalStep {
    /// Its place, from 1.
    pub order: usize,
    /// What kind it is.
    pub kind: String,
    /// When it was recorded.
    pub logged_at: String,
    /// What it says in clear.
    pub says: Value,
    /// What it speaks of.
    pub contents: Vec<PersonalContent>,
}

/// Content of a step.
#[derive(Clone, Debug, Serialize)]
pub struct PersonalContent {
    /// What it is to the step.
    pub role: String,
    /// `present`, `redacted`, `erased`, `purged`, `not_captured`, `withheld`; `as_before` where an earlier step has it.
    pub state: String,
    /// Why it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Its form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<PayloadContent>,
}

/// Whether a decision is about others than this person.
pub fn is_shared(story: &Story, person: Pseudonym) -> bool {
    let person = person.to_string();
    story.subjects.iter().any(|subject| *subject != person)
}

impl Personal {
    /// What is given of a decision. Without `contents` none is given, whatever the story holds.
    pub fn of(story: Story, person: Pseudonym, contents: bool) -> Self {
        let shared = is_shared(&story, person);
        let proved = story.is_proved();
        let steps = story.events.into_iter().map(|event| step(event, person, contents)).collect();
        Self {
            decision: story.decision,
            system: story.system,
            outcome: story.outcome,
            model: story.model,
            model_version: story.model_version,
            started_at: story.started_at,
            ended_at: story.ended_at,
            shared,
            contents_withheld: !contents,
            steps,
            proved,
        }
    }

    /// Contents that are given.
    pub fn given(&self) -> u64 {
        let all = self.steps.iter().flat_map(|step| &step.contents);
        all.filter(|content| content.content.is_some()).count() as u64
    }

    /// Contents that are not given, by what stands in their place.
    pub fn not_given(&self) -> impl Iterator<Item = &str> {
        let all = self.steps.iter().flat_map(|step| &step.contents);
        all.filter(|content| content.content.is_none() && content.state != AS_BEFORE)
            .map(|content| content.state.as_str())
    }
}

/// State of content that an earlier step has.
const AS_BEFORE: &str = "as_before";

fn step(event: StoryEvent, person: Pseudonym, contents: bool) -> PersonalStep {
    let mut says = serde_json::from_str::<Value>(event.event.get())
        .ok()
        .and_then(|mut event| event.get_mut("body").map(Value::take))
        .unwrap_or_default();
    mask(&mut says, &person.to_string());
    PersonalStep {
        order: event.order,
        kind: event.kind,
        logged_at: event.logged_at,
        says,
        contents: event.payloads.into_iter().map(|payload| content(payload, contents)).collect(),
    }
}

fn content(payload: StoryPayload, given: bool) -> PersonalContent {
    let StoryPayload { role, state, reason, first, media_type, content, problem, .. } = payload;
    let there = state == "present";
    let (state, why) = match &content {
        _ if there && first.is_some() => (AS_BEFORE.to_owned(), None),
        _ if there && !given => ("withheld".to_owned(), Some("the decision is about others too".to_owned())),
        None if there => ("unreadable".to_owned(), problem),
        _ => (state, reason.or(problem)),
    };
    let content = content.filter(|_| given && first.is_none());
    PersonalContent { role, state, why, media_type, content }
}

/// Puts a word in the place of every pseudonym but the person's own.
fn mask(value: &mut Value, own: &str) {
    match value {
        Value::String(text) if text != own && text.parse::<Pseudonym>().is_ok() => {
            *text = ANOTHER_PERSON.to_owned();
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, own)),
        Value::Object(members) => members.values_mut().for_each(|member| mask(member, own)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pseudonyms_of_others_are_masked_wherever_they_stand() {
        let (own, other) = (Pseudonym::new([1; 16]).to_string(), Pseudonym::new([2; 16]).to_string());
        let id = Id::new(1, &[0; 10]).to_string();
        let mut value = serde_json::json!({ "by": other, "in": [{ "subjects": [own, other] }], "event": id });
        mask(&mut value, &own);
        let expected = serde_json::json!({
            "by": ANOTHER_PERSON, "in": [{ "subjects": [own, ANOTHER_PERSON] }], "event": id,
        });
        assert_eq!(value, expected);
    }
}
