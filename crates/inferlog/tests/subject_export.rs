//! A person's own data, by the real binary: with a process that serves and without.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

mod support;

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;
use support::{REQUEST, World, model};

/// Two persons' values; the header that brings several has them one a line.
const ALICE: &str = "alice-4711";
const BOB: &str = "bob-4712";
/// What a file or a page must not hold of others: nothing of Bob.
const BOBS_SECRET: &str = "bobs-own-secret";

struct Told {
    world: World,
    alices: String,
    bobs: String,
    both: String,
}

/// One decision about each, and one about both.
fn told() -> Told {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let body = |secret: &str| REQUEST.replace("a-1", secret);
    let (status, alices, _) = serve.infer(ALICE, &body("alices-own-secret"));
    assert_eq!(status, 200);
    let (_, bobs, _) = serve.infer(BOB, &body(BOBS_SECRET));
    let (_, both, _) = serve.infer(&format!("{ALICE}\r\nx-applicant-id: {BOB}"), &body("a-secret-of-both"));
    assert_eq!(serve.stop(), 0);
    Told { world, alices, bobs, both }
}

fn events_of(world: &World, kind: &str) -> Vec<Value> {
    let events = world.ok(&["export", "--format", "jsonl", "--output", "-"]).lines();
    events.into_iter().map(|line| line["event"].clone()).filter(|event| event["kind"] == kind).collect()
}

#[test]
fn a_person_is_given_their_own_data_and_nobody_elses() {
    let Told { world, alices, bobs, both } = told();
    let run = world.ok(&["subject", "export", "--subject", ALICE, "--out", "given", "--html"]);
    assert!(
        run.stdout().contains("1 decision about others too: the contents of 1 are left out"),
        "{}",
        run.stdout()
    );
    let given = world.path("given");
    let read = |name: &str| fs::read_to_string(given.join(name)).unwrap();

    let index: Value = serde_json::from_str(&read("index.json")).unwrap();
    assert_eq!(
        (&index["decisions"], &index["shared"], &index["withheld"]),
        (&2.into(), &1.into(), &1.into())
    );
    let mut listed: Vec<&str> =
        index["list"].as_array().unwrap().iter().map(|row| row["decision"].as_str().unwrap()).collect();
    listed.sort_unstable();
    assert_eq!(listed, [alices.as_str(), both.as_str()], "in the order in which they began");

    let own: Value = serde_json::from_str(&read(&format!("decisions/{alices}.json"))).unwrap();
    assert!(own.to_string().contains("alices-own-secret") && own["proved"] == true, "{own}");
    let shared: Value = serde_json::from_str(&read(&format!("decisions/{both}.json"))).unwrap();
    assert!(
        !shared.to_string().contains("a-secret-of-both") && shared["contents_withheld"] == true,
        "{shared}"
    );
    assert!(shared["steps"].as_array().unwrap().len() > 2, "its clear fields are told");

    // Nothing of the other person: no value, no content, no pseudonym.
    let bobs_name = events_of(&world, "decision.opened")
        .into_iter()
        .flat_map(|event| event["subjects"].as_array().cloned().unwrap_or_default())
        .find(|name| *name != index["persons"][0][1])
        .unwrap();
    for file in fs::read_dir(given.join("decisions")).unwrap().chain(fs::read_dir(&given).unwrap()) {
        let path = file.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for other in [BOB, BOBS_SECRET, &bobs, bobs_name.as_str().unwrap(), ALICE] {
            assert!(!text.contains(other), "{} holds {other}", path.display());
        }
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(read("index.html").contains(&format!("decisions/{alices}.html")));
    assert!(read(&format!("decisions/{alices}.html")).contains("alices-own-secret"));

    // It was recorded, with what it was for, and of the one decision whose contents were opened.
    let [access] = &events_of(&world, "access")[..] else { panic!("one access") };
    let body = &access["body"];
    assert_eq!((&body["purpose"], &body["action"]), (&"subject_request".into(), &"export".into()));
    assert_eq!((&body["decisions"], &body["role"]), (&serde_json::json!([alices]), &"compliance".into()));
    world.ok(&["verify"]);
}

#[test]
fn with_a_serving_process_in_a_zip_and_by_standard_input() {
    let Told { world, both, .. } = told();
    let serve = world.serve(model(), &[]);
    let data = world.data();
    let args =
        ["subject", "export", "--data", data.to_str().unwrap(), "--subject-file", "-", "--out", "given.zip"];
    let mut command = world.command(&args);
    command.args(["--include-shared", "--json"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{BOB}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&done["decisions"], &done["shared"], &done["withheld"]), (&2.into(), &1.into(), &0.into()));

    let mut zip = zip::ZipArchive::new(fs::File::open(world.path("given.zip")).unwrap()).unwrap();
    let names: Vec<String> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
    assert!(names.contains(&"index.json".to_owned()) && names.len() == 3, "{names:?}");
    let shared: Value =
        serde_json::from_reader(zip.by_name(&format!("decisions/{both}.json")).unwrap()).unwrap();
    assert!(shared.to_string().contains("a-secret-of-both"), "{shared}");
    let logged = format!("{:?}", serve.logged());
    assert!(logged.contains("subject_find") && !logged.contains(BOB), "{logged}");
    assert_eq!(serve.stop(), 0);
}

#[test]
fn what_cannot_be_given_says_why_and_leaves_nothing() {
    let Told { world, alices, .. } = told();
    let data = world.data();
    let run = |args: &[&str]| {
        let words = [&["subject", "export", "--data", data.to_str().unwrap()], args].concat();
        world.run(&words)
    };
    let unknown = run(&["--subject", "nobody", "--out", "given"]);
    unknown.expect(1);
    assert!(unknown.stdout().contains("not known here") && !world.path("given").exists());
    let nobody = run(&["--out", "given"]);
    nobody.expect(2);
    assert!(nobody.stderr().contains("--subject-file"), "{}", nobody.stderr());
    let elsewhere = run(&["--subject", ALICE, "--system", "other", "--out", "given"]);
    elsewhere.expect(2);
    assert!(elsewhere.stderr().contains("there are: credit"), "{}", elsewhere.stderr());
    fs::create_dir(world.path("full")).unwrap();
    fs::write(world.path("full/file"), "").unwrap();
    run(&["--subject", ALICE, "--out", "full"]).expect(2);

    // Erased content is not given, and says so.
    world.ok(&["erase", "--decision", &alices, "--yes"]);
    let done = world.ok(&["subject", "export", "--subject", ALICE, "--out", "given", "--json"]).json();
    assert!(done["not_given"]["erased"].as_u64().unwrap() > 3, "{done}");
    let left: Vec<_> =
        fs::read_dir(world.path(".")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".inferlog")), "{left:?}");
}
