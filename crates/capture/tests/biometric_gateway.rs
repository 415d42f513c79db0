//! The biometric profile over HTTP: the header that names the session, and what a request without one is answered.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/events.rs"]
mod events;
#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/recording.rs"]
mod recording;
#[path = "support/mod.rs"]
mod support;

use events::post;
use gateway::{Served, infer, route, serve, status};
use inferlog_capture::recorder::InForce;
use inferlog_record::Id;
use serde_json::{Value, json};
use support::{RawServer, Then, exchange};

const POLICY: &str = "system = \"s\"\nversion = \"1\"\nprofile = \"biometric\"\nfailure = \"degrade\"\n[[class]]\nname = \"short\"\n\
    floor = \"184 days\"\ntarget = \"1 year\"\nlegal_basis = \"x\"\n";
const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\
    {\"model_name\":\"credit\",\"outputs\":[]}";

async fn ask(served: &Served, headers: &str) -> String {
    exchange(served.address, &infer("{\"inputs\":[]}", headers)).await
}

async fn tell(served: &Served, event: Value) -> (u16, Value) {
    post(served, &event.to_string(), "").await
}

async fn session(served: &Served) -> Id {
    let (status, answer) = tell(served, json!({"kind": "session.started", "system": "s"})).await;
    assert_eq!(status, 200, "{answer}");
    answer["session"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_request_outside_a_session_reaches_no_model_whatever_the_failure_policy() {
    let dir = tempfile::tempdir().unwrap();
    let mut upstream = RawServer::answering(ANSWER.as_bytes(), Then::Close).await;
    let served =
        serve(recording::open(dir.path()).await, &route(&upstream.url(), "failure = \"degrade\"")).await;
    // Without the profile a session that nobody knows is no obstacle, and none of the decision's.
    let strange = format!("inferlog-session: {}\r\n", Id::new(1, &[1; 10]));
    assert_eq!(status(&ask(&served, &strange).await), 200);
    let early = session(&served).await;
    assert_eq!(status(&ask(&served, &format!("inferlog-session: {early}\r\n")).await), 200);
    assert!(served.recorder.put_in_force(InForce::read(POLICY).unwrap()).await.unwrap());
    let ended = json!({"kind": "session.ended", "system": "s", "session": early});
    assert_eq!(tell(&served, ended.clone()).await.0, 200);
    assert_eq!(tell(&served, ended).await.0, 422);
    let mut seen = Vec::new();
    while let Ok(request) = upstream.requests.try_recv() {
        seen.push(request);
    }
    assert!(seen.len() == 2 && !seen.concat().contains("inferlog-session"), "{seen:?}");
    for headers in ["", &strange, &format!("inferlog-session: {early}\r\n"), "inferlog-session: x\r\n"] {
        let answer = ask(&served, headers).await;
        assert_eq!(status(&answer), 422, "{answer}");
        assert!(answer.contains("biometric_profile") && answer.contains("session.started"), "{answer}");
        assert!(!answer.contains("inferlog-decision-id"), "{answer}");
    }
    assert!(upstream.requests.try_recv().is_err(), "the model was called");
    let session = session(&served).await;
    assert_eq!(status(&ask(&served, &format!("inferlog-session: {session}\r\n")).await), 200);
    let (status, both) = tell(
        &served,
        json!([{"kind": "session.started", "system": "s"}, {"kind": "session.started", "system": "s"}]),
    )
    .await;
    assert!(status == 400 && both["error"].as_str().unwrap().contains("by itself"), "{both}");
    let log = served.end(dir.keep()).await;
    let sessions = log.decisions().into_iter().map(|events| {
        let mut named: Vec<Option<Id>> = events.iter().map(|event| event.session).collect();
        named.dedup();
        named
    });
    assert_eq!(sessions.collect::<Vec<_>>(), [vec![None], vec![Some(early)], vec![Some(session)]]);
}
