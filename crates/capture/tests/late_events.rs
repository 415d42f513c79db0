//! Events that come late: in the same process, after a restart, days later, in another epoch, after an erasure.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/simulated.rs"]
mod simulated;

use inferlog_capture::api::{How, attach};
use inferlog_capture::recorder::{
    EraseRequest, NewContent, NewEvent, Ongoing, RecordError, Recorder, Target,
};
use inferlog_disk::sim::SimFs;
use inferlog_disk::{ManualClock, SeededRng};
use inferlog_log::{Env, NodeLock};
use inferlog_record::body::{Body, Human, HumanAction, OrderKind};
use inferlog_record::{Content, Event, Id, MediaType, PayloadRole, Reason, State, SystemName};
use simulated::{DATA, open_in, read, record, system_name, vault};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);
/// 2026-11-21T12:00:00Z.
const NOON_NS: u64 = 1_795_262_400_000_000_000;

/// A disk and a clock that outlive the recorders on them.
struct World {
    fs: SimFs,
    clock: Arc<ManualClock>,
    lives: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        Self { fs: SimFs::new(seed), clock: Arc::new(ManualClock::new(NOON_NS)), lives: seed }
    }

    fn env(&self) -> Env {
        let rng = Arc::new(SeededRng::new(self.lives));
        Env { fs: Arc::new(self.fs.clone()), clock: self.clock.clone(), rng }
    }

    async fn open(&mut self) -> Recorder {
        self.lives += 1;
        open_in(self.env()).await.unwrap()
    }

    /// The events of a decision, as the closed log has them.
    fn events(&self, decision: Id) -> Vec<Event> {
        let entries = read(&self.fs).0.into_iter().filter(|entry| entry.decision == Some(decision));
        entries.flat_map(|entry| entry.events).collect()
    }

    /// What the keystore opens of an event, or why it opens nothing; the log is closed.
    fn text(&self, event: &Event, role: PayloadRole) -> Result<String, String> {
        let reference = event.payloads.iter().find(|reference| reference.role == role).unwrap();
        if let Content::Absent(absent) = reference.content {
            return Err(absent.reason.to_string());
        }
        let (_, stored) = read(&self.fs);
        let (_, stored) = stored.iter().find(|(_, stored)| stored.payload == reference.payload).unwrap();
        let env = self.env();
        let lock = NodeLock::take(&*env.fs, Path::new(DATA)).unwrap();
        stored.open(&vault(&env, &lock).unwrap()).map(|bytes| String::from_utf8(bytes).unwrap())
    }
}

fn review(text: &str) -> NewEvent {
    let body = Human { about: None, action: HumanAction::Override, reviewer: None };
    NewEvent::new(body).with(PayloadRole::HumanReason, NewContent::personal(MediaType::Text, text.to_owned()))
}

async fn close(recorder: Recorder) {
    recorder.close().await.unwrap();
}

async fn new_decision(recorder: &Recorder, person: &str) -> Id {
    let system = recorder.system(&system_name()).await.unwrap();
    record(&system, person, "{\"a\":1}").await.unwrap()
}

async fn add(recorder: &Recorder, decision: Id, text: &str) -> Ongoing {
    let ongoing = recorder.ongoing(decision, None).await.unwrap();
    ongoing.add(vec![review(text)]).await.unwrap();
    ongoing
}

fn days(events: &[Event]) -> Vec<u32> {
    events.iter().map(|event| event.logged_at.day()).collect()
}

#[tokio::test]
async fn a_late_event_is_added_in_the_same_process_after_a_restart_and_weeks_later() {
    let mut world = World::new(1);
    let recorder = world.open().await;
    let decision = new_decision(&recorder, "ada").await;
    add(&recorder, decision, "found in the log").await;
    add(&recorder, decision, "remembered").await;
    world.clock.advance(DAY);
    add(&recorder, decision, "a day later").await;
    add(&recorder, decision, "under the same key").await;
    close(recorder).await;
    world.clock.advance(30 * DAY);
    let recorder = world.open().await;
    // The end is known, and so are the persons.
    assert!(add(&recorder, decision, "weeks later").await.is_closed());
    close(recorder).await;

    let events = world.events(decision);
    let texts = ["found in the log", "remembered", "a day later", "under the same key", "weeks later"];
    assert_eq!(events.len(), 2 + texts.len());
    for (event, text) in events[2..].iter().zip(texts) {
        assert_eq!(world.text(event, PayloadRole::HumanReason).unwrap(), text);
        assert_eq!((event.subjects.len(), &event.subjects), (1, &events[0].subjects));
        assert_eq!(event.retention, events[0].retention);
    }
    let first = days(&events)[0];
    assert_eq!(days(&events)[2..], [first, first, first + 1, first + 1, first + 31]);
    // Each comes after the one before it; after a restart, after what was recorded up to the end.
    for pair in events[..6].windows(2) {
        assert_eq!(pair[1].after.to_vec(), [pair[0].id]);
    }
    assert_eq!(events[6].after.to_vec(), [events[1].id]);
    let keys = |events: &[Event]| -> BTreeSet<_> {
        let sealed =
            events.iter().flat_map(|event| &event.payloads).filter_map(|payload| match payload.content {
                Content::Sealed(sealed) => Some(sealed.key_id),
                _ => None,
            });
        sealed.collect()
    };
    assert_eq!(
        (keys(&events[..4]).len(), keys(&events[4..6]).len(), keys(&events).len()),
        (1, 1, 3),
        "one key a day"
    );
}

