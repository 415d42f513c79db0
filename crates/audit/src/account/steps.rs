//! The graph: steps and what led to what.

use std::collections::{HashMap, HashSet};

use inferlog_record::body::Body;
use inferlog_record::{Event, Timestamp};

use super::model::{Edge, Step, StepProof, Why};
use super::reader::{Reader, Told, text};

/// All steps in causal order, and the edges between them.
pub(super) fn graph(reader: &Reader<'_>) -> (Vec<Step>, Vec<Edge>) {
    let included = included(reader);
    let began = reader.story.started_at.as_deref().and_then(|began| began.parse::<Timestamp>().ok());
    let steps = reader.steps.iter().map(|told| step(reader, told, began, &included)).collect();
    let mut edges = Vec::new();
    for (told, event) in reader.events() {
        let number = |id: &inferlog_record::Id| reader.number(*id).filter(|from| *from != told.step.order);
        let to = told.step.order;
        edges.extend(event.after.iter().filter_map(number).map(|from| Edge { from, to, why: Why::After }));
        edges.extend(event.parent.iter().filter_map(number).map(|from| Edge { from, to, why: Why::Part }));
    }
    edges.sort_unstable();
    edges.dedup();
    (steps, edges)
}

/// Entries whose inclusion is proved, by log.
fn included(reader: &Reader<'_>) -> HashMap<usize, HashSet<u64>> {
    let of = |proof: &crate::story::StoryProof| {
        proof.entries.iter().filter(|entry| entry.included).map(|entry| entry.index).collect()
    };
    reader.story.proofs.iter().enumerate().map(|(log, proof)| (log, of(proof))).collect()
}

fn step(
    reader: &Reader<'_>,
    told: &Told<'_>,
    began: Option<Timestamp>,
    included: &HashMap<usize, HashSet<u64>>,
) -> Step {
    let (story, event) = (told.step, told.event.as_ref());
    let entries: Vec<u64> =
        std::iter::once(story.place.index).chain(story.continued_in.iter().copied()).collect();
    let is_in = |index: &u64| included.get(&story.place.log).is_some_and(|log| log.contains(index));
    let begins = event.map(|event| event.started_at.unwrap_or(event.logged_at));
    Step {
        number: story.order,
        event: story.id,
        kind: story.kind.clone(),
        label: event.map_or_else(String::new, |event| label(event, reader)),
        outcome: event.and_then(|event| outcome(&event.body)),
        error: event.and_then(|event| error(&event.body)),
        turn: story.turn,
        began: event.and_then(|event| text(event.started_at.as_ref())),
        ended: event.and_then(|event| text(event.ended_at.as_ref())),
        logged_at: story.logged_at.clone(),
        offset_ns: began.zip(begins).map(|(from, to)| difference(from, to)),
        took_ns: event.and_then(took),
        serves: story.serves.to_owned(),
        late: reader.is_late(told),
        subjects: event
            .map_or_else(Vec::new, |event| event.subjects.iter().map(ToString::to_string).collect()),
        holds: told.holds().collect(),
        redactions: told.step.redactions.clone(),
        proof: StepProof { log: story.place.log, included: entries.iter().all(is_in), entries },
    }
}

/// From one moment to another, nanoseconds.
fn difference(from: Timestamp, to: Timestamp) -> i64 {
    let apart = i64::try_from(from.nanos().abs_diff(to.nanos())).unwrap_or(i64::MAX);
    if to < from { -apart } else { apart }
}

/// How long a step took, nanoseconds.
pub(super) fn took(event: &Event) -> Option<u64> {
    event.ended_at?.nanos().checked_sub(event.started_at?.nanos())
}

/// What a step is, in a few words.
fn label(event: &Event, reader: &Reader<'_>) -> String {
    let step = |id: Option<inferlog_record::Id>| {
        id.and_then(|id| reader.number(id)).map(|number| format!("#{number}"))
    };
    let parts: Vec<Option<String>> = match &event.body {
        Body::DecisionOpened(body) => vec![text(body.route.as_ref()), text(body.wire.as_ref())],
        Body::DecisionJoined(body) => vec![text(body.route.as_ref()), text(body.wire.as_ref())],
        Body::Inference(body) => vec![
            text(body.model.returned.as_ref().or(body.model.requested.as_ref())),
            body.model.version.as_ref().map(|version| format!("version {version}")),
        ],
        Body::Retrieval(body) => vec![
            text(body.index.as_ref()),
            body.index_version.as_ref().map(|version| format!("version {version}")),
        ],
        Body::ToolCall(body) => vec![
            Some(body.name.to_string()),
            body.attempt.filter(|attempt| *attempt > 1).map(|attempt| format!("attempt {attempt}")),
        ],
        Body::Transform(body) => vec![
            Some(body.name.to_string()),
            body.version.as_ref().map(|version| format!("version {version}")),
        ],
        Body::Reasoning(body) => vec![Some(body.form.to_string())],
        Body::Human(body) => vec![step(body.about).map(|step| format!("about {step}"))],
        Body::Label(body) => {
            vec![Some(body.name.to_string()), Some(body.origin.to_string().replace('_', " "))]
        }
        Body::Delivery(body) => vec![
            body.part.map(|part| format!("piece {part}")),
            step(body.of).map(|step| format!("of {step}")),
        ],
        Body::BiometricMatch(body) => vec![Some(body.database.to_string())],
        Body::ContextAdded(body) => vec![text(body.environment.as_ref()), text(body.build.as_ref())],
        _ => Vec::new(),
    };
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn outcome(body: &Body) -> Option<String> {
    match body {
        Body::Inference(body) => Some(body.outcome.to_string()),
        Body::Retrieval(body) => Some(body.outcome.to_string()),
        Body::ToolCall(body) => Some(body.outcome.to_string()),
        Body::Transform(body) => Some(body.outcome.to_string()),
        Body::DecisionClosed(body) => Some(body.outcome.to_string()),
        Body::Human(body) => Some(body.action.to_string()),
        Body::BiometricMatch(body) => Some(body.result.to_string()),
        Body::Delivery(body) => text(body.end.as_ref()),
        _ => None,
    }
}

fn error(body: &Body) -> Option<String> {
    match body {
        Body::Inference(body) => text(body.error.as_ref()),
        Body::Retrieval(body) => text(body.error.as_ref()),
        Body::ToolCall(body) => text(body.error.as_ref()),
        Body::Transform(body) => text(body.error.as_ref()),
        Body::DecisionClosed(body) => text(body.error.as_ref()),
        _ => None,
    }
}
