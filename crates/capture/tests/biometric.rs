//! The biometric profile: what lacks its session, its database, its input or its two persons is recorded nowhere.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/simulated.rs"]
mod simulated;

use inferlog_capture::api::{ApiError, Attached, How, attach};
use inferlog_capture::recorder::{
    InForce, NewDecision, NewEvent, RecordError, Recorder, RecorderConfig, System, closed,
};
use inferlog_disk::sim::SimFs;
use inferlog_log::{LogError, NodeConfig, NodeLock};
use inferlog_record::body::{
    Body, DecisionJoined, DecisionOpened, ExchangeEnd, Exemption, Outcome, SessionEnd,
};
use inferlog_record::{ClearName, Digest, Event, Id, PayloadRole, validate};
use serde_json::{Value, json};
use simulated::{DATA, system_name};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const CLASS: &str =
    "[[class]]\nname = \"short\"\nfloor = \"184 days\"\ntarget = \"1 year\"\nlegal_basis = \"x\"\n";

fn text(profile: &str, more: &str) -> String {
    format!("system = \"credit\"\nversion = \"1\"\nprofile = \"{profile}\"\n{more}\n{CLASS}")
}

async fn open(fs: &SimFs, text: &str) -> (Recorder, System) {
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
        policies: vec![Arc::new(InForce::read(text).unwrap())],
        ..RecorderConfig::new(ClearName::new("inferlog-test").unwrap(), Digest([7; 32]))
    };
    let recorder = Recorder::open(lock, env, node, vault, config).await.unwrap();
    let system = recorder.system(&system_name()).await.unwrap();
    (recorder, system)
}

async fn biometric(fs: &SimFs) -> (Recorder, System) {
    open(fs, &text("biometric", "")).await
}

async fn events(fs: &SimFs, recorder: &Recorder) -> Vec<Event> {
    recorder.integrate().await.unwrap();
    simulated::read(fs).0.into_iter().flat_map(|entry| entry.events).collect()
}

async fn post(recorder: &Recorder, body: Value) -> Result<Attached, ApiError> {
    attach(recorder, body.to_string().into(), &How::new("events-api", &[])).await
}

async fn session(recorder: &Recorder) -> Id {
    let started = json!({"kind": "session.started", "system": "credit", "route": "gate-3"});
    post(recorder, started).await.unwrap().session.unwrap()
}

async fn end_session(recorder: &Recorder, session: Id) -> Result<Attached, ApiError> {
    let ended = json!({"kind": "session.ended", "system": "credit", "session": session,
                       "ended_at": "2026-11-21T00:00:07Z"});
    post(recorder, ended).await
}

fn opening(session: Option<Id>) -> NewDecision {
    let mut opened = NewEvent::new(DecisionOpened::default());
    opened.session = session;
    NewDecision::new(opened)
}

fn end() -> Vec<NewEvent> {
    vec![NewEvent::new(closed(Outcome::Answered, ExchangeEnd::Complete))]
}

async fn decide(system: &System, session: Option<Id>) -> Result<Id, RecordError> {
    Ok(system.begin(opening(session)).await?.finish(end()).await?.id())
}

