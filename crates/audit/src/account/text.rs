//! The account for a terminal.

use std::fmt::Write as _;

use super::diff::{Diff, DiffLine, Side};
use super::model::Account;
use super::outline::{Block, Item, Section, Shown, Tone, drawn, outline};
use crate::paint::Paint;
use crate::story::{TextOptions, shorten};

/// Characters of one content that are shown, unless all is asked for.
const CHARS_MAX: usize = 400;
/// Lines of one content, and of one comparison.
const LINES_MAX: usize = 24;
/// Lines around a difference that are shown although they are the same.
const AROUND: usize = 2;

impl Account {
    /// The account as text, a timeline among it. The same account gives the same text.
    pub fn to_text(&self, options: TextOptions) -> String {
        let mut text =
            Text { out: String::new(), paint: Paint(options.color), full: options.full, is_shortened: false };
        for (number, section) in outline(self).iter().enumerate() {
            text.section(section, number == 0, self);
        }
        if text.is_shortened {
            let hint = text
                .paint
                .dim("Not everything is shown: --full shows all content, --format json everything.");
            let _ = writeln!(text.out, "\n{hint}");
        }
        text.out
    }
}

struct Text {
    out: String,
    paint: Paint,
    full: bool,
    is_shortened: bool,
}

impl Text {
    fn line(&mut self, indent: usize, line: &str) {
        let _ = writeln!(self.out, "{}{line}", " ".repeat(indent));
    }

    fn section(&mut self, section: &Section<'_>, is_first: bool, account: &Account) {
        let title = match is_first {
            true => format!("{} {}", section.title, account.identity.decision),
            false => format!("\n{}", section.title),
        };
        let title = title
            .strip_prefix('\n')
            .map_or_else(|| self.paint.title(&title), |title| format!("\n{}", self.paint.title(title)));
        self.line(0, &title);
        for block in &section.blocks {
            match block {
                Block::Facts(facts) => {
                    let width = facts.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
                    for (name, value, tone) in facts {
                        let name = self.paint.dim(&format!("{name:<width$}"));
                        let value = self.toned(&drawn(value), *tone);
                        self.line(2, &format!("{name}  {value}"));
                    }
                }
                Block::Items(items) => items.iter().for_each(|item| self.item(item)),
                Block::Note(note) => {
                    let note = self.paint.dim(&drawn(note));
                    self.line(2, &note);
                }
            }
        }
    }

    fn toned(&self, text: &str, tone: Tone) -> String {
        match tone {
            Tone::Plain => text.to_owned(),
            Tone::Good => self.paint.good(text),
            Tone::Bad => self.paint.bad(text),
            Tone::Quiet => self.paint.dim(text),
        }
    }

    fn item(&mut self, item: &Item<'_>) {
        let head = match item.tone {
            Tone::Plain => self.paint.name(&drawn(&item.head)),
            tone => self.toned(&drawn(&item.head), tone),
        };
        let aside = self.paint.dim(&drawn(&item.aside));
        self.line(2, format!("{head}  {aside}").trim_end());
        for line in &item.lines {
            let line = drawn(line);
            self.line(6, &line);
        }
        item.contents.iter().for_each(|content| self.content(content));
        if let Some(diff) = item.diff {
            self.diff(diff);
        }
    }

    fn content(&mut self, shown: &Shown<'_>) {
        let state = self.toned(&drawn(&shown.state), shown.tone);
        let name = self.paint.name(&drawn(&shown.name));
        self.line(6, &format!("{name}  {state}"));
        let Some(text) = shown.text.as_deref() else { return };
        let (chars_max, lines_max) =
            if self.full { (usize::MAX, usize::MAX) } else { (CHARS_MAX, LINES_MAX) };
        let cut = shorten(&drawn(text), chars_max);
        let lines = cut.lines().count();
        self.is_shortened |= lines > lines_max || text.chars().nth(chars_max).is_some();
        for line in cut.lines().take(lines_max) {
            self.line(8, line);
        }
        if lines > lines_max {
            let more = self.paint.dim(&format!("… {} lines more", lines - lines_max));
            self.line(8, &more);
        }
    }

    fn diff(&mut self, diff: &Diff) {
        let near = near(&diff.lines);
        let mut shown = 0;
        let mut is_gap = false;
        for (line, is_near) in diff.lines.iter().zip(near) {
            if !self.full && (!is_near || shown >= LINES_MAX * 2) {
                self.is_shortened = true;
                is_gap = true;
                continue;
            }
            if std::mem::take(&mut is_gap) {
                let gap = self.paint.dim("⋮");
                self.line(8, &gap);
            }
            shown += 1;
            let line = self.diff_line(line);
            self.line(6, line.trim_end());
        }
    }

    fn diff_line(&self, line: &DiffLine) -> String {
        let sign = match line.side {
            Side::Same => return self.paint.dim(&format!("  {}", whole(line))),
            Side::Removed => "- ",
            Side::Added => "+ ",
        };
        let is_removed = line.side == Side::Removed;
        let mut out = if is_removed { self.paint.bad(sign) } else { self.paint.good(sign) };
        for piece in &line.pieces {
            out.push_str(&self.paint.changed(&drawn(&piece.text), is_removed, piece.differs));
        }
        out
    }
}

/// A line's text.
pub(super) fn whole(line: &DiffLine) -> String {
    drawn(&line.pieces.iter().map(|piece| piece.text.as_str()).collect::<String>())
}

/// Which lines differ, or stand near one that does.
fn near(lines: &[DiffLine]) -> Vec<bool> {
    let differs: Vec<usize> =
        lines.iter().enumerate().filter(|(_, line)| line.side != Side::Same).map(|(at, _)| at).collect();
    (0..lines.len())
        .map(|at| {
            let next = differs.partition_point(|other| *other < at);
            let is_near = |other: Option<&usize>| other.is_some_and(|other| other.abs_diff(at) <= AROUND);
            is_near(differs.get(next)) || is_near(next.checked_sub(1).and_then(|before| differs.get(before)))
        })
        .collect()
}
