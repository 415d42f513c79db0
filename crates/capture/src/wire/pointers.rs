//! Any JSON route: pointers, configured on the route, name what is what.

use super::table::Endpoint;
use super::{
    Call, Ending, Framing, Gap, Item, Kind, Operation, Pointer, Reader, RequestFacts, ResponseFacts, Supply,
};
use bytes::Bytes;
use http::Method;
use serde_json::value::RawValue;

/// Where a JSON route keeps its facts. A pointer that is not configured states nothing and is not missed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsonWire {
    /// Request: the model asked for.
    pub model: Option<Pointer>,
    /// Request: its version.
    pub version: Option<Pointer>,
    /// Request: the caller's id.
    pub id: Option<Pointer>,
    /// Request: the parameters of the inference.
    pub params: Option<Pointer>,
    /// Request: the input; the whole body where it is not configured.
    pub input: Option<Pointer>,
    /// Response: the model that answered.
    pub answered_model: Option<Pointer>,
    /// Response: its version.
    pub answered_version: Option<Pointer>,
    /// Response: the output; the whole body where it is not configured.
    pub output: Option<Pointer>,
    /// Response: the error's message.
    pub error: Option<Pointer>,
}

impl JsonWire {
    /// All that changes something is an inference: a route of this wire is configured for a path that decides.
    pub(super) fn classify(&self, method: &Method) -> Kind {
        if method == Method::POST || method == Method::PUT || method == Method::PATCH {
            return Kind::Inference(Call::default());
        }
        if [Method::HEAD, Method::OPTIONS].contains(method) { Kind::Control } else { Kind::Unknown }
    }

    pub(super) fn request(&self, body: &Bytes) -> RequestFacts {
        let mut read = Reader::new(body);
        let slots = [&self.model, &self.version, &self.id, &self.params, &self.input];
        let [model, version, id, params, input] = pick(&mut read, slots);
        RequestFacts {
            model: read.scalar("model", model),
            version: read.scalar("version", version),
            id: read.scalar("id", id),
            params: read.slice(params),
            input: content(&mut read, "input", &self.input, input),
            gap: read.gap,
            ..RequestFacts::default()
        }
    }

    pub(super) fn response(&self, body: &Bytes) -> ResponseFacts {
        let mut read = Reader::new(body);
        let slots = [&self.answered_model, &self.answered_version, &self.output, &self.error];
        let [model, version, output, error] = pick(&mut read, slots);
        let error = read.message(error);
        let output = if output.is_none() && error.is_some() {
            None
        } else {
            content(&mut read, "output", &self.output, output)
        };
        ResponseFacts {
            model: read.scalar("answered_model", model),
            version: read.scalar("answered_version", version),
            output,
            error,
            gap: read.gap,
            ..ResponseFacts::default()
        }
    }
}

/// Resolves the pointers that are configured; each slot keeps its place.
fn pick<'a, const N: usize>(
    read: &mut Reader<'a>,
    slots: [&Option<Pointer>; N],
) -> [Option<&'a RawValue>; N] {
    let wanted: Vec<&Pointer> = slots.iter().filter_map(|slot| slot.as_ref()).collect();
    let mut found = read.pointers(&wanted).into_iter();
    slots.map(|slot| slot.as_ref().and_then(|_| found.next().flatten()))
}

fn content<'a>(
    read: &mut Reader<'a>,
    name: &str,
    pointer: &Option<Pointer>,
    value: Option<&'a RawValue>,
) -> Option<Bytes> {
    match (pointer, value) {
        (None, _) => Some(read.body.clone()),
        (Some(_), None) => {
            read.gap(Gap::Missing(name.to_owned()));
            None
        }
        (Some(_), value) => read.slice(value),
    }
}

/// Of what a route has no pointer for nothing is said; without a pointer to them input and output are the whole bodies.
const SUPPLIES: &[(Item, Supply)] = &[
    (Item::ModelRequested, Supply::Sometimes),
    (Item::VersionRequested, Supply::Sometimes),
    (Item::ParamsRequested, Supply::Sometimes),
    (Item::Input, Supply::Always),
    (Item::RequestId, Supply::Sometimes),
    (Item::ModelReturned, Supply::Sometimes),
    (Item::Version, Supply::Sometimes),
    (Item::Output, Supply::Always),
    (Item::Error, Supply::Sometimes),
];

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    operation: Operation::Infer,
    path: "`POST`, `PUT` and `PATCH` of the route's path",
    supplies: SUPPLIES,
    framings: &[Framing::Events, Framing::Lines],
    ending: Ending::Unmarked,
    hidden: &["whatever no pointer of the route leads to, except within the recorded bodies"],
}];
