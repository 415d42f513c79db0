//! The steps, each with what it says and speaks of.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Item, Shown, Tone};
use crate::account::model::{Account, Content, Held, Step, Why};
use crate::story::states::{taken_out, told};
use crate::story::{lasted, tokens, words};

/// Every step in causal order.
pub(super) fn steps(account: &Account) -> Vec<Item<'_>> {
    let details = Details::of(account);
    let mut causes: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for edge in &account.edges {
        let arrow = if edge.why == Why::Part { "part of " } else { "← " };
        causes.entry(edge.to).or_default().push(format!("{arrow}#{}", edge.from));
    }
    account
        .steps
        .iter()
        .map(|step| {
            let mut aside: Vec<String> = step.offset_ns.map(offset).into_iter().collect();
            aside.extend(step.took_ns.filter(|ns| *ns > 0).map(|ns| format!("took {}", lasted(ns))));
            aside.extend(causes.remove(&step.number).unwrap_or_default());
            aside.push(place(step));
            Item {
                head: head(step),
                tone: tone(step),
                aside: aside.join(", "),
                lines: details.lines.get(&step.number).cloned().unwrap_or_default(),
                contents: step.holds.iter().filter_map(|held| details.shown(account, held)).collect(),
                diff: None,
            }
        })
        .collect()
}

fn head(step: &Step) -> String {
    let label = if step.label.is_empty() { String::new() } else { format!(" {}", step.label) };
    let error = step.error.as_ref().map_or(String::new(), |error| format!(" ({})", error.replace('_', " ")));
    let outcome = step
        .outcome
        .as_ref()
        .map_or(String::new(), |outcome| format!(": {}{error}", outcome.replace('_', " ")));
    let late = if step.late { ", after the end" } else { "" };
    format!("#{} {}{label}{outcome}{late}", step.number, step.kind)
}

fn tone(step: &Step) -> Tone {
    match (step.kind.as_str(), step.outcome.as_deref()) {
        ("human", _) | (_, None) => Tone::Plain,
        (_, Some("ok" | "answered")) => Tone::Good,
        (_, Some(_)) => Tone::Bad,
    }
}

fn offset(ns: i64) -> String {
    format!("{}{}", if ns < 0 { "−" } else { "+" }, lasted(ns.unsigned_abs()))
}

fn place(step: &Step) -> String {
    let entries: Vec<String> = step.proof.entries.iter().map(ToString::to_string).collect();
    let entry = if entries.len() == 1 { "entry" } else { "entries" };
    let proved = if step.proof.included { "" } else { ", not proved" };
    format!("{entry} {}{proved}", entries.join(" "))
}

/// What the sections say of steps.
#[derive(Default)]
struct Details {
    lines: BTreeMap<usize, Vec<String>>,
    /// Names of contents that a role does not tell apart: documents by their rank.
    names: BTreeMap<(usize, inferlog_record::Id), String>,
}

impl Details {
    fn of(account: &Account) -> Self {
        let mut details = Self::default();
        details.calls(account);
        details.retrievals(account);
        for transform in &account.transforms {
            let stage = transform.stage.as_ref().map(|stage| format!("{stage}-processing"));
            details.add(transform.step, vec![stage]);
        }
        for step in account.steps.iter().filter(|step| !step.redactions.is_empty()) {
            details.add(step.number, vec![Some(format!("taken out: {}", taken_out(&step.redactions)))]);
        }
        for label in &account.labels {
            let about = label.about.map(|about| format!("about #{about}"));
            details.add(label.step, vec![about, Some(label.logged_at.clone())]);
        }
        for human in &account.humans {
            let by = human.reviewer.as_ref().map(|by| format!("by {by} (pseudonym)"));
            details.add(human.step, vec![by, Some(human.logged_at.clone())]);
        }
        details
    }

    fn add(&mut self, step: usize, parts: Vec<Option<String>>) {
        let line = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
        if !line.is_empty() {
            self.lines.entry(step).or_default().push(line);
        }
    }

