//! Entries of random decisions, interleaved: late overrides, ends that come again, retries, parts, kinds of later versions.

use fastrand::Rng;
use inferlog_record::{Id, Pseudonym, Timestamp};
use serde_json::{Value, json};

use super::START_NS;

pub fn id(millis: u64, n: u64) -> Id {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&n.to_be_bytes());
    Id::new(START_NS / 1_000_000 + millis, &random)
}

/// An event with the members that all kinds have.
pub fn event(id: Id, kind: &str, at_ms: u64, body: Value) -> Value {
    json!({
        "body": body, "id": id, "kind": kind, "logged_at": time(at_ms), "retention": "default", "system": "alpha",
    })
}

pub fn time(ms: u64) -> Timestamp {
    Timestamp(START_NS + ms * 1_000_000)
}

pub fn entry(decision: Option<Id>, events: &[Value]) -> Vec<u8> {
    let mut entry = json!({"events": events, "v": 1});
    if let Some(decision) = decision {
        entry["decision"] = json!(decision);
    }
    entry.to_string().into_bytes()
}

pub fn reference(payload: Id, role: &str, rng: &mut Rng) -> Value {
    if rng.u8(..) < 64 {
        return json!({"payload": payload, "reason": "not_provided", "role": role, "state": "not_captured"});
    }
    let digest = |rng: &mut Rng| format!("{:064x}", rng.u128(..));
    json!({
        "class": "personal", "commitment": digest(rng), "encoding": "zstd", "key_id": format!("{}.{}", rng.u8(..4), rng.u8(..)),
        "media_type": "application/json", "payload": payload, "role": role, "sealed": digest(rng), "size": rng.u32(..9999),
        "state": "present",
    })
}

/// Random entries of some decisions, in the order in which two logs get them: the log's name beside each.
pub fn stories(seed: u64, entries: usize) -> Vec<(&'static str, Vec<u8>)> {
    let mut rng = Rng::with_seed(seed);
    let mut out: Vec<(&str, Vec<u8>)> = Vec::new();
    let mut minted = seed << 20;
    for at in 0..entries as u64 {
        let log = if rng.u8(..) < 200 { "alpha" } else { "beta" };
        // A retry: the same entry again, in the same log or another.
        if rng.u8(..) < 12 && !out.is_empty() {
            let (_, again) = out[rng.usize(..out.len())].clone();
            out.push((log, again));
            continue;
        }
        let decision = id(rng.u64(..8) * 20_000, rng.u64(..4));
        let is_life = rng.u8(..) < 24;
        let mut events = Vec::new();
        for _ in 0..rng.usize(1..4) {
            minted += 1;
            let mut event = random_event(&mut rng, id(at * 1_000, minted), at * 1_000, is_life);
            if !is_life {
                for place in 0..rng.u64(0..3) {
                    let roles = ["input.raw", "output.raw", "error"];
                    let reference =
                        reference(id(at * 1_000, minted << 8 | place), roles[rng.usize(..3)], &mut rng);
                    event["payloads"].as_array_mut().unwrap().push(reference);
                }
            }
            if event["payloads"] == json!([]) {
                event.as_object_mut().unwrap().remove("payloads");
            }
            events.push(event);
        }
        out.push((log, entry((!is_life).then_some(decision), &events)));
    }
    out
}

fn random_event(rng: &mut Rng, id: Id, at_ms: u64, is_life: bool) -> Value {
    let kinds: &[&str] = match is_life {
        true => &["alert", "access", "clock", "erasure", "future.kind"],
        false => &[
            "decision.opened",
            "decision.joined",
            "context",
            "inference",
            "inference",
            "retrieval",
            "tool_call",
            "transform",
            "human",
            "label",
            "decision.closed",
            "decision.closed",
            "output",
            "future.step",
        ],
    };
    let kind = kinds[rng.usize(..kinds.len())];
    let mut event = event(id, kind, at_ms, random_body(rng, kind));
    event["payloads"] = json!([]);
    if rng.bool() {
        event["started_at"] = json!(time(at_ms.saturating_sub(rng.u64(..90_000))));
    }
    if rng.bool() {
        event["ended_at"] = json!(time(at_ms + rng.u64(..90_000)));
    }
    if rng.u8(..) < 60 {
        event["session"] = json!(super::stories::id(1, rng.u64(..3)));
    }
    if rng.u8(..) < 60 {
        event["subjects"] = json!([Pseudonym::new([rng.u8(..3); 16])]);
    }
    if rng.u8(..) < 30 {
        event["of_a_later_version"] = json!({"x": [1, "\n"]});
    }
    event
}

fn random_body(rng: &mut Rng, kind: &str) -> Value {
    let pick = |rng: &mut Rng, from: &[&str]| from[rng.usize(..from.len())].to_owned();
    let step = pick(rng, &["ok", "failed", "refused"]);
    match kind {
        "decision.opened" => {
            json!({"context": {"environment": pick(rng, &["prod", "test"])}, "route": pick(rng, &["a", "b"]), "wire": "oip"})
        }
        "context" => json!({"environment": pick(rng, &["prod", "stage"])}),
        "inference" => json!({
            "model": {"identity": "exact", "requested": "m", "returned": pick(rng, &["m-1", "m-2"]), "version": "1"},
            "outcome": step, "prompts": [{"name": pick(rng, &["p", "q"]), "role": "system"}],
            "usage": {"input": rng.u32(..500), "output": rng.u32(..500), "reasoning": "9007199254740993"},
        }),
        "retrieval" => json!({"index": "laws", "outcome": step}),
        "tool_call" => json!({"name": pick(rng, &["search", "sum"]), "outcome": step}),
        "transform" => json!({"name": "filter", "outcome": step}),
        "human" => json!({"action": pick(rng, &["approve", "override", "reject", "escalate"])}),
        "label" => json!({"name": "repaid", "origin": "ground_truth"}),
        "decision.closed" => match rng.bool() {
            true => json!({"outcome": "answered", "time_to_first_byte_ns": rng.u32(..)}),
            false => json!({"error": "upstream", "outcome": "failed"}),
        },
        "alert" => {
            json!({"about": id(rng.u64(..8) * 20_000, rng.u64(..4)), "monitor": "drift", "severity": "info"})
        }
        "access" => json!({"decisions": [id(0, 0), id(20_000, 1)]}),
        "erasure" => {
            json!({"keys": ["1.7"], "phase": "intent", "subjects": [Pseudonym::new([rng.u8(..3); 16])]})
        }
        _ => json!({"anything": [1, 2, {"three": null}]}),
    }
}
