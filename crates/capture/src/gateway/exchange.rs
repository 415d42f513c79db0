//! One decision, from its request's head to its answer's release.

use crate::body::{self, End as BodyEnd, Read};
use crate::decode::{DecodeError, decode};
use crate::gateway::delivery::{Outbox, Release, Reply};
use crate::gateway::describe;
use crate::gateway::metrics::End;
use crate::gateway::verdict::Verdict;
use crate::gateway::{Inner, Lane, answer, subject};
use crate::headers;
use crate::recorder::{Decision, NewEvent, RecordError};
use crate::route::{Limits, Opened};
use crate::upstream::{self, UpstreamError, whole};
use crate::wire::{Call, RequestFacts, ResponseFacts};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header, request, response};
use hyper::body::Incoming;
use inferlog_record::Timestamp;
use inferlog_record::body::Outcome;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// Bodies above this many bytes are decoded and read on other threads than those that serve requests.
const READ_INLINE_BYTES_MAX: usize = 256 << 10;

/// A point in time on both clocks: what is later by the steady one is never earlier in the record.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) at: Timestamp,
    steady: Instant,
}

impl Moment {
    fn now(lane: &Lane) -> Self {
        Self { at: lane.system.now(), steady: Instant::now() }
    }

    fn elapsed(&self) -> Duration {
        self.steady.elapsed()
    }

    /// The present, as a moment of the same two clocks: moments of one exchange keep their order.
    fn then(&self) -> Self {
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
    pub(crate) began: Moment,
}

/// What was answered, as far as it came.
pub(crate) struct Told {
    pub(crate) head: response::Parts,
    pub(crate) content: Content,
    pub(crate) facts: ResponseFacts,
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

/// A decision under way.
struct Exchange {
    gateway: Arc<Inner>,
    lane: Arc<Lane>,
    peer: SocketAddr,
    gone: oneshot::Receiver<()>,
    outbox: Arc<Outbox>,
}

impl Inner {
    /// Answers an inference. `gone` ends when the client does.
    pub(crate) async fn decide(
        self: Arc<Self>,
        lane: Arc<Lane>,
        call: Call,
        request: Request<Incoming>,
        peer: SocketAddr,
        gone: oneshot::Receiver<()>,
        outbox: Arc<Outbox>,
    ) -> Response<Reply> {
        let began = Moment::now(&lane);
        let exchange = Exchange { gateway: self, lane: lane.clone(), peer, gone, outbox };
        let (end, answer) = match exchange.run(call, request, began).await {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(route = %lane.route.name, %error, "a decision could not be recorded and was not answered");
                (End::NotRecorded, answer::not_recorded(&error))
            }
        };
        lane.metrics.count(end);
        let took = began.elapsed();
        lane.metrics.request.observe(took.as_secs_f64());
        let decision = answer.headers().get(answer::DECISION_ID);
        tracing::debug!(route = %lane.route.name, ?decision, ?end, status = answer.status().as_u16(), ?took, "a decision");
        answer
    }
}

impl Exchange {
    async fn run(
        mut self,
        call: Call,
        request: Request<Incoming>,
        began: Moment,
    ) -> Result<(End, Response<Reply>), RecordError> {
        let limits = self.lane.route.limits;
        let (head, body) = request.into_parts();
        let read = body::read(body, limits.request_bytes_max, began.steady + limits.request_time_max).await;
        let mut asked = Asked::new(self.lane.clone(), call, head, read, began).await?;
        let Ok(subjects) = self.subjects(&asked) else {
            let message = format!(
                "a request may name at most {} persons: send fewer rows at once",
                subject::SUBJECTS_MAX
            );
            return Ok((
                End::Refused,
                answer::error(StatusCode::UNPROCESSABLE_ENTITY, "too_many_subjects", &message),
            ));
        };
        let mut decision =
            self.lane.system.begin(describe::opening(&self.lane.route, &asked, subjects)).await?;
        if asked.content.end != BodyEnd::Complete {
            return self.refuse(decision, &asked).await;
        }
        if self.lane.route.opened == Opened::BeforeCall {
            decision.opened().await?;
        }
        let called_at = asked.began.then();
        let called = self.call(&mut decision, &mut asked, limits).await?;
        let verdict = Verdict::of_call(&called);
        let events = describe::rest(&self.lane.route, &asked, &called, &verdict, called_at);
        self.finish(decision, events, verdict, called).await
    }

    fn subjects(&self, asked: &Asked) -> Result<Vec<Bytes>, subject::TooMany> {
        let Some(from) = &self.lane.route.subject else { return Ok(Vec::new()) };
        let found = subject::find(from, &asked.head.headers, asked.content.legible())?;
        if found.is_empty() {
            self.lane.metrics.subjectless.inc();
        }
        Ok(found)
    }

    /// Ends a decision whose request never became whole.
    async fn refuse(
        self,
        mut decision: Decision,
        asked: &Asked,
    ) -> Result<(End, Response<Reply>), RecordError> {
        let verdict = Verdict::of_request(asked.content.end, &self.lane.route.limits);
        let events = vec![describe::refusal(&self.lane.route, &verdict, asked.began)];
        let recorded = decision.finish(events).await?;
        let mut answer = verdict.answer();
        answer::name(&mut answer, recorded.id());
        Ok((verdict.counted(), answer))
    }

