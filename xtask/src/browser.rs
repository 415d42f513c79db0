//! The pages that accounts are written as, in a real browser.

use std::path::Path;
use std::process::Command;

use crate::counts::{Counts, pytest_line};
use crate::steps::{Step, execute_tests};
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
            run: pages,
        },
    ]
}

fn pages(root: &Path) -> Result<Counts, String> {
    let mut python = Command::new("python3");
    python.arg("test_pages.py").current_dir(root.join("interop/browser")).env("PYTHONDONTWRITEBYTECODE", "1");
    execute_tests(&mut python, pytest_line)
}
