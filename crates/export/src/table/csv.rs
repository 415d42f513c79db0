//! CSV by RFC 4180. Written here, for a writer that quotes a row by one rule cannot tell a null from an empty text.

use std::io::Write;

use super::value::{Column, Value};

pub(super) struct CsvWriter<W> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write> CsvWriter<W> {
    pub(super) fn new(out: W, columns: &[Column]) -> std::io::Result<Self> {
        let mut writer = Self { out, line: Vec::new() };
        writer.fields(columns.iter().map(|column| Some(column.name.clone())))?;
        Ok(writer)
    }

    pub(super) fn row(&mut self, values: &[Value]) -> std::io::Result<()> {
        // An empty line would be no row, so a lone null is quoted.
        let lone =
            |text: Option<String>| if values.len() == 1 { Some(text.unwrap_or_default()) } else { text };
        self.fields(values.iter().map(|value| lone(value.text())))
    }

    fn fields(&mut self, fields: impl Iterator<Item = Option<String>>) -> std::io::Result<()> {
        self.line.clear();
        for (number, field) in fields.enumerate() {
            if number > 0 {
                self.line.push(b',');
            }
            match field {
                Some(text) if is_quoted(&text) => {
                    self.line.push(b'"');
                    self.line.extend_from_slice(text.replace('"', "\"\"").as_bytes());
                    self.line.push(b'"');
                }
                Some(text) => self.line.extend_from_slice(text.as_bytes()),
                None => (),
            }
        }
        self.line.extend_from_slice(b"\r\n");
        self.out.write_all(&self.line)
    }

    pub(super) fn into_inner(self) -> W {
        self.out
    }
}

/// Besides what RFC 4180 asks: the empty text, and spaces at either end, which many readers cut off.
fn is_quoted(text: &str) -> bool {
    text.is_empty()
        || text.contains([',', '"', '\r', '\n'])
        || text.starts_with(char::is_whitespace)
        || text.ends_with(char::is_whitespace)
}
