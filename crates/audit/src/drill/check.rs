//! One decision: what its account says is wrong.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use inferlog_record::Id;
use inferlog_registry::Files;
use percent_encoding::percent_decode_str;

use super::model::{Artefact, Checked, Finding, FindingClass as Class};
use crate::account::{Account, Content, ModelCall, RegisteredModel};
use crate::story::{KEY_DESTROYED, MISSING, NO_PACK};

/// A decision that has not ended after so long should have, milliseconds.
const OPEN_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// What a drill asks of an account.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    /// The time that the drill looks from, milliseconds since 1970.
    pub(super) until_ms: u64,
    /// Whether whatever the profile requires has to be there.
    pub(super) strict: bool,
}

/// What is wrong with an account.
pub(super) fn check(account: &Account, demand: Demand, artefacts: &mut Artefacts) -> (Vec<Finding>, Checked) {
    let mut look = Look { account, findings: Vec::new(), checked: Checked::default() };
    look.proof();
    look.contents();
    look.registry();
    look.models(artefacts);
    look.completeness(demand);
    (look.findings, look.checked)
}

struct Look<'a> {
    account: &'a Account,
    findings: Vec<Finding>,
    checked: Checked,
}

impl Look<'_> {
    /// Says that something is wrong with a step.
    fn add(&mut self, class: Class, step: Option<usize>, what: impl Into<String>) {
        let step = step.and_then(|step| self.account.step(step));
        let (event, entry) =
            step.map_or((None, None), |step| (Some(step.event), step.proof.entries.first().copied()));
        self.findings.push(Finding::new(class, event, entry, what));
    }

    fn proof(&mut self) {
        let account = self.account;
        self.checked.steps = account.steps.len() as u64;
        for log in &account.proof.logs {
            if let Some(problem) = &log.problem {
                self.add(Class::Proof, None, format!("the checkpoint of {}: {problem}", log.log));
            } else if log.signed_by.is_empty() {
                self.add(Class::Proof, None, format!("the checkpoint of {} is signed by nobody", log.log));
            }
            for entry in &log.entries {
                if entry.included {
                    self.checked.entries += 1;
                    continue;
                }
                let why = entry.problem.as_deref().unwrap_or("its proof does not lead to the root");
                let what = format!("entry {} of {}: {why}", entry.index, log.log);
                self.findings.push(Finding::new(Class::Proof, None, Some(entry.index), what));
            }
        }
        for problem in &account.problems {
            self.add(Class::Contradiction, None, problem.clone());
        }
    }

    fn contents(&mut self) {
        let account = self.account;
        let mut roles: BTreeMap<Id, &str> = BTreeMap::new();
        for held in account.steps.iter().flat_map(|step| &step.holds) {
            roles.entry(held.payload).or_insert(&held.role);
        }
        for (payload, content) in &account.contents {
            if content.state != "present" && content.state != MISSING {
                *self.checked.absent.entry(content.state.clone()).or_default() += 1;
            } else if content.verified == Some(true) {
                self.checked.contents += 1;
            } else {
                let what = unopened(roles.get(payload).copied().unwrap_or("content"), *payload, content);
                self.add(class(content), content.recorded_by, what);
            }
        }
    }

    fn registry(&mut self) {
        let account = self.account;
        for prompt in &account.prompts {
            let Some(sha256) = &prompt.sha256 else { continue };
            if prompt.text.is_some() {
                self.checked.prompts += 1;
                continue;
            }
            let name = named(prompt.name.as_deref(), prompt.version.as_deref());
            let what = format!("the registry does not hold the prompt {name}, SHA-256 {sha256}");
            self.add(Class::PromptMissing, prompt.steps.first().copied(), what);
        }
        for tools in &account.toolsets {
            if tools.json.is_some() {
                self.checked.toolsets += 1;
                continue;
            }
            let name = named(Some(&tools.name), Some(&tools.version));
            let what = format!("the registry does not hold the tools {name}, SHA-256 {}", tools.sha256);
            self.add(Class::ToolsMissing, tools.steps.first().copied(), what);
        }
    }

    fn models(&mut self, artefacts: &mut Artefacts) {
        let account = self.account;
        for call in &account.models {
            match (&call.registered, &call.digest) {
                (Some(model), _) => {
                    self.checked.models += 1;
                    let found = artefacts.find(model);
                    self.artefact(call, model, &found);
                    self.checked.artefacts.insert(model.location.clone(), found);
                }
                // The registry gave the digest once.
                (None, Some(digest)) => {
                    let name = named(call.returned.as_deref(), call.version.as_deref());
                    let what = format!("no registered model has the digest {digest}, recorded of {name}");
                    self.add(Class::ModelMissing, Some(call.step), what);
                }
                (None, None) => {}
            }
        }
    }

    fn artefact(&mut self, call: &ModelCall, model: &RegisteredModel, found: &Artefact) {
        let name = named(Some(&model.name), Some(&model.version));
        let (class, what) = match found {
            Artefact::Missing => (
                Class::ArtefactMissing,
                format!("{name} is registered at {}, and nothing is there", model.location),
            ),
            Artefact::Unreadable { why } => (Class::ArtefactMissing, format!("{name} cannot be read: {why}")),
            Artefact::Changed { digest } => (
                Class::ArtefactChanged,
                format!(
                    "{name} is registered with the digest {}, and what is at {} has {digest}",
                    model.digest.as_deref().unwrap_or_default(),
                    model.location
                ),
            ),
            Artefact::Present | Artefact::Same | Artefact::NoDigest | Artefact::NotReachable => return,
        };
        self.add(class, Some(call.step), what);
    }

    /// What is missing and nothing says why, but for what was named above. Members that the profile asks for are counted; without
    /// what the law requires, an end, a model call or a cause that is named, a decision cannot be told.
    fn completeness(&mut self, demand: Demand) {
        let account = self.account;
        let age_ms = demand.until_ms.saturating_sub(account.identity.decision.millis());
        let is_open = account.identity.outcome.is_none() && age_ms < OPEN_MS_MAX;
        self.checked.open += u64::from(is_open);
        let mut is_incomplete = false;
        // What a purge took cannot be told any more, and the log says so.
        if !account.entries_purged.is_empty() {
            *self.checked.absent.entry("entries_purged".to_owned()).or_default() += 1;
        }
        for item in account.verdict.missing.iter().filter(|item| !item.explained && item.level != "r") {
            let is_told = match item.field.as_str() {
                "inference.prompts" | "inference.toolsets" => item.why.contains("registry"),
                // It may be going on.
                "decision.closed" => is_open,
                field => self.is_lost(item.step, field),
            };
            if is_told {
                continue;
            }
            is_incomplete = true;
            let is_link = [".after", ".parent", ".clock"].iter().any(|end| item.field.ends_with(end));
            if demand.strict || item.level == "M" || item.step.is_none() || is_link {
                self.add(Class::Incomplete, item.step, format!("{}: {}", item.field, item.why));
            }
        }
        self.checked.incomplete += u64::from(is_incomplete);
    }

    /// Whether a missing payload is one that was there and could not be opened.
    fn is_lost(&self, step: Option<usize>, field: &str) -> bool {
        let Some(step) = step.and_then(|step| self.account.step(step)) else { return false };
        let Some((_, role)) = field.split_once(".payloads[") else { return false };
        let role = role.trim_end_matches(']');
        let mut held = step.holds.iter().filter(|held| held.role == role);
        held.any(|held| self.account.content(held).is_some_and(|content| content.problem.is_some()))
    }
}

