//! Open Inference Protocol v2 over gRPC: `inference.GRPCInferenceService`, by the numbers of KServe's
//! `open_inference_grpc.proto` and of Triton's `grpc_service.proto`, which adds `ModelStreamInfer`.
//!
//! What is read is one message, free of its prefix and compression. Answers of a stream differ: Triton wraps each in a
//! `ModelStreamInferResponse` with an error beside it, MLServer sends `ModelInferResponse` as it is.

use super::grpc::Status;
use super::protobuf::{Fields, Value};
use super::table::Endpoint;
use super::{Call, Ending, Gap, Item, Kind, Operation, RequestFacts, ResponseFacts, Supply};
use bytes::Bytes;
use http::{HeaderMap, Method};
use inferlog_record::body::ErrorCode;
use serde_json::{Map, Number, Value as Json};

/// The most parameters that are read of one message.
const PARAMETERS_MAX: usize = 1024;

/// The parameter of a tensor whose content is in memory that caller and server share.
const SHARED_MEMORY: &str = "shared_memory_region";

pub(super) fn classify(method: &Method, segments: &[String]) -> Kind {
    let [service, name] = segments else { return Kind::Unknown };
    if method != Method::POST {
        return Kind::Unknown;
    }
    let infer = |operation| Kind::Inference(Call { operation, ..Call::default() });
    match (service.as_str(), name.as_str()) {
        ("inference.GRPCInferenceService", "ModelInfer") => infer(Operation::Infer),
        ("inference.GRPCInferenceService", "ModelStreamInfer") => infer(Operation::InferStream),
        (
            "inference.GRPCInferenceService",
            "ServerLive"
            | "ServerReady"
            | "ModelReady"
            | "ServerMetadata"
            | "ModelMetadata"
            | "ModelConfig"
            | "ModelStatistics"
            | "RepositoryIndex"
            | "RepositoryModelLoad"
            | "RepositoryModelUnload",
        )
        | ("grpc.health.v1.Health", "Check" | "List" | "Watch")
        | (
            "grpc.reflection.v1.ServerReflection" | "grpc.reflection.v1alpha.ServerReflection",
            "ServerReflectionInfo",
        ) => Kind::Control,
        _ => Kind::Unknown,
    }
}

/// Of a `ModelInferRequest`.
pub(super) fn request(message: &Bytes) -> RequestFacts {
    let mut said = Said::of(message, 7);
    if said.model.is_none() {
        said.gap(Gap::Missing("model_name".to_owned()));
    }
    RequestFacts {
        model: said.model,
        version: said.version,
        id: said.id,
        params: said.params.map(|params| Json::Object(params).to_string().into()),
        input: Some(message.clone()),
        gap: said.gap,
        ..RequestFacts::default()
    }
}

/// Of a `ModelInferResponse`, or in a stream also of a `ModelStreamInferResponse`. `ended`: the headers and trailers that say
/// how the call ended; none for a message in the middle of a stream.
pub(super) fn response(call: &Call, ended: Option<&HeaderMap>, message: &Bytes) -> ResponseFacts {
    let (error, inner) = match call.operation {
        Operation::InferStream => unwrap(message),
        _ => (None, message.as_ref()),
    };
    let said = Said::of(inner, 6);
    let mut facts = ResponseFacts {
        model: said.model,
        version: said.version,
        id: said.id,
        params: said.params.map(|params| Json::Object(params).to_string().into()),
        output: error.is_none().then(|| message.clone()),
        error_code: error.as_ref().map(|_| ErrorCode::UpstreamError),
        error: error.map(Bytes::from),
        gap: said.gap,
        ..ResponseFacts::default()
    };
    let Some(ended) = ended else { return facts };
    match Status::of(ended) {
        None => facts.broken_off = true,
        Some(status) => {
            if let Some(code) = status.error() {
                facts.error_code = Some(code);
                facts.error = Some(Bytes::from(status.message));
                // Where a call failed there need be no message, and nothing is missing.
                (facts.output, facts.gap) = (None, None);
            }
        }
    }
    facts
}

/// What a message says that has the same place in requests and responses.
#[derive(Default)]
struct Said {
    model: Option<String>,
    version: Option<String>,
    id: Option<String>,
    params: Option<Map<String, Json>>,
    tensors: Tensors,
    gap: Option<Gap>,
}

/// How the contents of the tensors stand in a message.
#[derive(Default)]
struct Tensors {
    count: usize,
    typed: usize,
    raw: usize,
    shared: usize,
}

impl Said {
    fn of(message: &[u8], raw: u32) -> Self {
        let mut said = Self::default();
        for field in Fields::of(message) {
            let taken = field.and_then(|field| said.take(field.number, field.value, raw));
            if let Err(gap) = taken {
                said.gap(gap);
            }
        }
        if let Some(gap) = said.tensors.gap() {
            said.gap(gap);
        }
        said
    }

    /// Of a field that stands twice the last counts, as the encoding says.
    fn take(&mut self, number: u32, value: Value<'_>, raw: u32) -> Result<(), Gap> {
        match number {
            1 => self.model = name("model_name", value)?,
            2 => self.version = name("model_version", value)?,
            3 => self.id = name("id", value)?,
            4 => {
                let params = self.params.get_or_insert_default();
                let (key, value) = parameter(value.bytes("parameters")?)?;
                if params.len() == PARAMETERS_MAX && !params.contains_key(&key) {
                    return Err(Gap::TooMany("parameters".to_owned()));
                }
                params.insert(key, value);
            }
            5 => self.tensors.take(value.bytes("tensors")?)?,
            number if number == raw => {
                value.bytes("raw_contents")?;
                self.tensors.raw += 1;
            }
            _ => {}
        }
        Ok(())
    }

