//! A log that its own key's holder filled with entries that inferlog would not write: what two readers could take differently, and
//! what contradicts itself, is a fault, though every proof and every signature holds.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

#[path = "../../audit/tests/agentic/mod.rs"]
mod agentic;
#[path = "../../audit/tests/sealed/mod.rs"]
mod sealed;
mod support;
#[path = "../../audit/tests/world/mod.rs"]
mod world;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::LazyLock;

use inferlog_bundle::layout::{Entries, Facts, ProvedEntry};
use inferlog_bundle::verify::VerifyOptions;
use inferlog_merkle::{Checkpoint, TilePath, TileSource, inclusion_proof, leaf_hash, root};
use serde::Serialize;
use serde_json::{Value, json};
use support::{Files, Key, Made, check, places, sign, sum};

/// A bundle of the decision whose write takes several entries, all of it disclosed, and of the system's life.
static BUNDLE: LazyLock<(Files, VerifyOptions)> = LazyLock::new(|| {
    let made = Made::new();
    let of = |id| Files::unpack(&made.bundle_of(&[id], &["*"], false, support::BUILD)).unwrap();
    let is_in_parts = |files: &Files| {
        let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).unwrap_or_default();
        files.0.iter().any(|(path, bytes)| path.starts_with("decisions/") && text(bytes).contains(PART))
    };
    let files = made.decisions.iter().map(|id| of(*id)).find(is_in_parts).unwrap();
    (files, VerifyOptions { keys: made.known().keys, ..VerifyOptions::default() })
});

/// How the second part of a write shows in a file.
const PART: &str = r#"\"part\":2"#;

/// The leaves of a tree of one tile.
struct Leaves(Vec<u8>);

impl TileSource for Leaves {
    type Error = Infallible;

    fn read_tile(&self, path: TilePath) -> Result<Vec<u8>, Infallible> {
        Ok(self.0[..32 * path.width() as usize].to_vec())
    }
}

/// The entries of a bundle, in the order of the log, each with the file that it stands in.
type Log = Vec<(String, String)>;

fn log() -> Log {
    let entries =
        BUNDLE.0.0.iter().filter(|(path, _)| path.starts_with("decisions/") || path.ends_with("system.json"));
    let mut log = BTreeMap::new();
    for (path, bytes) in entries {
        let file: Entries = serde_json::from_slice(bytes).unwrap();
        log.extend(file.entries.into_iter().map(|proved| (proved.index, (path.clone(), proved.entry))));
    }
    log.into_values().collect()
}

fn line(value: &impl Serialize) -> Vec<u8> {
    (serde_json::to_string(value).unwrap() + "\n").into_bytes()
}

/// The same bundle of a log that has these entries and no others, its checkpoint and all else signed by the log's key.
fn bundle(log: &Log) -> Files {
    let (mut files, origin) = (BUNDLE.0.clone(), BUNDLE.1.keys[0].name().to_owned());
    let leaves = Leaves(log.iter().flat_map(|(_, entry)| *leaf_hash(entry.as_bytes()).as_bytes()).collect());
    let size = log.len() as u64;
    let checkpoint = Checkpoint::new(&origin, size, root(&leaves, size).unwrap()).unwrap();
    files.0.insert("logs/0/checkpoint".into(), Key::of_log().note(&origin, &checkpoint.to_string()));
    files.0.retain(|path, _| !path.contains("/timestamps/"));
    let mut facts: Facts = serde_json::from_slice(&files.0["bundle.json"]).unwrap();
    (facts.logs[0].size, facts.logs[0].root, facts.logs[0].timestamps) =
        (size, checkpoint.root().to_base64(), 0);
    files.0.insert("bundle.json".into(), line(&facts));
    let paths: Vec<String> = files.0.keys().cloned().collect();
    for path in paths.into_iter().filter(|path| log.iter().any(|(file, _)| file == path)) {
        let mut file: Entries = serde_json::from_slice(&files.0[&path]).unwrap();
        file.entries = (0..)
            .zip(log)
            .filter(|(_, (file, _))| *file == path)
            .map(|(index, (_, entry))| {
                let proof = inclusion_proof(&leaves, index, size).unwrap();
                let proof = proof.iter().map(inferlog_merkle::Hash::to_base64).collect();
                ProvedEntry { entry: entry.clone(), index, log: 0, proof }
            })
            .collect();
        files.0.insert(path, line(&file));
    }
    seal(files)
}

