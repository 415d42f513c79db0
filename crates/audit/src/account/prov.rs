//! The account as PROV-JSON (W3C Member Submission of 24 April 2013): steps are activities, contents, models, prompts and indexes
//! are entities, people, tools and the system are agents. It says what came of what, and holds no content.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::model::{Account, Held, Step};
use super::outline::drawn;

/// Names of inferlog's own terms.
const TERMS: &str = "urn:inferlog:prov:";

/// Roles of contents that a step makes; of the others it makes use.
const MADE: [&str; 14] = [
    "output.raw",
    "output.part",
    "output.processed",
    "output.final",
    "explanation",
    "tool.result",
    "retrieval.document",
    "transform.out",
    "reasoning",
    "input.enriched",
    "human.after",
    "human.reason",
    "label.value",
    "error",
];

impl Account {
    /// The account as PROV-JSON. The same account gives the same text.
    pub fn to_prov(&self) -> String {
        let mut graph = Graph::default();
        graph.agent(&system(self), &self.identity.system, "prov:SoftwareAgent");
        graph.contents(self);
        for step in &self.steps {
            graph.step(self, step);
        }
        for edge in &self.edges {
            if let (Some(effect), Some(cause)) = (self.step(edge.to), self.step(edge.from)) {
                let relation =
                    json!({ "prov:informed": activity(effect), "prov:informant": activity(cause) });
                graph.relate("wasInformedBy", relation);
            }
        }
        graph.models(self);
        graph.prompts(self);
        graph.indexes(self);
        graph.tools(self);
        graph.people(self);
        graph.derivations(self);
        let prefixes = json!({
            "inferlog": TERMS,
            "uuid": "urn:uuid:",
            "model": "urn:inferlog:model:",
            "index": "urn:inferlog:index:",
            "prompt": "urn:inferlog:prompt:",
            "tool": "urn:inferlog:tool:",
            "system": "urn:inferlog:system:",
        });
        let mut document = graph.document;
        document.insert("prefix".to_owned(), prefixes);
        serde_json::to_string_pretty(&Value::Object(document)).unwrap_or_default()
    }
}

fn system(account: &Account) -> String {
    format!("system:{}", account.identity.system)
}

fn activity(step: &Step) -> String {
    format!("uuid:{}", step.event)
}

fn content(held: &Held) -> String {
    format!("uuid:{}", held.payload)
}

#[derive(Default)]
struct Graph {
    /// By kind of element or relation, by name.
    document: Map<String, Value>,
    relations: usize,
    derived: BTreeSet<(String, String)>,
}

impl Graph {
    fn add(&mut self, kind: &str, name: &str, attributes: Value) {
        let named = self.document.entry(kind).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(named) = named {
            named.entry(name).or_insert(attributes);
        }
    }

    fn relate(&mut self, kind: &str, relation: Value) {
        self.relations += 1;
        self.add(kind, &format!("_:r{}", self.relations), relation);
    }

