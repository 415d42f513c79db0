//! Drills through the binary: what was removed, changed or lost since is found, and named.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]
#![allow(unreachable_pub, reason = "modules of a test")]

#[path = "drill/demo.rs"]
mod demo;
#[path = "drill/packs.rs"]
mod packs;
mod support;

use std::fs;
use std::time::{Duration, Instant};

use demo::{Demo, retrained};
use packs::remove_payload;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::{REQUEST, Run, Serve, World, get, model};

/// Runs a drill and gives its report, demanding an exit status.
fn drill(world: &World, status: i32, more: &[&str]) -> Value {
    let run = run(world, &[&["drill", "--json"], more].concat());
    run.expect(status);
    run.json()
}

fn run(world: &World, args: &[&str]) -> Run {
    let data = world.data();
    world.run(&[args, &["--data", data.to_str().unwrap()]].concat())
}

/// The findings of a report: decision, class, event and what is said.
fn findings(report: &Value) -> Vec<(String, String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut findings = Vec::new();
    for system in report["systems"].as_array().unwrap() {
        for decision in system["decisions"].as_array().unwrap() {
            for finding in decision["findings"].as_array().into_iter().flatten() {
                let [class, event, what] = [&finding["class"], &finding["event"], &finding["what"]].map(text);
                assert!(!text(&finding["advice"]).is_empty());
                findings.push((text(&decision["decision"]), class, event, what));
            }
        }
    }
    findings
}

/// Decisions about some people; their ids.
fn decide(serve: &Serve, count: usize) -> Vec<String> {
    let decided = (0..count).map(|number| serve.infer(&format!("person-{number}"), REQUEST));
    decided.map(|(status, id, _)| (status == 200).then_some(id).unwrap()).collect()
}

/// The events of a kind, as an export has them.
fn events(world: &World, kind: &str) -> Vec<Value> {
    let run = world.ok(&["export", "--format", "jsonl", "--content", "--output", "-"]);
    run.lines().into_iter().filter(|line| line["event"]["kind"] == kind).collect()
}

#[test]
fn a_removed_document_is_found_and_named() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let decisions = decide(&serve, 5);
    assert_eq!(serve.stop(), 0);
    let attach = ["retrieval", "--decision", &decisions[2], "--index", "policies", "--query", "limits?"];
    world.ok(&[&attach[..], &["--document", "Rule one.", "--document", "Rule two, which goes."]].concat());
    let strict = findings(&drill(&world, 1, &["--strict"]));
    assert!(strict.iter().all(|(id, class, ..)| *id == decisions[2] && class == "incomplete"), "{strict:?}");
    let report = drill(&world, 0, &[]);
    assert_eq!(report["checked"]["incomplete"], 1);
    assert_eq!(
        (&report["sampled"], &report["failed"], &report["passed"]),
        (&json!(5), &json!(0), &json!(true))
    );
    assert!(report["checked"]["contents"].as_u64().unwrap() > 25, "{report}");

    let told = world.ok(&["show", &decisions[2], "--json"]).json();
    let step = told["events"].as_array().unwrap().iter().find(|step| step["kind"] == "retrieval").unwrap();
    let documents: Vec<&Value> = step["payloads"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|held| held["role"] == "retrieval.document")
        .collect();
    let removed = documents[1]["payload"].as_str().unwrap();
    remove_payload(&world.log_dir(), removed);

    let report = drill(&world, 1, &[]);
    assert_eq!((&report["failed"], &report["systems"][0]["failed"]), (&json!(1), &json!(1)));
    let [(decision, class, event, what)] = &findings(&report)[..] else { panic!("{report}") };
    assert_eq!((decision, class.as_str()), (&decisions[2], "content_missing"));
    assert_eq!(*event, step["id"]);
    assert!(what.starts_with(&format!("retrieval.document ({removed}): no pack holds it")), "{what}");
    // The decision alone, in words.
    let said = run(&world, &["drill", "--decision", &decisions[2]]);
    said.expect(1);
    for part in
        ["Failed: something is wrong with 1 of 1 decision.", &decisions[2], "content_missing", event, removed]
    {
        assert!(said.stdout().contains(part), "{part} is not in:\n{}", said.stdout());
    }
    drill(&world, 0, &["--decision", &decisions[1]]);
}