    fn gap(&mut self, gap: Gap) {
        self.gap.get_or_insert(gap);
    }
}

impl Tensors {
    /// Counts an input or output tensor.
    fn take(&mut self, tensor: &[u8]) -> Result<(), Gap> {
        self.count += 1;
        for field in Fields::of(tensor) {
            let field = field?;
            match field.number {
                4 if is_named(field.value.bytes("parameters")?, SHARED_MEMORY)? => self.shared += 1,
                5 if !field.value.bytes("contents")?.is_empty() => self.typed += 1,
                _ => {}
            }
        }
        Ok(())
    }

    fn gap(&self) -> Option<Gap> {
        match () {
            () if self.raw > 0 && self.typed > 0 => Some(Gap::TwoContents),
            () if self.raw > 0 && (self.raw > self.count || self.raw + self.shared < self.count) => {
                Some(Gap::TensorLength)
            }
            () => (self.shared > 0).then_some(Gap::SharedMemory),
        }
    }
}

/// A name or an id; the empty string says nothing, as proto3 has it.
fn name(field: &str, value: Value<'_>) -> Result<Option<String>, Gap> {
    Ok(Some(value.text(field)?).filter(|text| !text.is_empty()).map(str::to_owned))
}

/// Whether a map's entry has this key.
fn is_named(entry: &[u8], key: &str) -> Result<bool, Gap> {
    let mut is_named = false;
    for field in Fields::of(entry) {
        let field = field?;
        if field.number == 1 {
            is_named = field.value.bytes("key")? == key.as_bytes();
        }
    }
    Ok(is_named)
}

/// An entry of `map<string, InferParameter>`, its value as the REST form of the protocol has it.
fn parameter(entry: &[u8]) -> Result<(String, Json), Gap> {
    let (mut key, mut value) = (String::new(), Json::Null);
    for field in Fields::of(entry) {
        let field = field?;
        match field.number {
            1 => field.value.text("key")?.clone_into(&mut key),
            2 => {
                for choice in Fields::of(field.value.bytes("value")?) {
                    let choice = choice?;
                    value = parameter_value(choice.number, choice.value)?.unwrap_or(value);
                }
            }
            _ => {}
        }
    }
    Ok((key, value))
}

/// One choice of an `InferParameter`; `None` for one of the future.
fn parameter_value(number: u32, value: Value<'_>) -> Result<Option<Json>, Gap> {
    let wrong = || Gap::WrongType("parameters".to_owned());
    Ok(Some(match (number, value) {
        (1, Value::Varint(bool)) => Json::Bool(bool != 0),
        (2, Value::Varint(number)) => Json::Number(number.cast_signed().into()),
        (3, value) => Json::String(value.text("parameters")?.to_owned()),
        (4, Value::Fixed64(bytes)) => {
            let number = f64::from_le_bytes(bytes);
            // What is no number in JSON is a text, as protobuf's own JSON form has it.
            Number::from_f64(number).map_or_else(|| Json::String(number.to_string()), Json::Number)
        }
        (5, Value::Varint(number)) => Json::Number(number.into()),
        (1 | 2 | 4 | 5, _) => return Err(wrong()),
        _ => return Ok(None),
    }))
}

/// The error and the answer in a message of a stream: Triton's wrapper has no other fields, and an answer in the second;
/// MLServer's answers have a model's name and version in these places.
fn unwrap(message: &[u8]) -> (Option<String>, &[u8]) {
    let (mut error, mut inner): (_, &[u8]) = (None, &[]);
    for field in Fields::of(message) {
        match field {
            Ok(field) => match (field.number, field.value) {
                (1, Value::Bytes(text)) => error = Some(String::from_utf8_lossy(text).into_owned()),
                (2, Value::Bytes(bytes)) if Fields::of(bytes).all(|field| field.is_ok()) => inner = bytes,
                _ => return (None, message),
            },
            Err(_) => return (None, message),
        }
    }
    (error.filter(|error| !error.is_empty()), inner)
}

const SUPPLIES: &[(Item, Supply)] = &[
    (Item::ModelRequested, Supply::Always),
    (Item::VersionRequested, Supply::Sometimes),
    (Item::ParamsRequested, Supply::Sometimes),
    (Item::Input, Supply::Always),
    (Item::RequestId, Supply::Sometimes),
    (Item::ModelReturned, Supply::Always),
    (Item::Version, Supply::Sometimes),
    (Item::ParamsEffective, Supply::Sometimes),
    (Item::ResponseId, Supply::Sometimes),
    (Item::Output, Supply::Always),
    (Item::Error, Supply::Sometimes),
    (Item::ErrorCode, Supply::Sometimes),
];

const HIDDEN: &[&str] = &[
    "parameters that the server takes from its own configuration of the model",
    "tensors in memory that client and server share; a message that names such memory is marked as partly captured",
];

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        operation: Operation::Infer,
        path: "`/inference.GRPCInferenceService/ModelInfer`",
        supplies: SUPPLIES,
        framings: &[],
        ending: Ending::Unmarked,
        hidden: HIDDEN,
    },
    Endpoint {
        operation: Operation::InferStream,
        path: "`/inference.GRPCInferenceService/ModelStreamInfer`",
        supplies: SUPPLIES,
        framings: &[],
        ending: Ending::Unmarked,
        hidden: HIDDEN,
    },
];
