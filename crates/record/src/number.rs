//! Numbers. No floating point stands in an entry; integers beyond ±2^53 are strings (RFC 8785, appendix D).

use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::member::{FieldType, Member};

/// The largest magnitude that stands as a JSON number: 2^53.
pub const NUMBER_MAX: u64 = 1 << 53;

macro_rules! integer {
    ($(#[$attr:meta])* $name:ident, $inner:ty, $field:ident) => {
        $(#[$attr])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);

        impl From<$inner> for $name {
            fn from(number: $inner) -> $name {
                $name(number)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if is_number(self.0.into()) { self.0.serialize(serializer) } else { serializer.collect_str(&self.0) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let integer = deserializer.deserialize_any(Integer { unknown: false })?;
                let Some(integer) = integer else { return Err(D::Error::custom("not an integer")) };
                <$inner>::try_from(integer).map($name).map_err(D::Error::custom)
            }
        }

        impl Member for $name {
            const TYPE: FieldType = FieldType::$field;
        }
    };
}

integer! {
    /// How many, how long, which one: an unsigned integer. Units stand in the field's name.
    Count, u64, Count
}

integer! {
    /// A signed integer: an offset in nanoseconds.
    Signed, i64, Signed
}

integer! {
    /// A score, probability or statistic, in millionths: 0.25 is 250000.
    Millionths, i64, Millionths
}

impl Millionths {
    /// The nearest whole number of millionths; `None` for what is not finite or does not fit.
    pub fn from_f64(value: f64) -> Option<Millionths> {
        let scaled = (value * 1e6).round();
        (scaled.abs() < i64::MAX as f64).then_some(Millionths(scaled as i64))
    }

    /// The value as a fraction.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

/// How many, where the count itself may have been lost: an integer or `"unknown"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tally {
    /// So many.
    Known(u64),
    /// Nobody can say how many.
    Unknown,
}

impl Serialize for Tally {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Tally::Known(number) => Count(*number).serialize(serializer),
            Tally::Unknown => serializer.serialize_str("unknown"),
        }
    }
}

impl<'de> Deserialize<'de> for Tally {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tally, D::Error> {
        match deserializer.deserialize_any(Integer { unknown: true })? {
            Some(integer) => u64::try_from(integer).map(Tally::Known).map_err(D::Error::custom),
            None => Ok(Tally::Unknown),
        }
    }
}

impl Member for Tally {
    const TYPE: FieldType = FieldType::Tally;
}

fn is_number(integer: i128) -> bool {
    integer.unsigned_abs() <= u128::from(NUMBER_MAX)
}

/// Reads a JSON integer, or its decimal string beyond ±2^53, or `"unknown"` as `None`.
struct Integer {
    unknown: bool,
}

impl Visitor<'_> for Integer {
    type Value = Option<i128>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer, as a decimal string beyond ±2^53")?;
        if self.unknown { f.write_str(", or \"unknown\"") } else { Ok(()) }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        self.visit_i128(number.into())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        self.visit_i128(number.into())
    }

    fn visit_i128<E: Error>(self, number: i128) -> Result<Self::Value, E> {
        if is_number(number) {
            return Ok(Some(number));
        }
        Err(E::custom(format_args!("{number} is beyond ±2^53 and must be a string")))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        if self.unknown && text == "unknown" {
            return Ok(None);
        }
        match text.parse::<i128>() {
            Ok(number) if !is_number(number) && number.to_string() == text => Ok(Some(number)),
            _ => Err(E::custom(format_args!(
                "a text of {} bytes is not an integer beyond ±2^53 in decimal",
                text.len()
            ))),
        }
    }
}

impl Member for bool {
    const TYPE: FieldType = FieldType::Bool;
}

impl Member for u8 {
    const TYPE: FieldType = FieldType::Small { max: u8::MAX as u32 };
}

impl Member for u16 {
    const TYPE: FieldType = FieldType::Small { max: u16::MAX as u32 };
}

impl Member for u32 {
    const TYPE: FieldType = FieldType::Small { max: u32::MAX };
}
