//! From entries to events: parts put together, repetitions left out, the summary drawn.

use std::collections::{BTreeMap, HashMap};

use inferlog_record::body::Body;
use inferlog_record::{
    Absent, Content, Entry, Event, Id, Kind, Level, Reason, Reference, RoleDoc, violations,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::model::{
    MissingPart, Place, RedactionTold, States, Story, StoryEvent, StoryPayload, StoryProof, Summary,
};
use super::order::{Ordered, causes, order};
use super::search::Hits;
use super::turns::{summary, turns};
use crate::error::Result;
use crate::open::OpenLog;

/// The events of an entry as they stand.
#[derive(Deserialize)]
struct RawEvents {
    events: Vec<Box<RawValue>>,
}

/// An event and where it was found.
struct Told {
    event: Event,
    place: Place,
    /// The first entry of the write that it became durable with.
    write: Place,
}

pub(super) fn assemble(decision: Id, found: &[(OpenLog, Hits)], proofs: Vec<StoryProof>) -> Result<Story> {
    let mut story = Story {
        decision,
        system: found.first().map_or(String::new(), |(log, _)| log.dir.system().to_owned()),
        outcome: None,
        model: None,
        model_version: None,
        model_identity: None,
        route: None,
        started_at: None,
        ended_at: None,
        subjects: Vec::new(),
        summary: Summary::default(),
        events: Vec::new(),
        missing: Vec::new(),
        states: States::default(),
        entries_purged: Vec::new(),
        proofs,
        mentioned_in: Vec::new(),
        problems: Vec::new(),
        absent: Vec::new(),
        notices: Vec::new(),
    };
    let mut told = AllTold::default();
    for (number, (log, hits)) in found.iter().enumerate() {
        story.mentioned_in.extend(hits.mentions.iter().map(|index| Place { log: number, index: *index }));
        for (index, bytes) in &hits.entries {
            let entry = Entry::from_bytes(bytes).map_err(|error| log.malformed(*index, error))?;
            let raw: RawEvents =
                serde_json::from_slice(bytes).map_err(|error| log.malformed(*index, error))?;
            check_part(&mut story, hits, *index, &entry);
            for (event, raw) in entry.events.into_iter().zip(raw.events) {
                let write = index.saturating_sub(u64::from(entry.part.saturating_sub(1)));
                let [place, write] = [*index, write].map(|index| Place { log: number, index });
                told.take(&mut story, raw, Told { event, place, write });
            }
        }
    }
    let told = told.told;
    for told in &told {
        summarise(&mut story, &told.event);
        find_missing(&mut story, told);
    }
    arrange(&mut story, &told);
    check_firsts(&mut story);
    if !story.events.iter().any(|event| event.kind == Kind::DecisionOpened.as_str()) {
        story.absent.push("no decision.opened was found".to_owned());
    }
    Ok(story)
}

/// The other parts of a write stand beside this one.
fn check_part(story: &mut Story, hits: &Hits, index: u64, entry: &Entry) {
    let first = (index + 1).checked_sub(u64::from(entry.part));
    let parts = first.map(|first| first..first + u64::from(entry.of));
    let has = |index: u64| hits.entries.binary_search_by_key(&index, |(index, _)| *index).is_ok();
    if entry.of > 1 && !parts.is_some_and(|mut parts| parts.all(has)) {
        let what = format!(
            "entry {index} is part {} of {}, and not all parts stand beside it",
            entry.part, entry.of
        );
        story.absent.push(what);
    }
}

/// What is told so far.
#[derive(Default)]
struct AllTold {
    /// One for each of the story's events, at the same place.
    told: Vec<Told>,
    known: HashMap<Id, usize>,
}

impl AllTold {
    /// Adds an event, or the rest of one. An id may stand in the log twice after a retry: the first place wins.
    fn take(&mut self, story: &mut Story, raw: Box<RawValue>, new: Told) {
        let Told { event, place, write } = new;
        let payloads = event.payloads.iter().map(payload);
        if let Some(at) = self.known.get(&event.id) {
            let known = &mut story.events[*at];
            if matches!(event.body, Body::Rest(_)) && known.place.log == place.log {
                known.payloads.extend(payloads);
                known.continued_in.push(place.index);
                self.told[*at].event.payloads.extend(event.payloads);
            }
            return;
        }
        if matches!(event.body, Body::Rest(_)) {
            story
                .absent
                .push(format!("event {} is continued in entry {} and was not begun", event.id, place.index));
        }
        self.known.insert(event.id, story.events.len());
        story.events.push(StoryEvent {
            order: 0,
            causes: Vec::new(),
            turn: None,
            place,
            continued_in: Vec::new(),
            id: event.id,
            kind: event.body.kind_text().to_owned(),
            serves: event.kind().map_or("", Kind::serves),
            logged_at: event.logged_at.to_string(),
            redactions: event.redactions.iter().map(redaction).collect(),
            event: raw,
            payloads: payloads.collect(),
        });
        self.told.push(Told { event, place, write });
    }
}

fn redaction(redaction: &inferlog_record::Redaction) -> RedactionTold {
    RedactionTold {
        rule: redaction.rule.to_string(),
        action: redaction.action.to_string(),
        count: redaction.count.0,
    }
}

fn payload(reference: &Reference) -> StoryPayload {
    let mut payload = StoryPayload {
        role: reference.role.to_string(),
        payload: reference.payload,
        state: reference.state().to_string(),
        reason: None,
        removed: None,
        held: Vec::new(),
        withheld: Vec::new(),
        first: None,
        media_type: None,
        size: None,
        key_id: None,
        content: None,
        verified: None,
        problem: None,
    };
    match &reference.content {
        Content::Sealed(sealed) => {
            payload.media_type = Some(sealed.media_type.to_string());
            payload.size = Some(sealed.size);
            payload.key_id = Some(sealed.key_id.to_string());
        }
        Content::Shared(shared) => {
            payload.media_type = Some(shared.media_type.to_string());
            payload.size = Some(shared.size);
        }
        Content::First(first, _) => payload.first = Some(*first),
        Content::Absent(absent) => payload.reason = Some(absent.reason.to_string()),
    }
    payload
}

/// Puts the events in causal order, and says of each what caused it and to which turn it belongs.
fn arrange(story: &mut Story, told: &[Told]) {
    let Ordered { sequence, in_a_ring } = order(&told.iter().map(|told| &told.event).collect::<Vec<_>>());
    for at in in_a_ring {
        story.problems.push(format!("event {} is among its own causes", told[at].event.id));
    }
    let ordered: Vec<&Told> = sequence.iter().map(|at| &told[*at]).collect();
    let numbers: BTreeMap<Id, usize> = ordered.iter().map(|told| told.event.id).zip(1..).collect();
    let turns = turns(&ordered.iter().map(|told| (&told.event, told.write)).collect::<Vec<_>>());
    let mut events: BTreeMap<Id, StoryEvent> =
        std::mem::take(&mut story.events).into_iter().map(|event| (event.id, event)).collect();
    for ((told, turn), order) in ordered.iter().zip(turns).zip(1..) {
        let Some(mut event) = events.remove(&told.event.id) else { continue };
        let mut causes: Vec<usize> = causes(&told.event).filter_map(|id| numbers.get(&id).copied()).collect();
        causes.sort_unstable();
        (event.order, event.causes, event.turn) = (order, causes, turn);
        story.events.push(event);
    }
    story.summary = summary(ordered.iter().map(|told| &told.event));
    story.summary.duration_ns = nanos(story.started_at.as_deref(), story.ended_at.as_deref());
}

/// The time between two moments, nanoseconds.
fn nanos(from: Option<&str>, to: Option<&str>) -> Option<u64> {
    let [from, to] = [from?, to?].map(|text| text.parse::<inferlog_record::Timestamp>().ok());
    to?.nanos().checked_sub(from?.nanos())
}

fn summarise(story: &mut Story, event: &Event) {
    for subject in event.subjects.iter().map(ToString::to_string) {
        if !story.subjects.contains(&subject) {
            story.subjects.push(subject);
        }
    }
    let text = |time: Option<inferlog_record::Timestamp>| Some(time.unwrap_or(event.logged_at).to_string());
    match &event.body {
        Body::DecisionOpened(opened) => {
            story.route = opened.route.as_ref().map(ToString::to_string);
            story.started_at = text(event.started_at);
        }
        Body::Inference(inference) => {
            let model = &inference.model;
            story.model = model.returned.as_ref().or(model.requested.as_ref()).map(ToString::to_string);
            story.model_version = model.version.as_ref().map(ToString::to_string);
            story.model_identity = Some(model.identity.to_string());
        }
        // The highest index counts: events come in the order of the log.
        Body::DecisionClosed(closed) => {
            story.outcome = Some(closed.outcome.to_string());
            story.ended_at = text(event.ended_at);
        }
        _ => {}
    }
}

/// What the record's tables ask for and the event lacks, and what its references say is not there.
fn find_missing(story: &mut Story, told: &Told) {
    let event = &told.event;
    for reference in &event.payloads {
        if let Content::Absent(Absent { reason, .. }) = reference.content {
            let row = row(event, reference);
            story.missing.push(MissingPart {
                place: told.place,
                event: event.id,
                field: format!("{}.payloads[{}]", event.body.kind_text(), reference.role),
                why: explain(reason),
                explained: true,
                serves: row.map_or("", |row| row.serves).to_owned(),
                level: row.map_or("", |row| row.level.letter()),
            });
        }
    }
    for violation in violations(event, Level::Required) {
        story.missing.push(MissingPart {
            place: told.place,
            event: event.id,
            field: violation.field,
            why: format!("not recorded: {}", violation.rule),
            explained: false,
            serves: violation.serves.to_owned(),
            level: violation.level.letter(),
        });
    }
}

/// What the record's tables say of a payload's role.
fn row(event: &Event, reference: &Reference) -> Option<&'static RoleDoc> {
    let rows = event.kind().map_or(&[][..], Kind::payloads);
    rows.iter().chain(inferlog_record::COMMON_ROLES).find(|row| row.role == reference.role)
}

