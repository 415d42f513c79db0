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
    is_ended: bool,
    /// The decision's id, as far as it is recorded.
    pub(crate) decision: Option<Id>,
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
        let (calls, decision, thread) = (Arc::default(), None, None);
        let (is_admitted, is_ended) = (false, false);
        let step = Self {
            admitted,
            input,
            inference,
            follows,
            tools,
            calls,
            counted,
            is_admitted,
            is_ended,
            decision,
            thread,
            ends,
        };
        Ok(step)
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
        self.follows = thread.latest().into_iter().collect();
        self.thread = Some(thread.enter(self.ends));
    }

    /// The request is recorded, or will be with its answer.
    pub(crate) fn admitted(&mut self) {
        self.is_admitted = true;
    }

    /// The request is refused, and its record says so.
    pub(crate) fn refused(&mut self, verdict: &Verdict) {
        (self.is_admitted, self.is_ended) = (true, true);
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
    pub(crate) fn ended(&mut self, lane: &Lane, called: &Called, verdict: &Verdict, called_at: Moment) {
        self.is_ended = true;
        let asked = if let Called::Told(told) = called { &*told.facts.tool_calls } else { &[] };
        lane.tools.learn(asked.iter().map(|call| call.name.as_str()));
        let mut calls = self.calls.lock();
        calls.latest = Some(self.inference);
        let at = called_at.then();
        asked.iter().for_each(|call| calls.ask(call, self.inference, at));
        drop(calls);
        if let Some(decision) = self.decision.filter(|_| !asked.is_empty()) {
            lane.ledgers.keep(decision, &self.calls);
        }
        if let Some(thread) = self.thread() {
            thread.exchanged(self, called, verdict);
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.is_admitted {
            // Whoever sends the request again brings its results again.
            self.calls.lock().undo(std::mem::take(&mut self.counted));
        }
        if let Some(thread) = self.thread().filter(|_| self.ends && !self.is_ended) {
            thread.goes_on();
        }
    }
}

/// Whether the request says that the decision ends with it.
pub(crate) fn ends(asked: &Asked) -> bool {
    let value = asked.head.headers.get(crate::route::DECISION_END);
    value.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true") || value.as_bytes() == b"1")
}
