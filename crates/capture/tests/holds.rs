//! Holds, and erasures while they stand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/keeping.rs"]
mod keeping;
#[path = "support/simulated.rs"]
mod simulated;

use bytes::Bytes;
use inferlog_capture::recorder::{
    EraseRequest, ErasureOutcome as Outcome, ErasurePhase as Phase, NewHold, RecordError, Target,
};
use inferlog_disk::Clock;
use inferlog_record::body::{Basis, Body, OrderKind, Refusal, Scope};
use inferlog_record::{PayloadRole, RetentionClass, Timestamp};
use keeping::{
    DAY, NOON_NS, World, add, erase, hold, hold_decisions, person, pseudonym, record, release, review,
    withheld,
};
use simulated::read;
use std::collections::BTreeSet;

#[tokio::test]
async fn a_hold_withholds_what_it_covers_and_its_release_lets_it_go() {
    let mut world = World::new(1);
    let (recorder, system) = world.open().await;
    let (held, free) = (record(&system, &["ada"]).await, record(&system, &["ada"]).await);
    let (shared, bob) = (record(&system, &["ada", "bob"]).await, record(&system, &["bob"]).await);
    let ongoing = recorder.ongoing(held, None).await.unwrap();
    let hold = hold_decisions(&system, &[held, shared]).await;
    let plan =
        recorder.plan_erasure(&Target::Subject(b"ada".to_vec()), None, OrderKind::Request).await.unwrap();
    assert_eq!((plan.len(), plan[0].decisions, plan[0].shared, plan[0].withheld.len()), (1, 1, 0, 2));
    assert!(!plan[0].is_refused() && plan[0].pseudonym == pseudonym(&recorder, "ada"));

    let erased = erase(&recorder, "ada").await;
    assert_eq!((erased.outcome.clone(), erased.decisions), (Outcome::Completed, 1));
    assert_eq!(withheld(&erased), BTreeSet::from([held, shared]));
    assert!(erased.withheld.iter().all(|one| one.holds == [hold] && one.why == [Refusal::Hold]));
    assert_eq!(pseudonym(&recorder, "ada"), None, "nothing leads to her any more");
    assert_eq!(world.erasures(&recorder).await, ["withheld", "intent", "completed"]);
    // By who remembers it, by who does not, on a later day.
    ongoing.add(vec![review("remembered")]).await.unwrap();
    world.clock.advance(DAY);
    ongoing.add(vec![review("remembered, a day later")]).await.unwrap();
    drop(ongoing);
    let (recorder, system) = world.reopen(recorder, system).await;
    add(&recorder, held, "found").await;
    world.clock.advance(DAY);
    add(&recorder, held, "found, a day later").await;
    add(&recorder, free, "too late").await;
    assert_eq!(world.opens(&recorder, held).await, (5, 0), "what is withheld goes on");
    assert_eq!(world.opens(&recorder, free).await, (0, 1), "what is erased does not");
    assert_eq!((world.opens(&recorder, shared).await, world.opens(&recorder, bob).await), ((1, 0), (1, 0)));

    release(&system, hold).await;
    assert_eq!(world.opens(&recorder, held).await, (0, 5));
    assert_eq!((world.opens(&recorder, shared).await, world.opens(&recorder, bob).await), ((0, 1), (1, 0)));
    let told = world.erasures(&recorder).await;
    assert_eq!(told, ["withheld", "intent", "completed", "intent", "completed"]);
    let status = recorder.erasures().await.unwrap();
    assert_eq!((status.len(), status[1].resumes), (2, Some(erased.intent)));
    assert!(status.iter().all(|one| matches!(one.phase, Phase::Completed(_)) && one.withheld.is_empty()));
    for one in status {
        let certificate = system.certificate(one.event).await.unwrap().unwrap();
        assert!(certificate.note.starts_with("inferlog erasure certificate v1\n"), "{}", certificate.note);
        assert!(!certificate.note.contains("ada"));
    }
    let late = recorder.ongoing(held, None).await.unwrap();
    assert!(late.is_erased());
}

