//! What the record says of an exchange: from what came over the wire to events.

use crate::body::End as BodyEnd;
use crate::gateway::exchange::{Asked, Called, Content, Moment, Told};
use crate::headers;
use crate::recorder::{NewContent, NewDecision, NewEvent, NewPayload, closed, error_payload};
use crate::route::{ContextFrom, ContextMember, Limits, Route};
use crate::upstream::UpstreamError;
use crate::wire::{Gap, Wire};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, StatusCode};
use inferlog_record::body::{
    self, AbsentReason, Context, DecisionOpened, ErrorCode, ExchangeEnd, Inference, Model, ModelAbsent,
    Outcome, Output, StepOutcome,
};
use inferlog_record::{
    Capture, CaptureMethod, ClearName, Completeness, Count, MediaType, PayloadRole, RetentionClass, Why,
    identity,
};
use serde_json::{Map, Value};

/// The most of an upstream's error message that stands in the payload `error`, bytes; all of it is in `output.raw`.
const ERROR_TEXT_BYTES_MAX: usize = 16 << 10;

/// How a call, and with it the decision, ended.
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    step: StepOutcome,
    pub(crate) error: Option<ErrorCode>,
    pub(crate) exchange: ExchangeEnd,
    /// Of the gateway's own answer, where the upstream's is not released.
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    /// Whether the client gets the upstream's answer.
    pub(crate) is_released: bool,
}

impl Verdict {
    fn failed(
        error: ErrorCode,
        exchange: ExchangeEnd,
        status: StatusCode,
        message: impl Into<String>,
    ) -> Self {
        let (outcome, step) = (Outcome::Failed, StepOutcome::Failed);
        Self {
            outcome,
            step,
            error: Some(error),
            exchange,
            status,
            message: message.into(),
            is_released: false,
        }
    }

    fn other(
        outcome: Outcome,
        exchange: ExchangeEnd,
        status: StatusCode,
        message: impl Into<String>,
    ) -> Self {
        let step = if outcome == Outcome::Refused { StepOutcome::Refused } else { StepOutcome::Aborted };
        Self { outcome, step, error: None, exchange, status, message: message.into(), is_released: false }
    }

    /// Of a request that never became whole.
    pub(crate) fn of_request(end: BodyEnd, limits: &Limits) -> Self {
        match end {
            BodyEnd::OverLimit { bytes_min } => {
                let max = limits.request_bytes_max;
                let message = format!(
                    "the request's body has at least {bytes_min} bytes, and this route takes {max} at most: send less at \
                     once, or raise `request_bytes_max`"
                );
                Self::other(Outcome::Refused, ExchangeEnd::OverLimit, StatusCode::PAYLOAD_TOO_LARGE, message)
            }
            BodyEnd::TimedOut => {
                let message = format!("the request's body was not there after {:?}", limits.request_time_max);
                Self::failed(ErrorCode::Timeout, ExchangeEnd::Timeout, StatusCode::REQUEST_TIMEOUT, message)
            }
            BodyEnd::Aborted | BodyEnd::Complete => Self::other(
                Outcome::Aborted,
                ExchangeEnd::ClientAbort,
                StatusCode::BAD_REQUEST,
                "the request broke off",
            ),
        }
    }

    /// Of a call of the model.
    pub(crate) fn of_call(called: &Called) -> Self {
        match called {
            Called::Told(told) => Self::of_answer(told),
            Called::Failed(error @ UpstreamError::Unreachable(_)) => Self::failed(
                ErrorCode::ConnectFailed,
                ExchangeEnd::UpstreamAbort,
                StatusCode::BAD_GATEWAY,
                error.to_string(),
            ),
            Called::Failed(error @ UpstreamError::Aborted(_)) => Self::failed(
                ErrorCode::ConnectionLost,
                ExchangeEnd::UpstreamAbort,
                StatusCode::BAD_GATEWAY,
                error.to_string(),
            ),
            Called::Failed(error @ UpstreamError::TimedOut) => Self::failed(
                ErrorCode::Timeout,
                ExchangeEnd::Timeout,
                StatusCode::GATEWAY_TIMEOUT,
                error.to_string(),
            ),
            Called::ClientGone => Self::other(
                Outcome::Aborted,
                ExchangeEnd::ClientAbort,
                StatusCode::BAD_REQUEST,
                "the client left",
            ),
        }
    }

