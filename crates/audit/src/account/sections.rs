//! The sections that one kind of step fills: models, retrievals, tools, reasoning, labels, context.

use std::collections::BTreeMap;

use inferlog_record::PayloadRole as Role;
use inferlog_record::body::{Body, Context, ContextAdded, Inference, Model, ModelAbsent};

use super::parts::{ContextTold, DocumentTold, LabelTold, ModelCall, ReasoningStep, RetrievalStep, ToolStep};
use super::reader::{Reader, Told, text};
use super::registered::Registered;
use super::steps::took;
use crate::story::Tokens;

/// The model calls.
pub(super) fn models(
    reader: &Reader<'_>,
    registered: &Registered<'_>,
    problems: &mut Vec<String>,
) -> Vec<ModelCall> {
    let calls = reader.events().filter_map(|(told, event)| match &event.body {
        Body::Inference(body) => Some(call(told, body, took(event), registered, problems)),
        _ => None,
    });
    calls.collect()
}

fn call(
    told: &Told<'_>,
    body: &Inference,
    took_ns: Option<u64>,
    registered: &Registered<'_>,
    problems: &mut Vec<String>,
) -> ModelCall {
    let Model { absent, deployment, digest, fingerprint, identity, requested, returned, version } =
        &body.model;
    let count = |count: Option<inferlog_record::Count>| count.map(|count| count.0);
    let tokens = body.usage.as_ref().map_or_else(Tokens::default, |usage| Tokens {
        input: count(usage.input),
        output: count(usage.output),
        cached: count(usage.cached),
        reasoning: count(usage.reasoning),
    });
    let found = registered.model(&body.model);
    if let Err(problem) = &found {
        problems.push(format!("step {}: {problem}", told.step.order));
    }
    ModelCall {
        step: told.step.order,
        requested: text(requested.as_ref()),
        returned: text(returned.as_ref()),
        version: text(version.as_ref()),
        digest: text(digest.as_ref()),
        fingerprint: text(fingerprint.as_ref()),
        deployment: text(deployment.as_ref()),
        identity: identity.to_string(),
        absent: absent.as_ref().map_or_else(BTreeMap::new, whys),
        registered: found.ok().flatten(),
        params_requested: told.one(Role::ParamsRequested),
        params_effective: told.one(Role::ParamsEffective),
        input: told.one(Role::InputAssembled),
        output: told.one(Role::OutputRaw),
        offered: told.one(Role::Tools),
        outcome: body.outcome.to_string(),
        error: text(body.error.as_ref()),
        status: body.status,
        finish_reason: text(body.finish_reason.as_ref()),
        tokens,
        time_to_first_byte_ns: count(body.time_to_first_byte_ns),
        took_ns,
        stream: body.stream,
    }
}

/// Why names are absent, by field.
pub(super) fn whys(absent: &ModelAbsent) -> BTreeMap<String, String> {
    let fields = [
        ("deployment", absent.deployment.as_ref()),
        ("digest", absent.digest.as_ref()),
        ("fingerprint", absent.fingerprint.as_ref()),
        ("requested", absent.requested.as_ref()),
        ("returned", absent.returned.as_ref()),
        ("version", absent.version.as_ref()),
    ];
    fields.into_iter().filter_map(|(field, why)| Some((field.to_owned(), text(why)?))).collect()
}

/// Queries of indexes.
pub(super) fn retrievals(reader: &Reader<'_>) -> Vec<RetrievalStep> {
    let found = reader.events().filter_map(|(told, event)| {
        let Body::Retrieval(body) = &event.body else { return None };
        Some(RetrievalStep {
            step: told.step.order,
            index: text(body.index.as_ref()),
            version: text(body.index_version.as_ref()),
            digest: text(body.index_digest.as_ref()),
            source: text(body.source.as_ref()),
            total: body.total.map(|total| total.0),
            outcome: body.outcome.to_string(),
            error: text(body.error.as_ref()),
            query: told.one(Role::RetrievalQuery),
            documents: body
                .documents
                .iter()
                .map(|document| DocumentTold {
                    rank: document.rank,
                    score_millionths: document.score_millionths.map(|score| score.0),
                    payload: told.held(document.payload),
                })
                .collect(),
        })
    });
    found.collect()
}

/// Calls of tools.
pub(super) fn tools(reader: &Reader<'_>) -> Vec<ToolStep> {
    let calls = reader.events().filter_map(|(told, event)| {
        let Body::ToolCall(body) = &event.body else { return None };
        Some(ToolStep {
            step: told.step.order,
            name: body.name.to_string(),
            version: text(body.version.as_ref()),
            attempt: body.attempt,
            outcome: body.outcome.to_string(),
            error: text(body.error.as_ref()),
            latency_ns: body.latency_ns.map(|latency| latency.0).or_else(|| took(event)),
            arguments: told.one(Role::ToolArguments),
            result: told.one(Role::ToolResult),
            failure: told.one(Role::Error),
        })
    });
    calls.collect()
}

/// Intermediate reasoning.
pub(super) fn reasoning(reader: &Reader<'_>) -> Vec<ReasoningStep> {
    let steps = reader.events().filter_map(|(told, event)| {
        let Body::Reasoning(body) = &event.body else { return None };
        let (step, form) = (told.step.order, body.form.to_string());
        Some(ReasoningStep { step, form, payload: told.one(Role::Reasoning) })
    });
    steps.collect()
}

/// Ground truth and feedback.
pub(super) fn labels(reader: &Reader<'_>) -> Vec<LabelTold> {
    let labels = reader.events().filter_map(|(told, event)| {
        let Body::Label(body) = &event.body else { return None };
        Some(LabelTold {
            step: told.step.order,
            name: body.name.to_string(),
            origin: body.origin.to_string(),
            about: body.about.and_then(|about| reader.number(about)),
            logged_at: event.logged_at.to_string(),
            value: told.one(Role::LabelValue),
        })
    });
    labels.collect()
}

/// In what surroundings the system ran.
pub(super) fn context(reader: &Reader<'_>) -> Vec<ContextTold> {
    let told = reader.events().filter_map(|(told, event)| {
        let step = told.step.order;
        match &event.body {
            Body::DecisionOpened(body) => body.context.as_ref().map(|context| opened_in(step, context)),
            Body::ContextAdded(body) => Some(added(step, body)),
            _ => None,
        }
    });
    let says = |told: &ContextTold| {
        let names = [&told.environment, &told.build, &told.region, &told.variant];
        names.into_iter().any(Option::is_some) || !told.flags.is_empty()
    };
    // One that says nothing brought a content.
    told.filter(says).collect()
}

fn opened_in(step: usize, context: &Context) -> ContextTold {
    ContextTold {
        step,
        environment: text(context.environment.as_ref()),
        build: text(context.build.as_ref()),
        region: text(context.region.as_ref()),
        variant: text(context.variant.as_ref()),
        flags: context.flags.iter().map(ToString::to_string).collect(),
    }
}

fn added(step: usize, context: &ContextAdded) -> ContextTold {
    ContextTold {
        step,
        environment: text(context.environment.as_ref()),
        build: text(context.build.as_ref()),
        region: text(context.region.as_ref()),
        variant: text(context.variant.as_ref()),
        flags: context.flags.iter().map(ToString::to_string).collect(),
    }
}
