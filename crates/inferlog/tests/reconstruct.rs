//! The account of a decision from the command line: through the process that serves, and with nobody serving.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

mod support;

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;
use support::{REQUEST, World, model};

fn account(world: &World, decision: &str, more: &[&str]) -> Value {
    world.ok(&[&["reconstruct", decision, "--format", "json"], more].concat()).json()
}

/// The readings of a decision, as its account tells them.
fn readings(account: &Value) -> Vec<&str> {
    let mentions = account["mentions"].as_array().unwrap().iter();
    mentions.filter(|one| one["kind"] == "access").map(|one| one["label"].as_str().unwrap()).collect()
}

#[test]
fn an_account_is_given_while_serving_and_after_and_every_reading_is_recorded() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let (_, decision, _) = serve.infer("4711", REQUEST);
    let served = account(&world, &decision, &["--role", "auditor", "--purpose", "audit"]);
    assert_eq!(served["format"], "inferlog-account/1");
    assert_eq!(served["identity"]["outcome"], "answered");
    assert_eq!(served["proof"]["proved"], true);
    assert_eq!(readings(&served), [] as [&str; 0], "this one is recorded, and comes after");
    let raw = served["input"]["raw"][0]["payload"].as_str().unwrap();
    assert_eq!(served["contents"][raw]["content"]["json"], serde_json::from_str::<Value>(REQUEST).unwrap());
    let sealed = account(&world, &decision, &["--sealed"]);
    assert_eq!(sealed["contents"][raw]["content"], Value::Null);
    assert_eq!(sealed["verdict"]["opened"], false);
    world.ok(&["show", &decision, "--purpose", "incident"]);
    assert_eq!(serve.stop(), 0);

    world.ok(&["show", &decision]);
    world.ok(&["show", &decision, "--sealed"]);
    let again = account(&world, &decision, &[]);
    let read = [
        "reconstruct as auditor for audit",
        "read as operator for incident",
        "read as operator for operation",
    ];
    assert_eq!(readings(&again), read, "and not those that opened nothing");
    let scanned = account(&world, &decision, &["--scan"]);
    assert_eq!(readings(&scanned)[3], "reconstruct as operator for operation");
    for member in ["identity", "steps", "edges", "contents", "verdict", "models", "output"] {
        assert_eq!(scanned[member], again[member], "{member}");
    }
}

#[test]
fn every_form_is_written_and_what_is_not_there_is_said() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let (_, decision, _) = serve.infer("4711", REQUEST);
    let told = world.ok(&["reconstruct", &decision]);
    assert!(told.stdout().starts_with(&format!("Decision {decision}\n")), "{}", told.stdout());
    let begin = [("html", "<!doctype html>"), ("md", "# Decision `"), ("prov", "{")];
    for (form, begins) in begin {
        let path = world.path(&format!("account.{form}"));
        let output = path.display().to_string();
        let run = world.ok(&["reconstruct", &decision, "--format", form, "--output", &output]);
        assert_eq!(run.stdout(), "");
        assert!(run.stderr().starts_with("The record is "), "{}", run.stderr());
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.to_lowercase().starts_with(&begins.to_lowercase()), "{form}: {}", &text[..80]);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let nobody = "01a207ad-65b2-7b04-a64f-fb644a104759";
    for how in [&["reconstruct", nobody][..], &["reconstruct", nobody, "--sealed"]] {
        let data = world.data().display().to_string();
        let run = world.run(&[how, &["--data", &data]].concat());
        run.expect(1);
        assert!(run.stderr().starts_with(&format!("There is no decision {nobody}")), "{}", run.stderr());
    }
    assert_eq!(serve.stop(), 0);
}
