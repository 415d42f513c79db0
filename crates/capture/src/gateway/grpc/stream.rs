//! A stream of calls (`ModelStreamInfer`): one decision, as long as it lasts.
//!
//! The first request message begins the decision, each further one joins it, and each goes upstream at once. An answer is
//! recorded as the inference of its request and passed on when that record is durable. The trailers follow when the end of
//! the decision is durable. Both halves run beside each other, with the open requests between them ([`Turns`]).

use super::client::Client;
use super::end::refused;
use super::source::{Broken, Source};
use super::trailers;
use super::turns::{Turn, Turns, asked};
use crate::body::End as BodyEnd;
use crate::gateway::call::{Called, Content, Moment, Told};
use crate::gateway::delivery::{Piece, Reply};
use crate::gateway::exchange::Exchange;
use crate::gateway::keeping::Keeping;
use crate::gateway::metrics::End;
use crate::gateway::step::{self, Step};
use crate::gateway::subject::SUBJECTS_MAX;
use crate::gateway::verdict::Verdict;
use crate::gateway::{Lane, describe};
use crate::recorder::{Ongoing, RecordError, Recorded};
use crate::route::Opened;
use crate::upstream::{self, Body, UpstreamError};
use crate::wire::grpc::{GRPC_STATUS, Message, is_grpc};
use crate::wire::{self, Call, ResponseFacts};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, request, response};
use http_body_util::Either;
use http_body_util::channel::{Channel, Sender};
use hyper::body::Incoming;
use inferlog_record::Id;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

/// Messages on their way to either side at one time: a slow one slows the other down, as it would without a gateway.
const MESSAGES_WAITING_MAX: usize = 1;

impl Exchange {
    /// Answers a stream. What follows the head of the answer comes from a task of its own.
    pub(crate) async fn converse(self, call: Call, request: Request<Incoming>) -> Response<Reply> {
        let (answer, answered) = oneshot::channel();
        let (tasks, runtime, lane) =
            (self.gateway.tasks.clone(), self.gateway.runtime.clone(), self.lane.clone());
        tasks.spawn_on(self.run_stream(call, request, answer), &runtime);
        let broken = |_| lane.error(StatusCode::INTERNAL_SERVER_ERROR, "broken", "the gateway broke off");
        answered.await.unwrap_or_else(broken)
    }

    async fn run_stream(
        mut self,
        call: Call,
        request: Request<Incoming>,
        answer: oneshot::Sender<Response<Reply>>,
    ) {
        let lane = self.lane.clone();
        let (head, body) = request.into_parts();
        let mut source = Source::new(body, lane.route.limits.request_bytes_max);
        let first = tokio::select! {
            first = source.next() => first,
            // It left before it asked anything.
            _ = &mut self.gone => return,
        };
        let first = match first {
            Ok(Some(first)) => first,
            Ok(None) => {
                // Nothing was asked.
                lane.metrics.count(End::Control);
                let _ = answer.send(super::ended(trailers(0, "")));
                return;
            }
            Err(broken) => {
                let verdict = refused(broken, &lane);
                lane.metrics.count(End::Refused);
                let _ = answer.send(lane.error(verdict.status, "", &verdict.message));
                return;
            }
        };
        let began = Moment::now(&lane);
        match self.begin_stream(call, head, &first, began).await {
            Ok((stream, request)) => stream.run(source, first, request, self, answer).await,
            Err(refusal) => {
                let _ = answer.send(*refusal);
            }
        }
    }

    /// Begins the decision with the first message.
    async fn begin_stream(
        &self,
        call: Call,
        head: request::Parts,
        first: &Message,
        began: Moment,
    ) -> Result<(Stream, request::Parts), Box<Response<Reply>>> {
        let lane = &self.lane;
        let asked = asked(lane, &call, head.clone(), &head.headers, first, began);
        let Ok(subjects) = self.subjects(&asked) else {
            lane.metrics.count(End::Refused);
            let message =
                format!("a request may name at most {SUBJECTS_MAX} persons: send fewer rows at once");
            return Err(lane.error(StatusCode::UNPROCESSABLE_ENTITY, "too_many_subjects", &message).into());
        };
        let begun = async {
            let mut step = Step::new(lane, step::ends(&asked))?;
            let mut keeping = self.begin(&asked, subjects, &mut step, true).await?;
            if lane.route.opened == Opened::BeforeCall {
                keeping.opened().await?;
            }
            let first = step.first(lane)?;
            Ok::<_, RecordError>((step, first, keeping))
        };
        let (step, first, mut keeping) = begun.await.map_err(|error| {
            let is_refused = matches!(error, RecordError::Biometric(_));
            lane.metrics.count(if is_refused { End::Refused } else { End::NotRecorded });
            if !is_refused {
                tracing::error!(route = %lane.route.name, %error, "a stream could not be recorded and was not answered");
            }
            Box::new(lane.not_recorded(&error))
        })?;
        let ongoing = match step.thread() {
            Some(thread) => Some(thread.ongoing.clone()),
            None => keeping.share(),
        };
        let turns = Turns::default();
        turns.add(Turn::new(asked, first, keeping));
        let stream = Stream {
            lane: lane.clone(),
            call,
            uri: head.uri.clone(),
            sent: head.headers.clone(),
            ongoing,
            turns,
            began,
            step,
            is_opened: AtomicBool::new(false),
        };
        Ok((stream, head))
    }
}

