//! How the demo tells what happens.

use std::fmt::Display;
use std::io::{self, Write};

use crate::output::{self, BOLD, DIM, Failure, styled};

const INDENT: &str = "   ";

/// Writes chapters, remarks, commands and what they print.
pub(super) struct Story {
    chapter: usize,
}

impl Story {
    pub(super) fn begin(title: &str) -> io::Result<Self> {
        writeln!(output::stdout(), "{}", styled(BOLD, title))?;
        Ok(Self { chapter: 0 })
    }

    pub(super) fn chapter(&mut self, title: &str) -> io::Result<()> {
        self.chapter += 1;
        writeln!(output::stdout(), "\n{}", styled(BOLD, format!("{}  {title}", self.chapter)))
    }

    pub(super) fn last(&self, title: &str) -> io::Result<()> {
        writeln!(output::stdout(), "\n{}", styled(BOLD, title))
    }

    pub(super) fn say(&self, line: impl Display) -> io::Result<()> {
        let mut out = output::stdout();
        line.to_string().lines().try_for_each(|line| writeln!(out, "{INDENT}{line}"))
    }

    /// A command, and what it prints.
    pub(super) fn command(
        &self,
        command: impl Display,
        print: impl FnOnce(&mut Vec<u8>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.say(styled(DIM, format!("$ {command}")))?;
        let mut printed = Vec::new();
        print(&mut printed)?;
        Ok(self.say(String::from_utf8_lossy(&printed))?)
    }
}
