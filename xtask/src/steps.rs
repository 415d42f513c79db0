//! Runs steps one after another, streams what they print, times them, and sums up. A step that cannot run counts as
//! failed, and so does a skipped test: nothing is left out in silence.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::counts::Counts;

/// One step of a run.
pub(crate) struct Step {
    /// Short name, unique within the run.
    pub(crate) name: &'static str,
    /// What it does, for `--list` and the heading.
    pub(crate) what: &'static str,
    /// Names of earlier steps without which it cannot run.
    pub(crate) needs: &'static [&'static str],
    /// The work. An error says what happened and what to do.
    pub(crate) run: fn(&Path) -> Result<Counts, String>,
}

/// How a step ended.
struct Outcome {
    name: &'static str,
    counts: Counts,
    /// Why it failed; `None` if it passed.
    failure: Option<String>,
    took: Duration,
}

/// Runs the steps and prints the summary. Returns whether every one passed.
pub(crate) fn run(root: &Path, steps: Vec<Step>) -> bool {
    let started = Instant::now();
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(steps.len());
    for step in steps {
        heading(started, step.name, step.what);
        let failed_need = step
            .needs
            .iter()
            .find(|need| outcomes.iter().any(|outcome| outcome.name == **need && outcome.failure.is_some()));
        let began = Instant::now();
        let result = match failed_need {
            Some(need) => Err(format!("not run, because the step `{need}` failed")),
            None => (step.run)(root),
        };
        let outcome = judge(step.name, result, began.elapsed());
        if let Some(failure) = &outcome.failure {
            println!("{}: {failure}", outcome.name);
        }
        outcomes.push(outcome);
    }
    summary(&outcomes, started.elapsed())
}

fn judge(name: &'static str, result: Result<Counts, String>, took: Duration) -> Outcome {
    let (counts, failure) = match result {
        Ok(counts) if counts.skipped > 0 => {
            (counts, Some(format!("{} skipped; a test here runs or fails", counts.skipped)))
        }
        Ok(counts) if counts.failed > 0 => (counts, Some(format!("{} failed", counts.failed))),
        Ok(counts) => (counts, None),
        Err(failure) => (Counts::default(), Some(failure)),
    };
    Outcome { name, counts, failure, took }
}

/// Prints the table and the closing line, `N passed, N failed`. A step that failed without a failed test of its own counts
/// as one failure, and so does each skipped test.
fn summary(outcomes: &[Outcome], took: Duration) -> bool {
    println!("\n{:<16} {:<6} {:>8} {:>8} {:>8}", "step", "", "passed", "failed", "seconds");
    let mut passed = 0;
    let mut failed = 0;
    for outcome in outcomes {
        let step_failed = match &outcome.failure {
            Some(_) => (outcome.counts.failed + outcome.counts.skipped).max(1),
            None => 0,
        };
        let word = if outcome.failure.is_some() { "FAILED" } else { "ok" };
        let seconds = outcome.took.as_secs_f64();
        println!(
            "{:<16} {word:<6} {:>8} {step_failed:>8} {seconds:>8.1}",
            outcome.name, outcome.counts.passed
        );
        passed += outcome.counts.passed;
        failed += step_failed;
    }
    for outcome in outcomes {
        if let Some(failure) = &outcome.failure {
            println!("{}: {failure}", outcome.name);
        }
    }
    println!("all steps: {:.1} seconds\n", took.as_secs_f64());
    println!("{passed} passed, {failed} failed");
    failed == 0 && passed > 0
}

fn heading(started: Instant, name: &str, what: &str) {
    println!("\n== {:>6.1} s  {name}: {what}", started.elapsed().as_secs_f64());
}

/// Runs a command that must succeed; its output is ours.
pub(crate) fn execute(command: &mut Command) -> Result<(), String> {
    println!("$ {}", spelled(command));
    let status = command.stdin(Stdio::null()).status().map_err(|error| could_not_run(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` ended with {status}", spelled(command))) }
}

/// Runs a test command, passes its standard output through line by line, and counts the results in it. The command's exit
/// status has the last word: a failure without a failed test, or no test at all, is an error.
pub(crate) fn execute_tests(command: &mut Command, count: fn(&str) -> Counts) -> Result<Counts, String> {
    println!("$ {}", spelled(command));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| could_not_run(command, &error))?;
    let mut counts = Counts::default();
    if let Some(output) = child.stdout.take() {
        let mut out = std::io::stdout().lock();
        for line in BufReader::new(output).split(b'\n') {
            let line = line.map_err(|error| format!("reading the output: {error}"))?;
            // A closed pipe downstream must not end the tests; their exit status still counts.
            let _ = out.write_all(&line).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
            counts += count(&String::from_utf8_lossy(&line));
        }
    }
    let status = child.wait().map_err(|error| could_not_run(command, &error))?;
    if !status.success() && counts.failed == 0 {
        // It did not compile, was killed, or could not start its tests.
        counts.failed = 1;
    }
    if status.success() && counts.passed == 0 {
        return Err(format!("`{}` ran no test", spelled(command)));
    }
    Ok(counts)
}

fn could_not_run(command: &Command, error: &std::io::Error) -> String {
    format!("cannot run `{}`: {error}", spelled(command))
}

fn spelled(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<Counts, String> {
        execute_tests(Command::new("sh").args(["-c", script]), crate::counts::cargo_line)
    }

    #[test]
    fn a_command_that_fails_without_a_failed_test_counts_as_one_failure() {
        let counts = shell("exit 3").unwrap();
        assert_eq!(counts, Counts { passed: 0, failed: 1, skipped: 0 });
    }

    #[test]
    fn a_command_that_ran_no_test_is_an_error() {
        assert!(shell("echo hello").unwrap_err().contains("ran no test"));
    }

    #[test]
    fn a_skipped_test_fails_its_step() {
        let counts = Counts { passed: 3, failed: 0, skipped: 1 };
        let outcome = judge("x", Ok(counts), Duration::ZERO);
        assert!(outcome.failure.is_some());
        assert!(!summary(&[outcome], Duration::ZERO));
    }

    #[test]
    fn steps_whose_need_failed_are_failures_too() {
        fn fails(_: &Path) -> Result<Counts, String> {
            Err("no".into())
        }
        fn passes(_: &Path) -> Result<Counts, String> {
            Ok(Counts { passed: 1, failed: 0, skipped: 0 })
        }
        let first = |run| Step { name: "first", what: "", needs: &[], run };
        let second = || Step { name: "second", what: "", needs: &["first"], run: passes };
        assert!(run(Path::new("."), vec![first(passes), second()]));
        assert!(!run(Path::new("."), vec![first(fails), second()]));
    }
}
