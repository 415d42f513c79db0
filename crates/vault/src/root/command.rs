//! A root key behind a command.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use zeroize::{Zeroize, Zeroizing};

use super::{RootError, RootKey, RootStore};

/// A command that `sh -c` runs with `INFERLOG_ROOT_ACTION` set: `get` writes the line to standard output, `replace` takes
/// the new one from standard input and destroys the old one. An exit status other than zero says that it did not.
/// It is waited for without limit: it must end by itself.
#[derive(Debug)]
pub struct CommandRoot {
    command: String,
}

impl CommandRoot {
    /// The command `command`.
    pub fn new(command: String) -> Self {
        Self { command }
    }

    fn run(&self, action: &str, input: &str) -> Result<Output, RootError> {
        let mut child = Command::new("sh")
            .args(["-c", &self.command])
            .env("INFERLOG_ROOT_ACTION", action)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(RootError::Command)?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command that does not read its input breaks the pipe; its exit status decides.
            let _ = stdin.write_all(input.as_bytes());
        }
        child.wait_with_output().map_err(RootError::Command)
    }

    fn reason(output: &Output) -> String {
        let said = String::from_utf8_lossy(&output.stderr);
        format!("the command ended with {}: {}", output.status, said.trim())
    }
}

impl RootStore for CommandRoot {
    fn get(&self) -> Result<RootKey, RootError> {
        let mut output = self.run("get", "")?;
        if !output.status.success() {
            return Err(RootError::Missing { home: Self::reason(&output) });
        }
        let root = std::str::from_utf8(&output.stdout).ok().and_then(RootKey::parse);
        output.stdout.zeroize();
        root.ok_or_else(|| RootError::Malformed { home: format!("the output of `{}`", self.command) })
    }

    fn create(&self, new: &RootKey) -> Result<RootKey, RootError> {
        match self.get() {
            Err(RootError::Missing { .. }) => {
                self.replace(new)?;
                self.get()
            }
            other => other,
        }
    }

    fn replace(&self, new: &RootKey) -> Result<(), RootError> {
        let line: Zeroizing<String> = new.to_line();
        let output = self.run("replace", &line)?;
        if output.status.success() {
            return Ok(());
        }
        Err(RootError::NotReplaced { reason: Self::reason(&output) })
    }
}