#[tokio::test]
async fn overlapping_holds_keep_until_the_last_is_released() {
    let mut world = World::new(2);
    let (recorder, system) = world.open().await;
    let (held, free) = (record(&system, &["ada"]).await, record(&system, &["ada"]).await);
    let first = hold_decisions(&system, &[held]).await;
    erase(&recorder, "ada").await;
    // Placed after the erasure: it keeps what is there still, and brings nothing back.
    let second = hold(&system, Scope::default()).await;
    release(&system, first).await;
    assert_eq!((world.opens(&recorder, held).await, world.opens(&recorder, free).await), ((1, 0), (0, 1)));
    assert_eq!(recorder.resume_withheld().await.unwrap().len(), 0);
    let (recorder, system) = world.reopen(recorder, system).await;
    assert_eq!(system.holds().iter().map(|hold| hold.hold).collect::<Vec<_>>(), [second]);
    assert_eq!(world.opens(&recorder, held).await, (1, 0));
    release(&system, second).await;
    assert_eq!(world.opens(&recorder, held).await, (0, 1));
    let again = system.release_hold(second, Basis::Internal, None, None).await;
    assert!(matches!(again, Err(RecordError::Invalid(_))), "{again:?}");
}

#[tokio::test]
async fn holds_by_person_class_and_time_cover_whole_decisions() {
    let mut world = World::new(3);
    let (recorder, system) = world.open().await;
    let early = record(&system, &["ada"]).await;
    let with_bob = record(&system, &["ada", "bob"]).await;
    world.clock.advance(DAY);
    let late = record(&system, &["ada"]).await;
    // An event of the second day makes the whole decision fit.
    add(&recorder, early, "a day later").await;
    let after = world.clock.now_ns();
    let bob = pseudonym(&recorder, "bob").unwrap();
    let plans = async |scope: Scope| {
        let hold = hold(&system, scope).await;
        let plan =
            recorder.plan_erasure(&Target::Subject(b"ada".to_vec()), None, OrderKind::Request).await.unwrap();
        let found: BTreeSet<_> = plan[0].withheld.iter().map(|one| one.decision).collect();
        release(&system, hold).await;
        found
    };
    let by_person = Scope { subjects: vec![bob].into(), ..Scope::default() };
    assert_eq!(plans(by_person).await, BTreeSet::from([with_bob]));
    let by_class =
        |class: &str| Scope { classes: vec![RetentionClass::new(class).unwrap()].into(), ..Scope::default() };
    assert_eq!(plans(by_class("default")).await, BTreeSet::from([early, with_bob, late]));
    assert_eq!(plans(by_class("other")).await, BTreeSet::new());
    let from = |from: u64| Scope { from: Some(Timestamp(from)), ..Scope::default() };
    assert_eq!(plans(from(NOON_NS + DAY.as_nanos() as u64)).await, BTreeSet::from([early, late]));
    assert_eq!(plans(from(after + 1)).await, BTreeSet::new());
    let to = Scope { to: Some(Timestamp(NOON_NS + 1)), ..Scope::default() };
    assert_eq!(plans(to).await, BTreeSet::from([early, with_bob]));
}