/// A stream under way.
pub(super) struct Stream {
    pub(super) lane: Arc<Lane>,
    pub(super) call: Call,
    /// Address and headers of the request.
    uri: Uri,
    sent: HeaderMap,
    /// The decision; none where it is counted instead.
    pub(super) ongoing: Option<Ongoing>,
    pub(super) turns: Turns,
    pub(super) began: Moment,
    /// Its place in its decision.
    pub(super) step: Step,
    /// Whether the opening is durable.
    pub(super) is_opened: AtomicBool,
}

/// How a stream ended.
pub(super) enum Ended {
    /// The upstream ended it, with these trailers, if with any.
    Whole(Option<HeaderMap>),
    /// The upstream gave no answer, or broke off.
    Failed(UpstreamError),
    /// An answer is longer than allowed.
    OverLimit { bytes_min: u64 },
    /// The client left.
    ClientLeft,
    /// What the client sends is too long, or no message.
    Refused(Broken),
    /// The record failed.
    NotRecorded(RecordError),
}

impl Stream {
    async fn run(
        self,
        source: Source,
        first: Message,
        head: request::Parts,
        exchange: Exchange,
        answer: oneshot::Sender<Response<Reply>>,
    ) {
        let mut client = Client { exchange, answer: Some(answer), pieces: None, head: None, last: None };
        let (to, body) = Channel::new(MESSAGES_WAITING_MAX);
        let ended = {
            let mut up = Box::pin(self.up(source, first, to));
            let mut down = Box::pin(self.down(head, body, &mut client));
            let mut is_up = true;
            loop {
                tokio::select! {
                    biased;
                    ended = &mut down => break ended,
                    sent = &mut up, if is_up => match sent {
                        Ok(()) => is_up = false,
                        Err(ended) => break ended,
                    },
                }
            }
        };
        self.end(ended, client).await;
    }

    /// The client's half: records each request and sends it on.
    async fn up(&self, mut source: Source, first: Message, mut to: Sender<Bytes>) -> Result<(), Ended> {
        let mut message = first;
        loop {
            if to.send_data(message.framed).await.is_err() {
                // The upstream takes no more: what it answers says why.
                return Ok(());
            }
            self.turns.room().await;
            message = match source.next().await {
                Ok(Some(message)) => message,
                Ok(None) => return Ok(()),
                Err(Broken::Off) => return Err(Ended::ClientLeft),
                Err(broken) => return Err(Ended::Refused(broken)),
            };
            let turn = self.join(&message).await.map_err(Ended::NotRecorded)?;
            self.turns.add(turn);
        }
    }

    async fn join(&self, message: &Message) -> Result<Turn, RecordError> {
        let (mut head, ()) = Request::new(()).into_parts();
        (head.method, head.uri) = (Method::POST, self.uri.clone());
        let content_type = self.sent.get(CONTENT_TYPE).cloned();
        head.headers.extend(content_type.map(|value| (CONTENT_TYPE, value)));
        let asked = asked(&self.lane, &self.call, head, &self.sent, message, self.began.then());
        let mut step = Step::new(&self.lane, false)?;
        step.admitted();
        let joined = describe::joined(&self.lane.route, &asked, &step);
        let mut keeping = match &self.ongoing {
            Some(ongoing) => Keeping::join(&self.lane, ongoing, vec![joined]).await?,
            None => Keeping::counted(&self.lane),
        };
        if self.lane.route.opened == Opened::BeforeCall {
            keeping.opened().await?;
        }
        Ok(Turn::new(asked, step, keeping))
    }

    /// The upstream's half: records each answer and passes it on.
    async fn down(&self, mut head: request::Parts, body: Channel<Bytes>, client: &mut Client) -> Ended {
        let route = &self.lane.route;
        let body: Body = Either::Right(Either::Right(body));
        let Some(request) = upstream::request(route, &mut head, client.exchange.peer.ip(), body) else {
            let why = "the path makes no valid address there".to_owned();
            return Ended::Failed(UpstreamError::Unreachable(why));
        };
        let came = tokio::select! {
            came = timeout(route.limits.answer_time_max, self.lane.client.send(request)) => came,
            _ = &mut client.exchange.gone => return Ended::ClientLeft,
        };
        let (head, body) = match came {
            Ok(Ok(came)) => came.into_parts(),
            Ok(Err(error)) => return Ended::Failed(error),
            Err(_) => return Ended::Failed(UpstreamError::TimedOut),
        };
        let is_stream = head.status.is_success() && is_grpc(&head.headers);
        let is_over = head.headers.contains_key(GRPC_STATUS);
        client.head = Some(head);
        if !is_stream || is_over {
            return Ended::Whole(None);
        }
        let mut source = Source::new(body, route.limits.response_bytes_max);
        if let Err(error) = self.answer_head(client).await {
            return Ended::NotRecorded(error);
        }
        let mut last = Instant::now();
        loop {
            let message = match self.next(&mut source, client, last).await {
                Ok(Some(message)) => message,
                Ok(None) => return Ended::Whole(source.trailers),
                Err(ended) => return ended,
            };
            last = Instant::now();
            if let Err(ended) = self.pass(message, client).await {
                return ended;
            }
        }
    }

