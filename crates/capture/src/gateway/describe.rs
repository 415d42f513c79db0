//! What the record says of an exchange: from what came over the wire to events.

use crate::body::End as BodyEnd;
use crate::gateway::Lane;
use crate::gateway::call::{Asked, Called, Content, Moment, Told};
use crate::gateway::names::{Unlisted, context, model};
use crate::gateway::registered;
use crate::gateway::step::Step;
use crate::gateway::threads::Last;
use crate::gateway::verdict::Verdict;
use crate::headers::{self, Members};
use crate::recorder::{NewContent, NewEvent, NewPayload, RecordError, closed, error_payload};
use crate::route::Route;
use crate::upstream::UpstreamError;
use crate::wire::grpc::is_grpc;
use crate::wire::{Gap, Operation};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};
use inferlog_record::body::{
    self, Body, DecisionJoined, DecisionOpened, Delivery, ExchangeEnd, FinishReason, Inference, Outcome,
    Output, Reasoning, StepOutcome,
};
use inferlog_record::{
    Capture, CaptureMethod, ClearName, Completeness, Count, Id, MediaType, PayloadRole, Why,
};
use std::borrow::Cow;
use std::sync::LazyLock;

static VERSION: LazyLock<ClearName> = LazyLock::new(|| ClearName::or_unlisted(env!("CARGO_PKG_VERSION")));

/// The most of an upstream's error message that stands in the payload `error`, bytes; all of it is in `output.raw`.
const ERROR_TEXT_BYTES_MAX: usize = 16 << 10;

/// What a route's decisions say of how they were captured.
pub(crate) fn capture(route: &Route, gap: Option<&Gap>, bytes_dropped: u64) -> Capture {
    let is_complete = gap.is_none() && bytes_dropped == 0;
    Capture {
        adapter: route.adapter.clone(),
        adapter_version: VERSION.clone(),
        bytes_dropped: Count(bytes_dropped),
        completeness: if is_complete { Completeness::Complete } else { Completeness::Partial },
        method: CaptureMethod::Gateway,
    }
}

/// Of a body: what could not be read of it makes its capture partial.
fn capture_of(route: &Route, content: &Content, gap: Option<&Gap>) -> Capture {
    let dropped = match content.end {
        BodyEnd::OverLimit { bytes_min } => bytes_min.saturating_sub(content.raw.len() as u64),
        _ => 0,
    };
    let mut capture = capture(route, gap, dropped);
    if content.end != BodyEnd::Complete || content.decoded.is_err() {
        capture.completeness = Completeness::Partial;
    }
    capture
}

/// The opening of a decision.
pub(crate) fn opening(route: &Route, asked: &Asked, step: &Step) -> NewEvent {
    let mut unlisted = Unlisted::default();
    let event = NewEvent::new(DecisionOpened {
        context: Some(context(route, &asked.head.headers, &mut unlisted)),
        method: Some(method(route, asked)),
        route: Some(route.name.clone()),
        wire: Some(route.wire.recorded(&asked.call)),
    });
    unlisted.add_to(admitted(event, route, asked, step))
}

/// A further request of a decision.
pub(crate) fn joined(route: &Route, asked: &Asked, step: &Step) -> NewEvent {
    let event = NewEvent::new(DecisionJoined {
        method: Some(method(route, asked)),
        route: Some(route.name.clone()),
        wire: Some(route.wire.recorded(&asked.call)),
    });
    let mut event = admitted(event, route, asked, step);
    event.after = step.follows.clone();
    event
}

/// What is said of every request.
fn admitted(event: NewEvent, route: &Route, asked: &Asked, step: &Step) -> NewEvent {
    let aborted = (Why::ClientAborted, Why::TimedOut);
    let input = recorded(route, &asked.content, &asked.head.headers, asked.facts.gap.as_ref(), aborted);
    let target = asked.head.uri.path_and_query().map_or("", |target| target.as_str());
    let first = [(":method", asked.head.method.as_str()), (":path", target)];
    let event = event
        .with_id(step.input, PayloadRole::InputRaw, input)
        .with(PayloadRole::Headers, json(headers::recorded(&asked.head.headers, &first)));
    let mut event = with_ids(event, &asked.head.headers, asked.facts.id.as_deref());
    event.id = Some(step.admitted);
    event.capture = Some(capture_of(route, &asked.content, asked.facts.gap.as_ref()));
    event.started_at = Some(asked.began.at);
    event
}

