//! The help as it is read, and what a wrong command line is told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

mod support;

use support::World;

const COMMANDS: [&str; 34] = [
    "demo",
    "serve",
    "show",
    "reconstruct",
    "explain",
    "find",
    "stats",
    "tail",
    "followers",
    "query",
    "export",
    "verify",
    "receipt",
    "witness",
    "timestamp",
    "coverage",
    "human",
    "label",
    "output",
    "context",
    "retrieval",
    "tool-call",
    "transform",
    "events",
    "policy",
    "hold",
    "incident",
    "erase",
    "subject",
    "keys",
    "prompts",
    "tools",
    "models",
    "bench",
];

/// Commands that are families of commands, which have the examples.
const FAMILIES: [(&str, &[&str]); 12] = [
    ("followers", &["rebuild", "skip", "forget"]),
    ("events", &["add", "close"]),
    ("policy", &["check", "explain", "set", "show", "presets"]),
    ("hold", &["place", "release", "list"]),
    ("incident", &["open", "report", "close", "list", "show"]),
    ("subject", &["export"]),
    ("keys", &["vkey", "rotate", "backup"]),
    ("prompts", &["add", "list", "show", "diff"]),
    ("tools", &["add", "list", "show", "diff"]),
    ("models", &["add", "import", "list", "show"]),
    ("timestamp", &["request", "accept"]),
    ("witness", &["init", "add-log", "logs", "serve", "forks", "request", "cosign", "accept"]),
];

#[test]
fn help_is_as_it_was() {
    let world = World::new();
    insta::assert_snapshot!("help", world.run(&["--help"]).stdout());
    for command in COMMANDS {
        let run = world.run(&[command, "--help"]);
        assert_eq!((run.status(), run.stderr().as_str()), (0, ""));
        insta::assert_snapshot!(format!("help-{command}"), run.stdout());
    }
    for (family, commands) in FAMILIES {
        for command in commands {
            let help = world.run(&[family, command, "--help"]).stdout();
            insta::assert_snapshot!(format!("help-{family}-{command}"), help);
        }
    }
    insta::assert_snapshot!("help-coverage-accept", world.run(&["coverage", "accept", "--help"]).stdout());
    insta::assert_snapshot!("help-receipt-check", world.run(&["receipt", "check", "--help"]).stdout());
}

#[test]
fn every_command_teaches_by_an_example() {
    let world = World::new();
    let is_family = |command: &&str| FAMILIES.iter().any(|(family, _)| family == command);
    let commands = COMMANDS.into_iter().filter(|command| !is_family(command)).map(|command| vec![command]);
    let members = FAMILIES
        .into_iter()
        .flat_map(|(family, commands)| commands.iter().map(move |command| vec![family, command]));
    for command in commands.chain(members) {
        let help = world.run(&[&command[..], &["--help"]].concat()).stdout();
        assert!(help.contains("Example"), "{command:?}");
        assert!(help.contains(&format!("  inferlog {}", command.join(" "))), "{command:?}");
    }
}

#[test]
fn a_wrong_command_line_is_told_what_to_do() {
    let world = World::new();
    for (args, says) in [
        (&["find", "--data", "nowhere"][..], "nowhere is not a data directory"),
        (&["show", "abc", "--data", "nowhere"], "36"),
        (&["find", "--data", "d", "--since", "yesterday"], "write 2026-01-31"),
        (&["verify", "--data", "d", "--key", "abc"], "expected <name>+"),
        (&["erase", "--data", "nowhere", "--subject", "x"], "nowhere is not a data directory"),
        (&["erase", "--data", "nowhere"], "--subject <VALUE>"),
        (&["serve", "--data", "d", "--listen", "127.0.0.1:0"], "--system <NAME>"),
        (&["show", "--data", "d"], "<DECISION>"),
        (
            &["erase", "--data", "d", "--subject", "x", "--root-key", "vault:x"],
            "write file:PATH, env:NAME or command:CMD",
        ),
        (
            &[
                "serve",
                "--data",
                "d",
                "--system",
                "a b",
                "--upstream",
                "http://127.0.0.1:1",
                "--listen",
                "127.0.0.1:0",
            ],
            "1 to 63 letters",
        ),
        (
            &["serve", "--data", "d", "--system", "a", "--upstream", "nonsense", "--listen", "127.0.0.1:0"],
            "http://HOST:PORT",
        ),
        (
            &["serve", "--data", "d", "--config", "none.toml", "--listen", "127.0.0.1:0"],
            "cannot read none.toml",
        ),
    ] {
        let run = world.run(args);
        assert_eq!((run.status(), run.stdout().as_str()), (2, ""), "{args:?}");
        assert!(run.stderr().contains(says), "{args:?}: {}", run.stderr());
        assert!(!run.stderr().contains('\u{1b}'), "colours where nobody sees them: {args:?}");
    }
    assert!(
        !world.path("d").exists() && !world.path("nowhere").exists(),
        "a command that was refused made a directory"
    );
}
