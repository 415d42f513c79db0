//! The client's side of a stream, as far as it was answered.

use crate::gateway::answer;
use crate::gateway::delivery::{Piece, Release, Reply};
use crate::gateway::exchange::Exchange;
use crate::headers;
use crate::wire::grpc::{GRPC_STATUS, is_grpc};
use bytes::Bytes;
use http::header;
use http::{HeaderMap, Response, Version, response};
use inferlog_record::Id;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// How long a client may take to take the end.
const LINGER_TIME_MAX: Duration = Duration::from_secs(1);

/// The side of the client, as far as it was answered.
pub(super) struct Client {
    pub(super) exchange: Exchange,
    pub(super) answer: Option<oneshot::Sender<Response<Reply>>>,
    pub(super) pieces: Option<mpsc::Sender<Piece>>,
    /// The head of the upstream's answer.
    pub(super) head: Option<response::Parts>,
    /// The latest model call.
    pub(super) last: Option<Id>,
}

impl Client {
    /// Waits until nobody is there any more.
    pub(super) async fn left(&self) {
        match &self.pieces {
            Some(pieces) => pieces.closed().await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn is_grpc(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.status.is_success() && is_grpc(&head.headers))
    }

    /// Answers with the upstream's head.
    pub(super) fn respond(&mut self, reply: Reply, decision: Option<Id>) {
        let (Some(head), Some(answer)) = (self.head.clone(), self.answer.take()) else { return };
        let mut answered = Response::from_parts(head, reply);
        headers::strip_hop_by_hop(answered.headers_mut());
        answered.headers_mut().remove(header::CONTENT_LENGTH);
        *answered.version_mut() = Version::HTTP_11;
        decision.inspect(|id| answer::name(&mut answered, *id));
        let _ = answer.send(answered);
    }

    /// Ends the answer with these trailers; one of which nothing was sent is trailers only.
    pub(super) async fn finish(
        mut self,
        trailers: HeaderMap,
        release: Option<Release>,
        decision: Option<Id>,
    ) {
        if let Some(pieces) = self.pieces.take() {
            let last = Piece::Last(Bytes::new(), Some(trailers), release);
            let _ = timeout(LINGER_TIME_MAX, pieces.send(last)).await;
            return;
        }
        if trailers.contains_key(GRPC_STATUS) {
            let mut answered = super::ended(trailers);
            decision.inspect(|id| answer::name(&mut answered, *id));
            if let Some(answer) = self.answer.take() {
                let _ = answer.send(answered);
            }
            release.into_iter().for_each(Release::delivered);
            return;
        }
        let reply = Reply::released(Bytes::new(), None, release, &self.exchange.way.clone());
        self.respond(reply, decision);
    }
}