/// Everything after the opening.
pub(crate) fn rest(
    lane: &Lane,
    asked: &Asked,
    called: &Called,
    verdict: &Verdict,
    called_at: Moment,
    step: &Step,
) -> Result<Vec<NewEvent>, RecordError> {
    let route = &lane.route;
    let mut events = vec![inference(lane, asked, called, verdict, called_at, step)?];
    events.extend(told(called).into_iter().flat_map(|told| reasoning(route, told, step)));
    if step.goes_on() {
        events.extend(broken_off(route, verdict, asked.began, Some(step.inference)));
        return Ok(events);
    }
    if matches!(verdict.step, StepOutcome::Ok | StepOutcome::Refused) && verdict.outcome == Outcome::Answered
    {
        events.push(output(route, step.inference));
    }
    // The inference has the error; the end of the decision refers to it.
    let error = verdict.error.map(|_| NewContent::Again(PayloadRole::Error));
    let mut closing = closing(route, verdict, told(called), error, asked.began);
    closing.after = vec![step.inference];
    events.push(closing);
    Ok(events)
}

/// That an exchange ended before its answer was whole, where its decision goes on after this model call.
pub(crate) fn broken_off(
    route: &Route,
    verdict: &Verdict,
    began: Moment,
    inference: Option<Id>,
) -> Option<NewEvent> {
    let end = Some(verdict.exchange).filter(|end| *end != ExchangeEnd::Complete);
    let mut event = NewEvent::new(Delivery { end: Some(end?), of: inference, part: None });
    event.capture = Some(capture(route, None, 0));
    event.ended_at = Some(began.later());
    event.after = inference.into_iter().collect();
    Some(event)
}

/// The end of a stream of calls.
pub(crate) fn stream_end(route: &Route, called: &Called, verdict: &Verdict, began: Moment) -> NewEvent {
    let message = told(called).and_then(|told| told.facts.error.as_ref()).map(|text| error_text(text));
    let error = |code| error_payload(code, message.as_deref().unwrap_or(&verdict.message)).1;
    closing(route, verdict, told(called), verdict.error.map(error), began)
}

/// The end of a stream whose record failed, without content: there may be no room for any.
pub(crate) fn stream_cut(route: &Route, began: Moment) -> NewEvent {
    let mut event = NewEvent::new(closed(Outcome::Aborted, ExchangeEnd::Unknown));
    event.capture = Some(capture(route, None, 0));
    event.ended_at = Some(began.later());
    event
}

fn error_text(text: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(&text[..text.len().min(ERROR_TEXT_BYTES_MAX)])
}

/// The end of a decision that no further request came for.
pub(crate) fn ending(lane: &Lane, last: Last, inference: Option<Id>) -> Vec<NewEvent> {
    let mut events = Vec::new();
    if let Some(inference) = inference.filter(|_| last.outcome == Outcome::Answered) {
        events.push(output(&lane.route, inference));
    }
    let mut body = closed(last.outcome, last.exchange);
    body.error = last.error;
    body.status = last.status;
    let mut event = NewEvent::new(body);
    if last.outcome == Outcome::Failed {
        event = event.with(PayloadRole::Error, NewContent::Absent(Why::NotProvided));
    }
    event.capture = Some(capture(&lane.route, None, 0));
    event.ended_at = Some(lane.now());
    event.after = inference.into_iter().collect();
    events.push(event);
    events
}

/// A piece of a stream that was passed on.
pub(crate) fn piece(route: &Route, step: &Step, part: u32, bytes: Bytes, is_text: bool) -> NewEvent {
    let body = Delivery { end: None, of: Some(step.inference), part: Some(part) };
    let media_type = if is_text { MediaType::EventStream } else { MediaType::Bytes };
    let mut event =
        NewEvent::new(body).with(PayloadRole::OutputPart, NewContent::personal(media_type, bytes));
    event.capture = Some(capture(route, None, 0));
    event.after = vec![step.admitted];
    event
}

/// Reasoning that the answer holds.
fn reasoning<'a>(route: &'a Route, told: &'a Told, step: &'a Step) -> impl Iterator<Item = NewEvent> + 'a {
    told.facts.reasoning.iter().map(|piece| {
        let content = NewContent::personal(MediaType::Text, piece.content.clone());
        let mut event = NewEvent::new(Reasoning { form: piece.form }).with(PayloadRole::Reasoning, content);
        event.capture = Some(capture(route, None, 0));
        event.after = vec![step.inference];
        event.parent = Some(step.inference);
        event
    })
}