    fn of_answer(told: &Told) -> Self {
        let lost = |error, end, status, message: &str| Self::failed(error, end, status, message);
        match told.content.end {
            BodyEnd::Complete if told.head.status.is_success() && told.facts.error.is_none() => Self {
                outcome: Outcome::Answered,
                step: StepOutcome::Ok,
                error: None,
                exchange: ExchangeEnd::Complete,
                status: told.head.status,
                message: String::new(),
                is_released: true,
            },
            BodyEnd::Complete => {
                let message = format!("the upstream answered {}", told.head.status);
                let error = error_code(told.head.status);
                Self {
                    is_released: true,
                    ..Self::failed(error, ExchangeEnd::Complete, told.head.status, message)
                }
            }
            BodyEnd::OverLimit { bytes_min } => {
                let message = format!(
                    "the upstream's answer has at least {bytes_min} bytes, more than this route takes: raise \
                     `response_bytes_max`"
                );
                lost(ErrorCode::TooLarge, ExchangeEnd::OverLimit, StatusCode::BAD_GATEWAY, &message)
            }
            BodyEnd::TimedOut => lost(
                ErrorCode::Timeout,
                ExchangeEnd::Timeout,
                StatusCode::GATEWAY_TIMEOUT,
                "the upstream's answer was not whole in time",
            ),
            BodyEnd::Aborted => lost(
                ErrorCode::ConnectionLost,
                ExchangeEnd::UpstreamAbort,
                StatusCode::BAD_GATEWAY,
                "the upstream broke off in the middle of its answer",
            ),
        }
    }
}

fn error_code(status: StatusCode) -> ErrorCode {
    match status.as_u16() {
        400 | 422 => ErrorCode::BadRequest,
        401 => ErrorCode::Unauthorized,
        403 => ErrorCode::Forbidden,
        404 | 405 => ErrorCode::NotFound,
        408 | 504 => ErrorCode::Timeout,
        413 => ErrorCode::TooLarge,
        429 => ErrorCode::RateLimited,
        502 | 503 => ErrorCode::Unavailable,
        // An error under a status of success is the model server's own.
        200..=299 | 500..=599 => ErrorCode::UpstreamError,
        _ => ErrorCode::Other,
    }
}

/// Texts that may not stand in clear: field to text. Sealed as the payload `unlisted`.
#[derive(Default)]
struct Unlisted(Map<String, Value>);

impl Unlisted {
    /// The name, if it may stand in clear, else `unlisted`, and its text is kept here.
    fn name(&mut self, field: &str, text: &str, is_listed: bool) -> ClearName {
        match ClearName::new(text) {
            Ok(name) if is_listed && !name.is_unlisted() => name,
            _ => {
                self.0.insert(field.to_owned(), text.into());
                ClearName::unlisted()
            }
        }
    }

    fn add_to(self, event: NewEvent) -> NewEvent {
        if self.0.is_empty() { event } else { event.with(PayloadRole::Unlisted, json(Value::Object(self.0))) }
    }
}

/// What a route's decisions say of how they were captured.
pub(crate) fn capture(route: &Route, gap: Option<&Gap>, bytes_dropped: u64) -> Capture {
    let is_complete = gap.is_none() && bytes_dropped == 0;
    Capture {
        adapter: ClearName::or_unlisted(route.wire.name()),
        adapter_version: ClearName::or_unlisted(env!("CARGO_PKG_VERSION")),
        bytes_dropped: Count(bytes_dropped),
        completeness: if is_complete { Completeness::Complete } else { Completeness::Partial },
        method: CaptureMethod::Gateway,
    }
}

/// Of a body: what could not be read of it makes its capture partial.
fn capture_of(route: &Route, content: &Content, gap: Option<&Gap>) -> Capture {
    let dropped = match content.end {
        BodyEnd::OverLimit { bytes_min } => bytes_min,
        _ => 0,
    };
    let mut capture = capture(route, gap, dropped);
    if content.end != BodyEnd::Complete || content.decoded.is_err() {
        capture.completeness = Completeness::Partial;
    }
    capture
}

/// The opening of a decision.
pub(crate) fn opening(route: &Route, asked: &Asked, subjects: Vec<Bytes>) -> NewDecision {
    let mut unlisted = Unlisted::default();
    let body = DecisionOpened {
        context: Some(context(route, &asked.head.headers, &mut unlisted)),
        method: Some(method(&asked.head.method)),
        route: Some(route.name.clone()),
        wire: Some(wire(&route.wire)),
    };
    let aborted = (Why::ClientAborted, Why::TimedOut);
    let mut event = NewEvent::new(body).with(
        PayloadRole::InputRaw,
        recorded(&asked.content, &asked.head.headers, asked.facts.gap.as_ref(), aborted),
    );
    let target = asked.head.uri.path_and_query().map_or("", |target| target.as_str());
    let first = [(":method", asked.head.method.as_str()), (":path", target)];
    event = event.with(PayloadRole::Headers, json(headers::recorded(&asked.head.headers, &first)));
    let mut ids: Map<String, Value> =
        headers::external_ids(&asked.head.headers).map(|(name, id)| (name.to_owned(), id.into())).collect();
    if let Some(id) = &asked.facts.id {
        ids.insert("id".to_owned(), id.as_str().into());
    }
    if !ids.is_empty() {
        event = event.with(PayloadRole::ExternalIds, json(Value::Object(ids)));
    }
    event = unlisted.add_to(event);
    event.capture = Some(capture_of(route, &asked.content, asked.facts.gap.as_ref()));
    event.started_at = Some(asked.began.at);
    NewDecision { subjects, class: RetentionClass::default(), opened: event }
}

