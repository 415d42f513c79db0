//! Whether an answer that was released got away: what can be known of it on this side of the network.
//!
//! hyper takes an answer's bytes from its body, writes them to the connection and flushes it. An answer counts as delivered
//! once a flush succeeded after its last byte was taken: the kernel has it then. One whose body is dropped before, or whose
//! connection ends before the flush, was not delivered, and its decision gets a later `decision.closed` that says so.
//!
//! In HTTP/2 the client's window stands between: what was taken may wait for it, and one flush may serve other streams. There
//! the last byte is a piece of its own, which is taken only when all before it has room in the window, and the end another
//! one after it; and what was taken counts as written only after a flush that had nothing left to write.

use crate::gateway::step::Step;
use crate::gateway::{Inner, Lane};
use crate::recorder::{NewEvent, Recorded, closed};
use bytes::Bytes;
use http::{HeaderMap, Version};
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_util::rt::TokioIo;
use inferlog_record::Id;
use inferlog_record::body::{Delivery, ExchangeEnd, Outcome};
use parking_lot::Mutex;
use std::error::Error;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// A released answer whose delivery is not known yet. Dropped, it was not delivered.
pub(crate) struct Release {
    gateway: Arc<Inner>,
    lane: Arc<Lane>,
    recorded: Option<Recorded>,
    /// The model call whose answer it is, where the decision goes on.
    goes_on: Option<Id>,
}

impl Release {
    pub(crate) fn new(gateway: Arc<Inner>, lane: Arc<Lane>, recorded: Recorded, step: &Step) -> Self {
        Self { gateway, lane, recorded: Some(recorded), goes_on: step.goes_on().then_some(step.inference) }
    }

    pub(crate) fn delivered(mut self) {
        self.recorded = None;
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        let Some(recorded) = self.recorded.take() else { return };
        let (lane, goes_on) = (self.lane.clone(), self.goes_on);
        lane.metrics.undelivered.inc();
        let add = async move {
            let event = undelivered(&lane, recorded.now(), goes_on);
            if let Err(error) = recorded.end(vec![event]).await {
                tracing::warn!(decision = %recorded.id(), %error, "an answer that was not delivered could not be recorded as such");
            }
        };
        // The runtime may be gone from this thread when the last connections are dropped.
        self.gateway.tasks.spawn_on(add, &self.gateway.runtime);
    }
}

/// The end of an answer that did not get away: of its decision, or of its delivery alone where the decision goes on.
fn undelivered(lane: &Lane, now: inferlog_record::Timestamp, goes_on: Option<Id>) -> NewEvent {
    let mut event = match goes_on {
        None => NewEvent::new(closed(Outcome::Aborted, ExchangeEnd::ClientAbort)),
        Some(_) => NewEvent::new(Delivery { end: Some(ExchangeEnd::ClientAbort), of: goes_on, part: None }),
    };
    event.capture = Some(super::describe::capture(&lane.route, None, 0));
    event.ended_at = Some(now);
    event
}

/// What one connection has released and not flushed.
pub(crate) struct Outbox {
    pending: Mutex<Vec<Pending>>,
}

struct Pending {
    release: Release,
    /// Whether anything was written since it was taken.
    is_written: bool,
    version: Version,
}

impl Outbox {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { pending: Mutex::default() })
    }

    fn push(&self, release: Release, version: Version) {
        self.pending.lock().push(Pending { release, is_written: false, version });
    }

    fn written(&self) {
        self.pending.lock().iter_mut().for_each(|pending| pending.is_written = true);
    }

    /// Lets go of what got away with a flush; `is_idle`: it had nothing to write. Whether something waits for such a one.
    fn flushed(&self, is_idle: bool) -> bool {
        let mut pending = self.pending.lock();
        let is_away = |one: &mut Pending| one.version < Version::HTTP_2 || (is_idle && one.is_written);
        let away: Vec<Pending> = pending.extract_if(.., is_away).collect();
        let waits = !is_idle && !pending.is_empty();
        drop(pending);
        away.into_iter().for_each(|one| one.release.delivered());
        waits
    }
}

/// The body of an answer.
pub(crate) enum Reply {
    /// The gateway's own words.
    Whole(Full<Bytes>),
    /// Passed on as it comes.
    Stream(Incoming),
    /// A decision's answer.
    Released(Tail),
    /// A decision's answer that is passed on while it comes, and its tail when that came.
    Live(mpsc::Receiver<Piece>, Way, Option<Tail>),
    /// A decision's answer of which no more will come.
    Cut,
}

/// The way to a client: its connection, and what is spoken on it.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) version: Version,
}

/// The last of an answer that is recorded: bytes, trailers, the end.
pub(crate) struct Tail {
    bytes: Bytes,
    trailers: Option<HeaderMap>,
    release: Option<(Release, Way)>,
}

