//! The chat model as its clients see it, through HTTP.

use super::*;
use crate::model::tests::exchange;
use http::Method;

const PATH: &str = "/v1/chat/completions";

fn system() -> Value {
    json!({ "role": "system", "content": "The customer who asks is applicant-07.\n[P7] Ask for a review.\n[P9] Interest is fixed." })
}

fn user(content: &str) -> Value {
    json!({ "role": "user", "content": content })
}

fn tools() -> Value {
    let tool = |name: &str| json!({ "type": "function", "function": { "name": name, "parameters": {} } });
    json!([tool(LOOKUP), tool(SCORE)])
}

/// A conversation in which the model's calls came back with these results.
fn after(question: &str, results: &[(&str, Value)]) -> Value {
    let call = |(at, (name, _)): (usize, &(&str, Value))| json!({ "id": format!("c{at}"), "type": "function", "function": { "name": name, "arguments": "{}" } });
    let calls: Vec<Value> = results.iter().enumerate().map(call).collect();
    let mut messages =
        vec![system(), user(question), json!({ "role": "assistant", "content": null, "tool_calls": calls })];
    messages.extend(results.iter().enumerate().map(|(at, (_, given))| {
        json!({ "role": "tool", "tool_call_id": format!("c{at}"), "content": given.to_string() })
    }));
    Value::Array(messages)
}

fn declined() -> Value {
    json!({
        "decision": "decline", "probability": 0.2, "threshold": 0.5,
        "contributions": { "income_keur": 0.4, "debt_ratio": -1.5, "late_payments": -0.2, "loan_to_income": -0.9 },
    })
}

