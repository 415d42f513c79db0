//! Rules: each takes a good entry's event, breaks it, and expects the violation that names it.

#![expect(clippy::disallowed_methods, reason = "the crate does no I/O, its tests read fixtures")]
#![expect(clippy::unwrap_used, reason = "a test that fails by panicking says where")]

use inferlog_record::body::{Body, Erasure, Inference};
use inferlog_record::{
    ClearName, Content, DataClass, Entry, Event, Id, Level, PayloadRole, Reference, Timestamp, Why, validate,
    violations,
};

fn event(name: &str) -> Event {
    let path = format!("{}/../../fixtures/v1/record/good/{name}.json", env!("CARGO_MANIFEST_DIR"));
    Entry::from_bytes(&std::fs::read(path).unwrap()).unwrap().events.remove(0)
}

/// Breaks the event and compares all violations.
fn check(name: &str, break_it: impl FnOnce(&mut Event), expected: &[&str]) {
    let mut event = event(name);
    assert_eq!(validate(&event), Ok(()), "{name} must be good before it is broken");
    break_it(&mut event);
    let found: Vec<String> = violations(&event, Level::Required).iter().map(ToString::to_string).collect();
    assert_eq!(found, expected, "{name}");
}

fn drop_role(role: PayloadRole) -> impl FnOnce(&mut Event) {
    move |event| event.payloads.retain(|reference| reference.role != role)
}

macro_rules! body {
    ($kind:ident, $body:ident, $change:expr) => {
        move |event: &mut Event| match &mut event.body {
            Body::$kind($body) => $change,
            _ => unreachable!(),
        }
    };
}

#[test]
fn fields_that_are_always_required() {
    let missing = "tool_call.attempt: required by inferlog's profile (serves Art. 12(2)(a))";
    check("tool_call", body!(ToolCall, body, body.attempt = None), &[missing]);
    let missing =
        "decision.opened.context.environment: required by inferlog's profile (serves Art. 12(2)(a))";
    let drop = body!(DecisionOpened, body, body.context.as_mut().unwrap().environment = None);
    check("decision.opened", drop, &[missing]);
    let missing = "human.reviewer: required by inferlog's profile (serves Art. 14(5), 26(2))";
    check("human", body!(Human, body, body.reviewer = None), &[missing]);
    check(
        "sampling",
        body!(Sampling, body, body.approver = None),
        &["sampling.approver: required by inferlog's profile"],
    );
}

#[test]
fn fields_that_depend_on_others() {
    check(
        "decision.closed",
        body!(DecisionClosed, body, body.error = None),
        &[
            "decision.closed.error: required by inferlog's profile where the outcome is failed (serves Art. 12(2)(a))",
        ],
    );
    let drop = |event: &mut Event| (event.capture, event.started_at, event.role) = (None, None, None);
    check(
        "decision.opened",
        drop,
        &[
            "decision.opened.capture: required by inferlog's profile where a step of a decision (serves Art. 12(2))",
            "decision.opened.started_at: required by inferlog's profile where the step took time, or began the \
             decision or session (serves Art. 12(1), 12(3)(a))",
            "decision.opened.role: required by inferlog's profile where the kind is decision.opened or \
             recorder.started, whose word holds for what follows (serves Art. 12(2), 26)",
        ],
    );
    let finished = |event: &mut Event| match &mut event.body {
        Body::Erasure(body) => {
            let Erasure { certificate, stores, holds, .. } = &mut **body;
            (*certificate, stores.0, holds.0) = (None, vec![], vec![]);
        }
        _ => unreachable!(),
    };
    check(
        "erasure",
        finished,
        &[
            "erasure.certificate: required by inferlog's profile where completed (serves GDPR Art. 17)",
            "erasure.stores: required by inferlog's profile where completed (serves GDPR Art. 17)",
            "erasure.holds: required by inferlog's profile where a hold withholds keys (serves GDPR Art. 17)",
        ],
    );
    let unexplained = |event: &mut Event| match &mut event.body {
        Body::Erasure(body) => (body.refusals.0, body.intent) = (vec![], None),
        _ => unreachable!(),
    };
    check(
        "erasure",
        unexplained,
        &[
            "erasure.intent: required by inferlog's profile where completed or withheld (serves GDPR Art. 17)",
            "erasure.refusals: required by inferlog's profile where keys are withheld, or it is refused (serves \
             GDPR Art. 17(3))",
        ],
    );
    check(
        "alert",
        body!(Alert, body, (body.about, body.statistic) = (None, None)),
        &["alert.statistic: required by inferlog's profile where over a window (serves Art. 72)"],
    );
    check(
        "clock",
        body!(Clock, body, body.max_error_ns = None),
        &["clock.max_error_ns: required by inferlog's profile where synchronised"],
    );
}

