//! Which texts may stand in the record's clear fields: those that are configured, and the names that an upstream confirmed by
//! a success. Of any other the field says `unlisted`, and the text is sealed.

use crate::gateway::call::{Asked, Told};
use crate::gateway::describe::json;
use crate::headers::Members;
use crate::recorder::NewEvent;
use crate::route::{ContextFrom, ContextMember, Route};
use crate::wire::{Item, Supply};
use http::HeaderMap;
use inferlog_record::body::{AbsentReason, Context, Model, ModelAbsent};
use inferlog_record::{ClearName, LIST_ITEMS_MAX, PayloadRole, identity};

/// Texts that may not stand in clear: field to text. Sealed as the payload `unlisted`.
#[derive(Default)]
pub(crate) struct Unlisted(Members);

impl Unlisted {
    /// The name, if it may stand in clear, else `unlisted`, and its text is kept here.
    pub(crate) fn name(&mut self, field: &str, text: &str, is_listed: bool) -> ClearName {
        match ClearName::new(text) {
            Ok(name) if is_listed && !name.is_unlisted() => name,
            _ => {
                self.0.add(field, text);
                ClearName::unlisted()
            }
        }
    }

    /// Keeps a text that has no field of its own.
    pub(crate) fn seal(&mut self, field: &str, text: &str) {
        self.0.add(field, text);
    }

    pub(crate) fn add_to(self, event: NewEvent) -> NewEvent {
        if self.0.is_empty() { event } else { event.with(PayloadRole::Unlisted, json(self.0.end())) }
    }
}

/// The model's names, as asked for and as answered.
pub(crate) fn model(route: &Route, asked: &Asked, told: Option<&Told>, unlisted: &mut Unlisted) -> Model {
    let is_success = told.is_some_and(|told| told.head.status.is_success() && told.facts.error.is_none());
    let facts = told.map(|told| &told.facts);
    let requested = asked.facts.model.as_deref();
    let returned = facts.and_then(|facts| facts.model.as_deref());
    let version = facts.and_then(|facts| facts.version.as_deref()).or(asked.facts.version.as_deref());
    let fingerprint = facts.and_then(|facts| facts.fingerprint.as_deref());
    let deployment = asked.call.deployment.as_deref();
    let is_known = |name: &str| is_success || route.models.iter().any(|known| known.as_str() == name);
    let mut clear =
        |field: &str, text: Option<&str>| text.map(|text| unlisted.name(field, text, is_known(text)));
    let names = [
        clear("model.requested", requested),
        clear("model.returned", returned),
        clear("model.version", version),
        clear("model.fingerprint", fingerprint),
        clear("model.deployment", deployment),
    ];
    let why = |item| match (route.wire.supply(&asked.call, item), told) {
        (Supply::Never, _) => AbsentReason::NotOnWire,
        (_, None) => AbsentReason::NoAnswer,
        (_, Some(told)) if told.facts.gap.is_some() => AbsentReason::NotParsed,
        _ => AbsentReason::NotAnswered,
    };
    let absent = ModelAbsent {
        deployment: deployment.is_none().then_some(AbsentReason::NotConfigured),
        digest: Some(AbsentReason::NotConfigured),
        fingerprint: fingerprint.is_none().then(|| why(Item::Fingerprint)),
        requested: requested.is_none().then_some(AbsentReason::NotAsked),
        returned: returned.is_none().then(|| why(Item::ModelReturned)),
        version: version.is_none().then(|| why(Item::Version)),
    };
    let [named, answered, versioned, fingerprint, deployment] = names;
    Model {
        absent: Some(absent),
        deployment,
        digest: None,
        fingerprint,
        identity: identity(returned.or(requested), version, None),
        requested: named,
        returned: answered,
        version: versioned,
    }
}

/// The surroundings that the route says.
pub(crate) fn context(route: &Route, headers: &HeaderMap, unlisted: &mut Unlisted) -> Context {
    // Where nothing is configured that itself is said, not guessed.
    let mut context =
        Context { environment: Some(ClearName::or_unlisted("unspecified")), ..Context::default() };
    for (member, from) in &route.context {
        let (slot, field) = match member {
            ContextMember::Flags => {
                context.flags = values(from, headers, "context.flags", LIST_ITEMS_MAX, unlisted).into();
                continue;
            }
            ContextMember::Build => (&mut context.build, "context.build"),
            ContextMember::Environment => (&mut context.environment, "context.environment"),
            ContextMember::Region => (&mut context.region, "context.region"),
            ContextMember::Variant => (&mut context.variant, "context.variant"),
        };
        if let Some(value) = values(from, headers, field, 1, unlisted).into_iter().next() {
            *slot = Some(value);
        }
    }
    context
}

/// The first values of a member, at most `max`.
fn values(
    from: &ContextFrom,
    headers: &HeaderMap,
    field: &str,
    max: usize,
    unlisted: &mut Unlisted,
) -> Vec<ClearName> {
    let (name, values) = match from {
        ContextFrom::Fixed(values) => return values.clone(),
        ContextFrom::Header { name, values } => (name, values),
    };
    let mut found = Vec::new();
    for (at, value) in headers.get_all(name).iter().take(max).enumerate() {
        let text = String::from_utf8_lossy(value.as_bytes());
        let field = if at == 0 { field.to_owned() } else { format!("{field}.{at}") };
        found.push(unlisted.name(&field, &text, values.iter().any(|known| known.as_str() == text)));
    }
    found
}
