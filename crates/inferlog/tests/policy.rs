//! Policies through the binary: checked, explained, set while a process serves and while none does, and named in its configuration.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

mod support;

use std::fs;
use std::net::SocketAddr;

use serde_json::{Value, json};
use support::{Run, Serve, World, model};

fn policy(version: &str, more: &str) -> String {
    format!(
        "system = \"credit\"\nversion = {version:?}\n{more}\n[[class]]\nname = \"class-{version}\"\nfloor = \"184 days\"\n\
         target = \"7 months\"\nlegal_basis = \"Article 26(6)\"\n\n[[price]]\nmodel = \"*\"\ncurrency = \"EUR\"\ninput = 1\noutput = 2\n"
    )
}

fn write(world: &World, name: &str, text: &str) -> String {
    fs::write(world.path(name), text).unwrap();
    world.path(name).to_str().unwrap().to_owned()
}

/// Runs a command on the data directory, whatever comes of it.
fn run(world: &World, args: &[&str]) -> Run {
    let data = world.data();
    world.run(&[args, &["--data", data.to_str().unwrap()]].concat())
}

fn routes(upstream: SocketAddr, policies: &str, more: &str) -> String {
    format!(
        "[policies]\n{policies}\n[[route]]\nname = \"loan\"\nupstream = \"http://{upstream}\"\nsystem = \"credit\"\n{more}\n"
    )
}

/// The retention class of the events of a decision.
fn class(world: &World, decision: &str) -> Value {
    world.ok(&["show", decision, "--json"]).json()["events"][0]["event"]["retention"].clone()
}

fn decide(serve: &Serve) -> String {
    let (status, decision, _) =
        serve.infer("4711", r#"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]}"#);
    assert_eq!(status, 200);
    decision
}

/// Starts `serve` with this configuration, which it refuses: why.
fn refused(world: &World, routes: &str) -> String {
    let config = write(world, "refused.toml", routes);
    let data = world.data();
    let args = ["serve", "--data", data.to_str().unwrap(), "--config", &config, "--listen", "127.0.0.1:0"];
    let run = world.run(&args);
    run.expect(2);
    run.stderr()
}

#[test]
fn a_policy_is_checked_and_explained() {
    let world = World::new();
    let good = write(&world, "good.toml", &policy("1", ""));
    world.run(&["policy", "check", &good]).expect(0);
    let short = write(&world, "short.toml", &policy("1", "").replace("184 days", "30 days"));
    let run = world.run(&["policy", "check", &short]);
    run.expect(1);
    assert!(run.stdout().contains("class-1: floor: 30 days is below the legal floor"), "{}", run.stdout());
    let answered =
        policy("1", "").replace("184 days\"", "30 days\"\nbelow_legal_floor = \"the board: a pilot\"");
    let answered = write(&world, "answered.toml", &answered);
    let run = world.run(&["policy", "check", &answered, "--json"]);
    run.expect(0);
    assert_eq!(run.json()["findings"][0]["severity"], "warning");
    assert!(run.json()["findings"][0]["what"].as_str().unwrap().contains("the board: a pilot"));
    let wrong = write(&world, "wrong.toml", &policy("1", "failure = \"never\""));
    let run = world.run(&["policy", "check", &wrong]);
    run.expect(1);
    assert!(run.stdout().contains("line 3: `failure`"), "{}", run.stdout());
    world.run(&["policy", "check", "no-such-file.toml"]).expect(2);

    let words = world.run(&["policy", "explain", &good]);
    words.expect(0);
    assert!(words.stdout().contains("7 months: from 2027-08-01 on"), "{}", words.stdout());
    let page = world.path("policy.html");
    world.run(&["policy", "explain", &good, "--html", page.to_str().unwrap()]).expect(0);
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("7 months: from 2027-08-01 on") && !page.contains("<script"), "{page}");
    assert_eq!(world.run(&["policy", "explain", &good, "--json"]).json()["policy"], "credit/1");
}

#[test]
fn presets_are_printed_and_taken() {
    let world = World::new();
    let listed = world.run(&["policy", "presets"]).stdout();
    for name in ["high-risk", "finance", "health", "employment", "law-enforcement", "minimal"] {
        assert!(listed.contains(name), "{listed}");
        let printed = world.run(&["policy", "presets", name]);
        printed.expect(0);
        let file = write(&world, "preset.toml", &printed.stdout());
        world.run(&["policy", "check", &file]).expect(0);
    }
    world.run(&["policy", "presets", "unheard-of"]).expect(2);
}

