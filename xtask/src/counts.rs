//! Reads test results out of what the runners print.

use std::ops::AddAssign;

/// How many tests passed, failed, and were left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// A line of `cargo test`: each test program closes with
/// `test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s`.
pub(crate) fn cargo_line(line: &str) -> Counts {
    let Some(results) = line.strip_prefix("test result: ") else { return Counts::default() };
    let results = results.split_once(". ").map_or(results, |(_, numbers)| numbers);
    numbers(results.split("; "))
}

/// A line of `pytest`: it closes with `==== 5 passed, 1 failed, 2 skipped, 1 warning in 3.21s ====`.
pub(crate) fn pytest_line(line: &str) -> Counts {
    let line = line.trim_matches(|c| c == '=' || c == ' ');
    match line.rsplit_once(" in ") {
        Some((results, time)) if time.contains('s') && time.starts_with(|c: char| c.is_ascii_digit()) => {
            numbers(results.split(", "))
        }
        _ => Counts::default(),
    }
}

/// A line of `go test -v`: `--- PASS: TestName (0.00s)` for each test; subtests are indented.
pub(crate) fn go_line(line: &str) -> Counts {
    let one = |passed, failed, skipped| Counts { passed, failed, skipped };
    match line.trim_start().strip_prefix("--- ").and_then(|rest| rest.split_once(": ")) {
        Some(("PASS", _)) => one(1, 0, 0),
        Some(("FAIL", _)) => one(0, 1, 0),
        Some(("SKIP", _)) => one(0, 0, 1),
        _ => Counts::default(),
    }
}

/// Sums `<number> <word>` parts whose word is known.
fn numbers<'a>(parts: impl Iterator<Item = &'a str>) -> Counts {
    let mut counts = Counts::default();
    for part in parts {
        let Some((number, word)) = part.trim().split_once(' ') else { continue };
        let Ok(number) = number.parse::<u64>() else { continue };
        match word {
            "passed" => counts.passed += number,
            "failed" | "error" | "errors" | "xpassed" => counts.failed += number,
            "ignored" | "skipped" | "xfailed" | "deselected" => counts.skipped += number,
            _ => {}
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64, skipped: u64) -> Counts {
        Counts { passed, failed, skipped }
    }

    #[test]
    fn cargo() {
        let table = [
            (
                "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.01s",
                counts(5, 0, 1),
            ),
            (
                "test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
                counts(4, 2, 0),
            ),
            ("test a::b ... ok", counts(0, 0, 0)),
            ("running 5 tests", counts(0, 0, 0)),
        ];
        for (line, expected) in table {
            assert_eq!(cargo_line(line), expected, "{line}");
        }
    }

    #[test]
    fn pytest() {
        let table = [
            ("============ 5 passed, 2 skipped, 1 warning in 3.21s ============", counts(5, 0, 2)),
            ("======= 1 failed, 4 passed, 1 error in 63.20s (0:01:03) =======", counts(4, 2, 0)),
            ("test_x.py::test_y PASSED", counts(0, 0, 0)),
            ("3 passed things in the fire", counts(0, 0, 0)),
        ];
        for (line, expected) in table {
            assert_eq!(pytest_line(line), expected, "{line}");
        }
    }

    #[test]
    fn go() {
        let table = [
            ("--- PASS: TestTree (0.00s)", counts(1, 0, 0)),
            ("    --- FAIL: TestTree/size_3 (0.00s)", counts(0, 1, 0)),
            ("--- SKIP: TestTree (0.00s)", counts(0, 0, 1)),
            ("ok  \tverify\t0.1s", counts(0, 0, 0)),
        ];
        for (line, expected) in table {
            assert_eq!(go_line(line), expected, "{line}");
        }
    }
}
