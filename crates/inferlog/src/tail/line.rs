//! One event, on one line.

use std::cmp::Ordering;
use std::sync::Arc;

use anstyle::Style;
use inferlog_record::Id;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::output::{BAD, BOLD, DIM, GOOD, styled};
use crate::tail::Wanted;

/// An event, and where it stands.
pub(crate) struct Line {
    origin: Arc<str>,
    index: u64,
    decision: Option<Id>,
    event: Value,
}

#[derive(Deserialize)]
struct Entry {
    decision: Option<Id>,
    events: Vec<Value>,
}

/// Of what an event of each kind speaks first; of the others every simple member is told.
const TOLD: [(&str, &[&str]); 13] = [
    ("decision.opened", &["/route", "/wire", "/context/environment"]),
    ("decision.joined", &["/route", "/wire"]),
    ("inference", &["/model/returned", "/model/version", "/outcome", "/error"]),
    ("retrieval", &["/index", "/index_version", "/outcome", "/error"]),
    ("tool_call", &["/name", "/outcome", "/error"]),
    ("transform", &["/name", "/version", "/outcome", "/error"]),
    ("human", &["/action"]),
    ("label", &["/name", "/origin"]),
    ("decision.closed", &["/outcome", "/error", "/exchange"]),
    ("recorder.started", &["/build", "/last_end"]),
    ("clock", &["/source", "/synchronised"]),
    ("alert", &["/monitor", "/severity", "/statistic"]),
    ("system.changed", &["/aspect", "/old", "/new"]),
];

/// Simple members that are told of other kinds, at most.
const MEMBERS_MAX: usize = 4;

impl Line {
    /// The events of an entry; an event that only continues one of the entry before is none.
    pub(super) fn of_entry(
        origin: &Arc<str>,
        index: u64,
        entry: &[u8],
    ) -> Result<Vec<Self>, serde_json::Error> {
        let Entry { decision, events } = serde_json::from_slice(entry)?;
        let events = events.into_iter().filter(|event| event.get("body").is_some());
        Ok(events.map(|event| Self { origin: origin.clone(), index, decision, event }).collect())
    }

    /// An entry that does not parse.
    pub(super) fn unreadable(origin: &Arc<str>, index: u64, error: &serde_json::Error) -> Self {
        let body = json!({ "entry": index, "error": error.to_string(), "advice": "run `inferlog verify`" });
        Self {
            origin: origin.clone(),
            index,
            decision: None,
            event: json!({ "kind": "unreadable", "body": body }),
        }
    }

    pub(super) fn is(&self, wanted: &Wanted) -> bool {
        (wanted.kinds.is_empty() || wanted.kinds.iter().any(|kind| kind == self.kind()))
            && (wanted.decision.is_none() || wanted.decision == self.decision)
    }

    pub(super) fn by_time(one: &Self, other: &Self) -> Ordering {
        let key = |line: &Self| (line.text("/logged_at").to_owned(), line.origin.clone(), line.index);
        key(one).cmp(&key(other))
    }

    pub(crate) fn to_json(&self) -> Result<String, serde_json::Error> {
        let Self { origin, index, decision, event } = self;
        serde_json::to_string(
            &json!({ "log": &**origin, "index": index, "decision": decision, "event": event }),
        )
    }

    /// Time, system, kind, what it says, and the decision.
    pub(crate) fn to_text(&self) -> String {
        let time = self.text("/logged_at");
        let time = format!("{} {}", time.get(..10).unwrap_or(time), time.get(11..23).unwrap_or_default());
        let decision = self.decision.map_or_else(String::new, |decision| decision.to_string());
        let mut words: Vec<String> = self.told().into_iter().map(word).collect();
        words.extend(self.tokens());
        words.extend(self.took());
        words.extend(self.gone());
        format!(
            "{}  {:<16}  {}  {}  {}",
            styled(DIM, time),
            self.text("/system"),
            styled(BOLD, format!("{:<16}", self.kind())),
            styled(DIM, format!("{decision:36}")),
            words.join(" ")
        )
    }

    fn kind(&self) -> &str {
        self.text("/kind")
    }

    fn text(&self, pointer: &str) -> &str {
        self.event.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    fn told(&self) -> Vec<String> {
        let body = &self.event["body"];
        if let Some((_, pointers)) = TOLD.iter().find(|(kind, _)| *kind == self.kind()) {
            return pointers.iter().filter_map(|pointer| simple(body.pointer(pointer)?)).collect();
        }
        let members = body.as_object().into_iter().flatten();
        let members = members.filter_map(|(name, value)| Some(format!("{name}={}", simple(value)?)));
        members.take(MEMBERS_MAX).collect()
    }

    /// `12→45 tokens`.
    fn tokens(&self) -> Option<String> {
        let usage = self.event.pointer("/body/usage")?;
        let count = |name: &str| usage.get(name).and_then(simple).unwrap_or_else(|| "?".to_owned());
        Some(styled(DIM, format!("{}→{} tokens", count("input"), count("output"))).to_string())
    }

    fn took(&self) -> Option<String> {
        let time = |pointer| self.text(pointer).parse::<inferlog_record::Timestamp>().ok();
        let ns = time("/ended_at")?.nanos().checked_sub(time("/started_at")?.nanos())?;
        Some(styled(DIM, format!("{:.1} ms", ns as f64 / 1e6)).to_string())
    }

    /// Payloads that are not there any more, or were kept out.
    fn gone(&self) -> Option<String> {
        let payloads = self.event["payloads"].as_array()?;
        let is_gone = |payload: &&Value| {
            ["redacted", "erased", "purged"].iter().any(|state| payload["state"] == *state)
        };
        let gone = payloads.iter().filter(is_gone).count();
        (gone > 0).then(|| styled(BAD, format!("{gone} gone")).to_string())
    }
}

fn simple(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// A word in its colour: how something ended stands out.
fn word(word: String) -> String {
    let style = match word.as_str() {
        "answered" | "ok" => GOOD,
        "failed" | "refused" | "aborted" | "interrupted" | "override" | "stop" => BAD,
        _ => Style::new(),
    };
    styled(style, word).to_string()
}
