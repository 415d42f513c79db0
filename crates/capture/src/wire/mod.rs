//! Wires: from one HTTP exchange to the facts that its record states. Pure: bytes in, facts out, never a panic.
//!
//! A wire answers three questions. [`Wire::classify`]: is this request an inference, something harmless of the same
//! protocol, or unknown? [`Wire::request`] and [`Wire::response`]: what do the two bodies say? What a body does not say, or
//! says in a way that cannot be read, is a [`Gap`], never a guess; the bytes themselves are recorded whatever they are.
//!
//! What is not known to be harmless is [`Kind::Unknown`] and is refused by the route unless it says `passthrough`: a
//! server's further endpoints (Triton's `/generate`, say) are inferences too, and would otherwise go unrecorded.

mod anthropic;
mod facts;
mod frames;
pub mod grpc;
mod json;
mod kserve;
mod oip;
mod oip_grpc;
mod ollama;
mod openai;
mod parts;
mod path;
mod pointers;
mod protobuf;
mod sse;
mod table;

pub use facts::{
    Finish, PromptFact, ReasoningFact, RequestFacts, ResponseFacts, TOLD_MAX, ToolCallFact, ToolResult,
};
pub use frames::{Ending, Frames, Framing};
pub use json::{POINTER_TOKENS_MAX, Pointer, PointerError};
pub use pointers::JsonWire;
pub use table::{Item, Supply, table};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde_json::value::RawValue;

/// The protocols that routes may speak. A closed set: each is a file beside this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Open Inference Protocol v2 over REST, `/v2/…`.
    OipV2,
    /// Open Inference Protocol v2 over gRPC.
    OipGrpc,
    /// KServe v1, `/v1/models/…`.
    KserveV1,
    /// OpenAI: Chat Completions, Completions, Embeddings, Responses; also under Azure's paths.
    OpenAi,
    /// Anthropic Messages.
    Anthropic,
    /// Ollama's own API.
    Ollama,
    /// Any JSON over HTTP, read by configured pointers.
    Json(Box<JsonWire>),
}

/// What a request is, by its method and path alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One inference: to be recorded as a decision.
    Inference(Call),
    /// Health, metadata, model control: passed on and counted, no decision.
    Control,
    /// Not known to this wire: might be an inference, so it is refused unless the route passes such requests through.
    Unknown,
}

/// What method and path say of an inference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The model that the path names, percent-decoded.
    pub model: Option<String>,
    /// The model's version that the path names, percent-decoded.
    pub version: Option<String>,
    /// The deployment that the path names, percent-decoded.
    pub deployment: Option<String>,
    /// What the path asks of the model.
    pub operation: Operation,
}

/// What is asked of the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Operation {
    /// An inference (`infer`, `:predict`, a JSON route).
    #[default]
    Infer,
    /// An explanation of one (`:explain`).
    Explain,
    /// OpenAI Chat Completions, Ollama's `/api/chat`.
    Chat,
    /// OpenAI Completions.
    Completions,
    /// OpenAI Embeddings, Ollama's `/api/embed` and `/api/embeddings`.
    Embeddings,
    /// OpenAI Responses.
    Responses,
    /// Anthropic Messages.
    Messages,
    /// Ollama's `/api/generate`.
    Generate,
    /// A stream of inferences (`ModelStreamInfer`).
    InferStream,
}

/// Why an exchange's facts are not complete.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Gap {
    /// The body is not JSON.
    #[error("the body is not JSON")]
    NotJson,
    /// The body is not UTF-8, as JSON must be (RFC 8259, section 8.1).
    #[error("the body is not UTF-8")]
    InvalidUtf8,
    /// The body is JSON, but no object.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// A member that the protocol requires is missing.
    #[error("`{0}` is missing")]
    Missing(String),
    /// A member is of another type than the protocol says.
    #[error("`{0}` is of another type than the protocol says")]
    WrongType(String),
    /// A name stands twice in an object: which of the two the server used is not known.
    #[error("a name stands twice in an object")]
    Duplicate,
    /// The body is not a protobuf message.
    #[error("the body is not a protobuf message")]
    NotProtobuf,
    /// Tensors in binary form are not as long, or as many, as the message says.
    #[error("tensors in binary form are not as long, or as many, as is said of them")]
    TensorLength,
    /// Tensors have their contents in two forms: which of the two the server used is not known.
    #[error("tensors have their contents in two forms")]
    TwoContents,
    /// The contents of a tensor are in memory that caller and server share, and not in the body.
    #[error("a tensor is in shared memory, where it is not seen")]
    SharedMemory,
    /// More members than are read.
    #[error("`{0}` has more members than are read")]
    TooMany(String),
}