fn ask(mut request: Value, more: Value) -> (StatusCode, Value) {
    if let (Some(request), Value::Object(more)) = (request.as_object_mut(), more) {
        request.extend(more);
    }
    let (status, text) = exchange(Method::POST, PATH, &request.to_string());
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

fn request(messages: Value) -> Value {
    json!({ "model": ALIAS, "messages": messages })
}

fn says(messages: Value, more: Value) -> String {
    let (status, answer) = ask(request(messages), more);
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_question_decides_which_tools_are_asked_for() {
    let asked = |question: &str, more: Value| {
        let (_, answer) = ask(request(json!([system(), user(question)])), more);
        let choice = &answer["choices"][0];
        let calls = choice["message"]["tool_calls"].as_array().cloned().unwrap_or_default();
        assert_eq!(choice["finish_reason"] == "tool_calls", !calls.is_empty(), "{answer}");
        for call in &calls {
            assert_eq!(call["function"]["arguments"], r#"{"applicant":"applicant-07"}"#);
        }
        calls
            .iter()
            .map(|call| call["function"]["name"].as_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(asked("Why was I declined?", json!({ "tools": tools() })), [LOOKUP, SCORE]);
    assert_eq!(asked("What do you know of me?", json!({ "tools": tools() })), [LOOKUP]);
    assert!(asked("Hello", json!({ "tools": tools() })).is_empty());
    assert!(asked("Why was I declined?", json!({ "tools": tools(), "tool_choice": "none" })).is_empty());
    assert!(asked("Why was I declined?", json!({})).is_empty());
}

#[test]
fn what_it_says_follows_from_what_tools_gave() {
    let record = json!({ "account": "DE1", "debt_ratio": 0.8 });
    let said = says(after("Why?", &[(LOOKUP, record.clone()), (SCORE, declined())]), json!({}));
    for part in [
        "declined",
        "20.0 %",
        "50 %",
        "debt ratio (0.8), then loan for the income",
        "[P7]",
        "account DE1",
        "will be approved",
    ] {
        assert!(said.contains(part), "{part} is not in: {said}");
    }
    assert!(!said.contains("[P9]"), "{said}");
    let mut approved = declined();
    approved["decision"] = "approve".into();
    let said = says(after("Why?", &[(SCORE, approved)]), json!({}));
    assert!(
        said.contains("approved: ") && said.contains("for it: income") && !said.contains("[P7]"),
        "{said}"
    );
    assert!(says(after("Why?", &[(LOOKUP, record)]), json!({})).contains("account DE1, debt ratio (0.8)"));
    let failed = json!({ "error": "not the customer" });
    assert!(
        says(after("Why?", &[(SCORE, failed)]), json!({})).contains("credit_score said: not the customer")
    );
}

#[test]
fn who_it_is_and_what_it_counts_is_exact_and_the_same_again() {
    let asked = request(json!([user("Hello there")]));
    let (_, mut one) = ask(asked.clone(), json!({}));
    let (_, mut again) = ask(asked, json!({}));
    assert_eq!((&one["model"], &one["system_fingerprint"]), (&json!(NAME), &json!(*FINGERPRINT)));
    let said =
        one["choices"][0]["message"]["content"].as_str().unwrap_or_default().split_whitespace().count();
    assert_eq!(
        one["usage"],
        json!({ "prompt_tokens": 2, "completion_tokens": said, "total_tokens": said + 2 })
    );
    for answer in [&mut one, &mut again] {
        answer["created"] = Value::Null;
    }
    assert_eq!(one, again);
    let cut = ask(request(json!([user("Hello")])), json!({ "max_completion_tokens": 3 })).1;
    assert_eq!(cut["choices"][0]["finish_reason"], "length");
    assert_eq!(cut["choices"][0]["message"]["content"], "I answer questions");
}

/// The data of a stream's events, without the last.
fn streamed(messages: Value, more: Value) -> Vec<Value> {
    let (_, body) = ask(request(messages), more);
    let body = body.as_str().expect("a stream").to_owned();
    let whole = body.strip_suffix("data: [DONE]\n\n").expect("its end");
    let data = whole.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").expect("data"));
    data.map(|data| serde_json::from_str(data).expect("JSON")).collect()
}

#[test]
fn a_stream_says_the_same_as_the_whole_answer() {
    let messages = after("Why?", &[(SCORE, declined())]);
    let more = json!({ "stream": true, "stream_options": { "include_usage": true } });
    let chunks = streamed(messages.clone(), more);
    let text: String =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, says(messages, json!({})));
    assert!(chunks.len() > 10, "it comes in pieces");
    assert_eq!(chunks[chunks.len() - 2]["choices"][0]["finish_reason"], "stop");
    let last = chunks.last().unwrap_or(&Value::Null);
    assert_eq!(last["choices"], json!([]));
    assert!(last["usage"]["completion_tokens"].as_u64() > Some(10));

    let calls = streamed(json!([system(), user("Why?")]), json!({ "stream": true, "tools": tools() }));
    let calls: Vec<_> = calls.iter().map(|chunk| &chunk["choices"][0]["delta"]["tool_calls"][0]).collect();
    assert_eq!((&calls[1]["index"], &calls[1]["function"]["name"]), (&json!(0), &json!(LOOKUP)));
    assert_eq!((&calls[2]["index"], &calls[2]["function"]["name"]), (&json!(1), &json!(SCORE)));
}

#[test]
fn what_it_cannot_do_it_refuses_with_the_reason() {
    let hello = json!([user("Hello")]);
    for (request, more, status, code, part) in [
        (json!({ "model": "other", "messages": hello }), json!({}), 404, json!("model_not_found"), NAME),
        (request(json!([])), json!({}), 400, Value::Null, "messages is empty"),
        (request(hello.clone()), json!({ "n": 2 }), 400, Value::Null, "one choice"),
        (request(hello.clone()), json!({ "tool_choice": "required" }), 400, Value::Null, "tool_choice"),
        (
            request(hello.clone()),
            json!({ "tool_choice": { "type": "function" } }),
            400,
            Value::Null,
            "tool_choice",
        ),
        (json!([]), json!({}), 400, Value::Null, "malformed"),
    ] {
        let (got, answer) = ask(request, more);
        assert_eq!((got.as_u16(), &answer["error"]["code"]), (status, &code), "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap_or_default().contains(part), "{answer}");
    }
    let (_, models) = exchange(Method::GET, "/v1/models", "");
    assert!(models.contains(NAME));
}
