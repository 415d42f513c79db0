//! What an event says, in few words: by kind.

use inferlog_record::Event;
use inferlog_record::body::{
    Body, DecisionClosed, Document, Human, Identical, Inference, Label, ModelIdentity, Prompt, ReasoningForm,
    Retrieval, StepOutcome, ToolCall, Toolset,
};
use serde_json::Value;

use super::{lasted, shorten, tokens};
use crate::paint::Paint;
use crate::story::model::Tokens;

/// The essentials of an event, a line each; `number` gives the number of another event.
pub(super) fn says(
    paint: Paint,
    event: &Event,
    number: &dyn Fn(inferlog_record::Id) -> String,
) -> Vec<String> {
    let text = |parts: Vec<Option<String>>| vec![parts.into_iter().flatten().collect::<Vec<_>>().join(", ")];
    match &event.body {
        Body::DecisionOpened(body) => text(vec![
            named("route", body.route.as_ref()),
            named("wire", body.wire.as_ref()),
            named("method", body.method.as_ref()),
        ]),
        Body::DecisionJoined(body) => text(vec![
            named("route", body.route.as_ref()),
            named("wire", body.wire.as_ref()),
            named("method", body.method.as_ref()),
        ]),
        Body::Inference(body) => inference(paint, event, body),
        Body::Retrieval(body) => retrieval(paint, body),
        Body::ToolCall(body) => text(tool_call(paint, body)),
        Body::Transform(body) => text(vec![
            body.stage.map(|stage| format!("{stage}-processing")),
            Some(body.name.to_string()),
            named("version", body.version.as_ref()),
            Some(step(paint, body.outcome)),
            named("error", body.error.as_ref()),
            took(event),
        ]),
        Body::Reasoning(body) => text(vec![Some(form(body.form).to_owned())]),
        Body::Output(body) => text(vec![Some(identical(&body.identical))]),
        Body::Human(body) => text(human(body, number)),
        Body::Label(body) => text(label(body, number)),
        Body::DecisionClosed(body) => text(closed(paint, body)),
        _ => Vec::new(),
    }
}

/// Every field of an event's body; why a name is absent is told with what is missing.
pub(super) fn fields(body: &Value) -> Option<String> {
    let mut leaves = Vec::new();
    flatten("", body, &mut leaves);
    (!leaves.is_empty()).then(|| leaves.join(", "))
}

fn inference(paint: Paint, event: &Event, body: &Inference) -> Vec<String> {
    let name = |name: &Option<_>| name.as_ref().map(ToString::to_string);
    let model = &body.model;
    let names = match (name(&model.requested), name(&model.returned)) {
        (Some(asked), Some(answered)) if asked == answered => format!("model {answered}"),
        (Some(asked), Some(answered)) => format!("asked for {asked}, answered by {answered}"),
        (Some(asked), None) => format!("asked for {asked}"),
        (None, Some(answered)) => format!("answered by {answered}"),
        (None, None) => "model without a name".to_owned(),
    };
    let identity = match model.identity {
        ModelIdentity::Exact => "exact",
        ModelIdentity::Alias => "an alias",
        ModelIdentity::Unknown => "not known which",
    };
    let version = model.version.as_ref().map_or(String::new(), |version| format!(", version {version}"));
    let how = [
        Some(step(paint, body.outcome)),
        body.finish_reason.map(|reason| format!("finish {reason}")),
        named("error", body.error.as_ref()),
        named("status", body.status.as_ref()),
        body.stream.map(|stream| if stream { "streamed" } else { "whole" }.to_owned()),
        body.choices.filter(|choices| choices.0 > 1).map(|choices| format!("{choices} choices")),
        took(event),
        body.time_to_first_byte_ns.map(|ns| format!("first byte after {}", lasted(ns.0))),
    ];
    let used = body.usage.as_ref().and_then(|usage| {
        let [input, output, cached, reasoning] = [usage.input, usage.output, usage.cached, usage.reasoning]
            .map(|count| count.map(|count| count.0));
        tokens(&Tokens { input, output, cached, reasoning })
    });
    let mut lines = vec![
        format!("{names}{version} ({identity})"),
        how.into_iter().flatten().collect::<Vec<_>>().join(", "),
    ];
    lines.extend(used);
    let prompt = |prompt: &Prompt| {
        let (name, version) = prompt.name.as_ref().zip(prompt.version.as_ref())?;
        Some(format!("{} prompt {name}, version {version}", prompt.role))
    };
    let tools = |tools: &Toolset| format!("tools {}, version {}", tools.name, tools.version);
    let registered: Vec<String> =
        body.prompts.iter().filter_map(prompt).chain(body.toolsets.iter().map(tools)).collect();
    if !registered.is_empty() {
        lines.push(format!("registered: {}", shorten(&registered.join("; "), 400)));
    }
    lines
}

