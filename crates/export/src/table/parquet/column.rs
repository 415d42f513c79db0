//! The values of one column that wait for their row group to be full.

use parquet::column::writer::ColumnWriterImpl;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedColumnWriter;

use crate::table::value::{ColumnType, Value};

/// Values and where nulls stand between them.
pub(super) struct Buffer {
    /// For each row 1, or 0 for a null: the definition levels of an optional column.
    levels: Vec<i16>,
    values: Values,
}

enum Values {
    /// The type is not decided; nulls are left out.
    Any(Vec<Value>),
    Of(ColumnType, Typed),
}

enum Typed {
    Bytes(Vec<ByteArray>),
    Integers(Vec<i64>),
    Reals(Vec<f64>),
    Booleans(Vec<bool>),
}

/// A value of a type that its column cannot hold.
pub(super) struct Misfit {
    pub(super) expected: ColumnType,
    pub(super) found: ColumnType,
}

impl Buffer {
    pub(super) fn new(r#type: Option<ColumnType>) -> Self {
        let values = r#type.map_or(Values::Any(Vec::new()), |r#type| Values::Of(r#type, Typed::new(r#type)));
        Self { levels: Vec::new(), values }
    }

    pub(super) fn push(&mut self, value: &Value) -> Result<(), Misfit> {
        let Some(found) = value.column_type() else {
            self.levels.push(0);
            return Ok(());
        };
        match &mut self.values {
            Values::Any(values) => values.push(value.clone()),
            Values::Of(expected, typed) => {
                let expected = *expected;
                typed.push(expected, value).ok_or(Misfit { expected, found })?;
            }
        }
        self.levels.push(1);
        Ok(())
    }

    /// Settles the type by the values that wait. Afterwards it is known.
    pub(super) fn decide(&mut self) {
        let Values::Any(values) = &mut self.values else { return };
        let values = std::mem::take(values);
        let r#type = common(&values);
        let mut typed = Typed::new(r#type);
        for value in &values {
            // The common type holds each of them.
            let _: Option<()> = typed.push(r#type, value);
        }
        self.values = Values::Of(r#type, typed);
    }

    /// The type; text, if it is not decided.
    pub(super) fn column_type(&self) -> ColumnType {
        match &self.values {
            Values::Any(_) => ColumnType::Text,
            Values::Of(r#type, _) => *r#type,
        }
    }

    /// Writes what waits, and forgets it.
    pub(super) fn write(&mut self, writer: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let levels = std::mem::take(&mut self.levels);
        let Values::Of(_, typed) = &mut self.values else { return Ok(()) };
        match typed {
            Typed::Bytes(values) => batch::<ByteArrayType>(writer.typed(), values, &levels),
            Typed::Integers(values) => batch::<Int64Type>(writer.typed(), values, &levels),
            Typed::Reals(values) => batch::<DoubleType>(writer.typed(), values, &levels),
            Typed::Booleans(values) => batch::<BoolType>(writer.typed(), values, &levels),
        }
    }
}

fn batch<T: DataType>(
    writer: &mut ColumnWriterImpl<'_, T>,
    values: &mut Vec<T::T>,
    levels: &[i16],
) -> Result<(), ParquetError> {
    writer.write_batch(&std::mem::take(values), Some(levels), None)?;
    Ok(())
}

impl Typed {
    fn new(r#type: ColumnType) -> Self {
        match r#type {
            ColumnType::Text | ColumnType::Json | ColumnType::Bytes => Self::Bytes(Vec::new()),
            ColumnType::Integer | ColumnType::Timestamp => Self::Integers(Vec::new()),
            ColumnType::Real => Self::Reals(Vec::new()),
            ColumnType::Boolean => Self::Booleans(Vec::new()),
        }
    }

    /// Adds a value that is no null; `None` if a column of this type cannot hold it without loss.
    fn push(&mut self, r#type: ColumnType, value: &Value) -> Option<()> {
        match (self, r#type, value) {
            (Self::Bytes(values), ColumnType::Text, value) => {
                values.push(value.text()?.into_bytes().into());
            }
            (Self::Bytes(values), ColumnType::Json, Value::Json(json)) => values.push(json.as_str().into()),
            (Self::Bytes(values), ColumnType::Bytes, Value::Bytes(bytes)) => {
                values.push(bytes.clone().into());
            }
            (Self::Integers(values), ColumnType::Integer, Value::Integer(number))
            | (Self::Integers(values), ColumnType::Timestamp, Value::Timestamp(number)) => {
                values.push(*number);
            }
            (Self::Reals(values), ColumnType::Real, Value::Real(number)) => values.push(*number),
            (Self::Reals(values), ColumnType::Real, Value::Integer(number)) => values.push(exact(*number)?),
            (Self::Booleans(values), ColumnType::Boolean, Value::Boolean(is)) => values.push(*is),
            _ => return None,
        }
        Some(())
    }
}

/// The one type that holds all the values: theirs; real numbers, where integers stand among them and lose nothing; else text.
fn common(values: &[Value]) -> ColumnType {
    let mut types = values.iter().filter_map(Value::column_type);
    let Some(first) = types.next() else { return ColumnType::Text };
    if types.all(|r#type| r#type == first) {
        return first;
    }
    let is_number = |value: &Value| match value {
        Value::Real(_) => true,
        Value::Integer(number) => exact(*number).is_some(),
        _ => false,
    };
    if values.iter().all(is_number) { ColumnType::Real } else { ColumnType::Text }
}

/// An integer as a real number, if there is one that equals it.
fn exact(number: i64) -> Option<f64> {
    let is_exact = number.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS;
    #[expect(clippy::cast_precision_loss, reason = "it is checked that none is lost")]
    is_exact.then_some(number as f64)
}
