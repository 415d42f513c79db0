//! One exchange, from its request's head to its answer's release.

use crate::body::{self, End as BodyEnd};
use crate::gateway::call::{Asked, Called, Came, Moment, Told, call};
use crate::gateway::delivery::{Release, Reply, Way};
use crate::gateway::keeping::Keeping;
use crate::gateway::metrics::End;
use crate::gateway::step::{self, Step};
use crate::gateway::stream::Relay;
use crate::gateway::threads::{Key, Thread};
use crate::gateway::verdict::Verdict;
use crate::gateway::{Inner, Lane, answer, describe, subject, tools};
use crate::headers;
use crate::recorder::{NewDecision, RecordError};
use crate::route::{Opened, SESSION};
use crate::upstream::{self, UpstreamError, whole};
use crate::wire::{Call, Operation};
use bytes::Bytes;
use http::{Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use inferlog_record::Id;
use inferlog_record::body::Outcome;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A decision under way.
pub(crate) struct Exchange {
    pub(crate) gateway: Arc<Inner>,
    pub(crate) lane: Arc<Lane>,
    pub(crate) peer: SocketAddr,
    pub(crate) gone: oneshot::Receiver<()>,
    pub(crate) way: Way,
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
        way: Way,
    ) -> Response<Reply> {
        let began = Moment::now(&lane);
        let exchange = Exchange { gateway: self, lane: lane.clone(), peer, gone, way };
        if call.operation == Operation::InferStream {
            return exchange.converse(call, request).await;
        }
        let (end, answer) = match exchange.run(call, request, began).await {
            Ok(ended) => ended,
            // Refused before the model was called.
            Err(error @ RecordError::Biometric(_)) => (Some(End::Refused), lane.not_recorded(&error)),
            Err(error) => {
                tracing::error!(route = %lane.route.name, %error, "a decision could not be recorded and was not answered");
                (Some(End::NotRecorded), lane.not_recorded(&error))
            }
        };
        let took = began.elapsed();
        // A stream is counted at its end.
        if let Some(end) = end {
            lane.metrics.count(end);
            lane.metrics.request.observe(took.as_secs_f64());
        }
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
    ) -> Result<(Option<End>, Response<Reply>), RecordError> {
        let limits = self.lane.route.limits;
        let (head, body) = request.into_parts();
        let read = body::read(body, limits.request_bytes_max, began.steady + limits.request_time_max).await;
        let mut asked = Asked::new(self.lane.clone(), call, head, read, began).await?;
        let Ok(subjects) = self.subjects(&asked) else {
            let message = format!(
                "a request may name at most {} persons: send fewer rows at once",
                subject::SUBJECTS_MAX
            );
            let answer = self.lane.error(StatusCode::UNPROCESSABLE_ENTITY, "too_many_subjects", &message);
            return Ok((Some(End::Refused), answer));
        };
        let mut step = Step::new(&self.lane, step::ends(&asked))?;
        let mut keeping = self.begin(&asked, subjects, &mut step, false).await?;
        if asked.content.end != BodyEnd::Complete {
            return self.refuse(keeping, &asked, step).await;
        }
        if self.lane.route.opened == Opened::BeforeCall {
            keeping.opened().await?;
        }
        let called_at = asked.began.then();
        let came = self.call(&mut keeping, &mut asked).await?;
        let id = keeping.id();
        step.decision = id;
        if id.is_some() {
            step.admitted();
        }
        let called = match came {
            Came::Whole(called) => called,
            Came::Live(live) => {
                let Self { gateway, lane, way, .. } = self;
                let mut answer = Relay { gateway, lane, way, keeping, asked, step, called_at }.start(*live);
                id.inspect(|id| answer::name(&mut answer, *id));
                return Ok((None, answer));
            }
        };
        let verdict = Verdict::of_call(&called);
        let events = describe::rest(&self.lane, &asked, &called, &verdict, called_at, &step)?;
        let waits = Instant::now();
        let recorded = keeping.finish(events).await?;
        self.lane.metrics.record.observe(waits.elapsed().as_secs_f64());
        if recorded.is_some() {
            step.ended(&self.lane, &called, &verdict, called_at);
        }
        let release =
            recorded.map(|recorded| Release::new(self.gateway.clone(), self.lane.clone(), recorded, &step));
        Ok(self.release(keeping.id(), called, &verdict, release))
    }

    /// Begins the decision, or joins the one that the request belongs to. `is_shared`: its parts join it, as those of a stream do.
    pub(crate) async fn begin(
        &self,
        asked: &Asked,
        subjects: Vec<Bytes>,
        step: &mut Step,
        is_shared: bool,
    ) -> Result<Keeping, RecordError> {
        let Some(key) = Key::of(&self.lane.route, asked, &subjects) else {
            return self.open(asked, subjects, step, is_shared).await;
        };
        let slot = self.gateway.threads.slot(&key);
        let mut thread = slot.lock().await;
        if let Some(over) = thread.take_if(|thread| thread.is_over()) {
            self.gateway.threads.leave(over);
        }
        // The text may be the id of a decision that an earlier answer named.
        let remembered = |id| {
            let ongoing = self.gateway.recorder().remembered(id, &self.lane.route.system, &subjects)?;
            (!ongoing.is_erased()).then(|| Thread::resumed(ongoing, self.lane.clone()))
        };
        let begun = thread.clone().or_else(|| key.decision().and_then(remembered));
        if let Some(begun) = begun {
            step.join(&begun);
            let results = tools::results(&self.lane, asked, step)?;
            let mut joined = describe::joined(&self.lane.route, asked, step);
            joined.session = self.session(asked);
            let mut events = vec![joined];
            events.extend(results);
            let keeping = Keeping::join(&self.lane, &begun.ongoing, events).await?;
            if thread.is_none() {
                *thread = keeping.id().map(|_| begun);
            }
            return Ok(keeping);
        }
        let mut keeping = self.open(asked, subjects, step, true).await?;
        *thread = keeping.share().map(|ongoing| Thread::new(ongoing, self.lane.clone(), step));
        step.thread = thread.as_ref().map(|thread| thread.enter(step.ends));
        Ok(keeping)
    }

    async fn open(
        &self,
        asked: &Asked,
        subjects: Vec<Bytes>,
        step: &mut Step,
        may_be_joined: bool,
    ) -> Result<Keeping, RecordError> {
        let mut opened = describe::opening(&self.lane.route, asked, step);
        opened.session = self.session(asked);
        let more = tools::results(&self.lane, asked, step)?;
        Keeping::begin(&self.lane, NewDecision { subjects, more, may_be_joined, ..NewDecision::new(opened) })
            .await
    }

    /// The period of use that the request names, if it is one that goes on.
    fn session(&self, asked: &Asked) -> Option<Id> {
        let named = asked.head.headers.get(SESSION)?.to_str().ok()?.parse().ok()?;
        self.lane.system().is_open_session(named).then_some(named)
    }

    pub(crate) fn subjects(&self, asked: &Asked) -> Result<Vec<Bytes>, subject::TooMany> {
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
        mut keeping: Keeping,
        asked: &Asked,
        mut step: Step,
    ) -> Result<(Option<End>, Response<Reply>), RecordError> {
        let verdict = Verdict::of_request(asked.content.end, &self.lane.route.limits);
        let events = vec![describe::refusal(&self.lane.route, &verdict, asked.began, &step)];
        let recorded = keeping.finish(events).await?;
        let mut answer = verdict.answer(&self.lane);
        if let Some(recorded) = recorded {
            step.refused(&verdict);
            answer::name(&mut answer, recorded.id());
        }
        Ok((Some(verdict.counted()), answer))
    }

    /// Calls the model while the opening becomes durable. Fails if the opening does and the answer may not be given without:
    /// the call is broken off then.
    async fn call(&mut self, keeping: &mut Keeping, asked: &mut Asked) -> Result<Came, RecordError> {
        let body = whole(asked.content.raw.clone());
        let Some(request) = upstream::request(&self.lane.route, &mut asked.head, self.peer.ip(), body) else {
            let why = "the path makes no valid address there".into();
            return Ok(Came::Whole(Called::Failed(UpstreamError::Unreachable(why))));
        };
        let lane = self.lane.clone();
        // Before HTTP/1.1 an answer that is cut off looks like one that ended.
        let may_stream = asked.head.version >= Version::HTTP_11;
        let called = async { Ok(call(lane, &asked.call, request, may_stream).await) };
        tokio::select! {
            biased;
            both = async { tokio::try_join!(keeping.opened(), called) } => {
                let ((), called) = both?;
                called
            }
            _ = &mut self.gone => {
                // Whether there is a decision that others may join does not depend on this client.
                keeping.opened().await?;
                Ok(Came::Whole(Called::ClientGone))
            }
        }
    }

    fn release(
        mut self,
        id: Option<Id>,
        called: Called,
        verdict: &Verdict,
        release: Option<Release>,
    ) -> (Option<End>, Response<Reply>) {
        let mut answer = match called {
            Called::Told(told) if verdict.is_released => released(*told, release, &self.way),
            _ => {
                // Nothing of the model's is delivered, and its record says so already.
                release.into_iter().for_each(Release::delivered);
                verdict.answer(&self.lane)
            }
        };
        id.inspect(|id| answer::name(&mut answer, *id));
        if self.gone.try_recv() != Err(oneshot::error::TryRecvError::Empty) {
            // Dropped here, an answer that was to be released says that it was not delivered.
            return (Some(End::Aborted), Response::new(Reply::whole(Bytes::new())));
        }
        (Some(verdict.counted()), answer)
    }
}

impl Verdict {
    pub(crate) fn counted(&self) -> End {
        match self.outcome {
            Outcome::Answered => End::Answered,
            Outcome::Refused => End::Refused,
            Outcome::Aborted => End::Aborted,
            Outcome::Failed | Outcome::Interrupted => End::Failed,
        }
    }

    /// The gateway's own answer, where the model's is not released.
    fn answer(&self, lane: &Lane) -> Response<Reply> {
        let code = self.error.map_or(self.exchange.as_str(), |error| error.as_str());
        lane.error(self.status, code, &self.message)
    }
}

/// The model's answer as it came, but for what concerns its connection alone.
fn released(told: Told, release: Option<Release>, way: &Way) -> Response<Reply> {
    let Told { mut head, content, trailers, .. } = told;
    headers::strip_hop_by_hop(&mut head.headers);
    // The body says its own length; a length of another framing would be wrong.
    head.headers.remove(header::CONTENT_LENGTH);
    head.version = http::Version::HTTP_11;
    Response::from_parts(head, Reply::released(content.raw, trailers, release, way))
}
