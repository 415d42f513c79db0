//! Two answers of a model held against each other: the recorded one and the one given to the same input now.
//!
//! JSON is compared value by value. Members that change with every answer are passed over ([`VOLATILE`]); names of the model must
//! be the same ([`EXACT`]); numbers may differ by a tolerance, and prose, which is text of three words and more, by a similarity.
//! All else must be equal. A text that is JSON itself is compared as such. What is not JSON is one text, or bytes.

use serde::Serialize;
use serde_json::Value;
use similar::{Algorithm, TextDiff};

use super::model::ReplayResult;

/// Members that say nothing of the answer: ids, times, counts of tokens, the server's configuration. `*` is any item.
pub const VOLATILE: &[&str] = &[
    "/id",
    "/created",
    "/created_at",
    "/completed_at",
    "/usage",
    "/system_fingerprint",
    "/service_tier",
    "/choices/*/message/tool_calls/*/id",
    "/content/*/id",
    "/output/*/id",
    "/output/*/call_id",
    "/total_duration",
    "/load_duration",
    "/prompt_eval_count",
    "/prompt_eval_duration",
    "/eval_count",
    "/eval_duration",
];

/// Members that must be the same whatever tolerance was asked for: names of the model.
pub const EXACT: &[&str] = &["/model", "/model_name", "/model_version"];

/// Differences that are told one by one.
pub const DIFFERENCES_TOLD_MAX: usize = 12;
/// Characters of a value that a difference quotes.
const QUOTED_CHARS_MAX: usize = 160;
/// Text longer than this is compared by lines, not by words, bytes.
const WORDS_BYTES_MAX: usize = 64 << 10;
/// Words that make a text prose.
const PROSE_WORDS: usize = 3;

/// What counts as the same answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// How much two numbers may differ, relative to the larger one; absolute, where both are below 1.
    pub tolerance: f64,
    /// How similar prose must be, 0 to 1.
    pub similarity: f64,
    /// JSON pointers (RFC 6901) of further members to pass over; `*` is any item.
    pub ignored: Vec<String>,
}

impl Default for Comparison {
    fn default() -> Self {
        Self { tolerance: 1e-6, similarity: 1.0, ignored: Vec::new() }
    }
}

/// One value that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where: a JSON pointer; empty for the whole.
    pub at: String,
    /// The value in the record, cut where it is long.
    pub recorded: String,
    /// The value now.
    pub replayed: String,
}

/// What came of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// In a word, with how far they are apart.
    pub result: ReplayResult,
    /// The first values that differ by more than was asked for.
    pub differences: Vec<Difference>,
}

/// Compares two answers.
pub fn compare(recorded: &[u8], replayed: &[u8], comparison: &Comparison) -> Compared {
    if recorded == replayed {
        return Compared { result: ReplayResult::Same { bytes: true }, differences: Vec::new() };
    }
    let mut state = State { comparison, largest: 0.0, similarity: 1.0, values: 0, differences: Vec::new() };
    let json = |bytes| serde_json::from_slice::<Value>(bytes).ok();
    match (json(recorded), json(replayed)) {
        (Some(recorded), Some(replayed)) => state.value(&mut Vec::new(), &recorded, &replayed),
        _ => match [recorded, replayed].map(std::str::from_utf8) {
            [Ok(recorded), Ok(replayed)] => state.text(&mut Vec::new(), recorded, replayed),
            _ => state.differ(&[], &bytes(recorded), &bytes(replayed)),
        },
    }
    state.end()
}

struct State<'a> {
    comparison: &'a Comparison,
    largest: f64,
    similarity: f64,
    values: u64,
    differences: Vec<Difference>,
}