impl Gap {
    /// A fixed name for the record: no text of the caller's is in it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotJson => "not_json",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::NotAnObject => "not_an_object",
            Self::Missing(_) => "missing_member",
            Self::WrongType(_) => "wrong_type",
            Self::Duplicate => "duplicate_member",
            Self::NotProtobuf => "not_protobuf",
            Self::TensorLength => "tensor_length",
            Self::TwoContents => "two_contents",
            Self::SharedMemory => "shared_memory",
            Self::TooMany(_) => "too_many",
        }
    }
}

impl Wire {
    /// The wire's name in configuration and in the record.
    pub fn name(&self) -> &'static str {
        match self {
            Self::OipV2 => "oip-v2",
            Self::OipGrpc => "oip-grpc",
            Self::KserveV1 => "kserve-v1",
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Ollama => "ollama",
            Self::Json(_) => "json",
        }
    }

    /// The wire of a call, in the record's words.
    pub fn recorded(&self, call: &Call) -> inferlog_record::body::Wire {
        use inferlog_record::body::Wire;
        match (self, call.operation) {
            (Self::OipV2, _) => Wire::OipRest,
            (Self::OipGrpc, _) => Wire::OipGrpc,
            (Self::KserveV1, _) => Wire::KserveV1,
            (Self::OpenAi, Operation::Completions) => Wire::OpenaiCompletions,
            (Self::OpenAi, Operation::Embeddings) => Wire::OpenaiEmbeddings,
            (Self::OpenAi, Operation::Responses) => Wire::OpenaiResponses,
            (Self::OpenAi, _) => Wire::OpenaiChat,
            (Self::Anthropic, _) => Wire::AnthropicMessages,
            (Self::Ollama, Operation::Generate) => Wire::OllamaGenerate,
            (Self::Ollama, Operation::Embeddings) => Wire::OllamaEmbed,
            (Self::Ollama, _) => Wire::OllamaChat,
            (Self::Json(_), _) => Wire::Other,
        }
    }

    /// How the answer streams, if these are the headers of a stream: where it may be cut, and what ends it.
    pub fn frames(&self, call: &Call, headers: &HeaderMap) -> Option<Frames> {
        let content_type = headers.get(http::header::CONTENT_TYPE)?.to_str().ok()?;
        let framing = Framing::of(content_type)?;
        let ending = match self {
            Self::OpenAi => openai::ending(call),
            Self::Anthropic => anthropic::ENDING,
            Self::Ollama => ollama::ENDING,
            Self::OipV2 | Self::OipGrpc | Self::KserveV1 | Self::Json(_) => Ending::Unmarked,
        };
        Some(Frames::new(framing, ending))
    }

    /// What a request is. `path` is the raw path as it will reach the server, without its query.
    pub fn classify(&self, method: &Method, path: &str) -> Kind {
        let Some(segments) = path::segments(path) else { return Kind::Unknown };
        match self {
            Self::OipV2 => oip::classify(method, &segments),
            Self::OipGrpc => oip_grpc::classify(method, &segments),
            Self::KserveV1 => kserve::classify(method, &segments),
            Self::OpenAi => openai::classify(method, &segments),
            Self::Anthropic => anthropic::classify(method, &segments),
            Self::Ollama => ollama::classify(method, &segments),
            Self::Json(json) => json.classify(method),
        }
    }

    /// Whether it is gRPC: bodies are sequences of messages, and trailers say how a call ended.
    pub fn is_grpc(&self) -> bool {
        matches!(self, Self::OipGrpc)
    }

    /// Whether these are the headers of a body that holds more than its declared type says: tensors after its JSON.
    pub fn is_binary(&self, headers: &HeaderMap) -> bool {
        *self == Self::OipV2 && oip::is_binary(headers)
    }

    /// What a request says. `body` is free of content codings; of gRPC it is one message, free of its prefix too.
    pub fn request(&self, call: &Call, headers: &HeaderMap, body: &Bytes) -> RequestFacts {
        let mut facts = match self {
            Self::OipV2 => oip::request(headers, body),
            Self::OipGrpc => oip_grpc::request(body),
            Self::KserveV1 => kserve::request(body),
            Self::OpenAi => openai::request(call, body),
            Self::Anthropic => anthropic::request(body),
            Self::Ollama => ollama::request(call, body),
            Self::Json(json) => json.request(body),
        };
        facts.model = call.model.clone().or(facts.model);
        facts.version = call.version.clone().or(facts.version);
        facts
    }

    /// What a response says. `body` is free of content codings; of gRPC it is one message, free of its prefix too, and
    /// `headers` are those of the head and of the trailers.
    pub fn response(
        &self,
        call: &Call,
        status: StatusCode,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> ResponseFacts {
        let mut facts = match self {
            Self::OipV2 => oip::response(headers, body),
            // A proxy on the way, say, that knows no gRPC.
            Self::OipGrpc if !status.is_success() => ResponseFacts::default(),
            Self::OipGrpc => oip_grpc::response(call, Some(headers), body),
            Self::KserveV1 => kserve::response(call, body),
            Self::OpenAi => openai::response(call, headers, body),
            Self::Anthropic => anthropic::response(headers, body),
            Self::Ollama => ollama::response(call, headers, body),
            Self::Json(json) => json.response(body),
        };
        // A terminator that the reading did not take for one, a client may have: nothing broke off.
        if facts.broken_off
            && let Some(mut frames) = self.frames(call, headers)
        {
            frames.push(body);
            facts.broken_off = !frames.is_over();
        }
        if !status.is_success() {
            // An error's body need not be of the protocol: it is the message then, and nothing is missing.
            facts.gap = None;
            facts.error = facts.error.or_else(|| Some(body.clone()));
        }
        facts
    }
}