impl Tail {
    fn new(bytes: Bytes, trailers: Option<HeaderMap>, release: Option<Release>, way: &Way) -> Self {
        Self { bytes, trailers, release: release.map(|release| (release, way.clone())) }
    }

    fn next(&mut self) -> Option<Frame<Bytes>> {
        let is_watched_h2 = self.release.as_ref().is_some_and(|(_, way)| way.version == Version::HTTP_2);
        if !self.bytes.is_empty() {
            let last =
                if is_watched_h2 && self.bytes.len() > 1 { self.bytes.len() - 1 } else { self.bytes.len() };
            let piece = self.bytes.split_to(last);
            if !is_watched_h2 && self.bytes.is_empty() {
                self.taken();
            }
            return Some(Frame::data(piece));
        }
        self.taken();
        self.trailers.take().map(Frame::trailers)
    }

    /// All is taken: what is left to know is whether it is flushed.
    fn taken(&mut self) {
        if let Some((release, way)) = self.release.take() {
            way.outbox.push(release, way.version);
        }
    }

    fn is_over(&self) -> bool {
        self.bytes.is_empty() && self.trailers.is_none() && self.release.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        // In front of trailers a length says nothing that the framing does not.
        if self.trailers.is_some() {
            SizeHint::default()
        } else {
            SizeHint::with_exact(self.bytes.len() as u64)
        }
    }
}

/// A piece of an answer on its way to the client.
pub(crate) enum Piece {
    /// Bytes.
    Data(Bytes),
    /// The last bytes, if any, and the trailers, if any, of an answer that is recorded. Where it does not come, the
    /// answer broke off.
    Last(Bytes, Option<HeaderMap>, Option<Release>),
}

impl Reply {
    pub(crate) fn whole(text: impl Into<Bytes>) -> Self {
        Self::Whole(Full::new(text.into()))
    }

    /// A decision's answer that comes piece by piece, whose delivery is watched on its connection.
    pub(crate) fn live(pieces: mpsc::Receiver<Piece>, way: Way) -> Self {
        Self::Live(pieces, way, None)
    }

    /// A decision's answer, whose delivery is watched on its connection.
    pub(crate) fn released(
        body: Bytes,
        trailers: Option<HeaderMap>,
        release: Option<Release>,
        way: &Way,
    ) -> Self {
        let mut tail = Tail::new(body, trailers, release, way);
        if tail.bytes.is_empty() && tail.trailers.is_none() {
            // Nothing will be taken from the body: the head is all there is to flush.
            tail.taken();
        }
        Self::Released(tail)
    }
}

type BoxError = Box<dyn Error + Send + Sync>;

impl Body for Reply {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let reply = self.get_mut();
        match reply {
            Self::Whole(body) => pin!(body).poll_frame(cx).map_err(|never| match never {}),
            Self::Stream(body) => pin!(body).poll_frame(cx).map_err(Into::into),
            Self::Released(tail) | Self::Live(_, _, Some(tail)) => Poll::Ready(tail.next().map(Ok)),
            Self::Live(pieces, way, over) => match std::task::ready!(pieces.poll_recv(cx)) {
                Some(Piece::Data(bytes)) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Piece::Last(bytes, trailers, release)) => {
                    let tail = over.insert(Tail::new(bytes, trailers, release, way));
                    Poll::Ready(tail.next().map(Ok))
                }
                None => {
                    *reply = Self::Cut;
                    // At an error hyper drops what it has not written, the head too: in a pause it flushes first.
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            },
            Self::Cut => Poll::Ready(Some(Err("the answer broke off".into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Stream(body) => body.is_end_stream(),
            Self::Released(tail) => tail.is_over(),
            Self::Live(_, _, over) => over.as_ref().is_some_and(Tail::is_over),
            Self::Cut => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Stream(body) => body.size_hint(),
            Self::Released(tail) => tail.size_hint(),
            Self::Live(..) | Self::Cut => SizeHint::default(),
        }
    }
}

/// A connection that tells its outbox of every flush. Dropped with its outbox, it leaves what was not flushed undelivered.
pub(crate) struct Watched {
    io: TokioIo<TcpStream>,
    outbox: Arc<Outbox>,
    /// Whether anything was written since the last flush.
    has_written: bool,
}

impl Watched {
    pub(crate) fn new(stream: TcpStream, outbox: Arc<Outbox>) -> Self {
        Self { io: TokioIo::new(stream), outbox, has_written: false }
    }

    fn written(&mut self, written: &Poll<io::Result<usize>>) {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.has_written = true;
            self.outbox.written();
        }
    }
}

impl hyper::rt::Read for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl hyper::rt::Write for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.written(&written);
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            let is_idle = !std::mem::take(&mut self.has_written);
            if self.outbox.flushed(is_idle) {
                // Polled again, the connection flushes again, and shows whether there is more to write.
                cx.waker().wake_by_ref();
            }
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.written(&written);
        written
    }
}
