//! What scripts may rely on: commands, fields and exit statuses, through the binary.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

mod support;

use serde_json::Value;
use support::{DAWDLE, REQUEST, World, copy, get, model, post};

/// Finds, shows and verifies a decision that was answered and one that failed.
fn ask(world: &World, answered: &str, failed: &str) {
    let find = |more: &[&str]| world.ok(&[&["find", "--json"], more].concat()).lines();
    let ids = |lines: &[Value]| -> Vec<String> {
        lines.iter().map(|line| line["decision"].as_str().unwrap().to_owned()).collect()
    };
    let found = find(&[]);
    assert_eq!(ids(&found), [answered, failed]);
    assert_eq!(found[0]["outcome"], "answered");
    assert_eq!(found[0]["model"], "credit");
    assert!(found[0]["started_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(ids(&find(&["--limit", "1"])), [failed]);
    assert_eq!(ids(&find(&["--since", "1h", "--outcome", "answered"])), [answered]);
    assert_eq!(world.run(&["find", "--data", "data", "--json", "--system", "other"]).status(), 2);

    let shown = world.ok(&["show", answered, "--json"]).json();
    assert!(shown.to_string().contains("48517.25"), "the input is opened: {shown}");
    assert!(world.ok(&["show", answered]).stdout().contains("48517.25"));

    let verified = world.ok(&["verify", "--json"]).json();
    assert_eq!((&verified["ok"], &verified["faults"]), (&Value::Bool(true), &Value::Array(vec![])));
    assert!(verified["size"].as_u64().unwrap() >= 4);
}

#[test]
fn a_decision_goes_from_the_request_to_find_show_and_verify() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    assert_eq!(get(serve.address, "/healthz").0, 200);
    assert_eq!(get(serve.address, "/readyz").0, 200);
    let (status, answered, answer) = serve.infer("4711", REQUEST);
    assert_eq!((status, &answer["model_version"]), (200, &Value::from("3")));
    let (status, failed, _) = serve.infer("4712", r#"{"inputs":[]}"#);
    assert_eq!(status, 400);

    assert!(world.data().join("admin.sock").exists());
    ask(&world, &answered, &failed);
    assert_eq!(serve.stop(), 0);
    assert!(!world.data().join("admin.sock").exists());
    ask(&world, &answered, &failed);
    let keys = world.path("home/.config/inferlog");
    assert!(keys.read_dir().unwrap().next().is_some(), "the root key's default place");
}

#[test]
fn an_erasure_takes_the_content_and_leaves_the_proof() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let (_, theirs, _) = serve.infer("4711", REQUEST);
    let (_, others, _) = serve.infer("4712", REQUEST);
    let key = world.ok(&["keys", "vkey", "--system", "credit"]).stdout();
    world.ok(&["receipt", &theirs, "--output", world.path("receipts").to_str().unwrap()]);

    assert_eq!(
        world.run(&["erase", "--data", "data", "--subject", "4711"]).status(),
        2,
        "nobody is there to confirm"
    );
    assert!(world.ok(&["show", &theirs]).stdout().contains("48517.25"));
    let erased = world.ok(&["erase", "--subject", "4711", "--yes", "--json"]).json();
    assert_eq!(erased["erased"][0]["decisions"], 1);
    assert_eq!(
        world.run(&["erase", "--data", "data", "--subject", "4711", "--yes"]).status(),
        1,
        "nothing is left"
    );

    let shown = world.ok(&["show", &theirs, "--json"]).json().to_string();
    assert!(!shown.contains("48517.25") && shown.contains("erased"), "{shown}");
    assert!(world.ok(&["show", &others]).stdout().contains("48517.25"));
    let verified = world.ok(&["verify", "--key", key.trim(), "--json"]).json();
    assert_eq!(verified["ok"], true);
    for receipt in world.path("receipts").read_dir().unwrap().map(|entry| entry.unwrap().path()) {
        if receipt.extension().is_some_and(|ending| ending == "tlog-proof") {
            world.run(&["receipt", "check", receipt.to_str().unwrap(), "--key", key.trim()]).expect(0);
        }
    }

    // One decision, with nobody serving.
    serve.stop();
    world.ok(&["erase", "--decision", &others, "--yes"]);
    assert!(!world.ok(&["show", &others]).stdout().contains("48517.25"));
    world.ok(&["verify"]);
}

#[test]
fn a_request_in_progress_is_finished_before_the_end() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let address = serve.address;
    let slow = std::thread::spawn(move || {
        post(address, "/v2/models/credit/infer", "x-applicant-id: 1\r\n", r#"{"id":"dawdle","inputs":[{}]}"#)
            .0
    });
    std::thread::sleep(DAWDLE / 4);
    assert_eq!(serve.stop(), 0);
    assert!(slow.join().unwrap().starts_with("HTTP/1.1 200"));
    assert_eq!(world.ok(&["find", "--json"]).lines()[0]["outcome"], "answered");
}

#[test]
fn nobody_s_content_is_in_the_log_of_the_process() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let (_, decision, _) = serve.infer("person-4711", REQUEST);
    serve.infer("person-4711", "nonsense");
    world.ok(&["show", &decision]);
    world.ok(&["erase", "--subject", "person-4711", "--yes"]);
    let logged = serve.logged();
    assert!(logged.iter().any(|event| event["act"] == "erase"), "{logged:?}");
    for event in logged {
        let text = event.to_string();
        assert!(!text.contains("4711") && !text.contains("48517.25") && !text.contains("nonsense"), "{text}");
    }
}