#[test]
fn payloads() {
    let missing =
        "decision.opened.payloads[input.raw]: required by inferlog's profile (serves Art. 12(2)(a))";
    check("decision.opened", drop_role(PayloadRole::InputRaw), &[missing]);
    check(
        "inference",
        drop_role(PayloadRole::OutputRaw),
        &["inference.payloads[output.raw]: required by inferlog's profile where the outcome is ok \
           (serves Art. 12(2)(a), 86)"],
    );
    let foreign = |event: &mut Event| {
        let reference = Reference::not_captured(event.id, PayloadRole::LabelValue, Why::Unknown.into());
        event.payloads.push(reference);
    };
    check(
        "output",
        foreign,
        &["output.payloads[label.value]: no payload of this kind of event has this role"],
    );
    let shared = |event: &mut Event| {
        let Content::Sealed(sealed) = &mut event.payloads[0].content else { unreachable!() };
        sealed.class = DataClass::Shared;
    };
    let rule = "label.payloads[label.value]: shared content is not sealed but stored by its SHA-256";
    check("label", shared, &[rule]);
    // A reference that says why the content is not there is enough.
    let disabled = |event: &mut Event| {
        for reference in &mut event.payloads {
            *reference =
                Reference::not_captured(reference.payload, reference.role, Why::DisabledByPolicy.into());
        }
    };
    check("retrieval", disabled, &[]);
}

#[test]
fn models_and_prompts() {
    let with = |change: fn(&mut Inference)| body!(Inference, body, change(body));
    check(
        "inference",
        with(|body| body.model.absent = None),
        &[
            "inference.model.digest: required by inferlog's profile where absent does not say why \
             (serves Art. 12(2)(a))",
            "inference.model.version: required by inferlog's profile where absent does not say why \
             (serves Art. 12(2)(a))",
        ],
    );
    check(
        "inference",
        with(|body| body.model.version = Some(ClearName::new("3").unwrap())),
        &["inference.model.version: is there, and absent says why it is not (serves Art. 12(2)(a))"],
    );
    check(
        "inference",
        with(|body| body.model.returned = Some(ClearName::or_unlisted("a name with spaces"))),
        &["inference.payloads[unlisted]: required by inferlog's profile where a field says unlisted \
           (serves Art. 12(2)(a))"],
    );
    check(
        "inference",
        with(|body| body.prompts[0].sha256 = None),
        &["inference.prompts: a prompt has a registered name, version and SHA-256, or else a payload \
           (serves Art. 12(2)(a))"],
    );
    check(
        "inference",
        with(|body| body.prompts[1].payload = Some(Id::new(1, &[0; 10]))),
        &["inference.prompts: names a payload that the event does not have (serves Art. 12(2)(a))"],
    );
}

#[test]
fn what_the_law_requires_of_biometric_identification() {
    let one = |event: &mut Event| match &mut event.body {
        Body::BiometricMatch(body) => {
            body.exemption = None;
            body.verifiers.truncate(1);
        }
        _ => unreachable!(),
    };
    let rule = "biometric.match.verifiers: at least two natural persons verify a match, or the exemption is named \
                (serves Art. 12(3)(d), 14(5))";
    check("biometric.match", one, &[rule]);
    let twice = |event: &mut Event| match &mut event.body {
        Body::BiometricMatch(body) => {
            body.exemption = None;
            body.verifiers.0[1] = body.verifiers[0];
        }
        _ => unreachable!(),
    };
    check("biometric.match", twice, &[rule]);
    check(
        "biometric.match",
        drop_role(PayloadRole::BiometricInput),
        &[
            "biometric.match.payloads[biometric.input]: required of remote biometric identification systems where \
           there was a match (serves Art. 12(3)(c))",
        ],
    );
    let rule = "required of remote biometric identification systems (serves Art. 12(3)(a))";
    check(
        "session.started",
        |event| event.started_at = None,
        &[&format!("session.started.started_at: {rule}")],
    );
    check("session.ended", |event| event.ended_at = None, &[&format!("session.ended.ended_at: {rule}")]);
    let mut started = event("session.started");
    started.started_at = None;
    assert_eq!(violations(&started, Level::Mandatory)[0].level, Level::Mandatory);
}

#[test]
fn contradictions() {
    let backwards = |event: &mut Event| event.ended_at = Some(Timestamp(1));
    check(
        "transform",
        backwards,
        &["transform.ended_at: is before started_at (serves Art. 12(1), 12(3)(a))"],
    );
    check("gap", body!(Gap, body, body.to = Timestamp(1)), &["gap.to: is before from"]);
    check("purge", body!(Purge, body, body.first = 5000.into()), &["purge.last: is before first"]);
    check(
        "incident",
        body!(Incident, body, body.days = 15),
        &["incident.days: the time limit of this category is 2 days (serves Art. 73)"],
    );
    check(
        "system.changed",
        body!(SystemChanged, body, (body.new, body.new_digest) = (None, None)),
        &["system.changed.new: a change names what is new, or its digest, or has it as a payload \
           (serves Art. 12(2)(a), 3(23))"],
    );
    let many = |event: &mut Event| event.after = (0..257).map(|number| Id::new(number, &[0; 10])).collect();
    check("output", many, &["output.after: holds 257 items, at most 256 are allowed"]);
}

#[test]
fn recommended_fields_are_reported_when_asked_for() {
    let mut tool_call = event("tool_call");
    tool_call.subjects.clear();
    assert_eq!(validate(&tool_call), Ok(()));
    let found = violations(&tool_call, Level::Recommended);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].to_string(), "tool_call.subjects: recommended (serves Art. 86; GDPR Art. 15, 17)");
}

#[test]
fn an_unknown_kind_is_a_violation_and_a_rest_is_none() {
    let found = validate(&event("future-kind")).unwrap_err();
    assert_eq!(found[0].to_string(), "quantum.step.kind: not known to this version (serves Art. 12(1))");
    assert_eq!(validate(&event("part-2-of-2")), Ok(()));
}
