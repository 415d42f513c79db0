//! Whatever bytes arrive, a wire answers; and what it says of a body is in the body.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use inferlog_capture::wire::{JsonWire, Kind, Pointer, Wire};
use proptest::prelude::*;

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
}

#[test]
fn depth_costs_no_stack_and_size_no_patience() {
    let deep = [b"{\"inputs\":".to_vec(), vec![b'['; 8 << 20]].concat();
    check(deep, 200, "/v2/models/m/infer").unwrap();
    let closed = [b"{\"inputs\":".to_vec(), vec![b'['; 1 << 20], vec![b']'; 1 << 20], b"}".to_vec()].concat();
    let facts = Wire::OipV2.request(&Default::default(), &HeaderMap::new(), &Bytes::from(closed));
    assert_eq!((facts.gap, facts.input.map(|input| input.len())), (None, Some(2 << 20)));
}
