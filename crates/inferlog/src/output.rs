//! What a command writes for people, and how it fails.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget};

/// Headings and names.
pub(crate) const BOLD: Style = Style::new().bold();
/// What matters less.
pub(crate) const DIM: Style = Style::new().dimmed();
/// What is well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What is not.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();

/// Standard output. Styles are dropped unless it is a terminal (or `CLICOLOR_FORCE` is set), and by `NO_COLOR`.
pub(crate) fn stdout() -> impl Write {
    anstream::AutoStream::auto(io::stdout()).lock()
}

/// Standard error, likewise.
pub(crate) fn stderr() -> impl Write {
    anstream::AutoStream::auto(io::stderr()).lock()
}

/// Whether somebody watches standard error, who would like to see progress.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Progress on standard error, if somebody watches it: a spinner with a message, until it has a length.
pub(crate) fn progress(message: String) -> ProgressBar {
    let target = if is_watched() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(None, target).with_message(message);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Text in a style.
pub(crate) fn styled(style: Style, text: impl fmt::Display) -> impl fmt::Display {
    struct Styled<T>(Style, T);
    impl<T: fmt::Display> fmt::Display for Styled<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}", self.0)?;
            self.1.fmt(f)?;
            write!(f, "{:#}", self.0)
        }
    }
    Styled(style, text)
}

/// `1 decision`, `2 decisions`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// How a command ended, as its exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// 0: done, and all is well.
    Well,
    /// 1: done, and the answer is no: a fault was found, a proof does not hold.
    No,
}

/// Why a command could not do what it was asked: exit status 2, as for a wrong command line.
///
/// Any error converts into one; its causes are told too.
pub(crate) struct Failure {
    what: String,
    broken_pipe: bool,
    unknown: Option<&'static str>,
}

impl Failure {
    /// Says what happened and what to do.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), broken_pipe: false, unknown: None }
    }

    /// Says that what an id names is not there; `code` says so in answers over HTTP.
    pub(crate) fn unknown(code: &'static str, what: impl Into<String>) -> Self {
        Self { unknown: Some(code), ..Self::new(what) }
    }

    /// The code, if what an id names is not there.
    pub(crate) fn unknown_code(&self) -> Option<&'static str> {
        self.unknown
    }

    /// Whether the reader of the output went away: it has seen enough, as `head` does.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        self.broken_pipe
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut what = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let said = error.to_string();
            // Errors that are transparent, or that quote their cause, have said it already.
            if !what.contains(&said) {
                what.push_str(": ");
                what.push_str(&said);
            }
            cause = error.source();
        }
        let io = (&error as &dyn std::error::Error).downcast_ref::<io::Error>();
        let broken_pipe = io.is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe);
        Self { broken_pipe, ..Self::new(what) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_tells_each_cause_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot open the log")]
        struct Outer(#[source] io::Error);
        let failure = Failure::from(Outer(io::Error::other("no space")));
        assert_eq!(failure.to_string(), "cannot open the log: no space");
        assert!(!failure.is_broken_pipe());
        assert_eq!(Failure::from(io::Error::other("no space")).to_string(), "no space");
        assert!(Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)).is_broken_pipe());
    }
}
