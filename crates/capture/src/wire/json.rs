//! Reading a few members out of a JSON text without building the rest of it.
//!
//! Only what a pointer leads to is kept, as a slice of the text; everything else is checked for syntax and skipped.
//! Skipping does not recurse and allocates one bit of bookkeeping per open bracket, so that neither depth nor size of a
//! hostile text costs more than one pass over it per level of the deepest pointer.

use super::Gap;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Longest pointer, in tokens: each costs one more pass over the text it leads into.
pub const POINTER_TOKENS_MAX: usize = 32;

/// A JSON pointer (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pointer {
    text: String,
    tokens: Vec<String>,
}

/// Why a text is not a JSON pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// Neither empty nor beginning with a slash.
    #[error("a JSON pointer begins with `/`, as in `/inputs/0/data` (RFC 6901)")]
    NoSlash,
    /// A tilde that begins no escape.
    #[error("in a JSON pointer `~` is written `~0` and `/` within a name `~1` (RFC 6901, section 3)")]
    Escape,
    /// More than [`POINTER_TOKENS_MAX`] tokens.
    #[error("a JSON pointer may have at most {POINTER_TOKENS_MAX} parts")]
    TooLong,
}

impl Pointer {
    /// Parses a pointer; the empty one means the whole text.
    pub fn parse(text: &str) -> Result<Self, PointerError> {
        let tokens = match text.strip_prefix('/') {
            None if text.is_empty() => Vec::new(),
            None => return Err(PointerError::NoSlash),
            Some(rest) => rest.split('/').map(unescape).collect::<Result<_, _>>()?,
        };
        if tokens.len() > POINTER_TOKENS_MAX {
            return Err(PointerError::TooLong);
        }
        Ok(Self { text: text.to_owned(), tokens })
    }

    /// The pointer as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn unescape(token: &str) -> Result<String, PointerError> {
    let mut out = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '~' => match chars.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => return Err(PointerError::Escape),
            },
            c => c,
        });
    }
    Ok(out)
}

/// A body as JSON text.
pub(crate) fn text(body: &[u8]) -> Result<&str, Gap> {
    std::str::from_utf8(body).map_err(|_| Gap::InvalidUtf8)
}

/// What was found, in the order of the pointers, and whether a name that led there stood twice in its object.
pub(crate) struct Found<'a> {
    pub(crate) values: Vec<Option<&'a RawValue>>,
    pub(crate) duplicate: bool,
}

/// Resolves the pointers in a JSON text. Of a name that stands twice the last counts, as most parsers have it.
/// A text that is not JSON is a [`Gap::NotJson`], even where every pointer was found before the fault.
pub(crate) fn resolve<'a>(text: &'a str, pointers: &[&Pointer]) -> Result<Found<'a>, Gap> {
    let paths: Vec<&[String]> = pointers.iter().map(|p| p.tokens.as_slice()).collect();
    let mut found = Found { values: vec![None; paths.len()], duplicate: false };
    let whole: &RawValue = serde_json::from_str(text).map_err(|_| Gap::NotJson)?;
    descend(whole, &paths, &mut found)?;
    Ok(found)
}

