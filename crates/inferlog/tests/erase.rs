//! Erasures from the command line to the certificate: with a process that serves and without, held back and carried on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

mod officer;
mod support;

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use officer::masked;
use serde_json::Value;
use support::{REQUEST, Run, World, model};

const ALICE: &str = "alice-4711";
const BOB: &str = "bob-4712";

/// A world with two decisions about one person, one about another, and one about both.
fn world() -> (World, [String; 4]) {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let both = format!("{ALICE}\r\nx-applicant-id: {BOB}");
    let ids = [ALICE, ALICE, BOB, &both].map(|person| {
        let (status, id, _) = serve.infer(person, &REQUEST.replace("a-1", "alices-own-secret"));
        assert_eq!(status, 200);
        id
    });
    assert_eq!(serve.stop(), 0);
    (world, ids)
}

fn run(world: &World, args: &[&str]) -> Run {
    let data = world.data();
    world.run(&[args, &["--data", data.to_str().unwrap()]].concat())
}

#[test]
fn a_plan_says_what_would_go_and_changes_nothing() {
    let (world, _) = world();
    let plan = world.ok(&["erase", "--subject", ALICE, "--plan"]);
    insta::assert_snapshot!("erase-plan", masked(&plan.stdout()));
    let json = world.ok(&["erase", "--subject", ALICE, "--plan", "--json"]).json();
    let told = &json["plans"][0];
    assert_eq!(
        (&told["decisions"], &told["shared"], &told["refused"]),
        (&3.into(), &1.into(), &false.into())
    );
    assert!(!json.to_string().contains(ALICE));
    assert!(world.ok(&["erase", "--status"]).stdout().contains("Nothing was erased here."));
    // Without a terminal nobody can agree.
    let unasked = run(&world, &["erase", "--subject", ALICE]);
    unasked.expect(2);
    assert!(unasked.stderr().contains("say --yes") && unasked.stderr().contains("3 decisions"));
    run(&world, &["erase", "--subject", "nobody", "--plan"]).expect(1);
    // A name that was mistyped is not to look as if there were nothing to erase.
    for more in ["--plan", "--yes"] {
        let mistyped = run(&world, &["erase", "--subject", ALICE, "--system", "credits", more]);
        mistyped.expect(2);
        assert!(mistyped.stderr().contains("there are: credit"), "{}", mistyped.stderr());
    }
}

#[test]
fn at_a_terminal_it_asks_and_takes_nothing_but_yes_for_it() {
    let (world, ids) = world();
    let words = ["erase", "--decision", &ids[0]];
    // The last is the end of what is typed.
    for answer in ["n\n", "\n", "yeah\n", "\u{4}"] {
        let asked = world.typed(&words, answer);
        asked.expect(1);
        let told = asked.stderr();
        assert!(told.contains("1 decision") && told.contains("Erase? [y/N] "), "{told}");
        assert!(told.ends_with("Nothing was erased.\n"), "{told}");
    }
    assert!(world.ok(&["erase", "--status"]).stdout().contains("Nothing was erased here."));
    // Standard input is the person: nobody can be asked there, and it is not the order too.
    let taken = world.typed(&["erase", "--subject-file", "-"], "alice-4711\n\u{4}y\n");
    taken.expect(2);
    assert!(taken.stderr().contains("say --yes"), "{}", taken.stderr());
    let twice =
        world.typed(&["erase", "--subject-file", "-", "--order-file", "-", "--yes"], "alice-4711\n\u{4}");
    twice.expect(2);
    assert!(twice.stderr().contains("not both"), "{}", twice.stderr());
    let asked = world.typed(&words, "Yes\n");
    asked.expect(0);
    assert!(asked.stdout().starts_with("erased"), "{}", asked.stdout());
}

#[test]
fn an_erasure_ends_with_a_certificate_that_anybody_can_check() {
    let (world, ids) = world();
    // An index that must follow before it is complete.
    world.ok(&["find", "--count"]);
    let key = world.ok(&["keys", "vkey", "--system", "credit"]).stdout().trim().to_owned();
    let erased = world.ok(&["erase", "--subject", ALICE, "--yes"]);
    insta::assert_snapshot!("erase-done", masked(&erased.stdout()));
    assert!(!world.ok(&["show", &ids[0]]).stdout().contains("alices-own-secret"));
    assert!(world.ok(&["show", &ids[2]]).stdout().contains("alices-own-secret"), "another person's decision");
    run(&world, &["erase", "--subject", ALICE, "--yes"]).expect(1);

    let status = world.ok(&["erase", "--status", "--json"]).json();
    let [line] = &status["erasures"].as_array().unwrap()[..] else { panic!("{status}") };
    assert_eq!((&line["outcome"], &line["decisions"]), (&"completed".into(), &3.into()));
    let intent = line["intent"].as_str().unwrap();
    world.ok(&["erase", "--certificate", intent, "--out", "c.note", "--html", "c.html"]);
    let note = fs::read_to_string(world.path("c.note")).unwrap();
    assert!(note.starts_with("inferlog erasure certificate v1\n") && !note.contains(ALICE));
    let html = fs::read_to_string(world.path("c.html")).unwrap();
    assert!(html.contains("What is outside") && !html.contains(ALICE));

    // Offline with a key, and against the log.
    let checked = world.run(&["verify", "--certificate", "c.note", "--key", &key]);
    checked.expect(0);
    insta::assert_snapshot!("erase-certificate", masked(&checked.stdout()));
    let held = world.ok(&["verify", "--certificate", "c.note", "--json"]).json();
    assert_eq!((&held["ok"], &held["key_given"]), (&true.into(), &false.into()));
    assert!(held["held"]["event"].is_string(), "{held}");

    // A changed word is found, by the signature and by the log.
    fs::write(world.path("c.note"), note.replace("decisions: 3", "decisions: 4")).unwrap();
    world.run(&["verify", "--certificate", "c.note", "--key", &key]).expect(1);
    let held = run(&world, &["verify", "--certificate", "c.note", "--json"]);
    held.expect(1);
    assert!(held.json()["held"]["problem"].as_str().unwrap().contains("SHA-256"), "{}", held.stdout());
    fs::write(world.path("c.note"), "nonsense").unwrap();
    world.run(&["verify", "--certificate", "c.note", "--key", &key]).expect(2);
    run(&world, &["erase", "--certificate", &ids[0]]).expect(1);
    world.ok(&["verify"]);
}

