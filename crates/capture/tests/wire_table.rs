//! `docs/wires.md` is what the adapters declare, and what they declare is so in every recorded exchange.
//! `UPDATE=1` rewrites the page.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/transcript.rs"]
mod transcript;

use http::{Method, StatusCode};
use inferlog_capture::wire::{
    Call, Item, JsonWire, Kind, Operation, RequestFacts, ResponseFacts, Supply, Wire, table,
};
use std::collections::BTreeMap;
use std::path::Path;
use transcript::{Exchange, body, body_of_response, folder, headers};

#[test]
fn the_page_is_what_the_adapters_declare() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/wires.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, table()).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == table(), "docs/wires.md is not what the adapters declare: run with UPDATE=1");
}

/// What the exchanges of one endpoint show of an item: in which it is, and in which of those that succeeded it is not.
#[derive(Default)]
struct Shown {
    with: Vec<String>,
    without: Vec<String>,
}

#[test]
fn exchanges_bear_out_what_is_declared() {
    let mut shown: BTreeMap<String, Shown> = BTreeMap::new();
    for (name, exchange) in exchanges() {
        let wire = transcript::wire(&exchange);
        let method = Method::from_bytes(exchange.method.as_bytes()).unwrap();
        let Kind::Inference(call) = wire.classify(&method, &exchange.path) else { continue };
        let asked = body(exchange.request.as_deref(), exchange.request_hex.as_deref());
        let request = wire.request(&call, &headers(&exchange.request_headers), &asked);
        let status = StatusCode::from_u16(exchange.status).unwrap();
        let answered = body_of_response(&exchange);
        let response = wire.response(&call, status, &headers(&exchange.response_headers), &answered);
        let has_succeeded = status.is_success() && is_whole(&request, &response);
        for item in Item::ALL {
            let shown = shown.entry(key(&wire, call.operation, item)).or_default();
            if is_said(item, &call, &request, &response) {
                shown.with.push(name.clone());
            } else if has_succeeded {
                shown.without.push(name.clone());
            }
        }
    }
    let mut wrong = Vec::new();
    for (wire, operation, item) in declared() {
        let key = key(&wire, operation, item);
        let Some(Shown { with, without }) = shown.remove(&key) else {
            wrong.push(format!("{key}: no exchange is of this endpoint"));
            continue;
        };
        match wire.supply(&Call { operation, ..Call::default() }, item) {
            Supply::Never if !with.is_empty() => wrong.push(format!("{key}: never, but in {with:?}")),
            Supply::Sometimes if with.is_empty() => wrong.push(format!("{key}: sometimes, but in none")),
            Supply::Always if with.is_empty() => wrong.push(format!("{key}: always, but in none")),
            Supply::Always if !without.is_empty() => {
                wrong.push(format!("{key}: always, but not in {without:?}"));
            }
            _ => {}
        }
    }
    wrong.extend(shown.into_keys().map(|key| format!("{key}: of an endpoint that is not declared")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn key(wire: &Wire, operation: Operation, item: Item) -> String {
    format!("{} {operation:?} {item:?}", wire.name())
}

/// Every item of every endpoint that declares anything.
fn declared() -> Vec<(Wire, Operation, Item)> {
    let wires = [
        Wire::OipV2,
        Wire::OipGrpc,
        Wire::KserveV1,
        Wire::OpenAi,
        Wire::Anthropic,
        Wire::Ollama,
        Wire::Json(Box::<JsonWire>::default()),
    ];
    let operations = [
        Operation::Infer,
        Operation::Explain,
        Operation::Chat,
        Operation::Completions,
        Operation::Embeddings,
        Operation::Responses,
        Operation::Messages,
        Operation::Generate,
        Operation::InferStream,
    ];
    let mut declared = Vec::new();
    for wire in wires {
        for operation in operations {
            let call = Call { operation, ..Call::default() };
            if Item::ALL.iter().any(|item| wire.supply(&call, *item) != Supply::Never) {
                declared.extend(Item::ALL.map(|item| (wire.clone(), operation, item)));
            }
        }
    }
    declared
}

fn exchanges() -> Vec<(String, Exchange)> {
    let files = [folder(), folder().join("llm")].map(|folder| std::fs::read_dir(folder).unwrap());
    let paths = files.into_iter().flatten().map(|file| file.unwrap().path()).filter(|path| path.is_file());
    paths
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap())
        })
        .collect()
}

fn is_whole(request: &RequestFacts, response: &ResponseFacts) -> bool {
    request.gap.is_none() && response.gap.is_none() && response.error.is_none() && !response.broken_off
}

fn is_said(item: Item, call: &Call, request: &RequestFacts, response: &ResponseFacts) -> bool {
    let usage = response.usage.clone().unwrap_or_default();
    match item {
        Item::ModelRequested => request.model.is_some(),
        Item::VersionRequested => request.version.is_some(),
        Item::Deployment => call.deployment.is_some(),
        Item::ParamsRequested => request.params.is_some(),
        Item::Input => request.input.is_some(),
        Item::Prompts => !request.prompts.is_empty(),
        Item::Tools => request.tools.is_some(),
        Item::ToolResults => !request.tool_results.is_empty(),
        Item::RequestId => request.id.is_some(),
        Item::Previous => request.previous.is_some(),
        Item::ModelReturned => response.model.is_some(),
        Item::Version => response.version.is_some(),
        Item::Fingerprint => response.fingerprint.is_some(),
        Item::ParamsEffective => response.params.is_some(),
        Item::ResponseId => response.id.is_some(),
        Item::Output => response.output.is_some(),
        Item::Choices => response.choices > 1,
        Item::Finish => response.finish.is_some(),
        Item::Usage => usage.input.or(usage.output).is_some(),
        Item::UsageCached => usage.cached.is_some(),
        Item::UsageReasoning => usage.reasoning.is_some(),
        Item::ToolCalls => !response.tool_calls.is_empty(),
        Item::Reasoning => !response.reasoning.is_empty(),
        Item::Refusal => response.refusal.is_some(),
        // What stands in for a message is the whole body of an answer that is no success.
        Item::Error => response.error.is_some(),
        Item::ErrorCode => response.error_code.is_some(),
    }
}