/// A match that lacks nothing, with other members; `null` takes one away.
fn matched(decision: Id, more: Value) -> Value {
    let mut event = json!({"kind": "biometric.match", "decision": decision, "database": "watchlist", "database_version": "2026-11",
        "started_at": "2026-11-21T00:00:01Z", "ended_at": "2026-11-21T00:00:02Z",
        "database_digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "result": "match", "score": 0.9125,
        "input": {"media_type": "image/png", "base64": "iVBORw0KGgo="}, "record": "suspect 4711",
        "verifiers": ["kim@example.org", "ada@example.org"]});
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

fn of_kind<'a>(events: &'a [Event], kind: &str) -> Vec<&'a Event> {
    events.iter().filter(|event| event.body.kind_text() == kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_use_is_recorded_with_its_period_its_database_its_input_and_its_verifiers() {
    let fs = SimFs::new(1);
    let (recorder, system) = biometric(&fs).await;
    let session = session(&recorder).await;
    assert!(system.is_open_session(session));
    let decision = decide(&system, Some(session)).await.unwrap();
    end_session(&recorder, session).await.unwrap();
    // Persons verify when the use is over.
    post(&recorder, matched(decision, json!({}))).await.unwrap();
    let events = events(&fs, &recorder).await;
    let (started, ended) = (of_kind(&events, "session.started"), of_kind(&events, "session.ended"));
    assert_eq!((started.len(), ended.len()), (1, 1));
    assert!(started[0].session == Some(session) && started[0].started_at.is_some());
    assert_eq!(ended[0].session, Some(session));
    assert_eq!(ended[0].ended_at.unwrap().to_string(), "2026-11-21T00:00:07.000000000Z");
    for event in [started[0], ended[0], of_kind(&events, "biometric.match")[0]] {
        assert_eq!(validate(event), Ok(()), "{event:?}");
    }
    for kind in ["decision.opened", "decision.closed", "biometric.match"] {
        assert_eq!(of_kind(&events, kind)[0].session, Some(session), "{kind}");
    }
    let Body::BiometricMatch(body) = &of_kind(&events, "biometric.match")[0].body else { panic!() };
    assert_eq!(body.score_millionths.unwrap().0, 912_500);
    assert!(body.verifiers.len() == 2 && body.verifiers[0] != body.verifiers[1]);
    let clear = format!("{events:?}");
    for sealed in ["kim@", "ada@", "suspect"] {
        assert!(!clear.contains(sealed), "{sealed} stands in clear");
    }
    let find = |name: &str| recorder.vault().find_subject(&system_name(), name.as_bytes()).unwrap().unwrap();
    let known = [find("kim@example.org").pseudonym(), find("ada@example.org").pseudonym()];
    assert_eq!(body.verifiers.to_vec(), known);
    let (_, stored) = simulated::read(&fs);
    let input = stored.iter().find(|(_, stored)| stored.role == PayloadRole::BiometricInput).unwrap();
    assert_eq!(input.1.open(recorder.vault()).unwrap(), b"\x89PNG\r\n\x1a\n");
}

/// Members that differ, and what the refusal says is missing.
fn lacking() -> Vec<(Value, Vec<&'static str>)> {
    let two = "`verifiers`: two different persons";
    vec![
        (json!({"database_version": null}), vec!["`database_version`"]),
        (json!({"database_digest": null}), vec!["`database_digest`"]),
        (json!({"database": "of all suspects"}), vec!["`database`"]),
        (json!({"database_version": null, "result": "no_match"}), vec!["`database_version`"]),
        (json!({"input": null}), vec!["`input`"]),
        (json!({"input": ""}), vec!["`input`"]),
        (json!({"verifiers": null}), vec![two]),
        (json!({"verifiers": ["kim@example.org"]}), vec![two]),
        (json!({"verifiers": ["kim@example.org", "kim@example.org"]}), vec![two]),
        (json!({"verifiers": ["kim@example.org", " Kim@Example.org ", ""]}), vec![two]),
        (
            json!({"database": "of all suspects", "database_version": null, "database_digest": null, "input": null,
                   "verifiers": null}),
            vec!["`database`", "`database_version`", "`database_digest`", "`input`", two],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_match_that_lacks_something_is_refused_with_all_that_it_lacks() {
    let fs = SimFs::new(2);
    let (recorder, system) = biometric(&fs).await;
    let decision = decide(&system, Some(session(&recorder).await)).await.unwrap();
    let before = events(&fs, &recorder).await.len();
    let all = ["`database`", "`database_version`", "`database_digest`", "`input`", "`verifiers`", "session"];
    for (more, lacks) in lacking() {
        let error = post(&recorder, matched(decision, more.clone())).await.unwrap_err();
        assert_eq!((error.status, error.code), (422, "biometric_profile"), "{more}");
        for member in all {
            let is_said = lacks.iter().any(|lack| lack.starts_with(member));
            assert_eq!(error.message.contains(&format!("{member}:")), is_said, "{more}: {error}");
        }
        assert!(lacks.iter().all(|lack| error.message.contains(lack)), "{more}: {error}");
        assert!(!error.message.contains("kim") && !error.message.contains("suspects"), "{error}");
    }
    // Nothing of a batch that holds one is recorded.
    let batch = json!([{"kind": "label", "decision": decision, "name": "n", "origin": "review", "value": 1},
                       matched(decision, json!({"verifiers": null}))]);
    assert_eq!(post(&recorder, batch).await.unwrap_err().status, 422);
    assert_eq!(events(&fs, &recorder).await.len(), before);
    // Where there was no match nobody verifies one.
    let none = matched(decision, json!({"result": "no_match", "input": null, "verifiers": null}));
    post(&recorder, none).await.unwrap();
    let exempt = json!({"verifiers": ["kim@example.org"], "exemption": "border_control"});
    post(&recorder, matched(decision, exempt)).await.unwrap();
    let events = events(&fs, &recorder).await;
    let [none, exempt] = of_kind(&events, "biometric.match")[..] else { panic!() };
    assert_eq!((validate(none), validate(exempt)), (Ok(()), Ok(())));
    let Body::BiometricMatch(body) = &exempt.body else { panic!() };
    assert_eq!((body.exemption, body.verifiers.len()), (Some(Exemption::BorderControl), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_begins_outside_a_session() {
    let fs = SimFs::new(3);
    let (recorder, system) = biometric(&fs).await;
    let session = session(&recorder).await;
    let recorded = system.begin(opening(Some(session))).await.unwrap().finish(end()).await.unwrap();
    end_session(&recorder, session).await.unwrap();
    let again = end_session(&recorder, session).await.unwrap_err();
    assert_eq!(again.status, 422, "{again}");
    let before = events(&fs, &recorder).await.len();
    for session in [None, Some(session), Some(Id::new(1, &[1; 10]))] {
        let error = decide(&system, session).await.unwrap_err();
        assert!(
            matches!(&error, RecordError::Biometric(what) if what.contains("inferlog-session")),
            "{error}"
        );
    }
    let joined = recorded.ongoing().join(vec![NewEvent::new(DecisionJoined::default())]).await;
    assert!(matches!(joined.err(), Some(RecordError::Biometric(_))));
    let elsewhere = json!({"kind": "session.started", "system": "other"});
    assert_eq!(post(&recorder, elsewhere).await.unwrap_err().code, "no_system");
    assert_eq!(events(&fs, &recorder).await.len(), before);
    // Of a decision that was begun under another policy, a match is refused for want of its session.
    let fs = SimFs::new(4);
    let (recorder, system) = open(&fs, &text("high-risk", "")).await;
    let decision = decide(&system, None).await.unwrap();
    post(&recorder, matched(decision, json!({"verifiers": null, "database_digest": null}))).await.unwrap();
    let next = text("biometric", "").replace("version = \"1\"", "version = \"2\"");
    assert!(recorder.put_in_force(InForce::read(&next).unwrap()).await.unwrap());
    let error = post(&recorder, matched(decision, json!({}))).await.unwrap_err();
    assert!(error.message.ends_with("needs a decision that belongs to a session"), "{error}");
}

/// What the log says of the ends of sessions.
fn ends(events: &[Event]) -> Vec<(Id, SessionEnd)> {
    let ends = events.iter().filter_map(|event| match &event.body {
        Body::SessionEnded(body) => Some((event.session.unwrap(), body.end)),
        _ => None,
    });
    ends.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_session_outlives_its_recorder() {
    let fs = SimFs::new(5);
    let (recorder, system) = biometric(&fs).await;
    let (over, left) = (session(&recorder).await, session(&recorder).await);
    let decision = decide(&system, Some(left)).await.unwrap();
    end_session(&recorder, over).await.unwrap();
    let fs = fs.crash();
    drop((recorder, system));
    let (recorder, system) = biometric(&fs).await;
    let told = events(&fs, &recorder).await;
    assert_eq!(ends(&told), [(over, SessionEnd::Ended), (left, SessionEnd::Interrupted)]);
    assert!(decide(&system, Some(left)).await.is_err());
    // What comes late belongs to the session of its decision all the same.
    post(&recorder, matched(decision, json!({}))).await.unwrap();
    let next = session(&recorder).await;
    recorder.close().await.unwrap();
    drop((recorder, system));
    let (recorder, _system) = biometric(&fs).await;
    let told = events(&fs, &recorder).await;
    assert_eq!(of_kind(&told, "biometric.match")[0].session, Some(left));
    let all = [(over, SessionEnd::Ended), (left, SessionEnd::Interrupted), (next, SessionEnd::Interrupted)];
    assert_eq!(ends(&told), all, "told once");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rule_of_the_policy_itself_loses_a_match() {
    let sampling = "[sampling]\nmethod = \"systematic\"\nevery = 5\nrationale = \"x\"\nacceptance = \"x\"\napprover = \"x\"";
    let checked = InForce::read(&text("biometric", sampling)).unwrap().policy.check();
    assert!(format!("{checked:?}").contains("sampling"), "{checked:?}");
    let picture =
        "unreadable = \"drop\"\n[[detector]]\nname = \"mails\"\nkind = \"email\"\naction = \"drop\"";
    let name =
        "[[detector]]\nname = \"lists\"\nkind = \"pattern\"\npattern = \"watch[a-z]+\"\naction = \"drop\"";
    for (seed, detector, said) in [(6, picture, "unreadable"), (7, name, "in clear")] {
        let fs = SimFs::new(seed);
        let (recorder, system) = open(&fs, &text("biometric", detector)).await;
        let decision = decide(&system, Some(session(&recorder).await)).await.unwrap();
        let before = events(&fs, &recorder).await.len();
        let error = post(&recorder, matched(decision, json!({}))).await.unwrap_err();
        assert!(error.status == 422 && error.message.contains(said), "{error}");
        assert_eq!(events(&fs, &recorder).await.len(), before);
    }
}
