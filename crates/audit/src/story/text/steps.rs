//! The steps, turn by turn.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use inferlog_record::body::{Body, Delivery};
use inferlog_record::{Event, Id};

use super::content::Contents;
use super::says::{fields, says};
use super::{TextOptions, articles, counted, lasted};
use crate::paint::Paint;
use crate::story::model::{Story, StoryEvent};
use crate::story::states::taken_out;

/// Writes the steps of a story.
pub(super) struct Steps<'s> {
    story: &'s Story,
    options: TextOptions,
    paint: Paint,
    /// The events, as far as this version knows them.
    events: BTreeMap<Id, Event>,
    contents: Contents<'s>,
    /// What the latest request said of itself.
    admitted: Vec<String>,
}

/// Steps that are told together.
struct Section<'s> {
    turn: Option<usize>,
    steps: Vec<&'s StoryEvent>,
}

impl<'s> Steps<'s> {
    pub(super) fn new(story: &'s Story, options: TextOptions) -> Self {
        let read = |event: &StoryEvent| serde_json::from_str::<Event>(event.event.get()).ok();
        let events = story.events.iter().filter_map(|event| Some((event.id, read(event)?))).collect();
        let (paint, contents) = (Paint(options.color), Contents::new(story, options));
        Self { story, options, paint, events, contents, admitted: Vec::new() }
    }

    pub(super) fn write(mut self, out: &mut String) {
        let _ = writeln!(out, "\n{}", self.paint.title("What happened"));
        let sections = self.sections();
        for (at, section) in sections.iter().enumerate() {
            if self.contents.is_long {
                let _ = writeln!(out, "\n {}", self.paint.title(&heading(section, &sections[..at])));
            }
            section.steps.iter().for_each(|step| self.step(out, step));
        }
        if self.contents.is_shortened {
            let hint = "Not everything is shown: --full shows all content, --json the record itself.";
            let _ = writeln!(out, "  {}", self.paint.dim(hint));
        }
    }

