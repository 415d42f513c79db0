//! One call of the model: what was asked, what came back, and when.

use crate::body::{self, End as BodyEnd, Read};
use crate::decode::{DecodeError, decode, decode_prefix};
use crate::gateway::registered::Known;
use crate::gateway::{Lane, grpc};
use crate::recorder::RecordError;
use crate::route::{Route, Streaming};
use crate::upstream::{self, UpstreamError};
use crate::wire::grpc::{Status, is_grpc};
use crate::wire::{Call, Frames, RequestFacts, ResponseFacts};
use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, Request, Response, request, response};
use hyper::body::{Body as _, Incoming};
use inferlog_record::Timestamp;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Bodies above this many bytes are decoded and read on other threads than those that serve requests.
const READ_INLINE_BYTES_MAX: usize = 256 << 10;

/// A point in time on both clocks: what is later by the steady one is never earlier in the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) at: Timestamp,
    pub(crate) steady: Instant,
}

impl Moment {
    pub(crate) fn now(lane: &Lane) -> Self {
        Self { at: lane.now(), steady: Instant::now() }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.steady.elapsed()
    }

    /// The present, as a moment of the same two clocks: moments of one exchange keep their order.
    pub(crate) fn then(&self) -> Self {
        let steady = Instant::now();
        let elapsed = u64::try_from((steady - self.steady).as_nanos()).unwrap_or(u64::MAX);
        Self { at: Timestamp(self.at.nanos().saturating_add(elapsed)), steady }
    }

    /// The present, as the time since then has it.
    pub(crate) fn later(&self) -> Timestamp {
        let elapsed = u64::try_from(self.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Timestamp(self.at.nanos().saturating_add(elapsed))
    }
}

/// What was asked.
pub(crate) struct Asked {
    pub(crate) call: Call,
    pub(crate) head: request::Parts,
    pub(crate) content: Content,
    pub(crate) facts: RequestFacts,
    /// What of it is registered.
    pub(crate) known: Known,
    pub(crate) began: Moment,
}

/// What was answered, as far as it came.
pub(crate) struct Told {
    pub(crate) head: response::Parts,
    pub(crate) content: Content,
    pub(crate) facts: ResponseFacts,
    pub(crate) first_byte: Duration,
    /// What came after the body.
    pub(crate) trailers: Option<HeaderMap>,
    /// Whether it came as a stream.
    pub(crate) is_stream: bool,
    /// Whether the client left while it was passed on.
    pub(crate) client_left: bool,
}

/// What a call gives at first.
pub(crate) enum Came {
    /// All there is to get.
    Whole(Called),
    /// An answer that is passed on while it comes.
    Live(Box<Live>),
}

/// An answer whose body is still to come, and that is passed on while it comes.
pub(crate) struct Live {
    pub(crate) head: response::Parts,
    pub(crate) body: Incoming,
    pub(crate) frames: Frames,
    pub(crate) first_byte: Duration,
}

/// A body as it came and as it is recorded.
pub(crate) struct Content {
    /// As it came.
    pub(crate) raw: Bytes,
    /// How it ended.
    pub(crate) end: BodyEnd,
    /// Free of its codings, or why not.
    pub(crate) decoded: Result<Bytes, DecodeError>,
}

/// What became of the call of the model.
pub(crate) enum Called {
    /// It answered; not always to the end.
    Told(Box<Told>),
    /// It did not.
    Failed(UpstreamError),
    /// The client left first, and the call was broken off.
    ClientGone,
}

/// Calls the model. Answers with the whole answer, or, if it may stream, with the head of one that is to be passed on while it
/// comes.
pub(crate) async fn call(
    lane: Arc<Lane>,
    call: &Call,
    request: Request<upstream::Body>,
    may_stream: bool,
) -> Result<Came, RecordError> {
    let began = Instant::now();
    let limits = lane.route.limits;
    let deadline = began + limits.answer_time_max;
    let answer = match timeout_at(deadline, lane.client.send(request)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Ok(Came::Whole(Called::Failed(error))),
        Err(_) => return Ok(Came::Whole(Called::Failed(UpstreamError::TimedOut))),
    };
    let first_byte = began.elapsed();
    let frames = frames(&lane, call, &answer);
    let (head, body) = answer.into_parts();
    let passes = lane.route.stream == Streaming::Pass && may_stream && !body.is_end_stream();
    if let Some(frames) = frames.filter(|_| passes) {
        return Ok(Came::Live(Box::new(Live { head, body, frames, first_byte })));
    }
    let read = body::read(body, limits.response_bytes_max, deadline).await;
    lane.metrics.upstream.observe(began.elapsed().as_secs_f64());
    let told = Told::new(lane, call.clone(), head, read, first_byte).await?;
    Ok(Came::Whole(Called::Told(Box::new(told))))
}

/// How an answer streams, if it does.
fn frames(lane: &Lane, call: &Call, answer: &Response<Incoming>) -> Option<Frames> {
    if answer.status().is_success() { lane.route.wire.frames(call, answer.headers()) } else { None }
}

impl Asked {
    pub(crate) async fn new(
        lane: Arc<Lane>,
        call: Call,
        head: request::Parts,
        read: Read,
        began: Moment,
    ) -> Result<Self, RecordError> {
        off_thread(work_bytes(&head.headers, &read), move || {
            let content = Content::new(&lane, read, &head.headers, lane.route.limits.request_bytes_max);
            let mut facts = lane.route.wire.request(&call, &head.headers, content.legible());
            facts.bound();
            let known = Known::of(&lane, &facts);
            Self { call, head, content, facts, known, began }
        })
        .await
    }
}

impl Told {
    pub(crate) async fn new(
        lane: Arc<Lane>,
        call: Call,
        head: response::Parts,
        read: Read,
        first_byte: Duration,
    ) -> Result<Self, RecordError> {
        off_thread(work_bytes(&head.headers, &read), move || {
            let trailers = read.trailers.clone();
            let bytes_max = lane.route.limits.response_bytes_max;
            let content = Content::new(&lane, read, &head.headers, bytes_max);
            let headers = with_trailers(&head.headers, trailers.as_ref());
            let readable = content.readable(&head.headers, bytes_max);
            let mut facts = lane.route.wire.response(&call, head.status, &headers, &readable);
            facts.bound();
            let is_stream = lane.route.wire.frames(&call, &head.headers).is_some();
            Self { head, content, facts, first_byte, trailers, is_stream, client_left: false }
        })
        .await
    }
}

impl Told {
    /// What its head and its trailers say.
    pub(crate) fn headers(&self) -> Cow<'_, HeaderMap> {
        with_trailers(&self.head.headers, self.trailers.as_ref())
    }

