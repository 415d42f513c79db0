//! The requests of a stream, and which of them an answer is for.

use crate::body::End;
use crate::gateway::Lane;
use crate::gateway::call::{Asked, Content, Moment};
use crate::gateway::keeping::Keeping;
use crate::gateway::registered::Known;
use crate::gateway::step::Step;
use crate::wire::Call;
use crate::wire::grpc::Message;
use bytes::Bytes;
use http::{HeaderMap, request};
use parking_lot::Mutex;
use std::collections::VecDeque;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Requests without an answer at one time; beyond, no further one is read until an answer came.
const OPEN_MAX: usize = 256;
/// Requests that were answered and may be answered again: a model may give several answers, or one in pieces.
const ANSWERED_MAX: usize = 64;

/// One request message, on its way to its answers.
pub(crate) struct Turn {
    /// What was asked, without the message itself once that is on its way.
    pub(crate) asked: Asked,
    pub(crate) step: Step,
    pub(crate) keeping: Keeping,
    pub(crate) called_at: Moment,
    /// Answers so far.
    pub(crate) answers: u32,
}

impl Turn {
    pub(crate) fn new(mut asked: Asked, step: Step, keeping: Keeping) -> Self {
        // The message is in the log's hands; only what it says is needed until its answer.
        (asked.content.raw, asked.content.decoded, asked.facts.input) =
            (Bytes::new(), Ok(Bytes::new()), None);
        let called_at = asked.began.then();
        Self { asked, step, keeping, called_at, answers: 0 }
    }
}

/// The requests of a stream. One half of it adds to them, the other takes them.
#[derive(Default)]
pub(crate) struct Turns {
    table: Mutex<Table>,
    room: Notify,
}

#[derive(Default)]
struct Table {
    open: VecDeque<Turn>,
    answered: VecDeque<Turn>,
}

impl Turns {
    pub(crate) fn add(&self, turn: Turn) {
        self.table.lock().open.push_back(turn);
    }

    /// Waits until a further request may be read.
    pub(crate) async fn room(&self) {
        while self.table.lock().open.len() >= OPEN_MAX {
            self.room.notified().await;
        }
    }

    /// Takes the request that an answer is for: the one with its id, else the oldest without an answer, else the one that was
    /// answered last.
    pub(crate) fn take(&self, id: Option<&str>) -> Option<Turn> {
        let mut table = self.table.lock();
        let Table { open, answered } = &mut *table;
        let is_it = |turn: &Turn| id.is_some() && turn.asked.facts.id.as_deref() == id;
        if let Some(at) = open.iter().position(is_it) {
            return open.remove(at);
        }
        if let Some(at) = answered.iter().rposition(is_it) {
            return answered.remove(at);
        }
        open.pop_front().or_else(|| answered.pop_back())
    }

    /// Takes one that was not answered.
    pub(crate) fn take_open(&self) -> Option<Turn> {
        self.table.lock().open.pop_front()
    }

    /// Takes the one that was answered last.
    pub(crate) fn take_answered(&self) -> Option<Turn> {
        self.table.lock().answered.pop_back()
    }

    /// Puts back what was taken.
    pub(crate) fn put(&self, turn: Turn) {
        let mut table = self.table.lock();
        if turn.answers == 0 {
            return table.open.push_front(turn);
        }
        table.answered.push_back(turn);
        if table.answered.len() > ANSWERED_MAX {
            table.answered.pop_front();
        }
        drop(table);
        self.room.notify_one();
    }

    /// Since when the oldest request without an answer waits.
    pub(crate) fn waits_since(&self) -> Option<Instant> {
        self.table.lock().open.front().map(|turn| turn.called_at.steady)
    }
}

/// A request message, read.
pub(crate) fn asked(
    lane: &Lane,
    call: &Call,
    head: request::Parts,
    sent: &HeaderMap,
    message: &Message,
    began: Moment,
) -> Asked {
    let decoded = message.content(sent, lane.route.limits.request_bytes_max);
    let content = Content { raw: message.framed.clone(), end: End::Complete, decoded };
    let mut facts = lane.route.wire.request(call, sent, content.legible());
    facts.bound();
    let known = Known::of(lane, &facts);
    Asked { call: call.clone(), head, content, facts, known, began }
}
