//! Whether an answer's stages are the same bytes: what the model said, what the application made of it, what the user saw.

use super::attach::How;
use crate::recorder::{Answer, NewContent, NewEvent};
use crate::wire::{self, Call, Operation};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode};
use inferlog_record::body::{Body, Identical, Tri, Wire};
use inferlog_record::{ClearName, MediaType, PayloadRole, SystemName};

/// What a model said, without the wire around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    bytes: Bytes,
    /// The text of it, where it is a JSON string.
    text: Option<Bytes>,
}

impl Words {
    /// The words in an answer; `None` if they cannot be told from it.
    pub(super) fn of(answer: Answer, system: &SystemName, how: &How) -> Option<Self> {
        let Some(recorded) = answer.wire else {
            // An application told of the call, and said what the model said.
            return Some(Self { bytes: answer.bytes.into(), text: None });
        };
        let (wire, operation) = spoken(recorded, answer.route.as_ref(), system, how)?;
        let call = Call { operation, ..Call::default() };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.media_type.as_str()));
        let status = StatusCode::from_u16(answer.status.unwrap_or(200)).unwrap_or_default();
        let facts = wire.response(&call, status, &headers, &answer.bytes.into());
        let bytes =
            facts.output.or(facts.refusal).filter(|_| facts.gap.is_none() && facts.error.is_none())?;
        let is_json = matches!(wire, wire::Wire::OipV2 | wire::Wire::KserveV1 | wire::Wire::Json(_));
        let text = serde_json::from_slice::<String>(&bytes).ok().filter(|_| is_json).map(Bytes::from);
        Some(Self { bytes, text })
    }

    fn are(&self, said: &(MediaType, Bytes)) -> bool {
        match &self.text {
            Some(text) if said.0 == MediaType::Text => *text == said.1,
            _ => self.bytes == said.1,
        }
    }
}

/// The wire of an answer, as a route would speak it.
fn spoken(
    recorded: Wire,
    route: Option<&ClearName>,
    system: &SystemName,
    how: &How,
) -> Option<(wire::Wire, Operation)> {
    Some(match recorded {
        Wire::OipRest => (wire::Wire::OipV2, Operation::Infer),
        Wire::OipGrpc => (wire::Wire::OipGrpc, Operation::Infer),
        Wire::KserveV1 => (wire::Wire::KserveV1, Operation::Infer),
        Wire::OpenaiChat => (wire::Wire::OpenAi, Operation::Chat),
        Wire::OpenaiCompletions => (wire::Wire::OpenAi, Operation::Completions),
        Wire::OpenaiEmbeddings => (wire::Wire::OpenAi, Operation::Embeddings),
        Wire::OpenaiResponses => (wire::Wire::OpenAi, Operation::Responses),
        Wire::AnthropicMessages => (wire::Wire::Anthropic, Operation::Messages),
        Wire::OllamaChat => (wire::Wire::Ollama, Operation::Chat),
        Wire::OllamaGenerate => (wire::Wire::Ollama, Operation::Generate),
        Wire::OllamaEmbed => (wire::Wire::Ollama, Operation::Embeddings),
        // What the answer means, its route says.
        Wire::Other => {
            let route = route?;
            let found = how.wires.iter().find(|(name, of, _)| of == system && name == route)?;
            (found.2.clone(), Operation::Infer)
        }
        Wire::Otlp | Wire::CloudEvents => return None,
    })
}

/// The answer of a model call that stands in the same batch.
pub(super) fn told(event: &NewEvent) -> Option<Words> {
    let (_, bytes) =
        stage(event, PayloadRole::OutputRaw).filter(|_| matches!(event.body, Body::Inference(_)))?;
    Some(Words { bytes, text: None })
}

/// Fills in whether the stages of an `output` are identical.
pub(super) fn fill(event: &mut NewEvent, raw: Option<&Words>) {
    let processed = stage(event, PayloadRole::OutputProcessed);
    let shown = stage(event, PayloadRole::OutputFinal);
    if let Body::Output(output) = &mut event.body {
        output.identical = Identical {
            raw_processed: both(raw, processed.as_ref(), |raw, processed| raw.are(processed)),
            processed_final: both(processed.as_ref(), shown.as_ref(), |one, other| one.1 == other.1),
        };
    }
}

fn both<A, B>(one: Option<&A>, other: Option<&B>, are_same: impl FnOnce(&A, &B) -> bool) -> Tri {
    one.zip(other).map_or(Tri::Unknown, |(one, other)| are_same(one, other).into())
}

/// Content of an event, as given.
fn stage(event: &NewEvent, role: PayloadRole) -> Option<(MediaType, Bytes)> {
    let found = event.payloads.iter().find(|payload| payload.role == role)?;
    match &found.content {
        NewContent::Sealed { media_type, bytes, .. } => Some((*media_type, bytes.clone())),
        NewContent::Again(first) if *first != role => stage(event, *first),
        NewContent::Again(_) | NewContent::Absent(_) => None,
    }
}