    /// How the upstream says that it went: in the words of HTTP, or of gRPC where the route speaks that. `None` where a gRPC
    /// call has no end yet, or came to none.
    pub(crate) fn status(&self, route: &Route) -> Option<u16> {
        match route.wire.is_grpc() {
            true => Some(Status::of(&self.headers())?.code),
            false => Some(self.head.status.as_u16()),
        }
    }
}

fn with_trailers<'a>(headers: &'a HeaderMap, trailers: Option<&HeaderMap>) -> Cow<'a, HeaderMap> {
    let Some(trailers) = trailers else { return Cow::Borrowed(headers) };
    let mut all = headers.clone();
    all.extend(trailers.clone());
    Cow::Owned(all)
}

impl Content {
    fn new(lane: &Lane, read: Read, headers: &HeaderMap, bytes_max: usize) -> Self {
        if lane.route.wire.is_grpc() && is_grpc(headers) {
            return grpc::content(read, headers, bytes_max);
        }
        let decoded = decode(headers, &read.bytes, bytes_max);
        Self { raw: read.bytes, end: read.end, decoded }
    }

    /// What can be read of it, though its coding breaks or breaks off: what its client could read as well.
    fn readable(&self, headers: &HeaderMap, bytes_max: usize) -> Bytes {
        let prefix = || decode_prefix(headers, &self.raw, bytes_max);
        let broken = self.decoded.as_ref().err().map(|_| prefix()).filter(|prefix| !prefix.is_empty());
        broken.unwrap_or_else(|| self.legible().clone())
    }

    /// What can be read best.
    pub(crate) fn legible(&self) -> &Bytes {
        self.decoded.as_ref().unwrap_or(&self.raw)
    }
}

/// How many bytes of a body are to be worked on: of one in a coding nobody knows before.
fn work_bytes(headers: &HeaderMap, read: &Read) -> usize {
    if headers.contains_key(CONTENT_ENCODING) { usize::MAX } else { read.bytes.len() }
}

/// Does work on so many bytes where it holds up nobody.
async fn off_thread<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, RecordError> {
    if bytes <= READ_INLINE_BYTES_MAX { Ok(work()) } else { Ok(tokio::task::spawn_blocking(work).await?) }
}
