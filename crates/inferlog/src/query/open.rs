//! Payloads that an answer refers to: found by the worker, opened by whoever holds the keystore, put in place of what referred
//! to them.

use std::collections::{BTreeMap, HashMap};

use inferlog_audit::PayloadContent;
use inferlog_index::query::{Cell, QueryColumn, QueryError, QueryFault};
use inferlog_index::{EventNo, IndexError, Reader, Value};
use inferlog_record::Id;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::job::{Format, Job, PayloadAt};
use super::output::Frame;
use super::process::Worker;

/// The most references that one answer opens.
pub(crate) const REFERENCES_MAX: usize = 10_000;
/// The most content that one answer opens, bytes.
pub(crate) const CONTENT_BYTES_MAX: usize = 64 << 20;

/// The member of a JSON reference that names its payload.
const PAYLOAD: &str = "payload";

/// A payload, opened or not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Opened {
    /// Its id.
    pub(crate) payload: String,
    /// What it holds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) content: Option<Content>,
    /// Why it is not there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) missing: Option<String>,
}

/// Content, in the most readable form that keeps every byte.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Content {
    /// A JSON document.
    Json(Box<RawValue>),
    /// Text.
    Text(String),
    /// Anything else.
    Base64(String),
}

impl From<PayloadContent> for Content {
    fn from(content: PayloadContent) -> Self {
        match content {
            PayloadContent::Json(json) => Self::Json(json),
            PayloadContent::Text(text) => Self::Text(text),
            PayloadContent::Base64(text) => Self::Base64(text),
        }
    }
}

/// An answer that is held as a whole, to be worked on.
pub(crate) struct Rows {
    /// Its columns.
    pub(crate) columns: Vec<QueryColumn>,
    /// Its rows.
    pub(crate) rows: Vec<Vec<Cell>>,
    places: Vec<usize>,
    wanted: Vec<PayloadAt>,
}

impl Rows {
    /// Asks for an answer whose columns are to be opened.
    pub(crate) async fn ask(job: &Job) -> Result<Self, QueryError> {
        let mut worker = Worker::start(&Job { format: Format::Frames, ..job.clone() }).await?;
        let bytes = worker.read_all(CONTENT_BYTES_MAX).await?;
        worker.end().await?;
        let broken = |error: &dyn std::fmt::Display| {
            QueryError::new(
                QueryFault::IndexFailed,
                format!("the query's process wrote what cannot be read: {error}"),
            )
        };
        let mut all = Self { columns: Vec::new(), rows: Vec::new(), places: Vec::new(), wanted: Vec::new() };
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line).map_err(|error| broken(&error))? {
                Frame::Columns(columns) => {
                    all.places = places(&job.open, &columns).map_err(|error| broken(&error))?;
                    all.columns = columns;
                }
                Frame::Row(cells, wanted) => {
                    all.rows.push(cells);
                    all.wanted.extend(wanted);
                }
            }
        }
        all.wanted.sort_unstable_by(|one, other| one.payload.cmp(&other.payload));
        all.wanted.dedup_by(|one, other| one.payload == other.payload);
        Ok(all)
    }

    /// Where the payloads stand that it refers to, each once.
    pub(crate) fn wanted(&self) -> Vec<PayloadAt> {
        self.wanted.clone()
    }

    /// Puts content in the place of references to it.
    ///
    /// # Errors
    /// If it would be more than [`CONTENT_BYTES_MAX`]: one payload may stand in many rows.
    pub(crate) fn put(&mut self, opened: Vec<Opened>) -> Result<(), QueryError> {
        let opened = opened.into_iter().map(|opened| (opened.payload.clone(), opened)).collect();
        let mut left = CONTENT_BYTES_MAX;
        for place in &self.places {
            // Content has the type that it has.
            if let Some(column) = self.columns.get_mut(*place) {
                column.r#type = None;
            }
            for cell in self.rows.iter_mut().filter_map(|row| row.get_mut(*place)) {
                left = left.checked_sub(content_bytes(cell, &opened)).ok_or_else(too_much)?;
                put(cell, &opened);
            }
        }
        Ok(())
    }
}