fn class(content: &Content) -> Class {
    match content.problem.as_deref() {
        _ if content.verified == Some(false) => Class::ContentAltered,
        Some(NO_PACK) => Class::ContentMissing,
        Some(KEY_DESTROYED) => Class::KeyMissing,
        // Neither read nor held against anything.
        _ => Class::Unreadable,
    }
}

fn unopened(role: &str, payload: Id, content: &Content) -> String {
    let why =
        content.problem.as_deref().unwrap_or("it is not sealed, and this version holds no shared content");
    format!("{role} ({payload}): {why}")
}

fn named(name: Option<&str>, version: Option<&str>) -> String {
    format!("{} version {}", name.unwrap_or("?"), version.unwrap_or("?"))
}

/// Files of models, each looked for once.
#[derive(Debug)]
pub(super) struct Artefacts {
    /// Whether to read and hash them.
    hashed: bool,
    known: BTreeMap<(String, Option<String>), Artefact>,
}

impl Artefacts {
    pub(super) fn new(hashed: bool) -> Self {
        Self { hashed, known: BTreeMap::new() }
    }

    fn find(&mut self, model: &RegisteredModel) -> Artefact {
        let key = (model.location.clone(), model.digest.clone());
        if let Some(found) = self.known.get(&key) {
            return found.clone();
        }
        let found = look_for(model, self.hashed);
        self.known.insert(key, found.clone());
        found
    }
}

fn look_for(model: &RegisteredModel, hashed: bool) -> Artefact {
    let Some(path) = path(&model.location) else { return Artefact::NotReachable };
    match path.try_exists() {
        Ok(true) => {}
        Ok(false) => return Artefact::Missing,
        Err(error) => return Artefact::Unreadable { why: format!("{}: {error}", path.display()) },
    }
    let Some(registered) = &model.digest else { return Artefact::NoDigest };
    if !hashed {
        return Artefact::Present;
    }
    match Files::find(&path).and_then(|files| files.hash(&mut |_| {})) {
        Ok(found) if found.digest.to_string() == *registered => Artefact::Same,
        Ok(found) => Artefact::Changed { digest: found.digest.to_string() },
        Err(error) => Artefact::Unreadable { why: error.to_string() },
    }
}

/// A location on this machine: a path, or a `file:` URL without a host (RFC 8089).
fn path(location: &str) -> Option<PathBuf> {
    if let Some(rest) = location.strip_prefix("file:") {
        let path = rest.strip_prefix("//localhost").or_else(|| rest.strip_prefix("//")).unwrap_or(rest);
        return path.starts_with('/').then(|| PathBuf::from(&*percent_decode_str(path).decode_utf8_lossy()));
    }
    (!location.contains("://") && Path::new(location).is_absolute()).then(|| PathBuf::from(location))
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn locations_on_this_machine_are_paths() {
        for (location, expected) in [
            ("/models/credit/3", Some("/models/credit/3")),
            ("file:///models/a%20b", Some("/models/a b")),
            ("file:/models/x", Some("/models/x")),
            ("file://localhost/models/x", Some("/models/x")),
            ("file://elsewhere/models/x", None),
            ("s3://models/x", None),
            ("models:/credit/3", None),
            ("relative/path", None),
            ("file:///100%", Some("/100%")),
        ] {
            assert_eq!(path(location).as_deref(), expected.map(std::path::Path::new), "{location}");
        }
    }
}