    fn agent(&mut self, name: &str, label: &str, r#type: &str) {
        self.add("agent", name, json!({ "prov:type": qualified(r#type), "prov:label": drawn(label) }));
    }

    fn entity(&mut self, name: &str, label: &str, r#type: &str, more: &[(&str, Option<String>)]) {
        let mut attributes = json!({ "prov:type": qualified(r#type), "prov:label": drawn(label) });
        for (name, value) in more {
            if let Some(value) = value {
                attributes[format!("inferlog:{name}")] = json!(drawn(value));
            }
        }
        self.add("entity", name, attributes);
    }

    fn used(&mut self, activity: &str, entity: &str, role: &str) {
        self.relate("used", json!({ "prov:activity": activity, "prov:entity": entity, "prov:role": role }));
    }

    fn contents(&mut self, account: &Account) {
        for held in account.steps.iter().flat_map(|step| &step.holds) {
            let Some(found) = account.content(held) else { continue };
            let more = [
                ("state", Some(found.state.clone())),
                ("reason", found.reason.clone()),
                ("removed", found.removed.as_ref().map(crate::story::Removed::said)),
                ("kept", Some(found.kept_by().join("; ")).filter(|kept| !kept.is_empty())),
                ("mediaType", found.media_type.clone()),
                ("paddedBytes", found.size.map(|size| size.to_string())),
            ];
            self.entity(&content(held), &held.role, "inferlog:Payload", &more);
        }
    }

    fn step(&mut self, account: &Account, step: &Step) {
        let name = activity(step);
        let began = step.began.as_ref().unwrap_or(&step.logged_at);
        let mut attributes = json!({
            "prov:startTime": began,
            "prov:endTime": step.ended.as_ref().unwrap_or(began),
            "prov:type": qualified(&format!("inferlog:{}", term(&step.kind))),
            "prov:label": drawn(&format!("#{} {} {}", step.number, step.kind, step.label)).trim_end(),
            "inferlog:decision": account.identity.decision.to_string(),
            "inferlog:entries": step.proof.entries.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            "inferlog:log": account.proof.logs.get(step.proof.log).map_or("", |log| log.log.as_str()),
            "inferlog:included": step.proof.included,
        });
        if let Some(outcome) = &step.outcome {
            attributes["inferlog:outcome"] = json!(outcome);
        }
        self.add("activity", &name, attributes);
        for held in &step.holds {
            let recorded = account.content(held).and_then(|content| content.recorded_by);
            let is_made = MADE.contains(&held.role.as_str()) && recorded == Some(step.number);
            if is_made {
                let relation = json!({
                    "prov:activity": name, "prov:entity": content(held), "prov:role": held.role,
                });
                self.relate("wasGeneratedBy", relation);
            } else {
                self.used(&name, &content(held), &held.role);
            }
        }
        if !matches!(step.kind.as_str(), "human" | "tool_call") {
            self.associate(&name, &system(account));
        }
    }

    fn associate(&mut self, activity: &str, agent: &str) {
        self.relate("wasAssociatedWith", json!({ "prov:activity": activity, "prov:agent": agent }));
    }

    fn models(&mut self, account: &Account) {
        for call in &account.models {
            let Some(step) = account.step(call.step) else { continue };
            let names = call.returned.as_ref().or(call.requested.as_ref());
            let name = names.map_or("unknown", String::as_str);
            let version = call.version.as_ref().map_or(String::new(), |version| format!("@{version}"));
            let entity = format!("model:{name}{version}");
            let more = [
                ("digest", call.digest.clone()),
                ("fingerprint", call.fingerprint.clone()),
                ("identity", Some(call.identity.clone())),
                ("location", call.registered.as_ref().map(|model| model.location.clone())),
            ];
            self.entity(&entity, &format!("{name}{version}"), "inferlog:Model", &more);
            self.used(&activity(step), &entity, "model");
            if let Some(deployment) = &call.deployment {
                let agent = format!("system:{deployment}");
                self.agent(&agent, deployment, "prov:SoftwareAgent");
                self.associate(&activity(step), &agent);
            }
        }
    }

    fn prompts(&mut self, account: &Account) {
        for prompt in &account.prompts {
            let (Some(name), Some(version)) = (&prompt.name, &prompt.version) else { continue };
            let entity = format!("prompt:{name}@{version}");
            let more = [("sha256", prompt.sha256.clone())];
            self.entity(&entity, &format!("{name}@{version}"), "inferlog:Prompt", &more);
            for step in prompt.steps.iter().filter_map(|step| account.step(*step)) {
                self.used(&activity(step), &entity, "prompt");
            }
        }
    }

    fn indexes(&mut self, account: &Account) {
        for found in &account.retrievals {
            let (Some(step), Some(index)) = (account.step(found.step), &found.index) else { continue };
            let version = found.version.as_ref().map_or(String::new(), |version| format!("@{version}"));
            let entity = format!("index:{index}{version}");
            let more = [("digest", found.digest.clone()), ("source", found.source.clone())];
            self.entity(&entity, &format!("{index}{version}"), "inferlog:Index", &more);
            self.used(&activity(step), &entity, "index");
        }
    }

    fn tools(&mut self, account: &Account) {
        for call in &account.tools {
            let Some(step) = account.step(call.step) else { continue };
            let agent = format!("tool:{}", call.name);
            self.agent(&agent, &call.name, "prov:SoftwareAgent");
            self.associate(&activity(step), &agent);
        }
    }

    fn people(&mut self, account: &Account) {
        for human in &account.humans {
            let (Some(step), Some(reviewer)) = (account.step(human.step), &human.reviewer) else { continue };
            let agent = format!("uuid:{reviewer}");
            self.agent(&agent, "a person, by pseudonym", "prov:Person");
            self.associate(&activity(step), &agent);
        }
    }

    /// What came of what, within a step and from stage to stage.
    fn derivations(&mut self, account: &Account) {
        for call in &account.models {
            self.derive(call.output.as_ref(), call.input.as_ref());
        }
        for call in &account.tools {
            self.derive(call.result.as_ref().or(call.failure.as_ref()), call.arguments.as_ref());
        }
        for found in &account.retrievals {
            for document in &found.documents {
                self.derive(Some(&document.payload), found.query.as_ref());
            }
        }
        for step in &account.transforms {
            self.derive(step.output.as_ref(), step.input.as_ref());
        }
        for human in &account.humans {
            self.derive(human.after.as_ref(), human.before.as_ref());
        }
        let (input, output) = (&account.input, &account.output);
        let last = |stage: &[Held], at: usize| stage.iter().rfind(|held| held.step <= at).cloned();
        for held in &input.enriched {
            self.derive(Some(held), last(&input.raw, held.step).as_ref());
        }
        for held in &input.assembled {
            let before = last(&input.enriched, held.step).or_else(|| last(&input.raw, held.step));
            self.derive(Some(held), before.as_ref());
        }
        for held in &output.processed {
            self.derive(Some(held), last(&output.raw, held.step).as_ref());
        }
        for held in &output.r#final {
            let before = last(&output.processed, held.step).or_else(|| last(&output.raw, held.step));
            self.derive(Some(held), before.as_ref());
        }
    }

    fn derive(&mut self, from: Option<&Held>, of: Option<&Held>) {
        let Some((new, old)) = from.map(content).zip(of.map(content)) else { return };
        if new != old && self.derived.insert((new.clone(), old.clone())) {
            self.relate("wasDerivedFrom", json!({ "prov:generatedEntity": new, "prov:usedEntity": old }));
        }
    }
}

fn qualified(name: &str) -> Value {
    json!({ "$": name, "type": "prov:QUALIFIED_NAME" })
}

/// A kind as the local part of a name.
fn term(kind: &str) -> String {
    kind.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect()
}