/// Bytes of content that are to stand in a cell.
fn content_bytes(cell: &Cell, opened: &HashMap<String, Opened>) -> usize {
    let of = |id: Id| match opened.get(&id.to_string())?.content.as_ref()? {
        Content::Json(json) => Some(json.get().len()),
        Content::Text(text) | Content::Base64(text) => Some(text.len()),
    };
    references(cell).into_iter().filter_map(of).sum()
}

fn too_much() -> QueryError {
    let what = format!(
        "the answer's content is longer than the {} MiB that can be opened at once",
        CONTENT_BYTES_MAX >> 20
    );
    QueryError::new(QueryFault::Output, what).hint("ask for fewer rows, each payload once (DISTINCT)")
}

/// Finds where payloads stand that columns refer to.
pub(super) struct Finder {
    reader: Reader,
    wanted: Vec<String>,
    /// Places of the columns that are meant.
    columns: Vec<usize>,
    found: usize,
}

impl Finder {
    pub(super) fn new(reader: Reader, wanted: Vec<String>) -> Self {
        Self { reader, wanted, columns: Vec::new(), found: 0 }
    }

    /// Looks the columns up; says which is not there.
    pub(super) fn begin(&mut self, columns: &[QueryColumn]) -> Result<(), String> {
        self.columns = places(&self.wanted, columns)?;
        Ok(())
    }

    /// Where the payloads stand that a row refers to. What the index does not know is left out.
    pub(super) fn find(&mut self, cells: &[Cell]) -> Result<Vec<PayloadAt>, String> {
        let ids: Vec<Id> =
            self.columns.iter().filter_map(|place| cells.get(*place)).flat_map(references).collect();
        self.found += ids.len();
        if self.found > REFERENCES_MAX {
            return Err(format!(
                "one answer opens {REFERENCES_MAX} payloads at most: ask for fewer rows (LIMIT)"
            ));
        }
        ids.into_iter()
            .filter_map(|id| find(&mut self.reader, id).map_err(|error| error.to_string()).transpose())
            .collect()
    }
}

