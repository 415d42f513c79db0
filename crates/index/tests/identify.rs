//! Payloads opened for the index: ids that others have, content where it may be clear; and nothing of them after an erasure.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failure fails the test")]

mod world;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use inferlog_disk::{ManualClock, SeededRng};
use inferlog_index::FollowOptions;
use inferlog_log::{Append, LogIdentity};
use inferlog_record::{Id, PayloadRole, RetentionClass, SystemName};
use inferlog_vault::{DecisionKey, FileRoot, KeystoreId, Scope, SealContext, Subject, Vault};
use serde_json::{Value, json};
use world::dump::{open, rows};
use world::stories::{entry, event, id};
use world::{START_NS, World, append, catch_up};

fn vault(world: &World) -> Vault {
    let fs = Arc::new(world.fs.clone());
    let root = Box::new(FileRoot::without_modes(fs.clone(), "/home/inferlog.root".into()));
    let (rng, clock) = (Arc::new(SeededRng::new(9)), Arc::new(ManualClock::new(START_NS)));
    Vault::create(fs, rng, clock, Path::new("/data/keystore"), KeystoreId([3; 16]), root).unwrap()
}

fn key(vault: &Vault, decision: Id, subjects: &[Subject]) -> DecisionKey {
    let scope = Scope {
        system: SystemName::new("alpha").unwrap(),
        class: RetentionClass::default(),
        day: (START_NS / 86_400_000_000_000) as u32,
    };
    vault.decision_key(&scope, decision, subjects).unwrap()
}

/// A model call with its payloads sealed: role, media type, content.
fn call(world: &World, system: &str, key: &DecisionKey, n: u64, payloads: &[(&str, &str, &[u8])]) -> Append {
    let origin = LogIdentity::load(&world.fs, &world.dir(system)).unwrap().origin;
    let mut event =
        event(id(5, n), "inference", 5, json!({"model": {"returned": "m", "version": "3"}, "outcome": "ok"}));
    let subjects: Vec<String> =
        key.subjects().iter().map(|subject| subject.pseudonym().to_string()).collect();
    if !subjects.is_empty() {
        event["subjects"] = json!(subjects);
    }
    let mut sealed_payloads = inferlog_log::Payloads::default();
    let mut references = Vec::new();
    for (at, (role, media_type, content)) in (1..).zip(payloads) {
        let payload = id(5, n << 16 | at);
        let context = SealContext { origin: &origin, event: id(5, n), role, payload };
        let sealed = key.seal(&context, content).unwrap();
        sealed_payloads.push(payload.into_bytes(), &sealed.bytes);
        references.push(json!({
            "class": "personal", "commitment": sealed.commitment, "encoding": sealed.encoding, "key_id": key.id(),
            "media_type": media_type, "payload": payload, "role": role, "sealed": sealed.sealed, "size": sealed.size, "state": "present",
        }));
    }
    event["payloads"] = Value::from(references);
    Append { payloads: sealed_payloads, ..append(entry(Some(key.owner()), &[event])) }
}

fn options(vault: &Vault) -> FollowOptions {
    let roles = vec![PayloadRole::InputRaw, PayloadRole::InputAssembled, PayloadRole::OutputRaw];
    let clear_content = BTreeMap::from([(SystemName::new("alpha").unwrap(), roles)]);
    FollowOptions { vault: Some(vault.clone()), clear_content, ..FollowOptions::default() }
}

/// Decisions with an id of this kind, or of any.
fn found(path: &Path, vault: &Vault, kind: Option<&str>, value: &str) -> Vec<String> {
    let digest = vault.index_digest(kind, value.as_bytes());
    let digest: String = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    rows(
        &open(path),
        &format!(
            "SELECT d.id FROM identifier i JOIN decision d ON d.no = i.decision WHERE i.digest = x'{digest}' ORDER BY 1"
        ),
    )
}

