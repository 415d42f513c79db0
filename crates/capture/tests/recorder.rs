//! The Recorder on a real file system: what it writes, what it leaves at a crash, what it erases.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/recording.rs"]
mod recording;

use bytes::Bytes;
use inferlog_capture::recorder::{
    EraseRequest, NewContent, NewDecision, NewEvent, RecordError, System, Target, closed,
};
use inferlog_record::body::{DecisionOpened, ExchangeEnd, OrderKind, Outcome};
use inferlog_record::{MediaType, PayloadRole};
use recording::{content, crash_copy, entries, of_decision, open, outline, system};
use std::time::Duration;

fn input(person: &str, text: impl Into<Bytes>) -> NewDecision {
    let opened = NewEvent::new(DecisionOpened::default())
        .with(PayloadRole::InputRaw, NewContent::personal(MediaType::Json, text));
    let subjects = if person.is_empty() { vec![] } else { vec![Bytes::copy_from_slice(person.as_bytes())] };
    NewDecision { subjects, ..NewDecision::new(opened) }
}

fn answered() -> NewEvent {
    NewEvent::new(closed(Outcome::Answered, ExchangeEnd::Complete))
}

async fn record(system: &System, person: &str, text: &'static str) -> inferlog_record::Id {
    let mut decision = system.begin(input(person, text)).await.unwrap();
    decision.finish(vec![answered()]).await.unwrap().id()
}

#[tokio::test]
async fn what_is_recorded_is_there_after_a_clean_end_and_opens() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = open(dir.path()).await;
    let credit = recorder.system(&system("credit")).await.unwrap();
    let mut decision = credit.begin(input("ada", "{\"inputs\":[]}")).await.unwrap();
    decision.opened().await.unwrap();
    let output = NewEvent::new(inferlog_record::body::Output::default())
        .with(PayloadRole::OutputRaw, NewContent::personal(MediaType::Text, vec![b'x'; 300_000]))
        .with(PayloadRole::OutputFinal, NewContent::Again(PayloadRole::OutputRaw));
    let recorded = decision.finish(vec![output, answered()]).await.unwrap();
    recorded.add(vec![NewEvent::new(closed(Outcome::Aborted, ExchangeEnd::ClientAbort))]).await.unwrap();
    let id = recorded.id();
    drop(recorded);
    recorder.close().await.unwrap();
    drop((recorder, credit, decision));

    let log = entries(dir.path(), "credit");
    let expected = [
        "recorder.started first",
        "clock",
        "decision.opened",
        "output, decision.closed answered",
        "decision.closed aborted",
        "recorder.stopped",
    ];
    assert_eq!(outline(&log), expected);
    let events = of_decision(&log, id);
    assert_eq!(content(dir.path(), "credit", &events[0], PayloadRole::InputRaw).unwrap(), b"{\"inputs\":[]}");
    assert_eq!(
        content(dir.path(), "credit", &events[1], PayloadRole::OutputRaw).unwrap(),
        vec![b'x'; 300_000]
    );
    let again = content(dir.path(), "credit", &events[1], PayloadRole::OutputFinal).unwrap_err();
    assert_eq!(again, format!("first in {}: present", events[1].id));
    // Each event names the one before it, the clock, and the same pseudonym, which is not the identifier.
    for pair in events.windows(2) {
        assert_eq!(
            (pair[1].after.to_vec(), pair[1].clock, &pair[1].subjects),
            (vec![pair[0].id], events[0].clock, &events[0].subjects)
        );
    }
    assert_eq!((events[0].subjects.len(), events[0].clock), (1, Some(log[1].events[0].id)));
}

#[tokio::test]
async fn a_write_too_large_for_an_entry_is_divided_and_each_part_has_its_payloads() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = open(dir.path()).await;
    let credit = recorder.system(&system("credit")).await.unwrap();
    let mut decision = credit.begin(input("", "{}")).await.unwrap();
    let id = decision.id();
    let mut output = NewEvent::new(inferlog_record::body::Output::default());
    for at in 0..300 {
        output = output
            .with(PayloadRole::Explanation, NewContent::personal(MediaType::Text, format!("part {at}")));
    }
    decision.finish(vec![output, answered()]).await.unwrap();
    recorder.close().await.unwrap();
    drop((recorder, credit, decision));
    let parts: Vec<_> =
        entries(dir.path(), "credit").into_iter().filter(|e| e.decision == Some(id) && e.of > 1).collect();
    assert!(parts.len() >= 2, "{}", parts.len());
    let last = parts.last().unwrap().events.iter().rfind(|event| !event.payloads.is_empty()).unwrap();
    let text = content(dir.path(), "credit", last, PayloadRole::Explanation).unwrap();
    assert!(text.starts_with(b"part "), "{text:?}");
}