    /// The decision's id.
    pub(super) fn id(&self) -> Option<Id> {
        self.ongoing.as_ref().map(Ongoing::id)
    }

    /// Answers with the head, once the opening is durable.
    async fn answer_head(&self, client: &mut Client) -> Result<(), RecordError> {
        if let Some(mut turn) = self.turns.take_open() {
            let opened = turn.keeping.opened().await;
            self.turns.put(turn);
            opened?;
            self.is_opened.store(true, Ordering::Release);
        }
        let (pieces, receiver) = mpsc::channel(MESSAGES_WAITING_MAX);
        let reply = Reply::live(receiver, client.exchange.way.clone());
        client.respond(reply, self.id());
        client.pieces = Some(pieces);
        Ok(())
    }

    /// The upstream's next message, in time, as long as the client is there.
    async fn next(
        &self,
        source: &mut Source,
        client: &Client,
        last: Instant,
    ) -> Result<Option<Message>, Ended> {
        let time_max = self.lane.route.limits.answer_time_max;
        loop {
            // Nobody has to answer where nothing is asked.
            let since = self.turns.waits_since().map(|since| since.max(last));
            let until = since.unwrap_or_else(Instant::now) + time_max;
            tokio::select! {
                biased;
                message = source.next() => return message.map_err(|broken| match broken {
                    Broken::Off => Ended::Failed(UpstreamError::Aborted("in the middle of a stream".into())),
                    Broken::OverLimit { bytes_min } => Ended::OverLimit { bytes_min },
                }),
                () = client.left() => return Err(Ended::ClientLeft),
                () = sleep_until(until) => {
                    if self.turns.waits_since().is_some_and(|since| since.max(last) + time_max <= Instant::now()) {
                        return Err(Ended::Failed(UpstreamError::TimedOut));
                    }
                }
            }
        }
    }

    /// Records an answer, and passes it on.
    async fn pass(&self, message: Message, client: &mut Client) -> Result<(), Ended> {
        let framed = message.framed.clone();
        self.record(message, client).await.map_err(Ended::NotRecorded)?;
        let Some(pieces) = &client.pieces else { return Err(Ended::ClientLeft) };
        // A client that takes nothing for as long as the upstream may be silent has left.
        let sent = timeout(self.lane.route.limits.answer_time_max, pieces.send(Piece::Data(framed))).await;
        sent.ok().and_then(Result::ok).ok_or(Ended::ClientLeft)
    }

    async fn record(&self, message: Message, client: &mut Client) -> Result<(), RecordError> {
        // Neither can be: an answer has a head, and the stream began with a request. What is not recorded does not pass all the same.
        let unasked = || RecordError::Invalid("an answer came that no request asked for".to_owned());
        let head = client.head.as_ref().ok_or_else(unasked)?;
        let bytes_max = self.lane.route.limits.response_bytes_max;
        let decoded = message.content(&head.headers, bytes_max);
        let content = Content { raw: message.framed, end: BodyEnd::Complete, decoded };
        let facts = wire::streamed(&self.call, content.legible());
        let mut turn = self.turns.take(facts.id.as_deref()).ok_or_else(unasked)?;
        if turn.answers > 0 {
            turn.step.inference = self.lane.mint()?;
        }
        let told = self.told(head, content, facts, turn.called_at.elapsed());
        let recorded = self.inference(&mut turn, &told).await;
        client.last = Some(turn.step.inference);
        self.turns.put(turn);
        recorded.map(drop)
    }

    pub(super) async fn inference(
        &self,
        turn: &mut Turn,
        called: &Called,
    ) -> Result<Option<Recorded>, RecordError> {
        let verdict = Verdict::of_call(called);
        let Turn { asked, step, keeping, called_at, .. } = turn;
        let event = describe::inference(&self.lane, asked, called, &verdict, *called_at, step)?;
        let waits = Instant::now();
        let recorded = keeping.finish(vec![event]).await?;
        self.lane.metrics.record.observe(waits.elapsed().as_secs_f64());
        turn.answers += 1;
        Ok(recorded)
    }

    fn told(&self, head: &response::Parts, content: Content, facts: ResponseFacts, took: Duration) -> Called {
        let (head, first_byte, is_stream, client_left) = (head.clone(), took, true, false);
        let trailers = None;
        Called::Told(Box::new(Told { head, content, facts, first_byte, trailers, is_stream, client_left }))
    }
}
