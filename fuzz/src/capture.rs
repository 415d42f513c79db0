//! What callers and model servers send, and what an operator writes: each wire, bodies in content codings, configuration.

#![allow(unreachable_pub, clippy::unwrap_used, reason = "a target panics to say that something is wrong")]

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use inferlog_capture::config;
use inferlog_capture::decode::decode;
use inferlog_capture::route::{PathPattern, find};
use inferlog_capture::wire::grpc::{GRPC_ENCODING, Message, Messages};
use inferlog_capture::wire::{
    Call, Ending, Frames, Framing, JsonWire, Kind, Operation, Pointer, Wire, streamed,
};
use prost::Message as _;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::collections::BTreeSet;

/// Open Inference Protocol v2.
pub fn wire_oip(data: &[u8]) {
    exchange(&Wire::OipV2, data, &["id", "parameters", "inputs"], &["id", "parameters", "outputs"]);
}

/// Open Inference Protocol v2 over gRPC: a body of messages, of which each is read as a request, as an answer and as an
/// answer of a stream. Held against prost, which builds the whole message.
pub fn wire_oip_grpc(data: &[u8]) {
    let (wire, headers) = (Wire::OipGrpc, HeaderMap::from_iter([(GRPC_ENCODING, "gzip".parse().unwrap())]));
    for message in messages(data) {
        let Ok(body) = message.content(&headers, 1 << 16) else { continue };
        let call = Call::default();
        let facts = wire.request(&call, &headers, &body);
        if facts.gap.is_none() {
            let said = ModelInfer::decode(body.clone()).unwrap();
            let names = [facts.model, facts.version, facts.id].map(Option::unwrap_or_default);
            assert_eq!(names, [said.model_name, said.model_version, said.id]);
            let count = said.parameters.iter().map(|entry| &entry.key).collect::<BTreeSet<_>>().len();
            let params = facts.params.map(|params| serde_json::from_slice::<Value>(&params).unwrap());
            assert_eq!(params.map_or(0, |params| params.as_object().unwrap().len()), count);
            assert!(said.raw_input_contents.is_empty() || said.raw_input_contents.len() <= said.inputs.len());
        }
        _ = wire.response(&call, StatusCode::OK, &headers, &body);
        let facts = streamed(&Call { operation: Operation::InferStream, ..Call::default() }, &body);
        assert!(facts.error.is_none() || facts.output.is_none());
    }
}

/// The messages of a body, the same however it is chopped.
fn messages(data: &[u8]) -> Vec<Message> {
    let read = |chunk: usize| {
        let (mut body, mut read) = (Messages::new(1 << 16), Vec::new());
        for chunk in data.chunks(chunk) {
            body.push(chunk);
            loop {
                match body.take() {
                    Ok(Some(message)) => read.push(message),
                    Ok(None) => break,
                    Err(_) => return read,
                }
            }
        }
        assert!(
            body.is_between()
                == (read.iter().map(|message| message.framed.len()).sum::<usize>() == data.len())
        );
        read
    };
    let whole = read(data.len().max(1));
    assert_eq!(whole, read(3));
    whole
}

