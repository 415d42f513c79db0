//! Where the names of a record lead: to the registry of the data directory.

use std::cell::RefCell;
use std::collections::HashMap;

use inferlog_record::Digest;
use inferlog_record::body::{Body, Model, Prompt};
use inferlog_registry::{Entry, ModelEntry, Snapshot};

use super::parts::{PromptUsed, RegisteredModel, RegisteredTools};
use super::reader::{Reader, text};

/// What is registered, read once.
pub(super) struct Registered<'r> {
    registry: Option<&'r Snapshot>,
    texts: RefCell<HashMap<Digest, Option<String>>>,
}

impl<'r> Registered<'r> {
    pub(super) fn new(registry: Option<&'r Snapshot>) -> Self {
        Self { registry, texts: RefCell::default() }
    }

    /// The model that the record's names lead to; an error if the registry has another digest under them.
    pub(super) fn model(&self, model: &Model) -> Result<Option<RegisteredModel>, String> {
        let Some(registry) = self.registry else { return Ok(None) };
        let names = || model.returned.iter().chain(&model.requested);
        if let Some(digest) = model.digest {
            let mut found: Option<&ModelEntry> = None;
            for entry in registry.entries() {
                if let Entry::Model(entry) = entry
                    && entry.digest == Some(digest)
                {
                    let is_named = |entry: &ModelEntry| names().any(|name| *name == entry.name);
                    found = match found {
                        Some(known) if is_named(known) && !is_named(entry) => Some(known),
                        _ => Some(entry),
                    };
                }
            }
            if let Some(found) = found {
                return Ok(Some(registered(found, "digest")));
            }
        }
        let Some(version) = &model.version else { return Ok(None) };
        let Some(entry) = names().find_map(|name| registry.model(name.as_str(), version.as_str())) else {
            return Ok(None);
        };
        match (model.digest, entry.digest) {
            (Some(recorded), Some(other)) => Err(format!(
                "the record says that {} version {version} has the digest {recorded}, the registry says {other}",
                entry.name
            )),
            _ => Ok(Some(registered(entry, "name"))),
        }
    }

    /// The prompts that models were given, each once.
    pub(super) fn prompts(&self, reader: &Reader<'_>) -> Vec<PromptUsed> {
        let mut prompts: Vec<PromptUsed> = Vec::new();
        let mut known: HashMap<_, usize> = HashMap::new();
        for (told, event) in reader.events() {
            let Body::Inference(body) = &event.body else { continue };
            for prompt in body.prompts.iter() {
                let names = [&prompt.name, &prompt.version].map(|name| text(name.as_ref()));
                let key = (prompt.role.as_str(), names, prompt.sha256, prompt.payload);
                let at = *known.entry(key).or_insert_with(|| {
                    prompts.push(self.prompt(prompt, told));
                    prompts.len() - 1
                });
                let steps = &mut prompts[at].steps;
                if steps.last() != Some(&told.step.order) {
                    steps.push(told.step.order);
                }
            }
        }
        prompts
    }

    fn prompt(&self, prompt: &Prompt, told: &super::reader::Told<'_>) -> PromptUsed {
        let words = prompt.sha256.and_then(|sha256| self.text(sha256));
        let payload = prompt.payload.map(|payload| told.held(payload));
        let found_in = match (&words, &payload) {
            (Some(_), _) => "registry",
            (None, Some(_)) => "payload",
            (None, None) => "nowhere",
        };
        PromptUsed {
            steps: Vec::new(),
            role: prompt.role.to_string(),
            name: text(prompt.name.as_ref()),
            version: text(prompt.version.as_ref()),
            sha256: text(prompt.sha256.as_ref()),
            text: words,
            payload,
            found_in,
        }
    }

    /// The registered tools that models were offered, each once.
    pub(super) fn toolsets(&self, reader: &Reader<'_>) -> Vec<RegisteredTools> {
        let mut toolsets: Vec<RegisteredTools> = Vec::new();
        let mut known: HashMap<(String, String, Digest), usize> = HashMap::new();
        for (told, event) in reader.events() {
            let Body::Inference(body) = &event.body else { continue };
            for tools in body.toolsets.iter() {
                let key = (tools.name.to_string(), tools.version.to_string(), tools.sha256);
                let at = *known.entry(key).or_insert_with(|| {
                    toolsets.push(RegisteredTools {
                        steps: Vec::new(),
                        name: tools.name.to_string(),
                        version: tools.version.to_string(),
                        sha256: tools.sha256.to_string(),
                        json: self.text(tools.sha256),
                    });
                    toolsets.len() - 1
                });
                toolsets[at].steps.push(told.step.order);
            }
        }
        toolsets
    }

    /// An object's text, checked against its SHA-256.
    fn text(&self, sha256: Digest) -> Option<String> {
        let read = || self.registry.and_then(|registry| registry.text(sha256).ok());
        self.texts.borrow_mut().entry(sha256).or_insert_with(read).clone()
    }
}

fn registered(entry: &ModelEntry, by: &'static str) -> RegisteredModel {
    RegisteredModel {
        name: entry.name.to_string(),
        version: entry.version.to_string(),
        digest: text(entry.digest.as_ref()),
        location: entry.location.clone(),
        source: entry.source.clone(),
        added_at: entry.added_at.to_string(),
        by,
        manifest_bytes: entry.size,
    }
}
