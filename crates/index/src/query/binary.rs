//! PostgreSQL's binary form of values (its manual's "Frontend/Backend Protocol"; `src/backend/utils/adt`, the `_send` functions).

use std::error::Error;

use inferlog_record::Timestamp;
use tokio_postgres::Column;
use tokio_postgres::types::{FromSql, Type};

use super::{Cell, CellType, QueryColumn, QueryError, QueryFault};

/// Seconds from 1970 to 2000, where PostgreSQL's times begin.
const EPOCH_SECONDS: i64 = 946_684_800;
const DAY_SECONDS: i64 = 86_400;

/// A value as it came.
pub(super) struct Raw<'a>(pub(super) &'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, bytes: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(bytes))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A column of an answer, if its type is one that can be given out.
pub(super) fn column(column: &Column) -> Result<QueryColumn, QueryError> {
    let r#type = match *column.type_() {
        Type::BOOL => Some(CellType::Boolean),
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => Some(CellType::Integer),
        Type::FLOAT4 | Type::FLOAT8 => Some(CellType::Real),
        // Whole numbers, as sums of counts are, or not.
        Type::NUMERIC => None,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::CHAR | Type::UNKNOWN => {
            Some(CellType::Text)
        }
        Type::UUID | Type::DATE => Some(CellType::Text),
        Type::TIMESTAMPTZ | Type::TIMESTAMP => Some(CellType::Timestamp),
        Type::JSON | Type::JSONB => Some(CellType::Json),
        Type::BYTEA => Some(CellType::Bytes),
        ref other => {
            let what =
                format!("the column `{}` is of the type {other}, which has no form here", column.name());
            return Err(
                QueryError::new(QueryFault::BadSql, what).hint("cast it to text, or an array by to_json(…)")
            );
        }
    };
    Ok(QueryColumn { name: column.name().to_owned(), r#type })
}

/// A value.
pub(super) fn cell(raw: Option<Raw<'_>>, r#type: &Type) -> Result<Cell, QueryError> {
    let Some(Raw(bytes)) = raw else { return Ok(Cell::Null) };
    read(bytes, r#type).ok_or_else(|| {
        QueryError::new(QueryFault::IndexFailed, format!("the server sent a value that is no {type}"))
    })
}

fn read(bytes: &[u8], r#type: &Type) -> Option<Cell> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    Some(match *r#type {
        Type::BOOL => Cell::Boolean(*bytes.first()? != 0),
        Type::INT2 => Cell::Integer(i16::from_be_bytes(bytes.try_into().ok()?).into()),
        Type::INT4 => Cell::Integer(i32::from_be_bytes(bytes.try_into().ok()?).into()),
        Type::OID => Cell::Integer(u32::from_be_bytes(bytes.try_into().ok()?).into()),
        Type::INT8 => Cell::Integer(i64::from_be_bytes(bytes.try_into().ok()?)),
        Type::FLOAT4 => Cell::Real(f32::from_be_bytes(bytes.try_into().ok()?).into()),
        Type::FLOAT8 => Cell::Real(f64::from_be_bytes(bytes.try_into().ok()?)),
        Type::NUMERIC => numeric(bytes)?,
        Type::UUID => Cell::Text(uuid::Uuid::from_slice(bytes).ok()?.to_string()),
        Type::DATE => {
            let days = i64::from(i32::from_be_bytes(bytes.try_into().ok()?));
            let nanos = (days * DAY_SECONDS + EPOCH_SECONDS).saturating_mul(1_000_000_000);
            match u64::try_from(nanos) {
                Ok(nanos) => Cell::Text(Timestamp(nanos).to_string().get(..10)?.to_owned()),
                Err(_) => Cell::Null,
            }
        }
        Type::TIMESTAMPTZ | Type::TIMESTAMP => {
            let micros = i64::from_be_bytes(bytes.try_into().ok()?);
            Cell::Timestamp(micros.saturating_add(EPOCH_SECONDS * 1_000_000).saturating_mul(1_000))
        }
        Type::JSON => Cell::Json(text(bytes)?),
        Type::JSONB => Cell::Json(text(bytes.strip_prefix(&[1])?)?),
        Type::BYTEA => Cell::Bytes(bytes.to_vec()),
        _ => Cell::Text(text(bytes)?),
    })
}

/// A decimal: a whole number where it has no fraction and fits, else floating point.
fn numeric(bytes: &[u8]) -> Option<Cell> {
    let mut words = bytes.chunks_exact(2).map(|word| u16::from_be_bytes([word[0], word[1]]));
    let (count, weight, sign, scale) = (words.next()?, words.next()? as i16, words.next()?, words.next()?);
    let text = match sign {
        0xC000 => return Some(Cell::Real(f64::NAN)),
        0xD000 => return Some(Cell::Real(f64::INFINITY)),
        0xF000 => return Some(Cell::Real(f64::NEG_INFINITY)),
        _ => {
            let digits: Vec<u16> = words.take(count.into()).collect();
            decimal(&digits, weight.into(), sign == 0x4000, scale.into())
        }
    };
    match text.parse() {
        Ok(whole) => Some(Cell::Integer(whole)),
        Err(_) => text.parse().ok().map(Cell::Real),
    }
}

/// Digits to the base of 10,000, the first of them worth 10,000^weight.
fn decimal(digits: &[u16], weight: i32, is_negative: bool, scale: usize) -> String {
    let digit =
        |place: i32| usize::try_from(weight - place).ok().and_then(|at| digits.get(at)).copied().unwrap_or(0);
    let mut text = if is_negative { "-".to_owned() } else { String::new() };
    let whole: String = (0..=weight.max(0)).rev().map(|place| format!("{:04}", digit(place))).collect();
    let whole = whole.trim_start_matches('0');
    text.push_str(if whole.is_empty() { "0" } else { whole });
    if scale > 0 {
        let places = scale.div_ceil(4) as i32;
        let fraction: String = (1..=places).map(|place| format!("{:04}", digit(-place))).collect();
        text.push('.');
        text.push_str(fraction.get(..scale).unwrap_or(&fraction));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_numbers() {
        let send = |weight: i16, sign: u16, scale: u16, digits: &[u16]| {
            let head = [digits.len() as u16, weight as u16, sign, scale];
            let bytes: Vec<u8> = head.iter().chain(digits).flat_map(|word| word.to_be_bytes()).collect();
            numeric(&bytes)
        };
        assert_eq!(send(0, 0, 0, &[]), Some(Cell::Integer(0)));
        assert_eq!(send(1, 0, 0, &[12, 3456]), Some(Cell::Integer(123_456)));
        assert_eq!(send(1, 0x4000, 0, &[1]), Some(Cell::Integer(-10_000)));
        assert_eq!(send(0, 0, 2, &[3, 2500]), Some(Cell::Real(3.25)));
        assert_eq!(send(-1, 0, 4, &[5]), Some(Cell::Real(0.0005)));
        assert_eq!(send(-2, 0x4000, 6, &[100]), Some(Cell::Real(-0.000_001)));
        assert_eq!(send(0, 0, 4, &[4]), Some(Cell::Real(4.0)), "an average stays one");
        assert_eq!(
            send(4, 0, 0, &[9223, 3720, 3685, 4775, 8070]),
            Some(Cell::Real(9.223_372_036_854_775e19))
        );
    }
}
