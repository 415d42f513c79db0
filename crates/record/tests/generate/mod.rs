//! Arbitrary events, made from the list of fields: a field added there is generated without a line here.

use inferlog_record::{
    Digest, Event, FieldDoc, FieldType, Id, Kind, NUMBER_MAX, Pseudonym, ReferenceFields, Timestamp, Why,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

/// The JSON of an entry that holds one to three events of the kind.
pub(crate) fn entry(kind: Kind) -> BoxedStrategy<Value> {
    (proptest::option::of(value(FieldType::Id)), vec(event(kind), 1..4))
        .prop_map(|(decision, events)| {
            let mut entry = json!({ "events": events, "v": 1 });
            if let Some(decision) = decision {
                entry["decision"] = decision;
            }
            entry
        })
        .boxed()
}

/// The JSON of an event.
fn event(kind: Kind) -> BoxedStrategy<Value> {
    let common = Event::FIELDS.iter().filter(|field| field.name != "body");
    (object(common), object(kind.fields()))
        .prop_map(move |(mut event, body)| {
            event["kind"] = kind.as_str().into();
            event["body"] = body;
            event
        })
        .boxed()
}

fn object(fields: impl IntoIterator<Item = &'static FieldDoc>) -> BoxedStrategy<Value> {
    let members: Vec<_> = fields.into_iter().map(member).collect();
    members.prop_map(|members| Value::Object(members.into_iter().flatten().collect::<Map<_, _>>())).boxed()
}

fn member(field: &'static FieldDoc) -> BoxedStrategy<Option<(String, Value)>> {
    let named = value(field.r#type).prop_map(|value| (field.name.to_owned(), value));
    if field.optional { proptest::option::of(named).boxed() } else { named.prop_map(Some).boxed() }
}

fn value(r#type: FieldType) -> BoxedStrategy<Value> {
    match r#type {
        FieldType::Id => (0..1u64 << 48, any::<[u8; 10]>())
            .prop_map(|(millis, random)| text(Id::new(millis, &random)))
            .boxed(),
        FieldType::Pseudonym => any::<[u8; 16]>().prop_map(|random| text(Pseudonym::new(random))).boxed(),
        FieldType::Node => "[0-9a-f]{32}".prop_map(Value::from).boxed(),
        FieldType::Time => unsigned().prop_map(|nanos| text(Timestamp(nanos))).boxed(),
        FieldType::Digest => any::<[u8; 32]>().prop_map(|bytes| text(Digest(bytes))).boxed(),
        FieldType::KeyId => {
            any::<(u32, u16)>().prop_map(|(page, slot)| format!("{page}.{slot}").into()).boxed()
        }
        FieldType::System => "[A-Za-z0-9][A-Za-z0-9._-]{0,62}".prop_map(Value::from).boxed(),
        FieldType::Class => "[a-z0-9][a-z0-9-]{0,30}".prop_map(Value::from).boxed(),
        FieldType::Name => "[A-Za-z0-9._:/@-]{1,128}".prop_map(Value::from).boxed(),
        FieldType::Reason => {
            prop_oneof![reason(Why::TEXTS), order("erased_by_order"), order("purged_by_policy")].boxed()
        }
        FieldType::Count => unsigned().prop_map(|number| integer(number.into())).boxed(),
        FieldType::Signed | FieldType::Millionths => (unsigned(), any::<bool>())
            .prop_map(|(number, minus)| (number >> 1) as i64 * if minus { -1 } else { 1 })
            .prop_map(|number| integer(number.into()))
            .boxed(),
        FieldType::Tally => {
            prop_oneof![unsigned().prop_map(|number| integer(number.into())), Just("unknown".into())].boxed()
        }
        FieldType::Small { max } => (0..=max).prop_map(Value::from).boxed(),
        FieldType::Bool => any::<bool>().prop_map(Value::from).boxed(),
        FieldType::Enum { texts, .. } => reason(texts),
        FieldType::Object { fields, .. } => object(fields),
        FieldType::Reference => reference(),
        FieldType::List { item } => vec(value(*item), 1..4).prop_map(Value::from).boxed(),
        FieldType::Body => unreachable!("the kind decides"),
    }
}

fn text(value: impl ToString) -> Value {
    value.to_string().into()
}

/// Small, any, and around 2^53.
fn unsigned() -> BoxedStrategy<u64> {
    prop_oneof![0..1000u64, any::<u64>(), NUMBER_MAX - 2..NUMBER_MAX + 3].boxed()
}

/// As it must stand in an entry.
fn integer(number: i128) -> Value {
    match i64::try_from(number) {
        Ok(number) if number.unsigned_abs() <= NUMBER_MAX => number.into(),
        _ => number.to_string().into(),
    }
}

fn reason(texts: &'static [&'static str]) -> BoxedStrategy<Value> {
    select(texts).prop_map(Value::from).boxed()
}

fn order(prefix: &'static str) -> BoxedStrategy<Value> {
    value(FieldType::Id)
        .prop_map(move |id| format!("{prefix}:{}", id.as_str().unwrap_or_default()).into())
        .boxed()
}

/// One of the forms of a reference.
fn reference() -> BoxedStrategy<Value> {
    let content = ["class", "encoding", "media_type", "size"];
    let sealed = [&content[..], &["commitment", "key_id", "sealed"]].concat();
    let shared = [&content[..], &["sha256"]].concat();
    prop_oneof![
        (form(&sealed, "present"), select(&["personal", "pseudonymous"][..]))
            .prop_map(|(r, class)| with(r, "class", class)),
        form(&shared, "present").prop_map(|r| with(r, "class", "shared")),
        (form(&["first"], "present"), select(&["present", "erased", "purged"][..]))
            .prop_map(|(r, s)| with(r, "state", s)),
        (form(&["reason"], "not_captured"), reason(Why::TEXTS)).prop_map(|(mut r, why)| {
            r["reason"] = why;
            r
        }),
        (form(&["reason"], "erased"), order("erased_by_order")).prop_map(|(mut r, why)| {
            r["reason"] = why;
            r
        }),
    ]
    .boxed()
}

fn with(mut reference: Value, name: &str, text: &str) -> Value {
    reference[name] = text.into();
    reference
}

/// The members that are always there, and these.
fn form(optional: &[&str], state: &'static str) -> BoxedStrategy<Value> {
    let fields =
        ReferenceFields::FIELDS.iter().filter(|field| !field.optional || optional.contains(&field.name));
    let members: Vec<_> =
        fields.map(|field| value(field.r#type).prop_map(|value| (field.name.to_owned(), value))).collect();
    members
        .prop_map(move |members| with(Value::Object(members.into_iter().collect()), "state", state))
        .boxed()
}