#[test]
fn a_serving_process_erases_and_its_log_names_nobody() {
    let (world, ids) = world();
    let serve = world.serve(model(), &[]);
    fs::write(world.path("order.txt"), "letter of Alice, 4711").unwrap();
    let data = world.data();
    let args = ["erase", "--data", data.to_str().unwrap(), "--subject-file", "-", "--yes", "--json"];
    let mut command = world.command(&args);
    command.args(["--order-file", "order.txt", "--actor", "dana"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{ALICE}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(done["erased"][0]["outcome"], "completed", "{done}");
    assert!(done["erased"][0]["certificate"].as_str().unwrap().contains("index sqlite"), "{done}");
    // The person comes back, as another.
    let (_, again, _) = serve.infer(ALICE, REQUEST);
    assert!(world.ok(&["show", &again]).stdout().contains("48517.25"));
    assert!(!world.ok(&["show", &ids[1]]).stdout().contains("48517.25"));
    let logged = format!("{:?}", serve.logged());
    assert!(logged.contains("erase") && !logged.contains(ALICE) && !logged.contains("letter"), "{logged}");
    assert_eq!(serve.stop(), 0);
    let events = world.ok(&["export", "--format", "jsonl", "--output", "-"]).lines();
    let intents = events.iter().filter(|line| line["event"]["body"]["phase"] == "intent");
    let [intent] = &intents.collect::<Vec<_>>()[..] else { panic!("one intent") };
    assert!(intent["event"]["body"]["by"].is_string(), "who had it done: {intent}");
    assert_eq!(intent["event"]["payloads"][0]["role"], "order");
    world.ok(&["verify"]);
}

#[test]
fn what_a_hold_keeps_goes_when_the_hold_goes() {
    let (world, ids) = world();
    let place =
        ["hold", "place", "--system", "credit", "--basis", "legal_claim", "--decision", &ids[0], "--json"];
    let hold = world.ok(&place).json();
    let hold = hold["hold"].as_str().unwrap();
    let erased = world.ok(&["erase", "--subject", ALICE, "--yes"]);
    insta::assert_snapshot!("erase-withheld", masked(&erased.stdout()));
    assert!(world.ok(&["show", &ids[0]]).stdout().contains("alices-own-secret"), "held");
    assert!(!world.ok(&["show", &ids[1]]).stdout().contains("alices-own-secret"));
    let status = world.ok(&["erase", "--status"]);
    insta::assert_snapshot!("erase-status-withheld", masked(&status.stdout()));

    // All that is left is held: refused, and on the record.
    let refused = run(&world, &["erase", "--decision", &ids[0], "--yes"]);
    refused.expect(1);
    insta::assert_snapshot!("erase-refused", masked(&refused.stdout()));

    let released = world.ok(&["hold", "release", hold, "--basis", "legal_claim"]);
    assert!(
        released.stdout().contains("an erasure that it withheld was carried on: 1 decision, completed"),
        "{}",
        released.stdout()
    );
    assert!(!world.ok(&["show", &ids[0]]).stdout().contains("alices-own-secret"), "carried on");
    world.ok(&["verify"]);
}

#[test]
fn an_erasure_waits_for_a_follower_and_completes_by_itself() {
    let (world, ids) = world();
    // A follower that is not there any more.
    let cursor = world.log_dir().join("cursors");
    fs::create_dir_all(&cursor).unwrap();
    fs::write(cursor.join("warehouse"), "0\n").unwrap();
    let waiting = world.ok(&["erase", "--subject", ALICE, "--yes", "--wait", "0"]);
    insta::assert_snapshot!("erase-waiting", masked(&waiting.stdout()));
    assert!(
        !world.ok(&["show", &ids[0]]).stdout().contains("alices-own-secret"),
        "the keys are gone all the same"
    );
    let status = world.ok(&["erase", "--status", "--json"]).json();
    assert_eq!(status["erasures"][0]["waits_for"], serde_json::json!(["warehouse"]));
    let intent = status["erasures"][0]["intent"].as_str().unwrap().to_owned();
    run(&world, &["erase", "--certificate", &intent]).expect(1);
    // It comes back, and has read everything.
    fs::write(cursor.join("warehouse"), "100000\n").unwrap();
    let serve = world.serve(model(), &[]);
    let began = std::time::Instant::now();
    while world.ok(&["erase", "--status", "--json"]).json()["erasures"][0]["outcome"] != "completed" {
        assert!(began.elapsed().as_secs() < 60, "it is not completed by itself");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    world.ok(&["erase", "--certificate", &intent]);
    assert_eq!(serve.stop(), 0);
}
