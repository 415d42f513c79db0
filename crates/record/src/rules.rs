//! Rules that look at more than one field.

use crate::body::{
    Alert, BiometricMatch, Body, DecisionClosed, Erasure, ErasurePhase, HumanAction, Incident, Inference,
    MatchResult, Model, Outcome, Prompt, Refusal, Retrieval, StepOutcome, SystemChanged,
};
use crate::validate::Check;
use crate::{Kind, PayloadRole};

/// Rules for events of every kind.
pub(crate) fn common(check: &mut Check<'_>) {
    let event = check.event;
    let Some(kind) = event.kind() else { return };
    if kind.of_decision() {
        check.needs(event.capture.is_some(), "capture");
    }
    let takes_time = matches!(
        kind,
        Kind::Inference | Kind::Retrieval | Kind::ToolCall | Kind::Transform | Kind::BiometricMatch
    );
    if takes_time || kind == Kind::DecisionOpened {
        check.needs(event.started_at.is_some(), "started_at");
    }
    if takes_time || kind == Kind::DecisionClosed {
        check.needs(event.ended_at.is_some(), "ended_at");
    }
    if matches!(kind, Kind::DecisionOpened | Kind::RecorderStarted) {
        check.needs(event.role.is_some(), "role");
        check.needs(!event.purposes.is_empty(), "purposes");
    }
    if let (Some(started), Some(ended)) = (event.started_at, event.ended_at)
        && ended < started
    {
        check.wrong("ended_at", "is before started_at", "12(1), 12(3)(a)");
    }
}

/// Rules for events of one kind.
pub(crate) fn of_kind(check: &mut Check<'_>) {
    let event = check.event;
    match &event.body {
        Body::DecisionOpened(body) => check.names([&body.route]),
        Body::ContextAdded(body) => {
            check.names([&body.build, &body.environment, &body.region, &body.variant]);
        }
        Body::DecisionClosed(body) => closed(check, body),
        Body::Inference(body) => inference(check, body),
        Body::Retrieval(body) => retrieval(check, body),
        Body::ToolCall(body) => step(check, body.outcome, body.error.is_some(), PayloadRole::ToolResult),
        Body::Transform(body) => step(check, body.outcome, body.error.is_some(), PayloadRole::TransformOut),
        Body::Human(body) => {
            if matches!(body.action, HumanAction::Modify | HumanAction::Override | HumanAction::Reverse) {
                check.needs_payload(PayloadRole::HumanBefore);
                check.needs_payload(PayloadRole::HumanAfter);
            }
        }
        Body::SessionStarted(_) => session(check, event.started_at.is_some(), "started_at"),
        Body::SessionEnded(_) => session(check, event.ended_at.is_some(), "ended_at"),
        Body::BiometricMatch(body) => biometric(check, body),
        Body::SystemChanged(body) => changed(check, body),
        Body::Incident(body) => incident(check, body),
        Body::HoldPlaced(body) => {
            if body.basis == crate::body::Basis::Incident {
                check.needs(body.incident.is_some(), "body.incident");
            }
            if body.basis == crate::body::Basis::AuthorityOrder {
                check.needs_payload(PayloadRole::Order);
            }
            ordered(check, body.scope.from, body.scope.to, "body.scope.to", "is before from");
        }
        Body::Erasure(body) => erasure(check, body),
        Body::Purge(body) => {
            let (first, last) = (Some(body.first), Some(body.last));
            ordered(check, first, last, "body.last", "is before first");
        }
        Body::Gap(body) => ordered(check, Some(body.from), Some(body.to), "body.to", "is before from"),
        Body::Sampling(body) => ordered(check, body.from, body.to, "body.to", "is before from"),
        Body::Clock(body) => {
            check.needs(!body.synchronised || body.max_error_ns.is_some(), "body.max_error_ns")
        }
        Body::Alert(body) => alert(check, body),
        _ => {}
    }
}

fn ordered<T: PartialOrd>(check: &mut Check<'_>, from: Option<T>, to: Option<T>, path: &str, rule: &str) {
    if matches!((from, to), (Some(from), Some(to)) if to < from) {
        check.wrong(path, rule, "");
    }
}

fn closed(check: &mut Check<'_>, body: &DecisionClosed) {
    if body.outcome == Outcome::Failed {
        check.needs(body.error.is_some(), "body.error");
        check.needs_payload(PayloadRole::Error);
    }
    if body.outcome != Outcome::Failed && body.error.is_some() {
        check.wrong("body.error", "stands beside an outcome that is not failed", "12(2)(a)");
    }
}

/// What every step with an outcome has to say.
fn step(check: &mut Check<'_>, outcome: StepOutcome, has_error: bool, result: PayloadRole) {
    match outcome {
        StepOutcome::Ok => check.needs_payload(result),
        StepOutcome::Failed => {
            check.needs(has_error, "body.error");
            check.needs_payload(PayloadRole::Error);
        }
        StepOutcome::Refused | StepOutcome::Aborted => {}
    }
    if outcome == StepOutcome::Ok && has_error {
        check.wrong("body.error", "stands beside the outcome ok", "12(2)(a)");
    }
}

