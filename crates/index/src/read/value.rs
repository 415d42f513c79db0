//! Simple values, as both engines give and take them.

use std::error::Error;

use bytes::BytesMut;
use inferlog_record::{Id, Pseudonym};
use rusqlite::types::{ToSqlOutput, ValueRef};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use crate::error::{IndexError, Result};

/// A value of a row, or a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// None.
    Null,
    /// A number; of a flag, 0 or 1.
    Integer(i64),
    /// A number with a fraction.
    Real(f64),
    /// Text. JSON and ids of decisions are asked for as text: `CAST(id AS TEXT)`.
    Text(String),
    /// Bytes; a UUID's sixteen.
    Blob(Vec<u8>),
}

impl Value {
    /// The number, if it is one.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text of its own, if it is one.
    pub fn owned(&self) -> Option<String> {
        self.text().map(str::to_owned)
    }

    /// The pseudonym that these sixteen bytes are.
    pub fn pseudonym(&self) -> Option<Pseudonym> {
        match self {
            Self::Blob(bytes) => Pseudonym::from_bytes(bytes.as_slice().try_into().ok()?).ok(),
            _ => None,
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Pseudonym> for Value {
    fn from(pseudonym: Pseudonym) -> Self {
        Self::Blob(pseudonym.as_bytes().to_vec())
    }
}

/// As the column `id` of `decision` and `mention` has it.
impl From<Id> for Value {
    fn from(id: Id) -> Self {
        Self::Text(id.to_string())
    }
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Integer(number),
            ValueRef::Real(number) => Self::Real(number),
            ValueRef::Text(text) => Self::Text(String::from_utf8_lossy(text).into_owned()),
            ValueRef::Blob(bytes) => Self::Blob(bytes.to_vec()),
        }
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl Value {
    pub(super) fn as_postgres(&self) -> &(dyn ToSql + Sync) {
        self
    }

    /// The values of a row.
    pub(super) fn of_postgres(row: &Row, place: &str) -> Result<Vec<Self>> {
        let value = |column| {
            row.try_get::<_, Option<Self>>(column).map(|value| value.unwrap_or(Self::Null)).map_err(|error| {
                // Columns are of the types that the schema says.
                IndexError::Damaged { place: place.to_owned(), what: error.to_string() }
            })
        };
        (0..row.len()).map(value).collect()
    }
}

type Converted<T> = std::result::Result<T, Box<dyn Error + Sync + Send>>;

impl<'a> FromSql<'a> for Value {
    fn from_sql(r#type: &Type, raw: &'a [u8]) -> Converted<Self> {
        Ok(match *r#type {
            Type::INT2 => Self::Integer(i16::from_sql(r#type, raw)?.into()),
            Type::INT4 => Self::Integer(i32::from_sql(r#type, raw)?.into()),
            Type::INT8 => Self::Integer(i64::from_sql(r#type, raw)?),
            Type::BOOL => Self::Integer(bool::from_sql(r#type, raw)?.into()),
            Type::FLOAT8 => Self::Real(f64::from_sql(r#type, raw)?),
            Type::UUID => Self::Blob(Uuid::from_sql(r#type, raw)?.as_bytes().to_vec()),
            Type::BYTEA => Self::Blob(raw.to_vec()),
            _ => Self::Text(String::from_sql(r#type, raw)?),
        })
    }

    fn accepts(r#type: &Type) -> bool {
        let simple = [
            Type::INT2,
            Type::INT4,
            Type::INT8,
            Type::BOOL,
            Type::FLOAT8,
            Type::UUID,
            Type::BYTEA,
            Type::TEXT,
            Type::VARCHAR,
        ];
        simple.contains(r#type)
    }
}

impl ToSql for Value {
    fn to_sql(&self, r#type: &Type, out: &mut BytesMut) -> Converted<IsNull> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(number) if *r#type == Type::INT4 => i32::try_from(*number)?.to_sql(r#type, out),
            Self::Integer(number) => number.to_sql(r#type, out),
            Self::Real(number) => number.to_sql(r#type, out),
            Self::Text(text) if *r#type == Type::UUID => text.parse::<Uuid>()?.to_sql(r#type, out),
            Self::Text(text) => text.to_sql(r#type, out),
            Self::Blob(bytes) if *r#type == Type::UUID => Uuid::from_slice(bytes)?.to_sql(r#type, out),
            Self::Blob(bytes) => bytes.to_sql(r#type, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
