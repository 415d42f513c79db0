//! The JSON Schema (draft 2020-12) of an entry.

use serde_json::{Map, Value, json};

use super::{event_rows, vocabularies};
use crate::member::{FieldDoc, FieldType};
use crate::{ENTRY_VERSION, Kind, LIST_ITEMS_MAX, ReferenceFields};

const UUID7: &str = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";

/// The schema as indented JSON with a final newline. Members that it does not name are allowed: readers skip them.
pub fn json_schema() -> String {
    let mut defs = Map::new();
    for (name, words) in vocabularies() {
        let texts: Vec<&str> = words.iter().map(|(text, _)| *text).collect();
        defs.insert(name.into(), json!({ "enum": texts }));
    }
    for (name, definition) in scalars() {
        defs.insert(name.into(), definition);
    }
    let mut choices = Vec::new();
    for kind in Kind::ALL {
        let name = format!("body.{kind}");
        let body = object(&kind.fields().iter().collect::<Vec<_>>(), &mut defs);
        defs.insert(name.clone(), body);
        choices.push(json!({
            "if": { "properties": { "kind": { "const": kind.as_str() } } },
            "then": { "properties": { "body": { "$ref": format!("#/$defs/{name}") } } },
        }));
    }
    let mut event = object(&event_rows(), &mut defs);
    event["allOf"] = choices.into();
    // An event that continues one of the part before has no body.
    if let Some(required) = event["required"].as_array_mut() {
        required.retain(|name| name != "body");
    }
    defs.insert("event".into(), event);
    defs.insert("reference".into(), reference());
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An entry of the inference log",
        "type": "object",
        "required": ["events", "v"],
        "properties": {
            "decision": { "$ref": "#/$defs/id" },
            "events": { "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/event" } },
            "of": { "type": "integer", "minimum": 2 },
            "part": { "type": "integer", "minimum": 2 },
            "v": { "const": ENTRY_VERSION },
        },
        "$defs": defs,
    });
    format!("{:#}\n", sorted(schema))
}

fn text(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": format!("^{pattern}$") })
}

fn scalars() -> Vec<(&'static str, Value)> {
    let integer = |minimum: i64| {
        let number = json!({ "type": "integer", "minimum": minimum, "maximum": crate::NUMBER_MAX });
        json!({ "anyOf": [number, { "type": "string", "pattern": "^-?[1-9][0-9]{15,19}$" }] })
    };
    let magnitude = crate::NUMBER_MAX as i64;
    vec![
        ("id", text(UUID7)),
        ("pseudonym", text("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")),
        ("node", text("[0-9a-f]{32}")),
        ("time", text(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}Z")),
        ("digest", text("[0-9a-f]{64}")),
        ("key_id", text(r"(0|[1-9][0-9]{0,9})\.(0|[1-9][0-9]{0,4})")),
        ("system", text("[A-Za-z0-9][A-Za-z0-9._-]{0,62}")),
        ("class", text("[a-z0-9][a-z0-9-]{0,30}")),
        ("name", text("[A-Za-z0-9._:/@-]{1,128}")),
        ("count", integer(0)),
        ("signed", integer(-magnitude)),
        ("tally", json!({ "anyOf": [{ "$ref": "#/$defs/count" }, { "const": "unknown" }] })),
        (
            "reason",
            json!({ "anyOf": [
                { "$ref": "#/$defs/Why" },
                text(&format!("(erased_by_order|purged_by_policy):{UUID7}")),
            ] }),
        ),
    ]
}

/// An object with these rows; parts of it become definitions of their own.
fn object(rows: &[&'static FieldDoc], defs: &mut Map<String, Value>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for row in rows {
        let mut property = type_of(row.r#type, defs);
        property["description"] = row.doc.trim().into();
        properties.insert(row.name.into(), property);
        if !row.optional {
            required.push(row.name);
        }
    }
    json!({ "type": "object", "properties": properties, "required": required })
}

fn type_of(r#type: FieldType, defs: &mut Map<String, Value>) -> Value {
    let named = |name: &str| json!({ "$ref": format!("#/$defs/{name}") });
    match r#type {
        FieldType::Id => named("id"),
        FieldType::Pseudonym => named("pseudonym"),
        FieldType::Node => named("node"),
        FieldType::Time => named("time"),
        FieldType::Digest => named("digest"),
        FieldType::KeyId => named("key_id"),
        FieldType::System => named("system"),
        FieldType::Class => named("class"),
        FieldType::Name => named("name"),
        FieldType::Reason => named("reason"),
        FieldType::Count => named("count"),
        FieldType::Signed | FieldType::Millionths => named("signed"),
        FieldType::Tally => named("tally"),
        FieldType::Small { max } => json!({ "type": "integer", "minimum": 0, "maximum": max }),
        FieldType::Bool => json!({ "type": "boolean" }),
        FieldType::Enum { name, .. } => named(name),
        FieldType::Reference => named("reference"),
        FieldType::Body => json!({ "type": "object" }),
        FieldType::List { item: FieldType::Reference } => {
            json!({ "type": "array", "minItems": 1, "items": named("reference") })
        }
        FieldType::List { item } => {
            let items = type_of(*item, defs);
            json!({ "type": "array", "minItems": 1, "maxItems": LIST_ITEMS_MAX, "items": items })
        }
        FieldType::Object { name, fields } => {
            if !defs.contains_key(name) {
                let definition = object(&fields.iter().collect::<Vec<_>>(), defs);
                defs.insert(name.into(), definition);
            }
            named(name)
        }
    }
}

/// The four forms of a reference: sealed, shared, recorded first by another event, absent.
fn reference() -> Value {
    let mut reference = object(&ReferenceFields::FIELDS.iter().collect::<Vec<_>>(), &mut Map::new());
    let present = json!({ "const": "present" });
    let sealed = json!({ "enum": ["personal", "pseudonymous"] });
    let shared = json!({ "const": "shared" });
    let content = ["class", "encoding", "media_type", "size"];
    let forms = [
        form(&present, &sealed, &[&content[..], &["commitment", "key_id", "sealed"]].concat()),
        form(&present, &shared, &[&content[..], &["sha256"]].concat()),
        form(&json!(true), &json!(false), &["first"]),
        absent(&["redacted", "not_captured"], json!({ "$ref": "#/$defs/Why" })),
        absent(&["erased"], text(&format!("erased_by_order:{UUID7}"))),
        absent(&["purged"], text(&format!("purged_by_policy:{UUID7}"))),
    ];
    reference["oneOf"] = forms.into_iter().collect();
    reference
}

/// One form: this state and class, these optional members, and no other optional member.
fn form(state: &Value, class: &Value, needs: &[&str]) -> Value {
    let others =
        ReferenceFields::FIELDS.iter().filter(|field| field.optional && !needs.contains(&field.name));
    let mut properties: Map<String, Value> = others.map(|field| (field.name.into(), json!(false))).collect();
    properties.insert("state".into(), state.clone());
    properties.insert("class".into(), class.clone());
    json!({ "properties": properties, "required": needs })
}

/// Content that is not there, in these states for this reason.
fn absent(states: &[&str], reason: Value) -> Value {
    let mut absent = form(&json!({ "enum": states }), &json!(false), &["reason"]);
    absent["properties"]["reason"] = reason;
    absent
}

/// Members in order, whether or not `serde_json` keeps the order of insertion.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> =
                members.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            members.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(members.into_iter().collect())
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}
