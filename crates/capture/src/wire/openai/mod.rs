//! OpenAI's API: Chat Completions, Completions, Embeddings, Responses; also under Azure's paths.

use super::{Call, Ending, Kind, Operation, RequestFacts, ResponseFacts};
use bytes::Bytes;
use http::{HeaderMap, Method};

/// What ends a stream.
pub(super) fn ending(call: &Call) -> Ending {
    match call.operation {
        Operation::Responses => {
            Ending::Type(&["response.completed", "response.incomplete", "response.failed"])
        }
        _ => Ending::Data("[DONE]"),
    }
}

pub(super) fn classify(_method: &Method, _segments: &[String]) -> Kind {
    Kind::Unknown
}

pub(super) fn request(_call: &Call, _body: &Bytes) -> RequestFacts {
    RequestFacts::default()
}

pub(super) fn response(_call: &Call, _headers: &HeaderMap, _body: &Bytes) -> ResponseFacts {
    ResponseFacts::default()
}
