//! Holds from the command line: placed by name, by person, by time, by question; listed and released.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

mod officer;
mod support;

use std::fs;

use officer::masked;
use serde_json::Value;
use support::{REQUEST, Run, World, model};

fn world() -> (World, Vec<String>) {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let mut ids: Vec<String> =
        ["alice-4711", "bob-4712"].iter().map(|person| serve.infer(person, REQUEST).1).collect();
    // One that fails.
    ids.push(serve.infer("alice-4711", r#"{"id":"a-2","inputs":[]}"#).1);
    assert_eq!(serve.stop(), 0);
    (world, ids)
}

fn run(world: &World, args: &[&str]) -> Run {
    let data = world.data();
    world.run(&[args, &["--data", data.to_str().unwrap()]].concat())
}

fn place(world: &World, args: &[&str]) -> Value {
    let words = [&["hold", "place", "--system", "credit", "--basis", "internal", "--json"], args].concat();
    world.ok(&words).json()
}

#[test]
fn a_hold_covers_what_is_named_asked_for_or_fits() {
    let (world, ids) = world();
    for (args, covers) in [
        (&["--decision", ids[0].as_str(), "--decision", &ids[1]][..], 2),
        (&["--subject", "alice-4711"], 2),
        (&["--outcome", "failed"], 1),
        (&["--from", "1d"], 3),
        (&["--to", "2020-01-01"], 0),
        (&["--class", "default"], 3),
        (&["--all"], 3),
        (&["--subject", "alice-4711", "--outcome", "failed"], 1),
    ] {
        let told = place(&world, args);
        assert_eq!(told["covered"], covers, "{args:?}: {told}");
        assert!(!told.to_string().contains("alice"), "{told}");
    }
    let listed = world.ok(&["hold", "list", "--json"]).json();
    assert_eq!(listed["holds"].as_array().unwrap().len(), 8);
    // A list stays what it was; a time covers what comes.
    let serve = world.serve(model(), &[]);
    serve.infer("carol", REQUEST);
    let counts: Vec<u64> = world.ok(&["hold", "list", "--json"]).json()["holds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hold| hold["covered"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [2, 2, 1, 4, 0, 4, 4, 1]);
    assert_eq!(serve.stop(), 0);
    world.ok(&["verify"]);
}

#[test]
fn who_placed_and_who_released_it_stands_in_the_list() {
    let (world, ids) = world();
    fs::write(world.path("order.txt"), "order no. 17").unwrap();
    let placed = world.ok(&[
        "hold",
        "place",
        "--system",
        "credit",
        "--basis",
        "authority_order",
        "--decision",
        &ids[0],
        "--order-file",
        "order.txt",
        "--actor",
        "dana",
    ]);
    insta::assert_snapshot!("hold-place", masked(&placed.stdout()));
    insta::assert_snapshot!("hold-list", masked(&world.ok(&["hold", "list"]).stdout()));
    let hold = world.ok(&["hold", "list", "--json"]).json()["holds"][0]["hold"].as_str().unwrap().to_owned();
    let serve = world.serve(model(), &[]);
    let released = world.ok(&["hold", "release", &hold, "--basis", "authority_order", "--actor", "erin"]);
    assert!(released.stdout().starts_with("released hold"), "{}", released.stdout());
    assert_eq!(serve.stop(), 0);
    insta::assert_snapshot!("hold-list-released", masked(&world.ok(&["hold", "list"]).stdout()));
    let told = world.ok(&["hold", "list", "--json"]).json();
    let told = &told["holds"][0];
    assert_eq!((&told["stands"], &told["covered"]), (&false.into(), &Value::Null));
    assert!(told["placed"][0]["by"].is_string() && told["released"]["by"].is_string(), "{told}");
    assert_ne!(told["placed"][0]["by"], told["released"]["by"]);
    assert!(!told.to_string().contains("dana") && !told.to_string().contains("order no"), "{told}");
    run(&world, &["hold", "release", &hold, "--basis", "internal"]).expect(2);
}

#[test]
fn a_hold_of_nothing_is_refused() {
    let (world, ids) = world();
    for (args, says) in [
        (&["--decision", ids[0].as_str()][..], "--system NAME"),
        (&["--system", "credit"], "--all"),
        (&["--system", "credit", "--all", "--class", "default"], "--all stands alone"),
        (&["--system", "credit", "--subject", "nobody"], "not known"),
        (&["--system", "credit", "--outcome", "refused"], "no decision fits"),
        (&["--system", "other", "--all"], "there are: credit"),
        (&["--system", "credit", "--from", "2026-02-01", "--to", "2026-01-01"], "before it begins"),
    ] {
        let refused = run(&world, &[&["hold", "place", "--basis", "internal"], args].concat());
        refused.expect(2);
        assert!(refused.stderr().contains(says), "{args:?}: {}", refused.stderr());
    }
    run(&world, &["hold", "place", "--system", "credit", "--basis", "incident", "--all"]).expect(2);
    assert_eq!(world.ok(&["hold", "list"]).stdout(), "No hold was placed here.\n");
}