#[tokio::test]
async fn an_erasure_of_which_all_is_withheld_is_refused_and_leaves_the_person() {
    let mut world = World::new(4);
    let (recorder, system) = world.open().await;
    let decision = record(&system, &["ada"]).await;
    let hold = hold(&system, Scope::default()).await;
    let before = pseudonym(&recorder, "ada");
    let words = Bytes::from_static(b"erase me, says ada");
    let request = EraseRequest { text: Some(words), actor: Some("kim".into()), ..person("ada") };
    let erased = recorder.erase(request.clone()).await.unwrap();
    assert_eq!((erased.len(), &erased[0].outcome), (1, &Outcome::Refused));
    assert!(erased[0].report.is_none() && erased[0].certificate.is_none());
    let by_decision = EraseRequest::new(Target::Decision(decision), OrderKind::Court);
    assert_eq!(recorder.erase(by_decision.clone()).await.unwrap()[0].outcome, Outcome::Refused);
    assert_eq!(world.opens(&recorder, decision).await, (1, 0));
    assert_eq!((pseudonym(&recorder, "ada"), record(&system, &["ada"]).await > decision), (before, true));
    assert_eq!(world.erasures(&recorder).await, ["refused", "refused"]);
    let refused: Vec<_> = read(&world.fs).0.into_iter().flat_map(|entry| entry.events).collect();
    let refused = refused.iter().find_map(|event| match &event.body {
        Body::Erasure(body) => Some((event, body)),
        _ => None,
    });
    let (event, body) = refused.unwrap();
    assert_eq!(
        (body.withheld.0, &body.holds[..], &body.refusals[..]),
        (1, &[hold][..], &[Refusal::Hold][..])
    );
    assert!(body.by.is_some() && body.by != before, "who asked is a pseudonym");
    assert_eq!(event.retention, RetentionClass::permanent());
    assert!(event.payloads.iter().any(|reference| reference.role == PayloadRole::Order));
    let remains = world.fs.files();
    assert!(!remains.values().any(|bytes| bytes.windows(8).any(|found| found == b"says ada")));
    assert!(recorder.erasures().await.unwrap().iter().all(|one| one.phase == Phase::Refused));

    // A refusal is no promise: it is asked again.
    release(&system, hold).await;
    assert_eq!(world.opens(&recorder, decision).await, (1, 0));
    assert_eq!(recorder.erase(request).await.unwrap()[0].outcome, Outcome::Completed);
    assert_eq!(world.opens(&recorder, decision).await, (0, 1));
    assert!(recorder.erase(by_decision).await.unwrap().is_empty(), "there is nothing left of it");
}

#[tokio::test]
async fn a_restored_keystore_is_shown_what_was_withheld_too() {
    for is_released in [false, true] {
        let mut world = World::new(6);
        let (recorder, system) = world.open().await;
        let (held, free) = (record(&system, &["ada", "bob"]).await, record(&system, &["ada"]).await);
        recorder.integrate().await.unwrap();
        let backup = world.keystore();
        let hold = hold_decisions(&system, &[held]).await;
        erase(&recorder, "ada").await;
        add(&recorder, held, "late").await;
        if is_released {
            release(&system, hold).await;
        }
        recorder.close().await.unwrap();
        drop((recorder, system));
        world.restore(backup);
        let (recorder, system) = world.open().await;
        let expected = if is_released { (0, 2) } else { (2, 0) };
        assert_eq!(world.opens(&recorder, held).await, expected);
        assert_eq!((world.opens(&recorder, free).await, pseudonym(&recorder, "ada")), ((0, 1), None));
        // And again by the next start, if the hold falls then.
        if !is_released {
            release(&system, hold).await;
            assert_eq!(world.opens(&recorder, held).await, (0, 2));
        }
        let told = world.erasures(&recorder).await;
        assert_eq!(told, ["withheld", "intent", "completed", "intent", "completed"]);
    }
}

#[tokio::test]
async fn many_withheld_keys_take_several_events_and_come_back_whole() {
    let mut world = World::new(7);
    let (recorder, system) = world.open().await;
    let mut decisions = Vec::new();
    for _ in 0..600 {
        decisions.push(record(&system, &["ada"]).await);
    }
    let all = hold_decisions(&system, &decisions[..599]).await;
    assert_eq!(system.holds()[0].events.len(), 3, "lists of 256 at most");
    let erased = erase(&recorder, "ada").await;
    assert_eq!((erased.withheld.len(), erased.decisions), (599, 1));
    assert_eq!(world.erasures(&recorder).await, ["withheld", "withheld", "withheld", "intent", "completed"]);
    assert_eq!(world.opens(&recorder, decisions[0]).await, (1, 0));
    let (recorder, system) = world.reopen(recorder, system).await;
    release(&system, all).await;
    for decision in [decisions[0], decisions[300], decisions[598]] {
        assert_eq!(world.opens(&recorder, decision).await, (0, 1));
    }
    let status = recorder.erasures().await.unwrap();
    assert_eq!(status.iter().map(|one| one.decisions).collect::<Vec<_>>(), [1, 256, 256, 87]);
    assert!(status.iter().all(|one| matches!(one.phase, Phase::Completed(_))));
}

