//! This process's own log: structured, on standard error, without anybody's content.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing_subscriber::filter::LevelFilter;

/// The form of a process's own log, on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogForm {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// One line of text an event.
    Text,
    /// One JSON object an event.
    Json,
}

/// The environment variable that sets the level: `error`, `warn`, `info`, `debug`, `trace` or `off`.
const LEVEL_VARIABLE: &str = "INFERLOG_LOG";

/// Begins to write the log of this process, at the level `info` unless the environment says otherwise.
pub(crate) fn init(form: LogForm) {
    init_at(form, LevelFilter::INFO);
}

/// The same for a command whose output is for people: warnings alone.
pub(crate) fn init_quiet() {
    init_at(LogForm::Text, LevelFilter::WARN);
}

fn init_at(form: LogForm, default: LevelFilter) {
    let level = std::env::var(LEVEL_VARIABLE).ok().and_then(|level| level.parse().ok()).unwrap_or(default);
    let is_terminal = io::stderr().is_terminal();
    let colours = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let log = tracing_subscriber::fmt().with_writer(io::stderr).with_max_level(level).with_ansi(colours);
    match (form, is_terminal) {
        (LogForm::Json, _) | (LogForm::Auto, false) => log.json().flatten_event(true).init(),
        (LogForm::Text, _) | (LogForm::Auto, true) => log.with_target(false).init(),
    }
}
