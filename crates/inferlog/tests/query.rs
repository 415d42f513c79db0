//! SQL of others: answered, refused, stopped; and the server that records meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

mod reading;
mod support;

use std::time::{Duration, Instant};

use reading::statements::{COSTLY, REFUSED};
use reading::{Reader, Traffic, config, corrupt, locked};
use support::{REQUEST, World, model};

/// A directory with a few decisions.
fn world() -> World {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    for person in ["ann", "ben", "eve"] {
        assert_eq!(serve.infer(person, REQUEST).0, 200);
    }
    assert_eq!(serve.infer("ann", r#"{"inputs":[]}"#).0, 400);
    assert_eq!(serve.stop(), 0);
    world
}

#[test]
fn one_statement_that_reads_is_answered_in_every_form() {
    let world = world();
    let by_outcome = "SELECT outcome, count(*) AS n, 'é\n' AS t FROM decisions GROUP BY outcome ORDER BY 1";
    let lines = world.ok(&["query", "--json", by_outcome]).lines();
    assert_eq!(
        lines,
        [
            serde_json::json!({"outcome": "answered", "n": 3, "t": "é\n"}),
            serde_json::json!({"outcome": "failed", "n": 1, "t": "é\n"}),
        ]
    );
    let csv = world.ok(&["query", "--format", "csv", by_outcome]).stdout();
    assert_eq!(csv, "outcome,n,t\r\nanswered,3,\"é\n\"\r\nfailed,1,\"é\n\"\r\n");
    let table = world.ok(&["query", by_outcome]).stdout();
    assert_eq!(table, "outcome   n  t\n────────  ─  ──\nanswered  3  é \nfailed    1  é \n2 rows\n");
    let file = world.path("refs.parquet");
    let all = "SELECT * FROM payload_refs";
    world.ok(&["query", "--format", "parquet", "--output", file.to_str().unwrap(), all]);
    assert!(std::fs::read(&file).unwrap().starts_with(b"PAR1"));
    // The views of the guide, and of every kind, can be read within the limits.
    for view in [
        "inference_requests",
        "inference_responses",
        "inference_errors",
        "inference_metadata",
        "event_inference",
    ] {
        assert!(
            !world.ok(&["query", "--json", &format!("SELECT * FROM {view}")]).lines().is_empty()
                || view.ends_with('s')
        );
    }
    let schema = world.ok(&["query", "--schema"]).stdout();
    assert!(
        ["decisions\n", "payload_refs\n", "event_inference  events", "  started_ns  "]
            .iter()
            .all(|part| schema.contains(part)),
        "{schema}"
    );
}

#[test]
fn what_does_not_read_or_costs_too_much_is_refused_and_recording_goes_on() {
    let world = world();
    let (config, reader) = config(&world, "");
    let serve = world.serve(model(), &config);
    let traffic = Traffic::start(serve.address);
    let data = world.data();
    let data = data.to_str().unwrap();
    for (sql, says) in REFUSED {
        let run = world.run(&["query", "--data", data, sql]);
        assert_eq!(run.status(), 2, "{sql}");
        assert!(
            run.stderr().contains(says) && run.stderr().starts_with("error: "),
            "{sql}: {}",
            run.stderr()
        );
        let refused = reader.query(sql);
        assert_eq!(refused.status, 400, "{sql}: {}", refused.text());
        assert!(["bad_sql", "not_allowed"].contains(&refused.error().as_str()), "{sql}");
    }
    for (sql, options, says) in COSTLY {
        let began = Instant::now();
        let run = world.run(&[&["query", "--data", data][..], options, &[sql]].concat());
        assert_eq!(run.status(), 2, "{sql}: {}", run.stdout().len());
        assert!(run.stderr().contains(says) && run.stderr().contains("hint: "), "{sql}: {}", run.stderr());
        assert!(began.elapsed() < Duration::from_secs(15), "{sql}");
    }
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT";
    let slow = reader
        .query_json(&serde_json::json!({"sql": format!("{endless} count(*) FROM n"), "time_ms_max": 300}));
    assert_eq!((slow.status, slow.error().as_str()), (422, "time"));
    let hungry = reader.query("SELECT zeroblob(1000000000)");
    assert_eq!((hungry.status, hungry.error().as_str()), (422, "memory"));
    // What was begun breaks off, and says why in its last line.
    let broken =
        reader.query_json(&serde_json::json!({"sql": format!("{endless} i FROM n"), "time_ms_max": 500}));
    assert_eq!((broken.status, broken.is_whole), (200, false));
    assert!(
        broken.text().trim_end().ends_with('}') && broken.error() == "time",
        "{:?}",
        broken.text().lines().last()
    );
    let recorded = traffic.stop();
    assert!(recorded > 20, "{recorded}");
    let counted = reader.query("SELECT count(*) AS n FROM decisions WHERE outcome = 'answered'");
    assert_eq!(counted.json()["n"], recorded + 3, "every request was answered and recorded");
    assert_eq!(serve.stop(), 0);
}

#[test]
fn questions_wait_their_turn_and_a_client_that_leaves_takes_its_question_along() {
    let world = world();
    let (config, reader) = config(&world, "");
    let serve = world.serve(model(), &config);
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT";
    let body = serde_json::json!({"sql": format!("{sql} count(*) FROM n"), "time_ms_max": 1200});
    let asked: Vec<_> = (0..30)
        .map(|_| {
            let (reader, body) = (reader.clone(), body.clone());
            std::thread::spawn(move || reader.query_json(&body))
        })
        .collect();
    let answers: Vec<_> = asked.into_iter().map(|asked| asked.join().unwrap()).collect();
    let with = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!(with(422) + with(429), 30);
    assert!(with(422) >= 4 && with(429) >= 5, "{} were answered", with(422));
    let busy = answers.iter().find(|answer| answer.status == 429).unwrap();
    assert_eq!((busy.error().as_str(), busy.header("retry-after")), ("busy", Some("5")));
    reader.leave(&format!("{sql} i FROM n"));
    let began = Instant::now();
    while reading::workers() > 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "a question goes on that nobody asks");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(serve.stop(), 0);
}

#[test]
fn an_index_that_is_locked_damaged_or_newer_is_told_and_built_anew_while_requests_are_recorded() {
    let world = world();
    let data = world.data();
    let count = "SELECT count(*) AS n FROM decisions";
    let count_all = world.ok(&["query", "--json", count]).lines()[0]["n"].as_u64().unwrap();
    let mut expected = count_all;
    for (name, code, says) in [
        ("locked", "index_locked", "locked by another process"),
        ("header", "index_damaged", "followers rebuild"),
        ("pages", "index_damaged", "followers rebuild"),
        ("schema", "index_damaged", "followers rebuild"),
        ("cut", "index_damaged", "followers rebuild"),
        ("newer", "index_newer", "followers rebuild"),
    ] {
        let lock = (name == "locked").then(|| locked(&data));
        if lock.is_none() {
            corrupt(&data, name);
        }
        let run = world.run(&["query", "--data", data.to_str().unwrap(), "SELECT * FROM events"]);
        assert_eq!(run.status(), 2, "{name}: {}", run.stdout());
        assert!(
            run.stderr().contains(says) && run.stderr().contains("index.sqlite"),
            "{name}: {}",
            run.stderr()
        );
        let (config, reader) = config(&world, "");
        let serve = world.serve(model(), &config);
        let traffic = Traffic::start(serve.address);
        let refused = reader.query("SELECT * FROM events");
        assert_eq!((refused.status, refused.error().as_str()), (503, code), "{name}: {}", refused.text());
        assert!(refused.text().contains(says), "{name}: {}", refused.text());
        match lock {
            Some(lock) => drop(lock),
            None => {
                let built = reader.ask("POST", "/v1/followers/rebuild", "");
                assert_eq!(built.status, 200, "{name}: {}", built.text());
            }
        }
        expected += traffic.stop();
        let began = Instant::now();
        loop {
            let counted = reader.query(count);
            if counted.status == 200 && counted.json()["n"] == expected {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{name}: {} of {expected}", counted.text());
        }
        assert_eq!(serve.stop(), 0, "{name}");
    }
}

#[test]
fn content_is_opened_for_those_allowed_and_that_it_was_is_recorded_first() {
    let world = world();
    let sql = "SELECT role, payload FROM payload_refs WHERE role IN ('input.raw', 'headers') AND state = 'present' ORDER BY role DESC LIMIT 4";
    let opened = world.ok(&[
        "query",
        "--json",
        "--open",
        "payload",
        "--role",
        "auditor",
        "--purpose",
        "audit",
        "--actor",
        "pat",
        sql,
    ]);
    let lines = opened.lines();
    assert!(lines.iter().any(|line| line["payload"]["inputs"][0]["name"] == "x"), "{lines:?}");
    let request = world
        .ok(&["query", "--json", "--open", "inputs", "SELECT inputs FROM inference_requests LIMIT 1"])
        .lines();
    assert!(request[0]["inputs"].to_string().contains("FP64"), "{request:?}");
    let columns = "access_action AS action, access_role AS role, access_purpose AS purpose, access_actor AS actor, access_granted AS granted, access_count AS count";
    let told = |world: &World| {
        world.ok(&["query", "--json", &format!("SELECT {columns} FROM event_access ORDER BY no")]).lines()
    };
    let first = &told(&world)[0];
    assert_eq!(
        (&first["action"], &first["role"], &first["purpose"]),
        (&"query".into(), &"auditor".into(), &"audit".into())
    );
    assert!(first["actor"].as_str().is_some_and(|actor| actor.len() == 36), "a pseudonym: {first}");
    // The question itself is sealed: it may name persons.
    let sealed = world.ok(&[
        "query",
        "--json",
        "--open",
        "payload",
        "SELECT payload FROM payload_refs WHERE role = 'access.query' ORDER BY event_no LIMIT 1",
    ]);
    assert_eq!(sealed.lines()[0]["payload"], sql);
    // What was erased is not there, and says so.
    world.ok(&["erase", "--subject", "ann", "--yes"]);
    let gone =
        world.ok(&["query", "--json", "--open", "payload", sql.replace("LIMIT 4", "").as_str()]).lines();
    assert!(
        gone.iter()
            .any(|line| line["payload"]["missing"].as_str().is_some_and(|why| why.contains("destroyed"))),
        "{gone:?}"
    );
    let wrong = world.run(&["query", "--data", world.data().to_str().unwrap(), "--open", "payloads", sql]);
    assert!(
        wrong.status() == 2 && wrong.stderr().contains("the answer has: role, payload"),
        "{}",
        wrong.stderr()
    );
    let before = told(&world).len();
    // A reader that gives out no content says so, and that it was asked.
    let (config, reader) = config(&world, "content = false\n");
    let serve = world.serve_config(&config);
    let refused =
        reader.query_json(&serde_json::json!({"sql": sql, "open": ["payload"], "actor": "mallory"}));
    assert_eq!((refused.status, refused.error().as_str()), (403, "no_content"));
    let id = reader.query("SELECT id FROM decisions LIMIT 1").json()["id"].as_str().unwrap().to_owned();
    assert_eq!(reader.ask("GET", &format!("/v1/decisions/{id}"), "").status, 403);
    assert_eq!(reader.ask("GET", &format!("/v1/decisions/{id}?sealed"), "").status, 200);
    let after = told(&world);
    assert_eq!((after.len(), &after[before]["granted"]), (before + 1, &0.into()), "{after:?}");
    assert_eq!(serve.stop(), 0);
}

#[test]
fn the_reader_asks_for_its_token_and_answers_what_commands_answer() {
    let world = world();
    let (config, reader) = config(&world, "");
    let serve = world.serve(model(), &config);
    for stranger in [None, Some("0123456789abcdef0123456789abcdeF"), Some("")] {
        let stranger = Reader { token: stranger.map(str::to_owned), ..reader.clone() };
        for path in ["/v1/query", "/", "/v1/decisions"] {
            let refused = stranger.ask("POST", path, "SELECT 1");
            assert_eq!((refused.status, refused.error().as_str()), (401, "unauthorized"));
        }
    }
    let (_, id, _) = serve.infer("ann", REQUEST);
    let found = reader.ask("GET", "/v1/decisions?outcome=answered&limit=1", "");
    assert_eq!((found.status, found.json()["decision"].as_str()), (200, Some(id.as_str())));
    let told = reader.ask("GET", &format!("/v1/decisions/{id}?format=text&role=auditor"), "");
    assert!(told.status == 200 && told.text().contains(&id), "{}", told.text());
    let html = reader.ask("GET", &format!("/v1/decisions/{id}?format=html"), "");
    assert_eq!(html.header("content-type"), Some("text/html; charset=utf-8"));
    for (method, path, status) in [
        ("GET", "/v1/decisions/0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11", 404),
        ("GET", "/v1/stats", 200),
        ("GET", "/v1/followers", 200),
        ("GET", "/v1/stats?by=fortnight", 422),
        ("GET", "/v1/decisions?data=x", 400),
        ("GET", "/v1/query", 405),
        ("GET", "/elsewhere", 404),
    ] {
        let answer = reader.ask(method, path, "");
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    }
    assert_eq!(reader.query(&"x".repeat(600 << 10)).status, 413);
    assert_eq!(reader.query(&"x".repeat(70 << 10)).status, 400);
    let event = reader.first_line("/v1/tail?n=1&kind=decision.closed");
    assert!(event.contains("decision.closed") && event.contains(&id), "{event}");
    // A stream that its client left makes room, even where nothing happens that could be sent.
    let began = Instant::now();
    let leave = || reader.first_line("/v1/tail?n=1&kind=decision.closed");
    (0..8).for_each(|_| drop(leave()));
    while leave().contains("\"busy\"") {
        assert!(began.elapsed() < Duration::from_secs(30), "no room for another stream of events");
        std::thread::sleep(Duration::from_millis(200));
    }
    // The gateway's own listener has none of it, and nothing that was asked stands in this process's log.
    assert_ne!(support::get(serve.address, "/v1/decisions").0, 200);
    reader.query("SELECT 'a name that nobody should log'");
    assert!(serve.logged().iter().all(|event| !event.to_string().contains("nobody should log")));
    assert_eq!(serve.stop(), 0);
}

#[test]
fn a_reader_that_others_could_reach_or_guess_is_refused() {
    let world = World::new();
    let data = world.data();
    let serve = |more: &[&str]| {
        let args = [
            "serve",
            "--data",
            data.to_str().unwrap(),
            "--system",
            "credit",
            "--upstream",
            "http://127.0.0.1:9",
            "--listen",
            "127.0.0.1:0",
        ];
        world.run(&[&args[..], more].concat())
    };
    let file = world.path("token");
    std::fs::write(&file, reading::TOKEN).unwrap();
    reading::chmod(&file, 0o644);
    let open = format!("file:{}", file.display());
    for (more, says) in [
        (&["--reader", "0.0.0.0:9001"][..], "can be reached from other machines"),
        (&["--reader", "localhost"], "is no address"),
        (&["--reader", "127.0.0.1:0"], "INFERLOG_READER_TOKEN"),
        (&["--reader", "127.0.0.1:0", "--reader-token", "secret"], "env:NAME or file:PATH"),
        (&["--reader", "127.0.0.1:0", "--reader-token", &open], "chmod 600"),
    ] {
        let run = serve(more);
        assert!(run.status() == 2 && run.stderr().contains(says), "{more:?}: {}", run.stderr());
    }
    assert!(!data.exists(), "nothing was begun");
}
