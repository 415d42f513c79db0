//! Erasures, holds and incidents over HTTP: with the token for that, and with no other.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

mod support;

use std::net::SocketAddr;

use serde_json::{Value, json};
use support::{REQUEST, Serve, World, exchange, model};

const READS: &str = "0123456789abcdef0123456789abcdef";
const COMPLIES: &str = "fedcba9876543210fedcba9876543210";
const ALICE: &str = "alice-4711";

struct Api {
    address: SocketAddr,
}

impl Api {
    fn ask(&self, token: &str, line: &str, body: &str) -> (u16, String) {
        let (head, body) = exchange(self.address, line, &format!("authorization: Bearer {token}\r\n"), body);
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body)
    }

    fn json(&self, line: &str, body: &Value) -> (u16, Value) {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let (status, body) = self.ask(COMPLIES, line, &text);
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }
}

fn world(more: &[&str]) -> (World, Serve, Api) {
    let world = World::new();
    let write = |name: &str, token: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        let path = world.path(name);
        std::fs::write(&path, token).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        format!("file:{}", path.display())
    };
    let (reads, complies) = (write("reads", READS), write("complies", COMPLIES));
    // An address that no other process binds, nor takes for an outgoing connection: those come from 127.0.0.1.
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let free = std::net::TcpListener::bind(SocketAddr::from(([127, 64 | high, middle, low], 0))).unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let reader = address.to_string();
    let mut args = vec!["--reader", &reader, "--reader-token", &reads];
    if more.is_empty() {
        args.extend(["--compliance-token", &complies]);
    }
    let serve = world.serve(model(), &args);
    (world, serve, Api { address })
}

