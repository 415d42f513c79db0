//! The deadline of an incident, as the metrics tell it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/recording.rs"]
mod recording;
mod support;

use gateway::{Served, route, serve};
use inferlog_record::body::{Incident, IncidentCategory, IncidentPhase};
use inferlog_record::{Id, Timestamp};
use support::{RawServer, Then, exchange};

const SECOND_NS: u64 = 1_000_000_000;
const DAY_SECONDS: u64 = 86_400;

/// What the metrics say of the next deadline, by system.
async fn deadlines(served: &Served) -> Vec<String> {
    let metrics =
        exchange(served.address, "GET /metrics HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n").await;
    let of = |line: &&str| line.starts_with("inferlog_incident_next_deadline_seconds{");
    metrics.lines().filter(of).map(str::to_owned).collect()
}

fn incident(number: u64, category: IncidentCategory, aware_at: u64, phase: IncidentPhase) -> Incident {
    let (aware_at, days) = (Timestamp(aware_at * SECOND_NS), category.days());
    Incident { aware_at, by: None, category, days, hold: None, incident: Id::new(number, &[7; 10]), phase }
}

#[tokio::test]
async fn the_earliest_deadline_of_what_is_not_reported_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let upstream = RawServer::answering(b"HTTP/1.1 200 OK\r\n\r\n", Then::Close).await;
    let served = serve(recording::open(dir.path()).await, &route(&upstream.url(), "")).await;
    assert!(deadlines(&served).await.is_empty());
    // A system that no route leads to has deadlines all the same.
    let [system, other] = [recording::system("s"), recording::system("elsewhere")];
    let system = served.recorder.system(&system).await.unwrap();
    let other = served.recorder.system(&other).await.unwrap();
    let (now, aware) = (1_800_000_000, IncidentPhase::Aware);
    let (harm, death) = (IncidentCategory::HealthHarm, IncidentCategory::Death);
    for (number, category, aware_at) in [(1, harm, now), (2, death, now + 60)] {
        system.tell_incident(incident(number, category, aware_at, aware), None, None).await.unwrap();
    }
    other.tell_incident(incident(3, harm, now, aware), None, None).await.unwrap();
    let line = |system: &str, at: u64| {
        format!("inferlog_incident_next_deadline_seconds{{system=\"{system}\"}} {at}")
    };
    let mut found = deadlines(&served).await;
    found.sort();
    let expected = [line("elsewhere", now + 15 * DAY_SECONDS), line("s", now + 60 + 10 * DAY_SECONDS)];
    assert_eq!(found, expected);
    system.tell_incident(incident(2, death, now + 60, IncidentPhase::Reported), None, None).await.unwrap();
    other.tell_incident(incident(3, harm, now, IncidentPhase::Closed), None, None).await.unwrap();
    assert_eq!(deadlines(&served).await, [line("s", now + 15 * DAY_SECONDS)]);
    system.tell_incident(incident(1, harm, now, IncidentPhase::Reported), None, None).await.unwrap();
    assert!(deadlines(&served).await.is_empty());
    served.end(dir.keep()).await;
}
