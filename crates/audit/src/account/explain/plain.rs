//! The draft as text and as Markdown; JSON of others as readable lines.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Explanation, ExplanationPart};

/// Width of the text, characters.
const WIDTH: usize = 88;
/// Depth of JSON that is put into lines.
const DEPTH_MAX: usize = 12;

/// The draft's title.
pub(super) const TITLE: &str = "Draft of an explanation";

impl Explanation {
    /// The draft as text for a terminal or a letter.
    pub fn to_text(&self) -> String {
        let mut out = format!("{}\nDecision {}\n", TITLE.to_uppercase(), self.decision);
        for (number, section) in (1..).zip(&self.sections) {
            let title = format!("{number}. {}", section.title);
            let _ = writeln!(out, "\n{title}\n{}", "-".repeat(title.chars().count()));
            for part in &section.parts {
                text_part(&mut out, part);
            }
        }
        out
    }

    /// The draft as Markdown.
    pub fn to_markdown(&self) -> String {
        let mut out = format!("# {TITLE}\n\nDecision `{}`\n", self.decision);
        for (number, section) in (1..).zip(&self.sections) {
            let _ = writeln!(out, "\n## {number}. {}", section.title);
            for part in &section.parts {
                let _ = match part {
                    ExplanationPart::Says(text) => writeln!(out, "\n{}", escaped(text)),
                    ExplanationPart::List(items) => {
                        out.push('\n');
                        items.iter().try_for_each(|item| writeln!(out, "- {}", escaped(item)))
                    }
                    ExplanationPart::Blank(text) => writeln!(out, "\n**{}**", escaped(&blank(text))),
                    ExplanationPart::Withheld(text) => writeln!(out, "\n*{}*", escaped(text)),
                    ExplanationPart::Quote(name, text) => {
                        let _ = writeln!(out, "\n{}:\n", escaped(name));
                        visible(text).lines().try_for_each(|line| writeln!(out, "> {}  ", escaped(line)))
                    }
                };
            }
        }
        out
    }
}

/// What only the deployer can say.
pub(super) fn blank(text: &str) -> String {
    format!("[to be completed by the deployer: {text}]")
}

fn text_part(out: &mut String, part: &ExplanationPart) {
    out.push('\n');
    match part {
        ExplanationPart::Says(text) | ExplanationPart::Withheld(text) => wrap(out, &visible(text), "", ""),
        ExplanationPart::Blank(text) => wrap(out, &blank(text), "", ""),
        ExplanationPart::List(items) => {
            items.iter().for_each(|item| wrap(out, &visible(item), "  - ", "    "))
        }
        ExplanationPart::Quote(name, text) => {
            wrap(out, &format!("{name}:"), "", "");
            visible(text).lines().for_each(|line| wrap(out, line, "    | ", "    | "));
        }
    }
}

/// A paragraph in lines.
fn wrap(out: &mut String, text: &str, first: &str, other: &str) {
    let indent = text.len() - text.trim_start().len();
    let mut line = format!("{first}{}", &text[..indent]);
    let mut is_empty = true;
    for word in text.split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(out, "{line}");
            line = format!("{other}{}", &text[..indent]);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    let _ = writeln!(out, "{}", line.trim_end());
}

/// What would change how text is read without being seen, named.
fn visible(text: &str) -> String {
    crate::account::html::escape::visible(text).into_owned()
}

/// Text in which Markdown and HTML find nothing of theirs.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible(text).chars() {
        if "\\`*_{}[]<>#|~&!".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    // At the beginning of a line these begin lists.
    for begin in ["-", "+", "="] {
        if out.trim_start().starts_with(begin) {
            out.insert(out.len() - out.trim_start().len(), '\\');
        }
    }
    out
}

/// JSON as indented lines of names and values, so that people need not read its signs; other text as it is.
pub(super) fn readable(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => {
            let mut out = String::new();
            lines(&mut out, &value, 0);
            out.trim_end().to_owned()
        }
        _ => text.trim().to_owned(),
    }
}

fn lines(out: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    let mut entry = |name: &str, value: &Value| match value {
        Value::Object(_) | Value::Array(_) if depth < DEPTH_MAX => {
            let _ = writeln!(out, "{indent}{name}:");
            lines(out, value, depth + 1);
        }
        Value::String(text) => {
            let _ = writeln!(out, "{indent}{name}: {text}");
        }
        other => {
            let _ = writeln!(out, "{indent}{name}: {other}");
        }
    };
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| entry(&name.replace('_', " "), value))
        }
        Value::Array(items) => (1..).zip(items).for_each(|(number, item)| entry(&number.to_string(), item)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_reads_like_a_list() {
        let json = r#"{"a_b":[{"c":"x"},2],"d":null}"#;
        assert_eq!(readable(json), "a b:\n  1:\n    c: x\n  2: 2\nd: null");
        assert_eq!(readable(" plain "), "plain");
        assert_eq!(readable("42"), "42");
    }

    #[test]
    fn nothing_of_others_is_markdown() {
        assert_eq!(escaped("# <b>[x](y) *z*"), "\\# \\<b\\>\\[x\\](y) \\*z\\*");
        assert_eq!(escaped("- one"), "\\- one");
        assert_eq!(escaped("\u{202e}"), "⟨U+202E⟩");
    }

    #[test]
    fn lines_are_wrapped_between_words() {
        let mut out = String::new();
        wrap(&mut out, &"word ".repeat(40), "- ", "  ");
        assert!(out.lines().all(|line| line.len() <= WIDTH) && out.lines().count() == 3, "{out}");
    }
}