fn seal(mut files: Files) -> Files {
    sum(&mut files);
    sign(&mut files, BUNDLE.1.keys[0].name(), &Key::of_log(), "");
    files
}

/// Edits the one entry that holds a text, as JSON.
fn edit(log: &mut Log, holds: &str, edit: impl FnOnce(&mut Value)) {
    let (_, entry) = log.iter_mut().find(|(_, entry)| entry.contains(holds)).unwrap();
    let mut value = serde_json::from_str(entry).unwrap();
    edit(&mut value);
    *entry = value.to_string();
}

fn respell(log: &mut Log, from: &str, to: &str) {
    let (_, entry) = log.iter_mut().find(|(file, _)| file.starts_with("decisions/")).unwrap();
    assert!(entry.contains(from));
    *entry = entry.replacen(from, to, 1);
}

/// What is wrong with a log, and the check that says so.
fn faults(wrong: impl FnOnce(&mut Log)) -> Vec<String> {
    let mut log = log();
    wrong(&mut log);
    places(&check(&bundle(&log), &BUNDLE.1))
}

#[test]
fn the_log_made_anew_is_sound() {
    assert_eq!(faults(|_| {}), [] as [String; 0]);
}

#[test]
fn an_entry_has_one_spelling() {
    for (from, to) in [
        ("\"v\":1}", "\"v\":1.0}"),
        ("\"v\":1}", "\"v\":1e0}"),
        ("\"v\":1}", "\"v\": 1}"),
        ("\"v\":1}", "\"v\":1,\"a\":2}"),
        ("\"v\":1}", "\"v\":1,\"z\":-0}"),
        ("\"v\":1}", "\"v\":1,\"z\":18446744073709551616}"),
        ("\"v\":1}", "\"v\":1,\"v\":1}"),
        ("\"kind\":\"decision.opened\"", "\"kind\":\"decision\\u002eopened\""),
    ] {
        let found = faults(|log| respell(log, from, to));
        assert!(found.iter().any(|fault| fault.starts_with("entries decisions/")), "{to}: {found:?}");
    }
}

#[test]
fn the_parts_of_a_write_stand_beside_each_other() {
    let found = faults(|log| {
        let whole = log.iter().position(|(_, entry)| !entry.contains("\"of\":")).unwrap();
        let between = log.remove(whole);
        let second = log.iter().position(|(_, entry)| entry.contains("\"part\":2")).unwrap();
        log.insert(second, between);
    });
    assert!(found.iter().any(|fault| fault.starts_with("entries decisions/")), "{found:?}");
}

#[test]
fn an_end_says_how_it_ended() {
    let found = faults(|log| {
        edit(log, "\"kind\":\"decision.closed\"", |entry| {
            let events = entry["events"].as_array_mut().unwrap();
            let end = events.iter_mut().find(|event| event["kind"] == "decision.closed").unwrap();
            end.as_object_mut().unwrap().remove("body");
        });
    });
    assert!(found.iter().any(|fault| fault.starts_with("entries decisions/")), "{found:?}");
}