#[tokio::test]
async fn a_decision_that_is_dropped_is_closed_as_aborted() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = open(dir.path()).await;
    let credit = recorder.system(&system("credit")).await.unwrap();
    drop(credit.begin(input("", "{}")).await.unwrap());
    let mut waited = 0;
    while credit.entries() < 4 && waited < 500 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        waited += 1;
    }
    recorder.close().await.unwrap();
    let log = outline(&entries(dir.path(), "credit"));
    assert_eq!(log[2..], ["decision.opened", "decision.closed aborted", "recorder.stopped"]);
}

#[tokio::test]
async fn a_crash_leaves_interrupted_decisions_and_an_unclean_end() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let recorder = open(dir.path()).await;
    let credit = recorder.system(&system("credit")).await.unwrap();
    let finished = record(&credit, "ada", "{\"a\":1}").await;
    let mut open_one = credit.begin(input("ada", "{\"a\":2}")).await.unwrap();
    open_one.opened().await.unwrap();
    crash_copy(dir.path(), copy.path());

    let again = open(copy.path()).await;
    let credit = again.system(&system("credit")).await.unwrap();
    let later = record(&credit, "ada", "{\"a\":3}").await;
    again.close().await.unwrap();
    drop((again, credit));
    let log = entries(copy.path(), "credit");
    let interrupted = "decision.closed interrupted";
    assert_eq!(outline(&log)[5..8], ["recorder.started unclean", interrupted, "clock"]);
    let pseudonyms: Vec<_> =
        [finished, open_one.id(), later].map(|id| of_decision(&log, id)[0].subjects.clone()).into();
    assert!(
        pseudonyms.iter().all(|subjects| subjects.len() == 1 && *subjects == pseudonyms[0]),
        "{pseudonyms:?}"
    );
    // Keys born before the crash and after it open.
    for (id, text) in [(finished, "{\"a\":1}"), (open_one.id(), "{\"a\":2}"), (later, "{\"a\":3}")] {
        let events = of_decision(&log, id);
        assert_eq!(
            content(copy.path(), "credit", &events[0], PayloadRole::InputRaw).unwrap(),
            text.as_bytes()
        );
    }
    let restart = open(copy.path()).await;
    restart.close().await.unwrap();
    drop(restart);
    let log = outline(&entries(copy.path(), "credit"));
    assert_eq!(log[log.len() - 3..], ["recorder.started clean", "clock", "recorder.stopped"]);
}

#[tokio::test]
async fn erasing_a_person_leaves_the_others_and_a_late_event_says_why_it_has_no_content() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = open(dir.path()).await;
    let credit = recorder.system(&system("credit")).await.unwrap();
    let (ada, bob) = (record(&credit, "ada", "ada's").await, record(&credit, "bob", "bob's").await);
    let mut running = credit.begin(input("ada", "ada's second")).await.unwrap();
    let running_id = running.id();
    let erased = recorder
        .erase(EraseRequest::new(Target::Subject(b"ada".to_vec()), OrderKind::Request))
        .await
        .unwrap();
    assert_eq!((erased.len(), erased[0].decisions), (1, 2));
    let none = recorder
        .erase(EraseRequest::new(Target::Subject(b"ada".to_vec()), OrderKind::Request))
        .await
        .unwrap();
    assert!(none.is_empty(), "{none:?}");
    let late = NewEvent::new(inferlog_record::body::Output::default())
        .with(PayloadRole::OutputRaw, NewContent::personal(MediaType::Text, "late"));
    running.finish(vec![late, answered()]).await.unwrap();
    let after = record(&credit, "ada", "ada's third").await;
    recorder.close().await.unwrap();
    drop((recorder, credit, running));

    let log = entries(dir.path(), "credit");
    let intent = erased[0].intent;
    let at = outline(&log).iter().position(|line| line == "erasure intent").unwrap();
    assert_eq!(outline(&log)[at + 1], "erasure completed");
    let read = |id, at: usize, role| content(dir.path(), "credit", &of_decision(&log, id)[at], role);
    assert_eq!(read(bob, 0, PayloadRole::InputRaw).unwrap(), b"bob's");
    assert_eq!(read(after, 0, PayloadRole::InputRaw).unwrap(), b"ada's third");
    assert_eq!(read(ada, 0, PayloadRole::InputRaw).unwrap_err(), "the key was erased");
    assert_eq!(read(running_id, 0, PayloadRole::InputRaw).unwrap_err(), "the key was erased");
    assert_eq!(
        read(running_id, 1, PayloadRole::OutputRaw).unwrap_err(),
        format!("erased: erased_by_order:{intent}")
    );
    let pseudonym = |id| of_decision(&log, id)[0].subjects.to_vec();
    assert_eq!(pseudonym(ada), pseudonym(running_id));
    assert_ne!(pseudonym(ada), pseudonym(after), "the person returns under a new pseudonym");
}

