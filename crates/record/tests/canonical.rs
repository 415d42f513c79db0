//! Bytes: what we write is RFC 8785, for arbitrary events of every kind, and the readers agree on it.

#![expect(clippy::unwrap_used, reason = "a test that fails by panicking says where")]

mod generate;

use inferlog_record::body::{Body, RecorderStopped, StopReason};
use inferlog_record::{
    Content, ENTRY_BYTES_MAX, Entry, EntryError, EntryView, Event, Id, Kind, List, NodeId, PayloadRole,
    Pseudonym, Reference, SystemName, Timestamp, Why, body, validate,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::Value;

fn canonical(value: &Value) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).unwrap()
}

#[test]
fn every_kind_is_written_canonically() {
    for kind in Kind::ALL {
        let mut runner =
            TestRunner::new(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() });
        let outcome = runner.run(&generate::entry(*kind), |value| {
            let expected = canonical(&value);
            let entry =
                Entry::from_bytes(&expected).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(entry.events[0].kind(), Some(*kind));
            let ours = entry.to_bytes().unwrap();
            prop_assert_eq!(String::from_utf8_lossy(&ours), String::from_utf8_lossy(&expected));
            let again: Value = serde_json::from_slice(&ours).unwrap();
            prop_assert_eq!(canonical(&again), ours);
            view_agrees(&entry, &expected)?;
            Ok(())
        });
        outcome.unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
}

