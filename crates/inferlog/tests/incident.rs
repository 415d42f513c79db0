//! Incidents from the command line: opened with a hold and a bundle, watched, reported, closed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

mod officer;
mod support;

use std::fs;

use officer::masked;
use support::{REQUEST, Run, World, model};

fn world() -> (World, Vec<String>) {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let ids = ["alice-4711", "bob-4712"].iter().map(|person| serve.infer(person, REQUEST).1).collect();
    assert_eq!(serve.stop(), 0);
    (world, ids)
}

fn run(world: &World, args: &[&str]) -> Run {
    let data = world.data();
    world.run(&[args, &["--data", data.to_str().unwrap()]].concat())
}

fn open(world: &World, more: &[&str]) -> serde_json::Value {
    let words = ["incident", "open", "--system", "credit", "--json"];
    world.ok(&[&words[..], more].concat()).json()
}

#[test]
fn an_incident_freezes_its_records_and_has_a_bundle_of_them() {
    let (world, ids) = world();
    fs::write(world.path("notes.txt"), "what we know <b>so far</b>").unwrap();
    let opened = world.ok(&[
        "incident",
        "open",
        "--system",
        "credit",
        "--category",
        "fundamental_rights",
        "--aware-at",
        "2h",
        "--decision",
        &ids[0],
        "--report-file",
        "notes.txt",
        "--actor",
        "dana",
    ]);
    let told = masked(&opened.stdout().replace(world.path("").to_str().unwrap(), ""));
    insta::assert_snapshot!("incident-open", told);
    let list = world.ok(&["incident", "list", "--json"]).json();
    let incident = &list["incidents"][0];
    let left = incident["seconds_left"].as_i64().unwrap();
    assert!((15 * 86_400 - 2 * 3_600 - 600..=15 * 86_400 - 2 * 3_600).contains(&left), "{left}");
    assert_eq!((&incident["days"], &incident["phase"]), (&15.into(), &"aware".into()));

    // The bundle proves, and discloses nothing.
    let id = incident["incident"].as_str().unwrap();
    let bundle = world.data().join("incidents").join(format!("{id}.zip"));
    let checked = world.run(&["verify", "--bundle", bundle.to_str().unwrap(), "--json"]);
    checked.expect(0);
    let bytes = fs::read(&bundle).unwrap();
    assert!(!bytes.windows(8).any(|window| window == b"48517.25"));

    // Nothing in its scope is erased while the hold stands.
    run(&world, &["erase", "--subject", "alice-4711", "--yes"]).expect(1);
    world.ok(&["erase", "--subject", "bob-4712", "--yes"]);

    // The sheet, its words opened: recorded as an access first.
    world.ok(&["incident", "show", id, "--content", "--html", "sheet.html"]);
    let html = fs::read_to_string(world.path("sheet.html")).unwrap();
    assert!(html.contains("what we know &lt;b&gt;so far&lt;/b&gt;") && !html.contains("<script"), "{html}");
    let shown = world.ok(&["incident", "show", id]);
    assert!(!shown.stdout().contains("what we know"), "sealed unless asked for");
    let shown = shown.stdout();
    let lines: Vec<&str> = shown.lines().filter(|line| !line.contains("at the latest")).collect();
    insta::assert_snapshot!("incident-show", masked(&lines.join("\n")));
    let accesses = world.ok(&["export", "--format", "jsonl", "--output", "-"]).lines();
    let read = accesses.iter().filter(|line| line["event"]["body"]["purpose"] == "incident").count();
    assert_eq!(read, 1);
    world.ok(&["verify"]);
}

#[test]
fn each_category_has_its_days_and_a_deadline_can_be_over() {
    let (world, ids) = world();
    for (category, days) in [
        ("death", 10),
        ("health_harm", 15),
        ("critical_infrastructure", 2),
        ("widespread_infringement", 2),
        ("property_or_environment", 15),
    ] {
        let told =
            open(&world, &["--category", category, "--aware-at", "3d", "--decision", &ids[0], "--no-bundle"]);
        assert_eq!((&told["days"], &told["bundle"]), (&days.into(), &serde_json::Value::Null), "{told}");
    }
    let list = world.ok(&["incident", "list", "--json"]).json();
    let over =
        list["incidents"].as_array().unwrap().iter().filter(|one| one["seconds_left"].as_i64().unwrap() < 0);
    assert_eq!(over.count(), 2, "{list}");
    assert!(world.ok(&["incident", "list"]).stdout().contains("over since 1 day"));
}

