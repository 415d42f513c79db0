//! What a story says, in the words of the script.

use serde_json::Value;
use std::hash::{DefaultHasher, Hash, Hasher};

/// An event: its kind, the places of its causes, and what it says.
pub type Line = (String, Vec<usize>, String);

/// Enough to know a content by.
pub fn print(content: &str) -> String {
    let mut hash = DefaultHasher::new();
    content.hash(&mut hash);
    format!("{} bytes {:016x}", content.len(), hash.finish())
}

/// A payload's content as it was recorded.
fn content(event: &Value, role: &str) -> String {
    let payloads = event["payloads"].as_array().unwrap();
    let payload = payloads
        .iter()
        .find(|payload| payload["role"] == role)
        .unwrap_or_else(|| panic!("{role} of {event}"));
    assert_eq!(payload["verified"], true, "{payload}");
    let content = &payload["content"];
    content["text"].as_str().map_or_else(|| content["json"].to_string(), str::to_owned)
}

/// What the story says of an event, in the words of the script.
pub fn told(event: &Value) -> Line {
    let (kind, said) = (event["kind"].as_str().unwrap(), &event["event"]);
    let body = &said["body"];
    let says = match kind {
        "decision.opened" | "decision.joined" => print(&content(event, "input.raw")),
        "tool_call" => {
            assert!(body["latency_ns"].as_u64().is_some_and(|ns| ns > 0), "{event}");
            let outcome = body["outcome"].as_str().unwrap();
            let result = content(event, if outcome == "ok" { "tool.result" } else { "error" });
            let arguments = content(event, "tool.arguments");
            let (name, attempt, seq) = (body["name"].as_str().unwrap(), &body["attempt"], &said["seq"]);
            format!("{name} {arguments} → {result:?}, attempt {attempt}, {seq}th, {outcome}")
        }
        "inference" if body["outcome"] == "ok" => {
            let how = if body["stream"] == true { "streamed" } else { "whole" };
            let tokens =
                (body["usage"]["input"].as_u64().unwrap(), body["usage"]["output"].as_u64().unwrap());
            let (finish, model) =
                (body["finish_reason"].as_str().unwrap(), body["model"]["returned"].as_str().unwrap());
            format!(
                "ok {} {how} {finish} {tokens:?} {model} {}",
                body["status"],
                print(&content(event, "output.raw"))
            )
        }
        "inference" => {
            format!(
                "{} {} {}",
                body["outcome"].as_str().unwrap(),
                body["status"],
                print(&content(event, "output.raw"))
            )
        }
        "decision.closed" => body["outcome"].as_str().unwrap().to_owned(),
        _ => String::new(),
    };
    let causes = event["causes"].as_array().unwrap().iter().map(|cause| cause.as_u64().unwrap() as usize);
    (kind.to_owned(), causes.collect(), says)
}