fn told(called: &Called) -> Option<&Told> {
    match called {
        Called::Told(told) => Some(told),
        Called::Failed(_) | Called::ClientGone => None,
    }
}

/// The end of a decision whose request never became whole.
pub(crate) fn refusal(route: &Route, verdict: &Verdict, began: Moment, step: &Step) -> NewEvent {
    if step.goes_on() {
        let mut event = NewEvent::new(Delivery { end: Some(verdict.exchange), of: None, part: None });
        event.capture = Some(capture(route, None, 0));
        event.ended_at = Some(began.later());
        return event;
    }
    let error = verdict.error.map(|code| error_payload(code, &verdict.message).1);
    closing(route, verdict, None, error, began)
}

fn closing(
    route: &Route,
    verdict: &Verdict,
    told: Option<&Told>,
    error: Option<NewContent>,
    began: Moment,
) -> NewEvent {
    let mut body = closed(verdict.outcome, verdict.exchange);
    body.error = verdict.error;
    body.status = told.and_then(|told| told.status(route));
    let mut event = NewEvent::new(body);
    event.payloads.extend(error.map(|content| NewPayload { id: None, role: PayloadRole::Error, content }));
    event.capture = Some(capture(route, None, 0));
    event.ended_at = Some(began.later());
    event
}

/// One call of the model.
pub(crate) fn inference(
    lane: &Lane,
    asked: &Asked,
    called: &Called,
    verdict: &Verdict,
    called_at: Moment,
    step: &Step,
) -> Result<NewEvent, RecordError> {
    let (route, told) = (&lane.route, told(called));
    let facts = told.map(|told| &told.facts);
    let mut unlisted = Unlisted::default();
    let finish = facts.and_then(|facts| facts.finish.as_ref());
    if let Some(finish) = finish.filter(|finish| finish.reason == FinishReason::Other) {
        unlisted.seal("finish_reason", &finish.text);
    }
    let mut model = model(route, asked, told, &mut unlisted);
    registered::pin(lane, &mut model);
    let body = Inference {
        choices: facts.map(|facts| facts.choices).filter(|choices| *choices > 0).map(|n| Count(n.into())),
        error: verdict.error,
        finish_reason: finish.map(|finish| finish.reason),
        model,
        outcome: verdict.step,
        prompts: Vec::new().into(),
        status: told.and_then(|told| told.status(route)),
        stream: told.filter(|told| told.head.status.is_success()).map(|told| told.is_stream),
        time_to_first_byte_ns: told
            .map(|told| Count(u64::try_from(told.first_byte.as_nanos()).unwrap_or(u64::MAX))),
        toolsets: asked.known.toolsets.clone().into(),
        usage: facts.and_then(|facts| facts.usage.clone()),
        wire: Some(route.wire.recorded(&asked.call)),
    };
    let params =
        |params: Option<&Bytes>, why| params.map_or(NewContent::Absent(why), |bytes| json(bytes.clone()));
    let mut event = NewEvent::new(body)
        .with(PayloadRole::InputAssembled, NewContent::Again(PayloadRole::InputRaw))
        .with(PayloadRole::ParamsRequested, params(asked.facts.params.as_ref(), Why::NotProvided))
        .with(
            PayloadRole::ParamsEffective,
            params(told.and_then(|told| told.facts.params.as_ref()), Why::NotVisible),
        );
    let (prompts, with_prompts) = registered::prompts(lane, asked, step, event)?;
    event = with_prompts;
    if let Body::Inference(body) = &mut event.body {
        body.prompts = prompts.into();
    }
    if let Some(tools) = &asked.facts.tools {
        event = event.with(PayloadRole::Tools, json(tools.clone()));
    }
    event.id = Some(step.inference);
    event.after = step.causes();
    event = match (told, called) {
        (Some(told), _) => answered(event, route, asked, told),
        (None, Called::ClientGone) => {
            event.with(PayloadRole::OutputRaw, NewContent::Absent(Why::ClientAborted))
        }
        (None, Called::Failed(UpstreamError::TimedOut)) => {
            event.with(PayloadRole::OutputRaw, NewContent::Absent(Why::TimedOut))
        }
        (None, _) => event.with(PayloadRole::OutputRaw, NewContent::Absent(Why::UpstreamAborted)),
    };
    if let Some(code) = verdict.error {
        let message = told.and_then(|told| told.facts.error.as_ref());
        let message = message.map(|text| error_text(text));
        let (role, content) = error_payload(code, message.as_deref().unwrap_or(&verdict.message));
        event = event.with(role, content);
    }
    event = unlisted.add_to(event);
    event.capture = Some(match told {
        Some(told) => capture_of(route, &told.content, told.facts.gap.as_ref()),
        None => capture(route, None, 0),
    });
    event.started_at = Some(called_at.at);
    event.ended_at = Some(called_at.later());
    Ok(event)
}