#[test]
fn reported_closed_and_released_with_a_serving_process() {
    let (world, ids) = world();
    let serve = world.serve(model(), &[]);
    let told = open(&world, &["--category", "death", "--aware-at", "1h", "--all", "--bundle", "all.zip"]);
    let (id, hold) = (told["incident"].as_str().unwrap(), told["hold"].as_str().unwrap());
    assert_eq!(told["bundle"]["decisions"], 2, "{told}");
    fs::write(world.path("report.txt"), "sent to the authority").unwrap();
    world.ok(&["incident", "report", id, "--report-file", "report.txt"]);
    let list = world.ok(&["incident", "list", "--json"]).json();
    assert_eq!(
        (&list["incidents"][0]["phase"], &list["incidents"][0]["seconds_left"]),
        (&"reported".into(), &serde_json::Value::Null)
    );
    // Where nobody can be asked the hold stays.
    let closed = world.ok(&["incident", "close", id]);
    assert!(closed.stdout().contains(&format!("inferlog hold release {hold}")), "{}", closed.stdout());
    run(&world, &["erase", "--decision", &ids[0], "--yes"]).expect(1);
    run(&world, &["incident", "report", id]).expect(2);

    let told =
        open(&world, &["--category", "death", "--aware-at", "1h", "--decision", &ids[1], "--no-bundle"]);
    let second = told["incident"].as_str().unwrap();
    let closed = world.ok(&["incident", "close", second, "--release-hold", "--json"]).json();
    assert_eq!((&closed["hold_released"], &closed["phase"]), (&true.into(), &"closed".into()));

    // One whose hold went before it.
    let told =
        open(&world, &["--category", "death", "--aware-at", "1h", "--decision", &ids[1], "--no-bundle"]);
    let (third, hold) = (told["incident"].as_str().unwrap(), told["hold"].as_str().unwrap());
    world.ok(&["hold", "release", hold, "--basis", "incident"]);
    let closed = world.ok(&["incident", "close", third, "--release-hold"]);
    assert!(closed.stdout().contains(&format!("its hold {hold} was released before")), "{}", closed.stdout());
    let again = run(&world, &["incident", "close", third]);
    again.expect(2);
    assert!(again.stderr().contains("is closed"), "{}", again.stderr());
    let logged = format!("{:?}", serve.logged());
    assert!(logged.contains("open_incident") && !logged.contains("sent to the authority"), "{logged}");
    assert_eq!(serve.stop(), 0);
    world.ok(&["verify"]);
}

#[test]
fn an_incident_whose_bundle_fails_is_told_all_the_same() {
    let (world, _) = world();
    let words =
        ["incident", "open", "--system", "credit", "--category", "death", "--aware-at", "1h", "--all"];
    let opened = run(&world, &[&words[..], &["--bundle", "missing/all.zip", "--json"]].concat());
    opened.expect(2);
    let told = opened.json();
    assert!(told["incident"].is_string() && told["hold"].is_string(), "{told}");
    let why = told["no_bundle"].as_str().unwrap();
    assert!(told["bundle"].is_null() && why.contains("missing/all.zip"), "{told}");
    assert_eq!(world.ok(&["incident", "list", "--json"]).json()["incidents"].as_array().unwrap().len(), 1);
}

#[test]
fn what_cannot_be_opened_says_why() {
    let (world, ids) = world();
    for (args, says) in [
        (
            &["--system", "credit", "--aware-at", "2200-01-01", "--decision", ids[0].as_str()][..],
            "has not come yet",
        ),
        (&["--system", "credit", "--aware-at", "1h"], "--all"),
        (&["--system", "credit", "--decision", &ids[0]], "--aware-at"),
        (&["--system", "other", "--aware-at", "1h", "--all"], "there are: credit"),
    ] {
        let refused = run(&world, &[&["incident", "open", "--category", "death"], args].concat());
        refused.expect(2);
        assert!(refused.stderr().contains(says), "{args:?}: {}", refused.stderr());
    }
    assert_eq!(world.ok(&["incident", "list"]).stdout(), "No incident was opened here.\n");
    assert_eq!(
        world.ok(&["hold", "list"]).stdout(),
        "No hold was placed here.\n",
        "nothing is frozen for nothing"
    );
    run(&world, &["incident", "show", &ids[0]]).expect(1);
    run(&world, &["incident", "report", &ids[0]]).expect(2);
}
