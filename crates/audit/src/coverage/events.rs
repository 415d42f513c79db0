//! What is judged of one event by itself.

use std::collections::BTreeMap;

use inferlog_record::body::{
    BiometricMatch, Body, Inference, MatchResult, ModelIdentity, Output, PromptRole, StepOutcome, ToolCall,
    Tri,
};
use inferlog_record::{
    Completeness, Count, Event, Kind, Level, PayloadRole, State, Timestamp, Violation, violations,
};

use super::fields::Fields;
use super::report::{CaptureShare, FieldShare, Severity};
use super::rules::{Finds, Of, Rule, Sight, share};

/// Ways of capture that are told apart.
const CAPTURES_MAX: usize = 1_024;

/// Counts of the events of a window.
#[derive(Debug, Default)]
pub(super) struct Events {
    fields: Fields,
    captures: BTreeMap<[String; 4], u64>,
    captured: u64,
    pub(super) kinds: BTreeMap<String, u64>,
    pub(super) events: u64,
    matches: u64,
}

impl Events {
    /// Takes an event of the window; `about` is what its findings give as an example: its decision, or the event.
    pub(super) fn take(&mut self, event: &Event, about: &dyn std::fmt::Display, finds: &mut Finds) {
        self.events += 1;
        *self.kinds.entry(event.body.kind_text().to_owned()).or_default() += 1;
        let Some(kind) = event.kind().filter(|_| !matches!(event.body, Body::Rest(_))) else { return };
        let broken = violations(event, Level::Required);
        self.fields.take(event, kind, &broken);
        self.captured(event, about, finds);
        match &event.body {
            Body::Inference(body) => inference(event, body, about, finds),
            Body::ToolCall(body) => tool_call(event, body, about, finds),
            Body::Output(body) => output(event, body, about, finds),
            Body::BiometricMatch(body) => {
                self.matches += u64::from(body.result == MatchResult::Match);
                biometric(event, body, about, finds);
            }
            _ => {}
        }
        for violation in broken.iter().filter(|violation| !has_its_own_rule(event, violation)) {
            field(violation, about, finds);
        }
    }

    fn captured(&mut self, event: &Event, about: &dyn std::fmt::Display, finds: &mut Finds) {
        let Some(capture) = &event.capture else { return };
        self.captured += 1;
        let key = [capture.method.as_str(), capture.adapter.as_str(), capture.adapter_version.as_str(), ""];
        let key = key.map(str::to_owned);
        if self.captures.len() < CAPTURES_MAX || self.captures.contains_key(&key) {
            *self.captures.entry(key).or_default() += 1;
        }
        // What is only `partial` says of each content why it is not there.
        if capture.bytes_dropped > Count(0) || capture.completeness == Completeness::EventOnly {
            finds.add(&Sight::new(Rule::BytesDropped, capture.adapter.as_str(), about));
        }
    }

    pub(super) fn captures(&self) -> Vec<CaptureShare> {
        let mut captures: Vec<CaptureShare> = self
            .captures
            .iter()
            .map(|([method, adapter, version, _], events)| CaptureShare {
                adapter: adapter.clone(),
                adapter_version: version.clone(),
                events: *events,
                method: method.clone(),
                share: share(*events, self.captured),
            })
            .collect();
        captures.sort_by_key(|capture| std::cmp::Reverse(capture.events));
        captures
    }

    pub(super) fn count(&self, kind: Kind) -> u64 {
        self.kinds.get(kind.as_str()).copied().unwrap_or(0)
    }

    /// How many of what a finding is a share of, as far as events say.
    pub(super) fn population(&self, of: Of) -> u64 {
        match of {
            Of::ModelCalls => self.count(Kind::Inference),
            Of::ToolCalls => self.count(Kind::ToolCall),
            Of::Outputs => self.count(Kind::Output),
            Of::Clocks => self.count(Kind::Clock),
            Of::Starts => self.count(Kind::RecorderStarted),
            Of::Matches => self.matches,
            Of::Sessions => self.count(Kind::SessionStarted).max(self.count(Kind::SessionEnded)),
            Of::Events => self.events,
            Of::Decisions | Of::Hours | Of::Nothing => 0,
        }
    }

    pub(super) fn fields(&mut self) -> Vec<FieldShare> {
        std::mem::take(&mut self.fields).end()
    }
}

/// What a payload of this role says: nothing if the event has none.
fn state(event: &Event, role: PayloadRole) -> Option<State> {
    let states = event.payloads.iter().filter(|reference| reference.role == role);
    states.map(inferlog_record::Reference::state).min_by_key(|state| *state != State::Present)
}

/// Content that was never recorded; what was removed later is no gap of the record.
fn was_not_recorded(event: &Event, role: PayloadRole) -> bool {
    matches!(state(event, role), None | Some(State::NotCaptured))
}

