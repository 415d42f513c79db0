//! JSON lines.

use std::io::Write;

use serde::de::IgnoredAny;

use super::value::{Column, Value, real, timestamp};

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
        Value::Bytes(_) => string(line, &value.text().unwrap_or_default())?,
        Value::Json(json) => document(line, json)?,
    }
    Ok(())
}

fn string(line: &mut Vec<u8>, text: &str) -> std::io::Result<()> {
    Ok(serde_json::to_writer(line, text)?)
}

/// The document itself, on one line: in JSON a line's end stands only between tokens. What is no JSON is a text.
fn document(line: &mut Vec<u8>, json: &str) -> std::io::Result<()> {
    if serde_json::from_str::<IgnoredAny>(json).is_err() {
        return string(line, json);
    }
    line.extend(json.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
    Ok(())
}