#[test]
fn a_missing_or_changed_artefact_is_found_and_named() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    fs::create_dir(world.path("model")).unwrap();
    fs::write(world.path("model/weights"), "0.7").unwrap();
    let place = world.path("model").to_str().unwrap().to_owned();
    world.ok(&["models", "add", "credit", "--version", "3", "--location", &place]);
    let decisions = decide(&serve, 4);
    // As the process that serves.
    let report = drill(&world, 0, &["--check-artefacts"]);
    assert_eq!(report["checked"]["artefacts"][&place]["is"], "same");
    assert_eq!(report["checked"]["models"], 4);
    assert_eq!(drill(&world, 0, &[])["checked"]["artefacts"][&place]["is"], "present");

    fs::write(world.path("model/weights"), "0.9").unwrap();
    drill(&world, 0, &[]);
    let found = findings(&drill(&world, 1, &["--check-artefacts"]));
    assert_eq!(found.len(), 4);
    for (decision, class, _, what) in &found {
        assert!(
            decisions.contains(decision) && class == "artefact_changed" && what.contains(&place),
            "{what}"
        );
    }
    fs::remove_dir_all(world.path("model")).unwrap();
    let found = findings(&drill(&world, 1, &["--sample", "2"]));
    assert_eq!(found.len(), 2);
    for (_, class, event, what) in &found {
        assert_eq!(class, "artefact_missing");
        assert_eq!(*what, format!("credit version 3 is registered at {place}, and nothing is there"));
        assert!(!event.is_empty());
    }
    // The registry lost: the digest that the record has leads nowhere.
    assert_eq!(serve.stop(), 0);
    fs::remove_dir_all(world.data().join("registry")).unwrap();
    let found = findings(&drill(&world, 1, &["--sample", "1"]));
    assert!(matches!(&found[..], [(_, class, ..)] if class == "model_missing"), "{found:?}");
}

#[test]
fn a_changed_model_is_found_and_named() {
    let world = World::new();
    let demo = Demo::start(&world);
    let report = drill(&world, 0, &["--sample", "400", "--replay", &demo.model]);
    let replays = &report["checked"]["replays"];
    assert!(replays["same"].as_u64().unwrap() > 250, "{replays}");
    assert_eq!((&replays["different"], &replays["within_tolerance"]), (&Value::Null, &Value::Null));
    let before = world.ok(&["find", "--json"]).lines().len();

    // Version 1 is answered by version 2 now.
    let changed = retrained(&demo.model);
    let page = world.path("drill.html");
    let more = ["--sample", "400", "--replay", &changed, "--html", page.to_str().unwrap()];
    let found = findings(&drill(&world, 1, &more));
    assert!(found.len() > 60, "{}", found.len());
    for (decision, class, _, what) in &found {
        assert_eq!(class, "replay_differs");
        let says = "the model changed: the record has credit-scoring version 1, now credit-scoring version 2 answered; ";
        assert!(what.starts_with(says), "{what}");
        assert!(fs::read_to_string(&page).unwrap().contains(decision));
    }
    // The same model, and numbers alone: as far as they were asked to agree.
    let numbers = ["--tolerance", "1", "--ignore", "/outputs/1/data/*"];
    let near = findings(&drill(&world, 1, &[&more[..4], &numbers].concat()));
    assert_eq!(near.len(), found.len());
    assert!(near.iter().all(|(.., what)| what.contains("answered; 1 value differs")), "{near:?}");
    let ignored = [&more[..4], &numbers, &["--ignore", "/model_version"]].concat();
    let replays = drill(&world, 0, &ignored)["checked"]["replays"].clone();
    assert_eq!((&replays["within_tolerance"], &replays["different"]), (&json!(near.len()), &Value::Null));

    let refused = run(&world, &["drill", "--replay", &demo.gateway]);
    refused.expect(2);
    assert!(refused.stderr().contains("is a gateway of inferlog"), "{}", refused.stderr());
    let refused = run(&world, &["drill", "--replay", "http://127.0.0.1:9"]);
    refused.expect(2);
    assert!(refused.stderr().contains("a model server does not answer"), "{}", refused.stderr());
    assert_eq!(world.ok(&["find", "--json"]).lines().len(), before, "a replay is no decision");
}

