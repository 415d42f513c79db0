//! Transcripts: exchanges and the facts that their records must state.

#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, StatusCode};
use inferlog_capture::wire::{
    Framing, JsonWire, Kind, Pointer, RequestFacts, ResponseFacts, ToolCallFact, ToolResult, Wire,
};
use inferlog_record::body::Usage;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Where they are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/v1/wire")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    pub about: String,
    pub wire: String,
    #[serde(default)]
    pub json: BTreeMap<String, String>,
    pub method: String,
    pub path: String,
    #[serde(default)]
    pub request_headers: BTreeMap<String, String>,
    pub request: Option<String>,
    pub request_hex: Option<String>,
    pub status: u16,
    #[serde(default)]
    pub response_headers: BTreeMap<String, String>,
    pub response: Option<String>,
    pub response_hex: Option<String>,
    pub facts: String,
}

/// The facts that the exchange states, a line each.
pub fn render(exchange: &Exchange) -> String {
    let wire = wire(exchange);
    let method = Method::from_bytes(exchange.method.as_bytes()).unwrap();
    let Kind::Inference(call) = wire.classify(&method, &exchange.path) else {
        return "no inference\n".into();
    };
    let body = body(exchange.request.as_deref(), exchange.request_hex.as_deref());
    let request = wire.request(&call, &headers(&exchange.request_headers), &body);
    let body = body_of_response(exchange);
    let status = StatusCode::from_u16(exchange.status).unwrap();
    let response = wire.response(&call, status, &headers(&exchange.response_headers), &body);
    let mut out = String::new();
    line(&mut out, "operation", Some(format!("{:?}", call.operation)));
    line(&mut out, "deployment", call.deployment.clone());
    render_request(&mut out, &request);
    render_response(&mut out, &response);
    out
}

fn render_request(out: &mut String, facts: &RequestFacts) {
    line(out, "request.model", facts.model.clone());
    line(out, "request.version", facts.version.clone());
    line(out, "request.id", facts.id.clone());
    line(out, "request.params", facts.params.as_ref().map(whole));
    line(out, "request.input", facts.input.as_ref().map(text));
    line(out, "request.stream", facts.stream.then(|| "true".to_owned()));
    for prompt in &facts.prompts {
        line(out, &format!("request.prompt.{:?}", prompt.role), Some(prompt.text.clone()));
    }
    line(out, "request.tools", facts.tools.as_ref().map(text));
    for result in &facts.tool_results {
        line(out, "request.tool_result", Some(tool_result(result)));
    }
    line(out, "request.previous", facts.previous.clone());
    line(out, "request.gap", facts.gap.as_ref().map(|gap| format!("{}: {gap}", gap.code())));
}

fn render_response(out: &mut String, facts: &ResponseFacts) {
    line(out, "response.model", facts.model.clone());
    line(out, "response.version", facts.version.clone());
    line(out, "response.id", facts.id.clone());
    line(out, "response.params", facts.params.as_ref().map(whole));
    line(out, "response.fingerprint", facts.fingerprint.clone());
    line(out, "response.output", facts.output.as_ref().map(text));
    line(out, "response.choices", (facts.choices > 0).then(|| facts.choices.to_string()));
    line(out, "response.finish", facts.finish.as_ref().map(|f| format!("{:?}: {}", f.reason, f.text)));
    line(out, "response.usage", facts.usage.as_ref().map(usage));
    for call in &facts.tool_calls {
        line(out, "response.tool_call", Some(tool_call(call)));
    }
    for reasoning in &facts.reasoning {
        line(out, &format!("response.reasoning.{:?}", reasoning.form), Some(text(&reasoning.content)));
    }
    line(out, "response.refusal", facts.refusal.as_ref().map(text));
    line(out, "response.error", facts.error.as_ref().map(text));
    line(out, "response.error_code", facts.error_code.as_ref().map(|code| format!("{code:?}")));
    line(out, "response.broken_off", facts.broken_off.then(|| "true".to_owned()));
    line(out, "response.gap", facts.gap.as_ref().map(|gap| format!("{}: {gap}", gap.code())));
}

fn tool_call(call: &ToolCallFact) -> String {
    format!("{}[{}] {}({})", call.choice, call.call, call.name, text(&call.arguments))
}

fn tool_result(result: &ToolResult) -> String {
    let asked = result.asked.as_ref().map_or("not repeated".to_owned(), tool_call);
    let error = if result.is_error { "error " } else { "" };
    format!("[{}] {error}{}, asked {asked}", result.call, text(&result.content))
}

