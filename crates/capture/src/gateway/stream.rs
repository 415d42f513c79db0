//! An answer that is passed on while it comes.
//!
//! Every piece of a stream leaves when it is whole; what ends the stream is withheld until the record of all of it is durable.
//! A client that got the end of its answer can therefore be sure of the record, and one whose record failed sees its stream
//! cut off. From time to time what was passed on is recorded on the way ([`Journal`]), so that a crash leaves it.

use crate::body::{End as BodyEnd, Read};
use crate::decode::Decoder;
use crate::gateway::call::{Asked, Called, Live, Moment, Told};
use crate::gateway::delivery::{Piece, Release, Reply, Way};
use crate::gateway::keeping::Keeping;
use crate::gateway::step::Step;
use crate::gateway::verdict::Verdict;
use crate::gateway::{Inner, Lane, describe};
use crate::headers;
use crate::recorder::RecordError;
use crate::wire::Frames;
use bytes::{Bytes, BytesMut};
use http::{Response, header, response};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

/// Pieces on their way to a client at one time: a slow client slows the model down, as it would without a gateway.
const PIECES_WAITING_MAX: usize = 16;
/// How long the end of the body is waited for after the stream's own terminator, where the head does not say where it is.
const END_TIME_MAX: Duration = Duration::from_secs(1);

/// What passes an answer on.
pub(crate) struct Relay {
    pub(crate) gateway: Arc<Inner>,
    pub(crate) lane: Arc<Lane>,
    pub(crate) way: Way,
    pub(crate) keeping: Keeping,
    pub(crate) asked: Asked,
    pub(crate) step: Step,
    pub(crate) called_at: Moment,
}

impl Relay {
    /// Answers with the head; the body follows from a task of its own.
    pub(crate) fn start(self, live: Live) -> Response<Reply> {
        let Live { head, body, frames, first_byte } = live;
        let mut answered = head.clone();
        headers::strip_hop_by_hop(&mut answered.headers);
        answered.version = http::Version::HTTP_11;
        let (pieces, receiver) = mpsc::channel(PIECES_WAITING_MAX);
        let reply = Reply::live(receiver, self.way.clone());
        let (tasks, runtime) = (self.gateway.tasks.clone(), self.gateway.runtime.clone());
        let passage = Passage::new(&head, &body, frames, self.lane.route.limits.response_bytes_max);
        tasks.spawn_on(self.run(head, body, first_byte, passage, pieces), &runtime);
        Response::from_parts(answered, reply)
    }

    async fn run(
        mut self,
        head: response::Parts,
        mut body: Incoming,
        first_byte: Duration,
        mut passage: Passage,
        pieces: mpsc::Sender<Piece>,
    ) {
        let mut journal = Journal::new(self.lane.route.limits.journal_period);
        let end = self.pass(&mut body, &mut passage, &mut journal, &pieces).await;
        // The model need not go on for nobody.
        drop(body);
        if let Ended::NotRecorded(error) = &end {
            return self.cut(error);
        }
        self.lane.metrics.upstream.observe(self.called_at.elapsed().as_secs_f64());
        let read = Read::new(passage.all.split().freeze(), end.of_body());
        let told = Told::new(self.lane.clone(), self.asked.call.clone(), head, read, first_byte).await;
        let mut told = match told {
            Ok(told) => told,
            Err(error) => return self.cut(&error),
        };
        told.client_left = matches!(end, Ended::ClientLeft);
        let called = Called::Told(Box::new(told));
        let verdict = Verdict::of_call(&called);
        let rest = describe::rest(&self.lane, &self.asked, &called, &verdict, self.called_at, &self.step);
        let events = match rest {
            Ok(events) => events,
            Err(error) => return self.cut(&error),
        };
        let waits = Instant::now();
        let kept = self.keeping.finish(events).await;
        self.lane.metrics.record.observe(waits.elapsed().as_secs_f64());
        self.lane.metrics.request.observe(self.asked.began.elapsed().as_secs_f64());
        let recorded = match kept {
            Ok(recorded) => recorded,
            Err(error) => return self.cut(&error),
        };
        if recorded.is_some() {
            self.step.ended(&self.lane, &called, &verdict, self.called_at);
        }
        self.lane.metrics.count(verdict.counted());
        let release = recorded
            .map(|recorded| Release::new(self.gateway.clone(), self.lane.clone(), recorded, &self.step));
        let patience = self.lane.route.limits.answer_time_max;
        // The exchange is over, however long its client takes.
        drop(self);
        let last = if end.of_body() == BodyEnd::Complete {
            Piece::Last(passage.held(), None, release)
        } else {
            // What the client lacks of an answer that broke off is not delivered; its record says how it ended already.
            release.into_iter().for_each(Release::delivered);
            Piece::Data(passage.held())
        };
        let _ = timeout(patience, pieces.send(last)).await;
    }

