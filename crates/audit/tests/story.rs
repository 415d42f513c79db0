//! A decision told: put together, opened, proved; found in a row; and taken away as receipts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

mod sealed;
mod world;

use std::path::Path;

use inferlog_audit::{
    FindOptions, FoundDecision, KeySource, Openings, PayloadContent, Select, Story, StoryOptions,
    TextOptions, find, parse_decision, receipts, story,
};
use inferlog_record::body::{Erasure, ErasurePhase, Label, LabelOrigin, OrderKind, Outcome};
use inferlog_record::{Count, Id, MediaType, PayloadRole, Timestamp};
use sealed::Sealer;
use world::{DAY_NS, DIR, OneKey, World, closed, inference, name};

const INPUT: &str = r#"{"inputs":[{"name":"income","data":[32000]}]}"#;
const OUTPUT: &str = r#"{"outputs":[{"name":"score","data":[0.42]}]}"#;

/// A scored application: opened, answered, labelled a year later.
fn application(sealer: &mut Sealer, person: &str) -> (Id, inferlog_vault::Subject) {
    let mut draft = sealer.begin(person);
    let mut opened = sealer.world.event("credit", world::opened("score"));
    sealer.add(&mut draft, &mut opened, PayloadRole::InputRaw, MediaType::Json, INPUT.as_bytes());
    let input = (opened.payloads[0], opened.id);
    sealer.write(&mut draft, vec![opened]);
    sealer.world.tick(1_500_000);
    let mut answer = sealer.world.event("credit", inference());
    answer.payloads.push(input.0.again(PayloadRole::InputAssembled, input.1));
    sealer.add(&mut draft, &mut answer, PayloadRole::OutputRaw, MediaType::Json, OUTPUT.as_bytes());
    let params = sealer.world.id();
    answer.payloads.push(inferlog_record::Reference::not_captured(
        params,
        PayloadRole::ParamsRequested,
        inferlog_record::Why::NotProvided.into(),
    ));
    let mut closed = sealer.world.event("credit", closed(Outcome::Answered));
    closed.ended_at = Some(Timestamp(sealer.world.now_ns));
    sealer.write(&mut draft, vec![answer, closed]);
    (draft.decision, draft.subject)
}

fn tell(sealer: &Sealer, decision: Id, openings: Option<&dyn Openings>) -> Story {
    let options = StoryOptions { openings, ..StoryOptions::default() };
    story(&sealer.world.fs, Path::new(DIR), decision, &options).unwrap()
}

fn payload<'s>(story: &'s Story, role: &str) -> &'s inferlog_audit::StoryPayload {
    story.events.iter().flat_map(|event| &event.payloads).find(|payload| payload.role == role).unwrap()
}

