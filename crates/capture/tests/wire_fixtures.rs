//! Every exchange under `fixtures/v1/wire/` says what its record must say. `UPDATE_FIXTURES=1` rewrites the `facts`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, StatusCode};
use inferlog_capture::wire::{JsonWire, Kind, Pointer, RequestFacts, ResponseFacts, Wire};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    about: String,
    wire: String,
    #[serde(default)]
    json: BTreeMap<String, String>,
    method: String,
    path: String,
    #[serde(default)]
    request_headers: BTreeMap<String, String>,
    request: Option<String>,
    request_hex: Option<String>,
    status: u16,
    #[serde(default)]
    response_headers: BTreeMap<String, String>,
    response: Option<String>,
    response_hex: Option<String>,
    facts: String,
}

#[test]
fn fixtures_state_what_they_must() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/v1/wire");
    let mut seen = 0;
    let mut wrong = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let exchange: Exchange = toml::from_str(&text).unwrap();
        let facts = render(&exchange);
        if facts.trim() != exchange.facts.trim() {
            wrong.push(format!("{} ({}):\n{facts}", path.display(), exchange.about));
            if std::env::var_os("UPDATE_FIXTURES").is_some() {
                let (head, _) = text.split_once("facts = '''\n").unwrap();
                std::fs::write(&path, format!("{head}facts = '''\n{facts}'''\n")).unwrap();
            }
        }
        seen += 1;
    }
    assert!(seen >= 30, "only {seen} fixtures found");
    assert!(wrong.is_empty(), "{} of {seen} differ; now they say\n\n{}", wrong.len(), wrong.join("\n\n"));
}

fn render(exchange: &Exchange) -> String {
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
    render_request(&mut out, &request);
    render_response(&mut out, &response);
    out
}

fn render_request(out: &mut String, facts: &RequestFacts) {
    line(out, "request.model", facts.model.clone());
    line(out, "request.version", facts.version.clone());
    line(out, "request.id", facts.id.clone());
    line(out, "request.params", facts.params.as_ref().map(text));
    line(out, "request.input", facts.input.as_ref().map(text));
    line(out, "request.gap", facts.gap.as_ref().map(|gap| format!("{}: {gap}", gap.code())));
}

fn render_response(out: &mut String, facts: &ResponseFacts) {
    line(out, "response.model", facts.model.clone());
    line(out, "response.version", facts.version.clone());
    line(out, "response.id", facts.id.clone());
    line(out, "response.params", facts.params.as_ref().map(text));
    line(out, "response.output", facts.output.as_ref().map(text));
    line(out, "response.error", facts.error.as_ref().map(text));
    line(out, "response.gap", facts.gap.as_ref().map(|gap| format!("{}: {gap}", gap.code())));
}

fn line(out: &mut String, name: &str, value: Option<String>) {
    if let Some(value) = value {
        writeln!(out, "{}", format!("{name} = {value}").trim_end()).unwrap();
    }
}

fn text(bytes: &Bytes) -> String {
    if bytes.iter().any(|byte| *byte < b' ' && !byte.is_ascii_whitespace()) {
        let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        return format!("{}… ({} bytes)", &hex[..hex.len().min(40)], bytes.len());
    }
    let text = String::from_utf8_lossy(bytes);
    if text.len() > 200 { format!("{}… ({} bytes)", &text[..20], text.len()) } else { text.into_owned() }
}

fn wire(exchange: &Exchange) -> Wire {
    let pointer = |name: &str| exchange.json.get(name).map(|text| Pointer::parse(text).unwrap());
    match exchange.wire.as_str() {
        "oip-v2" => Wire::OipV2,
        "oip-grpc" => Wire::OipGrpc,
        "kserve-v1" => Wire::KserveV1,
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

fn body_of_response(exchange: &Exchange) -> Bytes {
    body(exchange.response.as_deref(), exchange.response_hex.as_deref())
}

fn body(text: Option<&str>, hex: Option<&str>) -> Bytes {
    match (text, hex) {
        (Some(text), None) => Bytes::from(text.to_owned()),
        (None, Some(hex)) => {
            let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            (0..hex.len()).step_by(2).map(digits).collect::<Vec<u8>>().into()
        }
        _ => panic!("a body is either text or hex"),
    }
}

fn headers(map: &BTreeMap<String, String>) -> HeaderMap {
    map.iter().map(|(k, v)| (k.parse::<HeaderName>().unwrap(), v.parse().unwrap())).collect()
}