    /// Passes on what may leave, until the body or the client's patience ends.
    async fn pass(
        &mut self,
        body: &mut Incoming,
        passage: &mut Passage,
        journal: &mut Journal,
        pieces: &mpsc::Sender<Piece>,
    ) -> Ended {
        let idle_time_max = self.lane.route.limits.answer_time_max;
        let mut deadline = Instant::now() + idle_time_max;
        loop {
            if passage.is_over() && deadline <= Instant::now() {
                return Ended::Body(BodyEnd::Complete);
            }
            let frame = tokio::select! {
                biased;
                frame = timeout_at(deadline, body.frame()) => frame,
                () = pieces.closed() => return Ended::ClientLeft,
                () = sleep_until(journal.due_at()), if journal.has_more(passage) => {
                    match self.journal(journal, passage).await {
                        Ok(()) => continue,
                        Err(error) => return Ended::NotRecorded(error),
                    }
                }
            };
            let chunk = match frame {
                Err(_) if passage.is_over() => continue,
                Err(_) => return Ended::Body(BodyEnd::TimedOut),
                Ok(None) => return Ended::Body(BodyEnd::Complete),
                Ok(Some(Err(_))) if passage.is_over() => return Ended::Body(BodyEnd::Complete),
                Ok(Some(Err(_))) => return Ended::Body(BodyEnd::Aborted),
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(chunk) => chunk,
                    Err(_) => continue,
                },
            };
            let was_over = passage.is_over();
            if let Err(bytes_min) = passage.take(chunk) {
                return Ended::Body(BodyEnd::OverLimit { bytes_min });
            }
            while let Some(piece) = passage.next() {
                if let Err(end) = self.hand_over(piece, passage, journal, pieces).await {
                    return end;
                }
            }
            if journal.has_more(passage)
                && journal.due_at() <= Instant::now()
                && let Err(error) = self.journal(journal, passage).await
            {
                return Ended::NotRecorded(error);
            }
            if body.is_end_stream() {
                return Ended::Body(BodyEnd::Complete);
            }
            if !passage.is_over() {
                deadline = Instant::now() + idle_time_max;
            } else if !was_over {
                deadline = Instant::now() + END_TIME_MAX.min(idle_time_max);
            }
        }
    }

    /// Gives the client a piece when it has taken earlier ones. One that takes nothing for as long as the upstream may be silent
    /// has left.
    async fn hand_over(
        &mut self,
        piece: Bytes,
        passage: &Passage,
        journal: &mut Journal,
        pieces: &mpsc::Sender<Piece>,
    ) -> Result<(), Ended> {
        let Err(TrySendError::Full(piece)) = pieces.try_send(Piece::Data(piece)) else { return Ok(()) };
        let deadline = Instant::now() + self.lane.route.limits.answer_time_max;
        loop {
            tokio::select! {
                biased;
                room = pieces.reserve() => {
                    room.map_err(|_| Ended::ClientLeft)?.send(piece);
                    return Ok(());
                }
                () = sleep_until(deadline) => return Err(Ended::ClientLeft),
                () = sleep_until(journal.due_at()), if journal.has_more(passage) => {
                    self.journal(journal, passage).await.map_err(Ended::NotRecorded)?;
                }
            }
        }
    }

    async fn journal(&mut self, journal: &mut Journal, passage: &Passage) -> Result<(), RecordError> {
        let piece = journal.take(passage);
        let event = describe::piece(&self.lane.route, &self.step, journal.part, piece, !passage.is_coded);
        self.keeping.note(vec![event]).await
    }

    /// Ends a stream whose record failed: without its terminator, for nothing more is sent.
    fn cut(self, error: &RecordError) {
        self.lane.metrics.count(crate::gateway::metrics::End::NotRecorded);
        let decision = self.keeping.id();
        tracing::error!(route = %self.lane.route.name, ?decision, %error, "a streamed answer could not be recorded and was cut off");
    }
}

/// How passing on ended.
enum Ended {
    Body(BodyEnd),
    ClientLeft,
    NotRecorded(RecordError),
}

impl Ended {
    fn of_body(&self) -> BodyEnd {
        match self {
            Self::Body(end) => *end,
            Self::ClientLeft | Self::NotRecorded(_) => BodyEnd::Aborted,
        }
    }
}

