//! A story for people: what happened, step by step, then what is missing, then the proof.
//!
//! Steps have numbers, which are their places in causal order, and name their causes by them. A decision of several requests is
//! told turn by turn. Unless all is asked for, content is shortened, and what an agent's requests repeat is shown once.

mod content;
mod says;
mod steps;
mod stream;

use std::fmt::Write as _;

use inferlog_record::Timestamp;

use self::steps::Steps;
pub(crate) use self::stream::words;
use super::model::{MissingPart, Story, StoryProof, Summary, Tokens};
use crate::paint::Paint;
use crate::report::KeySource;

/// Missing parts that are listed.
const MISSING_MAX: usize = 20;

/// How a story is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextOptions {
    /// With colours for a terminal.
    pub color: bool,
    /// With every field and all content, however long and often repeated.
    pub full: bool,
}

impl Story {
    /// The story as text. The same story gives the same text.
    pub fn to_text(&self, options: TextOptions) -> String {
        let (mut out, paint) = (String::new(), Paint(options.color));
        head(&mut out, paint, self);
        Steps::new(self, options).write(&mut out);
        missing(&mut out, paint, &self.missing);
        purged(&mut out, paint, self);
        for problem in &self.problems {
            let _ = writeln!(out, "\n{} {problem}", paint.bad("Contradiction:"));
        }
        let _ = writeln!(out, "\n{}", paint.title("Proof"));
        self.proofs.iter().for_each(|one| proof(&mut out, paint, one));
        for place in &self.mentioned_in {
            let log = self.proofs.get(place.log).map_or("", |proof| proof.log.as_str());
            let _ =
                writeln!(out, "  Entry {} of {log} names this decision and is not part of it.", place.index);
        }
        out
    }
}

fn head(out: &mut String, paint: Paint, story: &Story) {
    let _ = writeln!(out, "{} {}", paint.title("Decision"), paint.title(&story.decision.to_string()));
    let mut row = |name: &str, value: String| {
        let _ = writeln!(out, "  {}  {value}", paint.dim(&format!("{name:<8}")));
    };
    row("outcome", outcome(paint, story.outcome.as_deref()));
    if let Some(model) = &story.model {
        let version =
            story.model_version.as_ref().map_or(String::new(), |version| format!(", version {version}"));
        let identity = match story.model_identity.as_deref() {
            Some("exact") => " (names one model exactly)".to_owned(),
            Some("alias") => " (an alias: it may mean another model tomorrow)".to_owned(),
            _ => String::new(),
        };
        row("model", format!("{model}{version}{identity}"));
    }
    let route = story.route.as_ref().map_or(String::new(), |route| format!(", route {route}"));
    row("system", format!("{}{route}", story.system));
    let began = story.started_at.clone();
    let took = since(began.as_deref(), story.ended_at.as_deref());
    row("began", began.unwrap_or_else(|| "unknown".to_owned()));
    if let Some(ended) = &story.ended_at {
        row("ended", took.map_or(ended.clone(), |took| format!("{ended}, after {took}")));
    }
    if !story.subjects.is_empty() {
        row("about", format!("{} (pseudonym)", story.subjects.join(", ")));
    }
    row("in all", in_all(&story.summary));
    if story.states.is_worth_telling() {
        row("contents", story.states.said());
    }
}

/// Entries that may be gone.
fn purged(out: &mut String, paint: Paint, story: &Story) {
    for purged in &story.entries_purged {
        let _ = writeln!(out, "\n{} {}", paint.bad("Purged:"), purged.said());
    }
}

pub(crate) fn in_all(sum: &Summary) -> String {
    let failed = |failed: u64| if failed == 0 { String::new() } else { format!(" ({failed} failed)") };
    let mut parts = Vec::new();
    if sum.turns > 1 {
        parts.push(format!("{} turns", sum.turns));
    }
    parts.push(format!("{}{}", counted(sum.model_calls, "model call"), failed(sum.model_calls_failed)));
    if sum.tool_calls > 0 {
        parts.push(format!("{}{}", counted(sum.tool_calls, "tool call"), failed(sum.tool_calls_failed)));
    }
    parts.extend(tokens(&sum.tokens));
    parts.join(", ")
}

/// `1 piece`, `2 pieces`.
fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Tokens in and out, and what of them was cached and spent on reasoning.
pub(crate) fn tokens(tokens: &Tokens) -> Option<String> {
    let part = |count: Option<u64>, name: &str| match count {
        Some(count) if count > 0 => format!(" ({count} {name})"),
        _ => String::new(),
    };
    let input = tokens.input.map(|n| format!("{n} tokens in{}", part(tokens.cached, "cached")));
    let output = tokens.output.map(|n| format!("{n} out{}", part(tokens.reasoning, "reasoning")));
    let said: Vec<String> = input.into_iter().chain(output).collect();
    (!said.is_empty()).then(|| said.join(", "))
}

