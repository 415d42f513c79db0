//! Tools: their results come back in the next request, and become events tied to the call that asked for them.

use crate::gateway::Lane;
use crate::gateway::call::Asked;
use crate::gateway::calls::{AskedCall, Counted, NewResult};
use crate::gateway::describe::{capture, json};
use crate::gateway::names::Unlisted;
use crate::gateway::step::Step;
use crate::headers::Members;
use crate::recorder::{NewContent, NewEvent, RecordError};
use crate::wire::ToolResult;
use bytes::Bytes;
use inferlog_record::body::{ErrorCode, StepOutcome, ToolCall};
use inferlog_record::{ClearName, Count, MediaType, PayloadRole, Why};
use parking_lot::Mutex;
use std::collections::HashSet;

/// Names of tools that a route remembers; none that could not stand in clear, so that none is long.
const NAMES_MAX: usize = 1_024;

/// The names of tools that models asked for in answers of success: they may stand in clear.
#[derive(Default)]
pub(crate) struct ToolNames(Mutex<HashSet<String>>);

impl ToolNames {
    pub(crate) fn learn<'a>(&self, names: impl Iterator<Item = &'a str>) {
        for name in names {
            let mut known = self.0.lock();
            if known.len() < NAMES_MAX && !known.contains(name) && ClearName::new(name).is_ok() {
                known.insert(name.to_owned());
            }
        }
    }

    fn knows(&self, name: &str) -> bool {
        self.0.lock().contains(name)
    }
}

/// The events of the results that a request brought, those left out that another brought before; remembers all in its step.
pub(crate) fn results(lane: &Lane, asked: &Asked, step: &mut Step) -> Result<Vec<NewEvent>, RecordError> {
    let mut events = Vec::with_capacity(asked.facts.tool_results.len());
    let mut asking = Vec::new();
    let is_crowded = step.thread().is_some_and(|thread| thread.in_flight() > 1);
    for result in &asked.facts.tool_results {
        let id = lane.mint()?;
        let counted = step.calls.lock().result(result, id, is_crowded);
        let (tool, inference) = match counted {
            Counted::Again { event, inference } => (event, inference),
            Counted::New(counted) => {
                let mut event = event(lane, asked, result, &counted, step);
                event.id = Some(id);
                events.push(event);
                let inference = counted.asked.as_ref().map(|call| call.inference);
                step.counted.push(counted);
                (id, inference)
            }
        };
        for (ids, id) in [(&mut step.tools, Some(tool)), (&mut asking, inference)] {
            ids.extend(id.filter(|id| !ids.contains(id)));
        }
    }
    if !asking.is_empty() {
        step.follows = asking;
    }
    Ok(events)
}

fn event(lane: &Lane, asked: &Asked, result: &ToolResult, counted: &NewResult, step: &Step) -> NewEvent {
    let call = counted.asked.as_ref();
    let repeated = result.asked.as_ref();
    let name =
        call.map(|call| call.name.as_str()).or(repeated.map(|call| call.name.as_str())).unwrap_or_default();
    let is_listed = call.is_some() || lane.tools.knows(name);
    let mut unlisted = Unlisted::default();
    let body = ToolCall {
        attempt: step.thread.is_some().then_some(counted.attempt),
        error: result.is_error.then_some(ErrorCode::Other),
        latency_ns: call.map(|call| Count(since(call, asked))),
        name: unlisted.name("name", name, is_listed),
        outcome: if result.is_error { StepOutcome::Failed } else { StepOutcome::Ok },
        version: None,
    };
    let arguments = call.map(|call| &call.arguments).or(repeated.map(|call| &call.arguments));
    let arguments = match arguments {
        Some(arguments) => json(arguments.clone()),
        None => NewContent::Absent(Why::NotProvided),
    };
    let role = if result.is_error { PayloadRole::Error } else { PayloadRole::ToolResult };
    let mut event =
        NewEvent::new(body).with(PayloadRole::ToolArguments, arguments).with(role, content(&result.content));
    if !result.call.is_empty() {
        let mut ids = Members::default();
        ids.add("tool_call", &result.call);
        event = event.with(PayloadRole::ExternalIds, json(ids.end()));
    }
    event = unlisted.add_to(event);
    event.capture = Some(capture(&lane.route, None, 0));
    event.after = vec![call.map_or(step.admitted, |call| call.inference)];
    event.seq = Some(Count(counted.seq));
    event.started_at = call.map(|call| call.at.at);
    event.ended_at = Some(asked.began.at);
    event
}

/// From the model's answer to the request that brought the result: the tool's own time, and the application's around it.
fn since(call: &AskedCall, asked: &Asked) -> u64 {
    u64::try_from(asked.began.steady.saturating_duration_since(call.at.steady).as_nanos()).unwrap_or(u64::MAX)
}

fn content(bytes: &Bytes) -> NewContent {
    let is_json = matches!(bytes.first(), Some(b'{' | b'[' | b'"'))
        && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok();
    NewContent::personal(if is_json { MediaType::Json } else { MediaType::Text }, bytes.clone())
}