/// What is read of a `ModelInferRequest`.
#[derive(Clone, PartialEq, prost::Message)]
struct ModelInfer {
    #[prost(string, tag = "1")]
    model_name: String,
    #[prost(string, tag = "2")]
    model_version: String,
    #[prost(string, tag = "3")]
    id: String,
    #[prost(message, repeated, tag = "4")]
    parameters: Vec<Parameter>,
    #[prost(bytes = "vec", repeated, tag = "5")]
    inputs: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "7")]
    raw_input_contents: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Parameter {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// KServe v1.
pub fn wire_kserve(data: &[u8]) {
    exchange(&Wire::KserveV1, data, &[], &[]);
}

/// Any JSON by pointers. The first line of the data holds the pointers: of the input and of the output.
pub fn wire_json(data: &[u8]) {
    let line = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let Ok(text) = std::str::from_utf8(&data[..line]) else { return };
    let (input, output) = text.split_once(' ').unwrap_or((text, ""));
    let (input, output) = (Pointer::parse(input), Pointer::parse(output));
    let [model, id, error] = ["/model", "/id", "/error/message"].map(|pointer| Pointer::parse(pointer).ok());
    let wire = JsonWire { model, id, input: input.ok(), output: output.ok(), error, ..JsonWire::default() };
    exchange(&Wire::Json(Box::new(wire)), data.get(line + 1..).unwrap_or_default(), &[], &[]);
}

/// `METHOD PATH STATUS\n`, the request's body, a zero byte, the response's body. `request`, `response`: the members of id,
/// parameters and content, where the wire's facts are plainly those.
fn exchange(wire: &Wire, data: &[u8], request: &[&str], response: &[&str]) {
    let line = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (Ok(head), bodies) = (std::str::from_utf8(&data[..line]), data.get(line + 1..).unwrap_or_default())
    else {
        return;
    };
    let mut words = head.split(' ');
    let method =
        words.next().and_then(|word| Method::from_bytes(word.as_bytes()).ok()).unwrap_or(Method::POST);
    let path = words.next().unwrap_or("/");
    let status = words.next().and_then(|word| word.parse().ok()).unwrap_or(StatusCode::OK);
    let call = match wire.classify(&method, path) {
        Kind::Inference(call) => call,
        _ => Default::default(),
    };
    let cut = bodies.iter().position(|byte| *byte == 0).unwrap_or(bodies.len());
    let asked = Bytes::copy_from_slice(&bodies[..cut]);
    let answered = Bytes::copy_from_slice(bodies.get(cut + 1..).unwrap_or_default());

    let facts = wire.request(&call, &HeaderMap::new(), &asked);
    same(&asked, facts.gap.is_none(), request, facts.id.as_deref(), [&facts.params, &facts.input]);
    let facts = wire.response(&call, status, &HeaderMap::new(), &answered);
    let is_whole = facts.gap.is_none() && status.is_success();
    same(&answered, is_whole, response, facts.id.as_deref(), [&facts.params, &facts.output]);
    if status.is_success() && serde_json::from_slice::<serde::de::IgnoredAny>(&answered).is_err() {
        assert!(facts.gap.is_some(), "nothing is said to be missing from what is not JSON");
    }
}

/// What a wire says of a body is JSON, stands in the body, and is what another reader finds there.
fn same(body: &Bytes, is_whole: bool, members: &[&str], id: Option<&str>, parts: [&Option<Bytes>; 2]) {
    // Without a pointer to it the content is the whole body, whatever that is.
    for part in parts.into_iter().flatten().filter(|part| *part != body) {
        assert!(body.windows(part.len()).any(|window| window == part), "bytes that are not in the body");
        assert!(serde_json::from_slice::<serde::de::IgnoredAny>(part).is_ok(), "a part that is not JSON");
    }
    let ([id_member, part_members @ ..], true) = (members, is_whole) else { return };
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return };
    if let Some(text) = body.get(id_member).and_then(Value::as_str) {
        assert_eq!(id, Some(text));
    }
    for (part, member) in parts.into_iter().zip(part_members) {
        if let Some(part) = part {
            let part: Value = serde_json::from_slice(part).unwrap();
            assert_eq!(body.get(member), Some(&part));
        }
    }
}

/// A body in content codings: their list in the first line, then the body. Never more than the limit is decoded.
pub fn bodies(data: &[u8]) {
    const BYTES_MAX: usize = 10_000;
    let line = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let body = Bytes::copy_from_slice(data.get(line + 1..).unwrap_or_default());
    let Ok(value) = http::HeaderValue::from_bytes(&data[..line]) else { return };
    let headers = HeaderMap::from_iter([(CONTENT_ENCODING, value)]);
    if let Ok(decoded) = decode(&headers, &body, BYTES_MAX) {
        assert!(decoded.len() <= BYTES_MAX || decoded == body);
    }
}

/// Routes in TOML, and a request to find one for, from the last line: `METHOD URI`.
pub fn configs(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (toml, request) = text.trim_end().rsplit_once('\n').unwrap_or((text, ""));
    _ = PathPattern::parse(request);
    let env = |name: &str| (name == "BUILD").then(|| "abc123".to_owned());
    let routes = match config::routes(toml, &env) {
        Ok(routes) => routes,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let routes: Vec<_> = routes.into_iter().map(std::sync::Arc::new).collect();
    let (method, uri) = request.split_once(' ').unwrap_or(("POST", request));
    if let (Ok(method), Ok(uri)) = (Method::from_bytes(method.as_bytes()), uri.parse::<Uri>()) {
        _ = find(&routes, &method, &uri);
        routes.iter().for_each(|route| drop(route.target(&uri)));
    }
}

/// OpenAI. A whole answer is the same as a stream of one event that holds it, and ends.
pub fn wire_openai(data: &[u8]) {
    conversation(&Wire::OpenAi, "text/event-stream", data, |call, whole| match call.operation {
        Operation::Responses => {
            [b"data: {\"type\":\"response.completed\",\"response\":", whole, b"}\n\n"].concat()
        }
        Operation::Embeddings => whole.to_vec(),
        _ => [b"data: ", whole, b"\n\ndata: [DONE]\n\n"].concat(),
    });
}

/// Anthropic Messages. A whole message that says it all is the same as a stream that begins with it and stops.
pub fn wire_anthropic(data: &[u8]) {
    conversation(&Wire::Anthropic, "text/event-stream", data, |_, whole| {
        [
            b"data: {\"type\":\"message_start\",\"message\":",
            whole,
            b"}\n\ndata: {\"type\":\"message_stop\"}\n\n",
        ]
        .concat()
    });
}

/// Ollama. A whole answer is a stream of one line.
pub fn wire_ollama(data: &[u8]) {
    conversation(&Wire::Ollama, "application/x-ndjson", data, |_, whole| [whole, b"\n"].concat());
}

/// As [`exchange`], of a language model; a fourth word in the first line says that the answer is a stream.
fn conversation(wire: &Wire, stream: &'static str, data: &[u8], streamed: fn(&Call, &[u8]) -> Vec<u8>) {
    let line = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (Ok(head), bodies) = (std::str::from_utf8(&data[..line]), data.get(line + 1..).unwrap_or_default())
    else {
        return;
    };
    let words: Vec<&str> = head.split(' ').collect();
    let [method, path, status, rest @ ..] = words.as_slice() else { return };
    let method = Method::from_bytes(method.as_bytes()).unwrap_or(Method::POST);
    let status = status.parse().unwrap_or(StatusCode::OK);
    let call = match wire.classify(&method, path) {
        Kind::Inference(call) => call,
        _ => Default::default(),
    };
    let cut = bodies.iter().position(|byte| *byte == 0).unwrap_or(bodies.len());
    asked_as_it_stands(wire, &call, &Bytes::copy_from_slice(&bodies[..cut]));

    let answered = Bytes::copy_from_slice(bodies.get(cut + 1..).unwrap_or_default());
    let as_stream = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(stream))]);
    let whole = wire.response(&call, status, &HeaderMap::new(), &answered);
    if !rest.is_empty() {
        streams_alike(wire, &call, &as_stream, &answered);
    } else if serde_json::from_slice::<IgnoredAny>(&answered).is_err() {
        assert!(whole.gap.is_some() || !status.is_success(), "no gap in what is not JSON");
    } else if status.is_success()
        && whole.gap.is_none()
        && whole.error.is_none()
        && !answered.iter().any(|byte| matches!(byte, b'\n' | b'\r'))
    {
        let mut parts = wire.response(&call, status, &as_stream, &streamed(&call, &answered).into());
        parts.broken_off = false;
        assert_eq!(whole, parts, "a stream says something else than the whole");
    }
}