fn inference(event: &Event, body: &Inference, about: &dyn std::fmt::Display, finds: &mut Finds) {
    let model = &body.model;
    let name = model.returned.as_ref().or(model.requested.as_ref()).map_or("-", |name| name.as_str());
    // Of a call that failed no model answered.
    let rule = match model.identity {
        _ if body.outcome != StepOutcome::Ok => None,
        ModelIdentity::Exact if model.version.is_none() && model.digest.is_none() => Some(Rule::ModelVersion),
        ModelIdentity::Exact => None,
        ModelIdentity::Alias => Some(Rule::ModelAlias),
        ModelIdentity::Unknown => Some(Rule::ModelUnknown),
    };
    if let Some(rule) = rule {
        finds.add(&Sight::new(rule, name, about));
    }
    let mut roles: Vec<PromptRole> = Vec::new();
    for prompt in body.prompts.iter().filter(|prompt| prompt.name.is_none()) {
        // What a user says is input; what the system says to its model is a part of the system.
        let is_instruction =
            matches!(prompt.role, PromptRole::System | PromptRole::Developer | PromptRole::FewShot);
        if is_instruction && !roles.contains(&prompt.role) {
            roles.push(prompt.role);
            finds.add(&Sight::new(Rule::PromptUnregistered, prompt.role.as_str(), about));
        }
    }
    if body.outcome == StepOutcome::Ok && was_not_recorded(event, PayloadRole::OutputRaw) {
        let is_explained = state(event, PayloadRole::OutputRaw).is_some();
        let severity = if is_explained { Severity::Warning } else { Severity::Critical };
        finds.add(&Sight::new(Rule::NoOutput, name, about)).severity(severity);
    }
}

fn tool_call(event: &Event, body: &ToolCall, about: &dyn std::fmt::Display, finds: &mut Finds) {
    if body.outcome == StepOutcome::Ok && was_not_recorded(event, PayloadRole::ToolResult) {
        finds.add(&Sight::new(Rule::ToolResult, body.name.as_str(), about));
    }
}

/// Stages that are both there and were not compared. One that is not there is told among the members.
fn output(event: &Event, body: &Output, about: &dyn std::fmt::Display, finds: &mut Finds) {
    let there = |role| state(event, role) == Some(State::Present);
    let (processed, shown) = (there(PayloadRole::OutputProcessed), there(PayloadRole::OutputFinal));
    for (what, same, is_there) in [
        ("raw-processed", body.identical.raw_processed, processed),
        ("processed-final", body.identical.processed_final, processed && shown),
    ] {
        if same == Tri::Unknown && is_there {
            finds.add(&Sight::new(Rule::OutputUnknown, what, about));
        }
    }
}

/// Article 12(3)(b) to (d) and 14(5).
fn biometric(event: &Event, body: &BiometricMatch, about: &dyn std::fmt::Display, finds: &mut Finds) {
    let database = body.database.as_str();
    if body.database_version.is_none() || body.database_digest.is_none() {
        finds.add(&Sight::new(Rule::BiometricDatabase, database, about));
    }
    if body.result != MatchResult::Match {
        return;
    }
    if was_not_recorded(event, PayloadRole::BiometricInput) {
        finds.add(&Sight::new(Rule::BiometricInput, database, about));
    }
    let mut verifiers: Vec<_> = body.verifiers.iter().collect();
    verifiers.sort_unstable();
    verifiers.dedup();
    match verifiers.len() {
        _ if body.exemption.is_some() => {}
        0 => drop(finds.add(&Sight::new(Rule::BiometricVerifiers, database, about))),
        1 => drop(finds.add(&Sight::new(Rule::BiometricTwo, database, about))),
        _ => {}
    }
}

fn has_its_own_rule(event: &Event, violation: &Violation) -> bool {
    match violation.field.as_str() {
        "inference.payloads[output.raw]" | "tool_call.payloads[tool.result]" => true,
        "biometric.match.verifiers" | "biometric.match.payloads[biometric.input]" => true,
        "biometric.match.database_version" | "biometric.match.database_digest" => true,
        "inference.model.version" | "inference.model.digest" => matches!(&event.body, Body::Inference(body)
            if body.model.version.is_none() && body.model.digest.is_none()),
        _ => false,
    }
}

/// A member that the record's tables ask for.
fn field(violation: &Violation, about: &dyn std::fmt::Display, finds: &mut Finds) {
    let what = violation.field.replace('[', ".").replace(']', "");
    let noted = finds.add(&Sight::new(Rule::Field, &what, about)).serves(violation.serves);
    let noted = noted.says(|| match violation.rule.strip_prefix("required by inferlog's profile") {
        Some(when) => format!("{} is not there{when}, and nothing says why", violation.field),
        None => format!("{}: {}", violation.field, violation.rule),
    });
    if violation.level == Level::Mandatory {
        noted.severity(Severity::Critical).law();
    }
}

/// The UTC day of a time, `2026-11-20`.
pub(super) fn day(time: Timestamp) -> String {
    time.to_string().chars().take(10).collect()
}
