//! Questions and their turns.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::answer::{Kind, failed, no_index, refuse, stream};
use super::asked::{Asked, Command};
use super::{Body, RUNNING_MAX, Reader, TAILS_MAX, WAIT_TIME_MAX};
use crate::query::{IndexAt, Worker};

impl Reader {
    pub(super) async fn route(self: &Arc<Self>, asked: Asked, head: &Parts, body: Bytes) -> Response<Body> {
        match asked {
            Asked::Query => match self.turn().await {
                Ok(turn) => self.query(head, &body, turn).await,
                Err(refused) => refused,
            },
            Asked::Compliance(asked) => match self.turn().await {
                Ok(turn) => self.comply(asked, body, turn).await,
                Err(refused) => refused,
            },
            Asked::Command(command) if command.is_endless => match self.tails.clone().try_acquire_owned() {
                Ok(turn) => self.command(command, turn).await,
                Err(_) => busy(&format!("{TAILS_MAX} streams of events are open already")),
            },
            Asked::Command(command) => match self.turn().await {
                Ok(turn) => self.command(command, turn).await,
                Err(refused) => refused,
            },
        }
    }

    /// A turn to be answered; sent away are those for whom there is no room to wait, and those who have waited too long.
    async fn turn(&self) -> Result<OwnedSemaphorePermit, Response<Body>> {
        let Ok(_place) = self.waiting.clone().try_acquire_owned() else {
            return Err(busy("too many questions wait for their turn"));
        };
        match timeout(WAIT_TIME_MAX, self.running.clone().acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(busy(&format!("{RUNNING_MAX} questions are being answered, and none ended in time"))),
        }
    }

    async fn command(&self, command: Command, turn: OwnedSemaphorePermit) -> Response<Body> {
        let Command { mut words, media_type, is_content, is_indexed, .. } = command;
        if is_content && !self.content {
            let what = "this reader gives out no content (`content = false` in its configuration): ask with `sealed`";
            return refuse(StatusCode::FORBIDDEN, "no_content", what);
        }
        let data = self.current.get().await.data.clone();
        words.push(format!("--data={}", data.display()));
        let index = match self.store() {
            Some(store) if is_indexed => Some(IndexAt::of(&data, &store)),
            None if is_indexed => return no_index(),
            _ => None,
        };
        let variable = index.as_ref().and_then(IndexAt::variable);
        words.extend(index.as_ref().map(|index| format!("--index={}", index.named())));
        match Worker::command(words, variable).await {
            Ok(worker) => stream(worker, Kind::Command, media_type, turn).await,
            Err(error) => failed(&error),
        }
    }
}

fn busy(what: &str) -> Response<Body> {
    let mut answer =
        refuse(StatusCode::TOO_MANY_REQUESTS, "busy", &format!("{what}: ask again in a little while"));
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    answer
}
