//! What the rules look at: the checkout's files as git sees them, and the workspace as cargo sees it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The checkout.
pub(super) struct Tree {
    pub(super) root: PathBuf,
    /// Files that are tracked, or would be: relative, with `/`, sorted.
    pub(super) files: Vec<String>,
    /// `cargo metadata`, dependencies included.
    pub(super) metadata: Value,
}

impl Tree {
    pub(super) fn open(root: &Path) -> Result<Tree, String> {
        let root = root.canonicalize().map_err(|error| format!("{}: {error}", root.display()))?;
        let listed = output(Command::new("git").current_dir(&root).args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]))?;
        let mut files: Vec<String> = listed
            .split('\0')
            .filter(|file| !file.is_empty() && root.join(file).is_file())
            .map(str::to_owned)
            .collect();
        files.sort();
        files.dedup();
        // Dependencies of every platform, so that none escapes the licence check.
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let metadata = output(Command::new(cargo).current_dir(&root).args([
            "metadata",
            "--format-version",
            "1",
            "--all-features",
            "--locked",
        ]))?;
        let metadata = serde_json::from_str(&metadata).map_err(|error| format!("cargo metadata: {error}"))?;
        Ok(Tree { root, files, metadata })
    }

    /// The text of a file, or `None` if it is binary.
    pub(super) fn text(&self, file: &str) -> Result<Option<String>, String> {
        let bytes = fs::read(self.root.join(file)).map_err(|error| format!("{file}: {error}"))?;
        Ok(String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')))
    }

    /// Files with one of these endings.
    pub(super) fn with_ending<'a>(&'a self, endings: &'a [&str]) -> impl Iterator<Item = &'a str> {
        let ends = |file: &&str| endings.iter().any(|ending| file.ends_with(ending));
        self.files.iter().map(String::as_str).filter(ends)
    }

    /// Every package, the registry's too.
    pub(super) fn packages(&self) -> impl Iterator<Item = &Value> {
        array(&self.metadata["packages"]).iter()
    }

    /// The workspace's own packages.
    pub(super) fn members(&self) -> impl Iterator<Item = &Value> {
        self.packages().filter(|package| package["source"].is_null())
    }

    /// A path below the root as the files are listed.
    pub(super) fn relative(&self, path: &str) -> String {
        let path = Path::new(path);
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().into_owned()
    }
}

/// The elements of a JSON array; none if it is not one.
pub(super) fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A JSON string; empty if it is not one.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn output(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("cannot run {name}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{name} failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("{name}: {error}"))
}