/// A key that is none takes nothing away from the others, nor does a count of what is withheld that is not there.
#[test]
fn content_of_a_destroyed_key_is_not_disclosed() {
    let log = log();
    let (_, entry) =
        log.iter().find(|(file, entry)| file.starts_with("decisions/") && entry.contains("key_id")).unwrap();
    let key = entry.split("\"key_id\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let event = serde_json::from_str::<Value>(entry).unwrap()["events"][0].clone();
    for keys in [json!([key]), json!(["no key", key]), json!([key, "4294967296.0"])] {
        let erasure = json!({"events": [{
            "body": {"decisions": 1, "keys": keys, "order": "request", "phase": "intent"},
            "id": "01f00000-0000-7000-8000-000000000001",
            "kind": "erasure",
            "logged_at": event["logged_at"],
            "retention": event["retention"],
            "system": event["system"],
        }], "v": 1});
        let found = faults(|log| log.push(("logs/0/system.json".into(), erasure.to_string())));
        assert!(found.iter().any(|fault| fault.starts_with("openings openings/")), "{keys}: {found:?}");
    }
}

/// What is withheld from an erasure, or refused, may be disclosed; what a purge covers is purged where it is not.
#[test]
fn content_that_was_spared_may_be_disclosed() {
    let log = log();
    let (_, entry) =
        log.iter().find(|(file, entry)| file.starts_with("decisions/") && entry.contains("key_id")).unwrap();
    let key = entry.split("\"key_id\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let first = serde_json::from_str::<Value>(entry).unwrap()["events"][0].clone();
    let intent = "01f00000-0000-7000-8000-000000000001";
    let event = |number: u8, kind: &str, body: Value| {
        json!({
            "body": body,
            "id": format!("01f00000-0000-7000-8000-{number:012}"),
            "kind": kind,
            "logged_at": first["logged_at"],
            "retention": first["retention"],
            "system": first["system"],
        })
    };
    let erasure = |number: u8, phase: &str, keys: &[&str]| {
        let mut body = json!({"decisions": 1, "keys": keys, "order": "request", "phase": phase});
        if phase == "withheld" {
            body["intent"] = intent.into();
        }
        event(number, "erasure", body)
    };
    let with = |events: Vec<Value>| {
        let entry = json!({"events": events, "v": 1}).to_string();
        let found = faults(|log| log.push(("logs/0/system.json".into(), entry)));
        found.iter().any(|fault| fault.starts_with("openings openings/"))
    };
    assert!(with(vec![erasure(1, "intent", &[&key])]));
    assert!(!with(vec![erasure(1, "refused", &[&key])]));
    assert!(!with(vec![erasure(2, "withheld", &[&key]), erasure(1, "intent", &[&key])]));
    assert!(with(vec![erasure(2, "withheld", &["9.9"]), erasure(1, "intent", &[&key])]));
    let purge =
        json!({"class": first["retention"], "first": 0, "last": 1, "policy": "p/1", "what": "payloads"});
    assert!(!with(vec![event(3, "purge", purge)]), "a hold may have kept it");
}

/// A hold that is released twice was released the first time.
#[test]
fn a_hold_is_over_when_it_is_first_released() {
    let first = serde_json::from_str::<Value>(&log()[0].1).unwrap()["events"][0].clone();
    let hold = "01f00000-0000-7000-8000-0000000000aa";
    let (placed, released) =
        (json!({"basis": "authority_order", "hold": hold, "scope": {}}), json!({"hold": hold}));
    let class = log()
        .iter()
        .find(|(file, _)| file.starts_with("decisions/"))
        .map(|(_, entry)| serde_json::from_str::<Value>(entry).unwrap()["events"][0]["retention"].clone());
    let purge = json!({"class": class, "first": 0, "last": 100, "policy": "p/1", "what": "payloads"});
    let counts = |life: &[(&str, &Value)]| {
        let mut log = log();
        for (number, (kind, body)) in life.iter().enumerate() {
            let event = json!({
                "body": body,
                "id": format!("01f00000-0000-7000-8000-{number:012}"),
                "kind": kind,
                "logged_at": first["logged_at"],
                "retention": "permanent",
                "system": first["system"],
            });
            log.push(("logs/0/system.json".into(), json!({"events": [event], "v": 1}).to_string()));
        }
        let mut files = bundle(&log);
        for (_, bytes) in files.0.iter_mut().filter(|(path, _)| path.starts_with("openings/")) {
            let mut file: Value = serde_json::from_slice(bytes).unwrap();
            file["openings"] = json!([]);
            *bytes = line(&file);
        }
        let counts = check(&seal(files), &BUNDLE.1).counts;
        (counts.purged > 0, counts.held)
    };
    let (placed, released, purge) =
        (("hold.placed", &placed), ("hold.released", &released), ("purge", &purge));
    assert_eq!(counts(&[purge]), (true, 0));
    assert_eq!(counts(&[placed, purge]), (false, 1));
    assert_eq!(counts(&[placed, purge, released]), (false, 0));
    assert_eq!(counts(&[placed, released, purge]), (true, 0));
    assert_eq!(counts(&[placed, released, purge, released]), (true, 0));
}

#[test]
fn keys_are_lines() {
    let mut files = bundle(&log());
    let keys = String::from_utf8(files.0["logs/0/keys"].clone()).unwrap();
    files.0.insert("logs/0/keys".into(), keys.replace('\n', "\r\n").into_bytes());
    let found = places(&check(&seal(files), &BUNDLE.1));
    assert!(found.iter().any(|fault| fault.contains("logs/0/keys")), "{found:?}");
}