#[tokio::test]
async fn a_person_overrides_a_decision_weeks_later() {
    let mut world = World::new(9);
    let recorder = world.open().await;
    let decision = new_decision(&recorder, "ada").await;
    close(recorder).await;
    world.clock.advance(45 * DAY);
    let recorder = world.open().await;
    let review = format!(
        r#"{{"decision":"{decision}","kind":"human","action":"override","reviewer":"kim","before":{{"a":1}},"after":"no"}}"#
    );
    let attached = attach(&recorder, review.into(), &How::new("test", &[])).await.unwrap();
    close(recorder).await;
    let events = world.events(decision);
    let found = events.last().unwrap();
    assert_eq!((found.id, found.logged_at.day()), (attached.events[0].id, events[0].logged_at.day() + 45));
    assert_eq!(world.text(found, PayloadRole::HumanBefore).unwrap(), "{\"a\":1}");
    assert_eq!(world.text(found, PayloadRole::HumanReason).unwrap_err(), "not_provided");
    assert_eq!(found.subjects, events[0].subjects);
}

#[tokio::test]
async fn what_no_log_has_is_not_added_to() {
    let mut world = World::new(2);
    let recorder = world.open().await;
    let decision = new_decision(&recorder, "ada").await;
    let other: SystemName = "other".parse().unwrap();
    recorder.system(&other).await.unwrap();
    let unknown = Id::new(decision.millis(), &[7; 10]);
    for (id, system) in [(unknown, None), (unknown, Some(&other)), (decision, Some(&other))] {
        let found = recorder.ongoing(id, system).await;
        assert!(matches!(found, Err(RecordError::NoDecision(found)) if found == id));
    }
    // Remembered now, and still another system's.
    recorder.ongoing(decision, Some(&system_name())).await.unwrap();
    assert!(recorder.ongoing(decision, Some(&other)).await.is_err());
}

#[tokio::test]
async fn an_id_whose_time_is_far_off_is_found_all_the_same() {
    let mut world = World::new(3);
    let recorder = world.open().await;
    for _ in 0..600 {
        new_decision(&recorder, "bob").await;
    }
    world.clock.set_now_ns(NOON_NS + 10 * DAY.as_nanos() as u64);
    let early = new_decision(&recorder, "ada").await;
    world.clock.set_now_ns(NOON_NS);
    for _ in 0..600 {
        new_decision(&recorder, "bob").await;
    }
    add(&recorder, early, "found before its time").await;
    close(recorder).await;
    assert_eq!(world.events(early).len(), 3);
}

#[tokio::test]
async fn after_an_erasure_what_comes_late_names_the_order_even_after_a_restart() {
    for target in ["person", "decision"] {
        let mut world = World::new(4);
        let recorder = world.open().await;
        let (erased, forgotten) =
            (new_decision(&recorder, "ada").await, new_decision(&recorder, "ada").await);
        let spared = new_decision(&recorder, "bob").await;
        let remembered = add(&recorder, erased, "before").await;
        let intent = |decision| match target {
            "person" => Target::Subject(b"ada".to_vec()),
            _ => Target::Decision(decision),
        };
        let done = recorder.erase(EraseRequest::new(intent(erased), OrderKind::Request)).await.unwrap();
        let order = done[0].intent;
        let order_of_forgotten = match target {
            "person" => order,
            _ => {
                recorder.erase(EraseRequest::new(intent(forgotten), OrderKind::Request)).await.unwrap()[0]
                    .intent
            }
        };
        remembered.add(vec![review("secret 1")]).await.unwrap();
        drop(remembered);
        add(&recorder, forgotten, "secret 2").await;
        close(recorder).await;
        world.clock.advance(DAY);
        let recorder = world.open().await;
        add(&recorder, erased, "secret 3").await;
        add(&recorder, forgotten, "secret 4").await;
        add(&recorder, spared, "spared").await;
        close(recorder).await;

        for (decision, order) in [(erased, order), (forgotten, order_of_forgotten)] {
            let events = world.events(decision);
            for event in &events[events.len() - 2..] {
                let reference = event.payloads[0];
                assert_eq!((reference.state(), event.subjects.len()), (State::Erased, 1), "{target}");
                let expected = Reason::ErasedByOrder(order).to_string();
                assert_eq!(world.text(event, PayloadRole::HumanReason).unwrap_err(), expected, "{target}");
                assert!(matches!(&event.body, Body::Human(human) if human.action == HumanAction::Override));
            }
        }
        assert_eq!(
            world.text(&world.events(erased)[2], PayloadRole::HumanReason).unwrap_err(),
            "the key was erased"
        );
        assert_eq!(world.text(&world.events(spared)[2], PayloadRole::HumanReason).unwrap(), "spared");
    }
}

