//! Evidence bundles from the command line: beside a process that serves, through it, and with nobody serving.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

mod bundles;
mod support;

use std::os::unix::fs::PermissionsExt;

use bundles::Bundle;
use inferlog::record::Digest;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use support::{REQUEST, World, model};

#[test]
fn a_bundle_has_these_files_and_the_same_bytes_each_time() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let (_, decision, _) = serve.infer("4711", REQUEST);
    serve.infer("4712", REQUEST);
    let made = |name: &str| {
        let said = world.ok(&["export", "bundle", "--decision", &decision, "--output", name]);
        assert!(said.stdout().contains("6 payloads committed to, none disclosed"), "{}", said.stdout());
        std::fs::read(world.path(name)).unwrap()
    };
    let served = made("served.zip");
    assert_eq!(served, made("again.zip"), "the same log and selection give the same bytes");
    assert_eq!(serve.stop(), 0);
    // The end of the recorder stands in the log now, and the checkpoint covers it.
    let closed = made("closed.zip");
    assert_ne!(closed, served);
    assert_eq!(closed, made("closed-again.zip"), "to sign is not to record");

    let mode = std::fs::metadata(world.path("served.zip")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let unfinished =
        |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with(".inferlog-");
    assert!(!std::fs::read_dir(world.path(".")).unwrap().any(|entry| unfinished(&entry.unwrap())));
    let bundle = Bundle::open(&world, "served.zip");
    let decided = format!("decisions/{decision}.json");
    let expected = [
        "README.txt",
        "SHA256SUMS",
        "bundle.json",
        "coverage.json",
        "decisions.json",
        &decided,
        "docs/bundle.md",
        "docs/format.md",
        "logs/0/checkpoint",
        "logs/0/keys",
        "logs/0/system.json",
        "manifest",
        "report.html",
        "report.note",
        "verify.py",
    ];
    assert_eq!(bundle.paths(), expected);
    let facts = bundle.json("bundle.json");
    assert_eq!(facts["disclosure"], json!({"classes": [], "roles": [], "sealed": false}));
    let summary = &bundle.json("decisions.json")["decisions"][0];
    assert_eq!((&summary["id"], &summary["outcome"]), (&json!(decision), &json!("answered")));
    assert_eq!((&summary["payloads"], &summary["disclosed"]), (&json!(6), &json!(0)));
    let kinds = bundle.kinds("logs/0/system.json");
    assert_eq!(kinds[0], "recorder.started");
    assert!(kinds[1..].iter().all(|kind| kind == "system.changed"), "{kinds:?}");
    bundle.verify(&world);
}

#[test]
fn what_is_disclosed_is_recorded_first_and_is_that_alone() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let (_, decision, answer) = serve.infer("4711", REQUEST);
    let (_, other, _) = serve.infer("4712", REQUEST);
    let export = |name: &str, more: &[&str]| {
        let args = ["export", "bundle", "--decision", &decision, "--decision", &other, "--output", name];
        world.ok(&[&args, more].concat());
        Bundle::open(&world, name)
    };
    let opened = |bundle: &Bundle| bundle.contents(&decision);
    let all = export("all.zip", &["--disclose", "*", "--sealed", "--purpose", "audit", "--role", "auditor"]);
    assert_eq!(opened(&all).len(), 6);
    let request: Value = serde_json::from_str(REQUEST).unwrap();
    assert!(
        opened(&all)
            .iter()
            .any(|content| serde_json::from_str::<Value>(content).is_ok_and(|json| json == request))
    );
    assert_eq!(all.json(&format!("sealed/{decision}.json"))["sealed"].as_array().unwrap().len(), 6);
    all.verify(&world);

    let access = serve_access(&world);
    assert_eq!(access.len(), 1);
    let body = &access[0]["event"]["body"];
    let expected = [("action", "disclose"), ("purpose", "audit"), ("role", "auditor")];
    assert!(expected.iter().all(|(name, value)| body[name] == *value), "{body}");
    assert_eq!((&body["count"], body["decisions"].as_array().unwrap().len()), (&json!(2), 2));

    let output = export("output.zip", &["--disclose", "output.raw"]);
    let contents = opened(&output);
    assert!(matches!(&contents[..], [content] if serde_json::from_str::<Value>(content).unwrap() == answer));
    output.verify(&world);
    let none = export("none.zip", &["--disclose", "input.*", "--disclose-class", "pseudonymous"]);
    assert!(opened(&none).is_empty(), "what people say is personal");
    let input = export("input.zip", &["--disclose", "input.*", "--disclose-class", "personal"]);
    assert!(
        matches!(&opened(&input)[..], [content] if serde_json::from_str::<Value>(content).unwrap() == request)
    );
    assert_eq!(serve_access(&world).len(), 4);
    // Who read what is part of the decision's story from then on.
    assert!(input.kinds("logs/0/system.json").contains(&"access".to_owned()));

    assert_eq!(serve.stop(), 0);
    let closed = export("closed.zip", &["--disclose", "*"]);
    assert_eq!(opened(&closed).len(), 6);
    closed.verify(&world);
    assert_eq!(serve_access(&world).len(), 5);
}