    /// The steps of each turn together, in the order in which turns began; what belongs to none where it stands.
    fn sections(&self) -> Vec<Section<'s>> {
        let mut sections: Vec<Section<'s>> = Vec::new();
        for event in &self.story.events {
            let turn = event.turn.filter(|_| self.contents.is_long);
            let same = |section: &Section<'s>| section.turn == turn;
            let at = match turn {
                Some(_) => sections.iter().rposition(same),
                None => sections.len().checked_sub(1).filter(|last| same(&sections[*last])),
            };
            match at {
                Some(at) => sections[at].steps.push(event),
                None => sections.push(Section { turn, steps: vec![event] }),
            }
        }
        sections
    }

    fn step(&mut self, out: &mut String, step: &'s StoryEvent) {
        let event = self.events.get(&step.id);
        let width = self.story.events.len().to_string().len();
        let indent = " ".repeat(width + 5);
        let pieces = self.pieces(event);
        if let Some(pieces) = pieces.as_ref().filter(|_| !self.options.full) {
            // Told with the first of them.
            if pieces.first().map(|piece| piece.id) != Some(step.id) {
                return;
            }
        }
        let last = pieces.as_ref().and_then(|pieces| pieces.last()).filter(|_| !self.options.full);
        let number = match last {
            Some(last) if last.order > step.order => format!("#{}–#{}", step.order, last.order),
            _ => format!("#{:<width$}", step.order),
        };
        let kind = self.paint.name(&format!("{:<16}", step.kind));
        let _ = writeln!(out, "  {number}  {kind}  {}", self.paint.dim(&self.place(step, event)));
        if let Some(pieces) = pieces.filter(|_| !self.options.full) {
            let of = event.and_then(|event| delivery(event)?.of);
            let whole = of.and_then(|of| self.story.events.iter().find(|event| event.id == of));
            self.contents.delivered(out, &indent, &pieces, whole);
            return;
        }
        let says = self.says(event);
        let is_admitted = event
            .is_some_and(|event| matches!(event.body, Body::DecisionOpened(_) | Body::DecisionJoined(_)));
        let is_known = is_admitted && self.contents.is_long && says == self.admitted;
        for line in says.iter().filter(|_| !is_known) {
            let _ = writeln!(out, "{indent}{line}");
        }
        if is_admitted {
            self.admitted = says;
        }
        if !step.redactions.is_empty() {
            let said = taken_out(&step.redactions);
            let _ = writeln!(out, "{indent}{}", self.paint.dim(&format!("taken out: {said}")));
        }
        self.contents.payloads(out, &indent, step);
    }

    fn says(&self, event: Option<&Event>) -> Vec<String> {
        let Some(event) = event else {
            return vec!["a step of a kind that this version does not know".to_owned()];
        };
        let number = |id: Id| self.number(id).map_or_else(|| id.to_string(), |number| format!("#{number}"));
        let mut lines = match delivery(event) {
            Some(delivery) => self.broken_off(delivery),
            None => says(self.paint, event, &number),
        };
        lines.retain(|line| !line.is_empty());
        if let (Some(line), Some(sibling)) = (lines.first_mut(), self.sibling(event)) {
            line.push_str(&format!("; {sibling}"));
        }
        if self.options.full || lines.is_empty() {
            let body = serde_json::to_value(&event.body).unwrap_or_default();
            lines.extend(fields(&body));
        }
        lines
    }

    fn broken_off(&self, delivery: &Delivery) -> Vec<String> {
        let Some(end) = delivery.end else { return Vec::new() };
        let of = delivery.of.and_then(|of| self.number(of)).map_or(String::new(), |of| format!(" of #{of}"));
        let end = self.paint.bad(&end.as_str().replace('_', " "));
        vec![format!("passing on the answer{of} ended before it was whole: {end}")]
    }

    /// When, why, and where it stands.
    fn place(&self, step: &StoryEvent, event: Option<&Event>) -> String {
        let mut parts = vec![self.offset(event)];
        let mut causes: Vec<String> = step.causes.iter().map(|cause| format!("#{cause}")).collect();
        let named = event.into_iter().flat_map(super::super::order::causes);
        causes.extend(named.filter(|id| self.number(*id).is_none()).map(|id| format!("{id} (not here)")));
        if !causes.is_empty() {
            parts.push(format!("← {}", causes.join(" ")));
        }
        let entries: Vec<String> = std::iter::once(step.place.index)
            .chain(step.continued_in.iter().copied())
            .map(|index| index.to_string())
            .collect();
        let entry = if entries.len() == 1 { "entry" } else { "entries" };
        parts.push(format!("{entry} {}", entries.join(" ")));
        if !self.contents.is_long {
            parts.push(format!("serves {}", articles(step.serves)));
        }
        parts.join(", ")
    }

    /// How long after the first step it began.
    fn offset(&self, event: Option<&Event>) -> String {
        let begins = |event: &Event| event.started_at.unwrap_or(event.logged_at).nanos();
        let first = self.story.events.first().and_then(|first| self.events.get(&first.id)).map(begins);
        let (Some(first), Some(this)) = (first, event.map(begins)) else { return String::new() };
        let sign = if this < first { "−" } else { "+" };
        format!("{sign}{}", lasted(this.abs_diff(first)))
    }

    /// Which of several calls of tools that one model call asked for at the same time.
    fn sibling(&self, event: &Event) -> Option<String> {
        let calls = |other: &&StoryEvent| {
            self.events.get(&other.id).is_some_and(|other| {
                matches!(other.body, Body::ToolCall(_))
                    && other.after == event.after
                    && !other.after.is_empty()
            })
        };
        let (Body::ToolCall(_), [cause]) = (&event.body, event.after.as_slice()) else { return None };
        let siblings: Vec<&StoryEvent> = self.story.events.iter().filter(calls).collect();
        let at = siblings.iter().position(|sibling| sibling.id == event.id)? + 1;
        let cause = self.number(*cause)?;
        (siblings.len() > 1)
            .then(|| format!("call {at} of {} that #{cause} asked for at once", siblings.len()))
    }

    /// All pieces of the answer that this event is a piece of.
    fn pieces(&self, event: Option<&Event>) -> Option<Vec<&'s StoryEvent>> {
        let this = delivery(event?).filter(|delivery| delivery.part.is_some())?;
        let is_of = |other: &&StoryEvent| {
            let other = self.events.get(&other.id).and_then(delivery);
            other.is_some_and(|other| other.part.is_some() && other.of == this.of)
        };
        let mut pieces: Vec<&StoryEvent> = self.story.events.iter().filter(is_of).collect();
        let part = |event: &StoryEvent| {
            self.events.get(&event.id).and_then(delivery).and_then(|delivery| delivery.part)
        };
        pieces.sort_by_key(|piece| part(piece));
        Some(pieces)
    }

    fn number(&self, id: Id) -> Option<usize> {
        self.story.events.iter().find(|event| event.id == id).map(|event| event.order)
    }
}

fn delivery(event: &Event) -> Option<&Delivery> {
    match &event.body {
        Body::Delivery(delivery) => Some(delivery),
        _ => None,
    }
}

fn heading(section: &Section<'_>, before: &[Section<'_>]) -> String {
    let Some(turn) = section.turn else {
        let is_end = section.steps.iter().any(|step| step.kind == "decision.closed");
        return if is_end { "End" } else { "Besides" }.to_owned();
    };
    let first = section.steps.first().map_or(0, |step| step.order);
    let goes_on = |other: &&Section<'_>| other.steps.last().is_some_and(|step| step.order > first);
    let while_: Vec<String> =
        before.iter().filter(goes_on).filter_map(|other| other.turn).map(|turn| turn.to_string()).collect();
    match while_.as_slice() {
        [] => format!("Turn {turn}"),
        [one] => format!("Turn {turn}, while turn {one} was under way"),
        several => format!("Turn {turn}, while turns {} were under way", several.join(", ")),
    }
}

/// `3 pieces`.
pub(super) fn piece_count(pieces: usize) -> String {
    counted(pieces as u64, "piece")
}