#[test]
fn a_drill_is_recorded_and_can_be_repeated() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    decide(&serve, 40);
    let first = drill(&world, 0, &["--sample", "7"]);
    let choice = &first["choice"];
    let (seed, until) = (choice["seed"].to_string(), choice["until"].as_str().unwrap());
    decide(&serve, 10);
    let again = drill(&world, 0, &["--sample", "7", "--seed", &seed, "--until", until]);
    let drawn = |report: &Value| {
        let decisions = report["systems"][0]["decisions"].as_array().unwrap().iter();
        decisions.map(|decision| decision["decision"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((drawn(&first).len(), drawn(&first)), (7, drawn(&again)));
    assert_ne!(drawn(&first), drawn(&drill(&world, 0, &["--sample", "7"])));
    assert_eq!(serve.stop(), 0);

    let (accesses, drills) = (events(&world, "access"), events(&world, "drill"));
    let told = &drills[0]["event"];
    let body = &told["body"];
    assert_eq!(
        (&body["result"], &body["sampled"], &body["population"]),
        (&json!("passed"), &json!(7), &json!(40))
    );
    assert_eq!(told["id"], first["systems"][0]["event"]);
    let access = accesses.iter().find(|access| access["event"]["body"]["purpose"] == "drill").unwrap();
    assert!(access["index"].as_u64() < drills[0]["index"].as_u64(), "the access first");
    assert_eq!(access["event"]["body"]["count"], 7);
    // What the event holds is the report, and its digest is in clear.
    let lines = world.ok(&["export", "--format", "jsonl", "--content", "--output", "-"]).stdout();
    let line = lines
        .lines()
        .find(|line| line.contains(told["id"].as_str().unwrap()) && line.contains("\"drill\""))
        .unwrap();
    let rest = line.split_once("\"content\":{\"json\":").unwrap().1;
    let content: Box<RawValue> =
        serde_json::Deserializer::from_str(rest).into_iter().next().unwrap().unwrap();
    let content = content.get();
    assert_eq!(body["sha256"], hex::encode(Sha256::digest(content.as_bytes())), "{content}");
    let held: Value = serde_json::from_str(content).unwrap();
    assert_eq!(held["systems"][0]["decisions"], first["systems"][0]["decisions"]);

    // One that nobody recorded.
    let unknown = "0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11";
    let found = findings(&drill(&world, 1, &["--decision", unknown]));
    assert!(matches!(&found[..], [(id, class, ..)] if id == unknown && class == "not_found"), "{found:?}");
    assert_eq!(events(&world, "drill").len(), drills.len(), "no log has it");
}

/// Waits until a metric has a value.
fn wait_for(serve: &Serve, line: &str) {
    let began = Instant::now();
    loop {
        let metrics = get(serve.address, "/metrics").1;
        if metrics.lines().any(|known| known == line) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(40), "{line} is not in:\n{metrics}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_schedule_is_kept_and_made_up_for_once() {
    let world = World::new();
    let (upstream, place) = (model(), world.path("weights"));
    fs::write(&place, "0.7").unwrap();
    let routes = |every: &str| {
        format!(
            "[[route]]\nname = \"r\"\nsystem = \"credit\"\nupstream = \"http://{upstream}\"\n\
             [drill]\nevery = \"{every}\"\nsample = 3\nreplay = {{ r = \"http://{upstream}\" }}\n"
        )
    };
    let serve = world.serve_routes(&routes("2s"));
    world.ok(&["models", "add", "credit", "--version", "3", "--location", place.to_str().unwrap()]);
    decide(&serve, 6);
    wait_for(&serve, "inferlog_drill_passed{system=\"credit\"} 1");
    wait_for(&serve, "inferlog_drill_sampled{system=\"credit\"} 3");
    // Something is lost: loud in the log of the process, and in the metric.
    fs::remove_file(&place).unwrap();
    wait_for(&serve, "inferlog_drill_passed{system=\"credit\"} 0");
    wait_for(&serve, "inferlog_drill_failed{system=\"credit\"} 3");
    let logged = serve.logged();
    let finding = logged.iter().find(|event| event["class"] == "artefact_missing");
    assert_eq!(finding.unwrap()["level"], "ERROR", "{logged:?}");
    assert_eq!(serve.stop(), 0);

    // Time goes by while nothing serves; then one is made up for, and the next is an hour away.
    let before = events(&world, "drill").len();
    assert!(before >= 2, "{before}");
    std::thread::sleep(Duration::from_secs(2));
    let serve = world.serve_routes(&routes("7s"));
    std::thread::sleep(Duration::from_secs(11));
    assert_eq!(serve.stop(), 0);
    assert_eq!(events(&world, "drill").len(), before + 1, "one that was missed, once");
}
