//! Anthropic's Messages API.

use super::{Ending, Kind, RequestFacts, ResponseFacts};
use bytes::Bytes;
use http::{HeaderMap, Method};

/// What ends a stream.
pub(super) const ENDING: Ending = Ending::Type(&["message_stop"]);

pub(super) fn classify(_method: &Method, _segments: &[String]) -> Kind {
    Kind::Unknown
}

pub(super) fn request(_body: &Bytes) -> RequestFacts {
    RequestFacts::default()
}

pub(super) fn response(_headers: &HeaderMap, _body: &Bytes) -> ResponseFacts {
    ResponseFacts::default()
}
