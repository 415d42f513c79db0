//! What `cargo xtask test` runs, in order.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::counts::{Counts, cargo_line, go_line, pytest_line};
use crate::steps::{Step, execute, execute_tests};
use crate::tools::{Brings, Package, Venv, ensure, ensure_python};

/// Where Debian's `golang-golang-x-mod-dev` puts the sources.
const GO_PATH: &str = "/usr/share/gocode";

/// Clients, MLServer and MLflow.
const CLIENTS: Venv = Venv { folder: ".cache/py", requirements: "interop/python/requirements.txt" };
/// Servers that need other versions of the same packages, and KServe's client, which comes with its server.
const SERVERS: Venv =
    Venv { folder: ".cache/py-servers", requirements: "interop/python/requirements-servers.txt" };

/// The Rust tests and what they need.
pub(crate) fn core() -> Vec<Step> {
    vec![
        Step {
            name: "strace",
            what: "strace, with which the tests see the order of system calls",
            needs: &[],
            run: |_| ensure(&[Package { name: "strace", brings: Brings::Program("strace") }]).map(no_tests),
        },
        go(),
        postgres(),
        openssl(),
        Step {
            name: "rust",
            what: "all Rust tests, doc tests included (cargo test --workspace)",
            needs: &["strace", "go", "postgres", "openssl"],
            run: rust,
        },
    ]
}

/// The suites that put `inferlog` against software written by others.
pub(crate) fn interop() -> Vec<Step> {
    let mut steps = vec![
        go(),
        postgres(),
        openssl(),
        Step {
            name: "python",
            what: "a virtual environment in .cache/py with clients, MLServer and MLflow, pinned",
            needs: &[],
            run: |root| ensure_python(root, &CLIENTS).map(no_tests),
        },
        Step {
            name: "python-servers",
            what: "a virtual environment in .cache/py-servers with LiteLLM and KServe, pinned",
            needs: &[],
            run: |root| ensure_python(root, &SERVERS).map(no_tests),
        },
        Step {
            name: "binary",
            what: "the inferlog binary that the suites run (cargo build)",
            needs: &[],
            run: |root| execute(cargo(root).args(["build", "--package", "inferlog"])).map(no_tests),
        },
        Step {
            name: "interop-go",
            what: "interop/go: the Go checksum database's verifier reads our logs and bundles",
            needs: &["go", "binary"],
            run: interop_go,
        },
        Step {
            name: "interop-python",
            what: "interop/python: official clients and servers through the gateway, record compared field by field",
            needs: &["python", "python-servers", "postgres", "openssl", "binary"],
            run: |root| interop_python(root, &CLIENTS, &["--ignore=test_kserve.py", "."]),
        },
        Step {
            name: "interop-kserve",
            what: "interop/python/test_kserve.py: KServe's client and server, with binary tensors",
            needs: &["python-servers", "binary"],
            run: |root| interop_python(root, &SERVERS, &["test_kserve.py"]),
        },
    ];
    steps.extend(crate::browser::steps());
    steps
}

/// Everything; what both need is set up once.
pub(crate) fn all() -> Vec<Step> {
    let mut steps = core();
    let more = interop().into_iter().filter(|step| steps.iter().all(|had| had.name != step.name));
    steps.extend(more.collect::<Vec<_>>());
    steps
}

fn go() -> Step {
    Step {
        name: "go",
        what: "Go and golang.org/x/mod, whose sumdb packages read our logs",
        needs: &[],
        run: |_| {
            ensure(&[
                Package { name: "golang-go", brings: Brings::Program("go") },
                Package {
                    name: "golang-golang-x-mod-dev",
                    brings: Brings::Path("/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog"),
                },
            ])
            .map(no_tests)
        },
    }
}

fn postgres() -> Step {
    Step {
        name: "postgres",
        what: "PostgreSQL, of which tests start servers of their own",
        needs: &[],
        run: |_| {
            let server = Package {
                name: "postgresql",
                brings: Brings::Versioned("/usr/lib/postgresql", "bin/initdb"),
            };
            ensure(&[server]).map(no_tests)
        },
    }
}

fn openssl() -> Step {
    Step {
        name: "openssl",
        what: "openssl, which the tests take as a timestamping authority",
        needs: &[],
        run: |_| ensure(&[Package { name: "openssl", brings: Brings::Program("openssl") }]).map(no_tests),
    }
}

fn no_tests(_: ()) -> Counts {
    Counts::default()
}

fn rust(root: &Path) -> Result<Counts, String> {
    execute_tests(cargo(root).args(["test", "--workspace", "--no-fail-fast"]), cargo_line)
}

fn interop_go(root: &Path) -> Result<Counts, String> {
    // Debian ships Go libraries as sources for GOPATH mode; modules would be fetched.
    let mut go = Command::new("go");
    go.args(["test", "-v", "-count=1", "."])
        .current_dir(root.join("interop/go"))
        .env("GO111MODULE", "off")
        .env("GOPATH", GO_PATH)
        .env("GOCACHE", root.join(".cache/go"))
        .env("GOFLAGS", "")
        .env("INFERLOG_BIN", binary(root));
    execute_tests(&mut go, go_line)
}

fn interop_python(root: &Path, venv: &Venv, which: &[&str]) -> Result<Counts, String> {
    let mut pytest = Command::new(venv.python(root));
    pytest
        .args(["-m", "pytest", "-ra", "-p", "no:cacheprovider"])
        .args(which)
        .current_dir(root.join("interop/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("INFERLOG_SERVERS_PYTHON", SERVERS.python(root))
        .env("INFERLOG_BIN", binary(root));
    execute_tests(&mut pytest, pytest_line)
}

/// The cargo that runs this very task, in the checkout's root. In CI the lock file is not touched.
fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    if std::env::var_os("CI").is_some() {
        cargo.arg("--locked");
    }
    cargo
}

fn binary(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    root.join(target).join("debug/inferlog")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_step_needs_comes_before_it() {
        for steps in [core(), interop(), all()] {
            for (position, step) in steps.iter().enumerate() {
                assert!(
                    steps[..position].iter().all(|before| before.name != step.name),
                    "{} twice",
                    step.name
                );
                for need in step.needs {
                    let is_before = steps[..position].iter().any(|before| before.name == *need);
                    assert!(is_before, "{} needs {need}", step.name);
                }
            }
        }
    }
}
