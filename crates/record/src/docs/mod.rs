//! What is generated from the list of fields: the page docs/record.md and the schema docs/record.schema.json.

mod markdown;
mod schema;

use std::collections::BTreeMap;

use crate::event::KIND;
use crate::member::{FieldDoc, FieldType, Member};
use crate::{Event, Kind, ReferenceFields, Why};

pub use markdown::markdown;
pub use schema::json_schema;

/// A fixed list of texts: what each means.
type Vocabulary = Vec<(&'static str, &'static str)>;

/// The rows of an event, in order.
fn event_rows() -> Vec<&'static FieldDoc> {
    let mut rows: Vec<_> = Event::FIELDS.iter().chain([&KIND]).collect();
    rows.sort_by_key(|row| row.name);
    rows
}

/// Every fixed list of texts that a field uses, by its name.
fn vocabularies() -> BTreeMap<&'static str, Vocabulary> {
    let mut found = BTreeMap::new();
    let kinds = Kind::ALL.iter().flat_map(|kind| kind.fields());
    for row in event_rows().into_iter().chain(kinds).chain(ReferenceFields::FIELDS) {
        collect(row.r#type, &mut found);
    }
    collect(<Why as Member>::TYPE, &mut found);
    found
}

fn collect(r#type: FieldType, found: &mut BTreeMap<&'static str, Vocabulary>) {
    match r#type {
        FieldType::Enum { name, texts, meanings } => {
            let meanings = meanings.iter().map(|meaning| meaning.trim());
            found.insert(name, texts.iter().copied().zip(meanings).collect());
        }
        FieldType::Object { fields, .. } => fields.iter().for_each(|field| collect(field.r#type, found)),
        FieldType::List { item } => collect(*item, found),
        _ => {}
    }
}
