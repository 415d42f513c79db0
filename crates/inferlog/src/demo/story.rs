//! How the demo tells what happens.

use std::fmt::Display;
use std::io::{self, Write};

use crate::output::{self, BOLD, DIM, styled};

const INDENT: &str = "   ";
/// Longest line of running text, characters.
const LINE_CHARS_MAX: usize = 120;

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
        for line in line.to_string().lines() {
            writeln!(out, "{}", format!("{INDENT}{line}").trim_end())?;
        }
        Ok(())
    }

    /// Running text, broken into lines.
    pub(super) fn tell(&self, text: &str) -> io::Result<()> {
        let mut line = String::new();
        for word in text.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > LINE_CHARS_MAX {
                self.say(&line)?;
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.say(line)
    }

    /// A command, and what it prints.
    pub(super) fn command(&self, command: impl Display, prints: &str) -> io::Result<()> {
        self.say(styled(DIM, format!("$ {command}")))?;
        self.say(prints.trim_matches('\n'))
    }
}
