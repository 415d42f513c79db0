//! An event as an entry of aiact-audit-log (`schema.ts`, schema version `v1`).

use inferlog_record::body::{Body, HumanAction, MatchResult, Usage};
use inferlog_record::{CaptureMethod, ClearName, Event, PayloadRole};
use serde_json::{Map, Number, Value, json};

use super::{chain, time};
use crate::Report;
use crate::content::{Birth, Opener};
use crate::happening::Happening;

type Members = Map<String, Value>;

/// The entry, but for its place in the chain.
pub(super) fn entry(
    opener: &Opener<'_>,
    report: &mut Report,
    happening: &Happening,
    origin: &str,
    timestamp: &str,
) -> Members {
    let event = &happening.event;
    let mut draft = Draft { opener, report, happening, entry: Map::new(), metadata: Map::new() };
    draft.set("schemaVersion", "v1");
    draft.set("entryId", event.id.to_string());
    // Events of the system's life belong to no decision, and the field must not be empty.
    draft.set("decisionId", happening.decision.unwrap_or(event.id).to_string());
    draft.set("systemId", event.system.to_string());
    draft.set("timestamp", timestamp);
    draft.set("eventType", event_type(&event.body));
    draft.set("captureMethod", capture_method(event));
    draft.set("providerId", Value::Null);
    draft.set("latencyMs", latency(event));
    for (name, value) in [
        ("inferlog.kind", Value::from(event.body.kind_text())),
        ("inferlog.log", origin.into()),
        ("inferlog.entry", happening.index.into()),
        ("inferlog.place", happening.place.into()),
    ] {
        draft.metadata.insert(name.into(), value);
    }
    if let Some(started) = event.started_at {
        draft.metadata.insert("inferlog.startedAt".into(), time(started).into());
    }
    if let Some(seq) = event.seq {
        draft.set("stepIndex", seq.0);
    }
    if let Some(parent) = event.parent {
        draft.set("parentEntryId", parent.to_string());
    }
    draft.contents();
    draft.facts();
    draft.entry.insert("metadata".into(), Value::Object(draft.metadata));
    draft.entry
}

struct Draft<'a> {
    opener: &'a Opener<'a>,
    report: &'a mut Report,
    happening: &'a Happening,
    entry: Members,
    metadata: Members,
}

/// What became of a payload.
enum Content {
    Text(String),
    Base64(String),
    /// What binds it, if it was recorded, and why it is not given.
    Not(Option<String>, String),
}