fn tool_call(paint: Paint, body: &ToolCall) -> Vec<Option<String>> {
    vec![
        Some(body.name.to_string()),
        named("version", body.version.as_ref()),
        body.attempt.map(|attempt| format!("attempt {attempt}")),
        Some(step(paint, body.outcome)),
        named("error", body.error.as_ref()),
        body.latency_ns.map(|ns| format!("back after {}", lasted(ns.0))),
    ]
}

fn retrieval(paint: Paint, body: &Retrieval) -> Vec<String> {
    let how = [
        body.index.as_ref().map(|index| format!("index {index}")),
        named("version", body.index_version.as_ref()),
        named("source", body.source.as_ref()),
        Some(step(paint, body.outcome)),
        named("error", body.error.as_ref()),
        Some(match body.total {
            Some(total) => format!("{} of {total} documents", body.documents.len()),
            None => format!("{} documents", body.documents.len()),
        }),
    ];
    let document = |document: &Document| match document.score_millionths {
        Some(score) => format!("document {}: score {}", document.rank, score.0 as f64 / 1e6),
        None => format!("document {}", document.rank),
    };
    let ranks: Vec<String> = body.documents.iter().map(document).collect();
    let mut lines = vec![how.into_iter().flatten().collect::<Vec<_>>().join(", ")];
    if !ranks.is_empty() {
        lines.push(shorten(&ranks.join(", "), 400));
    }
    lines
}

fn human(body: &Human, number: &dyn Fn(inferlog_record::Id) -> String) -> Vec<Option<String>> {
    vec![
        Some(body.action.to_string()),
        body.about.map(|id| format!("about {}", number(id))),
        body.reviewer.map(|reviewer| format!("by {reviewer} (pseudonym)")),
    ]
}

fn label(body: &Label, number: &dyn Fn(inferlog_record::Id) -> String) -> Vec<Option<String>> {
    vec![
        Some(body.name.to_string()),
        Some(format!("from {}", body.origin.as_str().replace('_', " "))),
        body.about.map(|id| format!("about {}", number(id))),
    ]
}

fn closed(paint: Paint, body: &DecisionClosed) -> Vec<Option<String>> {
    vec![
        Some(super::outcome(paint, Some(body.outcome.as_str()))),
        body.exchange.map(|end| format!("exchange {}", end.as_str().replace('_', " "))),
        named("error", body.error.as_ref()),
        named("status", body.status.as_ref()),
    ]
}

fn identical(same: &Identical) -> String {
    format!(
        "raw and processed the same: {}, processed and final the same: {}",
        same.raw_processed, same.processed_final
    )
}

fn form(form: ReasoningForm) -> &'static str {
    match form {
        ReasoningForm::Full => "in full",
        ReasoningForm::Summary => "a summary of it",
        ReasoningForm::Opaque => "opaque: only its provider can read it",
    }
}

fn step(paint: Paint, outcome: StepOutcome) -> String {
    match outcome {
        StepOutcome::Ok => paint.good("ok"),
        other => paint.bad(other.as_str()),
    }
}

fn took(event: &Event) -> Option<String> {
    let passed = event.ended_at?.nanos().checked_sub(event.started_at?.nanos())?;
    Some(format!("took {}", lasted(passed)))
}

fn named(name: &str, value: Option<&impl ToString>) -> Option<String> {
    value.map(|value| format!("{name} {}", value.to_string()))
}

/// `name value` for each value.
fn flatten(path: &str, value: &Value, leaves: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (name, value) in members.iter().filter(|(name, _)| *name != "absent") {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, value, leaves);
            }
        }
        Value::Array(items) => {
            let texts: Vec<String> =
                items.iter().map(|item| item.as_str().map_or(item.to_string(), str::to_owned)).collect();
            leaves.push(format!("{path} [{}]", shorten(&texts.join(", "), 120)));
        }
        Value::String(text) => leaves.push(format!("{path} {text}")),
        other => leaves.push(format!("{path} {other}")),
    }
}