fn text(id: Id) -> Vec<String> {
    vec![format!("Text(\"{id}\")")]
}

const REQUEST: &[u8] = br#"{"id":"r","inputs":[{"name":"age","data":[44]}],"parameters":{"p":1}}"#;
const RESPONSE: &[u8] = br#"{"model_name":"m","outputs":[{"name":"predict","data":[1]}]}"#;
const JSON: &str = "application/json";

fn calls(world: &World, vault: &Vault, system: &str, n: u64, subjects: &[Subject]) -> (DecisionKey, Append) {
    let key = key(vault, id(0, n), subjects);
    let ids = format!(r#"{{"traceparent":"tp-{n}","x-request-id":["req-{n}","req-b-{n}"]}}"#);
    let payloads: [(&str, &str, &[u8]); 4] = [
        ("input.assembled", JSON, REQUEST),
        ("output.raw", JSON, RESPONSE),
        ("headers", JSON, br#"{"accept":"*/*"}"#),
        ("external_ids", JSON, ids.as_bytes()),
    ];
    let append = call(world, system, &key, n, &payloads);
    (key, append)
}

#[test]
fn ids_are_found_and_content_is_clear_where_it_may_be() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("index.sqlite");
    let mut world = World::new();
    world.log("alpha");
    world.log("beta");
    let vault = vault(&world);
    let (one, first) = calls(&world, &vault, "alpha", 1, &[]);
    let (two, second) = calls(&world, &vault, "beta", 2, &[]);
    world.publish_appends(&[("alpha", first), ("beta", second)]);
    // Events do not wait for keys.
    let mut follower = world.follower_with(&path, options(&vault));
    catch_up(&mut follower);
    assert_eq!(rows(&open(&path), "SELECT next, identified FROM logs"), ["Integer(1) Integer(0)"; 2]);
    assert!(found(&path, &vault, None, "req-1").is_empty());
    // The births come.
    vault.absorb(&one.births().unwrap()).unwrap();
    vault.absorb(&two.births().unwrap()).unwrap();
    catch_up(&mut follower);
    assert_eq!(rows(&open(&path), "SELECT identified FROM logs"), ["Integer(1)"; 2]);
    for (n, key) in [(1, &one), (2, &two)] {
        for (kind, value) in [
            ("x-request-id", format!("req-{n}")),
            ("x-request-id", format!("req-b-{n}")),
            ("traceparent", format!("tp-{n}")),
        ] {
            assert_eq!(found(&path, &vault, Some(kind), &value), text(key.owner()));
            assert_eq!(found(&path, &vault, None, &value), text(key.owner()));
            assert!(found(&path, &vault, Some("other"), &value).is_empty());
        }
    }
    let guide = "SELECT req.raw_request AS request, resp.raw_response AS response, inputs, req.parameters, resp.outputs
        FROM inference_requests req INNER JOIN inference_responses resp ON (req.id = resp.id) WHERE req.timestamp > '2026-01-01' ORDER BY req.id";
    let answers = rows(&open(&path), guide);
    let quoted = |json: &[u8]| format!("Text({:?})", std::str::from_utf8(json).unwrap());
    let expected = [
        quoted(REQUEST),
        quoted(RESPONSE),
        quoted(br#"[{"name":"age","data":[44]}]"#),
        quoted(br#"{"p":1}"#),
        quoted(br#"[{"name":"predict","data":[1]}]"#),
    ];
    assert_eq!(answers[0], expected.join(" "));
    // The other system's policy does not allow it: references stand there.
    assert!(
        answers[1].contains("\\\"role\\\":\\\"input.assembled\\\"") && !answers[1].contains("age"),
        "{}",
        answers[1]
    );
}

/// Whether any file of the index holds these bytes.
#[test]
fn a_bundle_that_was_skipped_stands_in_the_way_of_no_identifier() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("index.sqlite");
    let mut world = World::new();
    world.log("alpha");
    let vault = vault(&world);
    let plain = |n: u64| ("alpha", entry(None, &[event(id(9, n), "clock", 1, json!({}))]));
    world.publish(&(0..256).map(plain).collect::<Vec<_>>());
    let (one, call) = calls(&world, &vault, "alpha", 1, &[]);
    world.publish_appends(&[("alpha", call)]);
    vault.absorb(&one.births().unwrap()).unwrap();
    world.fs.flip_bit(&world.dir("alpha").path().join("tile/entries/000"), 0, 7).unwrap();
    let mut follower = world.follower_with(&path, options(&vault));
    assert!(follower.catch_up(&mut |_| std::ops::ControlFlow::Continue(())).is_err());
    let origin = follower.status().get().logs[0].name.origin.clone();
    follower.skip(&origin, 256, "damaged by hand").unwrap();
    catch_up(&mut follower);
    assert_eq!(found(&path, &vault, None, "req-1"), text(one.owner()));
}

fn holds(dir: &Path, bytes: &[u8]) -> bool {
    let files = std::fs::read_dir(dir).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
    files.into_iter().any(|file| file.windows(bytes.len()).any(|window| window == bytes))
}

#[test]
fn an_erasure_takes_identifiers_and_content_out_and_nothing_brings_them_back() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("index.sqlite");
    let mut world = World::new();
    world.log("alpha");
    let vault = vault(&world);
    let alice = vault.subject(&SystemName::new("alpha").unwrap(), b"alice").unwrap();
    let (about_alice, first) = calls(&world, &vault, "alpha", 1, std::slice::from_ref(&alice));
    let (by_key, second) = calls(&world, &vault, "alpha", 2, &[]);
    let (kept, third) = calls(&world, &vault, "alpha", 3, &[]);
    for key in [&about_alice, &by_key, &kept] {
        vault.absorb(&key.births().unwrap()).unwrap();
    }
    world.publish_appends(&[("alpha", first), ("alpha", second), ("alpha", third)]);
    let mut follower = world.follower_with(&path, options(&vault));
    catch_up(&mut follower);
    let count = || {
        rows(&open(&path), "SELECT (SELECT count(*) FROM identifier), (SELECT count(*) FROM content)")
            .concat()
    };
    assert_eq!(count(), "Integer(18) Integer(6)");
    let digest = vault.index_digest(None, b"req-1");
    assert!(holds(temp.path(), &digest));
    // The intents; the vault has not carried them out yet, and would open everything.
    let intent = |n, subjects: Value, keys: Value| {
        let body = json!({"keys": keys, "order": "subject_request", "phase": "intent", "subjects": subjects});
        ("alpha", entry(None, &[event(id(9, n), "erasure", 9, body)]))
    };
    world.publish(&[
        intent(70, json!([alice.pseudonym()]), json!([alice.key_id()])),
        intent(71, json!([]), json!([by_key.id()])),
    ]);
    // A reader keeps the old pages for as long as it reads; nobody waits for it.
    let mut reader = open(&path);
    let snapshot = reader.transaction().unwrap();
    assert_eq!(rows(&snapshot, "SELECT count(*) FROM content"), ["Integer(6)"]);
    let began = Instant::now();
    catch_up(&mut follower);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(count(), "Integer(6) Integer(2)");
    drop(snapshot);
    world.publish(&[("alpha", entry(None, &[event(id(9, 72), "clock", 9, json!({"synchronised": false}))]))]);
    catch_up(&mut follower);
    assert!(
        !holds(temp.path(), &digest)
            && !holds(temp.path(), &vault.index_digest(Some("traceparent"), b"tp-2"))
    );
    assert_eq!(found(&path, &vault, None, "req-3"), text(kept.owner()));
    // A rebuild finds the erasures before it opens anything.
    follower.clear().unwrap();
    catch_up(&mut follower);
    assert_eq!(count(), "Integer(6) Integer(2)");
    assert!(!holds(temp.path(), &digest));
}
