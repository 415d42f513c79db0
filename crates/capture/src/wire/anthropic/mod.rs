//! Anthropic's Messages API (platform.claude.com, "Messages" and "Streaming messages"), under any base path.
//!
//! `count_tokens` and the list of models answer without inference. Message Batches are inferences whose answers come on
//! another request: not of this wire, so they are [`Kind::Unknown`], as are other clouds' paths (`…:rawPredict`, `…/invoke`).

mod request;
mod response;

pub(super) use request::request;
pub(super) use response::response;

use super::{Call, Ending, Kind, Operation};
use http::Method;

/// What ends a stream.
pub(super) const ENDING: Ending = Ending::Type(&["message_stop"]);

pub(super) fn classify(method: &Method, segments: &[String]) -> Kind {
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (method, segments.as_slice()) {
        (&Method::HEAD | &Method::OPTIONS, _) => Kind::Control,
        (&Method::POST, [.., "v1", "messages"]) => {
            Kind::Inference(Call { operation: Operation::Messages, ..Call::default() })
        }
        (&Method::POST, [.., "v1", "messages", "count_tokens"]) => Kind::Control,
        (&Method::GET, [.., "v1", "models"] | [.., "v1", "models", _]) => Kind::Control,
        _ => Kind::Unknown,
    }
}
