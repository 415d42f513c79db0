//! The record as flat columns: what SQL tables and Arrow schemas are made of.

use crate::event::KIND;
use crate::member::{FieldDoc, FieldType};
use crate::{Event, Kind, ReferenceFields};

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Unique in its table: the path with underscores, after the kind for what stands in a body.
    pub name: String,
    /// Where the value stands in the event's or reference's JSON.
    pub path: Vec<&'static str>,
    /// Its type.
    pub r#type: ColumnType,
    /// Whether a row may have none.
    pub nullable: bool,
    /// The kind that alone has it; every kind, if `None`.
    pub kind: Option<Kind>,
    /// What it says.
    pub doc: &'static str,
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Text: a name, a word of a fixed list, a key id.
    Text,
    /// A UUID.
    Uuid,
    /// Nanoseconds since 1970, UTC.
    Timestamp,
    /// 32 bytes.
    Digest,
    /// 64 bits, unsigned. A tally that is `unknown` is null.
    Unsigned,
    /// 64 bits, signed.
    Signed,
    /// True or false.
    Boolean,
    /// A list of texts or UUIDs, as their texts.
    TextList,
    /// A list of objects, as its JSON.
    Json,
}

/// The columns of a table of events, one row an event: common fields, then those of each kind's body. Payload references
/// have a table of their own.
pub fn columns() -> Vec<Column> {
    let mut columns = Vec::new();
    let common = Event::FIELDS.iter().filter(|field| !matches!(field.name, "body" | "payloads"));
    let mut common: Vec<&'static FieldDoc> = common.chain([&KIND]).collect();
    common.sort_by_key(|field| field.name);
    for field in common {
        add(&mut columns, None, &mut Vec::new(), false, field);
    }
    for kind in Kind::ALL {
        for field in kind.fields() {
            add(&mut columns, Some(*kind), &mut vec!["body"], true, field);
        }
    }
    columns
}

/// The columns of a table of payload references, one row a reference.
pub fn reference_columns() -> Vec<Column> {
    let mut columns = Vec::new();
    for field in ReferenceFields::FIELDS {
        add(&mut columns, None, &mut Vec::new(), false, field);
    }
    columns
}

fn add(
    columns: &mut Vec<Column>,
    kind: Option<Kind>,
    path: &mut Vec<&'static str>,
    nullable: bool,
    field: &'static FieldDoc,
) {
    path.push(field.name);
    let nullable = nullable || field.optional || matches!(field.r#type, FieldType::Tally);
    match column_type(field.r#type) {
        Ok(r#type) => {
            let kind_name = kind.map(|kind| kind.as_str().replace('.', "_"));
            let words =
                kind_name.as_deref().into_iter().chain(path.iter().copied().filter(|name| *name != "body"));
            let name = words.collect::<Vec<_>>().join("_");
            columns.push(Column { name, path: path.clone(), r#type, nullable, kind, doc: field.doc.trim() });
        }
        Err(fields) => fields.iter().for_each(|inner| add(columns, kind, path, nullable, inner)),
    }
    path.pop();
}

/// The type of one column, or the members of an object that becomes several.
fn column_type(r#type: FieldType) -> Result<ColumnType, &'static [FieldDoc]> {
    Ok(match r#type {
        FieldType::Id | FieldType::Pseudonym => ColumnType::Uuid,
        FieldType::Time => ColumnType::Timestamp,
        FieldType::Digest => ColumnType::Digest,
        FieldType::Count | FieldType::Tally | FieldType::Small { .. } => ColumnType::Unsigned,
        FieldType::Signed | FieldType::Millionths => ColumnType::Signed,
        FieldType::Bool => ColumnType::Boolean,
        FieldType::Object { fields, .. } => return Err(fields),
        FieldType::List { item: FieldType::Object { .. } | FieldType::Reference } => ColumnType::Json,
        FieldType::List { .. } => ColumnType::TextList,
        FieldType::Reference | FieldType::Body => ColumnType::Json,
        FieldType::Node | FieldType::KeyId | FieldType::System | FieldType::Class => ColumnType::Text,
        FieldType::Name | FieldType::Reason | FieldType::Enum { .. } => ColumnType::Text,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique() {
        for columns in [columns(), reference_columns()] {
            let names: BTreeSet<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            assert_eq!(names.len(), columns.len());
        }
    }

    #[test]
    fn some_columns() {
        let columns = columns();
        let check = |name: &str, path: &[&str], r#type, nullable| {
            let column = columns.iter().find(|column| column.name == name).expect(name);
            assert_eq!(
                (&column.path[..], column.r#type, column.nullable),
                (path, r#type, nullable),
                "{name}"
            );
        };
        check("id", &["id"], ColumnType::Uuid, false);
        check("kind", &["kind"], ColumnType::Text, false);
        check("capture_bytes_dropped", &["capture", "bytes_dropped"], ColumnType::Unsigned, true);
        check("subjects", &["subjects"], ColumnType::TextList, true);
        let requested = ["body", "model", "requested"];
        check("inference_model_requested", &requested, ColumnType::Text, true);
        check("decision_closed_outcome", &["body", "outcome"], ColumnType::Text, true);
        check("retrieval_documents", &["body", "documents"], ColumnType::Json, true);
        check("gap_count", &["body", "count"], ColumnType::Unsigned, true);
    }
}
