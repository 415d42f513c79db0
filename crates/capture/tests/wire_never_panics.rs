//! Whatever bytes arrive, a wire answers; and what it says of a body is in the body.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use inferlog_capture::wire::{Call, JsonWire, Kind, Operation, Pointer, Wire};
use proptest::prelude::*;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

fn wires() -> [Wire; 3] {
    let pointer = |text: &str| Pointer::parse(text).ok();
    let json = JsonWire {
        model: pointer("/id"),
        params: pointer("/inputs/0"),
        input: pointer("/inputs"),
        output: pointer("/outputs/0/data"),
        error: pointer(""),
        ..JsonWire::default()
    };
    [Wire::OipV2, Wire::KserveV1, Wire::Json(Box::new(json))]
}

/// Text made of the pieces that the wires look for, whole and broken.
fn near_json() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"id\"",
        "\"inputs\"",
        "\"outputs\"",
        "\"error\"",
        "\"model_name\"",
        "null",
        "1e999",
        "-",
        "\"\\ud800\"",
        "\"",
        "\\",
        " ",
        "0",
        "true",
        "\u{feff}",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
}

fn check(body: Vec<u8>, status: u16, path: &str) -> Result<(), TestCaseError> {
    let body = Bytes::from(body);
    let within = |part: &Option<Bytes>| {
        part.as_ref()
            .is_none_or(|part| part.is_empty() || body.windows(part.len()).any(|window| window == part))
    };
    for wire in wires() {
        let call = match wire.classify(&Method::POST, path) {
            Kind::Inference(call) => call,
            _ => Default::default(),
        };
        let request = wire.request(&call, &HeaderMap::new(), &body);
        prop_assert!(within(&request.params) && within(&request.input));
        let response = wire.response(&call, StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), &body);
        prop_assert!(within(&response.params) && within(&response.output));
        if serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_err() && status == 200 {
            prop_assert!(response.gap.is_some(), "{wire:?} says nothing is missing from {body:?}");
        }
    }
    Ok(())
}

/// Wires of language models, and what is asked on them.
const MODELS: [(Wire, Operation); 8] = [
    (Wire::OpenAi, Operation::Chat),
    (Wire::OpenAi, Operation::Completions),
    (Wire::OpenAi, Operation::Embeddings),
    (Wire::OpenAi, Operation::Responses),
    (Wire::Anthropic, Operation::Messages),
    (Wire::Ollama, Operation::Chat),
    (Wire::Ollama, Operation::Generate),
    (Wire::Ollama, Operation::Embeddings),
];

/// Names of members that these wires look for.
const NAMES: [&str; 29] = [
    "messages",
    "role",
    "content",
    "tool_calls",
    "function",
    "arguments",
    "id",
    "index",
    "choices",
    "delta",
    "message",
    "finish_reason",
    "usage",
    "prompt_tokens",
    "error",
    "code",
    "type",
    "input",
    "output",
    "call_id",
    "item",
    "output_index",
    "response",
    "status",
    "text",
    "refusal",
    "done",
    "tool_call_id",
    "content_block",
];

/// Bodies of requests and answers made of the pieces that these wires look for, whole and broken, alone or as a stream.
fn near_messages() -> impl Strategy<Value = Vec<u8>> {
    let member = |name| move |value: String| format!("{name:?}:{value}");
    let leaf = prop::sample::select(vec![
        "null",
        "true",
        "-1",
        "0",
        "1e999",
        "\"\"",
        "\"user\"",
        "\"assistant\"",
        "\"tool\"",
        "\"stop\"",
        "\"function_call\"",
        "\"function_call_output\"",
        "\"reasoning\"",
        "\"response.completed\"",
        "\"response.output_item.added\"",
        "\"response.function_call_arguments.delta\"",
        "\"text_delta\"",
        "\"tool_use\"",
        "\"\\ud800\"",
        "\"{\\\"a\\\":\"",
    ])
    .prop_map(str::to_owned);
    let value = leaf.prop_recursive(6, 60, 5, move |inner| {
        let members = prop::collection::vec((prop::sample::select(NAMES.to_vec()), inner.clone()), 0..6)
            .prop_map(move |all| all.into_iter().map(|(name, value)| member(name)(value)).collect::<Vec<_>>())
            .prop_map(|all| format!("{{{}}}", all.join(",")));
        let items = prop::collection::vec(inner, 0..4).prop_map(|all| format!("[{}]", all.join(",")));
        prop_oneof![3 => members, 1 => items]
    });
    let starts =
        prop::sample::select(vec!["", "data: ", "event: error\ndata:", "event: message_start\ndata: ", ": "]);
    let ends = prop::sample::select(vec!["", "\n", "\n\n", "\r\n\r\n", "\n\ndata: [DONE]\n\n", "}"]);
    let pieces = prop::collection::vec((starts, value, ends), 1..6);
    pieces.prop_map(|all| {
        all.into_iter()
            .map(|(start, value, end)| [start, &value, end].concat())
            .collect::<String>()
            .into_bytes()
    })
}

