//! A JSON object read strictly: every member is asked for by name, and what nobody asked for is refused.

use super::ApiError;
use super::content::{Said, said};
use inferlog_record::{Id, TextError, Timestamp};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;
use std::str::FromStr;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Longest name or identifier in a member, bytes.
const TEXT_BYTES_MAX: usize = 1024;

/// The members of an object as they stand, in order.
pub(super) struct Members<'a>(pub(super) Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Vec<(String, &'de RawValue)>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members: Self::Value = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    if members.iter().any(|(other, _)| *other == name) {
                        return Err(de::Error::custom("a member stands twice"));
                    }
                    members.push((name, value));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Object).map(Members)
    }
}

/// An object being read.
pub(super) struct Fields<'a> {
    /// Where it stands in the request: `events[3]`.
    at: String,
    members: Vec<(String, &'a RawValue)>,
    /// What was asked for.
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub(super) fn read(raw: &'a RawValue, at: impl Into<String>) -> Result<Self, ApiError> {
        let at = at.into();
        match serde_json::from_str::<Members<'a>>(raw.get()) {
            Ok(Members(members)) => Ok(Self { at, members, known: Vec::new() }),
            Err(_) if !raw.get().starts_with('{') => {
                Err(ApiError::malformed(format!("{at}: write an object")))
            }
            Err(error) => Err(ApiError::malformed(format!("{at}: {}", plain(&error)))),
        }
    }

    /// Where it stands.
    pub(super) fn at(&self) -> &str {
        &self.at
    }

    pub(super) fn wrong(&self, name: &str, what: impl std::fmt::Display) -> ApiError {
        ApiError::malformed(format!("{}.{name}: {what}", self.at))
    }

    /// A member as it stands. `null` is none.
    pub(super) fn raw(&mut self, name: &'static str) -> Option<&'a RawValue> {
        self.known.push(name);
        let at = self.members.iter().position(|(known, _)| known == name)?;
        let (_, value) = self.members.remove(at);
        Some(value).filter(|value| value.get() != "null")
    }

    fn parsed<T: Deserialize<'a>>(&mut self, name: &'static str, form: &str) -> Result<Option<T>, ApiError> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        serde_json::from_str(raw.get()).map(Some).map_err(|_| self.wrong(name, format_args!("write {form}")))
    }

    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, ApiError> {
        let text = self.parsed::<String>(name, "a text")?;
        match &text {
            Some(text) if text.is_empty() || text.len() > TEXT_BYTES_MAX => {
                Err(self.wrong(name, format_args!("write a text of 1 to {TEXT_BYTES_MAX} bytes")))
            }
            _ => Ok(text),
        }
    }

    /// A value of a fixed form: an id, a name, one of some words.
    pub(super) fn word<T: FromStr<Err = TextError>>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        text.parse()
            .map(Some)
            .map_err(|error: TextError| self.wrong(name, format_args!("write {}", error.expected)))
    }

    /// The same, which must be there.
    pub(super) fn needed<T: FromStr<Err = TextError>>(&mut self, name: &'static str) -> Result<T, ApiError> {
        let found = self.word(name)?;
        found.ok_or_else(|| self.wrong(name, "is missing"))
    }

    pub(super) fn ids(&mut self, name: &'static str) -> Result<Vec<Id>, ApiError> {
        const FORM: &str = "an array of event ids";
        Ok(self.parsed::<Vec<Id>>(name, FORM)?.unwrap_or_default())
    }

    pub(super) fn texts(&mut self, name: &'static str) -> Result<Vec<String>, ApiError> {
        Ok(self.parsed::<Vec<String>>(name, "an array of texts")?.unwrap_or_default())
    }

    pub(super) fn array(&mut self, name: &'static str) -> Result<Vec<&'a RawValue>, ApiError> {
        Ok(self.parsed::<Vec<&RawValue>>(name, "an array")?.unwrap_or_default())
    }

    pub(super) fn count(&mut self, name: &'static str) -> Result<Option<u64>, ApiError> {
        self.parsed(name, "a whole number, 0 or more")
    }

    pub(super) fn small(&mut self, name: &'static str) -> Result<Option<u32>, ApiError> {
        self.parsed(name, "a whole number from 0 to 4294967295")
    }

    pub(super) fn number(&mut self, name: &'static str) -> Result<Option<f64>, ApiError> {
        self.parsed(name, "a number")
    }

    pub(super) fn flag(&mut self, name: &'static str) -> Result<Option<bool>, ApiError> {
        self.parsed(name, "true or false")
    }

    /// A time with its offset from UTC (RFC 3339).
    pub(super) fn time(&mut self, name: &'static str) -> Result<Option<Timestamp>, ApiError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let time = OffsetDateTime::parse(&text, &Rfc3339).ok();
        let nanos = time.and_then(|time| u64::try_from(time.unix_timestamp_nanos()).ok());
        let form = "write a time as RFC 3339 does, as in 2026-01-31T09:30:00Z";
        nanos.map(|nanos| Some(Timestamp(nanos))).ok_or_else(|| self.wrong(name, form))
    }

    /// Content: text, JSON as it stands, or bytes.
    pub(super) fn content(&mut self, name: &'static str) -> Result<Option<Said>, ApiError> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        said(raw).map(Some).map_err(|what| self.wrong(name, what))
    }

    /// An object below this one.
    pub(super) fn object(&mut self, name: &'static str) -> Result<Option<Fields<'a>>, ApiError> {
        let at = format!("{}.{name}", self.at);
        self.raw(name).map(|raw| Fields::read(raw, at)).transpose()
    }

    /// The members of an object whose names are the caller's own, all of them texts.
    pub(super) fn into_texts(self) -> Result<Vec<(String, String)>, ApiError> {
        let text =
            |(name, raw): &(String, &RawValue)| Some((name.clone(), serde_json::from_str(raw.get()).ok()?));
        let texts = self.members.iter().map(text).collect::<Option<Vec<_>>>();
        texts.ok_or_else(|| ApiError::malformed(format!("{}: write texts as its members", self.at)))
    }

    /// Refuses what nobody asked for.
    pub(super) fn end(self) -> Result<(), ApiError> {
        let Some((name, _)) = self.members.first() else { return Ok(()) };
        let name: String = name.chars().take(64).collect();
        let known = self.known.join(", ");
        Err(ApiError::malformed(format!(
            "{}: there is no member `{name}` here; possible are {known}",
            self.at
        )))
    }
}

/// What is wrong with JSON, without what stands there.
pub(super) fn plain(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Data => "a member stands twice",
        _ => "this is not JSON",
    };
    format!("{what} (line {}, column {})", error.line(), error.column())
}