#[test]
fn a_receipt_holds_for_its_log_and_for_nothing_else() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let (_, decision, _) = serve.infer("4711", REQUEST);
    let key = world.ok(&["keys", "vkey", "--system", "credit"]).stdout();
    let receipts = world.path("receipts");
    world.ok(&["receipt", &decision, "--output", receipts.to_str().unwrap()]);
    let receipt = receipts.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let receipt =
        receipt.filter(|path| path.extension().is_some_and(|ending| ending == "tlog-proof")).min().unwrap();
    let check = |file: &std::path::Path, key: &str| {
        world.run(&["receipt", "check", file.to_str().unwrap(), "--key", key])
    };
    assert_eq!(check(&receipt, key.trim()).status(), 0);

    let entry = receipt.with_extension("entry");
    let (bytes, proof) = (std::fs::read(&entry).unwrap(), std::fs::read(&receipt).unwrap());
    for (file, bytes) in [(&entry, &bytes), (&receipt, &proof)] {
        let mut changed = bytes.clone();
        let place = changed.len() / 2;
        changed[place] ^= 1;
        std::fs::write(file, changed).unwrap();
        assert_eq!(check(&receipt, key.trim()).status(), 1, "{}", file.display());
        std::fs::write(file, bytes).unwrap();
    }
    assert_eq!(check(&receipt, key.trim()).status(), 0);
    assert_eq!(check(&receipts.join("none.tlog-proof"), key.trim()).status(), 2);

    let other = World::new();
    let stranger = other.serve(model(), &[]);
    stranger.infer("1", REQUEST);
    let stranger_key = other.ok(&["keys", "vkey", "--system", "credit"]).stdout();
    assert_eq!(check(&receipt, stranger_key.trim()).status(), 1);
}

#[test]
fn verify_finds_a_flipped_byte_and_a_log_that_is_not_the_one_kept() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    serve.infer("4711", REQUEST);
    world.ok(&["verify"]);
    let kept = world.path("kept");
    std::fs::copy(world.log_dir().join("checkpoint"), &kept).unwrap();
    let before = world.path("before");
    copy(&world.data(), &before);
    serve.infer("4712", REQUEST);
    serve.stop();

    let key = world.ok(&["keys", "vkey", "--system", "credit"]).stdout();
    let against = ["verify", "--key", key.trim(), "--against", kept.to_str().unwrap()];
    assert!(world.ok(&against).stdout().contains("Unchanged since the checkpoint you hold"));

    // An older copy is no longer what a newer checkpoint covers.
    let newest = world.log_dir().join("checkpoint");
    let run = world.run(&[
        "verify",
        "--data",
        before.to_str().unwrap(),
        "--against",
        newest.to_str().unwrap(),
        "--json",
    ]);
    assert_eq!((run.status(), &run.json()["ok"]), (1, &Value::Bool(false)));

    let bundles = world.log_dir().join("tile/entries/000.p");
    let bundle = std::fs::read_dir(bundles).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    let mut bytes = std::fs::read(&bundle).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    let run = world.run(&["verify", "--data", "data", "--json"]);
    assert_eq!(run.status(), 1);
    let report = run.json();
    assert_eq!(report["ok"], false);
    assert!(report["faults"][0]["file"].as_str().unwrap().contains("tile/entries/000"), "{report}");
    assert!(world.run(&["verify", "--data", "data"]).stdout().contains("fault"));
}