/// Resolves names in the outermost object.
pub(crate) fn members<'a>(text: &'a str, names: &[&'static str]) -> Result<Found<'a>, Gap> {
    let paths: Vec<[String; 1]> = names.iter().map(|name| [(*name).to_owned()]).collect();
    let paths: Vec<&[String]> = paths.iter().map(<[String; 1]>::as_slice).collect();
    let mut found = Found { values: vec![None; names.len()], duplicate: false };
    if !is_object(text) {
        serde_json::from_str::<IgnoredAny>(text).map_err(|_| Gap::NotJson)?;
        return Err(Gap::NotAnObject);
    }
    level(text, &paths, &mut found.duplicate)?
        .into_iter()
        .zip(&mut found.values)
        .for_each(|(v, slot)| *slot = v);
    Ok(found)
}

/// One level of the walk: `paths` are what is left of each pointer below `value`.
fn descend<'a>(value: &'a RawValue, paths: &[&[String]], found: &mut Found<'a>) -> Result<(), Gap> {
    // The walk goes level by level, so that pointers that share a prefix share the passes over it.
    let mut front: Vec<(usize, &'a RawValue, &[String])> =
        paths.iter().enumerate().map(|(slot, path)| (slot, value, *path)).collect();
    while !front.is_empty() {
        for (slot, value, _) in front.extract_if(.., |(_, _, path)| path.is_empty()) {
            found.values[slot] = Some(value);
        }
        let mut next = Vec::new();
        while let Some(&(_, value, _)) = front.first() {
            let here: Vec<_> = front.extract_if(.., |(_, v, _)| std::ptr::eq(*v, value)).collect();
            let paths: Vec<&[String]> = here.iter().map(|(_, _, path)| *path).collect();
            let below = level(value.get(), &paths, &mut found.duplicate)?;
            next.extend(
                here.iter().zip(below).filter_map(|((slot, _, path), v)| Some((*slot, v?, &path[1..]))),
            );
        }
        front = next;
    }
    Ok(())
}

/// What the first token of each path leads to in `text`.
fn level<'a>(
    text: &'a str,
    paths: &[&[String]],
    duplicate: &mut bool,
) -> Result<Vec<Option<&'a RawValue>>, Gap> {
    let seed = Level { paths, duplicate };
    let mut de = serde_json::Deserializer::from_str(text);
    let values = match text.trim_start().as_bytes().first() {
        Some(b'{') => de.deserialize_map(seed),
        Some(b'[') => de.deserialize_seq(seed),
        _ => return Ok(vec![None; paths.len()]),
    };
    let values = values.map_err(|_| Gap::NotJson)?;
    de.end().map_err(|_| Gap::NotJson)?;
    Ok(values)
}

struct Level<'p> {
    paths: &'p [&'p [String]],
    duplicate: &'p mut bool,
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = Vec<Option<&'de RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = vec![None; self.paths.len()];
        while let Some(first) = map.next_key_seed(Key(self.paths))? {
            let Some(first) = first else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value: &RawValue = map.next_value()?;
            *self.duplicate |= values[first].is_some();
            let name = &self.paths[first][0];
            for (slot, path) in values.iter_mut().zip(self.paths) {
                if &path[0] == name {
                    *slot = Some(value);
                }
            }
        }
        Ok(values)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut values = vec![None; self.paths.len()];
        let wanted: Vec<Option<usize>> = self.paths.iter().map(|path| array_index(&path[0])).collect();
        for at in 0.. {
            if wanted.contains(&Some(at)) {
                let Some(value) = seq.next_element::<&RawValue>()? else { break };
                for (slot, _) in values.iter_mut().zip(&wanted).filter(|(_, index)| **index == Some(at)) {
                    *slot = Some(value);
                }
            } else if seq.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
        }
        Ok(values)
    }
}

/// Array indices have no leading zero (RFC 6901, section 4).
fn array_index(token: &str) -> Option<usize> {
    let canonical = token == "0" || (!token.starts_with('0') && token.bytes().all(|b| b.is_ascii_digit()));
    canonical.then(|| token.parse().ok()).flatten()
}

/// Recognises a key: the first path that wants it. No key is copied, unless it holds escapes.
struct Key<'p>(&'p [&'p [String]]);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<Self::Value, D::Error> {
        de.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|path| path[0] == name))
    }
}

/// Whether a text that is JSON is an object.
pub(crate) fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// Whether a value is an array.
pub(crate) fn is_array(value: &RawValue) -> bool {
    value.get().starts_with('[')
}

/// The first items of an array, at most `max`.
pub(crate) fn items(array: &RawValue, max: usize) -> Vec<&RawValue> {
    struct Items(usize);
    impl<'de> Visitor<'de> for Items {
        type Value = Vec<&'de RawValue>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut items = Vec::new();
            while items.len() < self.0 {
                let Some(item) = seq.next_element()? else { return Ok(items) };
                items.push(item);
            }
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(items)
        }
    }
    serde_json::Deserializer::from_str(array.get()).deserialize_seq(Items(max)).unwrap_or_default()
}

/// Whether a value is `null`, which OIP clients send for a member they mean to leave out.
pub(crate) fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

/// A string, or a number as it is written; `None` for anything else and for strings that are no Unicode.
pub(crate) fn scalar(value: &RawValue) -> Option<String> {
    let text = value.get();
    match text.as_bytes().first()? {
        b'"' => serde_json::from_str(text).ok(),
        b'-' | b'0'..=b'9' => Some(text.to_owned()),
        _ => None,
    }
}
