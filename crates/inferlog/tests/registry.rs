//! Prompts, tools and models, through the binary: while a process serves and while none does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

mod support;

use std::fs;

use serde_json::{Value, json};
use support::{Run, World, get, model};

/// A world whose data directory is there, and nobody serves it.
fn world() -> World {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    assert_eq!(get(serve.address, "/readyz").0, 200);
    assert_eq!(serve.stop(), 0);
    world
}

fn write(world: &World, name: &str, text: &str) -> String {
    fs::write(world.path(name), text).unwrap();
    world.path(name).to_str().unwrap().to_owned()
}

/// Runs a command that may end with any status.
fn run(world: &World, args: &[&str]) -> Run {
    let data = world.data();
    world.run(&[args, &["--data", data.to_str().unwrap()]].concat())
}

fn prompts(world: &World) {
    let one = write(world, "one.txt", "You are {{role}}.\nBe brief.\n");
    let two = write(world, "two.txt", "You are {{role}}.\nBe polite to {{name}}.\n");
    let added = world.ok(&["prompts", "add", "greeting", &one, "--role", "system", "--json"]).json();
    assert_eq!((&added["version"], &added["is_new"]), (&json!("1"), &json!(true)));
    let again = world.ok(&["prompts", "add", "greeting", &one, "--role", "system"]).stdout();
    assert!(again.starts_with("registered before: prompt greeting@1"), "{again}");
    let refused = run(world, &["prompts", "add", "greeting", &two, "--version", "1"]);
    refused.expect(1);
    assert!(refused.stdout().contains("registered with another text"), "{}", refused.stdout());
    world.ok(&["prompts", "add", "greeting", &two, "--role", "system"]);
    world.ok(&["prompts", "add", "trimmed", &one, "--trim", "--version", "2026-07"]);

    let listed = world.ok(&["prompts", "list", "--json"]).lines();
    let known: Vec<_> =
        listed.iter().map(|line| format!("{}@{}", line["name"], line["version"]).replace('"', "")).collect();
    assert_eq!(known, ["greeting@1", "greeting@2", "trimmed@2026-07"]);
    assert_eq!(listed[1]["variables"], json!(["role", "name"]));
    let table = world.ok(&["prompts", "list"]).stdout();
    assert_eq!(table.lines().count(), 4);
    assert!(table.lines().nth(2).unwrap().ends_with("role name"), "{table}");

    assert_eq!(world.ok(&["prompts", "show", "greeting@1"]).stdout(), "You are {{role}}.\nBe brief.\n");
    assert_eq!(world.ok(&["prompts", "show", "trimmed"]).stdout(), "You are {{role}}.\nBe brief.");
    let shown = world.ok(&["prompts", "show", "greeting", "--json"]).json();
    assert_eq!((&shown["version"], &shown["role"]), (&json!("2"), &json!("system")));
    assert_eq!(shown["sha256"], listed[1]["sha256"]);
    let missing = run(world, &["prompts", "show", "greeting@7"]);
    missing.expect(2);
    assert!(missing.stderr().contains("versions of greeting are: 1, 2"), "{}", missing.stderr());
    assert_eq!(
        world.ok(&["prompts", "diff", "greeting@1", "greeting@2"]).stdout(),
        "--- greeting@1\n+++ greeting@2\n@@ -1,2 +1,2 @@\n You are {{role}}.\n-Be brief.\n+Be polite to {{name}}.\n"
    );
}

#[test]
fn prompts_are_registered_where_nobody_serves() {
    prompts(&world());
}

#[test]
fn prompts_are_registered_while_a_process_serves() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    prompts(&world);
    // Longer than one page of anything, and full of what JSON escapes.
    let long = write(&world, "long.txt", &"\u{1}\"\\ä".repeat(500_000));
    world.ok(&["prompts", "add", "long", &long]);
    let acts = serve.logged().iter().filter(|event| event["act"] == "register").count();
    assert_eq!(acts, 6, "through admin.sock");
    assert_eq!(serve.stop(), 0);
    assert_eq!(world.ok(&["prompts", "list", "--json"]).lines().len(), 4);
}

