//! Names in clear that come from callers: of models, tools, indices. What a detector finds in one makes it `unlisted`; its text goes
//! the way of other texts that may not stand in clear.

use super::Door;
use crate::recorder::draft::{NewContent, NewEvent};
use bytes::Bytes;
use inferlog_record::body::{Body, Context, Model};
use inferlog_record::{ClearName, MediaType, PayloadRole};

impl Door {
    /// Takes names that hold something personal out of clear fields. Only names that callers bring are looked at: routes and other
    /// configured names are the organisation's own.
    pub(crate) fn names(&self, event: &mut NewEvent) {
        if self.names.rules.is_empty() {
            return;
        }
        let mut hidden = Vec::new();
        each(&mut event.body, &mut |field, name| {
            if !name.is_unlisted() && !self.names.find(name.as_str(), field).is_empty() {
                hidden.push((field, std::mem::replace(name, ClearName::unlisted())));
            }
        });
        if hidden.is_empty() {
            return;
        }
        let texts: serde_json::Map<String, serde_json::Value> =
            hidden.into_iter().map(|(field, name)| (field.to_owned(), name.as_str().into())).collect();
        let text = serde_json::Value::from(texts).to_string();
        let unlisted = event.payloads.iter_mut().find(|payload| payload.role == PayloadRole::Unlisted);
        match unlisted.map(|payload| &mut payload.content) {
            Some(NewContent::Sealed { bytes, .. }) if bytes.len() > 2 && bytes.ends_with(b"}") => {
                // An event has one such payload: a member more, in an object that has some.
                let mut merged = bytes[..bytes.len() - 1].to_vec();
                merged.push(b',');
                merged.extend_from_slice(&text.as_bytes()[1..]);
                *bytes = Bytes::from(merged);
            }
            _ => {
                let content = NewContent::personal(MediaType::Json, text);
                *event = event.clone().with(PayloadRole::Unlisted, content);
            }
        }
    }
}

type See<'a> = &'a mut dyn FnMut(&'static str, &mut ClearName);

fn each(body: &mut Body, see: See<'_>) {
    match body {
        Body::DecisionOpened(body) => body.context.iter_mut().for_each(|context| surroundings(context, see)),
        Body::ContextAdded(body) => {
            some("build", &mut body.build, see);
            some("environment", &mut body.environment, see);
            some("region", &mut body.region, see);
            some("variant", &mut body.variant, see);
            body.flags.0.iter_mut().for_each(|flag| see("flags", flag));
        }
        Body::Inference(body) => {
            model(&mut body.model, see);
            for prompt in &mut body.prompts.0 {
                some("prompts.name", &mut prompt.name, see);
                some("prompts.version", &mut prompt.version, see);
            }
        }
        Body::Retrieval(body) => {
            some("index", &mut body.index, see);
            some("index_version", &mut body.index_version, see);
            some("source", &mut body.source, see);
        }
        Body::ToolCall(body) => {
            see("name", &mut body.name);
            some("version", &mut body.version, see);
        }
        Body::Transform(body) => {
            see("name", &mut body.name);
            some("version", &mut body.version, see);
        }
        Body::Label(body) => see("name", &mut body.name),
        Body::BiometricMatch(body) => {
            see("database", &mut body.database);
            some("database_version", &mut body.database_version, see);
        }
        _ => {}
    }
}

fn some(field: &'static str, name: &mut Option<ClearName>, see: See<'_>) {
    if let Some(name) = name {
        see(field, name);
    }
}

fn model(model: &mut Model, see: See<'_>) {
    some("model.requested", &mut model.requested, see);
    some("model.returned", &mut model.returned, see);
    some("model.version", &mut model.version, see);
    some("model.fingerprint", &mut model.fingerprint, see);
    some("model.deployment", &mut model.deployment, see);
}

fn surroundings(context: &mut Context, see: See<'_>) {
    some("context.build", &mut context.build, see);
    some("context.environment", &mut context.environment, see);
    some("context.region", &mut context.region, see);
    some("context.variant", &mut context.variant, see);
    context.flags.0.iter_mut().for_each(|flag| see("context.flags", flag));
}