#[test]
fn an_erasure_is_planned_done_and_certified_and_names_nobody() {
    let (world, serve, api) = world(&[]);
    let ids = [ALICE, ALICE].map(|person| serve.infer(person, REQUEST).1);
    let (status, plan) = api.json("POST /v1/erasures", &json!({ "subject": ALICE, "plan": true }));
    assert_eq!((status, &plan["plans"][0]["decisions"]), (200, &2.into()), "{plan}");
    let freeze = json!({ "decisions": [ids[0]] });
    let hold =
        json!({ "system": "credit", "basis": "legal_claim", "freeze": freeze, "order_text": "no. 17" });
    let (status, hold) = api.json("POST /v1/holds", &hold);
    assert_eq!(status, 200, "{hold}");
    let body = json!({ "subject": ALICE, "order_text": "a letter", "actor": "dana" });
    let (status, erased) = api.json("POST /v1/erasures", &body);
    assert!([200, 202].contains(&status), "{erased}");
    let done = &erased["erased"][0];
    assert_eq!((&done["decisions"], &done["withheld"]["by_hold"]), (&1.into(), &1.into()), "{done}");
    // Nothing more to take: what is left is held.
    let (status, refused) = api.json("POST /v1/erasures", &json!({ "decision": ids[0] }));
    assert_eq!((status, &refused["erased"][0]["outcome"]), (409, &"refused".into()), "{refused}");
    assert_eq!(api.json("POST /v1/erasures", &json!({ "subject": "nobody" })).0, 404);

    let intent = done["intent"].as_str().unwrap();
    let line = format!("GET /v1/erasures/{intent}/certificate");
    let began = std::time::Instant::now();
    while api.ask(COMPLIES, &line, "").0 != 200 {
        assert!(began.elapsed().as_secs() < 60, "it is not completed");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(api.ask(COMPLIES, &line, "").1.starts_with("inferlog erasure certificate v1\n"));
    let (_, listed) = api.json("GET /v1/erasures", &Value::Null);
    assert_eq!(listed["erasures"].as_array().unwrap().len(), 2, "{listed}");

    let released = format!("POST /v1/holds/{}/release", hold["hold"].as_str().unwrap());
    assert_eq!(api.json(&released, &json!({ "basis": "legal_claim" })).0, 200);
    let (_, holds) = api.json("GET /v1/holds", &Value::Null);
    assert_eq!(holds["holds"][0]["stands"], false, "{holds}");
    let logged = format!("{:?}", serve.logged());
    assert!(!logged.contains(ALICE) && !logged.contains("a letter"), "{logged}");
    assert_eq!(serve.stop(), 0);
    world.ok(&["verify"]);
}

#[test]
fn an_incident_is_opened_watched_and_closed() {
    let (world, serve, api) = world(&[]);
    serve.infer(ALICE, REQUEST);
    let incident = json!({
        "system": "credit", "category": "death", "aware_at": "2026-01-02T08:00:00Z", "freeze": { "all": true },
        "report_text": "first words",
    });
    let (status, opened) = api.json("POST /v1/incidents", &incident);
    assert_eq!(status, 200, "{opened}");
    let path = format!("/v1/incidents/{}", opened["incident"].as_str().unwrap());
    let bundle = opened["bundle"]["file"].as_str().unwrap();
    assert!(opened["bundle"]["decisions"].as_u64().unwrap() > 0, "{opened}");
    world.run(&["verify", "--bundle", bundle]).expect(0);
    let (_, told) = api.json(&format!("GET {path}"), &Value::Null);
    assert_eq!((&told["days"], &told["phase"]), (&10.into(), &"aware".into()), "{told}");
    assert_eq!(api.json("POST /v1/erasures", &json!({ "subject": ALICE })).0, 409, "frozen");
    assert_eq!(api.json(&format!("POST {path}/report"), &json!({ "report_text": "sent" })).0, 200);
    let (status, closed) = api.json(&format!("POST {path}/close"), &json!({ "release_hold": true }));
    assert_eq!((status, &closed["hold_released"]), (200, &true.into()), "{closed}");
    let (_, listed) = api.json("GET /v1/incidents", &Value::Null);
    assert_eq!(listed["incidents"][0]["seconds_left"], Value::Null, "{listed}");
    assert_eq!(api.json(&format!("POST {path}/close"), &Value::Null).0, 422, "it is closed");

    // Of one whose hold went before it is told that it is closed, and that there is nothing to release.
    let (_, opened) = api.json("POST /v1/incidents", &incident);
    let hold = opened["hold"].as_str().unwrap();
    let release = format!("POST /v1/holds/{hold}/release");
    assert_eq!(api.json(&release, &json!({ "basis": "incident" })).0, 200);
    let (status, again) = api.json(&release, &json!({ "basis": "incident" }));
    assert_eq!((status, &again["error"]["code"]), (404, &"no_such_hold".into()), "{again}");
    let close = format!("POST /v1/incidents/{}/close", opened["incident"].as_str().unwrap());
    let (status, closed) = api.json(&close, &json!({ "release_hold": true }));
    assert_eq!((status, &closed["phase"]), (200, &"closed".into()), "{closed}");
    assert_eq!((&closed["hold_stands"], &closed["hold_released"]), (&false.into(), &Value::Null), "{closed}");
    assert_eq!(serve.stop(), 0);
    world.ok(&["verify"]);
}

#[test]
fn whoever_reads_does_not_erase_and_what_is_wrong_is_told() {
    let (_world, serve, api) = world(&[]);
    for (token, line, body, status, code) in [
        (READS, "POST /v1/erasures", r#"{"subject":"a"}"#, 403, "no_compliance"),
        (READS, "GET /v1/holds", "", 403, "no_compliance"),
        ("0000000000000000000000000000000x", "GET /v1/holds", "", 401, "unauthorized"),
        (COMPLIES, "GET /v1/decisions", "", 401, "unauthorized"),
        (COMPLIES, "POST /v1/erasures", "nonsense", 400, "malformed"),
        (COMPLIES, "POST /v1/erasures", r#"{"subject":"a","decision":"b"}"#, 400, "malformed"),
        (COMPLIES, "POST /v1/erasures", r#"{"person":"a"}"#, 400, "malformed"),
        (COMPLIES, "POST /v1/erasures", "{}", 400, "malformed"),
        (COMPLIES, "POST /v1/erasures?subject=a", "{}", 400, "malformed"),
        (COMPLIES, "PUT /v1/holds", "", 404, "no_such_path"),
        (
            COMPLIES,
            "POST /v1/holds",
            r#"{"system":"credit","basis":"internal","freeze":{}}"#,
            400,
            "malformed",
        ),
        (
            COMPLIES,
            "POST /v1/holds",
            r#"{"system":"credit","basis":"incident","freeze":{"all":true}}"#,
            400,
            "malformed",
        ),
        (
            COMPLIES,
            "POST /v1/holds",
            r#"{"system":"other","basis":"internal","freeze":{"all":true}}"#,
            422,
            "failed",
        ),
        (
            COMPLIES,
            "GET /v1/erasures/0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11/certificate",
            "",
            404,
            "no_certificate",
        ),
        (COMPLIES, "GET /v1/incidents/0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11", "", 404, "no_such_incident"),
        (
            COMPLIES,
            "POST /v1/incidents/0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11/close",
            "",
            404,
            "no_such_incident",
        ),
        (
            COMPLIES,
            "POST /v1/holds/0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11/release",
            r#"{"basis":"internal"}"#,
            404,
            "no_such_hold",
        ),
        (COMPLIES, "POST /v1/erasures", r#"{"subject":"a","system":"other"}"#, 422, "failed"),
    ] {
        let (found, answer) = api.ask(token, line, body);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!((found, &answer["error"]["code"]), (status, &code.into()), "{line} {body}: {answer}");
    }
    let long = format!(r#"{{"subject":"{}"}}"#, "a".repeat(600 << 10));
    assert_eq!(api.ask(COMPLIES, "POST /v1/erasures", &long).0, 413);
    assert_eq!(serve.stop(), 0);

    let (_world, serve, api) = world(&["without"]);
    assert_eq!(api.ask(COMPLIES, "GET /v1/holds", "").0, 401, "there is no such token");
    assert_eq!(serve.stop(), 0);
}
