//! Reads DER in place, element by element; lengths and tags are checked by the `der` crate.

use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode, Reader, SliceReader, Tag, TagNumber, Tagged};

use crate::error::TimestampError;

type Result<T, E = TimestampError> = std::result::Result<T, E>;

/// One element.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: Tag,
    /// Its content.
    pub(crate) value: &'a [u8],
    /// Tag, length and content.
    pub(crate) bytes: &'a [u8],
}

/// The elements of a structure, one after the other.
pub(crate) struct Fields<'a> {
    reader: SliceReader<'a>,
    what: &'static str,
}

/// `[number]`, constructed.
pub(crate) const fn context(number: TagNumber) -> Tag {
    Tag::ContextSpecific { constructed: true, number }
}

/// `[number]`, primitive.
pub(crate) const fn context_primitive(number: TagNumber) -> Tag {
    Tag::ContextSpecific { constructed: false, number }
}

/// The one element that `bytes` are.
pub(crate) fn only<'a>(bytes: &'a [u8], tag: Tag, what: &'static str) -> Result<Element<'a>> {
    let mut fields = Fields::of(bytes, what)?;
    let element = fields.expect(tag)?;
    fields.end()?;
    Ok(element)
}

impl<'a> Element<'a> {
    /// The elements within.
    pub(crate) fn fields(&self, what: &'static str) -> Result<Fields<'a>> {
        Fields::of(self.value, what)
    }

    /// The element as a value.
    pub(crate) fn decode<T: Decode<'a>>(&self, what: &'static str) -> Result<T> {
        T::from_der(self.bytes).map_err(|_| TimestampError::Malformed(what))
    }
}

impl<'a> Fields<'a> {
    /// The elements in `bytes`.
    pub(crate) fn of(bytes: &'a [u8], what: &'static str) -> Result<Self> {
        let reader = SliceReader::new(bytes).map_err(|_| TimestampError::Malformed(what))?;
        Ok(Self { reader, what })
    }

    /// The next element, if there is one.
    pub(crate) fn next(&mut self) -> Result<Option<Element<'a>>> {
        if self.reader.is_finished() {
            return Ok(None);
        }
        let malformed = |_| TimestampError::Malformed(self.what);
        let bytes = self.reader.tlv_bytes().map_err(malformed)?;
        let any = AnyRef::from_der(bytes).map_err(malformed)?;
        Ok(Some(Element { tag: any.tag(), value: any.value(), bytes }))
    }

    /// The next element, if it has this tag.
    pub(crate) fn take(&mut self, tag: Tag) -> Result<Option<Element<'a>>> {
        if self.reader.is_finished() || self.reader.peek_tag().is_ok_and(|next| next != tag) {
            return Ok(None);
        }
        self.next()
    }

    /// The next element, which has this tag.
    pub(crate) fn expect(&mut self, tag: Tag) -> Result<Element<'a>> {
        self.take(tag)?.ok_or(TimestampError::Malformed(self.what))
    }

    /// The next element, an object identifier.
    pub(crate) fn oid(&mut self) -> Result<ObjectIdentifier> {
        self.expect(Tag::ObjectIdentifier)?.decode(self.what)
    }

    /// There is nothing more.
    pub(crate) fn end(self) -> Result<()> {
        if self.reader.is_finished() { Ok(()) } else { Err(TimestampError::Malformed(self.what)) }
    }
}
