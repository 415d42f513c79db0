//! What callers and model servers send, and what an operator writes: each wire, bodies in content codings, configuration.

#![allow(unreachable_pub, clippy::unwrap_used, reason = "a target panics to say that something is wrong")]

use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, Method, StatusCode, Uri};
use inferlog_capture::config;
use inferlog_capture::decode::decode;
use inferlog_capture::route::{PathPattern, find};
use inferlog_capture::wire::{JsonWire, Kind, Pointer, Wire};
use serde_json::Value;

/// Open Inference Protocol v2.
pub fn wire_oip(data: &[u8]) {
    exchange(&Wire::OipV2, data, &["id", "parameters", "inputs"], &["id", "parameters", "outputs"]);
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