#[tokio::test]
async fn erasing_one_decision_leaves_the_person() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = open(dir.path()).await;
    let credit = recorder.system(&system("credit")).await.unwrap();
    let (first, second) = (record(&credit, "ada", "first").await, record(&credit, "ada", "second").await);
    recorder.system(&system("other")).await.unwrap();
    let erased = recorder.erase(EraseRequest::new(Target::Decision(first), OrderKind::Policy)).await.unwrap();
    assert_eq!((erased.len(), erased[0].decisions, erased[0].keys.len()), (1, 1, 1));
    recorder.close().await.unwrap();
    drop((recorder, credit));
    let log = entries(dir.path(), "credit");
    let read = |id| content(dir.path(), "credit", &of_decision(&log, id)[0], PayloadRole::InputRaw);
    assert_eq!(
        (read(first).unwrap_err(), read(second).unwrap()),
        ("the key was erased".into(), b"second".to_vec())
    );
}

/// A decision in a log that a new epoch has succeeded.
#[tokio::test]
async fn erasing_a_decision_finds_it_in_an_older_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = open(dir.path()).await;
    let credit = recorder.system(&system("credit")).await.unwrap();
    let old = record(&credit, "ada", "{}").await;
    recorder.integrate().await.unwrap();
    recorder.node().new_epoch("credit").unwrap();
    recorder.close().await.unwrap();
    drop((recorder, credit));
    let recorder = open(dir.path()).await;
    let erased = recorder.erase(EraseRequest::new(Target::Decision(old), OrderKind::Request)).await.unwrap();
    assert_eq!((erased.len(), erased[0].decisions), (1, 1));
    let again = recorder
        .erase(EraseRequest::new(Target::Subject(b"ada".to_vec()), OrderKind::Request))
        .await
        .unwrap();
    assert_eq!(again[0].decisions, 1, "her decisions are counted in every epoch");
}

#[tokio::test]
async fn an_erasure_that_a_crash_cut_off_is_finished_by_the_next_start() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let recorder = open(dir.path()).await;
    let credit = recorder.system(&system("credit")).await.unwrap();
    let ada = record(&credit, "ada", "ada's").await;
    // A root key that cannot be read back stops the erasure between intent and completion.
    let root = dir.path().join("root.key");
    let kept = std::fs::read(&root).unwrap();
    std::fs::remove_file(&root).unwrap();
    std::fs::create_dir(&root).unwrap();
    let failed =
        recorder.erase(EraseRequest::new(Target::Subject(b"ada".to_vec()), OrderKind::Request)).await;
    assert!(matches!(failed, Err(RecordError::Vault(_))), "{failed:?}");
    std::fs::remove_dir(&root).unwrap();
    std::fs::write(&root, kept).unwrap();
    std::fs::set_permissions(&root, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    crash_copy(dir.path(), copy.path());

    let again = open(copy.path()).await;
    again.close().await.unwrap();
    drop(again);
    let log = entries(copy.path(), "credit");
    let erasures: Vec<_> = outline(&log).into_iter().filter(|line| line.starts_with("erasure")).collect();
    assert_eq!(erasures, ["erasure intent", "erasure completed"]);
    let read = content(copy.path(), "credit", &of_decision(&log, ada)[0], PayloadRole::InputRaw);
    assert_eq!(read.unwrap_err(), "the key was erased");
    let third = open(copy.path()).await;
    third.close().await.unwrap();
    drop(third);
    let erasures =
        outline(&entries(copy.path(), "credit")).iter().filter(|line| line.starts_with("erasure")).count();
    assert_eq!(erasures, 2, "it is not done twice");
}
