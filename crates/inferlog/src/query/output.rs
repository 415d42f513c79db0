//! Rows as they are written.

use std::io::{self, Write};

use inferlog_export::table::{Column, ColumnType, TableError, TableFormat, TableWriter, Value};
use inferlog_index::query::{Cell, CellType, QueryColumn, QueryError, RowSink};
use inferlog_index::{IndexError, Reader};
use serde::{Deserialize, Serialize};

use super::job::{Format, Job, PayloadAt};
use super::open::Finder;
use super::table::Table;

/// One line of the format `frames`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Frame {
    /// The first.
    Columns(Vec<QueryColumn>),
    /// Every other: a row, and where the payloads stand that it refers to in columns that are to be opened.
    Row(Vec<Cell>, Vec<PayloadAt>),
}

/// Writes an answer in any format.
pub(crate) struct Output<W: Write + Send> {
    format: Format,
    writer: Writer<W>,
    finder: Option<Finder>,
}

enum Writer<W: Write + Send> {
    /// Before the columns are known.
    Waiting(W),
    Rows(TableWriter<W>),
    Table(Table<W>),
    Frames(W),
    Over,
}

impl<W: Write + Send> Output<W> {
    /// Writes what a job asks for. `reader` opens the index a second time, to find payloads, if some are asked for.
    pub(super) fn new(
        out: W,
        job: &Job,
        reader: impl FnOnce() -> Result<Reader, IndexError>,
    ) -> Result<Self, QueryError> {
        let finder = match job.open.is_empty() {
            true => None,
            false => Some(Finder::new(reader()?, job.open.clone())),
        };
        Ok(Self { format: job.format, writer: Writer::Waiting(out), finder })
    }

    /// Writes rows that were taken from a worker before.
    pub(crate) fn of(out: W, format: Format) -> Self {
        Self { format, writer: Writer::Waiting(out), finder: None }
    }

    /// Ends the answer; an answer without rows had its columns.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self.writer {
            Writer::Rows(table) => drop(table.finish().map_err(failed)?),
            Writer::Table(table) => table.finish()?,
            Writer::Frames(mut out) => out.flush()?,
            Writer::Waiting(mut out) => out.flush()?,
            Writer::Over => {}
        }
        Ok(())
    }

    fn find(&mut self, cells: &[Cell]) -> io::Result<Vec<PayloadAt>> {
        let Some(finder) = &mut self.finder else { return Ok(Vec::new()) };
        finder.find(cells).map_err(io::Error::other)
    }
}

impl<W: Write + Send> RowSink for Output<W> {
    fn begin(&mut self, columns: &[QueryColumn]) -> io::Result<()> {
        if let Some(finder) = &mut self.finder {
            finder.begin(columns).map_err(io::Error::other)?;
        }
        let Writer::Waiting(mut out) = std::mem::replace(&mut self.writer, Writer::Over) else {
            return Err(io::Error::other("the answer began twice"));
        };
        self.writer = match self.format {
            Format::Json => rows(out, TableFormat::Json, columns)?,
            Format::Csv => rows(out, TableFormat::Csv, columns)?,
            Format::Parquet => rows(out, TableFormat::Parquet, columns)?,
            Format::Table { color, width } => Writer::Table(Table::new(out, columns, color, width)),
            Format::Frames => {
                line(&mut out, &Frame::Columns(columns.to_vec()))?;
                Writer::Frames(out)
            }
        };
        Ok(())
    }

    fn row(&mut self, cells: Vec<Cell>) -> io::Result<()> {
        let places = self.find(&cells)?;
        match &mut self.writer {
            Writer::Rows(table) => {
                let values: Vec<Value> = cells.into_iter().map(value).collect();
                table.row(&values).map_err(failed)
            }
            Writer::Table(table) => table.row(cells),
            Writer::Frames(out) => line(out, &Frame::Row(cells, places)),
            Writer::Waiting(_) | Writer::Over => Err(io::Error::other("a row came before its columns")),
        }
    }
}

fn rows<W: Write + Send>(out: W, format: TableFormat, columns: &[QueryColumn]) -> io::Result<Writer<W>> {
    let columns = columns.iter().map(|column| match column.r#type {
        Some(r#type) => Column::new(&column.name, column_type(r#type)),
        None => Column::untyped(&column.name),
    });
    TableWriter::new(out, format, columns.collect(), Vec::new()).map(Writer::Rows).map_err(failed)
}

fn line(out: &mut impl Write, frame: &Frame) -> io::Result<()> {
    serde_json::to_writer(&mut *out, frame)?;
    out.write_all(b"\n")
}

fn failed(error: TableError) -> io::Error {
    match error {
        TableError::Io(error) => error,
        other => io::Error::other(other),
    }
}

fn column_type(r#type: CellType) -> ColumnType {
    match r#type {
        CellType::Integer => ColumnType::Integer,
        CellType::Real => ColumnType::Real,
        CellType::Boolean => ColumnType::Boolean,
        CellType::Text => ColumnType::Text,
        CellType::Bytes => ColumnType::Bytes,
        CellType::Timestamp => ColumnType::Timestamp,
        CellType::Json => ColumnType::Json,
    }
}

fn value(cell: Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Integer(number) => Value::Integer(number),
        Cell::Real(number) => Value::Real(number),
        Cell::Boolean(is) => Value::Boolean(is),
        Cell::Text(text) => Value::Text(text),
        Cell::Bytes(bytes) => Value::Bytes(bytes),
        Cell::Timestamp(nanos) => Value::Timestamp(nanos),
        Cell::Json(json) => Value::Json(json),
    }
}
