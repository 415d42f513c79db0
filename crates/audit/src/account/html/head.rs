//! The head of the account: what was decided, by which model, when; was it changed, is the record complete, is it proved.

use std::fmt::Write as _;

use super::escape::escape;
use super::marks::{capital, pill};
use super::page::Page;
use super::words;
use crate::account::graph::Tone;
use crate::account::model::{Account, Held};
use crate::account::parts::HumanStep;
use crate::account::verdict::Completeness;
use crate::report::KeySource;

/// Characters of the answer that the head shows.
const ANSWER_CHARS_MAX: usize = 420;

pub(super) fn head(page: &mut Page<'_>) {
    let account = page.account;
    let identity = &account.identity;
    let mut where_from = vec![format!("System {}", identity.system)];
    where_from.extend(identity.route.as_ref().map(|route| format!("route {route}")));
    where_from.extend(account.time.began.as_deref().map(words::moment));
    let _ = writeln!(
        page.out,
        "<header>\n<p class=\"over\">Account of one decision</p>\n<h1>{}</h1>\n<p class=\"under\">{}</p>\n</header>",
        identity.decision,
        escape(&where_from.join(" · "))
    );
    page.out.push_str("<section id=\"verdict\" class=\"verdict\" aria-label=\"In short\">\n<dl>\n");
    let rows = [
        ("Decided", decided(account)),
        ("Model", model(account)),
        ("When", when(account)),
        ("People", people(account)),
        ("Record", record(account)),
        ("Proof", proof(account)),
    ];
    for (name, (mark, more)) in rows {
        let _ = writeln!(page.out, "<div><dt>{name}</dt><dd>{mark}{more}</dd></div>");
    }
    page.out.push_str("</dl>\n");
    for problem in &account.problems {
        let _ =
            writeln!(page.out, "<p class=\"wrong\">The record contradicts itself: {}</p>", escape(problem));
    }
    page.out.push_str("</section>\n");
}

type Row = (String, String);

fn decided(account: &Account) -> Row {
    let outcome = account.identity.outcome.as_deref();
    let tone = match outcome {
        Some("answered") => Tone::Good,
        Some("failed") => Tone::Bad,
        _ => Tone::Caution,
    };
    let mut said = words::spaced(outcome.unwrap_or("still open"));
    if let Some(error) = account.identity.error.as_deref() {
        said.push_str(&format!(": {}", words::spaced(error)));
    }
    let last = |stage: &[Held]| stage.last().cloned();
    let output = &account.output;
    let (shown, name) = match last(&output.r#final) {
        Some(held) => (Some(held), "What the user was shown"),
        None => match last(&output.processed) {
            Some(held) => (Some(held), "The answer after processing"),
            None => (last(&output.raw), "The model’s answer"),
        },
    };
    let quote = shown.and_then(|held| quote(account, &held, name)).unwrap_or_default();
    (pill(tone, &said), quote)
}

/// The beginning of an answer.
fn quote(account: &Account, held: &Held, name: &str) -> Option<String> {
    let content = account.content(held)?;
    let name = escape(name);
    let Some(text) = content.text() else {
        return Some(format!(
            "<p class=\"dim\">{name}: {}</p>",
            escape(&super::marks::why_not(content, account.verdict.opened))
        ));
    };
    let words = crate::account::diff::words_of(content);
    let text = words.as_deref().unwrap_or(text).trim();
    let cut: String = text.chars().take(ANSWER_CHARS_MAX).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    Some(format!(
        "<blockquote dir=\"auto\"><p class=\"dim\">{name}, <a href=\"#output\">#{}</a>:</p><p>{}{more}</p></blockquote>",
        held.step,
        escape(&cut)
    ))
}

fn model(account: &Account) -> Row {
    let Some(last) = account.models.last() else {
        return (pill(Tone::Plain, "no model call is recorded"), String::new());
    };
    let name = last.returned.as_deref().or(last.requested.as_deref()).unwrap_or("a model without a name");
    let (tone, identity) = match last.identity.as_str() {
        "exact" => (Tone::Good, "names one model exactly"),
        "alias" => (Tone::Caution, "an alias: it may mean another model tomorrow"),
        _ => (Tone::Caution, "not known which model"),
    };
    let version = last.version.as_ref().map_or(String::new(), |version| format!(", version {version}"));
    let calls = match account.models.len() {
        1 => String::new(),
        calls => format!("; the last of {calls} model calls"),
    };
    let more = format!("<p><strong>{}</strong>{}{calls}</p>", escape(name), escape(&version));
    (more, pill(tone, identity))
}