/// What came back.
fn answered(event: NewEvent, route: &Route, asked: &Asked, told: &Told) -> NewEvent {
    let aborted = if told.client_left { Why::ClientAborted } else { Why::UpstreamAborted };
    let broken = (aborted, Why::TimedOut);
    let status = told.head.status.as_u16().to_string();
    let event = event
        .with(
            PayloadRole::OutputRaw,
            recorded(route, &told.content, &told.head.headers, told.facts.gap.as_ref(), broken),
        )
        .with(PayloadRole::Headers, json(headers::recorded(&told.headers(), &[(":status", &status)])));
    let id = told.facts.id.as_deref().filter(|id| asked.facts.id.as_deref() != Some(id));
    with_ids(event, &told.head.headers, id)
}

/// Adds the ids that others gave the exchange, if there are any.
fn with_ids(event: NewEvent, headers: &HeaderMap, id: Option<&str>) -> NewEvent {
    let mut ids = Members::default();
    headers::external_ids(headers).for_each(|(name, id)| ids.add(name, &id));
    if let Some(id) = id {
        ids.add("id", id);
    }
    if ids.is_empty() { event } else { event.with(PayloadRole::ExternalIds, json(ids.end())) }
}

/// What a gateway can say of the final answer: that it does not see what becomes of the one it released.
pub(crate) fn output(route: &Route, inference: Id) -> NewEvent {
    let mut event = NewEvent::new(Output::default())
        .with(PayloadRole::OutputProcessed, NewContent::Absent(Why::NotVisible))
        .with(PayloadRole::OutputFinal, NewContent::Absent(Why::NotVisible));
    event.capture = Some(capture(route, None, 0));
    event.after = vec![inference];
    event
}

/// A body's content: what can be read best of it, if any of it came.
fn recorded(
    route: &Route,
    content: &Content,
    headers: &HeaderMap,
    gap: Option<&Gap>,
    (aborted, timed_out): (Why, Why),
) -> NewContent {
    match content.end {
        BodyEnd::OverLimit { .. } if content.raw.is_empty() => NewContent::Absent(Why::OverLimit),
        BodyEnd::Aborted if content.raw.is_empty() => NewContent::Absent(aborted),
        BodyEnd::TimedOut if content.raw.is_empty() => NewContent::Absent(timed_out),
        _ => {
            let declared =
                headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(MediaType::from_header);
            let is_message = route.wire.is_grpc() && is_grpc(headers);
            let media_type = match declared {
                _ if is_message && content.decoded.is_ok() => MediaType::Protobuf,
                _ if is_message => MediaType::Grpc,
                _ if content.decoded.is_err() || route.wire.is_binary(headers) => MediaType::Bytes,
                Some(declared) => declared,
                // Nothing was declared, but the wire read it.
                None if gap.is_none() => MediaType::Json,
                None => MediaType::Bytes,
            };
            NewContent::personal(media_type, content.legible().clone())
        }
    }
}

fn method(route: &Route, asked: &Asked) -> body::Method {
    match asked.head.method {
        _ if asked.call.operation == Operation::InferStream => body::Method::GrpcStream,
        _ if route.wire.is_grpc() => body::Method::Grpc,
        Method::GET => body::Method::Get,
        Method::POST => body::Method::Post,
        Method::PUT => body::Method::Put,
        Method::PATCH => body::Method::Patch,
        Method::DELETE => body::Method::Delete,
        _ => body::Method::Other,
    }
}

pub(crate) fn json(content: impl Into<Bytes>) -> NewContent {
    NewContent::personal(MediaType::Json, content)
}
