//! Tables written as a stream: JSON lines, CSV (RFC 4180) or Parquet.
//!
//! Memory does not grow with the rows: JSON and CSV hold one row, Parquet one row group ([`ROW_GROUP_ROWS_MAX`],
//! [`ROW_GROUP_BYTES_MAX`]). The same rows give the same bytes.
//!
//! | value | JSON | CSV | Parquet |
//! | --- | --- | --- | --- |
//! | null | `null` | an empty field without quotes | null |
//! | integer | number, all digits | number | `INT64` |
//! | real | number; `"NaN"`, `"Infinity"`, `"-Infinity"` as texts | number, or these words | `DOUBLE` |
//! | boolean | `true`, `false` | `true`, `false` | `BOOLEAN` |
//! | text | text | text; the empty text is `""` | `BYTE_ARRAY` (`STRING`) |
//! | time | RFC 3339, UTC, nine fractional digits | the same | `INT64` (`TIMESTAMP(NANOS, UTC)`) |
//! | bytes | base64 | base64 | `BYTE_ARRAY` |
//! | date | `YYYY-MM-DD` | the same | `INT32` (`DATE`) |
//! | list of texts | list | the list as JSON | `LIST` of `BYTE_ARRAY` (`STRING`) |
//! | JSON | itself, in one line; as a text if it is none | its text | `BYTE_ARRAY` (`JSON`) |
//!
//! Nothing is changed to please a program that reads it: a text that begins with `=` stands in CSV as it is, and a
//! spreadsheet that opens the file by a double click may run it (docs/export.md says what to do).

mod csv;
mod json;
mod parquet;
mod value;

use std::collections::HashSet;
use std::io::Write;

pub use self::parquet::{ROW_GROUP_BYTES_MAX, ROW_GROUP_ROWS_MAX};
pub use self::value::{Column, ColumnType, Value};

use self::csv::CsvWriter;
use self::json::JsonWriter;
use self::parquet::ParquetWriter;

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// One JSON object a line.
    Json,
    /// RFC 4180, with a line of names; lines end with CR LF.
    Csv,
    /// Apache Parquet, compressed with zstd.
    Parquet,
}

/// Why a table could not be written.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A row has another number of values than there are columns.
    #[error("row {row} has {values} values, the table {columns} columns")]
    Width {
        /// The row, from 1.
        row: u64,
        /// Its values.
        values: usize,
        /// Columns of the table.
        columns: usize,
    },
    /// A value does not fit its column in Parquet, where a column has one type.
    #[error(
        "column {column} is {expected}, and row {row} holds {found} there; give the column one type (CAST it), or write JSON or CSV"
    )]
    Type {
        /// The column.
        column: String,
        /// The row, from 1.
        row: u64,
        /// What the column holds.
        expected: &'static str,
        /// What the row holds.
        found: &'static str,
    },
    /// A file in Parquet must have columns.
    #[error("a table without columns cannot be written as Parquet; write JSON or CSV")]
    NoColumns,
    /// Parquet could not be written.
    #[error("Parquet: {0}")]
    Parquet(#[from] ::parquet::errors::ParquetError),
    /// Nothing could be written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Writes rows.
pub struct TableWriter<W: Write + Send> {
    columns: Vec<Column>,
    rows: u64,
    inner: Inner<W>,
}

enum Inner<W: Write + Send> {
    Json(JsonWriter<W>),
    Csv(CsvWriter<W>),
    Parquet(Box<ParquetWriter<W>>),
}

impl<W: Write + Send> TableWriter<W> {
    /// Begins a table. Names that occur twice are told apart as `name_2`, `name_3`; a nameless column is `column`.
    /// `metadata` goes into the file's own metadata in Parquet; JSON lines and CSV have no place for it.
    ///
    /// # Errors
    /// [`TableError::NoColumns`]; what writing gives.
    pub fn new(
        out: W,
        format: TableFormat,
        columns: Vec<Column>,
        metadata: Vec<(String, String)>,
    ) -> Result<Self, TableError> {
        let columns = distinct(columns);
        let inner = match format {
            TableFormat::Json => Inner::Json(JsonWriter::new(out, &columns)),
            TableFormat::Csv => Inner::Csv(CsvWriter::new(out, &columns)?),
            TableFormat::Parquet => Inner::Parquet(Box::new(ParquetWriter::new(out, &columns, metadata)?)),
        };
        Ok(Self { columns, rows: 0, inner })
    }

    /// Writes a row: a value for each column, in their order.
    ///
    /// # Errors
    /// [`TableError::Width`]; [`TableError::Type`], which may speak of an earlier row; what writing gives. The table is of no
    /// use then.
    pub fn row(&mut self, values: &[Value]) -> Result<(), TableError> {
        self.rows += 1;
        if values.len() != self.columns.len() {
            return Err(TableError::Width {
                row: self.rows,
                values: values.len(),
                columns: self.columns.len(),
            });
        }
        match &mut self.inner {
            Inner::Json(writer) => Ok(writer.row(values)?),
            Inner::Csv(writer) => Ok(writer.row(values)?),
            Inner::Parquet(writer) => writer.row(values),
        }
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Ends the table and gives back where it went, flushed. Without it a file in Parquet is unreadable.
    ///
    /// # Errors
    /// As [`row`](Self::row).
    pub fn finish(self) -> Result<W, TableError> {
        let mut out = match self.inner {
            Inner::Json(writer) => writer.into_inner(),
            Inner::Csv(writer) => writer.into_inner(),
            Inner::Parquet(writer) => writer.finish()?,
        };
        out.flush()?;
        Ok(out)
    }
}

/// Columns with names of which none is empty and none occurs twice.
fn distinct(mut columns: Vec<Column>) -> Vec<Column> {
    let given: HashSet<String> = columns.iter().map(|column| column.name.clone()).collect();
    let mut taken: HashSet<String> = HashSet::new();
    for column in &mut columns {
        if column.name.is_empty() {
            "column".clone_into(&mut column.name);
        }
        if !taken.insert(column.name.clone()) {
            let free = |name: &String| !taken.contains(name) && !given.contains(name);
            let name = (2u64..).map(|number| format!("{}_{number}", column.name)).find(free);
            column.name = name.unwrap_or_default();
            taken.insert(column.name.clone());
        }
    }
    columns
}