pub(crate) fn outcome(paint: Paint, outcome: Option<&str>) -> String {
    match outcome {
        Some("answered") => paint.good("answered"),
        Some(other) => paint.bad(other),
        None => paint.bad("still open"),
    }
}

fn missing(out: &mut String, paint: Paint, missing: &[MissingPart]) {
    if missing.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{}", paint.title("What is missing, and why"));
    // What many events lack alike is said once.
    let mut alike: Vec<(&MissingPart, u64)> = Vec::new();
    for part in missing {
        match alike.iter_mut().find(|(known, _)| known.field == part.field && known.why == part.why) {
            Some((_, count)) => *count += 1,
            None => alike.push((part, 1)),
        }
    }
    for (part, count) in alike.iter().take(MISSING_MAX) {
        let serves = if part.serves.is_empty() {
            String::new()
        } else {
            format!(" [{}: {}]", part.level, articles(&part.serves))
        };
        let times = if *count == 1 { String::new() } else { format!(" ({count} times)") };
        let _ = writeln!(out, "  {}: {}{times}{}", part.field, part.why, paint.dim(&serves));
    }
    if alike.len() > MISSING_MAX {
        let _ = writeln!(out, "  and {} more", alike.len() - MISSING_MAX);
    }
    let legend =
        "M: required by law of the systems it names. R: required by inferlog's own profile. r: recommended.";
    let _ = writeln!(out, "  {}", paint.dim(legend));
}

fn proof(out: &mut String, paint: Paint, proof: &StoryProof) {
    let included = proof.entries.iter().filter(|entry| entry.included).count();
    let all = included == proof.entries.len() && proof.problem.is_none();
    let verdict = format!("{included} of {} entries are in the log", proof.entries.len());
    let verdict = if all { paint.good(&verdict) } else { paint.bad(&verdict) };
    let _ = writeln!(out, "  {verdict} {}", proof.log);
    let _ = writeln!(out, "  under its checkpoint of {} entries, root {}", proof.size, proof.root);
    for signer in &proof.signed_by {
        let whose = match proof.key_from {
            KeySource::Given => "the key you gave",
            KeySource::Directory => {
                "the key in the directory, which proves nothing against somebody who can write there"
            }
        };
        let _ = writeln!(out, "  signed by {signer}\n  ({whose})");
    }
    let problems = proof.entries.iter().filter_map(|entry| Some((entry.index, entry.problem.as_ref()?)));
    for (index, problem) in problems {
        let _ = writeln!(out, "  {}", paint.bad(&format!("entry {index}: {problem}")));
    }
    if let Some(problem) = &proof.problem {
        let _ = writeln!(out, "  {}", paint.bad(problem));
    }
}

/// The time between two moments, in the unit that reads best.
pub(crate) fn since(from: Option<&str>, to: Option<&str>) -> Option<String> {
    let nanos = |text: Option<&str>| text?.parse::<Timestamp>().ok().map(Timestamp::nanos);
    nanos(to)?.checked_sub(nanos(from)?).map(lasted)
}

/// A time, nanoseconds, in the unit that reads best.
pub(crate) fn lasted(passed: u64) -> String {
    let in_unit = |unit: f64, name: &str| format!("{:.1} {name}", passed as f64 / unit);
    match passed {
        0..1_000_000 => in_unit(1e3, "µs"),
        1_000_000..1_000_000_000 => in_unit(1e6, "ms"),
        1_000_000_000..120_000_000_000 => in_unit(1e9, "s"),
        120_000_000_000..7_200_000_000_000 => in_unit(6e10, "min"),
        7_200_000_000_000..172_800_000_000_000 => in_unit(3.6e12, "h"),
        _ => in_unit(8.64e13, "d"),
    }
}

/// At most so many characters, and how many are left out; control characters but for line ends are shown as such.
pub(crate) fn shorten(text: &str, chars_max: usize) -> String {
    let shown: String = text
        .chars()
        .take(chars_max)
        .map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c })
        .collect();
    match text.chars().count().checked_sub(chars_max) {
        Some(left) if left > 0 => format!("{shown}… ({left} characters more)"),
        _ => shown,
    }
}

/// `12(1), 86; GDPR 17` as `Art. 12(1), 86; GDPR Art. 17`.
pub(crate) fn articles(serves: &str) -> String {
    let act = |law: &str| match law.trim() {
        "profile" => "inferlog's profile".to_owned(),
        law => match law.strip_prefix("GDPR ") {
            Some(article) => format!("GDPR Art. {article}"),
            None => format!("Art. {law}"),
        },
    };
    serves.split(';').map(act).collect::<Vec<_>>().join("; ")
}