fn when(account: &Account) -> Row {
    let time = &account.time;
    let began = time.began.as_deref().map_or("unknown".to_owned(), words::moment);
    let took = match (time.latency_ns, &time.ended) {
        (Some(ns), _) => format!("took {}", words::lasted(ns)),
        (None, Some(ended)) => format!("ended {}", words::moment(ended)),
        (None, None) => "not ended".to_owned(),
    };
    let clock = match time.clocks.last() {
        Some(clock) if clock.synchronised == Some(true) => match clock.max_error_ns {
            Some(error) => format!("clock synchronised, at most {} off", words::lasted(error)),
            None => "clock synchronised".to_owned(),
        },
        Some(clock) if clock.synchronised == Some(false) => "clock not synchronised".to_owned(),
        _ => "state of the clock not recorded".to_owned(),
    };
    (
        format!("<p>{}</p>", escape(&began)),
        format!("<p class=\"dim\">{}</p>", escape(&format!("{took}; {clock}"))),
    )
}

fn people(account: &Account) -> Row {
    let Some(last) = account.humans.last() else {
        return (pill(Tone::Plain, "no human action is recorded"), String::new());
    };
    let mark = pill(Tone::Human, &words::spaced(&last.action));
    let after = last.after.as_ref().and_then(|held| quote(account, held, "Put in its place"));
    let said = format!("<p>{} <a href=\"#people\">#{}</a></p>", escape(&done_by(last)), last.step);
    (mark, said + &after.unwrap_or_default())
}

/// When it was done, and by whom.
pub(super) fn done_by(human: &HumanStep) -> String {
    let day = words::day(&human.logged_at).unwrap_or_else(|| human.logged_at.clone());
    let after = match human.after_end_ns {
        Some(ns) => format!(", {} after the decision", words::lasted(ns)),
        None => ", before the decision ended".to_owned(),
    };
    match &human.reviewer {
        Some(reviewer) => format!("{day}{after}, by {reviewer} (pseudonym)"),
        None => format!("{day}{after}, by somebody whom the record does not name"),
    }
}

fn record(account: &Account) -> Row {
    let verdict = &account.verdict;
    let tone = match verdict.completeness {
        Completeness::Complete | Completeness::CompleteWithExplainedAbsences => Tone::Good,
        Completeness::Incomplete => Tone::Bad,
    };
    let mut said = Vec::new();
    if verdict.by_law > 0 {
        said.push(format!("{} required by law", words::counted(verdict.by_law as u64, "absent item")));
    }
    if verdict.unexplained > 0 {
        said.push(format!("{} without a reason", words::counted(verdict.unexplained as u64, "absent item")));
    }
    if verdict.explained > 0 {
        said.push(format!("{} with a reason", words::counted(verdict.explained as u64, "absent item")));
    }
    if !account.entries_purged.is_empty() {
        said.push("entries of it were purged, or may have been".to_owned());
    }
    if !verdict.opened {
        said.push("contents were not opened".to_owned());
    }
    let more = match said.is_empty() {
        true => String::new(),
        false => format!("<p>{}: <a href=\"#completeness\">which</a></p>", escape(&said.join(", "))),
    };
    (pill(tone, verdict.completeness.words()), more)
}

fn proof(account: &Account) -> Row {
    let proof = &account.proof;
    let entries: usize = proof.logs.iter().map(|log| log.entries.len()).sum();
    let included = proof.logs.iter().flat_map(|log| &log.entries).filter(|entry| entry.included).count();
    let (tone, said) = if proof.proved { (Tone::Good, "proved") } else { (Tone::Bad, "not proved") };
    let mut more = format!(
        "{included} of {} are in the log under a signed checkpoint",
        words::counted(entries as u64, "entry").replace("entrys", "entries")
    );
    if proof.logs.iter().any(|log| log.key_from == KeySource::Directory) {
        more.push_str("; the key came from the directory itself, which proves nothing against somebody who can write there");
    }
    (pill(tone, said), format!("<p>{}: <a href=\"#proof\">how</a></p>", capital(&escape(&more))))
}