/// Everything after the opening.
pub(crate) fn rest(
    route: &Route,
    asked: &Asked,
    called: &Called,
    verdict: &Verdict,
    called_at: Moment,
) -> Vec<NewEvent> {
    let mut events = vec![inference(route, asked, called, verdict, called_at)];
    if verdict.step == StepOutcome::Ok {
        events.push(output(route));
    }
    // The inference has the error; the end of the decision refers to it.
    let error = verdict.error.map(|_| NewContent::Again(PayloadRole::Error));
    events.push(closing(route, verdict, told(called), error, asked.began));
    events
}

fn told(called: &Called) -> Option<&Told> {
    match called {
        Called::Told(told) => Some(told),
        Called::Failed(_) | Called::ClientGone => None,
    }
}

/// The end of a decision whose request never became whole.
pub(crate) fn refusal(route: &Route, verdict: &Verdict, began: Moment) -> NewEvent {
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
    body.status = told.map(|told| told.head.status.as_u16());
    let mut event = NewEvent::new(body);
    event.payloads.extend(error.map(|content| NewPayload { role: PayloadRole::Error, content }));
    event.capture = Some(capture(route, None, 0));
    event.ended_at = Some(began.later());
    event
}

fn inference(
    route: &Route,
    asked: &Asked,
    called: &Called,
    verdict: &Verdict,
    called_at: Moment,
) -> NewEvent {
    let told = told(called);
    let mut unlisted = Unlisted::default();
    let body = Inference {
        error: verdict.error,
        finish_reason: None,
        model: model(route, asked, told, &mut unlisted),
        outcome: verdict.step,
        prompts: Vec::new().into(),
        status: told.map(|told| told.head.status.as_u16()),
        stream: None,
        time_to_first_byte_ns: told
            .map(|told| Count(u64::try_from(told.first_byte.as_nanos()).unwrap_or(u64::MAX))),
        usage: None,
        wire: Some(wire(&route.wire)),
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
    event = match (told, called) {
        (Some(told), _) => answered(event, asked, told),
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
        let message =
            message.map(|text| String::from_utf8_lossy(&text[..text.len().min(ERROR_TEXT_BYTES_MAX)]));
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
    event
}

/// What came back.
fn answered(event: NewEvent, asked: &Asked, told: &Told) -> NewEvent {
    let broken = (Why::UpstreamAborted, Why::TimedOut);
    let status = told.head.status.as_u16().to_string();
    let mut event = event
        .with(
            PayloadRole::OutputRaw,
            recorded(&told.content, &told.head.headers, told.facts.gap.as_ref(), broken),
        )
        .with(PayloadRole::Headers, json(headers::recorded(&told.head.headers, &[(":status", &status)])));
    let mut ids: Map<String, Value> =
        headers::external_ids(&told.head.headers).map(|(name, id)| (name.to_owned(), id.into())).collect();
    if let Some(id) = told.facts.id.as_ref().filter(|id| asked.facts.id.as_ref() != Some(id)) {
        ids.insert("id".to_owned(), id.as_str().into());
    }
    if !ids.is_empty() {
        event = event.with(PayloadRole::ExternalIds, json(Value::Object(ids)));
    }
    event
}

/// What a gateway can say of the final answer: that it does not see what becomes of the one it released.
fn output(route: &Route) -> NewEvent {
    let mut event = NewEvent::new(Output::default())
        .with(PayloadRole::OutputProcessed, NewContent::Absent(Why::NotVisible))
        .with(PayloadRole::OutputFinal, NewContent::Absent(Why::NotVisible));
    event.capture = Some(capture(route, None, 0));
    event
}

/// A body's content: what can be read best of it, if any of it came.
fn recorded(
    content: &Content,
    headers: &HeaderMap,
    gap: Option<&Gap>,
    (aborted, timed_out): (Why, Why),
) -> NewContent {
    match content.end {
        BodyEnd::OverLimit { .. } => NewContent::Absent(Why::OverLimit),
        BodyEnd::Aborted if content.raw.is_empty() => NewContent::Absent(aborted),
        BodyEnd::TimedOut if content.raw.is_empty() => NewContent::Absent(timed_out),
        _ => {
            let declared =
                headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(MediaType::from_header);
            let media_type = match declared {
                _ if content.decoded.is_err() || gap == Some(&Gap::BinaryTensors) => MediaType::Bytes,
                Some(declared) => declared,
                // Nothing was declared, but the wire read it.
                None if gap.is_none() => MediaType::Json,
                None => MediaType::Bytes,
            };
            NewContent::personal(media_type, content.legible().clone())
        }
    }
}

fn model(route: &Route, asked: &Asked, told: Option<&Told>, unlisted: &mut Unlisted) -> Model {
    let is_success = told.is_some_and(|told| told.head.status.is_success() && told.facts.error.is_none());
    let facts = told.map(|told| &told.facts);
    let requested = asked.facts.model.as_deref();
    let returned = facts.and_then(|facts| facts.model.as_deref());
    let version = facts.and_then(|facts| facts.version.as_deref()).or(asked.facts.version.as_deref());
    let is_known = |name: &str| is_success || route.models.iter().any(|known| known.as_str() == name);
    let mut clear =
        |field: &str, text: Option<&str>| text.map(|text| unlisted.name(field, text, is_known(text)));
    let names = [
        clear("model.requested", requested),
        clear("model.returned", returned),
        clear("model.version", version),
    ];
    let why = |answer: AbsentReason| match told {
        None => AbsentReason::NoAnswer,
        Some(told) if told.facts.gap.is_some() => AbsentReason::NotParsed,
        Some(_) => answer,
    };
    let on_wire = match route.wire {
        Wire::KserveV1 => AbsentReason::NotOnWire,
        Wire::OipV2 | Wire::Json(_) => why(AbsentReason::NotAnswered),
    };
    let absent = ModelAbsent {
        deployment: Some(AbsentReason::NotConfigured),
        digest: Some(AbsentReason::NotConfigured),
        fingerprint: Some(AbsentReason::NotOnWire),
        requested: requested.is_none().then_some(AbsentReason::NotAsked),
        returned: returned.is_none().then_some(on_wire),
        version: version.is_none().then_some(on_wire),
    };
    let [named, answered, versioned] = names;
    Model {
        absent: Some(absent),
        deployment: None,
        digest: None,
        fingerprint: None,
        identity: identity(returned.or(requested), version, None),
        requested: named,
        returned: answered,
        version: versioned,
    }
}

fn context(route: &Route, headers: &HeaderMap, unlisted: &mut Unlisted) -> Context {
    // Where nothing is configured that itself is said, not guessed.
    let mut context =
        Context { environment: Some(ClearName::or_unlisted("unspecified")), ..Context::default() };
    for (member, from) in &route.context {
        let (slot, field) = match member {
            ContextMember::Flags => {
                context.flags = values(from, headers, "context.flags", unlisted).into();
                continue;
            }
            ContextMember::Build => (&mut context.build, "context.build"),
            ContextMember::Environment => (&mut context.environment, "context.environment"),
            ContextMember::Region => (&mut context.region, "context.region"),
            ContextMember::Variant => (&mut context.variant, "context.variant"),
        };
        if let Some(value) = values(from, headers, field, unlisted).into_iter().next() {
            *slot = Some(value);
        }
    }
    context
}

fn values(from: &ContextFrom, headers: &HeaderMap, field: &str, unlisted: &mut Unlisted) -> Vec<ClearName> {
    match from {
        ContextFrom::Fixed(values) => values.clone(),
        ContextFrom::Header { name, values } => headers
            .get_all(name)
            .iter()
            .take(inferlog_record::LIST_ITEMS_MAX)
            .map(|value| {
                let text = String::from_utf8_lossy(value.as_bytes());
                unlisted.name(field, &text, values.iter().any(|known| known.as_str() == text))
            })
            .collect(),
    }
}

fn method(method: &Method) -> body::Method {
    match *method {
        Method::GET => body::Method::Get,
        Method::POST => body::Method::Post,
        Method::PUT => body::Method::Put,
        Method::PATCH => body::Method::Patch,
        Method::DELETE => body::Method::Delete,
        _ => body::Method::Other,
    }
}

fn wire(wire: &Wire) -> body::Wire {
    match wire {
        Wire::OipV2 => body::Wire::OipRest,
        Wire::KserveV1 => body::Wire::KserveV1,
        Wire::Json(_) => body::Wire::Other,
    }
}

fn json(content: impl IntoJson) -> NewContent {
    NewContent::personal(MediaType::Json, content.into_json())
}

/// What becomes JSON bytes, or is them already.
trait IntoJson {
    fn into_json(self) -> Bytes;
}

impl IntoJson for Value {
    fn into_json(self) -> Bytes {
        self.to_string().into()
    }
}

impl IntoJson for Bytes {
    fn into_json(self) -> Bytes {
        self
    }
}
