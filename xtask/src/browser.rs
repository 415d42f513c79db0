//! The pages that accounts are written as, and the page in a bundle, in a real browser.

use std::path::Path;
use std::process::Command;

use crate::counts::{Counts, pytest_line};
use crate::steps::{Step, execute, execute_tests};
use crate::tools::{Brings, Package, ensure};

pub(crate) fn steps() -> Vec<Step> {
    vec![
        Step {
            name: "chromium",
            what: "Chromium, and Python, whose own library speaks with it",
            needs: &[],
            run: |_| {
                ensure(&[
                    Package { name: "chromium", brings: Brings::Program("chromium") },
                    Package { name: "python3", brings: Brings::Program("python3") },
                ])
                .map(|()| Counts::default())
            },
        },
        Step {
            name: "interop-browser",
            what: "interop/browser: accounts in Chromium, light, dark, narrow and on paper; they load and run nothing",
            needs: &["chromium"],
            run: |root| pages(root, "test_pages.py"),
        },
        Step {
            name: "interop-officer",
            what: "interop/browser/test_officer.py: certificates, incident sheets and what persons are given, in Chromium",
            needs: &["chromium"],
            run: |root| pages(root, "test_officer.py"),
        },
        Step {
            name: "interop-report",
            what: "interop/browser/test_report.py: a bundle's page checks itself in Chromium, and notices every damage",
            needs: &["chromium", "binary"],
            run: |root| {
                // Its tests write the page.
                let args = ["test", "--quiet", "--package", "inferlog-bundle", "--test", "report"];
                execute(Command::new("cargo").args(args).current_dir(root))?;
                pages(root, "test_report.py")
            },
        },
    ]
}

fn pages(root: &Path, tests: &str) -> Result<Counts, String> {
    let mut python = Command::new("python3");
    python.arg(tests).current_dir(root.join("interop/browser")).env("PYTHONDONTWRITEBYTECODE", "1");
    execute_tests(&mut python, pytest_line)
}
