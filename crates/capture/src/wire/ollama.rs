//! Ollama's own API: chat, generate, embed; answers stream as JSON lines unless asked not to.

use super::{Call, Ending, Kind, RequestFacts, ResponseFacts};
use bytes::Bytes;
use http::{HeaderMap, Method};

/// What ends a stream.
pub(super) const ENDING: Ending = Ending::Flag("done");

pub(super) fn classify(_method: &Method, _segments: &[String]) -> Kind {
    Kind::Unknown
}

pub(super) fn request(_call: &Call, _body: &Bytes) -> RequestFacts {
    RequestFacts::default()
}

pub(super) fn response(_call: &Call, _headers: &HeaderMap, _body: &Bytes) -> ResponseFacts {
    ResponseFacts::default()
}
