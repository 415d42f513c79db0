//! One exchange's place in its decision.

use crate::gateway::Lane;
use crate::gateway::call::{Asked, Called, Moment};
use crate::gateway::calls::{Calls, NewResult};
use crate::gateway::threads::{Guard, Thread};
use crate::gateway::verdict::Verdict;
use crate::recorder::RecordError;
use inferlog_record::Id;
use parking_lot::Mutex;
use std::sync::Arc;

/// The ids by which an exchange's events refer to each other, and the decision that others join.
pub(crate) struct Step {
    /// The event that says that the request was admitted.
    pub(crate) admitted: Id,
    /// The payload that holds the request.
    pub(crate) input: Id,
    /// The model call.
    pub(crate) inference: Id,
    /// Events that caused the request itself: the model calls whose tools it brings results of, or the one before it.
    pub(crate) follows: Vec<Id>,
    /// Calls of tools whose results the request brought, those included that another request had brought before.
    pub(crate) tools: Vec<Id>,
    /// The calls of the decision, and what this exchange counted among them; taken back if it is not recorded.
    pub(crate) calls: Arc<Mutex<Calls>>,
    pub(crate) counted: Vec<NewResult>,
    is_admitted: bool,
    /// The decision, where it goes on after this exchange.
    pub(crate) thread: Option<Guard>,
    /// Whether the decision ends with this exchange.
    pub(crate) ends: bool,
}

impl Step {
    pub(crate) fn new(lane: &Lane, ends: bool) -> Result<Self, RecordError> {
        let mint = || lane.mint();
        let (admitted, input, inference) = (mint()?, mint()?, mint()?);
        let (follows, tools, counted) = (Vec::new(), Vec::new(), Vec::new());
        let (calls, thread) = (Arc::default(), None);
        let is_admitted = false;
        Ok(Self { admitted, input, inference, follows, tools, calls, counted, is_admitted, thread, ends })
    }

    /// The same ids again, for the first request of a stream: the exchange's own step lasts as long as the stream.
    pub(crate) fn first(&self, lane: &Lane) -> Result<Self, RecordError> {
        let mut first = Self::new(lane, self.ends)?;
        (first.admitted, first.input, first.inference) = (self.admitted, self.input, self.inference);
        (first.follows, first.tools, first.is_admitted) = (self.follows.clone(), self.tools.clone(), true);
        Ok(first)
    }

    /// Enters a decision that other exchanges are a part of.
    pub(crate) fn join(&mut self, thread: &Arc<Thread>) {
        self.calls = thread.calls.clone();
        self.follows = vec![thread.latest()];
        self.thread = Some(thread.enter());
    }

    /// The request is recorded, or will be with its answer.
    pub(crate) fn admitted(&mut self) {
        self.is_admitted = true;
    }

    /// The request is refused, and its record says so.
    pub(crate) fn refused(&mut self, verdict: &Verdict) {
        self.admitted();
        if let Some(thread) = self.thread() {
            thread.refused(verdict);
        }
    }

    /// What caused the model call.
    pub(crate) fn causes(&self) -> Vec<Id> {
        if self.tools.is_empty() { vec![self.admitted] } else { self.tools.clone() }
    }

    /// Whether the decision goes on after this exchange.
    pub(crate) fn goes_on(&self) -> bool {
        self.thread.is_some() && !self.ends
    }

    /// The decision that the exchange shares with others.
    pub(crate) fn thread(&self) -> Option<&Arc<Thread>> {
        self.thread.as_ref().map(Guard::thread)
    }

    /// The exchange is recorded: what it asked for is remembered for the next.
    pub(crate) fn ended(&self, lane: &Lane, called: &Called, verdict: &Verdict, called_at: Moment) {
        if let Called::Told(told) = called {
            lane.tools.learn(told.facts.tool_calls.iter().map(|call| call.name.as_str()));
        }
        if let Some(thread) = self.thread() {
            thread.exchanged(self, called, verdict, called_at);
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if self.is_admitted {
            return;
        }
        // Whoever sends the request again brings its results again.
        self.calls.lock().undo(std::mem::take(&mut self.counted));
        if let Some(thread) = self.thread() {
            thread.not_recorded(self);
        }
    }
}

/// Whether the request says that the decision ends with it.
pub(crate) fn ends(asked: &Asked) -> bool {
    let value = asked.head.headers.get(crate::route::DECISION_END);
    value.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true") || value.as_bytes() == b"1")
}
