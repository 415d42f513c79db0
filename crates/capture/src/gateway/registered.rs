//! What of a request or an answer the registry knows: prompts, tools, the model.

use crate::gateway::Lane;
use crate::gateway::call::Asked;
use crate::gateway::describe::json;
use crate::gateway::step::Step;
use crate::headers::Members;
use crate::recorder::{NewEvent, RecordError};
use crate::wire::RequestFacts;
use inferlog_record::body::{AbsentReason, Model, Prompt, Toolset};
use inferlog_record::{ClearName, Digest, LIST_ITEMS_MAX, PayloadRole, identity};
use inferlog_registry::{EntryKind, Match, Snapshot};
use std::sync::Arc;

/// What is registered at this moment.
pub(crate) fn snapshot(lane: &Lane) -> Option<Arc<Snapshot>> {
    lane.registry.as_ref().map(inferlog_registry::Registry::snapshot)
}

/// What of a request is registered, as of when it came.
#[derive(Default)]
pub(crate) struct Known {
    /// Of each of its prompts; nothing where there is no registry.
    prompts: Vec<Option<Match>>,
    /// The tool sets that it offers: the whole, else each tool that is registered by itself.
    pub(crate) toolsets: Vec<Toolset>,
}

impl Known {
    /// Looks a request's prompts and tools up: work on all of their text.
    pub(crate) fn of(lane: &Lane, facts: &RequestFacts) -> Self {
        let Some(all) = snapshot(lane) else { return Self::default() };
        let prompts = facts.prompts.iter().map(|fact| all.match_prompt(&fact.text)).collect();
        let toolsets = facts.tools.as_ref().map(|tools| toolsets(&all, tools)).unwrap_or_default();
        Self { prompts, toolsets }
    }
}

/// The prompts of a request: those that are registered by their names, a template's with the values in it; the others where
/// they can be read, in the request.
pub(crate) fn prompts(
    lane: &Lane,
    asked: &Asked,
    step: &Step,
    mut event: NewEvent,
) -> Result<(Vec<Prompt>, NewEvent), RecordError> {
    let mut prompts = Vec::with_capacity(asked.facts.prompts.len());
    let mut matches = asked.known.prompts.iter();
    for role in asked.facts.prompts.iter().map(|fact| fact.role) {
        let Some(known) = matches.next().cloned().flatten() else {
            let payload = Some(step.input);
            prompts.push(Prompt { name: None, payload, role, sha256: None, version: None });
            continue;
        };
        let mut payload = None;
        if !known.variables.is_empty() {
            let mut values = Members::default();
            known.variables.iter().for_each(|(name, value)| values.add(name, value));
            let id = lane.mint()?;
            event = event.with_id(id, PayloadRole::Prompt, json(values.end()));
            payload = Some(id);
        }
        let (name, version, sha256) = (Some(known.name), Some(known.version), Some(known.sha256));
        prompts.push(Prompt { name, payload, role: known.role.unwrap_or(role), sha256, version });
    }
    Ok((prompts, event))
}

fn toolsets(all: &Snapshot, tools: &[u8]) -> Vec<Toolset> {
    let Some(found) = all.match_tools(tools) else { return Vec::new() };
    let each = found.each.into_iter().map(|(_, tool)| tool);
    let tools: Vec<_> = if let Some(whole) = found.whole { vec![whole] } else { each.collect() };
    let toolset = |tool: inferlog_registry::ToolsEntry| Toolset {
        name: tool.name,
        sha256: tool.sha256,
        version: tool.version,
    };
    tools.into_iter().take(LIST_ITEMS_MAX).map(toolset).collect()
}

/// Says of a model what the registry knows of it.
pub(crate) fn pin(lane: &Lane, model: &mut Model) {
    let Some(registered) = snapshot(lane) else { return };
    let name = model.returned.as_ref().or(model.requested.as_ref()).filter(|name| !name.is_unlisted());
    let Some((absent, name)) = model.absent.as_mut().zip(name.cloned()) else { return };
    if registered.versions(EntryKind::Model, name.as_str()).next().is_none() {
        if registered.entries().iter().any(|entry| entry.kind() == EntryKind::Model) {
            absent.digest = Some(AbsentReason::NotRegistered);
        }
        return;
    }
    absent.digest = Some(AbsentReason::NotRegistered);
    let Some(digest) = digest(&registered, &name, model.version.as_ref()) else { return };
    absent.digest = None;
    model.digest = Some(digest);
    let version = model.version.as_ref().map(ClearName::as_str);
    model.identity = identity(Some(name.as_str()), version, Some(&digest));
}

/// The digest of the version that was answered. A model that no version was named of is not pinned, even if only one is
/// registered: another may be served.
fn digest(registered: &Snapshot, name: &ClearName, version: Option<&ClearName>) -> Option<Digest> {
    registered.model(name.as_str(), version?.as_str())?.digest
}