#[tokio::test]
async fn a_hold_needs_a_scope_and_says_who_placed_it() {
    let mut world = World::new(8);
    let (recorder, system) = world.open().await;
    let order_text = Some(Bytes::from_static(b"the authority's order"));
    let (basis, actor) = (Basis::AuthorityOrder, Some("counsel".to_owned()));
    let new = NewHold { basis, incident: None, scopes: Vec::new(), order_text, actor };
    assert!(matches!(system.place_hold(new.clone()).await, Err(RecordError::Invalid(_))));
    let hold = system.place_hold(NewHold { scopes: vec![Scope::default(); 2], ..new }).await.unwrap();
    let counsel = pseudonym(&recorder, "counsel");
    let standing = system.holds();
    assert_eq!((standing.len(), standing[0].hold, standing[0].by), (1, hold, counsel));
    assert_eq!((standing[0].basis, standing[0].scopes.len()), (Basis::AuthorityOrder, 2));
    // The file beside the log is derived: without it, and with nonsense in it, the ledger is the same.
    let (recorder, system) = world.reopen(recorder, system).await;
    assert_eq!(system.holds(), standing);
    recorder.close().await.unwrap();
    drop((recorder, system));
    let file = world.log().join("ledger");
    let saved = String::from_utf8(world.fs.files()[&file].clone()).unwrap();
    let texts = [None, Some("{}".to_owned()), Some(saved.replace('[', "[0,")), Some(saved.replace(':', ";"))];
    for text in texts {
        match text {
            Some(text) => inferlog_disk::replace_file(&world.fs, &file, text.as_bytes()).unwrap(),
            None => inferlog_disk::Fs::remove_file(&world.fs, &file).unwrap(),
        }
        let (recorder, system) = world.open().await;
        assert_eq!(system.holds(), standing);
        recorder.close().await.unwrap();
    }
    assert_eq!(String::from_utf8(world.fs.files()[&file].clone()).unwrap().matches("events").count(), 1);
}

#[tokio::test]
async fn a_damaged_ledger_hides_no_hold() {
    let mut world = World::new(10);
    let (recorder, system) = world.open().await;
    let decision = record(&system, &["ada"]).await;
    let hold = hold_decisions(&system, &[decision]).await;
    let index =
        system.ledger().events().find(|told| told.event.id == system.holds()[0].events[0]).unwrap().index;
    recorder.close().await.unwrap();
    drop((recorder, system));
    let file = world.log().join("ledger");
    let lost = |text: &str| {
        let lost = text.replacen(&format!("[{index}"), "[", 1).replacen("[,", "[", 1);
        assert_ne!(lost, text, "the hold's index stood there");
        lost
    };
    let damages: [&dyn Fn(&str) -> String; 4] = [
        &|text| lost(text),
        // As it was written once: without a digest.
        &|text| lost(text.lines().next().unwrap()),
        // What is below a `next` that is too low counts, and not what is said to be behind it.
        &|text| text.replacen("\"next\":", "\"next\":1", 1),
        &|text| text.lines().next_back().unwrap().to_owned(),
    ];
    for damage in damages {
        let saved = String::from_utf8(world.fs.files()[&file].clone()).unwrap();
        assert_eq!(saved.lines().count(), 2, "it was made again");
        inferlog_disk::replace_file(&world.fs, &file, damage(&saved).as_bytes()).unwrap();
        let (recorder, system) = world.open().await;
        assert_eq!(system.holds().iter().map(|hold| hold.hold).collect::<Vec<_>>(), [hold]);
        assert_eq!(erase(&recorder, "ada").await.outcome, Outcome::Refused);
        assert_eq!(world.opens(&recorder, decision).await, (1, 0));
        recorder.close().await.unwrap();
    }
}
