//! The project's own tasks: `cargo xtask test` sets up and runs every test there is, `cargo xtask tidy` checks the house
//! rules. It is compiled before anything else, so its dependencies stay few and free of derive macros.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool prints")]

mod browser;
mod counts;
mod steps;
mod suites;
mod tidy;
mod tools;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask <COMMAND>

Commands:
  test [core|interop|all]  Install what the tests need, run them, and sum up [default: all]
  test --list              Say what each selection runs
  tidy                     Check the house rules (CONTRIBUTING.md says why each exists)
  tidy --fix               The same, after lowering the sizes in xtask/ratchet.toml to what they are
  tidy --list              Name the rules
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let root = root();
    let ok = match args.as_slice() {
        ["test"] | ["test", "all"] => steps::run(&root, suites::all()),
        ["test", "core"] => steps::run(&root, suites::core()),
        ["test", "interop"] => steps::run(&root, suites::interop()),
        ["test", "--list"] => list_suites(),
        ["tidy"] => tidy::run(&root, false),
        ["tidy", "--fix"] => tidy::run(&root, true),
        ["tidy", "--list"] => tidy::list(),
        ["--help" | "-h" | "help"] => {
            print!("{USAGE}");
            true
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The checkout: the folder above this crate's own.
fn root() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}

fn list_suites() -> bool {
    for (name, steps) in [("core", suites::core()), ("interop", suites::interop())] {
        println!("{name}");
        for step in steps {
            println!("  {:<16} {}", step.name, step.what);
        }
    }
    true
}
