//! Makes sure that what the tests need is there: installs it where it can, and says what to do where it cannot.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::steps::execute;

/// What a Debian package brings.
pub(crate) enum Brings {
    /// A program on the search path.
    Program(&'static str),
    /// A file or folder.
    Path(&'static str),
    /// A file below a folder for each version, so that `Versioned("/usr/lib/postgresql", "bin/initdb")` is met by
    /// `/usr/lib/postgresql/15/bin/initdb`. PostgreSQL's client alone brings the folders, without the server.
    Versioned(&'static str, &'static str),
}

/// A package, and how to see that it is installed.
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) brings: Brings,
}

/// Installs those of the packages whose program or path is missing. As root, or with a `sudo` that asks nothing; otherwise
/// the error names the command to run.
pub(crate) fn ensure(packages: &[Package]) -> Result<(), String> {
    let missing: Vec<&str> = packages.iter().filter(|p| !is_there(&p.brings)).map(|p| p.name).collect();
    if missing.is_empty() {
        println!("there: {}", packages.iter().map(|p| p.name).collect::<Vec<_>>().join(", "));
        return Ok(());
    }
    let by_hand = format!(
        "missing: {0}. Install it (on Debian: `apt-get install {0}`), or run `cargo xtask test core`, which needs less.",
        missing.join(" ")
    );
    if !on_path("apt-get") {
        return Err(by_hand);
    }
    let as_root: &[&str] = match (is_root(), on_path("sudo") && quiet("sudo", &["-n", "true"])) {
        (true, _) => &["apt-get"],
        (false, true) => &["sudo", "-n", "apt-get"],
        (false, false) => return Err(by_hand),
    };
    let apt = |args: &[&str]| {
        let mut words = as_root.iter().chain(args);
        let mut command = Command::new(words.next().unwrap_or(&"apt-get"));
        execute(command.args(words).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    let install = [&["install", "-y", "-q", "--no-install-recommends"], missing.as_slice()].concat();
    apt(&["update", "-q"]).and_then(|()| apt(&install)).map_err(|error| format!("{error}\n{by_hand}"))?;
    match packages.iter().find(|p| !is_there(&p.brings)) {
        Some(package) => {
            Err(format!("{} was installed, but what it should bring is not there", package.name))
        }
        None => Ok(()),
    }
}

/// A virtual environment of Python packages.
pub(crate) struct Venv {
    /// Where it lies, from the checkout's root.
    pub(crate) folder: &'static str,
    /// The list of packages, pinned by hash, from the checkout's root.
    pub(crate) requirements: &'static str,
}

impl Venv {
    pub(crate) fn python(&self, root: &Path) -> PathBuf {
        root.join(self.folder).join("bin/python")
    }
}

/// Makes the virtual environment hold exactly the packages of its list. It is made anew when the list changes, and left
/// alone otherwise.
pub(crate) fn ensure_python(root: &Path, venv: &Venv) -> Result<(), String> {
    let wanted = root.join(venv.requirements);
    let pins = fs::read_to_string(&wanted).map_err(|error| format!("{}: {error}", wanted.display()))?;
    let python = venv.python(root);
    let venv = root.join(venv.folder);
    // Written last: an environment without it was left behind half made.
    let stamp = venv.join("installed-requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|had| had == pins) && runs(&python) {
        println!("there: the packages of {}", wanted.display());
        return Ok(());
    }
    let base = find_python()?;
    if venv.exists() {
        fs::remove_dir_all(&venv).map_err(|error| format!("removing {}: {error}", venv.display()))?;
    }
    if !quiet(base, &["-c", "import ensurepip, venv"]) {
        ensure(&[Package { name: "python3-venv", brings: Brings::Path("/usr/share/doc/python3-venv") }])?;
    }
    execute(Command::new(base).args(["-m", "venv"]).arg(&venv))?;
    let mut install = Command::new(&python);
    install.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--only-binary=:all:",
        "--require-hashes",
        "-r",
    ]);
    execute(install.arg(&wanted))?;
    fs::write(&stamp, pins).map_err(|error| format!("{}: {error}", stamp.display()))
}

/// A Python that MLServer runs on.
fn find_python() -> Result<&'static str, String> {
    const SUPPORTED: &str = "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))";
    let candidates = ["python3", "/usr/bin/python3", "python3.12", "python3.11"];
    if let Some(python) = candidates.into_iter().find(|python| quiet(python, &["-c", SUPPORTED])) {
        return Ok(python);
    }
    if on_path("python3") {
        return Err(
            "MLServer runs on Python 3.11 or 3.12; install one of them beside the one that is here".into()
        );
    }
    ensure(&[
        Package { name: "python3", brings: Brings::Program("python3") },
        Package { name: "python3-venv", brings: Brings::Path("/usr/share/doc/python3-venv") },
    ])?;
    Ok("python3")
}

fn is_there(brings: &Brings) -> bool {
    match brings {
        Brings::Program(program) => on_path(program),
        Brings::Path(path) => Path::new(path).exists(),
        Brings::Versioned(folder, file) => fs::read_dir(folder)
            .is_ok_and(|versions| versions.flatten().any(|version| version.path().join(file).exists())),
    }
}

fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn runs(program: &Path) -> bool {
    program.to_str().is_some_and(|program| quiet(program, &["--version"]))
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

/// Whether a command succeeds; what it prints is dropped.
fn quiet(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_program_and_misses_one() {
        assert!(on_path("sh"));
        assert!(!on_path("no-such-program-anywhere"));
        assert!(quiet("sh", &["-c", "exit 0"]));
        assert!(!quiet("sh", &["-c", "exit 1"]));
    }

    #[test]
    fn a_version_without_the_file_is_not_the_package() {
        let manifest = env!("CARGO_MANIFEST_DIR");
        assert!(is_there(&Brings::Versioned(manifest, "main.rs")), "src/main.rs, as if `src` were a version");
        assert!(
            !is_there(&Brings::Versioned(manifest, "bin/initdb")),
            "folders are there, the file is in none"
        );
        assert!(!is_there(&Brings::Versioned("/no/such/folder", "bin/initdb")));
    }
}