/// A body that passes: all of it for the record, and the part of it that may not leave yet.
struct Passage {
    all: BytesMut,
    held: VecDeque<Bytes>,
    /// Bytes that left.
    sent: usize,
    /// Bytes that may leave, from the first.
    free: usize,
    frames: Frames,
    decoder: Option<Decoder>,
    is_coded: bool,
    /// Of a coded body the chunks that may not leave yet: where each ends, as it came and decoded.
    coded: VecDeque<(usize, usize)>,
    /// Bytes that were decoded.
    decoded: usize,
    bytes_max: usize,
    /// Where the head says how long the body is: the client knows by the last byte that it is whole.
    length: Option<usize>,
}

impl Passage {
    fn new(head: &response::Parts, body: &Incoming, frames: Frames, bytes_max: usize) -> Self {
        // What cannot be decoded passes as it comes; its record keeps the bytes.
        let decoder = Decoder::new(&head.headers, bytes_max).ok().flatten();
        let is_coded = head.headers.contains_key(header::CONTENT_ENCODING);
        let length = body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
        let (all, held, coded) = (BytesMut::new(), VecDeque::new(), VecDeque::new());
        let (sent, free, decoded) = (0, 0, 0);
        Self { all, held, sent, free, frames, decoder, is_coded, coded, decoded, bytes_max, length }
    }

    /// Takes what came; the length that is too much where it is too much.
    fn take(&mut self, chunk: Bytes) -> Result<(), u64> {
        let len = self.all.len() + chunk.len();
        if len > self.bytes_max {
            return Err(len as u64);
        }
        if self.is_coded {
            self.decode(&chunk, len);
        } else {
            self.frames.push(&chunk);
            self.free = self.frames.free();
        }
        self.all.extend_from_slice(&chunk);
        self.held.push_back(chunk);
        if let Some(length) = self.length {
            self.free = self.free.min(length.saturating_sub(1));
        }
        Ok(())
    }

    /// Follows what a chunk of a coded body holds, whose end is at `len`. A chunk may leave when the pieces that end in it and
    /// the one that begins there are whole: part of a terminator may be read as all of it.
    fn decode(&mut self, chunk: &[u8], len: usize) {
        match self.decoder.as_mut().map(|decoder| decoder.push(chunk)) {
            Some(Ok(decoded)) => {
                self.frames.push(&decoded);
                self.decoded += decoded.len();
                self.coded.push_back((len, self.decoded));
                while let Some((end, _)) =
                    self.coded.front().filter(|(_, decoded)| *decoded <= self.frames.free())
                {
                    self.free = *end;
                    self.coded.pop_front();
                }
            }
            // What cannot be read passes, unless its terminator was read before.
            Some(Err(_)) | None if !self.frames.is_over() => {
                self.decoder = None;
                self.free = len;
            }
            Some(Err(_)) | None => {}
        }
    }

    /// Whether nothing more need come.
    fn is_over(&self) -> bool {
        self.frames.is_over() && self.length.is_none()
    }

    /// The next bytes that may leave.
    fn next(&mut self) -> Option<Bytes> {
        let room = self.free.checked_sub(self.sent).filter(|room| *room > 0)?;
        let first = self.held.front_mut()?;
        let piece = if first.len() <= room { self.held.pop_front()? } else { first.split_to(room) };
        self.sent += piece.len();
        Some(piece)
    }

    /// All that did not leave.
    fn held(&mut self) -> Bytes {
        if self.held.len() == 1 {
            return self.held.pop_front().unwrap_or_default();
        }
        let mut rest = BytesMut::new();
        self.held.drain(..).for_each(|chunk| rest.extend_from_slice(&chunk));
        rest.freeze()
    }
}

/// What of a stream was recorded on the way.
struct Journal {
    period: Duration,
    last: Instant,
    /// Bytes in the pieces recorded so far.
    bytes: usize,
    part: u32,
}

impl Journal {
    fn new(period: Duration) -> Self {
        Self { period, last: Instant::now(), bytes: 0, part: 0 }
    }

    fn has_more(&self, passage: &Passage) -> bool {
        passage.sent > self.bytes
    }

    fn due_at(&self) -> Instant {
        self.last + self.period
    }

    fn take(&mut self, passage: &Passage) -> Bytes {
        let piece = Bytes::copy_from_slice(&passage.all[self.bytes..passage.sent]);
        self.bytes = passage.sent;
        self.last = Instant::now();
        self.part += 1;
        piece
    }
}
