//! The frozen entries under `fixtures/v1/record`: good ones read back to the same bytes for ever, corrupt ones are refused
//! with the error that stands beside them.

#![expect(clippy::disallowed_methods, reason = "the crate does no I/O, its tests read fixtures")]
#![expect(clippy::unwrap_used, reason = "a test that fails by panicking says where")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use inferlog_record::body::Body;
use inferlog_record::{Entry, EntryView, Event, FieldDoc, FieldType, Kind, ReferenceFields, validate};
use serde_json::Value;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/v1/record").join(name)
}

/// Name and bytes of every entry in the folder.
fn entries(name: &str) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(folder(name)).unwrap().map(|file| file.unwrap().path());
    let json = files.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    let mut entries: Vec<_> = json
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect();
    entries.sort();
    entries
}

#[test]
fn good_entries_read_back_to_their_bytes() {
    for (name, bytes) in entries("good") {
        let canonical =
            serde_json_canonicalizer::to_vec(&serde_json::from_slice::<Value>(&bytes).unwrap()).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&canonical),
            String::from_utf8_lossy(&bytes),
            "{name} is not canonical"
        );
        let entry = Entry::from_bytes(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let view = EntryView::parse(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(view.events.len(), entry.events.len(), "{name}");
        if name == "future-kind" {
            assert!(matches!(&entry.events[0].body, Body::Other(kind) if &**kind == "quantum.step"));
            assert_eq!(view.events[0].kind, "quantum.step");
            continue;
        }
        assert_eq!(entry.to_bytes().unwrap(), bytes, "{name}");
        for event in &entry.events {
            validate(event).unwrap_or_else(|violations| panic!("{name}: {violations:?}"));
        }
    }
}

#[test]
fn every_kind_has_a_good_entry() {
    for kind in Kind::ALL {
        let entry =
            Entry::from_bytes(&fs::read(folder("good").join(format!("{kind}.json"))).unwrap()).unwrap();
        assert_eq!(entry.events[0].kind(), Some(*kind));
        assert_eq!(entry.decision.is_some(), kind.of_decision(), "{kind}");
    }
}

#[test]
fn every_field_has_a_value_in_some_good_entry() {
    let mut missing = BTreeSet::new();
    let events: Vec<Value> = entries("good")
        .iter()
        .flat_map(|(_, bytes)| {
            serde_json::from_slice::<Value>(bytes).unwrap()["events"].as_array().unwrap().clone()
        })
        .collect();
    for kind in Kind::ALL {
        let bodies: Vec<&Value> = events
            .iter()
            .filter(|event| event["kind"] == kind.as_str())
            .filter_map(|event| event.get("body"))
            .collect();
        look(&format!("{kind}"), kind.fields(), &bodies, &mut missing);
    }
    let all: Vec<&Value> = events.iter().collect();
    look("event", Event::FIELDS, &all, &mut missing);
    let references: Vec<&Value> =
        events.iter().filter_map(|event| event["payloads"].as_array()).flatten().collect();
    look("reference", ReferenceFields::FIELDS, &references, &mut missing);
    assert_eq!(missing, BTreeSet::new());
}

fn look(path: &str, fields: &'static [FieldDoc], objects: &[&Value], missing: &mut BTreeSet<String>) {
    for field in fields {
        let path = format!("{path}.{}", field.name);
        let values: Vec<&Value> = objects.iter().filter_map(|object| object.get(field.name)).collect();
        if values.is_empty() {
            missing.insert(path);
            continue;
        }
        match field.r#type {
            FieldType::Object { fields, .. } => look(&path, fields, &values, missing),
            FieldType::List { item: FieldType::Object { fields, .. } } => {
                let items: Vec<&Value> =
                    values.iter().filter_map(|value| value.as_array()).flatten().collect();
                look(&path, fields, &items, missing);
            }
            _ => {}
        }
    }
}

#[test]
fn parts_join() {
    let part = |name: &str| Entry::from_bytes(&fs::read(folder("good").join(name)).unwrap()).unwrap();
    let (first, second) = (part("part-1-of-2.json"), part("part-2-of-2.json"));
    let payloads = first.events[0].payloads.len() + second.events[0].payloads.len();
    let joined = Entry::join(vec![first.clone(), second.clone()]).unwrap();
    assert_eq!(joined.events.len(), 2);
    assert_eq!(joined.events[0].payloads.len(), payloads);
    let swapped = Entry::join(vec![second.clone(), first.clone()]).unwrap_err();
    assert!(swapped.to_string().starts_with("part 2 of 2"), "{swapped}");
    let alone = Entry::join(vec![second]).unwrap_err();
    assert!(alone.to_string().contains("expected, part 1 of 1"), "{alone}");
}

#[test]
fn corrupt_entries_are_refused_with_their_error() {
    let corrupt = entries("corrupt");
    assert!(!corrupt.is_empty());
    for (name, bytes) in corrupt {
        let expected = fs::read_to_string(folder("corrupt").join(format!("{name}.error"))).unwrap();
        let error = Entry::from_bytes(&bytes).expect_err(&name).to_string();
        // Without the column, which is the JSON reader's to count.
        let error = error.split(" at line ").next().unwrap();
        assert_eq!(error, expected.trim_end(), "{name}");
    }
}