impl Draft<'_> {
    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.entry.insert(name.to_owned(), value.into());
    }

    fn note(&mut self, name: &str, value: impl Into<Value>) {
        self.metadata.insert(format!("inferlog.{name}"), value.into());
    }

    fn content(&mut self, role: PayloadRole) -> Option<Content> {
        let held = self.happening.held(role)?;
        Some(match held.open(self.opener).map(crate::content::Opened::text) {
            Ok(("text", text)) => Content::Text(text),
            Ok((_, base64)) => Content::Base64(base64),
            Err(why) => {
                self.report.not_opened(why.state);
                let commitment = held.birth.as_ref().map(|birth: &Birth| birth.sealed.commitment.to_string());
                Content::Not(commitment, format!("{}: {}", why.state, why.why))
            }
        })
    }

    /// As `InputData` or `OutputData`; `null` if the event speaks of no such content.
    fn data(&mut self, name: &str, role: PayloadRole) -> Value {
        match self.content(role) {
            None => Value::Null,
            Some(Content::Text(text)) => json!({ "type": "raw", "value": text }),
            Some(Content::Base64(base64)) => {
                self.note(&format!("{name}Encoding"), "base64");
                json!({ "type": "raw", "value": base64 })
            }
            Some(Content::Not(commitment, why)) => {
                // Not SHA-256 of the content, as the original writes: a bare hash of guessable text is that text.
                self.note(&format!("{name}NotGiven"), why);
                if commitment.is_some() {
                    self.note(&format!("{name}Hash"), "inferlog commitment (HMAC-SHA256)");
                }
                json!({ "type": "hash", "value": commitment.unwrap_or_default() })
            }
        }
    }

    /// Content as text, where a text must stand; empty if it is not given.
    fn text(&mut self, name: &str, role: PayloadRole) -> Option<String> {
        match self.content(role)? {
            Content::Text(text) => Some(text),
            Content::Base64(base64) => {
                self.note(&format!("{name}Encoding"), "base64");
                Some(base64)
            }
            Content::Not(_, why) => {
                self.note(&format!("{name}NotGiven"), why);
                None
            }
        }
    }

    fn contents(&mut self) {
        use PayloadRole as Role;
        let (input, output) = match &self.happening.event.body {
            Body::DecisionOpened(_) | Body::DecisionJoined(_) => (Some(Role::InputRaw), None),
            Body::ContextAdded(_) => (Some(Role::InputEnriched), None),
            Body::Inference(_) => (Some(Role::InputAssembled), Some(Role::OutputRaw)),
            Body::Retrieval(_) => (Some(Role::RetrievalQuery), None),
            Body::Transform(_) => (Some(Role::TransformIn), Some(Role::TransformOut)),
            Body::ToolCall(_) => (Some(Role::ToolArguments), Some(Role::ToolResult)),
            Body::Reasoning(_) => (None, Some(Role::Reasoning)),
            Body::Output(_) => (None, Some(Role::OutputFinal)),
            Body::Delivery(_) => (None, Some(Role::OutputPart)),
            Body::Human(_) => (None, Some(Role::HumanAfter)),
            Body::Label(_) => (None, Some(Role::LabelValue)),
            Body::BiometricMatch(_) => (Some(Role::BiometricInput), None),
            _ => (None, None),
        };
        let input = input.map_or(Value::Null, |role| self.data("input", role));
        // The field must be there, whatever the event is.
        let nothing = || json!({ "type": "raw", "value": "" });
        self.set("input", if input.is_null() { nothing() } else { input });
        let output = output.map_or(Value::Null, |role| self.data("output", role));
        self.set("output", output);
    }

    /// What the kinds say of themselves.
    fn facts(&mut self) {
        for name in ["modelId", "usage", "error", "parameters"] {
            self.set(name, Value::Null);
        }
        let body = &self.happening.event.body;
        match body {
            Body::Inference(inference) => {
                let model = &inference.model;
                let name = model.returned.as_ref().or(model.requested.as_ref());
                self.set("modelId", text(name));
                if let Some(version) = &model.version {
                    self.note("modelVersion", version.as_str());
                }
                self.note("outcome", inference.outcome.as_str());
                if let (Some(reason), Some(Value::Object(output))) =
                    (inference.finish_reason, self.entry.get_mut("output"))
                {
                    output.insert("finishReason".into(), reason.as_str().into());
                }
                self.usage(inference.usage.as_ref());
                self.error(inference.error.map(|error| error.as_str()));
                self.parameters();
            }
            Body::ToolCall(call) => {
                self.note("outcome", call.outcome.as_str());
                self.error(call.error.map(|error| error.as_str()));
                let arguments = self.text("toolArgs", PayloadRole::ToolArguments).unwrap_or_default();
                let mut said = json!({ "toolName": call.name.as_str(), "toolArgs": arguments });
                if let Some(result) = self.text("toolResult", PayloadRole::ToolResult) {
                    said["toolResult"] = result.into();
                }
                self.set("toolCall", said);
            }
            Body::Human(human) => self.human(human),
            Body::BiometricMatch(found) => {
                self.set("referenceDatabase", found.database.as_str());
                let mut result = json!({ "matched": found.result == MatchResult::Match });
                if let Some(score) = found.score_millionths {
                    result["matchConfidence"] = score.to_f64().into();
                }
                self.set("matchResult", result);
                self.note("matchResult", found.result.as_str());
            }
            Body::DecisionClosed(closed) => {
                self.note("outcome", closed.outcome.as_str());
                self.error(closed.error.map(|error| error.as_str()));
            }
            Body::Label(label) => {
                self.note("label", label.name.as_str());
                self.note("labelOrigin", label.origin.as_str());
            }
            _ => {}
        }
    }

    fn usage(&mut self, usage: Option<&Usage>) {
        let Some(usage) = usage else { return };
        let (input, output) = (usage.input.map(|count| count.0), usage.output.map(|count| count.0));
        // All three counts must be there.
        if let (Some(input), Some(output)) = (input, output) {
            let total = input.saturating_add(output);
            self.set(
                "usage",
                json!({ "promptTokens": input, "completionTokens": output, "totalTokens": total }),
            );
        }
    }

    fn error(&mut self, code: Option<&str>) {
        let Some(code) = code else { return };
        let message = self.text("error", PayloadRole::Error).unwrap_or_else(|| code.to_owned());
        self.set("error", json!({ "code": code, "message": message }));
    }

    /// The parameters as an object; as text in one, where they are none or JavaScript would change them.
    fn parameters(&mut self) {
        let Some(text) = self.text("parameters", PayloadRole::ParamsRequested) else { return };
        let parameters = match serde_json::from_str::<Value>(&text) {
            Ok(json) if json.is_object() && chain::is_faithful(&json) => json,
            _ => json!({ "json": text }),
        };
        self.set("parameters", parameters);
    }

    fn human(&mut self, human: &inferlog_record::body::Human) {
        let reviewer = human.reviewer.map_or_else(|| "unknown".to_owned(), |reviewer| reviewer.to_string());
        let mut said = json!({
            "type": intervention(human.action),
            "userId": reviewer,
            "timestamp": self.entry.get("timestamp"),
        });
        if let Some(reason) = self.text("reason", PayloadRole::HumanReason) {
            said["reason"] = reason.into();
        }
        let before = self.data("originalOutput", PayloadRole::HumanBefore);
        if !before.is_null() {
            said["originalOutput"] = before;
        }
        self.note("action", human.action.as_str());
        self.set("humanIntervention", said);
    }
}