/// The accesses that the log tells of.
fn serve_access(world: &World) -> Vec<Value> {
    let lines = world.ok(&["export", "--format", "jsonl", "--output", "-"]).lines();
    lines.into_iter().filter(|line| line["event"]["kind"] == "access").collect()
}

#[test]
fn what_was_erased_cannot_be_disclosed_and_the_bundle_says_why() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let (_, erased, _) = serve.infer("4711", REQUEST);
    let (_, kept, _) = serve.infer("4712", REQUEST);
    let args = ["export", "bundle", "--decision", &erased, "--output"];
    world.ok(&[&args[..], &["before.zip", "--disclose", "*"]].concat());
    world.ok(&["erase", "--subject", "4711", "--yes"]);
    let said =
        world.ok(&[&args[..], &["after.zip", "--disclose", "*", "--sealed", "--json"]].concat()).json();
    assert_eq!((&said["disclosed"], &said["erased"], &said["payloads"]), (&json!(0), &json!(6), &json!(6)));
    let after = Bundle::open(&world, "after.zip");
    assert!(!after.paths().contains(&format!("openings/{erased}.json")));
    assert_eq!(after.json(&format!("sealed/{erased}.json"))["sealed"], json!([]));
    let erasures =
        |bundle: &Bundle| bundle.kinds("logs/0/system.json").iter().filter(|kind| *kind == "erasure").count();
    assert_eq!(erasures(&after), 2, "what was announced, and what was done");
    after.verify(&world);
    world.ok(&["export", "bundle", "--decision", &kept, "--output", "kept.zip", "--disclose", "*"]);
    let kept_bundle = Bundle::open(&world, "kept.zip");
    assert_eq!((erasures(&kept_bundle), kept_bundle.contents(&kept).len()), (0, 6));
    drop(serve);
}

#[test]
fn a_wrong_word_is_told_what_to_do() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let (_, decision, _) = serve.infer("4711", REQUEST);
    let absent = "01900000-0000-7000-8000-000000000000";
    let data = world.data();
    for (status, args, says) in [
        (2, &["--decision", &decision, "--output", "-"][..], "a bundle is written to a file"),
        (2, &["--output", "b.zip"], "say which decisions"),
        (
            2,
            &["--decision", &decision, "--output", "b.zip", "--disclose", "output"],
            "no payload has the role",
        ),
        (
            2,
            &["--decision", &decision, "--output", "b.zip", "--disclose-class", "personal"],
            "--disclose <ROLE>",
        ),
        (2, &["--decision", &decision, "--output", "none/b.zip"], "cannot write none/b.zip"),
        (2, &["--incident", absent, "--output", "b.zip"], "no hold and no incident"),
        (1, &["--decision", absent, "--output", "b.zip"], "There is no decision 01900000-"),
        (
            1,
            &["--system", "credit", "--until", "2001-01-01", "--output", "b.zip"],
            "There is no such decision",
        ),
        (2, &["--format", "jsonl", "--decision", &decision, "--output", "b.zip"], "--format"),
    ] {
        let run = world.run(&[&["export", "bundle", "--data", data.to_str().unwrap()], args].concat());
        assert_eq!((run.status(), run.stdout().as_str()), (status, ""), "{args:?}: {}", run.stderr());
        assert!(run.stderr().contains(says), "{args:?}: {}", run.stderr());
        assert!(!world.path("b.zip").exists());
    }
    let show = world.run(&["show", absent, "--data", data.to_str().unwrap()]);
    let bundle = world.run(&[
        "export",
        "bundle",
        "--decision",
        absent,
        "--output",
        "b",
        "--data",
        data.to_str().unwrap(),
    ]);
    assert_eq!((show.status(), show.stderr()), (bundle.status(), bundle.stderr()));
    drop(serve);
}