    /// Calls of models and of tools.
    fn calls(&mut self, account: &Account) {
        for call in &account.models {
            let first_byte = call.time_to_first_byte_ns.map(|ns| format!("first byte after {}", lasted(ns)));
            let how = vec![
                named("finish", call.finish_reason.as_ref()),
                call.status.map(|status| format!("status {status}")),
                call.stream.filter(|stream| *stream).map(|_| "streamed".to_owned()),
                first_byte,
            ];
            self.add(call.step, how);
            self.add(call.step, vec![tokens(&call.tokens)]);
        }
        for tool in &account.tools {
            let how = vec![
                named("version", tool.version.as_ref()),
                tool.attempt.map(|attempt| format!("attempt {attempt}")),
                tool.latency_ns.map(|ns| format!("back after {}", lasted(ns))),
            ];
            self.add(tool.step, how);
        }
    }

    fn retrievals(&mut self, account: &Account) {
        for found in &account.retrievals {
            let listed = match found.total {
                Some(total) => format!("{} of {total} documents", found.documents.len()),
                None => format!("{} documents", found.documents.len()),
            };
            let digest =
                found.digest.as_deref().map(|digest| format!("index digest {}", super::lines::short(digest)));
            self.add(found.step, vec![named("source", found.source.as_ref()), digest, Some(listed)]);
            for document in &found.documents {
                let score = document
                    .score_millionths
                    .map_or(String::new(), |score| format!(", score {}", score as f64 / 1e6));
                let name = format!("document {}{score}", document.rank);
                self.names.insert((found.step, document.payload.payload), name);
            }
        }
    }

    fn shown<'a>(&self, account: &'a Account, held: &Held) -> Option<Shown<'a>> {
        let mut shown = shown(account, held, false)?;
        if let Some(name) = self.names.get(&(held.step, held.payload)) {
            shown.name.clone_from(name);
        }
        Some(shown)
    }
}

fn named(name: &str, value: Option<&String>) -> Option<String> {
    value.map(|value| format!("{name} {}", value.replace('_', " ")))
}

/// What keeps a content that is there.
fn kept(content: &Content) -> String {
    let kept = content.kept_by();
    if kept.is_empty() { String::new() } else { format!(", {} {}", content.mark(), kept.join("; ")) }
}

/// A content as a step shows it; `again`: also where another step recorded it.
pub(super) fn shown<'a>(account: &'a Account, held: &Held, again: bool) -> Option<Shown<'a>> {
    let content = account.content(held)?;
    let media_type = content.media_type.as_deref().unwrap_or("");
    let elsewhere = content.recorded_by.filter(|step| *step != held.step && !again);
    let size = content.size.map_or(String::new(), |size| format!(", {size} bytes padded"));
    let (state, tone) = match (content.state.as_str(), elsewhere, &content.problem, &content.content) {
        ("present", Some(step), ..) => (format!("the same as in #{step}"), Tone::Quiet),
        ("present", None, Some(problem), _) => (format!("could not be opened: {problem}"), Tone::Bad),
        ("present", None, None, None) => {
            (format!("{media_type}{size}, sealed{}", kept(content)), Tone::Quiet)
        }
        ("present", None, None, Some(_)) => (format!("{media_type}, verified{}", kept(content)), Tone::Quiet),
        (state, ..) => (format!("{} {}", content.mark(), told(state, &content.why())), Tone::Bad),
    };
    // A stream is read by its words.
    let is_stream = matches!(media_type, "text/event-stream" | "application/x-ndjson");
    let text = content.text().filter(|_| elsewhere.is_none());
    let said = text.filter(|_| is_stream).and_then(words);
    let state = if said.is_some() { format!("{state}, in words") } else { state };
    let text = said.map(Cow::Owned).or(text.map(Cow::Borrowed));
    Some(Shown { name: held.role.clone(), state, tone, media_type, text })
}
