//! What an answer is made of.

use serde::{Deserialize, Serialize};

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryColumn {
    /// Its name.
    pub name: String,
    /// What it holds; `None` where the engine does not say, as SQLite never does.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none", default)]
    pub r#type: Option<CellType>,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CellType {
    /// 64 bits, signed.
    Integer,
    /// Floating point, 64 bits.
    Real,
    /// True or false.
    Boolean,
    /// UTF-8.
    Text,
    /// Bytes.
    Bytes,
    /// Nanoseconds since 1970.
    Timestamp,
    /// A JSON document.
    Json,
}

/// A value of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Cell {
    /// None.
    #[serde(rename = "n")]
    Null,
    /// 64 bits, signed.
    #[serde(rename = "i")]
    Integer(i64),
    /// Floating point; not a number where the engine says so.
    #[serde(rename = "r", with = "real")]
    Real(f64),
    /// True or false.
    #[serde(rename = "o")]
    Boolean(bool),
    /// Text. What SQLite calls text and is no UTF-8 has replacement characters.
    #[serde(rename = "t")]
    Text(String),
    /// Bytes.
    #[serde(rename = "b", with = "bytes")]
    Bytes(Vec<u8>),
    /// Nanoseconds since 1970.
    #[serde(rename = "s")]
    Timestamp(i64),
    /// A JSON document.
    #[serde(rename = "j")]
    Json(String),
}

/// Numbers that JSON has no word for, too.
mod real {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(real: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(real.to_bits())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(f64::from_bits(u64::deserialize(deserializer)?))
    }
}

/// Bytes in hexadecimal digits.
mod bytes {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        hex::decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