#[test]
fn damage_ends_the_writing_and_is_named() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let (_, decision, _) = serve.infer("4711", REQUEST);
    assert_eq!(serve.stop(), 0);
    let log = world.log_dir();
    let damage = |path: &std::path::Path, from: &[u8], to: &[u8]| {
        let whole = std::fs::read(path).unwrap();
        let at = whole.windows(from.len()).position(|bytes| bytes == from).unwrap();
        let mut bytes = whole.clone();
        bytes[at..at + to.len()].copy_from_slice(to);
        std::fs::write(path, bytes).unwrap();
        let data = world.data();
        let args =
            ["export", "bundle", "--decision", &decision, "--disclose", "*", "--output", "b.zip", "--data"];
        // It signs alone where nothing is to be disclosed: opening the directory to record would refuse damage by itself.
        let run = world.run(&[&args[..4], &args[6..], &[data.to_str().unwrap()]].concat());
        assert_eq!((run.status(), world.path("b.zip").exists()), (2, false), "{}", run.stdout());
        std::fs::write(path, whole).unwrap();
        run.stderr()
    };
    let bundle = bundles::newest(&log.join("tile/entries/000.p"));
    let answered = damage(&bundle, b"\"outcome\":\"answered\"", b"\"outcome\":\"answerex\"");
    assert!(
        answered.contains("/credit/0/")
            && answered.contains(": entry ")
            && answered.contains("inferlog verify"),
        "{answered}"
    );
    let other = damage(&bundle, b"\"logged_at\":\"20", b"\"logged_at\":\"21");
    assert!(other.contains("/credit/0/") && other.contains(": entry 0:"), "{other}");
    let signature = damage(&log.join("checkpoint"), "\n\u{2014} ".as_bytes(), b"\n\xe2\x80\x93 ");
    assert!(signature.contains("checkpoint"), "{signature}");
    let whole = world.ok(&["export", "bundle", "--decision", &decision, "--output", "b.zip"]);
    assert!(whole.stdout().contains("bundle: 1 decision"));
}

#[test]
fn the_policies_in_force_travel_though_nothing_is_disclosed() {
    let world = World::new();
    let policy = |version: &str| {
        let text = format!(
            "system = \"credit\"\nversion = \"{version}\"\n[[class]]\nname = \"class-{version}\"\n\
             floor = \"184 days\"\ntarget = \"7 months\"\nlegal_basis = \"Article 26(6)\"\n"
        );
        std::fs::write(world.path("policy.toml"), &text).unwrap();
        world.ok(&["policy", "set", world.path("policy.toml").to_str().unwrap(), "--yes"]);
        text
    };
    let path = |text: &str| format!("shared/{}", Digest(Sha256::digest(text).into()));
    let serve = world.serve(model(), &[]);
    let (_, before, _) = serve.infer("4711", REQUEST);
    // Set while the process serves, then between two.
    let first = policy("1");
    let (_, under_first, _) = serve.infer("4711", REQUEST);
    assert_eq!(serve.stop(), 0);
    let second = policy("2");
    let serve = world.serve(model(), &[]);
    let (_, under_second, _) = serve.infer("4711", REQUEST);
    assert_eq!(serve.stop(), 0);

    let bundle = |decision: &str| {
        world.ok(&["export", "bundle", "--decision", decision, "--output", "b.zip"]);
        let bundle = Bundle::open(&world, "b.zip");
        bundle.verify(&world);
        assert!(bundle.contents(decision).is_empty(), "nothing is disclosed");
        bundle
    };
    for (decision, text) in [(&under_first, &first), (&under_second, &second)] {
        assert_eq!(bundle(decision).read(&path(text)), text.as_bytes());
    }
    // What came into force later says nothing of an earlier decision.
    let early = bundle(&before).paths();
    assert!(!early.contains(&path(&first)) && !early.contains(&path(&second)), "{early:?}");
}
