//! Columns, their types and the values in them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use time::OffsetDateTime;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Text in UTF-8.
    Text,
    /// 64 bits, signed.
    Integer,
    /// Floating point, 64 bits.
    Real,
    /// True or false.
    Boolean,
    /// Nanoseconds since 1970, UTC.
    Timestamp,
    /// Any bytes.
    Bytes,
    /// A JSON document.
    Json,
    /// Days since 1970-01-01.
    Date,
    /// A list of texts.
    TextList,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds. `None`: unknown, as in an answer of SQLite. JSON and CSV write each value as it is; Parquet decides by
    /// the values of the first row group, and where they differ the column is text.
    pub r#type: Option<ColumnType>,
}

impl Column {
    /// A column whose type is known.
    pub fn new(name: impl Into<String>, r#type: ColumnType) -> Self {
        Self { name: name.into(), r#type: Some(r#type) }
    }

    /// A column whose type its values decide.
    pub fn untyped(name: impl Into<String>) -> Self {
        Self { name: name.into(), r#type: None }
    }
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// None.
    Null,
    /// 64 bits, signed.
    Integer(i64),
    /// Floating point, 64 bits.
    Real(f64),
    /// True or false.
    Boolean(bool),
    /// Text.
    Text(String),
    /// Any bytes.
    Bytes(Vec<u8>),
    /// Nanoseconds since 1970, UTC.
    Timestamp(i64),
    /// A JSON document.
    Json(String),
    /// Days since 1970-01-01.
    Date(i32),
    /// A list of texts.
    TextList(Vec<String>),
}

impl Value {
    /// The type that holds it; none for a null.
    pub(crate) fn column_type(&self) -> Option<ColumnType> {
        Some(match self {
            Self::Null => return None,
            Self::Integer(_) => ColumnType::Integer,
            Self::Real(_) => ColumnType::Real,
            Self::Boolean(_) => ColumnType::Boolean,
            Self::Text(_) => ColumnType::Text,
            Self::Bytes(_) => ColumnType::Bytes,
            Self::Timestamp(_) => ColumnType::Timestamp,
            Self::Json(_) => ColumnType::Json,
            Self::Date(_) => ColumnType::Date,
            Self::TextList(_) => ColumnType::TextList,
        })
    }

    /// As text; `None` for a null.
    pub(crate) fn text(&self) -> Option<String> {
        Some(match self {
            Self::Null => return None,
            Self::Integer(number) => number.to_string(),
            Self::Real(number) => real(*number),
            Self::Boolean(is) => is.to_string(),
            Self::Text(text) | Self::Json(text) => text.clone(),
            Self::Bytes(bytes) => STANDARD.encode(bytes),
            Self::Timestamp(nanos) => timestamp(*nanos),
            Self::Date(days) => date(*days),
            Self::TextList(texts) => serde_json::Value::from(texts.as_slice()).to_string(),
        })
    }

    /// Bytes that it takes while a row group waits.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Text(text) | Self::Json(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::TextList(texts) => texts.iter().map(String::len).sum(),
            _ => 0,
        }
    }
}

impl ColumnType {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "an integer",
            Self::Real => "a real number",
            Self::Boolean => "a boolean",
            Self::Timestamp => "a time",
            Self::Bytes => "bytes",
            Self::Json => "JSON",
            Self::Date => "a date",
            Self::TextList => "a list of texts",
        }
    }
}

/// The shortest text that reads back as the same number; `NaN`, `Infinity`, `-Infinity`.
pub(crate) fn real(number: f64) -> String {
    match number {
        number if number.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        number => format!("{number:?}"),
    }
}

/// `YYYY-MM-DD`; the number itself, where the year has no four digits.
fn date(days: i32) -> String {
    match time::Date::from_julian_day(days.saturating_add(EPOCH_JULIAN_DAY)) {
        Ok(date) if (0..=9999).contains(&date.year()) => {
            format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
        }
        _ => days.to_string(),
    }
}

/// 1970-01-01 as a Julian day.
const EPOCH_JULIAN_DAY: i32 = 2_440_588;

/// RFC 3339 in UTC with nine fractional digits.
pub(crate) fn timestamp(nanos: i64) -> String {
    // Every number of 64 bits is a time between 1677 and 2262.
    let moment =
        OffsetDateTime::from_unix_timestamp_nanos(nanos.into()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = moment.to_calendar_date();
    let (hour, minute, second, nano) = moment.to_hms_nano();
    format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nano:09}Z", u8::from(month))
}