/// The places of these columns among those of an answer.
fn places(wanted: &[String], columns: &[QueryColumn]) -> Result<Vec<usize>, String> {
    let place = |name: &String| {
        columns.iter().position(|column| column.name == *name).ok_or_else(|| {
            let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
            format!("there is no column `{name}` to open; the answer has: {}", names.join(", "))
        })
    };
    let mut found = wanted.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    // A column that is named twice is opened once: what content says of payloads is content.
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

const FIND: &str = "\
SELECT l.system, l.origin, r.event, CAST(d.id AS TEXT)
FROM payload_ref r JOIN event e ON e.no = r.event JOIN log l ON l.log = r.event / 281474976710656
LEFT JOIN decision d ON d.no = e.decision
WHERE r.payload = $1 ORDER BY CASE WHEN r.first IS NULL THEN 0 ELSE 1 END, r.event LIMIT 1";

fn find(reader: &mut Reader, payload: Id) -> Result<Option<PayloadAt>, IndexError> {
    let found = reader.row(FIND, &[Value::Blob(payload.as_bytes().to_vec())])?;
    let Some([Value::Text(system), Value::Text(origin), Value::Integer(event), decision]) = found.as_deref()
    else {
        return Ok(None);
    };
    let mut indices = vec![EventNo(*event).index()];
    // A long event goes on in later entries, which have payloads of their own.
    reader.rows(
        "SELECT no FROM continuation WHERE event = $1 ORDER BY no",
        &[Value::Integer(*event)],
        |row| {
            indices.extend(row.first().and_then(Value::integer).map(|no| EventNo(no).index()));
            Ok(())
        },
    )?;
    let (system, origin, decision) = (system.clone(), origin.clone(), decision.owned());
    Ok(Some(PayloadAt { payload: payload.to_string(), system, origin, indices, decision }))
}

/// The payloads that a cell names: it is an id, or JSON with references in it.
fn references(cell: &Cell) -> Vec<Id> {
    let (Cell::Text(text) | Cell::Json(text)) = cell else { return Vec::new() };
    if let Ok(id) = text.parse() {
        return vec![id];
    }
    let mut found = Vec::new();
    if let Ok(json) = serde_json::from_str(text) {
        walk(&json, &mut found);
    }
    found
}

fn walk(json: &serde_json::Value, found: &mut Vec<Id>) {
    match json {
        serde_json::Value::Object(members) => match named(members) {
            Some(id) => found.push(id),
            None => members.values().for_each(|member| walk(member, found)),
        },
        serde_json::Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
        _ => {}
    }
}

/// The payload that an object refers to.
fn named(members: &serde_json::Map<String, serde_json::Value>) -> Option<Id> {
    members.get(PAYLOAD)?.as_str()?.parse().ok()
}

/// Puts what was opened in the place of what referred to it.
fn put(cell: &mut Cell, opened: &HashMap<String, Opened>) {
    let (Cell::Text(text) | Cell::Json(text)) = &*cell else { return };
    if text.parse::<Id>().is_ok() {
        *cell = match opened.get(text.as_str()) {
            None => Cell::Json(absent(text, "the index knows no payload of this id")),
            Some(Opened { content: Some(Content::Json(json)), .. }) => Cell::Json(json.get().to_owned()),
            Some(Opened { content: Some(Content::Text(text) | Content::Base64(text)), .. }) => {
                Cell::Text(text.clone())
            }
            Some(opened) => Cell::Json(absent(text, opened.missing.as_deref().unwrap_or("unknown"))),
        };
        return;
    }
    if let Ok(mut json) = serde_json::from_str(text)
        && replace(&mut json, opened)
    {
        *cell = Cell::Json(json.to_string());
    }
}

/// What stands in place of a payload that is not there.
fn absent(payload: &str, why: &str) -> String {
    serde_json::json!({ "missing": why, PAYLOAD: payload }).to_string()
}

fn replace(json: &mut serde_json::Value, opened: &HashMap<String, Opened>) -> bool {
    match json {
        serde_json::Value::Object(members) => match named(members).and_then(|id| opened.get(&id.to_string()))
        {
            Some(opened) => {
                match &opened.content {
                    Some(Content::Json(content)) => {
                        *json = serde_json::from_str(content.get()).unwrap_or_else(|_| content.get().into());
                    }
                    Some(Content::Text(text) | Content::Base64(text)) => *json = text.clone().into(),
                    None => {
                        members.insert("missing".into(), opened.missing.clone().unwrap_or_default().into());
                    }
                }
                true
            }
            None => members.values_mut().fold(false, |any, member| replace(member, opened) | any),
        },
        serde_json::Value::Array(items) => {
            items.iter_mut().fold(false, |any, item| replace(item, opened) | any)
        }
        _ => false,
    }
}

/// The decisions that payloads are of, by system; a system without is there too.
pub(crate) fn decisions(wanted: &[PayloadAt]) -> BTreeMap<String, Vec<Id>> {
    let mut found: BTreeMap<String, Vec<Id>> = BTreeMap::new();
    for payload in wanted {
        let decisions = found.entry(payload.system.clone()).or_default();
        decisions.extend(payload.decision.as_deref().and_then(|id| id.parse::<Id>().ok()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_that_stands_in_many_rows_is_bounded_like_any_other() {
        let payload = "0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11".to_owned();
        let row = || vec![Cell::Text(payload.clone())];
        let rows = |count: usize| Rows {
            columns: vec![QueryColumn { name: "payload".into(), r#type: None }],
            rows: std::iter::repeat_with(row).take(count).collect(),
            places: vec![0],
            wanted: Vec::new(),
        };
        let content = Some(Content::Text("x".repeat(CONTENT_BYTES_MAX / 4)));
        let opened = || vec![Opened { payload: payload.clone(), content: content.clone(), missing: None }];
        let mut few = rows(4);
        few.put(opened()).unwrap();
        assert!(matches!(&few.rows[3][0], Cell::Text(text) if text.len() == CONTENT_BYTES_MAX / 4));
        let error = rows(5).put(opened()).unwrap_err();
        assert!(error.code == QueryFault::Output && error.to_string().contains("64 MiB"), "{error}");
    }
}