fn view_agrees(entry: &Entry, bytes: &[u8]) -> Result<(), TestCaseError> {
    let view = EntryView::parse(bytes).unwrap();
    prop_assert_eq!((view.decision, view.of, view.part), (entry.decision, entry.of, entry.part));
    prop_assert_eq!(view.events.len(), entry.events.len());
    for (seen, event) in view.events.iter().zip(&entry.events) {
        let common = (seen.id, seen.kind, seen.logged_at, seen.retention);
        prop_assert_eq!(
            common,
            (event.id, event.body.kind_text(), event.logged_at, event.retention.as_str())
        );
        prop_assert_eq!(seen.payloads.len(), event.payloads.len());
        for (seen, reference) in seen.payloads.iter().zip(&event.payloads) {
            let common = (seen.payload, seen.role, seen.state);
            prop_assert_eq!(common, (reference.payload, reference.role.as_str(), reference.state().as_str()));
            match reference.content {
                Content::Sealed(content) => {
                    let found = (seen.sealed, seen.commitment, seen.key_id, seen.size.map(|size| size.0));
                    let expected = (
                        Some(content.sealed),
                        Some(content.commitment),
                        Some(content.key_id),
                        Some(content.size),
                    );
                    prop_assert_eq!(found, expected);
                }
                Content::Shared(content) => prop_assert_eq!(seen.sha256, Some(content.sha256)),
                Content::First(first, _) => prop_assert_eq!(seen.first, Some(first)),
                Content::Absent(absent) => prop_assert_eq!(seen.reason, Some(&*absent.reason.to_string())),
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Entry::from_bytes(&bytes).is_err());
        prop_assert!(EntryView::parse(&bytes).is_err());
    }

    #[test]
    fn one_changed_byte_never_panics(
        value in generate::entry(Kind::Inference), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = canonical(&value);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(entry) = Entry::from_bytes(&bytes) {
            for event in &entry.events {
                let _ = validate(event);
            }
        }
        let _ = EntryView::parse(&bytes);
    }

    #[test]
    fn parts_fit_and_join(sizes in proptest::collection::vec(0usize..400, 1..6), decided in any::<bool>()) {
        let events = sizes.iter().enumerate().map(|(number, payloads)| event(number as u64, *payloads)).collect();
        let whole = Entry::new(decided.then(|| id(1 << 40)), events);
        let parts = whole.clone().into_parts().unwrap();
        for (number, part) in (1..).zip(&parts) {
            let bytes = part.to_bytes().unwrap();
            prop_assert!(bytes.len() <= ENTRY_BYTES_MAX);
            prop_assert_eq!((part.part, part.of), (number, parts.len() as u32));
            prop_assert_eq!(&Entry::from_bytes(&bytes).unwrap(), part);
            prop_assert_eq!(canonical(&serde_json::from_slice(&bytes).unwrap()), bytes);
        }
        prop_assert_eq!(Entry::join(parts).unwrap(), whole);
    }
}

#[test]
fn every_prefix_is_refused() {
    let whole = Entry::new(Some(id(7)), vec![event(1, 3)]).to_bytes().unwrap();
    for end in 0..whole.len() {
        assert!(Entry::from_bytes(&whole[..end]).is_err(), "{end}");
        assert!(EntryView::parse(&whole[..end]).is_err(), "{end}");
    }
}

#[test]
fn deep_nesting_does_not_overflow() {
    let deep = "[".repeat(1_000_000);
    for bytes in [deep.clone(), format!("{{\"events\":{deep}"), format!("{{\"events\":[{{\"body\":{deep}")] {
        assert!(Entry::from_bytes(bytes.as_bytes()).is_err());
        assert!(EntryView::parse(bytes.as_bytes()).is_err());
    }
    let whole = String::from_utf8(Entry::new(None, vec![event(1, 1)]).to_bytes().unwrap()).unwrap();
    let later = whole.replacen('{', &format!("{{\"a\":{deep}{},", deep.replace('[', "]")), 1);
    assert!(Entry::from_bytes(later.as_bytes()).is_ok());
    assert!(EntryView::parse(later.as_bytes()).is_ok());
}

#[test]
fn a_long_event_is_continued_with_the_rest_of_its_payloads() {
    let parts = Entry::new(Some(id(7)), vec![event(1, 2000), event(2, 1)]).into_parts().unwrap();
    assert!(parts.len() > 2);
    assert!(matches!(parts[0].events[0].body, Body::RecorderStopped(_)));
    for part in &parts[1..] {
        assert!(matches!(part.events[0].body, Body::Rest(Kind::RecorderStopped)));
        assert_eq!(part.events[0].id, parts[0].events[0].id);
        assert_eq!(part.decision, Some(id(7)));
    }
    // The event after it shares the last part.
    assert_eq!(parts[parts.len() - 1].events.len(), 2);
    let fewer = Entry::join(parts[1..].to_vec()).unwrap_err();
    assert!(matches!(fewer, EntryError::Parts { .. }), "{fewer}");
}

#[test]
fn clear_fields_that_fill_an_entry_are_refused() {
    let mut event = event(1, 0);
    event.subjects = (0..2000).map(|number| Pseudonym::new([number as u8; 16])).collect();
    assert!(!validate(&event).unwrap_err().is_empty());
    let error = Entry::new(None, vec![event]).into_parts().unwrap_err();
    assert!(matches!(error, EntryError::TooLarge { bytes, .. } if bytes > ENTRY_BYTES_MAX), "{error}");
}

#[test]
fn the_longest_valid_bodies_fit_in_an_entry() {
    let ids = || (0..256).map(id).collect::<List<Id>>();
    let persons = || (0..256).map(|number| Pseudonym::new([number as u8; 16])).collect::<List<Pseudonym>>();
    let keys = (0..256).map(|_| "4294967295.65535".parse().unwrap()).collect();
    let classes = (0..256).map(|_| "a".repeat(31).parse().unwrap()).collect();
    let documents = (0..256).map(|number| body::Document {
        payload: id(number),
        rank: u32::MAX,
        score_millionths: Some(i64::MIN.into()),
    });
    let name = || Some("n".repeat(128).parse().unwrap());
    let bodies: Vec<Body> = vec![
        body::Erasure {
            refusals: vec![].into(),
            resumes: None,
            backup_horizon: Some(Timestamp(u64::MAX)),
            by: None,
            certificate: Some([7; 32].into()),
            decisions: u64::MAX.into(),
            holds: ids(),
            intent: Some(id(1)),
            keys,
            order: body::OrderKind::Request,
            phase: body::ErasurePhase::Completed,
            root_epoch: Some(u32::MAX),
            stores: body::Store::ALL.iter().copied().collect(),
            subjects: persons(),
            until: None,
            withheld: u64::MAX.into(),
        }
        .into(),
        body::HoldPlaced {
            by: None,
            basis: body::Basis::Internal,
            hold: id(1),
            incident: Some(id(1)),
            scope: body::Scope { classes, decisions: ids(), from: None, subjects: persons(), to: None },
        }
        .into(),
        body::Retrieval {
            documents: documents.collect(),
            error: None,
            index: name(),
            index_digest: Some([7; 32].into()),
            index_version: name(),
            outcome: body::StepOutcome::Ok,
            source: name(),
            total: Some(u64::MAX.into()),
        }
        .into(),
    ];
    for body in bodies {
        let mut event = Event::new(id(1), "a".repeat(63).parse().unwrap(), Timestamp(u64::MAX), body);
        event.after = ids();
        event.subjects = persons();
        event.payloads = vec![Reference::not_captured(id(2), PayloadRole::Error, Why::Unknown.into()); 300];
        let parts = Entry::new(Some(id(1)), vec![event]).into_parts().unwrap();
        assert!(parts.iter().all(|part| part.to_bytes().unwrap().len() <= ENTRY_BYTES_MAX));
    }
}

fn id(number: u64) -> Id {
    Id::new(number, &[number as u8; 10])
}

/// An event with so many references, each about 160 bytes long.
fn event(number: u64, payloads: usize) -> Event {
    let node = NodeId([9; 16]);
    let body = RecorderStopped { node, reason: StopReason::Requested, shard: "a".parse().unwrap() };
    let mut event = Event::new(id(number), SystemName::new("s").unwrap(), Timestamp(number), body);
    let reference =
        |payload| Reference::not_captured(id(payload), PayloadRole::InputRaw, Why::OverLimit.into());
    event.payloads = (0..payloads as u64).map(reference).collect();
    event
}
