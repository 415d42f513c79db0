//! How two texts differ, by lines and by words within a line.

use inferlog_record::Id;
use serde::Serialize;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::model::Content;
use crate::story::{PayloadContent, words};

/// Texts longer than this are not compared, bytes.
pub const DIFF_BYTES_MAX: usize = 64 << 10;

/// How one content differs from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// What it is between: `raw → processed`.
    pub title: String,
    /// The older content.
    pub from: Id,
    /// The newer one.
    pub to: Id,
    /// What was compared: `text`, or `words of the answer` where one of them is a model server's JSON or stream.
    pub compared: &'static str,
    /// Whether they are the same.
    pub same: bool,
    /// Whether they were too long to compare: then there are no lines.
    pub too_long: bool,
    /// All lines, those that are the same included.
    pub lines: Vec<DiffLine>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiffLine {
    /// Which side has it.
    pub side: Side,
    /// The line, in pieces.
    pub pieces: Vec<DiffPiece>,
}

/// Which side has a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Both.
    Same,
    /// The older one alone.
    Removed,
    /// The newer one alone.
    Added,
}

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiffPiece {
    /// Its text, without the line's end.
    pub text: String,
    /// Whether it is what differs within the line.
    pub differs: bool,
}

/// Compares two contents that were opened; nothing where one of them is not text.
pub(super) fn diff(title: &str, from: (Id, &Content), to: (Id, &Content)) -> Option<Diff> {
    let [old, new] = [from.1, to.1].map(readable);
    let (old, new) = (old?, new?);
    let ((old, new), compared) = match (old.words, new.words) {
        // A model server's answer beside a text: the words of it are what became that text.
        (Some(words), None) if !new.is_json => ((words, new.text), WORDS),
        (None, Some(words)) if !old.is_json => ((old.text, words), WORDS),
        (Some(old), Some(new)) => ((old, new), WORDS),
        _ => ((old.text, new.text), TEXT),
    };
    let mut diff = Diff {
        title: title.to_owned(),
        from: from.0,
        to: to.0,
        compared,
        same: old == new,
        too_long: old.len().max(new.len()) > DIFF_BYTES_MAX,
        lines: Vec::new(),
    };
    if !diff.same && !diff.too_long {
        diff.lines = lines(&old, &new);
    }
    Some(diff)
}

const TEXT: &str = "text";
const WORDS: &str = "words of the answer";

/// A content as a person reads it.
struct Readable {
    text: String,
    is_json: bool,
    /// The words of a model server's answer.
    words: Option<String>,
}

fn readable(content: &Content) -> Option<Readable> {
    match content.content.as_ref()? {
        PayloadContent::Json(json) => {
            let (text, words) = (indented(json.get()), answer(json.get()));
            Some(Readable { text, is_json: true, words })
        }
        PayloadContent::Text(text) => {
            let is_stream =
                matches!(content.media_type.as_deref(), Some("text/event-stream" | "application/x-ndjson"));
            let words = if is_stream { words(text) } else { None };
            Some(Readable { text: text.clone(), is_json: is_stream, words })
        }
        PayloadContent::Base64(_) => None,
    }
}

/// The words of an answer in the JSON of a model server, of its first choice: chat and text completions, Responses, Messages,
/// Ollama's chat and generate.
fn answer(json: &str) -> Option<String> {
    let json: Value = serde_json::from_str(json).ok()?;
    let choice = &json["choices"][0];
    let plain =
        [&choice["message"]["content"], &choice["text"], &json["message"]["content"], &json["response"]];
    if let Some(text) = plain.into_iter().find_map(Value::as_str) {
        return Some(text.to_owned());
    }
    let texts = |blocks: &Value| -> Option<String> {
        let texts: Vec<&str> = blocks.as_array()?.iter().filter_map(|block| block["text"].as_str()).collect();
        (!texts.is_empty()).then(|| texts.concat())
    };
    let outputs = || json["output"].as_array()?.iter().find_map(|item| texts(&item["content"]));
    texts(&json["content"]).or_else(outputs)
}