/// A key that was made for a later day and sealed nothing yet is not in the log, so that no erasure can name it.
#[tokio::test]
async fn an_erased_decision_seals_nothing_under_a_key_that_the_log_does_not_know() {
    let mut world = World::new(5);
    let recorder = world.open().await;
    let decision = new_decision(&recorder, "ada").await;
    let ongoing = recorder.ongoing(decision, None).await.unwrap();
    world.clock.advance(DAY);
    let clear = Human { about: None, action: HumanAction::Approve, reviewer: None };
    ongoing.add(vec![NewEvent::new(clear)]).await.unwrap();
    recorder.erase(EraseRequest::new(Target::Decision(decision), OrderKind::Request)).await.unwrap();
    ongoing.add(vec![review("secret")]).await.unwrap();
    close(recorder).await;
    let events = world.events(decision);
    assert_eq!(events.last().unwrap().payloads[0].state(), State::Erased);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_add_at_the_same_time() {
    let mut world = World::new(6);
    let recorder = world.open().await;
    let decisions = [new_decision(&recorder, "ada").await, new_decision(&recorder, "bob").await];
    let mut adding = tokio::task::JoinSet::new();
    for number in 0..40 {
        let (recorder, decision) = (recorder.clone(), decisions[number % 2]);
        adding.spawn(async move { add(&recorder, decision, &format!("number {number}")).await });
    }
    adding.join_all().await;
    close(recorder).await;
    for (at, decision) in decisions.into_iter().enumerate() {
        let events = world.events(decision);
        let texts = events[2..].iter().map(|event| world.text(event, PayloadRole::HumanReason).unwrap());
        let expected: BTreeSet<_> = (0..20).map(|number| format!("number {}", 2 * number + at)).collect();
        assert_eq!((events.len(), texts.collect::<BTreeSet<_>>()), (22, expected));
    }
}

#[tokio::test]
async fn a_decision_of_an_older_epoch_goes_on_in_the_present_log() {
    let mut world = World::new(7);
    let recorder = world.open().await;
    let decision = new_decision(&recorder, "ada").await;
    recorder.integrate().await.unwrap();
    recorder.node().new_epoch("credit").unwrap();
    close(recorder).await;
    let recorder = world.open().await;
    add(&recorder, decision, "in the new epoch").await;
    close(recorder).await;
    let events = world.events(decision);
    let late = events.iter().find(|event| matches!(event.body, Body::Human(_))).unwrap();
    assert_eq!(world.text(late, PayloadRole::HumanReason).unwrap(), "in the new epoch");
    assert!(events.len() == 3 && events.iter().all(|event| event.subjects == late.subjects));
}

#[tokio::test]
async fn a_reviewer_is_a_pseudonym_that_a_crash_does_not_change() {
    const REVIEWER: &str = "kim@example.org";
    let mut world = World::new(8);
    world.fs.keep_remains();
    let recorder = world.open().await;
    let decision = new_decision(&recorder, "ada").await;
    let named = || NewEvent { reviewer: Some(REVIEWER.into()), ..review("because") };
    let ongoing = recorder.ongoing(decision, None).await.unwrap();
    ongoing.add(vec![named()]).await.unwrap();
    drop((recorder, ongoing));
    world.fs = world.fs.kill();
    let recorder = world.open().await;
    recorder.ongoing(decision, None).await.unwrap().add(vec![named()]).await.unwrap();
    // The reviewer's erasure leaves what is about the applicant; the link to the pseudonym is gone.
    let erased = recorder
        .erase(EraseRequest::new(Target::Subject(REVIEWER.into()), OrderKind::Request))
        .await
        .unwrap();
    assert_eq!((erased.len(), erased[0].decisions), (1, 0));
    recorder.ongoing(decision, None).await.unwrap().add(vec![named()]).await.unwrap();
    close(recorder).await;
    let events = world.events(decision);
    let reviewers: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.body {
            Body::Human(human) => human.reviewer,
            _ => None,
        })
        .collect();
    assert_eq!((reviewers.len(), reviewers[0]), (3, reviewers[1]));
    assert_ne!(reviewers[1], reviewers[2]);
    for event in &events[2..] {
        assert_eq!((event.subjects.len(), &event.subjects), (1, &events[0].subjects), "the applicant alone");
        assert_eq!(world.text(event, PayloadRole::HumanReason).unwrap(), "because");
    }
    let remains = world.fs.remains();
    assert!(
        !remains.iter().any(|remain| remain.bytes.windows(REVIEWER.len()).any(|w| w == REVIEWER.as_bytes()))
    );
}
