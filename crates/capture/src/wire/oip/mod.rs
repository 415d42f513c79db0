//! Open Inference Protocol v2 over REST (KServe's specification, `open_inference_rest.yaml`).
//!
//! `data` may be nested or flat and is not looked into. `id` may be absent. Errors are `{"error"}` by the specification;
//! MLServer also answers 422 with FastAPI's `{"detail"}` and 500 with plain text. Where tensors follow the JSON in binary form
//! the content is the whole body, and what else is stated comes from the JSON.

mod binary;

pub(crate) use binary::is_binary;

use super::table::Endpoint;
use super::{Call, Ending, Item, Kind, Operation, Reader, RequestFacts, ResponseFacts, Supply};
use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::value::RawValue;

pub(super) fn classify(method: &Method, segments: &[String]) -> Kind {
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["v2", "models", model, "infer"] if method == Method::POST => infer(model, None),
        ["v2", "models", model, "versions", version, "infer"] if method == Method::POST => {
            infer(model, Some(version))
        }
        // The model repository extension: index, load, unload.
        ["v2", "repository", "index"] | ["v2", "repository", "models", _, "load" | "unload"] => Kind::Control,
        ["v2", ..] if [Method::GET, Method::HEAD, Method::OPTIONS].contains(method) => Kind::Control,
        _ => Kind::Unknown,
    }
}

fn infer(model: &str, version: Option<&str>) -> Kind {
    Kind::Inference(Call {
        model: Some(model.to_owned()),
        version: version.map(str::to_owned),
        ..Call::default()
    })
}

pub(super) fn request(headers: &HeaderMap, body: &Bytes) -> RequestFacts {
    let json = match binary::json_length(headers, body.len()) {
        Ok(0) if is_binary(headers) => {
            return RequestFacts { input: Some(body.clone()), ..RequestFacts::default() };
        }
        Ok(length) => body.slice(..length),
        Err(gap) => return RequestFacts { gap: Some(gap), ..RequestFacts::default() },
    };
    let mut read = Reader::new(&json);
    let [id, parameters, inputs] = read.members(["id", "parameters", "inputs"]);
    let input = content(&mut read, "inputs", inputs, headers, body);
    RequestFacts {
        id: read.scalar("id", id),
        params: read.slice(parameters),
        input,
        gap: read.gap,
        ..RequestFacts::default()
    }
}

pub(super) fn response(headers: &HeaderMap, body: &Bytes) -> ResponseFacts {
    let json = match binary::json_length(headers, body.len()) {
        Ok(length) => body.slice(..length),
        Err(gap) => return ResponseFacts { gap: Some(gap), ..ResponseFacts::default() },
    };
    let mut read = Reader::new(&json);
    let [model, version, id, parameters, outputs, error, detail] =
        read.members(["model_name", "model_version", "id", "parameters", "outputs", "error", "detail"]);
    let error = read.message(error.or(detail));
    let output = match outputs {
        None if error.is_some() => None,
        outputs => content(&mut read, "outputs", outputs, headers, body),
    };
    ResponseFacts {
        model: read.scalar("model_name", model),
        version: read.scalar("model_version", version),
        id: read.scalar("id", id),
        params: read.slice(parameters),
        output,
        error,
        gap: read.gap,
        ..ResponseFacts::default()
    }
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
];

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    operation: Operation::Infer,
    path: "`POST /v2/models/{model}[/versions/{version}]/infer`",
    supplies: SUPPLIES,
    framings: &[],
    ending: Ending::Unmarked,
    hidden: &[
        "parameters that the server takes from its own configuration of the model",
        "tensors in memory that client and server share; a request that names such memory is marked as partly captured",
    ],
}];

/// The tensors of this name: their JSON, or the whole body where some of them are in binary form.
fn content<'a>(
    read: &mut Reader<'a>,
    name: &str,
    tensors: Option<&'a RawValue>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Option<Bytes> {
    let content = read.array(name, tensors);
    if let Some(gap) = binary::gap(content.as_deref(), body.len() - read.body.len()) {
        read.gap(gap);
    }
    if is_binary(headers) { Some(body.clone()) } else { content }
}