#[test]
fn keys_are_rotated_and_copied_with_and_without_a_server() {
    let world = World::new();
    let mut serve = Some(world.serve(model(), &[]));
    let (_, decision, _) = serve.as_ref().unwrap().infer("4711", REQUEST);
    let first = world.ok(&["keys", "vkey", "--system", "credit"]).stdout();
    for round in 0..2 {
        let rotated = world.ok(&["keys", "rotate", "--system", "credit"]).stdout();
        assert_eq!(world.ok(&["keys", "vkey", "--system", "credit"]).stdout(), rotated);
        assert_eq!(
            world.ok(&["keys", "vkey", "--system", "credit", "--all"]).stdout().lines().count(),
            2 + round
        );
        world.ok(&["keys", "backup", "--to", world.path("backup").to_str().unwrap()]);
        world.ok(&["verify", "--key", rotated.trim()]);
        if round == 0 {
            // The key before still signs too.
            world.ok(&["verify", "--key", first.trim()]);
        }
        serve.take().map(|serve| serve.stop());
    }
    assert_eq!(world.run(&["keys", "vkey", "--data", "data", "--system", "other"]).status(), 2);

    // The copy opens what the keystore opened.
    std::fs::rename(world.data().join("keystore"), world.path("lost")).unwrap();
    let lost = world.run(&["show", &decision, "--data", "data"]);
    assert!(!lost.stdout().contains("48517.25"));
    copy(&world.path("backup"), &world.data().join("keystore"));
    assert!(world.ok(&["show", &decision]).stdout().contains("48517.25"));
}

#[test]
fn a_directory_is_one_process_s_and_a_lost_keystore_is_not_replaced() {
    let world = World::new();
    let model = model();
    let serve = world.serve(model, &[]);
    serve.infer("4711", REQUEST);
    let again = world.run(&[
        "serve",
        "--data",
        "data",
        "--system",
        "credit",
        "--upstream",
        "http://127.0.0.1:1",
        "--listen",
        "127.0.0.1:0",
    ]);
    assert_eq!(again.status(), 2);
    assert!(again.stderr().contains("another process has this data directory open"), "{}", again.stderr());
    serve.stop();
    std::fs::rename(world.data().join("keystore"), world.path("lost")).unwrap();
    let lost = world.run(&["erase", "--data", "data", "--subject", "4711", "--yes"]);
    assert_eq!(lost.status(), 2);
    assert!(lost.stderr().contains("restore"), "{}", lost.stderr());
}

#[test]
fn root_keys_come_from_file_environment_and_command() {
    let model = model();
    let (file, environment) = (World::new(), World::new());
    let place = format!("file:{}", file.path("root").display());
    let serve = file.serve(model, &["--root-key", &place]);
    let (_, decision, _) = serve.infer("4711", REQUEST);
    serve.stop();
    assert!(file.ok(&["show", &decision, "--root-key", &place]).stdout().contains("48517.25"));
    let command = format!("command:cat {}", file.path("root").display());
    assert!(file.ok(&["show", &decision, "--root-key", &command]).stdout().contains("48517.25"));
    let missing = file.run(&["show", &decision, "--data", "data"]);
    assert_eq!(missing.status(), 2);
    assert!(missing.stderr().contains("no root key at"), "{}", missing.stderr());

    let line = std::fs::read_to_string(file.path("root")).unwrap();
    copy(&file.data(), &environment.data());
    let shown = environment.command(&["show", &decision, "--data", "data", "--root-key", "env:THE_ROOT"]);
    let shown = { shown }.env("THE_ROOT", line.trim()).output().unwrap();
    assert!(String::from_utf8(shown.stdout).unwrap().contains("48517.25"));
}

#[test]
fn a_new_epoch_begins_after_an_older_copy_was_restored() {
    let (world, model) = (World::new(), model());
    let twin = world.path("twin");
    let twin = ["--twin", twin.to_str().unwrap()];
    let serve = world.serve(model, &twin);
    serve.infer("4711", REQUEST);
    serve.stop();
    copy(&world.data(), &world.path("old"));
    let serve = world.serve(model, &twin);
    serve.infer("4711", REQUEST);
    serve.stop();
    std::fs::remove_dir_all(world.data()).unwrap();
    copy(&world.path("old"), &world.data());

    let refused = world.run(&[
        "serve",
        "--data",
        "data",
        "--system",
        "credit",
        "--upstream",
        "http://127.0.0.1:1",
        "--listen",
        "127.0.0.1:0",
        "--twin",
        twin[1],
    ]);
    assert_eq!(refused.status(), 2);
    assert!(refused.stderr().contains("--new-epoch"), "{}", refused.stderr());
    let serve = world.serve(model, &["--twin", twin[1], "--new-epoch"]);
    let (_, decision, _) = serve.infer("4711", REQUEST);
    assert!(world.ok(&["show", &decision]).stdout().contains("48517.25"));
    assert_eq!(world.ok(&["find", "--json"]).lines().len(), 2);
    serve.stop();
    // What was lost stays a fault of the old epoch, and of nothing else.
    let report = world.run(&["verify", "--data", "data", "--twin", twin[1], "--json"]).json();
    assert_eq!(report["fault_count"], 1, "{report}");
    assert_eq!(report["faults"][0]["kind"], "twin");
}
