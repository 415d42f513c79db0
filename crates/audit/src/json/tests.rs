//! The scanner against a parser and a canonicalizer that others wrote, and against the record's own types.

use inferlog_record::{Digest, Entry, EntryView};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Cursor, EntryScan, State};

fn accepts(bytes: &[u8]) -> bool {
    let mut cursor = Cursor::new(bytes);
    cursor.skip().and_then(|()| cursor.end()).is_some()
}

fn canonical(value: &Value) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).unwrap()
}

/// Integers within ±2^53 alone, as entries have them.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-(1_i64 << 53)..=1 << 53).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "[a-z\\x00-\\x20\"\\\\\u{7f}é€😀]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z_\"\\n\u{e9}\u{fb33}\u{1f600}]{0,4}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Another parser and another canonicalizer agree that these bytes are canonical. Both take the last of two equal keys, and
/// neither knows that entries have no fractions.
fn is_canonical(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Value>(bytes).is_ok_and(|value| canonical(&value) == bytes)
}

proptest! {
    #[test]
    fn canonical_values_are_accepted(value in value()) {
        prop_assert!(accepts(&canonical(&value)));
    }

    #[test]
    fn what_is_accepted_is_canonical(value in value(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in 0..3) {
        let mut bytes = canonical(&value);
        let at = at.index(bytes.len());
        match cut {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            _ => drop(bytes.remove(at)),
        }
        if accepts(&bytes) {
            prop_assert!(is_canonical(&bytes), "{}", String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        accepts(&bytes);
        let _ = EntryScan::default().read(&bytes);
    }

    /// A changed entry that the scanner takes, the record's view takes too, and both read the same.
    #[test]
    fn the_scanner_agrees_with_the_record(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = canonical(&entry());
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let mut scan = EntryScan::default();
        if scan.read(&bytes).is_ok() {
            agree(&bytes, &scan);
        }
    }
}

fn agree(bytes: &[u8], scan: &EntryScan<'_>) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    // Times have their digits checked here, and their calendar there.
    let Ok(view) = EntryView::parse(bytes) else {
        assert!(Entry::from_bytes(bytes).is_err());
        return;
    };
    assert_eq!(view.decision.map(|id| id.to_string()), scan.decision.map(text));
    assert_eq!((u64::from(view.part), u64::from(view.of)), (scan.part, scan.of));
    assert_eq!(view.events.len(), scan.events.len());
    for (view, event) in view.events.iter().zip(&scan.events) {
        assert_eq!(view.kind.as_bytes(), event.kind);
        assert_eq!(view.retention.as_bytes(), event.retention);
        assert_eq!(view.logged_at.to_string().as_bytes(), event.logged_at);
        let references = &scan.references[event.references.clone()];
        assert_eq!(view.payloads.len(), references.len());
        for (view, reference) in view.payloads.iter().zip(references) {
            assert_eq!(*view.payload.as_bytes(), reference.payload);
            assert_eq!(view.sealed, reference.sealed.map(Digest));
            assert_eq!(view.state == "present", reference.state == State::Present);
        }
    }
}

fn entry() -> Value {
    let id = |number: u32| format!("019aa2b0-0000-7000-8000-{number:012x}");
    let digest = "0123456789abcdef".repeat(4);
    json!({
        "decision": id(1), "v": 1, "part": 1, "of": 2,
        "events": [{
            "id": id(2), "kind": "inference", "logged_at": "2026-11-21T00:00:00.000000000Z", "retention": "default",
            "system": "credit", "body": {"outcome": "ok", "model": {"identity": "exact", "requested": "credit"}},
            "payloads": [
                {"payload": id(3), "role": "output.raw", "state": "present", "class": "personal", "encoding": "zstd",
                 "media_type": "application/json", "size": 256, "key_id": "4.12", "commitment": digest, "sealed": digest},
                {"payload": id(4), "role": "input.raw", "state": "present", "first": id(9)},
                {"payload": id(5), "role": "tools", "state": "erased", "reason": format!("erased_by_order:{}", id(8))},
                {"payload": id(6), "role": "prompt", "state": "present", "class": "shared", "encoding": "identity",
                 "media_type": "text/plain", "size": 10, "sha256": digest},
            ],
            "subjects": ["3f1c0e6a-0f5e-4d6e-9d53-2a7de9f3a001"],
        }],
    })
}

#[test]
fn an_entry_is_read() {
    let bytes = canonical(&entry());
    let mut scan = EntryScan::default();
    scan.read(&bytes).unwrap();
    agree(&bytes, &scan);
    assert_eq!(scan.place(), (&b"default"[..], &b"2026-11-21"[..]));
    assert_eq!(scan.references.iter().filter(|reference| reference.sealed.is_some()).count(), 1);
    assert!(EntryView::parse(&bytes).is_ok());
}

/// One change to the good entry, and what is said of it.
#[test]
fn what_is_wrong_is_said() {
    type Mutation = (&'static str, fn(&mut Value));
    let mutations: [Mutation; 12] = [
        ("of another version", |entry| entry["v"] = 2.into()),
        ("no events", |entry| entry["events"] = json!([])),
        ("part is not within", |entry| entry["part"] = 3.into()),
        ("expected an id", |entry| entry["decision"] = "019aa2b0-0000-4000-8000-000000000001".into()),
        ("expected a time", |entry| entry["events"][0]["logged_at"] = "2026-11-21T00:00:00Z".into()),
        ("lacks id, kind", |entry| drop(entry["events"][0].as_object_mut().unwrap().remove("kind"))),
        ("sealed reference has", |entry| {
            drop(entry["events"][0]["payloads"][0].as_object_mut().unwrap().remove("sealed"));
        }),
        ("has a reason", |entry| entry["events"][0]["payloads"][0]["reason"] = "unknown".into()),
        ("beside first", |entry| entry["events"][0]["payloads"][1]["size"] = 1.into()),
        ("does not go with the state", |entry| {
            entry["events"][0]["payloads"][2]["reason"] = "over_limit".into()
        }),
        ("shared reference has", |entry| entry["events"][0]["payloads"][3]["key_id"] = "1.1".into()),
        ("unknown state", |entry| entry["events"][0]["payloads"][1]["state"] = "gone".into()),
    ];
    for (expected, mutate) in mutations {
        let mut entry = entry();
        mutate(&mut entry);
        let bytes = canonical(&entry);
        let malformed = EntryScan::default().read(&bytes).unwrap_err();
        assert!(malformed.what.contains(expected), "{expected}: {malformed}");
    }
}

#[test]
fn only_one_spelling_is_taken() {
    for good in [&br#"{"a":1,"b":[]}"#[..], br#""\u001f\b""#, b"-9007199254740992", br#"{"":0}"#] {
        assert!(accepts(good), "{}", String::from_utf8_lossy(good));
    }
    let bad: [&[u8]; 17] = [
        br#"{"b":1,"a":2}"#,
        br#"{"a":1,"a":2}"#,
        br#"{"a": 1}"#,
        br#"{"a":1} "#,
        b"01",
        b"-0",
        b"1.0",
        b"1e2",
        b"9007199254740993",
        br#""\u0041""#,
        br#""\/""#,
        br#""\u000A""#,
        br#""\u0009""#,
        b"\"\n\"",
        b"\"\xff\"",
        b"[1,]",
        b"tru",
    ];
    for bad in bad {
        assert!(!accepts(bad), "{}", String::from_utf8_lossy(bad));
    }
    assert!(!accepts("[".repeat(100_000).as_bytes()), "deep nesting is refused, not recursed into");
    // U+FB33 is one code unit above the surrogates of U+1F600: UTF-16 order, not that of code points.
    assert!(accepts("{\"\u{1f600}\":1,\"\u{fb33}\":2}".as_bytes()));
}