/// Whatever the body, its facts are of it: slices are slices, parameters are its members, and what is no JSON has a gap.
fn check_models(body: Vec<u8>, status: u16, content_type: &'static str) -> Result<(), TestCaseError> {
    let body = Bytes::from(body);
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
    let within = |part: &[u8]| part.is_empty() || body.windows(part.len()).any(|window| window == part);
    let are_within = |params: &Option<Bytes>| {
        let params = params.as_deref().unwrap_or(b"{}");
        let members: BTreeMap<String, &RawValue> = serde_json::from_slice(params).unwrap();
        members.values().all(|value| within(value.get().as_bytes()))
    };
    for (wire, operation) in MODELS {
        let call = Call { operation, ..Call::default() };
        let request = wire.request(&call, &headers, &body);
        prop_assert!(are_within(&request.params));
        prop_assert!(request.input.iter().chain(&request.tools).all(|part| within(part)));
        let response = wire.response(&call, StatusCode::from_u16(status).unwrap(), &headers, &body);
        prop_assert!(are_within(&response.params));
        prop_assert!(status == 200 || response.error.is_some());
        if content_type == "application/json"
            && serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_err()
        {
            prop_assert!(
                request.gap.is_some(),
                "{wire:?} {operation:?} says nothing is missing from {body:?}"
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn on_any_bytes(body in prop::collection::vec(any::<u8>(), 0..200), status in 100u16..600, path in "[/a-z0-9%.:]{0,40}") {
        check(body, status, &path)?;
    }

    #[test]
    fn on_what_is_nearly_json(body in near_json(), status in prop::sample::select(vec![200u16, 404, 500])) {
        check(body, status, "/v2/models/m/infer")?;
    }

    #[test]
    fn on_what_is_nearly_a_conversation(
        body in near_messages(),
        status in prop::sample::select(vec![200u16, 429]),
        content_type in prop::sample::select(vec!["application/json", "text/event-stream", "application/x-ndjson"]),
    ) {
        check_models(body, status, content_type)?;
    }

    #[test]
    fn on_any_bytes_of_a_model(body in prop::collection::vec(any::<u8>(), 0..200)) {
        for content_type in ["application/json", "text/event-stream", "application/x-ndjson"] {
            check_models(body.clone(), 200, content_type)?;
        }
    }
}

#[test]
fn depth_costs_no_stack_and_size_no_patience() {
    let deep = [b"{\"inputs\":".to_vec(), vec![b'['; 8 << 20]].concat();
    check(deep, 200, "/v2/models/m/infer").unwrap();
    let closed = [b"{\"inputs\":".to_vec(), vec![b'['; 1 << 20], vec![b']'; 1 << 20], b"}".to_vec()].concat();
    let facts = Wire::OipV2.request(&Default::default(), &HeaderMap::new(), &Bytes::from(closed));
    assert_eq!((facts.gap, facts.input.map(|input| input.len())), (None, Some(2 << 20)));
}

/// Everything that repeats, a hundred thousand times: in quadratic time these would take hours.
#[test]
fn a_model_costs_no_more_than_its_bytes() {
    const TIMES: usize = 100_000;
    let list = |head: &str, item: &str, tail: &str| {
        format!("{head}{}{tail}", vec![item; TIMES].join(",")).into_bytes()
    };
    let results = list(
        "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[",
        "{\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}",
        &format!("]}}{}]}}", ",{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"r\"}".repeat(TIMES)),
    );
    let bodies = [
        ("application/json", results),
        ("application/json", list("{\"choices\":[", "{\"message\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}", "]}")),
        ("application/json", list("{\"input\":[", "{\"type\":\"function_call\",\"call_id\":\"c\"}", "]}")),
        ("application/json", list("{\"a\":0,", "\"b\":1", "}")),
        (
            "text/event-stream",
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\"},{\"index\":0,\"id\":\"b\"}]}}]}\n\n"
                .repeat(TIMES)
                .into_bytes(),
        ),
        ("text/event-stream", "\r".repeat(TIMES * 10).into_bytes()),
        ("text/event-stream", "data:\n".repeat(TIMES).into_bytes()),
        ("text/event-stream", [b"data: {\"choices\":".to_vec(), vec![b'['; 8 << 20]].concat()),
        ("application/json", [b"{\"messages\":".to_vec(), vec![b'['; 8 << 20]].concat()),
    ];
    for (content_type, body) in bodies {
        let (headers, body) = (
            HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]),
            Bytes::from(body),
        );
        for (wire, operation) in MODELS {
            let call = Call { operation, ..Call::default() };
            wire.request(&call, &headers, &body);
            wire.response(&call, StatusCode::OK, &headers, &body);
        }
    }
}
