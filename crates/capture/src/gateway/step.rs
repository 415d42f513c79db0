//! One exchange's place in its decision.

use crate::gateway::Lane;
use crate::gateway::call::{Asked, Called, Moment};
use crate::gateway::threads::{Guard, Thread};
use crate::gateway::verdict::Verdict;
use crate::recorder::RecordError;
use inferlog_record::Id;
use std::sync::Arc;

/// The ids by which an exchange's events refer to each other, and the decision that others join.
pub(crate) struct Step {
    /// The event that says that the request was admitted.
    pub(crate) admitted: Id,
    /// The payload that holds the request.
    pub(crate) input: Id,
    /// The model call.
    pub(crate) inference: Id,
    /// Calls of tools whose results the request brought.
    pub(crate) tools: Vec<Id>,
    /// The decision, where it goes on after this exchange.
    pub(crate) thread: Option<Guard>,
    /// Whether the decision ends with this exchange.
    pub(crate) ends: bool,
}

impl Step {
    pub(crate) fn new(lane: &Lane, ends: bool) -> Result<Self, RecordError> {
        let mint = || lane.mint();
        let (admitted, input, inference) = (mint()?, mint()?, mint()?);
        Ok(Self { admitted, input, inference, tools: Vec::new(), thread: None, ends })
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

/// Whether the request says that the decision ends with it.
pub(crate) fn ends(asked: &Asked) -> bool {
    let value = asked.head.headers.get(crate::route::DECISION_END);
    value.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true") || value.as_bytes() == b"1")
}