/// What is taken of a request stands in it, and its parameters are members of it.
fn asked_as_it_stands(wire: &Wire, call: &Call, body: &Bytes) {
    let facts = wire.request(call, &HeaderMap::new(), body);
    for part in [&facts.input, &facts.tools].into_iter().flatten() {
        assert!(
            body.as_ptr_range().start <= part.as_ptr() && part.as_ptr_range().end <= body.as_ptr_range().end
        );
    }
    let parse = |bytes: &[u8]| serde_json::from_slice::<serde_json::Map<String, Value>>(bytes).ok();
    if let (Some(body), Some(params)) = (parse(body), facts.params.as_deref().and_then(parse)) {
        params.iter().for_each(|(name, value)| assert_eq!(body.get(name), Some(value)));
    }
}

/// A stream says the same whether its lines end with LF or CR LF, and one that came to its end did not break off.
fn streams_alike(wire: &Wire, call: &Call, headers: &HeaderMap, body: &Bytes) {
    let status = StatusCode::OK;
    let facts = wire.response(call, status, headers, body);
    if !body.contains(&b'\r') {
        let lines: Vec<&[u8]> = body.split(|byte| *byte == b'\n').collect();
        assert_eq!(facts, wire.response(call, status, headers, &lines.join(&b"\r\n"[..]).into()));
    }
    let mut frames = wire.frames(call, headers).unwrap();
    frames.push(body);
    assert!(!(frames.is_over() && facts.broken_off), "a stream with its terminator broke off");
}

/// Where a stream may be cut: the same places however it is chopped. The first line holds what ends it, and a length to chop by.
pub fn wire_frames(data: &[u8]) {
    let line = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let Ok(head) = std::str::from_utf8(&data[..line]) else { return };
    let (ending, chunk) = head.split_once(' ').unwrap_or((head, "1"));
    let (framing, ending) = match ending {
        "data" => (Framing::Events, Ending::Data("[DONE]")),
        "type" => (Framing::Events, Ending::Type(&["message_stop", "response.completed"])),
        "flag" => (Framing::Lines, Ending::Flag("done")),
        _ => (Framing::Events, Ending::Unmarked),
    };
    let body = data.get(line + 1..).unwrap_or_default();
    let mut frames = Frames::new(framing, ending);
    let mut by_byte = vec![(0, false)];
    for byte in body.chunks(1) {
        frames.push(byte);
        by_byte.push((frames.free(), frames.is_over()));
    }
    assert!(by_byte.is_sorted(), "what was free is no longer");
    let (mut frames, mut length) = (Frames::new(framing, ending), 0);
    for chunk in body.chunks(chunk.parse().unwrap_or(1).max(1)) {
        frames.push(chunk);
        length += chunk.len();
        assert_eq!((frames.free(), frames.is_over()), by_byte[length], "after {length} bytes");
    }
    let free = &body[..frames.free()];
    assert!(free.is_empty() || free.ends_with(b"\n") || free.ends_with(b"\r"), "a line was cut");
    if ending == Ending::Data("[DONE]") {
        assert!(!free.windows(16).any(|window| window == b"\n\ndata: [DONE]\n\n"), "the terminator passed");
    }
}
