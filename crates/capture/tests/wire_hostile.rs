//! Conversations that are made to be expensive cost no more than their size.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

use bytes::Bytes;
use http::{HeaderMap, Method};
use inferlog_capture::wire::{Kind, RequestFacts, Wire};
use std::fmt::Write as _;

const RESULTS: usize = 50_000;

fn ask(wire: &Wire, path: &str, body: String) -> RequestFacts {
    let Kind::Inference(call) = wire.classify(&Method::POST, path) else { panic!("{path}") };
    wire.request(&call, &HeaderMap::new(), &Bytes::from(body))
}

/// Bytes that the facts of tool results hold beyond the request's own.
fn repeated(facts: &RequestFacts) -> usize {
    facts.tool_results.iter().filter_map(|result| result.asked.as_ref()).map(|asked| asked.name.len()).sum()
}

#[test]
fn one_call_answered_many_times_is_repeated_once() {
    let name = "n".repeat(1 << 20);
    let mut results = String::new();
    let mut tool = String::new();
    for _ in 0..RESULTS {
        results.push_str(r#",{"type":"tool_result","tool_use_id":"a","content":"x"}"#);
        tool.push_str(r#",{"role":"tool","tool_call_id":"a","content":"x"}"#);
    }
    let body = format!(
        r#"{{"messages":[{{"role":"assistant","content":[{{"type":"tool_use","id":"a","name":"{name}","input":{{}}}}]}},{{"role":"user","content":[{}]}}]}}"#,
        &results[1..]
    );
    let facts = ask(&Wire::Anthropic, "/v1/messages", body);
    assert_eq!((facts.tool_results.len(), repeated(&facts)), (RESULTS, 1 << 20));
    let body = format!(
        r#"{{"messages":[{{"role":"assistant","tool_calls":[{{"id":"a","function":{{"name":"{name}","arguments":{{}}}}}}]}}{tool}]}}"#
    );
    for (wire, path) in [(Wire::Ollama, "/api/chat"), (Wire::OpenAi, "/v1/chat/completions")] {
        let facts = ask(&wire, path, body.clone());
        assert_eq!((facts.tool_results.len(), repeated(&facts)), (RESULTS, 1 << 20));
    }
}

#[test]
fn many_calls_find_their_results_in_any_order() {
    let (mut calls, mut results, mut use_blocks, mut result_blocks) =
        <(String, String, String, String)>::default();
    for at in 0..RESULTS {
        let back = RESULTS - 1 - at;
        write!(calls, r#",{{"id":"c{at}","function":{{"name":"t{at}","arguments":{{}}}}}}"#).unwrap();
        write!(results, r#",{{"role":"tool","tool_call_id":"c{back}","content":"x"}}"#).unwrap();
        write!(use_blocks, r#",{{"type":"tool_use","id":"c{at}","name":"t{at}","input":{{}}}}"#).unwrap();
        write!(result_blocks, r#",{{"type":"tool_result","tool_use_id":"c{back}"}}"#).unwrap();
    }
    let chat = format!(r#"{{"messages":[{{"role":"assistant","tool_calls":[{}]}}{results}]}}"#, &calls[1..]);
    let messages = format!(
        r#"{{"messages":[{{"role":"assistant","content":[{}]}},{{"role":"user","content":[{}]}}]}}"#,
        &use_blocks[1..],
        &result_blocks[1..]
    );
    for (wire, path, body) in [(Wire::Ollama, "/api/chat", chat), (Wire::Anthropic, "/v1/messages", messages)]
    {
        let facts = ask(&wire, path, body);
        assert_eq!(facts.tool_results.len(), RESULTS);
        for result in &facts.tool_results {
            assert_eq!(
                result.asked.as_ref().map(|asked| asked.name.replacen('t', "c", 1)),
                Some(result.call.clone())
            );
        }
    }
}