fn usage(usage: &Usage) -> String {
    let count =
        |count: Option<inferlog_record::Count>| count.map_or("?".to_owned(), |count| count.0.to_string());
    let [input, output] = [usage.input, usage.output].map(count);
    let [cached, reasoning] = [usage.cached, usage.reasoning].map(count);
    format!("{input} in ({cached} cached), {output} out ({reasoning} reasoning)")
}

fn line(out: &mut String, name: &str, value: Option<String>) {
    if let Some(value) = value {
        writeln!(out, "{}", format!("{name} = {value}").trim_end()).unwrap();
    }
}

fn whole(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn text(bytes: &Bytes) -> String {
    if bytes.iter().any(|byte| *byte < b' ' && !byte.is_ascii_whitespace()) {
        let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        return format!("{}… ({} bytes)", &hex[..hex.len().min(40)], bytes.len());
    }
    let text = String::from_utf8_lossy(bytes);
    if text.len() <= 200 {
        return text.into_owned();
    }
    let head: String = text.chars().take(20).collect();
    format!("{head}… ({} bytes)", text.len())
}

/// The wire that it speaks.
pub fn wire(exchange: &Exchange) -> Wire {
    let pointer = |name: &str| exchange.json.get(name).map(|text| Pointer::parse(text).unwrap());
    match exchange.wire.as_str() {
        "oip-v2" => Wire::OipV2,
        "oip-grpc" => Wire::OipGrpc,
        "kserve-v1" => Wire::KserveV1,
        "openai" => Wire::OpenAi,
        "anthropic" => Wire::Anthropic,
        "ollama" => Wire::Ollama,
        "json" => Wire::Json(Box::new(JsonWire {
            model: pointer("model"),
            version: pointer("version"),
            id: pointer("id"),
            params: pointer("params"),
            input: pointer("input"),
            answered_model: pointer("answered_model"),
            answered_version: pointer("answered_version"),
            output: pointer("output"),
            error: pointer("error"),
        })),
        other => panic!("{other} is no wire"),
    }
}

/// The answer's body.
pub fn body_of_response(exchange: &Exchange) -> Bytes {
    body(exchange.response.as_deref(), exchange.response_hex.as_deref())
}

/// A body, written as text or as hex.
pub fn body(text: Option<&str>, hex: Option<&str>) -> Bytes {
    match (text, hex) {
        (Some(text), None) => Bytes::from(text.to_owned()),
        (None, Some(hex)) => {
            let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            (0..hex.len()).step_by(2).map(digits).collect::<Vec<u8>>().into()
        }
        _ => panic!("a body is either text or hex"),
    }
}

/// Headers by their names.
pub fn headers(map: &BTreeMap<String, String>) -> HeaderMap {
    map.iter().map(|(k, v)| (k.parse::<HeaderName>().unwrap(), v.parse().unwrap())).collect()
}

/// The body with line feeds alone.
pub fn plain(body: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    for (at, byte) in body.iter().enumerate() {
        match byte {
            b'\r' if body.get(at + 1) == Some(&b'\n') => {}
            b'\r' => plain.push(b'\n'),
            byte => plain.push(*byte),
        }
    }
    plain
}

pub fn with_lines_ended_by(body: &[u8], end: &[u8]) -> Vec<u8> {
    body.iter()
        .flat_map(|byte| if *byte == b'\n' { end } else { std::slice::from_ref(byte) })
        .copied()
        .collect()
}

/// The stream as other servers and proxies would send it: what it says is the same.
pub fn variants(framing: Framing, body: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let body = plain(body);
    let crlf = with_lines_ended_by(&body, b"\r\n");
    if framing == Framing::Lines {
        return vec![("with CRLF", crlf), ("with empty lines", with_lines_ended_by(&body, b"\n\n"))];
    }
    let between = with_lines_ended_by(&body, b"\n: a comment: with a colon\n");
    // What comes first may be a byte order mark, which stays first.
    let start = if body.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let retry = [&body[..start], b"retry: 3000\nid\n\n:\n\nid: 7\n", &body[start..]].concat();
    let mixed = with_lines_ended_by(&with_lines_ended_by(&between, b"\r\n"), b"\n");
    vec![
        ("with CR", with_lines_ended_by(&body, b"\r")),
        ("with CRLF", crlf),
        ("with LF", body),
        ("with comments", between),
        ("with CRLF and comments", mixed),
        ("with retry and id", retry),
    ]
}