    /// Calls the model while the opening becomes durable. Fails if the opening does: the call is broken off then.
    async fn call(
        &mut self,
        decision: &mut Decision,
        asked: &mut Asked,
        limits: Limits,
    ) -> Result<Called, RecordError> {
        let body = whole(asked.content.raw.clone());
        let Some(request) = upstream::request(&self.lane.route, &mut asked.head, self.peer.ip(), body) else {
            return Ok(Called::Failed(UpstreamError::Unreachable(
                "the path makes no valid address there".into(),
            )));
        };
        let lane = self.lane.clone();
        let called = async { Ok(call(lane, &asked.call, request, limits).await) };
        tokio::select! {
            biased;
            both = async { tokio::try_join!(decision.opened(), called) } => {
                let ((), called) = both?;
                called
            }
            _ = &mut self.gone => Ok(Called::ClientGone),
        }
    }

    async fn finish(
        mut self,
        mut decision: Decision,
        events: Vec<NewEvent>,
        verdict: Verdict,
        called: Called,
    ) -> Result<(End, Response<Reply>), RecordError> {
        let waits = Instant::now();
        let recorded = decision.finish(events).await?;
        self.lane.metrics.record.observe(waits.elapsed().as_secs_f64());
        let id = recorded.id();
        let mut answer = match called {
            Called::Told(told) if verdict.is_released => {
                let release = Release::new(self.gateway.clone(), self.lane.clone(), recorded);
                released(*told, release, self.outbox.clone())
            }
            _ => verdict.answer(),
        };
        answer::name(&mut answer, id);
        if self.gone.try_recv() != Err(oneshot::error::TryRecvError::Empty) {
            // Dropped here, an answer that was to be released says that it was not delivered.
            return Ok((End::Aborted, Response::new(Reply::whole(Bytes::new()))));
        }
        Ok((verdict.counted(), answer))
    }
}

impl Verdict {
    fn counted(&self) -> End {
        match self.outcome {
            Outcome::Answered => End::Answered,
            Outcome::Refused => End::Refused,
            Outcome::Aborted => End::Aborted,
            Outcome::Failed | Outcome::Interrupted => End::Failed,
        }
    }

    /// The gateway's own answer, where the model's is not released.
    fn answer(&self) -> Response<Reply> {
        let code = self.error.map_or(self.exchange.as_str(), |error| error.as_str());
        answer::error(self.status, code, &self.message)
    }
}

/// The model's answer as it came, but for what concerns its connection alone.
fn released(told: Told, release: Release, outbox: Arc<Outbox>) -> Response<Reply> {
    let Told { mut head, content, .. } = told;
    headers::strip_hop_by_hop(&mut head.headers);
    // The body says its own length; a length of another framing would be wrong.
    head.headers.remove(header::CONTENT_LENGTH);
    head.version = http::Version::HTTP_11;
    Response::from_parts(head, Reply::released(content.raw, release, outbox))
}

async fn call(
    lane: Arc<Lane>,
    call: &Call,
    request: Request<upstream::Body>,
    limits: Limits,
) -> Result<Called, RecordError> {
    let began = Instant::now();
    let deadline = began + limits.answer_time_max;
    let answer = match timeout_at(deadline, lane.client.send(request)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Ok(Called::Failed(error)),
        Err(_) => return Ok(Called::Failed(UpstreamError::TimedOut)),
    };
    let first_byte = began.elapsed();
    let (head, body) = answer.into_parts();
    let read = body::read(body, limits.response_bytes_max, deadline).await;
    lane.metrics.upstream.observe(began.elapsed().as_secs_f64());
    let told = Told::new(lane, call.clone(), head, read, first_byte).await?;
    Ok(Called::Told(Box::new(told)))
}

impl Asked {
    async fn new(
        lane: Arc<Lane>,
        call: Call,
        head: request::Parts,
        read: Read,
        began: Moment,
    ) -> Result<Self, RecordError> {
        off_thread(read.bytes.len(), move || {
            let content = Content::new(read, &head.headers, lane.route.limits.request_bytes_max);
            let facts = lane.route.wire.request(&call, &head.headers, content.legible());
            Self { call, head, content, facts, began }
        })
        .await
    }
}

impl Told {
    async fn new(
        lane: Arc<Lane>,
        call: Call,
        head: response::Parts,
        read: Read,
        first_byte: Duration,
    ) -> Result<Self, RecordError> {
        off_thread(read.bytes.len(), move || {
            let content = Content::new(read, &head.headers, lane.route.limits.response_bytes_max);
            let facts = lane.route.wire.response(&call, head.status, &head.headers, content.legible());
            Self { head, content, facts, first_byte }
        })
        .await
    }
}

impl Content {
    fn new(read: Read, headers: &HeaderMap, bytes_max: usize) -> Self {
        let decoded = decode(headers, &read.bytes, bytes_max);
        Self { raw: read.bytes, end: read.end, decoded }
    }

    /// What can be read best.
    pub(crate) fn legible(&self) -> &Bytes {
        self.decoded.as_ref().unwrap_or(&self.raw)
    }
}

/// Does work on so many bytes where it holds up nobody.
async fn off_thread<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, RecordError> {
    if bytes <= READ_INLINE_BYTES_MAX { Ok(work()) } else { Ok(tokio::task::spawn_blocking(work).await?) }
}
