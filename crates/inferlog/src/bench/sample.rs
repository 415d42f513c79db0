//! The decision that is recorded over and over: what a gateway records of one inference, with 2 KB in and 2 KB out.

use bytes::Bytes;
use inferlog_capture::recorder::{NewContent, NewDecision, NewEvent, closed};
use inferlog_record::body::{
    AbsentReason, DecisionClosed, DecisionOpened, ExchangeEnd, Inference, Method, Model, ModelAbsent,
    ModelIdentity, Outcome, StepOutcome, Wire,
};
use inferlog_record::{
    Capture, CaptureMethod, ClearName, Completeness, Count, MediaType, PayloadRole, Timestamp,
};

/// Bytes of each of the two contents.
pub(crate) const CONTENT_BYTES: usize = 2_048;
/// Durable writes of one decision.
pub(crate) const WRITES_PER_DECISION: f64 = 2.0;

const POOL: usize = 64;

/// Contents to record, all different.
#[derive(Clone)]
pub(crate) struct Samples {
    contents: Vec<Bytes>,
}

impl Samples {
    /// Contents of so many bytes: tensors in JSON, of random numbers.
    pub(crate) fn new(content_bytes: usize) -> Self {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut content = || {
            let mut text =
                String::from(r#"{"inputs":[{"name":"x","shape":[1,200],"datatype":"FP64","data":["#);
            while text.len() < content_bytes {
                text.push_str(&format!("{:.6},", rng.f64() * 100.0));
            }
            text.truncate(content_bytes);
            Bytes::from(text)
        };
        Self { contents: (0..POOL).map(|_| content()).collect() }
    }

    /// One of the contents.
    pub(crate) fn content(&self, number: usize) -> Bytes {
        self.contents[number % POOL].clone()
    }

    /// A decision that begins.
    pub(crate) fn decision(&self, number: usize, subject: Option<String>) -> NewDecision {
        let content = NewContent::personal(MediaType::Json, self.content(number));
        let mut decision = NewDecision::new(NewEvent::new(opened()).with(PayloadRole::InputRaw, content));
        decision.opened.started_at = Some(now());
        decision.opened.capture = Some(capture());
        decision.subjects = subject.into_iter().map(Bytes::from).collect();
        decision
    }

    /// How it goes on and ends.
    pub(crate) fn rest(&self, number: usize) -> Vec<NewEvent> {
        let output = NewContent::personal(MediaType::Json, self.content(number + 1));
        let mut call = NewEvent::new(inference())
            .with(PayloadRole::InputAssembled, NewContent::Again(PayloadRole::InputRaw))
            .with(PayloadRole::OutputRaw, output);
        let mut end = NewEvent::new(ended());
        for event in [&mut call, &mut end] {
            event.capture = Some(capture());
            (event.started_at, event.ended_at) = (Some(now()), Some(now()));
        }
        vec![call, end]
    }
}

fn name(text: &str) -> ClearName {
    ClearName::or_unlisted(text)
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp(since.map_or(0, |since| since.as_nanos() as u64))
}

pub(crate) fn opened() -> DecisionOpened {
    DecisionOpened {
        context: None,
        method: Some(Method::Post),
        route: Some(name("oip-v2")),
        wire: Some(Wire::OipRest),
    }
}

pub(crate) fn inference() -> Inference {
    let absent = ModelAbsent {
        deployment: Some(AbsentReason::NotConfigured),
        digest: Some(AbsentReason::NotRegistered),
        fingerprint: Some(AbsentReason::NotOnWire),
        ..ModelAbsent::default()
    };
    let model = Model {
        absent: Some(absent),
        deployment: None,
        digest: None,
        fingerprint: None,
        identity: ModelIdentity::Exact,
        requested: Some(name("bench")),
        returned: Some(name("bench")),
        version: Some(name("1")),
    };
    Inference {
        choices: None,
        error: None,
        finish_reason: None,
        model,
        outcome: StepOutcome::Ok,
        prompts: Vec::new().into(),
        status: Some(200),
        stream: Some(false),
        time_to_first_byte_ns: Some(Count(1_000_000)),
        toolsets: Vec::new().into(),
        usage: None,
        wire: Some(Wire::OipRest),
    }
}

pub(crate) fn ended() -> DecisionClosed {
    DecisionClosed {
        status: Some(200),
        time_to_first_byte_ns: Some(Count(1_100_000)),
        ..closed(Outcome::Answered, ExchangeEnd::Complete)
    }
}

pub(crate) fn capture() -> Capture {
    Capture {
        adapter: name("oip-rest"),
        adapter_version: name("1"),
        bytes_dropped: Count(0),
        completeness: Completeness::Complete,
        method: CaptureMethod::Gateway,
    }
}
