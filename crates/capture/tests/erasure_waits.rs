//! An erasure is complete when every follower has passed it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/keeping.rs"]
mod keeping;
#[path = "support/simulated.rs"]
mod simulated;

use inferlog_capture::recorder::{
    ErasureOutcome as Outcome, ErasurePhase as Phase, Recorder, StorePlan, Target,
};
use inferlog_record::body::{OrderKind, Store};
use keeping::{World, erase, hold_decisions, person, pseudonym, record, release};
use std::time::Duration;

/// The phase of the newest erasure, once it is no longer waiting, or if it waits still after a long time.
async fn phase(recorder: &Recorder) -> Phase {
    for _ in 0..500 {
        let phase = recorder.erasures().await.unwrap().pop().unwrap().phase;
        if !matches!(phase, Phase::Waiting(_)) {
            return phase;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Phase::Waiting(vec!["for too long".into()])
}

#[tokio::test]
async fn a_follower_that_is_down_is_waited_for_and_named() {
    let mut world = World::new(1);
    let (recorder, system) = world.open().await;
    let (ada, bob) = (record(&system, &["ada"]).await, record(&system, &["bob"]).await);
    world.set_cursor("sqlite", 3);
    world.set_cursor("lake", 1_000_000);
    let plan =
        recorder.plan_erasure(&Target::Subject(b"ada".to_vec()), None, OrderKind::Request).await.unwrap();
    let index = |name: &str| StorePlan { store: Store::Index, name: Some(name.into()) };
    assert!(plan[0].stores.contains(&index("sqlite")) && plan[0].stores.contains(&index("lake")));

    let erased = erase(&recorder, "ada").await;
    assert_eq!(erased.outcome, Outcome::Waiting(vec!["sqlite".into()]));
    assert!(erased.certificate.is_none() && erased.report.is_some());
    // The keys are gone all the same, and others go on meanwhile.
    assert_eq!((world.opens(&recorder, ada).await, world.opens(&recorder, bob).await), ((0, 1), (1, 0)));
    assert!(recorder.erase(person("ada")).await.unwrap().is_empty(), "nobody leads to her any more");
    let second = erase(&recorder, "bob").await;
    assert_eq!(second.outcome, Outcome::Waiting(vec!["sqlite".into()]));
    let status = recorder.erasures().await.unwrap();
    assert!(status.iter().all(|one| one.phase == Phase::Waiting(vec!["sqlite".into()])), "{status:?}");
    assert_eq!(world.erasures(&recorder).await, ["intent", "intent"]);

    // Up to the intent, but not past it.
    world.set_cursor("sqlite", status[0].index);
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    assert_eq!(world.erasures(&recorder).await, ["intent", "intent"]);
    // Past the first: it is complete; past the second too.
    world.set_cursor("sqlite", status[0].index + 1);
    for _ in 0..500 {
        if matches!(recorder.erasures().await.unwrap()[0].phase, Phase::Completed(_)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(world.erasures(&recorder).await, ["intent", "intent", "completed"]);
    world.set_cursor("sqlite", status[1].index + 1);
    assert!(matches!(phase(&recorder).await, Phase::Completed(_)));
    let note = system.certificate(erased.intent).await.unwrap().unwrap().note;
    for line in [
        format!("store: index sqlite, has applied every entry before {}", status[0].index + 1),
        "store: index lake, has applied every entry before 1000000".to_owned(),
        format!("subject: {}", erased.pseudonym.unwrap()),
        "checked: the keystore holds none of the keys".to_owned(),
        "backup-horizon: not configured".to_owned(),
    ] {
        assert!(note.contains(&format!("{line}\n")), "{line} is not in {note}");
    }
    let origin = note.lines().find_map(|line| line.strip_prefix("origin: ")).unwrap();
    assert!(note.lines().last().unwrap().starts_with(&format!("\u{2014} {origin} ")), "{note}");
}

#[tokio::test]
async fn a_waiting_erasure_outlives_restarts_and_ends_once() {
    let mut world = World::new(2);
    let (recorder, system) = world.open().await;
    let (held, free) = (record(&system, &["ada"]).await, record(&system, &["ada"]).await);
    let hold = hold_decisions(&system, &[held]).await;
    world.set_cursor("sqlite", 0);
    let erased = erase(&recorder, "ada").await;
    assert!(matches!(erased.outcome, Outcome::Waiting(_)));
    let epoch = recorder.vault().root_epoch();
    // Without an end: as after a crash.
    drop((recorder, system));
    world.fs = world.fs.kill();
    let (recorder, system) = world.open().await;
    assert_eq!(recorder.vault().root_epoch(), epoch, "what was destroyed is not destroyed again");
    assert_eq!(recorder.erasures().await.unwrap()[0].phase, Phase::Waiting(vec!["sqlite".into()]));
    assert_eq!((world.opens(&recorder, held).await, world.opens(&recorder, free).await), ((1, 0), (0, 1)));
    // A release meanwhile is an erasure of its own, and waits like the first.
    release(&system, hold).await;
    assert_eq!(world.opens(&recorder, held).await, (0, 1));
    let (recorder, system) = world.reopen(recorder, system).await;
    let phases: Vec<_> = recorder.erasures().await.unwrap().into_iter().map(|one| one.phase).collect();
    assert_eq!(phases, vec![Phase::Waiting(vec!["sqlite".into()]); 2]);
    world.set_cursor("sqlite", 1_000);
    let (recorder, system) = world.reopen(recorder, system).await;
    assert_eq!(world.erasures(&recorder).await, ["withheld", "intent", "intent", "completed", "completed"]);
    let note = system.certificate(erased.intent).await.unwrap().unwrap().note;
    assert!(note.contains("withheld: 1\n") && note.contains(&format!("hold: {hold}\n")), "{note}");
    assert!(note.contains("store: keystore, before a restart\n"), "{note}");
    let (recorder, system) = world.reopen(recorder, system).await;
    assert_eq!(world.erasures(&recorder).await.len(), 5, "nothing is done twice");
    assert_eq!(pseudonym(&recorder, "ada"), None);
    drop(system);
}

#[tokio::test]
async fn a_follower_that_is_forgotten_is_not_waited_for() {
    let mut world = World::new(3);
    let (recorder, system) = world.open().await;
    record(&system, &["ada"]).await;
    world.set_cursor("sqlite", 0);
    assert!(matches!(erase(&recorder, "ada").await.outcome, Outcome::Waiting(_)));
    inferlog_disk::Fs::remove_file(&world.fs, &world.log().join("cursors/sqlite")).unwrap();
    assert!(matches!(phase(&recorder).await, Phase::Completed(_)));
}

/// It derived its rows from the epoch before, and has not begun with the present one.
#[tokio::test]
async fn a_follower_of_an_older_epoch_is_waited_for_in_the_present_one() {
    let mut world = World::new(4);
    let (recorder, system) = world.open().await;
    let ada = record(&system, &["ada"]).await;
    world.set_cursor("sqlite", 1_000);
    recorder.integrate().await.unwrap();
    recorder.node().new_epoch("credit").unwrap();
    let (recorder, system) = world.reopen(recorder, system).await;
    assert_eq!(erase(&recorder, "ada").await.outcome, Outcome::Waiting(vec!["sqlite".into()]));
    assert_eq!(world.opens(&recorder, ada).await, (0, 1));
    let origin = system.ledger().events().next().unwrap().log;
    assert!(system.ledger().logs().count() == 2 && system.ledger().logs().any(|(log, _)| log == origin));
    let dirs = inferlog_log::list_logs(&world.fs, simulated::DATA.as_ref()).unwrap();
    for dir in dirs {
        let cursors = dir.path().join("cursors");
        inferlog_disk::create_dir_all(&world.fs, &cursors).unwrap();
        inferlog_disk::replace_file(&world.fs, &cursors.join("sqlite"), b"1000\n").unwrap();
    }
    assert!(matches!(phase(&recorder).await, Phase::Completed(_)));
}