fn json(content: &PayloadContent) -> &str {
    match content {
        PayloadContent::Json(json) => json.get(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_decision_is_told_opened_and_proved() {
    let mut sealer = Sealer::new();
    for number in 0..200 {
        application(&mut sealer, &format!("person {number}"));
        sealer.world.tick(60_000_000_000);
    }
    let (decision, _) = application(&mut sealer, "Ada");
    for number in 200..500 {
        application(&mut sealer, &format!("person {number}"));
    }
    sealer.world.integrate();
    let story = tell(&sealer, decision, Some(&sealer.vault));
    assert_eq!(
        story.events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(),
        ["decision.opened", "inference", "decision.closed"]
    );
    assert_eq!((story.outcome.as_deref(), story.model.as_deref()), (Some("answered"), Some("credit")));
    assert_eq!(json(payload(&story, "input.raw").content.as_ref().unwrap()), INPUT);
    assert_eq!(json(payload(&story, "output.raw").content.as_ref().unwrap()), OUTPUT);
    // What a later event says again is opened there, too.
    assert_eq!(json(payload(&story, "input.assembled").content.as_ref().unwrap()), INPUT);
    assert!(
        story.events.iter().flat_map(|event| &event.payloads).all(|payload| payload.verified != Some(false))
    );
    assert!(story.is_proved(), "{story:#?}");
    assert_eq!(story.proofs[0].key_from, KeySource::Directory);
    assert_eq!(story.events[0].place.index, 400);
    let not_captured =
        story.missing.iter().find(|part| part.field == "inference.payloads[params.requested]").unwrap();
    assert_eq!(not_captured.serves, "12(2)(a)");
    insta::assert_snapshot!("told", story.to_text(TextOptions::default()));
    assert_eq!(
        story.to_text(TextOptions::default()),
        tell(&sealer, decision, Some(&sealer.vault)).to_text(TextOptions::default()),
        "deterministic"
    );
    assert!(story.to_text(TextOptions { color: true, full: false }).contains('\u{1b}'));
}

#[test]
fn without_keys_the_story_is_the_same_and_sealed() {
    let mut sealer = Sealer::new();
    let (decision, _) = application(&mut sealer, "Ada");
    sealer.world.integrate();
    let (opened, sealed) = (tell(&sealer, decision, Some(&sealer.vault)), tell(&sealer, decision, None));
    assert!(sealed.events.iter().flat_map(|event| &event.payloads).all(|payload| payload.content.is_none()));
    assert_eq!(sealed.missing, opened.missing);
    assert_eq!(sealed.events.len(), opened.events.len());
    assert!(sealed.is_proved());
    insta::assert_snapshot!("sealed", sealed.to_text(TextOptions::default()));
}

#[test]
fn late_events_and_late_ends_count() {
    let mut sealer = Sealer::new();
    let mut draft = sealer.begin("Ada");
    let opened = sealer.world.event("credit", world::opened("score"));
    sealer.write(&mut draft, vec![opened]);
    let first = sealer.world.event("credit", closed(Outcome::Answered));
    sealer.write(&mut draft, vec![first]);
    for number in 0..300 {
        application(&mut sealer, &format!("person {number}"));
    }
    sealer.world.tick(365 * DAY_NS);
    let mut label = sealer
        .world
        .event("credit", Label { about: None, name: name("default"), origin: LabelOrigin::GroundTruth });
    sealer.add(&mut draft, &mut label, PayloadRole::LabelValue, MediaType::Text, b"repaid");
    sealer.write(&mut draft, vec![label]);
    let last = sealer.world.event("credit", closed(Outcome::Failed));
    sealer.write(&mut draft, vec![last]);
    sealer.world.integrate();
    let story = tell(&sealer, draft.decision, Some(&sealer.vault));
    assert_eq!(story.events.len(), 4);
    assert_eq!(story.outcome.as_deref(), Some("failed"), "the highest index counts");
    assert!(
        matches!(payload(&story, "label.value").content.as_ref().unwrap(), PayloadContent::Text(text) if text == "repaid")
    );
    let found = all(&sealer.world, &FindOptions::default());
    let mine = found.iter().find(|found| found.decision == draft.decision.to_string()).unwrap();
    assert_eq!(mine.outcome.as_deref(), Some("failed"));
}

#[test]
fn an_event_over_several_entries_is_one_event() {
    let mut sealer = Sealer::new();
    let mut draft = sealer.begin("Ada");
    let opened = sealer.world.event("credit", world::opened("score"));
    sealer.write(&mut draft, vec![opened]);
    let mut long = sealer.world.event("credit", inference());
    for number in 0..240 {
        sealer.add(
            &mut draft,
            &mut long,
            PayloadRole::Prompt,
            MediaType::Text,
            format!("prompt {number}").as_bytes(),
        );
    }
    let end = sealer.world.event("credit", closed(Outcome::Answered));
    sealer.write(&mut draft, vec![long, end]);
    sealer.world.integrate();
    let story = tell(&sealer, draft.decision, Some(&sealer.vault));
    assert!(!story.events[1].continued_in.is_empty(), "the event must not fit one entry");
    assert_eq!(story.events.len(), 3);
    assert_eq!(story.events[1].payloads.len(), 240);
    assert!(story.events[1].payloads.iter().all(|payload| payload.verified == Some(true)));
    assert_eq!(story.problems, [] as [String; 0]);
    assert!(story.is_proved());
}

#[test]
fn erased_payloads_say_under_which_order() {
    let mut sealer = Sealer::new();
    let (decision, subject) = application(&mut sealer, "Ada");
    let (other, _) = application(&mut sealer, "Grace");
    let intent = sealer.world.life(
        "credit",
        Erasure {
            backup_horizon: None,
            by: None,
            certificate: None,
            decisions: Count(1),
            holds: Vec::new().into(),
            intent: None,
            keys: vec![subject.key_id()].into(),
            order: OrderKind::Request,
            phase: ErasurePhase::Intent,
            refusals: Vec::new().into(),
            resumes: None,
            root_epoch: None,
            stores: Vec::new().into(),
            subjects: vec![subject.pseudonym()].into(),
            until: None,
            withheld: Count(0),
        },
    );
    sealer.world.commit("credit", &[intent]);
    sealer.world.integrate();
    sealer.erase(&subject);
    for openings in [None, Some(&sealer.vault as &dyn Openings)] {
        let story = tell(&sealer, decision, openings);
        assert_eq!(payload(&story, "input.raw").state, "erased");
        assert!(payload(&story, "input.raw").reason.as_ref().unwrap().starts_with("erased_by_order:"));
        assert!(story.is_proved(), "erasing changes no byte of the tree");
        let lost =
            story.missing.iter().find(|part| part.field == "decision.opened.payloads[input.raw]").unwrap();
        assert!(lost.why.starts_with("erased under the erasure event"), "{lost:?}");
        let untouched = tell(&sealer, other, openings);
        assert_eq!(payload(&untouched, "input.raw").state, "present");
        assert_eq!(payload(&untouched, "input.raw").content.is_some(), openings.is_some());
    }
    // The keystore alone, without the event, says so too.
    assert!(sealer.vault.find_subject(&sealed::system(), b"Ada").unwrap().is_none());
}

fn all(world: &World, options: &FindOptions) -> Vec<FoundDecision> {
    let mut rows = Vec::new();
    find(&world.fs, Path::new(DIR), options, &mut |found| {
        rows.push(found);
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    rows
}

#[test]
fn decisions_are_found_in_a_row() {
    let (_, mut world) = World::sim(1 << 20);
    world.create("credit");
    world.create("triage");
    let mut ids = world.fill("credit", 400, 40);
    world.tick(DAY_NS);
    let since = Timestamp(world.now_ns);
    ids.extend(world.fill("triage", 5, 40));
    let (open, [opened, _]) = world.decision("credit", "default", 40);
    world.commit("credit", &[opened]);
    ids.push(open);
    world.integrate();
    let rows = all(&world, &FindOptions::default());
    assert_eq!(
        rows.iter().map(|row| row.decision.clone()).collect::<Vec<_>>(),
        ids.iter().map(Id::to_string).collect::<Vec<_>>()
    );
    let last = &rows[rows.len() - 1];
    assert_eq!((last.outcome.clone(), last.entries), (None, 1), "what is open comes last");
    assert_eq!(
        (rows[0].outcome.as_deref(), rows[0].model.as_deref(), rows[0].entries),
        (Some("answered"), Some("credit"), 2)
    );
    assert_eq!(rows[0].route.as_deref(), Some("score"));

    let count = |options: FindOptions| all(&world, &options).len();
    let system = Select::system("triage");
    assert_eq!(count(FindOptions { select: system, ..FindOptions::default() }), 5);
    assert_eq!(count(FindOptions { since: Some(since), ..FindOptions::default() }), 6);
    assert_eq!(count(FindOptions { until: Some(since), ..FindOptions::default() }), 400);
    assert_eq!(count(FindOptions { outcome: Some("open".into()), ..FindOptions::default() }), 1);
    assert_eq!(count(FindOptions { model: Some("redi".into()), ..FindOptions::default() }), 405);
    assert_eq!(count(FindOptions { model: Some("other".into()), ..FindOptions::default() }), 0);
    assert_eq!(
        count(FindOptions { subject: Some(rows[7].subjects[0].clone()), ..FindOptions::default() }),
        1
    );
    let newest = all(&world, &FindOptions { limit: Some(3), ..FindOptions::default() });
    assert_eq!(newest, rows[rows.len() - 3..]);
}

#[test]
fn receipts_stand_alone_and_lies_are_refused() {
    let mut sealer = Sealer::new();
    for number in 0..300 {
        application(&mut sealer, &format!("person {number}"));
    }
    let (decision, _) = application(&mut sealer, "Ada");
    sealer.world.integrate();
    let made = receipts(&sealer.world.fs, Path::new(DIR), decision, &Select::default()).unwrap();
    assert_eq!(made.len(), 2);
    assert_eq!(
        (made[0].entry_file().as_str(), made[0].proof_file().as_str()),
        ("600.entry", "600.tlog-proof")
    );
    let key = OneKey::new().vkey(&made[0].log);
    for receipt in &made {
        let checked = inferlog_audit::check_receipt(
            receipt.proof.as_bytes(),
            &receipt.entry,
            std::slice::from_ref(&key),
        )
        .unwrap();
        assert_eq!((checked.index, checked.decision), (receipt.index, Some(decision.to_string())));
        assert_eq!(checked.size, sealer.world.size("credit"));
    }
    let check = |proof: &str, entry: &[u8]| {
        inferlog_audit::check_receipt(proof.as_bytes(), entry, std::slice::from_ref(&key))
    };
    let mut rng = fastrand::Rng::with_seed(9);
    for _ in 0..300 {
        let mut entry = made[0].entry.clone();
        let at = rng.usize(0..entry.len());
        entry[at] ^= 1 << rng.u8(0..8);
        assert!(check(&made[0].proof, &entry).is_err(), "an altered entry");
        let mut proof = made[0].proof.clone().into_bytes();
        let at = rng.usize(0..proof.len());
        proof[at] ^= 1 << rng.u8(0..8);
        let altered = inferlog_audit::check_receipt(&proof, &made[0].entry, std::slice::from_ref(&key));
        assert!(altered.is_err(), "an altered proof, byte {at}");
    }
    assert!(check(&made[0].proof, &made[1].entry).is_err(), "another entry");
    let other = OneKey::new().vkey("another/log/0/20260101-00000000");
    let error =
        inferlog_audit::check_receipt(made[0].proof.as_bytes(), &made[0].entry, &[other]).unwrap_err();
    assert!(error.to_string().contains("is of another/log"), "{error}");
}

#[test]
fn what_is_not_there_is_said_plainly() {
    let sealer = Sealer::new();
    let unknown = parse_decision("019aa2b0-0000-7000-8000-000000000001").unwrap();
    let error = story(&sealer.world.fs, Path::new(DIR), unknown, &StoryOptions::default()).unwrap_err();
    assert!(error.to_string().contains("no entry of decision"), "{error}");
    assert!(parse_decision("42").unwrap_err().to_string().contains("expected a UUIDv7"));
    let options = StoryOptions { select: Select::system("nobody"), ..StoryOptions::default() };
    let error = story(&sealer.world.fs, Path::new(DIR), unknown, &options).unwrap_err();
    assert!(error.to_string().contains("it has: credit/0/"), "{error}");
}