impl State<'_> {
    fn value(&mut self, at: &mut Vec<String>, recorded: &Value, replayed: &Value) {
        if recorded == replayed || is_among(at, VOLATILE) || is_among(at, &self.comparison.ignored) {
            return;
        }
        match (recorded, replayed) {
            (Value::Object(one), Value::Object(other)) => {
                let added = other.keys().filter(|name| !one.contains_key(*name));
                for name in one.keys().chain(added) {
                    let [one, other] = [one, other].map(|object| object.get(name).unwrap_or(&Value::Null));
                    self.at(at, name.clone(), |state, at| state.value(at, one, other));
                }
            }
            (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
                for (index, (one, other)) in one.iter().zip(other).enumerate() {
                    self.at(at, index.to_string(), |state, at| state.value(at, one, other));
                }
            }
            (Value::Array(one), Value::Array(other)) => {
                let [one, other] = [one, other].map(|items| format!("{} items", items.len()));
                self.differ(at, &one, &other);
            }
            (Value::Number(one), Value::Number(other)) => match (one.as_f64(), other.as_f64()) {
                (Some(one), Some(other)) => self.number(at, one, other),
                _ => self.differ(at, &one.to_string(), &other.to_string()),
            },
            (Value::String(one), Value::String(other)) => self.text(at, one, other),
            _ => self.differ(at, &recorded.to_string(), &replayed.to_string()),
        }
    }

    fn at(&mut self, at: &mut Vec<String>, name: String, visit: impl FnOnce(&mut Self, &mut Vec<String>)) {
        at.push(name);
        visit(self, at);
        at.pop();
    }

    fn number(&mut self, at: &[String], recorded: f64, replayed: f64) {
        let distance = (recorded - replayed).abs() / recorded.abs().max(replayed.abs()).max(1.0);
        self.largest = self.largest.max(distance);
        if distance > self.comparison.tolerance {
            self.differ(at, &recorded.to_string(), &replayed.to_string());
        }
    }

    fn text(&mut self, at: &mut Vec<String>, recorded: &str, replayed: &str) {
        if is_among(at, EXACT) {
            return self.differ(at, recorded, replayed);
        }
        if let [Some(recorded), Some(replayed)] = [recorded, replayed].map(structure) {
            return self.value(at, &recorded, &replayed);
        }
        if !is_prose(recorded) || !is_prose(replayed) {
            return self.differ(at, recorded, replayed);
        }
        let ratio = ratio(recorded, replayed);
        self.similarity = self.similarity.min(ratio);
        if ratio < self.comparison.similarity {
            self.differ(at, recorded, replayed);
        }
    }

    fn differ(&mut self, at: &[String], recorded: &str, replayed: &str) {
        self.values += 1;
        if self.differences.len() < DIFFERENCES_TOLD_MAX {
            let (recorded, replayed) = quoted(recorded, replayed);
            self.differences.push(Difference { at: pointer(at), recorded, replayed });
        }
    }

    fn end(self) -> Compared {
        let Self { largest, similarity, values, differences, .. } = self;
        let result = match values {
            0 if largest == 0.0 && similarity == 1.0 => ReplayResult::Same { bytes: false },
            0 => ReplayResult::WithinTolerance { largest, similarity },
            values => ReplayResult::Different { values, largest, similarity },
        };
        Compared { result, differences }
    }
}

/// Whether a place is one of these: item by item, `*` is any.
fn is_among<T: AsRef<str>>(at: &[String], pointers: &[T]) -> bool {
    pointers.iter().any(|pointer| {
        let mut parts = pointer.as_ref().split('/').skip(1);
        at.iter().all(|name| parts.next().is_some_and(|part| part == "*" || part == escaped(name)))
            && parts.next().is_none()
    })
}

fn pointer(at: &[String]) -> String {
    at.iter().map(|name| format!("/{}", escaped(name))).collect()
}

/// A part of a JSON pointer (RFC 6901, section 3).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// JSON that a text is, where it is more than a word: arguments of a tool, say.
fn structure(text: &str) -> Option<Value> {
    serde_json::from_str::<Value>(text).ok().filter(|value| value.is_object() || value.is_array())
}

fn is_prose(text: &str) -> bool {
    text.split_whitespace().nth(PROSE_WORDS - 1).is_some()
}

/// How similar two texts are: twice the words they have in common, through all their words.
fn ratio(one: &str, other: &str) -> f64 {
    let mut differ = TextDiff::configure();
    differ.algorithm(Algorithm::Myers);
    let ratio = match one.len().max(other.len()) <= WORDS_BYTES_MAX {
        true => differ.diff_words(one, other).ratio(),
        false => differ.diff_lines(one, other).ratio(),
    };
    f64::from(ratio)
}

/// Both values from a little before the place where they begin to differ.
fn quoted(recorded: &str, replayed: &str) -> (String, String) {
    const BEFORE: usize = 24;
    let common = recorded.chars().zip(replayed.chars()).take_while(|(one, other)| one == other).count();
    let skipped = if recorded.chars().count().max(replayed.chars().count()) > QUOTED_CHARS_MAX {
        common.saturating_sub(BEFORE)
    } else {
        0
    };
    let quote = |text: &str| {
        let left: String = text.chars().skip(skipped).take(QUOTED_CHARS_MAX).collect();
        let before = if skipped > 0 { "…" } else { "" };
        let after = if text.chars().nth(skipped + QUOTED_CHARS_MAX).is_some() { "…" } else { "" };
        format!("{before}{left}{after}")
    };
    (quote(recorded), quote(replayed))
}

fn bytes(bytes: &[u8]) -> String {
    format!("{} bytes", bytes.len())
}
