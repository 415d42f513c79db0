//! The events of a stream that say something.

use crate::wire::parts::pieces;
use crate::wire::{Framing, sse};
use bytes::Bytes;
use serde::de::IgnoredAny;

/// One event that has data.
pub(super) struct Event {
    /// The field `event`; empty where there is none.
    pub(super) name: String,
    /// Its data.
    pub(super) data: Bytes,
    /// Whether it is `[DONE]`, after which nothing counts.
    pub(super) is_done: bool,
    /// Whether the data was UTF-8; what was not is replaced.
    pub(super) is_utf8: bool,
}

/// The events that have data, in their order. One at the end that broke off in its midst is left out: that the stream broke
/// off says it already. One that lacks no more than its empty line is whole.
pub(super) fn events(body: &Bytes) -> impl Iterator<Item = Event> {
    let mut pieces = pieces(body, Framing::Events).peekable();
    std::iter::from_fn(move || {
        loop {
            let piece = pieces.next()?;
            let event = sse::event(piece);
            let data = event.data;
            let is_last = pieces.peek().is_none();
            let is_done = data.trim() == "[DONE]";
            let breaks_off = is_last && !is_done && serde_json::from_str::<IgnoredAny>(&data).is_err();
            if data.is_empty() || (breaks_off && !sse::is_ended(piece)) {
                continue;
            }
            let is_utf8 = std::str::from_utf8(piece).is_ok();
            return Some(Event { name: event.event.into_owned(), data: data.into(), is_done, is_utf8 });
        }
    })
}
