//! A story for people: what happened on one screen, then what is missing, then the proof.

use std::fmt::Write as _;

use inferlog_record::Timestamp;
use serde_json::Value;

use super::model::{MissingPart, PayloadContent, Story, StoryEvent, StoryPayload, StoryProof};
use crate::paint::Paint;
use crate::report::KeySource;

/// Characters of a payload's content that are shown.
const CONTENT_CHARS_MAX: usize = 400;
/// Missing parts that are listed.
const MISSING_MAX: usize = 20;

impl Story {
    /// The story as text, with colours for a terminal or without. The same story gives the same text.
    pub fn to_text(&self, color: bool) -> String {
        let (mut out, paint) = (String::new(), Paint(color));
        head(&mut out, paint, self);
        let _ = writeln!(out, "\n{}", paint.title("What happened"));
        for (number, event) in self.events.iter().enumerate() {
            step(&mut out, paint, self, number + 1, event);
        }
        missing(&mut out, paint, &self.missing);
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
}

pub(crate) fn outcome(paint: Paint, outcome: Option<&str>) -> String {
    match outcome {
        Some("answered") => paint.good("answered"),
        Some(other) => paint.bad(other),
        None => paint.bad("still open"),
    }
}

fn step(out: &mut String, paint: Paint, story: &Story, number: usize, event: &StoryEvent) {
    let at = story.events.first().and_then(|first| since(Some(&first.logged_at), Some(&event.logged_at)));
    let parts: Vec<String> = std::iter::once(event.place.index)
        .chain(event.continued_in.iter().copied())
        .map(|index| index.to_string())
        .collect();
    let entry = if parts.len() == 1 { "entry" } else { "entries" };
    let _ = writeln!(
        out,
        "  {number}  {:<16}  {}",
        paint.name(&format!("{:<16}", event.kind)),
        paint.dim(&format!(
            "+{}, {entry} {}, serves {}",
            at.unwrap_or_default(),
            parts.join(", "),
            articles(event.serves)
        ))
    );
    let body = serde_json::from_str::<Value>(event.event.get()).unwrap_or_default();
    let mut leaves = Vec::new();
    flatten("", body.get("body").unwrap_or(&Value::Null), &mut leaves);
    if !leaves.is_empty() {
        let _ = writeln!(out, "     {}", leaves.join(", "));
    }
    event.payloads.iter().for_each(|payload| content(out, paint, story, payload));
}

/// `name value` for each value of a body; why a name is absent is told with what is missing.
fn flatten(path: &str, value: &Value, leaves: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members.iter().filter(|(name, _)| *name != "absent") {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, value, leaves);
            }
        }
        Value::Array(items) => {
            let texts: Vec<String> =
                items.iter().map(|item| item.as_str().map_or(item.to_string(), str::to_owned)).collect();
            leaves.push(format!("{path} [{}]", shorten(&texts.join(", "), 120)));
        }
        Value::String(text) => leaves.push(format!("{path} {text}")),
        other => leaves.push(format!("{path} {other}")),
    }
}

fn content(out: &mut String, paint: Paint, story: &Story, payload: &StoryPayload) {
    let name = paint.name(&format!("{:<18}", payload.role));
    let first = payload.first.and_then(|first| {
        let number = story.events.iter().position(|event| event.id == first)?;
        let again = story.events[number].payloads.iter().find(|other| other.payload == payload.payload)?;
        Some(format!("the same as {} of step {}", again.role, number + 1))
    });
    let says = match (first, payload.state.as_str(), &payload.content, &payload.problem) {
        (Some(first), ..) => paint.dim(&first),
        (None, "present", Some(_), _) => {
            paint.dim(&described(payload, "opened, and the content is the one committed to"))
        }
        (None, "present", None, Some(problem)) => paint.bad(&format!("could not be opened: {problem}")),
        (None, "present", None, None) => paint.dim(&described(payload, "sealed")),
        (None, state, ..) => {
            paint.bad(&format!("{}: {}", state.replace('_', " "), payload.reason.as_deref().unwrap_or("")))
        }
    };
    let _ = writeln!(out, "     {name} {says}");
    if payload.first.is_some() {
        return;
    }
    let shown = match &payload.content {
        Some(PayloadContent::Json(json)) => json.get(),
        Some(PayloadContent::Text(text)) => text,
        Some(PayloadContent::Base64(base64)) => base64,
        None => return,
    };
    for line in shorten(shown, CONTENT_CHARS_MAX).lines() {
        let _ = writeln!(out, "       {line}");
    }
}

fn described(payload: &StoryPayload, how: &str) -> String {
    let media_type = payload.media_type.as_deref().unwrap_or("content");
    let size = payload.size.map_or(String::new(), |size| format!(", {size} bytes padded"));
    format!("{media_type}{size}, {how}")
}

fn missing(out: &mut String, paint: Paint, missing: &[MissingPart]) {
    if missing.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{}", paint.title("What is missing, and why"));
    for part in missing.iter().take(MISSING_MAX) {
        let serves = if part.serves.is_empty() {
            String::new()
        } else {
            format!(" [{}: {}]", part.level, articles(&part.serves))
        };
        let _ = writeln!(out, "  {}: {}{}", part.field, part.why, paint.dim(&serves));
    }
    if missing.len() > MISSING_MAX {
        let _ = writeln!(out, "  and {} more", missing.len() - MISSING_MAX);
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
    let passed = nanos(to)?.checked_sub(nanos(from)?)?;
    let in_unit = |unit: f64, name: &str| format!("{:.1} {name}", passed as f64 / unit);
    Some(match passed {
        0..1_000_000 => in_unit(1e3, "µs"),
        1_000_000..1_000_000_000 => in_unit(1e6, "ms"),
        1_000_000_000..120_000_000_000 => in_unit(1e9, "s"),
        _ => in_unit(3.6e12, "h"),
    })
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