pub(super) fn explain(reason: Reason) -> String {
    match reason {
        Reason::Because(why) => {
            let meaning = inferlog_record::Why::ALL
                .iter()
                .zip(inferlog_record::Why::MEANINGS)
                .find(|(one, _)| **one == why);
            let meaning = meaning.map_or("", |(_, meaning)| meaning.trim().trim_end_matches('.'));
            format!("{why}: {}", lower(meaning))
        }
        Reason::ErasedByOrder(event) => format!("erased under the erasure event {event}"),
        Reason::PurgedByPolicy(event) => format!("removed under the retention policy of purge event {event}"),
    }
}

pub(crate) fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}

/// A reference to content recorded before leads to an event of this decision that holds it.
fn check_firsts(story: &mut Story) {
    let held: BTreeMap<(Id, Id), ()> = story
        .events
        .iter()
        .flat_map(|event| {
            event
                .payloads
                .iter()
                .filter(|payload| payload.first.is_none())
                .map(|payload| (event.id, payload.payload))
        })
        .map(|key| (key, ()))
        .collect();
    for event in &story.events {
        for payload in &event.payloads {
            if let Some(first) = payload.first.filter(|first| !held.contains_key(&(*first, payload.payload)))
            {
                story.absent.push(format!(
                    "{} of event {} was first recorded by event {first}, which is not here",
                    payload.role, event.id
                ));
            }
        }
    }
}