#[test]
fn a_policy_is_set_while_a_process_serves_and_while_none_does() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let without = decide(&serve);
    run(&world, &["policy", "show"]).expect(1);
    let one = write(&world, "one.toml", &policy("1", ""));
    let unasked = run(&world, &["policy", "set", &one]);
    unasked.expect(2);
    let told = unasked.stderr();
    assert!(told.contains("--yes") && !told.contains("a new one begins"), "{told}");
    // A name that was mistyped would leave the system without a policy.
    let other = write(&world, "other.toml", &policy("1", "").replace("\"credit\"", "\"credits\""));
    let told = run(&world, &["policy", "set", &other]).stderr();
    assert!(told.contains("no log of credits here yet, there are: credit; a new one begins"), "{told}");
    let set = world.ok(&["policy", "set", &one, "--yes", "--json"]).json();
    assert_eq!(
        (&set["policy"], &set["before"], &set["is_new"]),
        (&json!("credit/1"), &Value::Null, &json!(true))
    );
    let with = decide(&serve);
    assert_eq!((class(&world, &without), class(&world, &with)), (json!("default"), json!("class-1")));
    let again = world.ok(&["policy", "set", &one, "--yes", "--json"]).json();
    assert_eq!(again["is_new"], false);
    let changed = write(&world, "changed.toml", &policy("1", "failure = \"block\""));
    let taken = run(&world, &["policy", "set", &changed, "--yes"]);
    taken.expect(2);
    assert!(taken.stderr().contains("registered with another text"), "{}", taken.stderr());
    let short = write(&world, "short.toml", &policy("2", "").replace("184 days", "30 days"));
    run(&world, &["policy", "set", &short, "--yes"]).expect(1);
    assert_eq!(serve.stop(), 0);

    let two = write(&world, "two.toml", &policy("2", ""));
    let set = world.ok(&["policy", "set", &two, "--yes", "--json"]).json();
    assert_eq!((&set["policy"], &set["before"]), (&json!("credit/2"), &json!("credit/1")));
    let back = run(&world, &["policy", "set", &one, "--yes"]);
    back.expect(2);
    assert!(back.stderr().contains("superseded by version 2"), "{}", back.stderr());
    let text = world.ok(&["policy", "show", "--system", "credit"]).stdout();
    assert_eq!(text, policy("2", ""));
    let history = world.ok(&["policy", "show", "--history", "--json"]).lines();
    let known: Vec<_> =
        history.iter().map(|line| (line["version"].clone(), line["in_force"].clone())).collect();
    assert_eq!(known, [(json!("1"), json!(false)), (json!("2"), json!(true))]);
    let explained = world.ok(&["policy", "explain", "--system", "credit"]).stdout();
    assert!(explained.contains("version 2"), "{explained}");

    let serve = world.serve(model(), &[]);
    assert_eq!(class(&world, &decide(&serve)), "class-2");
    assert_eq!(serve.stop(), 0);
    world.ok(&["verify"]);
    let stats = world.ok(&["stats"]).stdout();
    assert!(stats.contains("EUR"), "prices are the policy's: {stats}");
}

#[test]
fn a_configuration_names_policies_that_are_in_force_before_anything_is_recorded() {
    let (world, upstream) = (World::new(), model());
    fs::create_dir(world.path("policies")).unwrap();
    fs::write(world.path("policies").join("credit.toml"), policy("1", "failure = \"block\"")).unwrap();
    let named = "credit = \"policies/credit.toml\"";
    let serve = world.serve_routes(&routes(upstream, named, ""));
    assert_eq!(class(&world, &decide(&serve)), "class-1");
    assert_eq!(serve.stop(), 0);

    let laxer = refused(&world, &routes(upstream, named, "failure = \"degrade\""));
    assert!(laxer.contains("route `loan`") && laxer.contains("never laxer"), "{laxer}");
    let other = refused(&world, &routes(upstream, "triage = \"policies/credit.toml\"", ""));
    assert!(other.contains("it is the policy of credit"), "{other}");
    let missing = refused(&world, &routes(upstream, "credit = \"policies/none.toml\"", ""));
    assert!(missing.contains("none.toml"), "{missing}");

    fs::write(world.path("policies").join("two.toml"), policy("2", "")).unwrap();
    let serve =
        world.serve_routes(&routes(upstream, "credit = \"policies/two.toml\"", "failure = \"degrade\""));
    assert_eq!(class(&world, &decide(&serve)), "class-2");
    assert_eq!(serve.stop(), 0);
    let old = refused(&world, &routes(upstream, named, ""));
    assert!(old.contains("superseded by version 2"), "{old}");
    world.ok(&["verify"]);
}
