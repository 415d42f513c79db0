//! Bodies: read whole, within a size and a time.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::Body;
use std::pin::pin;
use tokio::time::{Instant, timeout_at};

/// Space taken before any byte has arrived, bytes at most, whatever length a peer announces.
const RESERVE_BYTES_MAX: usize = 1 << 20;

/// A body as far as it was read.
#[derive(Clone, Debug)]
pub struct Read {
    /// What arrived; nothing where the body is over the limit.
    pub bytes: Bytes,
    /// How reading ended.
    pub end: End,
    /// What came after it.
    pub trailers: Option<HeaderMap>,
}

impl Read {
    /// What was read, without trailers.
    pub fn new(bytes: Bytes, end: End) -> Self {
        Self { bytes, end, trailers: None }
    }
}

/// How reading a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All of it is there.
    Complete,
    /// It is longer than allowed: by what the peer announced, or by what arrived.
    OverLimit {
        /// Its length, at least, bytes.
        bytes_min: u64,
    },
    /// The time was up.
    TimedOut,
    /// The peer went away, or broke the framing.
    Aborted,
}

/// Reads a body whole.
pub async fn read<B>(body: B, bytes_max: usize, deadline: Instant) -> Read
where
    B: Body<Data = Bytes>,
{
    let announced = body.size_hint().lower();
    if announced > bytes_max as u64 {
        return Read::new(Bytes::new(), End::OverLimit { bytes_min: announced });
    }
    let mut body = pin!(body);
    let (mut read, mut trailers) = (Collected::default(), None);
    let end = loop {
        match timeout_at(deadline, body.frame()).await {
            Err(_) => break End::TimedOut,
            Ok(None) => break End::Complete,
            Ok(Some(Err(_))) => break End::Aborted,
            Ok(Some(Ok(frame))) => {
                let chunk = match frame.into_data() {
                    Ok(chunk) => chunk,
                    Err(frame) => {
                        trailers = frame.into_trailers().ok();
                        continue;
                    }
                };
                let len = read.len() + chunk.len();
                if len > bytes_max {
                    return Read::new(Bytes::new(), End::OverLimit { bytes_min: len as u64 });
                }
                read.push(chunk, usize::try_from(announced).unwrap_or(0).min(RESERVE_BYTES_MAX));
                if body.is_end_stream() {
                    break End::Complete;
                }
            }
        }
    };
    Read { bytes: read.into_bytes(), end, trailers }
}

/// Chunks put together; a lone chunk, the common case, is not copied.
#[derive(Default)]
struct Collected {
    first: Bytes,
    rest: BytesMut,
}

impl Collected {
    fn len(&self) -> usize {
        if self.rest.is_empty() { self.first.len() } else { self.rest.len() }
    }

    fn push(&mut self, chunk: Bytes, reserve: usize) {
        if self.first.is_empty() && self.rest.is_empty() {
            self.first = chunk;
            return;
        }
        if self.rest.is_empty() {
            self.rest.reserve(reserve.max(self.first.len() + chunk.len()));
            self.rest.extend_from_slice(self.first.chunk());
            self.first = Bytes::new();
        }
        self.rest.extend_from_slice(&chunk);
    }

    fn into_bytes(self) -> Bytes {
        if self.rest.is_empty() { self.first } else { self.rest.freeze() }
    }
}
