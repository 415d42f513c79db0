//! Records of many decisions, read in one pass; and what of a record is the same whenever the same happens.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use crate::recording::{env, reader, vault_on};
use inferlog_log::{LogIdentity, LogReader, NodeLock};
use inferlog_record::{Content, Entry, Event, Id, PayloadRole, Reference};
use inferlog_vault::{DecisionKey, SealContext, Vault, open_payload};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// An event, and the contents that it records itself.
pub struct Step {
    pub event: Event,
    pub contents: BTreeMap<Id, Vec<u8>>,
}

impl Step {
    /// The content of this role; `None` where the step records none itself.
    pub fn content(&self, role: PayloadRole) -> Option<&[u8]> {
        let reference = self.event.payloads.iter().find(|reference| reference.role == role)?;
        self.contents.get(&reference.payload).map(Vec::as_slice)
    }
}

/// Reads the log of a system, in a directory that is not in use; each decision is given when its end was read. Returns the
/// decisions that have no end, or that something follows the end of.
pub fn decisions(dir: &Path, system: &str, mut each: impl FnMut(Id, Vec<Step>)) -> Vec<Id> {
    let (log, reader) = reader(env(), dir, system);
    let origin = LogIdentity::load(&*env().fs, &log).unwrap().origin;
    let lock = NodeLock::take(&*env().fs, dir).unwrap();
    let sealed = Sealed { vault: vault_on(&env(), dir, &lock), reader: &reader, origin };
    let mut open: HashMap<Id, Vec<Step>> = HashMap::new();
    reader
        .scan(0, reader.size().unwrap(), |index, bytes| {
            let entry = Entry::from_bytes(bytes).unwrap();
            let Some(decision) = entry.decision else { return true };
            assert_eq!(entry.of, 1, "an event that fills more than an entry");
            let mut key = None;
            for event in entry.events {
                let is_end = event.body.kind_text() == "decision.closed";
                let contents = sealed.contents(index, &event, &mut key);
                open.entry(decision).or_default().push(Step { event, contents });
                if is_end {
                    each(decision, open.remove(&decision).unwrap_or_default());
                }
            }
            true
        })
        .unwrap();
    open.into_keys().collect()
}

struct Sealed<'a> {
    vault: Vault,
    reader: &'a LogReader,
    origin: String,
}

impl Sealed<'_> {
    fn contents(&self, index: u64, event: &Event, key: &mut Option<DecisionKey>) -> BTreeMap<Id, Vec<u8>> {
        let content =
            |reference: &Reference| Some((reference.payload, self.content(index, event, reference, key)?));
        event.payloads.iter().filter_map(content).collect()
    }

    fn content(
        &self,
        index: u64,
        event: &Event,
        reference: &Reference,
        key: &mut Option<DecisionKey>,
    ) -> Option<Vec<u8>> {
        let Content::Sealed(sealed) = reference.content else { return None };
        let (class, payload) = (event.retention.as_str(), reference.payload);
        let bytes = self.reader.payload(class, event.logged_at.nanos(), index, payload.into_bytes());
        let bytes = bytes.unwrap().expect("a payload is in its pack");
        let key = key.get_or_insert_with(|| self.vault.open_decision_key(sealed.key_id).unwrap());
        let key = key.data_key(payload).unwrap();
        let role = reference.role.as_str();
        let context = SealContext { origin: &self.origin, event: event.id, role, payload };
        Some(open_payload(&key, &context, &bytes, sealed.encoding, &sealed.commitment, 64 << 20).unwrap())
    }
}

/// Members that differ from one exchange to the next: times, and what hangs on keys.
const OTHER_EACH_TIME: [&str; 8] = [
    "clock",
    "commitment",
    "ended_at",
    "key_id",
    "logged_at",
    "sealed",
    "started_at",
    "time_to_first_byte_ns",
];
/// Headers that tell of framing and coding.
const OF_FRAMING: [&str; 2] = ["content-length", "content-encoding"];

/// What of a decision's record is the same whenever the same happens: ids stand as numbers in the order in which they come,
/// contents with their references.
pub fn essence(steps: &[Step]) -> Value {
    let mut ids = HashMap::new();
    steps.iter().map(|step| of_step(step, &mut ids)).collect()
}

fn of_step(step: &Step, ids: &mut HashMap<String, usize>) -> Value {
    let mut event = serde_json::to_value(&step.event).unwrap();
    for (reference, fields) in step.event.payloads.iter().zip(payloads(&mut event)) {
        if let Some(content) = step.contents.get(&reference.payload) {
            let content = match reference.role {
                PayloadRole::Headers => without_framing(fields, content),
                _ => String::from_utf8_lossy(content).into(),
            };
            fields.insert("content".into(), content);
        }
    }
    walk(&mut event, ids);
    event
}

/// The event's references.
fn payloads(event: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    event["payloads"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut)
}

fn without_framing(fields: &mut Map<String, Value>, content: &[u8]) -> Value {
    fields.retain(|name, _| !["size", "encoding"].contains(&name.as_str()));
    let mut headers: Value = serde_json::from_slice(content).unwrap();
    headers.as_object_mut().unwrap().retain(|name, _| !OF_FRAMING.contains(&name.as_str()));
    headers
}

fn walk(value: &mut Value, ids: &mut HashMap<String, usize>) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !OTHER_EACH_TIME.contains(&name.as_str()));
            // The content is not the record's own words.
            fields.iter_mut().filter(|(name, _)| *name != "content").for_each(|(_, value)| walk(value, ids));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, ids)),
        Value::String(text) if text.parse::<Id>().is_ok() => {
            let count = ids.len();
            *text = format!("id {}", ids.entry(text.clone()).or_insert(count));
        }
        _ => {}
    }
}

/// The same without what the raw output is: of a stream that says the same in other bytes.
pub fn without_raw(mut essence: Value) -> Value {
    for event in essence.as_array_mut().into_iter().flatten() {
        for fields in payloads(event).filter(|fields| fields["role"] == "output.raw") {
            fields.retain(|name, _| name == "role" || name == "payload" || name == "state");
        }
    }
    essence
}

/// Where two differ, a line each.
pub fn differences(expected: &Value, found: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    compare("", expected, found, &mut lines);
    lines
}

fn compare(at: &str, expected: &Value, found: &Value, lines: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            let names: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
            for name in names {
                let member = |of: &Map<String, Value>| of.get(name).cloned().unwrap_or_default();
                compare(&format!("{at}/{name}"), &member(expected), &member(found), lines);
            }
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            for (number, (expected, found)) in expected.iter().zip(found).enumerate() {
                compare(&format!("{at}/{number}"), expected, found, lines);
            }
        }
        _ if expected == found => {}
        _ => lines.push(format!("  {at}: {found}, expected {expected}")),
    }
}
