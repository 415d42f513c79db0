//! The account as Markdown, in GitHub's flavour: contents are fenced so that nothing in them can end the fence, everything else
//! is escaped, the graph is drawn by Mermaid.

use std::fmt::Write as _;

use super::diff::{Diff, Side};
use super::model::{Account, Step};
use super::outline::{Block, Item, Section, Shown, Tone, drawn, outline};
use super::text::whole;
use crate::story::shorten;

/// Characters of one content that are shown.
const CHARS_MAX: usize = 64 << 10;
/// Steps that the graph draws: Mermaid as GitHub runs it takes no more than 500 edges.
const DRAWN_MAX: usize = 150;

impl Account {
    /// The account as Markdown. The same account gives the same text.
    pub fn to_markdown(&self) -> String {
        let mut out = String::new();
        for (number, section) in outline(self).iter().enumerate() {
            if number == 0 {
                let _ = writeln!(out, "# {} `{}`\n", section.title, self.identity.decision);
            } else {
                let _ = writeln!(out, "## {}\n", section.title);
            }
            if section.title == "Steps" {
                graph(&mut out, self);
            }
            blocks(&mut out, section);
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
        out
    }
}

fn blocks(out: &mut String, section: &Section<'_>) {
    for block in &section.blocks {
        match block {
            Block::Facts(facts) => {
                let _ = writeln!(out, "| | |\n| --- | --- |");
                for (name, value, tone) in facts {
                    let _ = writeln!(out, "| {} | {} |", escaped(name), toned(&escaped(value), *tone));
                }
                out.push('\n');
            }
            Block::Items(items) if items.iter().all(is_short) => {
                for item in items {
                    let _ = writeln!(out, "- {}", head(item));
                    for line in &item.lines {
                        let _ = writeln!(out, "  - {}", escaped(line));
                    }
                }
                out.push('\n');
            }
            Block::Items(items) => items.iter().for_each(|one| item(out, one)),
            Block::Note(note) => {
                let _ = writeln!(out, "*{}*\n", escaped(note));
            }
        }
    }
}

fn is_short(item: &Item<'_>) -> bool {
    item.contents.is_empty() && item.diff.is_none()
}

fn head(item: &Item<'_>) -> String {
    let head = toned(&escaped(&item.head), item.tone);
    if item.aside.is_empty() { head } else { format!("{head} — {}", escaped(&item.aside)) }
}

fn toned(text: &str, tone: Tone) -> String {
    if tone == Tone::Bad && !text.is_empty() { format!("**{text}**") } else { text.to_owned() }
}

fn item(out: &mut String, item: &Item<'_>) {
    let _ = writeln!(out, "### {}\n", escaped(&item.head));
    if !item.aside.is_empty() {
        let _ = writeln!(out, "{}\n", escaped(&item.aside));
    }
    for line in &item.lines {
        let _ = writeln!(out, "- {}", escaped(line));
    }
    if !item.lines.is_empty() {
        out.push('\n');
    }
    item.contents.iter().for_each(|content| shown(out, content));
    if let Some(diff) = item.diff {
        differs(out, diff);
    }
}

fn shown(out: &mut String, shown: &Shown<'_>) {
    let state = toned(&escaped(&shown.state), shown.tone);
    let _ = writeln!(out, "`{}` {state}\n", shown.name.replace('`', "'"));
    if let Some(text) = shown.text.as_deref() {
        let language = if shown.media_type == "application/json" { "json" } else { "text" };
        fenced(out, language, &shorten(&drawn(text), CHARS_MAX));
    }
}

fn differs(out: &mut String, diff: &Diff) {
    if diff.lines.is_empty() {
        return;
    }
    let mut text = String::new();
    for line in &diff.lines {
        let sign = match line.side {
            Side::Same => ' ',
            Side::Removed => '-',
            Side::Added => '+',
        };
        let _ = writeln!(text, "{sign}{}", whole(line));
    }
    fenced(out, "diff", text.trim_end_matches('\n'));
}

/// Text in a fence longer than any run of backticks in it (CommonMark 0.31, section 4.5).
fn fenced(out: &mut String, language: &str, text: &str) {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let _ = writeln!(out, "{fence}{language}\n{text}\n{fence}\n");
}

/// Text of others, of which nothing means anything in Markdown: what could is written as an entity (CommonMark 0.31, section 2.5).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in drawn(text).chars() {
        match c {
            '\n' | '\t' => out.push(' '),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '@' | '!'
            | '$' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            // At a line's beginning they make headings and lists; `https://` makes a link.
            '#' | '+' | '-' if out.is_empty() => out.extend(['\\', c]),
            ':' => out.push_str(if text.contains("://") { "&#58;" } else { ":" }),
            _ => out.push(c),
        }
    }
    out
}

fn graph(out: &mut String, account: &Account) {
    let drawn = account.steps.len().min(DRAWN_MAX);
    let mut text = String::from("flowchart TD\n");
    for step in account.steps.iter().take(drawn) {
        let (open, close) = shape(step);
        let _ = writeln!(text, "  s{}{open}\"{}\"{close}", step.number, label(step));
    }
    for edge in account.edges.iter().filter(|edge| edge.from <= drawn && edge.to <= drawn) {
        let arrow = if edge.why == super::model::Why::Part { "-.->" } else { "-->" };
        let _ = writeln!(text, "  s{} {arrow} s{}", edge.from, edge.to);
    }
    fenced(out, "mermaid", text.trim_end());
    if drawn < account.steps.len() {
        let _ = writeln!(out, "*The first {drawn} of {} steps are drawn.*\n", account.steps.len());
    }
}

fn shape(step: &Step) -> (&'static str, &'static str) {
    match step.kind.as_str() {
        "decision.opened" | "decision.joined" | "decision.closed" => ("([", "])"),
        "inference" => ("[[", "]]"),
        "human" => ("{{", "}}"),
        "retrieval" => ("[(", ")]"),
        _ => ("[", "]"),
    }
}

/// A label of which nothing means anything to Mermaid.
fn label(step: &Step) -> String {
    let outcome = step.outcome.as_deref().unwrap_or("");
    let lines = [format!("#{} {}", step.number, step.kind), step.label.clone(), outcome.to_owned()];
    let plain = |line: &String| -> String {
        line.chars()
            .map(|c| match c {
                '#' => "#35;".to_owned(),
                c if c.is_alphanumeric() || " .,_:/@-".contains(c) => c.to_string(),
                _ => "?".to_owned(),
            })
            .collect()
    };
    lines.iter().filter(|line| !line.is_empty()).map(plain).collect::<Vec<_>>().join("<br/>")
}

#[cfg(test)]
mod tests {
    use super::{escaped, fenced};

    #[test]
    fn nothing_ends_a_fence() {
        for text in ["plain", "```\n# heading", "a ````` b", "~~~"] {
            let mut out = String::new();
            fenced(&mut out, "text", text);
            let fence = out.split("text").next().unwrap_or_default().to_owned();
            assert!(fence.len() >= 3 && !text.contains(&fence), "{out}");
            assert_eq!(out, format!("{fence}text\n{text}\n{fence}\n\n"));
        }
    }

    #[test]
    fn text_of_others_means_nothing() {
        assert_eq!(
            escaped("a|b <script> `x` *y*\n- z"),
            "a&#124;b &#60;script&#62; &#96;x&#96; &#42;y&#42; - z"
        );
        assert_eq!(escaped("# x"), "\\# x");
        assert_eq!(escaped("file:///m"), "file&#58;///m");
        assert_eq!(escaped("\u{202e}"), "\\u&#123;202e&#125;".replace('\\', "&#92;"));
    }
}
