//! JSON lines.

use std::io::Write;

use super::value::{Column, Value, real, timestamp};
use crate::text::one_line;

pub(super) struct JsonWriter<W> {
    out: W,
    /// Each column's name as JSON, with what stands before and after it.
    names: Vec<String>,
    line: Vec<u8>,
}

impl<W: Write> JsonWriter<W> {
    pub(super) fn new(out: W, columns: &[Column]) -> Self {
        let name = |(number, column): (usize, &Column)| {
            let before = if number == 0 { '{' } else { ',' };
            format!("{before}{}:", serde_json::Value::from(column.name.as_str()))
        };
        Self { out, names: columns.iter().enumerate().map(name).collect(), line: Vec::new() }
    }

    pub(super) fn row(&mut self, values: &[Value]) -> std::io::Result<()> {
        self.line.clear();
        for (name, value) in self.names.iter().zip(values) {
            self.line.extend_from_slice(name.as_bytes());
            write(&mut self.line, value)?;
        }
        self.line.extend_from_slice(if values.is_empty() { b"{}\n" } else { b"}\n" });
        self.out.write_all(&self.line)
    }

    pub(super) fn into_inner(self) -> W {
        self.out
    }
}

fn write(line: &mut Vec<u8>, value: &Value) -> std::io::Result<()> {
    match value {
        Value::Null => line.extend_from_slice(b"null"),
        Value::Integer(number) => write!(line, "{number}")?,
        Value::Boolean(is) => write!(line, "{is}")?,
        Value::Real(number) if number.is_finite() => line.extend_from_slice(real(*number).as_bytes()),
        Value::Real(number) => string(line, &real(*number))?,
        Value::Timestamp(nanos) => string(line, &timestamp(*nanos))?,
        Value::Text(text) => string(line, text)?,
        Value::Bytes(_) | Value::Date(_) => string(line, &value.text().unwrap_or_default())?,
        Value::TextList(_) => line.extend(value.text().unwrap_or_default().into_bytes()),
        Value::Json(json) => match one_line(json) {
            Some(json) => line.extend_from_slice(json.as_bytes()),
            None => string(line, json)?,
        },
    }
    Ok(())
}

fn string(line: &mut Vec<u8>, text: &str) -> std::io::Result<()> {
    Ok(serde_json::to_writer(line, text)?)
}
