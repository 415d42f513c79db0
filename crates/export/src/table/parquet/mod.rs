//! Parquet through the `parquet` crate's column writers, a row group at a time.

mod column;

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};

use super::TableError;
use super::value::{Column, ColumnType, Value};
use column::{Buffer, Misfit};

/// The most rows of a row group.
pub const ROW_GROUP_ROWS_MAX: usize = 65_536;

/// The most bytes of texts and byte strings of a row group, before compression; a row that exceeds it alone has its own.
pub const ROW_GROUP_BYTES_MAX: usize = 32 << 20;

/// A file that is being written.
pub(super) struct ParquetWriter<W: Write + Send> {
    columns: Vec<Column>,
    state: State<W>,
    buffers: Vec<Buffer>,
    rows_buffered: usize,
    bytes_buffered: usize,
    rows_written: u64,
}

enum State<W: Write + Send> {
    /// Until the first row group is full: the types of some columns are not known.
    Waiting {
        out: W,
        properties: WriterPropertiesPtr,
    },
    Open(SerializedFileWriter<W>),
    /// Opening failed.
    Broken,
}

impl<W: Write + Send> ParquetWriter<W> {
    pub(super) fn new(
        out: W,
        columns: &[Column],
        metadata: Vec<(String, String)>,
    ) -> Result<Self, TableError> {
        if columns.is_empty() {
            return Err(TableError::NoColumns);
        }
        let metadata = metadata.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .set_key_value_metadata(Some(metadata))
            .build();
        let buffers = columns.iter().map(|column| Buffer::new(column.r#type)).collect();
        Ok(Self {
            columns: columns.to_vec(),
            state: State::Waiting { out, properties: Arc::new(properties) },
            buffers,
            rows_buffered: 0,
            bytes_buffered: 0,
            rows_written: 0,
        })
    }

    pub(super) fn row(&mut self, values: &[Value]) -> Result<(), TableError> {
        let row = self.rows_written + self.rows_buffered as u64 + 1;
        for ((column, buffer), value) in self.columns.iter().zip(&mut self.buffers).zip(values) {
            buffer.push(value).map_err(|misfit| misfit.at(column, row))?;
            self.bytes_buffered += value.size();
        }
        self.rows_buffered += 1;
        if self.rows_buffered >= ROW_GROUP_ROWS_MAX || self.bytes_buffered >= ROW_GROUP_BYTES_MAX {
            self.group()?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<W, TableError> {
        let mut file = self.open()?;
        if self.rows_buffered > 0 {
            self.write(&mut file)?;
        }
        Ok(file.into_inner()?)
    }

    fn group(&mut self) -> Result<(), TableError> {
        let mut file = self.open()?;
        self.write(&mut file)?;
        self.state = State::Open(file);
        Ok(())
    }

    /// The file, begun now if it was not: with what waits the types are decided.
    fn open(&mut self) -> Result<SerializedFileWriter<W>, TableError> {
        match std::mem::replace(&mut self.state, State::Broken) {
            State::Open(file) => Ok(file),
            State::Waiting { out, properties } => {
                for buffer in &mut self.buffers {
                    buffer.decide();
                }
                Ok(SerializedFileWriter::new(out, self.schema()?, properties)?)
            }
            State::Broken => {
                Err(parquet::errors::ParquetError::General("an earlier write failed".to_owned()).into())
            }
        }
    }

    fn write(&mut self, file: &mut SerializedFileWriter<W>) -> Result<(), TableError> {
        let mut group = file.next_row_group()?;
        for buffer in &mut self.buffers {
            let Some(mut writer) = group.next_column()? else { break };
            buffer.write(&mut writer)?;
            writer.close()?;
        }
        group.close()?;
        self.rows_written += self.rows_buffered as u64;
        (self.rows_buffered, self.bytes_buffered) = (0, 0);
        Ok(())
    }

    fn schema(&self) -> Result<TypePtr, TableError> {
        let fields = self.columns.iter().zip(&self.buffers);
        let fields: Result<Vec<TypePtr>, TableError> =
            fields.map(|(column, buffer)| field(&column.name, buffer.column_type())).collect();
        Ok(Arc::new(Type::group_type_builder("schema").with_fields(fields?).build()?))
    }
}

fn field(name: &str, r#type: ColumnType) -> Result<TypePtr, TableError> {
    if r#type == ColumnType::TextList {
        // LogicalTypes.md of the format, "Lists": three levels.
        let element = Type::primitive_type_builder("element", Physical::BYTE_ARRAY)
            .with_repetition(Repetition::REQUIRED)
            .with_logical_type(Some(LogicalType::String))
            .build()?;
        let list = Type::group_type_builder("list")
            .with_repetition(Repetition::REPEATED)
            .with_fields(vec![Arc::new(element)])
            .build()?;
        let builder = Type::group_type_builder(name).with_fields(vec![Arc::new(list)]);
        let builder =
            builder.with_repetition(Repetition::OPTIONAL).with_logical_type(Some(LogicalType::List));
        return Ok(Arc::new(builder.build()?));
    }
    let (physical, logical) = match r#type {
        ColumnType::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        ColumnType::Json => (Physical::BYTE_ARRAY, Some(LogicalType::Json)),
        ColumnType::Bytes => (Physical::BYTE_ARRAY, None),
        ColumnType::Integer => (Physical::INT64, None),
        ColumnType::Timestamp => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::NANOS))),
        ColumnType::Real => (Physical::DOUBLE, None),
        ColumnType::Boolean => (Physical::BOOLEAN, None),
        ColumnType::Date => (Physical::INT32, Some(LogicalType::Date)),
        // Above.
        ColumnType::TextList => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
    };
    let builder = Type::primitive_type_builder(name, physical);
    Ok(Arc::new(builder.with_repetition(Repetition::OPTIONAL).with_logical_type(logical).build()?))
}

impl Misfit {
    fn at(self, column: &Column, row: u64) -> TableError {
        TableError::Type {
            column: column.name.clone(),
            row,
            expected: self.expected.name(),
            found: self.found.name(),
        }
    }
}
