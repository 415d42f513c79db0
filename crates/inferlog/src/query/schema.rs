//! The views of an index, as it has them.

use std::collections::BTreeMap;

use inferlog_index::postgres::{Interrupt, Place};
use inferlog_index::{Reader, Value};
use inferlog_record::{Kind, columns, reference_columns};
use serde::Serialize;

use super::job::IndexAt;
use crate::output::{BOLD, DIM, Failure, styled};

/// A view.
#[derive(Debug, Serialize)]
pub(crate) struct View {
    view: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    doc: Option<String>,
    columns: Vec<ViewColumn>,
}

/// A column of a view.
#[derive(Debug, Serialize)]
pub(crate) struct ViewColumn {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    doc: Option<&'static str>,
}

const SQLITE: &str = "\
SELECT s.name, c.name, c.type FROM sqlite_schema s, pragma_table_info(s.name) c WHERE s.type = 'view' ORDER BY s.name, c.cid";
const POSTGRES: &str = "\
SELECT c.table_name::text, c.column_name::text, c.data_type::text FROM information_schema.columns c
JOIN information_schema.views v ON v.table_schema = c.table_schema AND v.table_name = c.table_name
WHERE c.table_schema = ANY (current_schemas(false)) ORDER BY c.table_name, c.ordinal_position";

impl IndexAt {
    /// The views of the index. Blocks.
    pub(crate) fn views(&self) -> Result<Vec<View>, Failure> {
        let (mut reader, sql) = match self {
            Self::Sqlite(path) => (Reader::sqlite(path)?, SQLITE),
            Self::Postgres(text) => {
                let place = Place::parse(text)?;
                (Reader::postgres(&place, &Interrupt::default())?, POSTGRES)
            }
        };
        let docs = docs();
        let mut views: Vec<View> = Vec::new();
        reader.rows(sql, &[], |row| {
            let [Value::Text(view), Value::Text(name), r#type] = row else { return Ok(()) };
            if views.last().is_none_or(|last| last.view != *view) {
                views.push(View { view: view.clone(), doc: None, columns: Vec::new() });
            }
            let doc = docs.get(&(kind_of(view), name.clone())).or_else(|| docs.get(&(None, name.clone())));
            let r#type = r#type.owned().filter(|text| !text.is_empty()).map(|text| text.to_lowercase());
            if let Some(last) = views.last_mut() {
                last.columns.push(ViewColumn { name: name.clone(), r#type, doc: doc.copied() });
            }
            Ok(())
        })?;
        for view in &mut views {
            view.doc =
                kind_of(&view.view).map(|kind| format!("events of the kind `{kind}`, with its own fields"));
        }
        Ok(views)
    }
}

/// The kind of event that a view `event_…` is of.
fn kind_of(view: &str) -> Option<&'static str> {
    let name = view.strip_prefix("event_")?;
    Kind::ALL.iter().map(|kind| kind.as_str()).find(|kind| kind.replace('.', "_") == name)
}

/// What the record says of each field: by kind, if it is one kind's, and name.
fn docs() -> BTreeMap<(Option<&'static str>, String), &'static str> {
    let field = |column: inferlog_record::Column| {
        let kind = column.kind.map(|kind| kind.as_str());
        let prefix = kind.map(|kind| format!("{}_", kind.replace('.', "_"))).unwrap_or_default();
        let name = column.name.strip_prefix(&prefix).unwrap_or(&column.name).to_owned();
        ((kind, name), column.doc)
    };
    reference_columns().into_iter().chain(columns()).map(field).collect()
}

impl View {
    /// For people.
    pub(crate) fn to_text(&self) -> String {
        let mut text = styled(BOLD, &self.view).to_string();
        if let Some(doc) = &self.doc {
            text.push_str(&format!("  {}", styled(DIM, doc)));
        }
        text.push('\n');
        let width = self.columns.iter().map(|column| column.name.len()).max().unwrap_or(0);
        for column in &self.columns {
            let (r#type, doc) = (column.r#type.as_deref().unwrap_or(""), column.doc.unwrap_or(""));
            let line = format!("  {:width$}  {:12}  {}", column.name, r#type, styled(DIM, doc));
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text.push('\n');
        text
    }
}
