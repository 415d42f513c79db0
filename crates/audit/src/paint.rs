//! Colours for a terminal, or none.

use anstyle::{AnsiColor, Style};

/// Paints if asked to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint(pub(crate) bool);

impl Paint {
    pub(crate) fn title(self, text: &str) -> String {
        self.with(Style::new().bold(), text)
    }

    pub(crate) fn name(self, text: &str) -> String {
        self.with(AnsiColor::Cyan.on_default(), text)
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.with(AnsiColor::Green.on_default(), text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.with(AnsiColor::Red.on_default(), text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.with(Style::new().dimmed(), text)
    }

    /// Text that was removed or added; `differs` for the very words that make the difference.
    pub(crate) fn changed(self, text: &str, is_removed: bool, differs: bool) -> String {
        let color = if is_removed { AnsiColor::Red } else { AnsiColor::Green };
        let style = color.on_default();
        self.with(if differs { style.bold().underline() } else { style }, text)
    }

    fn with(self, style: Style, text: &str) -> String {
        if self.0 && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}