fn text(name: Option<&ClearName>) -> Value {
    name.map_or(Value::Null, |name| name.as_str().into())
}

fn event_type(body: &Body) -> &'static str {
    match body {
        Body::Inference(_) => "inference",
        Body::ToolCall(_) => "tool_call",
        Body::Human(_) => "human_intervention",
        Body::SessionStarted(_) => "session_start",
        Body::SessionEnded(_) => "session_end",
        _ => "system_event",
    }
}

/// Five types stand for eight actions; `inferlog.action` has the action itself.
fn intervention(action: HumanAction) -> &'static str {
    match action {
        HumanAction::Approve => "approval",
        HumanAction::Reject | HumanAction::Disregard | HumanAction::Stop => "rejection",
        HumanAction::Modify => "modification",
        HumanAction::Override | HumanAction::Reverse => "override",
        HumanAction::Escalate => "escalation",
    }
}

fn capture_method(event: &Event) -> &'static str {
    match event.capture.as_ref().map(|capture| capture.method) {
        Some(CaptureMethod::Gateway | CaptureMethod::Layer | CaptureMethod::Otlp) => "middleware",
        Some(CaptureMethod::Sdk | CaptureMethod::Import) | None => "manual",
    }
}

/// Milliseconds, with their fractions.
fn latency(event: &Event) -> Value {
    let (Some(started), Some(ended)) = (event.started_at, event.ended_at) else { return Value::Null };
    let took = ended.nanos().saturating_sub(started.nanos()) as f64 / 1e6;
    Number::from_f64(took).map_or(Value::Null, Value::Number)
}