/// What one message in the middle of a gRPC stream says.
pub fn streamed(call: &Call, message: &Bytes) -> ResponseFacts {
    oip_grpc::response(call, None, message)
}

/// Collects facts and keeps the first gap.
struct Reader<'a> {
    body: &'a Bytes,
    gap: Option<Gap>,
}

impl<'a> Reader<'a> {
    fn new(body: &'a Bytes) -> Self {
        Self { body, gap: None }
    }

    fn gap(&mut self, gap: Gap) {
        self.gap.get_or_insert(gap);
    }

    /// The outermost members of these names; none of them where the body is no JSON object.
    fn members<const N: usize>(&mut self, names: [&'static str; N]) -> [Option<&'a RawValue>; N] {
        let found = json::text(self.body).and_then(|text| json::members(text, &names));
        self.take(found).unwrap_or_default().try_into().unwrap_or([None; N])
    }

    /// What the pointers lead to; nothing where the body is no JSON.
    fn pointers(&mut self, pointers: &[&Pointer]) -> Vec<Option<&'a RawValue>> {
        let found = json::text(self.body).and_then(|text| json::resolve(text, pointers));
        self.take(found).unwrap_or_else(|| vec![None; pointers.len()])
    }

    fn take(&mut self, found: Result<json::Found<'a>, Gap>) -> Option<Vec<Option<&'a RawValue>>> {
        match found {
            Ok(found) => {
                if found.duplicate {
                    self.gap(Gap::Duplicate);
                }
                Some(found.values.into_iter().map(|value| value.filter(|v| !json::is_null(v))).collect())
            }
            Err(gap) => {
                self.gap(gap);
                None
            }
        }
    }

    /// A name or an id, where it is there.
    fn scalar(&mut self, name: &str, value: Option<&RawValue>) -> Option<String> {
        let text = json::scalar(value?);
        if text.is_none() {
            self.gap(Gap::WrongType(name.to_owned()));
        }
        text
    }

    /// The value's own bytes, shared with the body.
    fn slice(&self, value: Option<&'a RawValue>) -> Option<Bytes> {
        Some(self.body.slice_ref(value?.get().as_bytes()))
    }

    /// A member that must be there, and be an array.
    fn array(&mut self, name: &str, value: Option<&'a RawValue>) -> Option<Bytes> {
        match value {
            Some(value) if json::is_array(value) => {}
            Some(_) => self.gap(Gap::WrongType(name.to_owned())),
            None => self.gap(Gap::Missing(name.to_owned())),
        }
        self.slice(value)
    }

    /// An error's message: the text of a string, the JSON of anything else.
    fn message(&self, value: Option<&'a RawValue>) -> Option<Bytes> {
        match value?.get().as_bytes().first()? {
            b'"' => json::scalar(value?).map(Bytes::from).or_else(|| self.slice(value)),
            _ => self.slice(value),
        }
    }
}

/// The text that a pointer leads to in a body, or the texts of an array that it leads to, at most `max` of them.
pub(crate) fn texts(body: &Bytes, pointer: &Pointer, max: usize) -> Vec<Bytes> {
    let mut read = Reader::new(body);
    let found = read.pointers(&[pointer]);
    let Some(Some(value)) = found.first() else { return Vec::new() };
    if !json::is_array(value) {
        return json::scalar(value).map(Bytes::from).into_iter().collect();
    }
    json::items(value, max).iter().filter_map(|item| json::scalar(item)).map(Bytes::from).collect()
}
