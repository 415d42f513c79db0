//! Tables of events and of payload references: one row each, the columns of `inferlog_record`.

use std::io::Write;

use inferlog_record::body::Body;
use inferlog_record::{
    Column as RecordColumn, ColumnType as RecordType, Content, Reference, State, Timestamp,
};
use inferlog_record::{columns, reference_columns};
use serde_json::Value as Json;

use crate::content::{Birth, Opener};
use crate::error::Result;
use crate::repeats::Repeats;
use crate::selection::Selection;
use crate::source::{ReadEntry, Source};
use crate::survey::Taken;
use crate::table::{Column, ColumnType, TableWriter, Value};
use crate::{Report, Tick};

/// Where an event stands: the first columns of every row.
fn position() -> Vec<Column> {
    vec![
        Column::new("log", ColumnType::Text),
        Column::new("entry", ColumnType::Integer),
        Column::new("place", ColumnType::Integer),
        Column::new("decision", ColumnType::Text),
    ]
}

/// Columns of the table of events.
pub(crate) fn event_columns() -> Vec<Column> {
    let own = columns().into_iter().map(|column| Column::new(column.name, column_type(column.r#type)));
    position().into_iter().chain(own).collect()
}

/// Columns of the table of payload references, and what became of each payload.
pub(crate) fn payload_columns() -> Vec<Column> {
    let own = reference_columns().into_iter();
    let own = own.map(|column| Column::new(column.name, column_type(column.r#type)));
    let event = [Column::new("event", ColumnType::Text), Column::new("kind", ColumnType::Text)];
    let outcome = [
        Column::new("erased_by", ColumnType::Text),
        Column::new("content", ColumnType::Text),
        Column::new("content_form", ColumnType::Text),
        Column::new("not_opened", ColumnType::Text),
        Column::new("not_opened_why", ColumnType::Text),
    ];
    position().into_iter().chain(event).chain(own).chain(outcome).collect()
}

fn column_type(r#type: RecordType) -> ColumnType {
    match r#type {
        // Digests are in hexadecimal, as the record's JSON has them.
        RecordType::Text | RecordType::Uuid | RecordType::Digest => ColumnType::Text,
        RecordType::Timestamp => ColumnType::Timestamp,
        RecordType::Unsigned | RecordType::Signed => ColumnType::Integer,
        RecordType::Boolean => ColumnType::Boolean,
        RecordType::TextList => ColumnType::TextList,
        RecordType::Json => ColumnType::Json,
    }
}

/// Writes a row for each event; not for the rest of an event that an earlier part of its write began.
pub(crate) fn events<W: Write + Send>(
    table: &mut TableWriter<W>,
    sources: &[Source],
    selection: &Selection,
    repeats: &mut Repeats<'_>,
    tick: &mut Tick<'_>,
    report: &mut Report,
) -> Result<()> {
    let columns = columns();
    for source in sources {
        source.entries(|index, entry| {
            tick.entry();
            for (place, read) in entry.events.iter().enumerate() {
                let is_rest = matches!(read.event.body, Body::Rest(_));
                let is_repeated = repeats.is_repeated(entry, &read.event);
                if is_rest || !selection.has_event(entry.decision, &read.event) {
                    continue;
                }
                if is_repeated {
                    report.repeated();
                    continue;
                }
                let json: Json =
                    serde_json::from_str(read.raw.get()).map_err(|error| source.malformed(index, error))?;
                let mut row = place_of(source, index, place, entry);
                let kind = read.event.kind();
                for column in &columns {
                    let is_of_kind = column.kind.is_none() || column.kind == kind;
                    row.push(if is_of_kind { value(column, &json) } else { Value::Null });
                }
                table.row(&row)?;
            }
            repeats.entry_ends(entry);
            Ok(())
        })?;
    }
    Ok(())
}

/// Writes a row for each payload reference.
pub(crate) fn payloads<W: Write + Send>(
    table: &mut TableWriter<W>,
    opener: &Opener<'_>,
    selection: &Selection,
    repeats: &mut Repeats<'_>,
    tick: &mut Tick<'_>,
    report: &mut Report,
) -> Result<()> {
    let columns = reference_columns();
    for (log, source) in opener.sources.iter().enumerate() {
        source.entries(|index, entry| {
            tick.entry();
            for (place, read) in entry.events.iter().enumerate() {
                let event = &read.event;
                let is_repeated = repeats.is_repeated(entry, event);
                if is_repeated || !selection.has_event(entry.decision, event) {
                    continue;
                }
                for reference in &event.payloads {
                    let mut row = place_of(source, index, place, entry);
                    row.push(Value::Text(event.id.to_string()));
                    row.push(Value::Text(event.body.kind_text().to_owned()));
                    let json = serde_json::to_value(reference)?;
                    row.extend(columns.iter().map(|column| value(column, &json)));
                    let birth = Birth::of((log, index), entry, event, reference);
                    row.extend(outcome(opener, reference, birth.as_ref(), report));
                    table.row(&row)?;
                }
            }
            repeats.entry_ends(entry);
            Ok(())
        })?;
    }
    Ok(())
}

/// What became of a payload: the last columns of its row.
fn outcome(
    opener: &Opener<'_>,
    reference: &Reference,
    birth: Option<&Birth>,
    report: &mut Report,
) -> [Value; 5] {
    let text = |text: &str| Value::Text(text.to_owned());
    let erased_by = match birth.and_then(|birth| opener.removed.of_payload(birth)) {
        Some(Taken::Erased(event)) => Value::Text(event.to_string()),
        _ => Value::Null,
    };
    if let Content::First(first, State::Present) = reference.content {
        let why = format!("recorded by event {first}");
        return [erased_by, Value::Null, Value::Null, text("first"), Value::Text(why)];
    }
    match opener.open(reference, birth) {
        Ok(opened) => {
            let (form, content) = opened.text();
            [erased_by, Value::Text(content), text(form), Value::Null, Value::Null]
        }
        Err(why) => {
            report.not_opened(why.state);
            [erased_by, Value::Null, Value::Null, text(why.state), Value::Text(why.why)]
        }
    }
}

fn place_of(source: &Source, index: u64, place: usize, entry: &ReadEntry<'_>) -> Vec<Value> {
    vec![
        Value::Text(source.origin.clone()),
        integer(index),
        integer(place as u64),
        entry.decision.map_or(Value::Null, |decision| Value::Text(decision.to_string())),
    ]
}

/// A number that is beyond 64 bits with a sign is null.
pub(crate) fn integer(number: u64) -> Value {
    i64::try_from(number).map_or(Value::Null, Value::Integer)
}

/// The value of a column in an event's or reference's JSON; null where there is none, or none of the column's type.
fn value(column: &RecordColumn, json: &Json) -> Value {
    let Some(found) = column.path.iter().try_fold(json, |json, name| json.get(name)) else {
        return Value::Null;
    };
    match (column.r#type, found) {
        (RecordType::Text | RecordType::Uuid | RecordType::Digest, Json::String(text)) => {
            Value::Text(text.clone())
        }
        (RecordType::Timestamp, Json::String(text)) => {
            text.parse().map_or(Value::Null, |time: Timestamp| timestamp(time))
        }
        (RecordType::Unsigned | RecordType::Signed, Json::Number(number)) => {
            number.as_i64().map_or(Value::Null, Value::Integer)
        }
        // Beyond 2^53 the record writes integers as texts.
        (RecordType::Unsigned | RecordType::Signed, Json::String(text)) => {
            text.parse().map_or(Value::Null, Value::Integer)
        }
        (RecordType::Boolean, Json::Bool(is)) => Value::Boolean(*is),
        (RecordType::TextList, Json::Array(texts)) => {
            let texts =
                texts.iter().map(|text| text.as_str().map_or_else(|| text.to_string(), str::to_owned));
            Value::TextList(texts.collect())
        }
        (RecordType::Json, json) => Value::Json(json.to_string()),
        _ => Value::Null,
    }
}

/// A time that is beyond 64 bits with a sign (in the year 2262) is null.
pub(crate) fn timestamp(time: Timestamp) -> Value {
    i64::try_from(time.nanos()).map_or(Value::Null, Value::Timestamp)
}
