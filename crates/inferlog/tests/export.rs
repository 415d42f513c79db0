//! Records taken out from the command line: beside a process that serves, through it, and with nobody serving.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use serde_json::{Value, json};
use support::{REQUEST, World, model};

/// The events of a kind in lines of JSON.
fn of_kind<'l>(lines: &'l [Value], kind: &str) -> Vec<&'l Value> {
    lines.iter().filter(|line| line["event"]["kind"] == kind).collect()
}

fn content<'l>(line: &'l Value, role: &str) -> &'l Value {
    let contents = line["contents"].as_array().unwrap();
    &contents.iter().find(|given| given["role"] == role).unwrap()["content"]
}

#[test]
fn content_comes_out_while_serving_and_after_and_is_recorded_first() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let (_, decision, answer) = serve.infer("4711", REQUEST);
    world.ok(&["erase", "--subject", "4711", "--yes"]);
    let (_, other, _) = serve.infer("4712", REQUEST);
    let export =
        |more: &[&str]| world.ok(&[&["export", "--format", "jsonl", "--output", "-"], more].concat()).lines();

    let sealed = export(&[]);
    assert!(sealed.iter().all(|line| line.get("contents").is_none()));
    assert!(of_kind(&sealed, "access").is_empty(), "clear fields are nobody's content");
    let told =
        export(&["--content", "--purpose", "audit", "--role", "auditor", "--actor", "kim@example.org"]);
    let opened = of_kind(&told, "decision.opened");
    assert_eq!(opened.len(), 2);
    for line in opened {
        let request: Value = serde_json::from_str(REQUEST).unwrap();
        match line["decision"] == json!(decision) {
            true => assert_eq!(content(line, "input.raw"), &Value::Null),
            false => assert_eq!(content(line, "input.raw")["json"], request),
        }
    }
    let before = export(&[]);
    let access = of_kind(&before, "access");
    assert_eq!(access.len(), 1);
    let body = &access[0]["event"]["body"];
    let expected = [("action", "export"), ("purpose", "audit"), ("role", "auditor"), ("count", "unknown")];
    assert!(expected.iter().all(|(name, value)| body[name] == *value), "{body}");
    assert!(body["granted"] == true && body["actor"].is_string());
    assert!(!serde_json::to_string(&before).unwrap().contains("kim@example.org"));
    let asked = serve.logged();
    let acts: Vec<&Value> = asked.iter().map(|line| &line["act"]).filter(|act| !act.is_null()).collect();
    assert!(acts.contains(&&json!("begin_export")) && !acts.contains(&&json!("opening")), "{acts:?}");

    assert_eq!(serve.stop(), 0);
    let pairs = world.ok(&[
        "export",
        "--format",
        "oip",
        "--output",
        "-",
        "--decision",
        &other,
        "--decision",
        &decision,
    ]);
    let [pair] = &pairs.lines()[..] else { panic!("{}", pairs.stdout()) };
    assert_eq!(
        (&pair["decision"], &pair["response"], &pair["outcome"]),
        (&json!(other), &answer, &json!("answered"))
    );
    assert!(pairs.stderr().contains("1 pair\n") && pairs.stderr().contains("left out: 1 (request erased)"));
    let access = export(&["--content"]);
    let access = of_kind(&access, "access");
    assert_eq!(access[1]["event"]["body"]["decisions"].as_array().unwrap().len(), 2);
    assert_eq!(access[1]["event"]["body"]["count"], 2);
    world.ok(&["verify"]);
}

#[test]
fn files_are_whole_and_ones_own_and_pipes_may_close() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let ids: Vec<String> = (0..20).map(|person| serve.infer(&person.to_string(), REQUEST).1).collect();
    let said = world.ok(&["export", "--format", "parquet", "--output", "events.parquet"]);
    assert!(said.stderr().contains(" events in events.parquet") && said.stdout().is_empty());
    let file = world.path("events.parquet");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(std::fs::read(&file).unwrap().starts_with(b"PAR1"));

    std::fs::write(world.path("ids"), format!("{}\n\n {} \n", ids[3], ids[5])).unwrap();
    let some = world.ok(&["export", "--format", "jsonl", "--output", "-", "--decisions", "ids"]).lines();
    assert!(some.iter().all(|line| line["decision"] == json!(ids[3]) || line["decision"] == json!(ids[5])));
    assert_eq!(of_kind(&some, "decision.opened").len(), 2);

    let data = world.data();
    let args = ["export", "--format", "csv", "--output", "-", "--data", data.to_str().unwrap()];
    let mut left = world.command(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(left.stdout.take());
    assert_eq!(left.wait().unwrap().code(), Some(0), "whoever reads has seen enough");
    drop(serve);
}

#[test]
fn a_wrong_word_is_told_what_to_do() {
    let world = World::new();
    drop(world.serve(model(), &[]));
    let data = world.data();
    std::fs::write(world.path("ids"), "abc\n").unwrap();
    for (args, says) in [
        (&["csv", "--content"][..], "add --table payloads"),
        (&["oip", "--table", "events"], "--table goes with"),
        (&["jsonl", "--outcome", "failed"], "inferlog find --json"),
        (&["aiact-audit-log"], "a directory of files"),
        (&["jsonl", "--system", "nobody"], "it has: credit/0/"),
        (&["jsonl", "--decisions", "ids"], "ids, line 1: \"abc\" is not a decision id"),
        (&["jsonl", "--decisions", "none"], "cannot read decisions from none"),
    ] {
        let data = ["--data", data.to_str().unwrap(), "--output", "-"];
        let run = world.run(&[&["export", "--format"], args, &data].concat());
        assert_eq!((run.status(), run.stdout().as_str()), (2, ""), "{args:?}");
        assert!(run.stderr().contains(says), "{args:?}: {}", run.stderr());
    }
}
