//! An agent's turns: what a model says, what a request brings back, and what is recorded of both.

#![allow(unreachable_pub, reason = "a module of tests")]

use inferlog_record::body::{Body, ErrorCode, ExchangeEnd, Outcome, StepOutcome};
use inferlog_record::{Event, Id};

/// An answer in words.
pub fn words(text: &str) -> String {
    let message = serde_json::json!({"role": "assistant", "content": text});
    let choice = serde_json::json!({"index": 0, "message": message, "finish_reason": "stop"});
    serde_json::json!({"id": "a", "model": "m-2024-08-06", "choices": [choice]}).to_string()
}

fn call(id: &str) -> serde_json::Value {
    serde_json::json!({"id": id, "type": "function", "function": {"name": "search", "arguments": "{}"}})
}

/// An answer that asks for calls of a tool.
pub fn calls(ids: &[&str]) -> String {
    let calls: Vec<_> = ids.iter().map(|id| call(id)).collect();
    let message = serde_json::json!({"role": "assistant", "content": null, "tool_calls": calls});
    let choice = serde_json::json!({"index": 0, "message": message, "finish_reason": "tool_calls"});
    serde_json::json!({"id": "a", "model": "m-2024-08-06", "choices": [choice]}).to_string()
}

/// A request that brings their results.
pub fn results(ids: &[&str], stream: bool) -> String {
    let calls: Vec<_> = ids.iter().map(|id| call(id)).collect();
    let mut messages = vec![
        serde_json::json!({"role": "user", "content": "hello"}),
        serde_json::json!({"role": "assistant", "content": null, "tool_calls": calls}),
    ];
    let result =
        |id: &&str| serde_json::json!({"role": "tool", "tool_call_id": id, "content": format!("of {id}")});
    messages.extend(ids.iter().map(result));
    serde_json::json!({"model": "m", "stream": stream, "messages": messages}).to_string()
}

pub fn kinds(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.body.kind_text()).collect()
}

pub fn ended(events: &[Event]) -> (Outcome, Option<ExchangeEnd>, Option<ErrorCode>) {
    let closed = events.iter().rev().find_map(|event| match &event.body {
        Body::DecisionClosed(body) => Some((body.outcome, body.exchange, body.error)),
        _ => None,
    });
    closed.unwrap_or_else(|| panic!("open: {:?}", kinds(events)))
}

/// How passing on answers failed, and of which model call.
pub fn broken(events: &[Event]) -> Vec<(ExchangeEnd, Option<Id>)> {
    let end = |event: &Event| match &event.body {
        Body::Delivery(body) => Some((body.end?, body.of)),
        _ => None,
    };
    events.iter().filter_map(end).collect()
}

pub fn steps(events: &[Event]) -> Vec<StepOutcome> {
    let outcome = |event: &Event| match &event.body {
        Body::Inference(body) => Some(body.outcome),
        _ => None,
    };
    events.iter().filter_map(outcome).collect()
}

pub fn after(event: &Event) -> Vec<Id> {
    event.after.to_vec()
}