#[test]
fn tools_are_compared_by_content() {
    let world = world();
    let tool = |name: &str| json!({"type": "function", "function": {"name": name, "strict": true}});
    let one = write(&world, "one.json", &json!([tool("rate"), tool("limit")]).to_string());
    let same = write(
        &world,
        "same.json",
        &serde_json::to_string_pretty(&json!([tool("rate"), tool("limit")])).unwrap(),
    );
    let two = write(&world, "two.json", &json!([tool("rate"), tool("close")]).to_string());
    world.ok(&["tools", "add", "lending", &one]);
    assert!(world.ok(&["tools", "add", "lending", &same]).stdout().starts_with("registered before"));
    world.ok(&["tools", "add", "lending", &two]);
    let listed = world.ok(&["tools", "list", "--json"]).lines();
    assert_eq!(listed[1]["names"], json!(["rate", "close"]));
    let shown: Value = serde_json::from_str(&world.ok(&["tools", "show", "lending@1"]).stdout()).unwrap();
    assert_eq!(shown, json!([tool("rate"), tool("limit")]));
    let diff = world.ok(&["tools", "diff", "lending@1", "lending@2"]).stdout();
    assert!(diff.contains("-      \"name\": \"limit\",\n+      \"name\": \"close\","), "{diff}");
    run(&world, &["tools", "add", "bad", &write(&world, "bad.json", "[1]")]).expect(1);
}

#[test]
fn a_directory_s_digest_is_computed_and_compared() {
    let world = world();
    fs::create_dir(world.path("model")).unwrap();
    write(&world, "model/weights", "weights");
    let add =
        |more: &[&str]| run(&world, &[&["models", "add", "credit", "--location", "model"], more].concat());
    add(&["--version", "3", "--alias", "champion"]).expect(0);
    let shown = world.ok(&["models", "show", "credit@champion"]).json();
    assert_eq!(shown["location"], world.path("model").to_str().unwrap());
    assert_eq!(shown["manifest"]["files"][0]["path"], "weights");
    let digest = shown["digest"].as_str().unwrap();
    add(&["--version", "3", "--digest", digest]).expect(0);
    let wrong = "0".repeat(64);
    let refused = add(&["--version", "3", "--digest", &wrong]);
    refused.expect(2);
    assert!(refused.stderr().contains(&format!("has the digest {digest}")), "{}", refused.stderr());
    write(&world, "model/weights", "other weights");
    let refused = add(&["--version", "3"]);
    refused.expect(1);
    assert!(refused.stdout().contains("registered with another digest"), "{}", refused.stdout());
    add(&["--version", "4", "--alias", "champion"]).expect(0);
    world.ok(&["models", "add", "far", "--location", "s3://models/far", "--digest", &wrong]);
    let listed = world.ok(&["models", "list", "--json"]).lines();
    assert_eq!(listed.len(), 3);
    assert_eq!((&listed[0]["aliases"], &listed[1]["aliases"]), (&json!([]), &json!(["champion"])));
    assert_eq!(listed[2]["digest"], wrong.as_str());
    assert!(world.ok(&["models", "list"]).stdout().contains("s3://models/far"));
    run(&world, &["models", "add", "none", "--location", "nowhere"]).expect(2);
}

#[test]
fn a_damaged_registry_is_told_before_anything_rests_on_it() {
    let world = world();
    world.ok(&["prompts", "add", "p", &write(&world, "p.txt", "text")]);
    let index = world.data().join("registry/index");
    let bytes = fs::read_to_string(&index).unwrap();
    fs::write(&index, bytes.replace("\"p\"", "\"q\"")).unwrap();
    for args in
        [&["prompts", "list"][..], &["prompts", "show", "q"], &["keys", "rotate", "--system", "credit"]]
    {
        let told = run(&world, args);
        told.expect(2);
        assert!(told.stderr().contains("restore the file from a backup"), "{}", told.stderr());
    }
}
