//! gRPC over HTTP/2 (grpc.io, "PROTOCOL-HTTP2"): messages in a body, and how a call ended.
//!
//! A message is framed as `compressed (1) ‖ length (4, big-endian) ‖ bytes`; what it is compressed with says the header
//! `grpc-encoding`. A call ends with `grpc-status` and `grpc-message` in the trailers, or, where there is no answer at all, in
//! the head ("trailers-only").

use crate::decode::{DecodeError, undo};
use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderName};
use inferlog_record::body::ErrorCode;
use percent_encoding::percent_decode;

/// The header that says how messages are compressed.
pub const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
/// The header that says which compressions the other side may use.
pub const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
/// The trailer that says how a call ended.
pub const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// The trailer that says why, percent-encoded.
pub const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Length of what precedes a message, bytes.
pub const PREFIX_BYTES: usize = 5;

/// One message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// With its prefix: what is passed on.
    pub framed: Bytes,
    /// Whether the prefix says that it is compressed.
    pub is_compressed: bool,
}

/// Why a body is not a sequence of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The first byte of a prefix is neither 0 nor 1.
    #[error("the body is not a sequence of gRPC messages")]
    Malformed,
    /// A message is longer than allowed, by what its prefix says.
    #[error("a message has {bytes_min} bytes")]
    OverLimit {
        /// Its length, bytes.
        bytes_min: u64,
    },
}

impl Message {
    /// The message free of its prefix and its compression; `headers` are those of the body that it came in.
    pub fn content(&self, headers: &HeaderMap, bytes_max: usize) -> Result<Bytes, DecodeError> {
        let bytes = self.framed.slice(PREFIX_BYTES..);
        if !self.is_compressed {
            return Ok(bytes);
        }
        let coding = headers.get(GRPC_ENCODING).and_then(|value| value.to_str().ok());
        undo(&coding.unwrap_or_default().trim().to_ascii_lowercase(), &bytes, bytes_max)
    }
}

/// Takes messages from a body as it comes. Holds one message at most, and what came with it.
#[derive(Debug)]
pub struct Messages {
    buffer: BytesMut,
    bytes_max: usize,
}

impl Messages {
    /// Messages of at most so many bytes each, as they came.
    pub fn new(bytes_max: usize) -> Self {
        Self { buffer: BytesMut::new(), bytes_max }
    }

    /// Takes what came next.
    pub fn push(&mut self, bytes: impl Buf) {
        use bytes::BufMut;
        self.buffer.put(bytes);
    }

    /// The next message, if all of it came. After an error nothing further can be read.
    pub fn take(&mut self) -> Result<Option<Message>, FrameError> {
        let Some(prefix) = self.buffer.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let [flag, length @ ..] = *prefix;
        if flag > 1 {
            return Err(FrameError::Malformed);
        }
        let length = u32::from_be_bytes(length);
        let end = usize::try_from(length).ok().filter(|length| *length <= self.bytes_max);
        let end = end.ok_or(FrameError::OverLimit { bytes_min: length.into() })? + PREFIX_BYTES;
        if self.buffer.len() < end {
            return Ok(None);
        }
        Ok(Some(Message { framed: self.buffer.split_to(end).freeze(), is_compressed: flag == 1 }))
    }

    /// Whether the body may end here: between two messages.
    pub fn is_between(&self) -> bool {
        self.buffer.is_empty()
    }
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// 0 for success (grpc.io, "Status codes").
    pub code: u16,
    /// Why; empty where nothing is said.
    pub message: String,
}

impl Status {
    /// What trailers say, or the head of an answer that is trailers only. `None` where they say nothing that can be read.
    pub fn of(trailers: &HeaderMap) -> Option<Self> {
        let code = trailers.get(GRPC_STATUS)?.to_str().ok()?.parse().ok()?;
        let message = trailers.get(GRPC_MESSAGE).map(|text| percent_decode(text.as_bytes()));
        let message = message.map(|text| text.decode_utf8_lossy().into_owned()).unwrap_or_default();
        Some(Self { code, message })
    }

    /// The record's words for it; `None` for success.
    pub fn error(&self) -> Option<ErrorCode> {
        Some(match self.code {
            0 => return None,
            1 => ErrorCode::Cancelled,
            // INVALID_ARGUMENT, FAILED_PRECONDITION, OUT_OF_RANGE.
            3 | 9 | 11 => ErrorCode::BadRequest,
            4 => ErrorCode::Timeout,
            // NOT_FOUND, UNIMPLEMENTED.
            5 | 12 => ErrorCode::NotFound,
            7 => ErrorCode::Forbidden,
            8 => ErrorCode::RateLimited,
            14 => ErrorCode::Unavailable,
            16 => ErrorCode::Unauthorized,
            // UNKNOWN, INTERNAL, DATA_LOSS.
            2 | 13 | 15 => ErrorCode::UpstreamError,
            _ => ErrorCode::Other,
        })
    }
}

/// Whether these are the headers of a gRPC message: `application/grpc`, with or without `+proto` and the like.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/grpc" || essence.starts_with("application/grpc+")
}