/// The words of a model server's answer, where a content is one.
pub(super) fn words_of(content: &Content) -> Option<String> {
    readable(content)?.words
}

/// JSON over several lines, every token as it stands.
pub(super) fn indented(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut last = ' ';
    let mut chars = json.chars().peekable();
    while let Some(c) = chars.next() {
        if in_string {
            out.push(c);
            (in_string, escaped) = (escaped || c != '"', c == '\\' && !escaped);
            last = c;
            continue;
        }
        match c {
            ' ' | '\t' | '\r' | '\n' => continue,
            '{' | '[' => {
                out.push(c);
                depth += 1;
                while chars.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                if !matches!(chars.peek(), Some('}' | ']')) {
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                if !matches!(last, '{' | '[') {
                    line(&mut out, depth);
                }
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => {
                in_string = c == '"';
                out.push(c);
            }
        }
        last = c;
    }
    out
}

/// Indentation beyond this many levels is not drawn.
const DEPTH_MAX: usize = 32;

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    (0..depth.min(DEPTH_MAX)).for_each(|_| out.push_str("  "));
}

fn lines(old: &str, new: &str) -> Vec<DiffLine> {
    let compared = TextDiff::from_lines(old, new);
    let mut lines = Vec::new();
    for op in compared.ops() {
        for change in compared.iter_inline_changes(op) {
            let side = match change.tag() {
                ChangeTag::Equal => Side::Same,
                ChangeTag::Delete => Side::Removed,
                ChangeTag::Insert => Side::Added,
            };
            let pieces = change.values().iter().map(|(differs, text)| DiffPiece {
                text: text.trim_end_matches(['\n', '\r']).to_owned(),
                differs: *differs,
            });
            let pieces = pieces.filter(|piece| !piece.text.is_empty()).collect();
            lines.push(DiffLine { side, pieces });
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{Side, answer, indented, lines};

    #[test]
    fn json_is_set_on_lines_and_keeps_every_token() {
        for (json, expected) in [
            (
                r#"{"a":[1.50,"x, {y}\"",{}],"b":[]}"#,
                "{\n  \"a\": [\n    1.50,\n    \"x, {y}\\\"\",\n    {}\n  ],\n  \"b\": []\n}",
            ),
            ("12345678901234567890", "12345678901234567890"),
            (r#"[ { } , [ ] , "\\" ]"#, "[\n  {},\n  [],\n  \"\\\\\"\n]"),
        ] {
            assert_eq!(indented(json), expected);
        }
    }

    #[test]
    fn the_words_of_an_answer_are_found() {
        for (json, expected) in [
            (r#"{"choices":[{"message":{"content":"yes"}}]}"#, Some("yes")),
            (r#"{"choices":[{"text":"yes"}]}"#, Some("yes")),
            (r#"{"content":[{"type":"text","text":"y"},{"type":"text","text":"es"}]}"#, Some("yes")),
            (r#"{"output":[{"type":"reasoning"},{"content":[{"text":"yes"}]}]}"#, Some("yes")),
            (r#"{"response":"yes"}"#, Some("yes")),
            (r#"{"outputs":[{"data":[1]}]}"#, None),
            ("3", None),
        ] {
            assert_eq!(answer(json).as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn lines_and_words_that_differ_are_marked() {
        let lines = lines("a\nthe loan is declined\n", "a\nthe loan is granted\n");
        let sides: Vec<Side> = lines.iter().map(|line| line.side).collect();
        assert_eq!(sides, [Side::Same, Side::Removed, Side::Added]);
        let marked = |at: usize| -> Vec<&str> {
            let pieces = lines[at].pieces.iter().filter(|piece| piece.differs);
            pieces.map(|piece| piece.text.as_str()).collect()
        };
        assert_eq!((marked(1), marked(2)), (vec!["declined"], vec!["granted"]));
    }
}
