//! Whether an answer that was released got away: what can be known of it on this side of the network.
//!
//! hyper takes an answer's bytes from its body, writes them to the connection and flushes it. An answer counts as delivered
//! once a flush succeeded after its last byte was taken: the kernel has it then. One whose body is dropped before, or whose
//! connection ends before the flush, was not delivered, and its decision gets a later `decision.closed` that says so.

use crate::gateway::step::Step;
use crate::gateway::{Inner, Lane};
use crate::recorder::{NewEvent, Recorded, closed};
use bytes::Bytes;
use http_body_util::{Full, Limited};
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
            if let Err(error) = recorded.add(vec![event]).await {
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
#[derive(Default)]
pub(crate) struct Outbox(Mutex<Vec<Release>>);

impl Outbox {
    fn push(&self, release: Release) {
        self.0.lock().push(release);
    }

    fn flushed(&self) {
        std::mem::take(&mut *self.0.lock()).into_iter().for_each(Release::delivered);
    }
}

/// The body of an answer.
pub(crate) enum Reply {
    /// The gateway's own words.
    Whole(Full<Bytes>),
    /// Passed on as it comes.
    Stream(Limited<Incoming>),
    /// A decision's answer.
    Released(Full<Bytes>, Option<(Release, Arc<Outbox>)>),
    /// A decision's answer that is passed on while it comes.
    Live(mpsc::Receiver<Piece>, Arc<Outbox>, bool),
}

/// A piece of an answer on its way to the client.
pub(crate) enum Piece {
    /// Bytes.
    Data(Bytes),
    /// The last bytes, if any, of an answer that is recorded.
    Last(Bytes, Option<Release>),
    /// No more: the answer broke off.
    Cut,
}

impl Reply {
    pub(crate) fn whole(text: impl Into<Bytes>) -> Self {
        Self::Whole(Full::new(text.into()))
    }

    /// A decision's answer that comes piece by piece, whose delivery is watched on its connection.
    pub(crate) fn live(pieces: mpsc::Receiver<Piece>, outbox: Arc<Outbox>) -> Self {
        Self::Live(pieces, outbox, false)
    }

    /// A decision's answer, whose delivery is watched on its connection.
    pub(crate) fn released(body: Bytes, release: Option<Release>, outbox: Arc<Outbox>) -> Self {
        let Some(release) = release else { return Self::whole(body) };
        if body.is_empty() {
            // Nothing will be taken from the body: the head is all there is to flush.
            outbox.push(release);
            return Self::Released(Full::new(body), None);
        }
        Self::Released(Full::new(body), Some((release, outbox)))
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
        match self.get_mut() {
            Self::Whole(body) => pin!(body).poll_frame(cx).map_err(|never| match never {}),
            Self::Stream(body) => pin!(body).poll_frame(cx),
            Self::Released(body, release) => {
                let frame = pin!(body).poll_frame(cx).map_err(|never| match never {});
                if let Some((release, outbox)) = release.take() {
                    outbox.push(release);
                }
                frame
            }
            Self::Live(pieces, outbox, is_over) => {
                if *is_over {
                    return Poll::Ready(None);
                }
                match std::task::ready!(pieces.poll_recv(cx)) {
                    Some(Piece::Data(bytes)) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                    Some(Piece::Last(bytes, release)) => {
                        *is_over = true;
                        release.into_iter().for_each(|release| outbox.push(release));
                        Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
                    }
                    Some(Piece::Cut) | None => Poll::Ready(Some(Err("the answer broke off".into()))),
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) | Self::Released(body, _) => body.is_end_stream(),
            Self::Stream(body) => body.is_end_stream(),
            Self::Live(_, _, is_over) => *is_over,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) | Self::Released(body, _) => body.size_hint(),
            Self::Stream(body) => body.size_hint(),
            Self::Live(..) => SizeHint::default(),
        }
    }
}

/// A connection that tells its outbox of every flush. Dropped with its outbox, it leaves what was not flushed undelivered.
pub(crate) struct Watched {
    io: TokioIo<TcpStream>,
    outbox: Arc<Outbox>,
}

impl Watched {
    pub(crate) fn new(stream: TcpStream, outbox: Arc<Outbox>) -> Self {
        Self { io: TokioIo::new(stream), outbox }
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
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.outbox.flushed();
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
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}
