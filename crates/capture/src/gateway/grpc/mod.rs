//! gRPC on a route: a call is an exchange like any other, but for its framing, its trailers, and how it is told of a failure.
//! A stream of calls is another thing: [`stream`].

mod client;
mod end;
mod source;
mod stream;
mod turns;

use crate::body::{End, Read};
use crate::decode::DecodeError;
use crate::gateway::call::Content;
use crate::gateway::delivery::Reply;
use crate::wire::grpc::{GRPC_MESSAGE, GRPC_STATUS, Messages};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What stands in `grpc-message` as it is: printable ASCII but `%` (grpc.io, "PROTOCOL-HTTP2").
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// The body of a call: one message, or none. Any other is recorded with its framing, as it came.
pub(crate) fn content(read: Read, headers: &HeaderMap, bytes_max: usize) -> Content {
    let mut messages = Messages::new(bytes_max);
    messages.push(read.bytes.clone());
    let decoded = match messages.take() {
        Ok(Some(message)) if messages.is_between() => message.content(headers, bytes_max),
        Ok(None) if messages.is_between() && read.end == End::Complete => Ok(Bytes::new()),
        _ => Err(DecodeError::Corrupt),
    };
    Content { raw: read.bytes, end: read.end, decoded }
}

/// An error in the words of the gateway: an answer that is trailers only. `status` is what HTTP would say.
pub(crate) fn error(status: StatusCode, message: &str) -> Response<Reply> {
    ended(trailers(code(status), message))
}

/// An answer that is trailers only.
fn ended(trailers: HeaderMap) -> Response<Reply> {
    let mut answer = Response::new(Reply::whole(Bytes::new()));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    answer.headers_mut().extend(trailers);
    answer
}

fn trailers(code: u16, message: &str) -> HeaderMap {
    let message = utf8_percent_encode(message, ENCODED).to_string();
    let mut trailers = HeaderMap::new();
    trailers.insert(GRPC_STATUS, HeaderValue::from(code));
    if message.is_empty() {
        return trailers;
    }
    if let Ok(message) = HeaderValue::try_from(message) {
        trailers.insert(GRPC_MESSAGE, message);
    }
    trailers
}

/// gRPC's status code for what HTTP would say.
fn code(status: StatusCode) -> u16 {
    match status.as_u16() {
        // The client left: CANCELLED.
        400 => 1,
        // INVALID_ARGUMENT.
        422 => 3,
        // DEADLINE_EXCEEDED.
        408 | 504 => 4,
        // RESOURCE_EXHAUSTED, as gRPC's own limits on messages have it.
        413 => 8,
        // UNIMPLEMENTED.
        404 => 12,
        502 | 503 => 14,
        _ => 2,
    }
}
