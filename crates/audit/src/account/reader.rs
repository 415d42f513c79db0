//! The steps of a story as the record's own types, for the sections of an account to be made of.

use std::collections::BTreeMap;

use inferlog_record::{Event, Id, PayloadRole as Role, Timestamp};

use super::model::{Content, Held};
use crate::story::{Place, Story, StoryEvent};

/// A step.
pub(super) struct Told<'s> {
    pub(super) step: &'s StoryEvent,
    /// `None` if this version cannot read it.
    pub(super) event: Option<Event>,
}

/// All steps of a story, in causal order.
pub(super) struct Reader<'s> {
    pub(super) story: &'s Story,
    pub(super) steps: Vec<Told<'s>>,
    numbers: BTreeMap<Id, usize>,
    /// When the decision first ended.
    pub(super) first_end: Option<Timestamp>,
    /// Where and when that was logged.
    end_logged: Option<(Place, Timestamp)>,
}

impl<'s> Reader<'s> {
    pub(super) fn new(story: &'s Story) -> Self {
        let read = |step: &StoryEvent| serde_json::from_str::<Event>(step.event.get()).ok();
        let steps: Vec<Told<'_>> = story.events.iter().map(|step| Told { step, event: read(step) }).collect();
        let numbers = story.events.iter().map(|step| (step.id, step.order)).collect();
        let closings = steps.iter().filter(|told| told.step.kind == "decision.closed");
        let first = closings.min_by_key(|told| told.step.place);
        let first = first.and_then(|told| Some((told.step.place, told.event.as_ref()?)));
        let first_end = first.map(|(_, event)| event.ended_at.unwrap_or(event.logged_at));
        let end_logged = first.map(|(place, event)| (place, event.logged_at));
        Self { story, steps, numbers, first_end, end_logged }
    }

    /// The number of the step that is this event.
    pub(super) fn number(&self, event: Id) -> Option<usize> {
        self.numbers.get(&event).copied()
    }

    /// Whether a step came after the decision's first end: behind it in the log, or later in another log.
    pub(super) fn is_late(&self, told: &Told<'_>) -> bool {
        let (Some((end, ended)), Some(event)) = (self.end_logged, &told.event) else { return false };
        match told.step.place.log == end.log {
            true => told.step.place.index > end.index,
            false => event.logged_at > ended,
        }
    }

    /// The steps that this version can read.
    pub(super) fn events(&self) -> impl Iterator<Item = (&Told<'s>, &Event)> {
        self.steps.iter().filter_map(|told| Some((told, told.event.as_ref()?)))
    }

    /// Every content that a step speaks of in a role of these.
    pub(super) fn all(&self, role: Role) -> Vec<Held> {
        self.steps.iter().flat_map(|told| told.all(role)).collect()
    }

    /// Every content, once: as the step that recorded it has it.
    pub(super) fn contents(&self) -> BTreeMap<Id, Content> {
        let mut contents: BTreeMap<Id, Content> = BTreeMap::new();
        for told in &self.steps {
            for payload in &told.step.payloads {
                let recorded_by = match payload.first {
                    None => Some(told.step.order),
                    Some(first) => self.number(first),
                };
                let known = contents.get(&payload.payload);
                if known.is_some_and(|known| payload.first.is_some() || known.recorded_by == recorded_by) {
                    continue;
                }
                let content = Content {
                    recorded_by,
                    state: payload.state.clone(),
                    reason: payload.reason.clone(),
                    removed: payload.removed.clone(),
                    held: payload.held.clone(),
                    withheld: payload.withheld.clone(),
                    media_type: payload.media_type.clone(),
                    size: payload.size,
                    content: payload.content.clone(),
                    verified: payload.verified,
                    problem: payload.problem.clone(),
                };
                contents.insert(payload.payload, content);
            }
        }
        contents
    }
}

impl Told<'_> {
    /// What the step speaks of in a role.
    pub(super) fn all(&self, role: Role) -> impl Iterator<Item = Held> {
        self.holds().filter(move |held| held.role == role.as_str())
    }

    /// The first of it.
    pub(super) fn one(&self, role: Role) -> Option<Held> {
        self.all(role).next()
    }

    /// What the step speaks of.
    pub(super) fn holds(&self) -> impl Iterator<Item = Held> {
        let step = self.step.order;
        self.step.payloads.iter().map(move |payload| Held {
            step,
            role: payload.role.clone(),
            payload: payload.payload,
        })
    }

    /// A content of this step by its id.
    pub(super) fn held(&self, payload: Id) -> Held {
        let role = self.step.payloads.iter().find(|held| held.payload == payload);
        let role = role.map_or_else(String::new, |held| held.role.clone());
        Held { step: self.step.order, role, payload }
    }
}

/// The text of something that the record names, if it is there.
pub(super) fn text<T: ToString>(value: Option<&T>) -> Option<String> {
    value.map(ToString::to_string)
}
