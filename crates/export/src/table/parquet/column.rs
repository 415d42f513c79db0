//! The values of one column that wait for their row group to be full.

use parquet::column::writer::ColumnWriterImpl;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedColumnWriter;

use crate::table::value::{ColumnType, Value};
use crate::text::one_line;

/// Values and where nulls stand between them.
pub(super) struct Buffer {
    levels: Levels,
    values: Values,
}

/// Definition and repetition levels (the format's README, "Nested Encoding").
#[derive(Default)]
struct Levels {
    /// 0 for a null, 1 for a value or an empty list, 2 for an element of a list.
    definition: Vec<i16>,
    /// Of lists alone, empty for others: 0 for what begins a row, 1 for further elements.
    repetition: Vec<i16>,
    is_list: bool,
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
    Days(Vec<i32>),
    Lists(Vec<ByteArray>),
}

/// A value of a type that its column cannot hold.
pub(super) struct Misfit {
    pub(super) expected: ColumnType,
    pub(super) found: ColumnType,
}

impl Buffer {
    pub(super) fn new(r#type: Option<ColumnType>) -> Self {
        let values = r#type.map_or(Values::Any(Vec::new()), |r#type| Values::Of(r#type, Typed::new(r#type)));
        Self { levels: Levels::new(r#type), values }
    }

    pub(super) fn push(&mut self, value: &Value) -> Result<(), Misfit> {
        let Some(found) = value.column_type() else {
            self.levels.null();
            return Ok(());
        };
        match &mut self.values {
            Values::Any(values) => {
                values.push(value.clone());
                self.levels.value();
            }
            Values::Of(expected, typed) => {
                let expected = *expected;
                typed.push(expected, value).ok_or(Misfit { expected, found })?;
                self.levels.add(expected, value);
            }
        }
        Ok(())
    }

    /// Settles the type by the values that wait. Afterwards it is known.
    pub(super) fn decide(&mut self) {
        let Values::Any(values) = &mut self.values else { return };
        let values = std::mem::take(values);
        let r#type = common(&values);
        let mut typed = Typed::new(r#type);
        let waited = std::mem::replace(&mut self.levels, Levels::new(Some(r#type)));
        let mut rest = values.iter();
        for level in waited.definition {
            match (level > 0).then(|| rest.next()).flatten() {
                // The common type holds each of them.
                Some(value) if typed.push(r#type, value).is_some() => self.levels.add(r#type, value),
                _ => self.levels.null(),
            }
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
        let empty = Levels { is_list: self.levels.is_list, ..Levels::default() };
        let levels = std::mem::replace(&mut self.levels, empty);
        let Values::Of(_, typed) = &mut self.values else { return Ok(()) };
        match typed {
            Typed::Bytes(values) => batch::<ByteArrayType>(writer.typed(), values, &levels),
            Typed::Integers(values) => batch::<Int64Type>(writer.typed(), values, &levels),
            Typed::Reals(values) => batch::<DoubleType>(writer.typed(), values, &levels),
            Typed::Booleans(values) => batch::<BoolType>(writer.typed(), values, &levels),
            Typed::Days(values) => batch::<Int32Type>(writer.typed(), values, &levels),
            Typed::Lists(values) => {
                let values = std::mem::take(values);
                let (definition, repetition) = (Some(&*levels.definition), Some(&*levels.repetition));
                writer.typed::<ByteArrayType>().write_batch(&values, definition, repetition)?;
                Ok(())
            }
        }
    }
}

fn batch<T: DataType>(
    writer: &mut ColumnWriterImpl<'_, T>,
    values: &mut Vec<T::T>,
    levels: &Levels,
) -> Result<(), ParquetError> {
    writer.write_batch(&std::mem::take(values), Some(&levels.definition), None)?;
    Ok(())
}

impl Levels {
    fn new(r#type: Option<ColumnType>) -> Self {
        Self { is_list: r#type == Some(ColumnType::TextList), ..Self::default() }
    }

    fn push(&mut self, definition: i16, repetition: i16) {
        self.definition.push(definition);
        if self.is_list {
            self.repetition.push(repetition);
        }
    }

    fn null(&mut self) {
        self.push(0, 0);
    }

    /// A value in a column that has no lists, or an empty list.
    fn value(&mut self) {
        self.push(1, 0);
    }

    /// A value that is no null, in a column of this type.
    fn add(&mut self, r#type: ColumnType, value: &Value) {
        match (r#type, value) {
            (ColumnType::TextList, Value::TextList(texts)) if !texts.is_empty() => {
                for element in 0..texts.len() {
                    self.push(2, i16::from(element > 0));
                }
            }
            _ => self.value(),
        }
    }
}

impl Typed {
    fn new(r#type: ColumnType) -> Self {
        match r#type {
            ColumnType::Text | ColumnType::Json | ColumnType::Bytes => Self::Bytes(Vec::new()),
            ColumnType::Integer | ColumnType::Timestamp => Self::Integers(Vec::new()),
            ColumnType::Real => Self::Reals(Vec::new()),
            ColumnType::Boolean => Self::Booleans(Vec::new()),
            ColumnType::Date => Self::Days(Vec::new()),
            ColumnType::TextList => Self::Lists(Vec::new()),
        }
    }

    /// Adds a value that is no null; `None` if a column of this type cannot hold it without loss.
    fn push(&mut self, r#type: ColumnType, value: &Value) -> Option<()> {
        match (self, r#type, value) {
            (Self::Bytes(values), ColumnType::Text, value) => {
                values.push(value.text()?.into_bytes().into());
            }
            (Self::Bytes(values), ColumnType::Json, Value::Json(json)) => values.push(match one_line(json) {
                Some(json) => json.as_ref().into(),
                // No JSON: as a text, which is JSON.
                None => serde_json::Value::from(json.as_str()).to_string().into_bytes().into(),
            }),
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
            (Self::Days(values), ColumnType::Date, Value::Date(days)) => values.push(*days),
            (Self::Lists(values), ColumnType::TextList, Value::TextList(texts)) => {
                values.extend(texts.iter().map(|text| ByteArray::from(text.as_str())));
            }
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
