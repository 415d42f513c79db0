//! Protocol Buffers on the wire (protobuf.dev, "Encoding"), read field by field.
//!
//! No tree is built: a hostile message of two-byte fields would fill many times its own size. What is not asked for is
//! stepped over, fields of the future among it; nothing recurses, nothing is copied.

use super::Gap;

/// Longest varint, bytes.
const VARINT_BYTES_MAX: usize = 10;

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Field<'a> {
    pub(super) number: u32,
    pub(super) value: Value<'a>,
}

/// A field's value, by its wire type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
}

/// The fields of a message, in its order. Ends after the first that cannot be read.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn field(&mut self) -> Option<Field<'a>> {
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).ok().filter(|number| (1..1 << 29).contains(number))?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(self.fixed()?),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                let (bytes, rest) = self.rest.split_at_checked(length)?;
                self.rest = rest;
                Value::Bytes(bytes)
            }
            5 => Value::Fixed32(self.fixed()?),
            // Groups (3, 4) went out of use before gRPC; 6 and 7 are not assigned.
            _ => return None,
        };
        Some(Field { number, value })
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for at in 0..VARINT_BYTES_MAX {
            let byte = *self.rest.get(at)?;
            if at == VARINT_BYTES_MAX - 1 && byte > 1 {
                return None;
            }
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                self.rest = &self.rest[at + 1..];
                return Some(value);
            }
        }
        None
    }

    fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*bytes)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Gap>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.rest = &[];
        }
        Some(field.ok_or(Gap::NotProtobuf))
    }
}

impl<'a> Value<'a> {
    /// A string, bytes or an embedded message.
    pub(super) fn bytes(self, name: &str) -> Result<&'a [u8], Gap> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(Gap::WrongType(name.to_owned())),
        }
    }

    /// A string.
    pub(super) fn text(self, name: &str) -> Result<&'a str, Gap> {
        std::str::from_utf8(self.bytes(name)?).map_err(|_| Gap::InvalidUtf8)
    }
}
