//! How a stream ends: as its record says it, and as its client is told.

use super::client::Client;
use super::source::Broken;
use super::stream::{Ended, Stream};
use super::trailers;
use crate::body::{End as BodyEnd, Read};
use crate::gateway::call::{Called, Told};
use crate::gateway::delivery::Release;
use crate::gateway::metrics::End;
use crate::gateway::verdict::Verdict;
use crate::gateway::{Lane, answer, describe};
use crate::recorder::{NewEvent, RecordError};
use crate::upstream::UpstreamError;
use crate::wire::ResponseFacts;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, response};
use inferlog_record::Id;
use inferlog_record::body::Outcome;
use std::sync::atomic::Ordering;

impl Stream {
    /// Records the end, and tells the client of it.
    pub(super) async fn end(mut self, ended: Ended, mut client: Client) {
        let lane = self.lane.clone();
        lane.metrics.request.observe(self.began.elapsed().as_secs_f64());
        let verdict = match &ended {
            Ended::NotRecorded(error) => return self.cut(error, client).await,
            Ended::Refused(broken) => refused(*broken, &lane),
            ended => Verdict::of_call(&self.called(ended, client.head.as_ref())),
        };
        let release = match self.close(&ended, &verdict, &mut client).await {
            Ok(release) => release,
            Err(error) => return self.cut(&error, client).await,
        };
        lane.metrics.count(verdict.counted());
        let id = self.id();
        match ended {
            Ended::Whole(trailers) if client.is_grpc() => {
                client.finish(trailers.unwrap_or_default(), release, id).await;
            }
            _ => {
                // Nothing of the model's is left to deliver, and the record says so already.
                release.into_iter().for_each(Release::delivered);
                client.finish(trailers(super::code(verdict.status), &verdict.message), None, id).await;
            }
        }
    }

    /// Ends a stream whose record failed: no record, no answer.
    async fn cut(mut self, error: &RecordError, client: Client) {
        if self.is_opened.load(Ordering::Acquire) {
            self.step.admitted();
        }
        let id = self.id();
        self.lane.metrics.count(End::NotRecorded);
        tracing::error!(route = %self.lane.route.name, decision = ?id, %error, "a stream could not be recorded and was cut off");
        let trailers = trailers(super::code(StatusCode::SERVICE_UNAVAILABLE), &answer::words(error));
        client.finish(trailers, None, id).await;
        self.end_bare(describe::stream_cut(&self.lane.route, self.began)).await;
    }

    /// Closes the decision without content, where that is all that there is room for.
    async fn end_bare(&self, closing: NewEvent) {
        let Some(ongoing) = self.ongoing.as_ref().filter(|_| !self.step.goes_on()) else { return };
        if let Err(error) = ongoing.end(vec![closing]).await {
            tracing::warn!(decision = %ongoing.id(), %error, "a stream could not be closed");
        }
    }

    /// Records what became of requests without an answer, and the end of the decision.
    async fn close(
        &mut self,
        ended: &Ended,
        verdict: &Verdict,
        client: &mut Client,
    ) -> Result<Option<Release>, RecordError> {
        let mut last = None;
        while let Some(mut turn) = self.turns.take_open() {
            let called = self.called(ended, client.head.as_ref());
            self.inference(&mut turn, &called).await?;
            client.last = Some(turn.step.inference);
            last = Some(turn);
        }
        let Some(mut turn) = last.or_else(|| self.turns.take_answered()) else { return Ok(None) };
        let called = self.called(ended, client.head.as_ref());
        let events = self.ending(&called, verdict, client.last);
        if turn.keeping.id().is_none() {
            // Its last answer is counted as not recorded.
            self.end_bare(describe::stream_cut(&self.lane.route, self.began)).await;
        }
        let recorded = turn.keeping.finish(events).await?;
        self.step.inference = turn.step.inference;
        self.step.admitted();
        if recorded.is_some() {
            self.step.ended(&self.lane, &called, verdict, turn.called_at);
        }
        let (gateway, lane) = (client.exchange.gateway.clone(), self.lane.clone());
        Ok(recorded.map(|recorded| Release::new(gateway, lane, recorded, &self.step)))
    }

    fn ending(&self, called: &Called, verdict: &Verdict, last: Option<Id>) -> Vec<NewEvent> {
        let route = &self.lane.route;
        if self.step.goes_on() {
            return describe::broken_off(route, verdict, self.began, last).into_iter().collect();
        }
        let mut events = Vec::new();
        events.extend(
            last.filter(|_| verdict.outcome == Outcome::Answered).map(|last| describe::output(route, last)),
        );
        let mut closing = describe::stream_end(route, called, verdict, self.began);
        closing.after = last.into_iter().collect();
        events.push(closing);
        events
    }

    /// What became of a request that has no answer of its own.
    fn called(&self, ended: &Ended, head: Option<&response::Parts>) -> Called {
        let told = |end: BodyEnd, trailers: Option<HeaderMap>| {
            let head = head?;
            let mut headers = head.headers.clone();
            headers.extend(trailers.clone().unwrap_or_default());
            let content = super::content(Read::new(Bytes::new(), end), &head.headers, 0);
            let nothing = Bytes::new();
            let facts = self.lane.route.wire.response(&self.call, head.status, &headers, &nothing);
            let facts = ResponseFacts { output: None, ..facts };
            let (head, first_byte) = (head.clone(), self.began.elapsed());
            Some(Called::Told(Box::new(Told {
                head,
                content,
                facts,
                first_byte,
                trailers,
                is_stream: true,
                client_left: false,
            })))
        };
        let told = match ended {
            Ended::Whole(trailers) => told(BodyEnd::Complete, trailers.clone()),
            Ended::OverLimit { bytes_min } => told(BodyEnd::OverLimit { bytes_min: *bytes_min }, None),
            Ended::Failed(UpstreamError::TimedOut) => told(BodyEnd::TimedOut, None),
            Ended::Failed(_) => told(BodyEnd::Aborted, None),
            Ended::ClientLeft | Ended::Refused(_) | Ended::NotRecorded(_) => None,
        };
        match (told, ended) {
            (Some(told), _) => told,
            (None, Ended::Failed(UpstreamError::Unreachable(why))) => {
                Called::Failed(UpstreamError::Unreachable(why.clone()))
            }
            (None, Ended::Failed(UpstreamError::Aborted(why))) => {
                Called::Failed(UpstreamError::Aborted(why.clone()))
            }
            (None, Ended::Failed(UpstreamError::TimedOut)) => Called::Failed(UpstreamError::TimedOut),
            (None, _) => Called::ClientGone,
        }
    }
}

/// What becomes of a stream of which a request is no message, or too long a one.
pub(super) fn refused(broken: Broken, lane: &Lane) -> Verdict {
    let end = match broken {
        Broken::Off => BodyEnd::Aborted,
        Broken::OverLimit { bytes_min } => BodyEnd::OverLimit { bytes_min },
    };
    Verdict::of_request(end, &lane.route.limits)
}
