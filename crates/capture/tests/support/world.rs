//! A gateway before a scripted model, and a directory to record in.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use crate::gateway::{Log, Served, route, serve};
use crate::recording;
use crate::streaming::{Asked, Client, Upstream, chat};
use inferlog_record::Event;
use inferlog_record::body::{Body, ErrorCode, ExchangeEnd, Outcome};

pub struct World {
    pub dir: tempfile::TempDir,
    pub upstream: Upstream,
    pub served: Served,
}

impl World {
    /// With these keys of its route.
    pub async fn new(keys: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let upstream = Upstream::start().await;
        let served = serve(recording::open(dir.path()).await, &route(&upstream.url(), keys)).await;
        Self { dir, upstream, served }
    }

    /// Of the wire of chats.
    pub async fn chat(more: &str) -> Self {
        Self::new(&format!("wire = \"openai\"\n{more}")).await
    }

    /// Sends a request, and sees it arrive at the model.
    pub async fn send(&mut self, request: &str) -> (Client, Asked) {
        let client = Client::send(self.served.address, request).await;
        (client, self.upstream.asked().await)
    }

    /// The same with a chat's body and more headers.
    pub async fn ask(&mut self, body: &str, headers: &str) -> (Client, Asked) {
        self.send(&chat(body, headers)).await
    }

    /// Stops, and reads what was recorded.
    pub async fn end(self) -> (Log, tempfile::TempDir) {
        (self.served.end(self.dir.path().to_owned()).await, self.dir)
    }
}

/// How a decision ended, whose end is the last of it.
pub fn ended(events: &[Event]) -> (Outcome, Option<ExchangeEnd>, Option<ErrorCode>) {
    match &events.last().unwrap().body {
        Body::DecisionClosed(body) => (body.outcome, body.exchange, body.error),
        other => panic!("{other:?}"),
    }
}

pub const ANSWERED: (Outcome, Option<ExchangeEnd>, Option<ErrorCode>) =
    (Outcome::Answered, Some(ExchangeEnd::Complete), None);
