//! Reading further into a body than its outermost members: objects within it, texts, parts of texts, pieces of a stream.

use super::{Framing, Gap, Reader, json};
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use inferlog_record::Count;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

impl<'a> Reader<'a> {
    /// The members of these names of an object within the body, which is called `name`.
    pub(super) fn within<const N: usize>(
        &mut self,
        name: &str,
        value: Option<&'a RawValue>,
        names: [&'static str; N],
    ) -> [Option<&'a RawValue>; N] {
        let Some(value) = value else { return [None; N] };
        let found = json::members(value.get(), &names).map_err(|_| Gap::WrongType(name.to_owned()));
        self.take(found).unwrap_or_default().try_into().unwrap_or([None; N])
    }

    /// The items of an array, if it is one.
    pub(super) fn items(&mut self, name: &str, value: Option<&'a RawValue>) -> Vec<&'a RawValue> {
        match value {
            Some(value) if json::is_array(value) => json::items(value, usize::MAX),
            Some(_) => {
                self.gap(Gap::WrongType(name.to_owned()));
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// A string.
    pub(super) fn string(&mut self, name: &str, value: Option<&'a RawValue>) -> Option<String> {
        let text = serde_json::from_str(value?.get()).ok();
        if text.is_none() {
            self.gap(Gap::WrongType(name.to_owned()));
        }
        text
    }

    /// A whole number that is not negative.
    pub(super) fn count(&mut self, name: &str, value: Option<&'a RawValue>) -> Option<Count> {
        let count = serde_json::from_str(value?.get()).ok();
        if count.is_none() {
            self.gap(Gap::WrongType(name.to_owned()));
        }
        count.map(Count)
    }

    /// The outermost members but these, as an object; nothing where there are none, or none that are not null.
    pub(super) fn others(&mut self, except: &[&str]) -> Option<Bytes> {
        let members = others(json::text(self.body).ok()?, except)?;
        object(members.iter().map(|(name, value)| (name.as_str(), value.get())))
    }
}

/// A JSON object of these members; nothing where there are none.
pub(super) fn object<'m>(members: impl Iterator<Item = (&'m str, &'m str)>) -> Option<Bytes> {
    let mut out = BytesMut::new();
    for (name, value) in members {
        out.extend_from_slice(if out.is_empty() { b"{" } else { b"," });
        out.extend_from_slice(serde_json::to_string(name).ok()?.as_bytes());
        out.extend_from_slice(b":");
        out.extend_from_slice(value.as_bytes());
    }
    if out.is_empty() {
        return None;
    }
    out.extend_from_slice(b"}");
    Some(out.freeze())
}

/// In the order of their names; of one that stands twice the last counts.
fn others<'a>(text: &'a str, except: &[&str]) -> Option<BTreeMap<String, &'a RawValue>> {
    struct Others<'e>(&'e [&'e str]);
    impl<'de> Visitor<'de> for Others<'_> {
        type Value = BTreeMap<String, &'de RawValue>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = BTreeMap::new();
            while let Some(name) = map.next_key::<String>()? {
                if self.0.contains(&name.as_str()) {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                let value: &RawValue = map.next_value()?;
                if !json::is_null(value) {
                    members.insert(name, value);
                }
            }
            Ok(members)
        }
    }
    serde_json::Deserializer::from_str(text).deserialize_map(Others(except)).ok()
}

/// The framing of a streamed answer, by its headers.
pub(super) fn framing(headers: &HeaderMap) -> Option<Framing> {
    Framing::of(headers.get(http::header::CONTENT_TYPE)?.to_str().ok()?)
}

/// The pieces of a stream, the last of which may have no end.
pub(super) fn pieces(body: &[u8], framing: Framing) -> impl Iterator<Item = &[u8]> {
    let mut rest = body;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, after) = rest.split_at(piece_end(rest, framing));
        rest = after;
        Some(piece)
    })
}

fn piece_end(bytes: &[u8], framing: Framing) -> usize {
    let mut line = 0;
    while let Some(at) = bytes[line..].iter().position(|byte| match framing {
        Framing::Events => matches!(byte, b'\n' | b'\r'),
        Framing::Lines => *byte == b'\n',
    }) {
        let end = line + at + 1;
        let is_crlf = bytes[end - 1] == b'\r' && bytes.get(end) == Some(&b'\n');
        let next = end + usize::from(is_crlf);
        if framing == Framing::Lines || at == 0 {
            return next;
        }
        line = next;
    }
    bytes.len()
}
