//! Policies in force: before anything is recorded, or from one entry of the log on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/simulated.rs"]
mod simulated;

use inferlog_capture::config;
use inferlog_capture::gateway::{Gateway, GatewayConfig};
use inferlog_capture::recorder::{InForce, NewDecision, NewEvent, Recorder, RecorderConfig, System, closed};
use inferlog_disk::sim::SimFs;
use inferlog_log::{LogError, NodeConfig, NodeLock};
use inferlog_record::body::{Aspect, Body, DecisionOpened, ExchangeEnd, Outcome, SystemChanged};
use inferlog_record::{ClearName, Digest, Entry, Id};
use simulated::{DATA, system_name};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn policy(version: &str, failure: &str) -> InForce {
    let text = format!(
        "system = \"credit\"\nversion = {version:?}\nfailure = {failure:?}\n\
         [[class]]\nname = \"short-{version}\"\nfloor = \"184 days\"\ntarget = \"1 year\"\nlegal_basis = \"x\"\n\
         [[class]]\nname = \"long-{version}\"\nroutes = [\"loan\"]\nfloor = \"5 years\"\ntarget = \"5 years\"\nlegal_basis = \"x\"\n"
    );
    InForce::read(&text).unwrap()
}

async fn open(fs: &SimFs, policies: Vec<InForce>) -> Recorder {
    let env = simulated::env(fs);
    // A task of the recorder before this one may hold the lock a moment longer.
    let lock = loop {
        match NodeLock::take(&*env.fs, Path::new(DATA)) {
            Err(LogError::Locked(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
            taken => break taken.unwrap(),
        }
    };
    let vault = simulated::vault(&env, &lock).unwrap();
    let mut node = NodeConfig::new(DATA);
    (node.segment_bytes, node.integrate_ms) = (64 << 10, 3);
    let config = RecorderConfig {
        policies: policies.into_iter().map(Arc::new).collect(),
        ..RecorderConfig::new(ClearName::new("inferlog-test").unwrap(), Digest([7; 32]))
    };
    Recorder::open(lock, env, node, vault, config).await.unwrap()
}

fn opening(route: Option<&str>) -> NewDecision {
    let route = route.map(|route| ClearName::new(route).unwrap());
    NewDecision::new(NewEvent::new(DecisionOpened { route, ..DecisionOpened::default() }))
}

fn end() -> Vec<NewEvent> {
    vec![NewEvent::new(closed(Outcome::Answered, ExchangeEnd::Complete))]
}

async fn decide(system: &System, route: Option<&str>) -> Id {
    system.begin(opening(route)).await.unwrap().finish(end()).await.unwrap().id()
}

async fn entries(fs: &SimFs, recorder: &Recorder) -> Vec<Entry> {
    recorder.integrate().await.unwrap();
    simulated::read(fs).0
}

/// The classes of a decision's events, each once.
fn classes(entries: &[Entry], decision: Id) -> Vec<String> {
    let of = entries.iter().filter(|entry| entry.decision == Some(decision));
    let mut classes: Vec<String> =
        of.flat_map(|entry| &entry.events).map(|event| event.retention.to_string()).collect();
    classes.dedup();
    classes
}

fn changes(entries: &[Entry]) -> Vec<&SystemChanged> {
    let events = entries.iter().flat_map(|entry| &entry.events);
    let changes = events.filter_map(|event| match &event.body {
        Body::SystemChanged(change) if change.aspect == Aspect::Policy => Some(&**change),
        _ => None,
    });
    changes.collect()
}

fn started(entries: &[Entry]) -> Vec<Option<Digest>> {
    let events = entries.iter().flat_map(|entry| &entry.events);
    let started = events.filter_map(|event| match &event.body {
        Body::RecorderStarted(started) => Some(started.policy),
        _ => None,
    });
    started.collect()
}

fn name(version: &str) -> Option<ClearName> {
    Some(ClearName::new(&format!("credit/{version}")).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_in_force_before_anything_is_recorded() {
    let (fs, first) = (SimFs::new(1), policy("1", "block"));
    let recorder = open(&fs, vec![first.clone()]).await;
    let system = recorder.system(&system_name()).await.unwrap();
    let (short, long) = (decide(&system, Some("quote")).await, decide(&system, Some("loan")).await);
    let none = decide(&system, None).await;
    let told = entries(&fs, &recorder).await;
    assert_eq!(started(&told), [Some(first.sha256)]);
    let [change] = changes(&told)[..] else { panic!("{:?}", changes(&told)) };
    assert_eq!((&change.new, change.new_digest, &change.old), (&name("1"), Some(first.sha256), &None));
    for (decision, class) in [(short, "short-1"), (long, "long-1"), (none, "short-1")] {
        assert_eq!(classes(&told, decision), [class]);
    }
    let life = told.iter().filter(|entry| entry.decision.is_none()).flat_map(|entry| &entry.events);
    assert!(life.clone().count() > 2 && life.clone().all(|event| event.retention.as_str() == "short-1"));
    recorder.close().await.unwrap();
    // The lock goes with the last of them.
    drop((recorder, system));
    let recorder = open(&fs, vec![first.clone()]).await;
    let told = entries(&fs, &recorder).await;
    assert_eq!((started(&told).len(), changes(&told).len()), (2, 1), "told once");
    assert_eq!(recorder.systems().await[0].policy().unwrap().sha256, first.sha256);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_registered_and_never_told_is_told_by_the_next_start() {
    let fs = SimFs::new(2);
    let recorder = open(&fs, Vec::new()).await;
    let system = recorder.system(&system_name()).await.unwrap();
    let before = decide(&system, Some("loan")).await;
    recorder.close().await.unwrap();
    drop((recorder, system));
    let second = policy("2", "block");
    let recorder = open(&fs, vec![second.clone()]).await;
    let after = decide(&recorder.system(&system_name()).await.unwrap(), Some("loan")).await;
    let told = entries(&fs, &recorder).await;
    assert_eq!(started(&told), [None, Some(second.sha256)]);
    assert_eq!(changes(&told).len(), 1);
    assert_eq!(
        (classes(&told, before), classes(&told, after)),
        (vec!["default".into()], vec!["long-2".into()])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_counts_from_one_entry_of_the_log_on() {
    let fs = SimFs::new(3);
    let recorder = open(&fs, vec![policy("1", "block")]).await;
    let system = recorder.system(&system_name()).await.unwrap();
    let mut open_before = system.begin(opening(Some("loan"))).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let system = system.clone();
        writers.spawn(async move {
            for _ in 0..50 {
                decide(&system, Some("loan")).await;
            }
        });
    }
    decide(&system, Some("loan")).await;
    let second = policy("2", "block");
    assert!(recorder.put_in_force(second.clone()).await.unwrap());
    assert!(!recorder.put_in_force(second.clone()).await.unwrap(), "it is in force");
    assert_eq!(system.policy().unwrap().id.as_str(), "credit/2");
    writers.join_all().await;
    let id = open_before.finish(end()).await.unwrap().id();
    decide(&system, Some("loan")).await;

    let told = entries(&fs, &recorder).await;
    assert_eq!(classes(&told, id), ["long-1"], "a decision keeps its class");
    let [_, change] = changes(&told)[..] else { panic!("{:?}", changes(&told)) };
    assert_eq!((&change.old, &change.new, change.new_digest), (&name("1"), &name("2"), Some(second.sha256)));
    let at = told.iter().position(|entry| changes(std::slice::from_ref(entry)).contains(&change)).unwrap();
    let opened = |entries: &[Entry]| -> Vec<String> {
        let events = entries.iter().flat_map(|entry| &entry.events);
        let opened = events.filter(|event| matches!(event.body, Body::DecisionOpened(_)));
        opened.map(|event| event.retention.to_string()).collect()
    };
    let (before, after) = (opened(&told[..at]), opened(&told[at..]));
    assert!(before.len() > 1 && before.iter().all(|class| class == "long-1"), "{before:?}");
    assert!(!after.is_empty() && after.iter().all(|class| class == "long-2"), "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_of_a_system_without_a_log_makes_one() {
    let fs = SimFs::new(4);
    let recorder = open(&fs, Vec::new()).await;
    assert!(recorder.put_in_force(policy("1", "block")).await.unwrap());
    let told = entries(&fs, &recorder).await;
    assert_eq!((started(&told), changes(&told).len()), (vec![None], 1));
    recorder.close().await.unwrap();
    assert!(recorder.put_in_force(policy("2", "block")).await.is_err(), "a recorder that was closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_is_never_laxer_than_the_policy() {
    let routes = |failure: &str| {
        let text = format!(
            "[[route]]\nname = \"loan\"\nupstream = \"http://127.0.0.1:9\"\nsystem = \"credit\"\n{failure}\n"
        );
        GatewayConfig::new(config::routes(&text, &|_| None).unwrap())
    };
    let (degrade, block) = ("failure = \"degrade\"", "failure = \"block\"");
    for (policy_says, route_says, starts) in [
        ("block", degrade, false),
        ("block", block, true),
        ("block", "", true),
        ("degrade", degrade, true),
        ("degrade", block, true),
        ("degrade", "", true),
    ] {
        let recorder = open(&SimFs::new(5), vec![policy("1", policy_says)]).await;
        let gateway = Gateway::new(routes(route_says), recorder).await;
        assert_eq!(gateway.is_ok(), starts, "{policy_says} {route_says}");
        if let Err(error) = gateway {
            let error = error.to_string();
            assert!(error.contains("route `loan`") && error.contains("credit/1"), "{error}");
        }
    }
}
