//! Server-sent events (WHATWG HTML, section 9.2.6), read from whole bodies.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event<'a> {
    /// The field `event`; empty where there is none.
    pub(super) event: Cow<'a, str>,
    /// The lines of the field `data`, put together.
    pub(super) data: String,
}

#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
}

impl Event<'_> {
    /// What type of event it is: the field `event`, else the member `type` of its data.
    pub(super) fn kind(&self) -> Option<String> {
        if !self.event.is_empty() {
            return Some(self.event.clone().into_owned());
        }
        serde_json::from_str::<Typed<'_>>(&self.data).ok()?.kind.map(Cow::into_owned)
    }

    /// Whether it is of one of these types by the field `event` or by the member `type` of its data: clients go by either, and by
    /// the last of two members.
    pub(super) fn is_any(&self, types: &[&str]) -> bool {
        let named = || member(self.data.as_bytes(), "type");
        let kind = || serde_json::from_str::<Cow<'_, str>>(named()?.get()).ok();
        // An event without data is none: no client sees it.
        !self.data.is_empty()
            && (types.contains(&&*self.event) || kind().is_some_and(|kind| types.contains(&&*kind)))
    }

    /// Whether it says an error: by its type, or by a member of its data.
    pub(super) fn is_error(&self) -> bool {
        !self.data.is_empty()
            && (self.kind().is_some_and(|kind| kind == "error") || has_error(self.data.as_bytes()))
    }
}

/// The event that a piece holds.
pub(super) fn event(piece: &[u8]) -> Event<'_> {
    let mut event = Event::default();
    let mut has_data = false;
    let text = piece.strip_prefix(b"\xef\xbb\xbf").unwrap_or(piece);
    for line in text.split(|byte| matches!(byte, b'\n' | b'\r')) {
        let (name, value) = match memchr::memchr(b':', line) {
            Some(at) => (&line[..at], line[at + 1..].strip_prefix(b" ").unwrap_or(&line[at + 1..])),
            None => (line, &[][..]),
        };
        match name {
            b"event" => event.event = String::from_utf8_lossy(value),
            b"data" => {
                if has_data {
                    event.data.push('\n');
                }
                has_data = true;
                event.data.push_str(&String::from_utf8_lossy(value));
            }
            // Comments (an empty name), `id`, `retry`, and fields of the future.
            _ => {}
        }
    }
    event
}

/// Whether a piece has the empty line that ends an event.
pub(super) fn is_ended(piece: &[u8]) -> bool {
    fn without_line_end(text: &[u8]) -> Option<&[u8]> {
        text.strip_suffix(b"\r\n").or_else(|| text.strip_suffix(b"\n")).or_else(|| text.strip_suffix(b"\r"))
    }
    without_line_end(piece)
        .is_some_and(|lines| lines.is_empty() || matches!(lines.last(), Some(b'\n' | b'\r')))
}

/// Whether the JSON object of a line has a member of this name that is true.
pub(super) fn flag(line: &[u8], name: &str) -> bool {
    member(line, name).is_some_and(|value| value.get() == "true")
}

/// Whether a JSON object has an error as a member.
pub(super) fn has_error(object: &[u8]) -> bool {
    member(object, "error").is_some_and(|value| value.get() != "null")
}

fn member<'a>(object: &'a [u8], name: &str) -> Option<&'a RawValue> {
    serde_json::from_slice::<BTreeMap<Cow<'_, str>, &RawValue>>(object).ok()?.remove(name)
}
