//! KServe v1: `/v1/models/M:predict` and `:explain`, `instances` (or `inputs`) to `predictions` or `explanations`.
//!
//! The protocol names neither version nor id nor parameters; KServe's own servers accept a `parameters` member.

use super::table::Endpoint;
use super::{Call, Ending, Item, Kind, Operation, Reader, RequestFacts, ResponseFacts, Supply};
use bytes::Bytes;
use http::Method;

pub(super) fn classify(method: &Method, segments: &[String]) -> Kind {
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["v1", "models", call] if method == Method::POST => match call.rsplit_once(':') {
            Some((model, "predict")) if !model.is_empty() => inference(model, Operation::Infer),
            Some((model, "explain")) if !model.is_empty() => inference(model, Operation::Explain),
            _ => Kind::Unknown,
        },
        [] | ["v1", "models", ..] if [Method::GET, Method::HEAD, Method::OPTIONS].contains(method) => {
            Kind::Control
        }
        _ => Kind::Unknown,
    }
}

fn inference(model: &str, operation: Operation) -> Kind {
    Kind::Inference(Call { model: Some(model.to_owned()), operation, ..Call::default() })
}

pub(super) fn request(body: &Bytes) -> RequestFacts {
    let mut read = Reader::new(body);
    let [instances, inputs, parameters] = read.members(["instances", "inputs", "parameters"]);
    let input = match (instances, inputs) {
        // Column format: one member of whatever shape.
        (None, Some(inputs)) => read.slice(Some(inputs)),
        (instances, _) => read.array("instances", instances),
    };
    RequestFacts { params: read.slice(parameters), input, gap: read.gap, ..RequestFacts::default() }
}

pub(super) fn response(call: &Call, body: &Bytes) -> ResponseFacts {
    let mut read = Reader::new(body);
    let [predictions, explanations, outputs, error, detail] =
        read.members(["predictions", "explanations", "outputs", "error", "detail"]);
    let error = read.message(error.or(detail));
    let (name, output) = match call.operation {
        Operation::Explain => ("explanations", explanations.or(predictions)),
        _ => ("predictions", predictions.or(outputs)),
    };
    let output = match output {
        None if error.is_none() => {
            read.gap(super::Gap::Missing(name.to_owned()));
            None
        }
        output => read.slice(output),
    };
    ResponseFacts { output, error, gap: read.gap, ..ResponseFacts::default() }
}

const SUPPLIES: &[(Item, Supply)] = &[
    (Item::ModelRequested, Supply::Always),
    (Item::ParamsRequested, Supply::Sometimes),
    (Item::Input, Supply::Always),
    (Item::Output, Supply::Always),
    (Item::Error, Supply::Sometimes),
];

const HIDDEN: &[&str] = &[
    "which model and version answered: the protocol names neither in its answers",
    "parameters that the server takes from its own configuration of the model",
];

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        operation: Operation::Infer,
        path: "`POST /v1/models/{model}:predict`",
        supplies: SUPPLIES,
        framings: &[],
        ending: Ending::Unmarked,
        hidden: HIDDEN,
    },
    Endpoint {
        operation: Operation::Explain,
        path: "`POST /v1/models/{model}:explain`",
        supplies: SUPPLIES,
        framings: &[],
        ending: Ending::Unmarked,
        hidden: HIDDEN,
    },
];