fn inference(check: &mut Check<'_>, body: &Inference) {
    step(check, body.outcome, body.error.is_some(), PayloadRole::OutputRaw);
    model(check, &body.model);
    for prompt in &body.prompts {
        self::prompt(check, prompt);
    }
}

fn model(check: &mut Check<'_>, model: &Model) {
    let why = model.absent.clone().unwrap_or_default();
    let names = [
        ("body.model.deployment", model.deployment.is_some(), why.deployment),
        ("body.model.digest", model.digest.is_some(), why.digest),
        ("body.model.fingerprint", model.fingerprint.is_some(), why.fingerprint),
        ("body.model.requested", model.requested.is_some(), why.requested),
        ("body.model.returned", model.returned.is_some(), why.returned),
        ("body.model.version", model.version.is_some(), why.version),
    ];
    for (path, named, why) in names {
        match (named, why) {
            (true, Some(_)) => check.wrong(path, "is there, and absent says why it is not", "12(2)(a)"),
            (false, None) => check.needs(false, path),
            _ => {}
        }
    }
    check.names([&model.deployment, &model.fingerprint, &model.requested, &model.returned, &model.version]);
}

fn prompt(check: &mut Check<'_>, prompt: &Prompt) {
    let registered = prompt.name.is_some() && prompt.version.is_some() && prompt.sha256.is_some();
    match prompt.payload {
        None if !registered => {
            let rule = "a prompt has a registered name, version and SHA-256, or else a payload";
            check.wrong("body.prompts", rule, "12(2)(a)");
        }
        Some(payload) if !is_held(check, payload) => {
            check.wrong("body.prompts", "names a payload that the event does not have", "12(2)(a)");
        }
        _ => {}
    }
}

fn is_held(check: &Check<'_>, payload: crate::Id) -> bool {
    check.event.payloads.iter().any(|reference| reference.payload == payload)
}

fn retrieval(check: &mut Check<'_>, body: &Retrieval) {
    if body.outcome == StepOutcome::Failed {
        check.needs(body.error.is_some(), "body.error");
        check.needs_payload(PayloadRole::Error);
    }
    if !body.documents.iter().all(|document| is_held(check, document.payload)) {
        check.wrong("body.documents", "names a payload that the event does not have", "12(2)(a)");
    }
    check.names([&body.index, &body.index_version, &body.source]);
}

fn session(check: &mut Check<'_>, timed: bool, path: &str) {
    check.needs(check.event.session.is_some(), "session");
    if !timed {
        check.unlawful(path, "required of remote biometric identification systems", "12(3)(a)");
    }
}

fn biometric(check: &mut Check<'_>, body: &BiometricMatch) {
    if body.result != MatchResult::Match {
        return;
    }
    check.needs_payload(PayloadRole::BiometricInput);
    let mut verifiers: Vec<_> = body.verifiers.iter().collect();
    verifiers.sort();
    verifiers.dedup();
    if verifiers.len() < 2 && body.exemption.is_none() {
        check.unlawful(
            "body.verifiers",
            "at least two natural persons verify a match, or the exemption is named",
            "12(3)(d), 14(5)",
        );
    }
}

fn changed(check: &mut Check<'_>, body: &SystemChanged) {
    let says = body.new.is_some() || body.new_digest.is_some() || check.has(PayloadRole::SystemNew);
    if !says {
        check.wrong(
            "body.new",
            "a change names what is new, or its digest, or has it as a payload",
            "12(2)(a), 3(23)",
        );
    }
    check.names([&body.name, &body.new, &body.old]);
}

fn incident(check: &mut Check<'_>, body: &Incident) {
    let days = body.category.days();
    if body.days != days {
        check.wrong("body.days", &format!("the time limit of this category is {days} days"), "73");
    }
}

fn erasure(check: &mut Check<'_>, body: &Erasure) {
    if body.phase == ErasurePhase::Completed {
        check.needs(body.certificate.is_some(), "body.certificate");
        check.needs(body.intent.is_some(), "body.intent");
        check.needs(body.root_epoch.is_some(), "body.root_epoch");
        check.needs(!body.stores.is_empty(), "body.stores");
    }
    if body.phase == ErasurePhase::Withheld {
        check.needs(body.intent.is_some(), "body.intent");
    }
    if body.withheld.0 > 0 {
        check.needs(!body.refusals.is_empty(), "body.refusals");
    }
    if body.refusals.contains(&Refusal::Hold) {
        check.needs(!body.holds.is_empty(), "body.holds");
    }
    if body.refusals.contains(&Refusal::LegalDuty) {
        check.needs(body.until.is_some(), "body.until");
    }
}

fn alert(check: &mut Check<'_>, body: &Alert) {
    if body.about.is_some() {
        return;
    }
    check.needs(body.from.is_some(), "body.from");
    check.needs(body.to.is_some(), "body.to");
    check.needs(body.statistic.is_some(), "body.statistic");
    check.needs(body.value_millionths.is_some(), "body.value_millionths");
    check.needs(body.threshold_millionths.is_some(), "body.threshold_millionths");
    ordered(check, body.from, body.to, "body.to", "is before from");
}
