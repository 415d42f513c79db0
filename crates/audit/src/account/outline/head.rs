//! What is said first: the verdict, the outcome, the time.

use super::Tone;
use super::lines;
use crate::account::model::{Account, ClockTold};
use crate::account::verdict::Completeness;
use crate::story::lasted;

pub(super) fn head(account: &Account) -> Vec<(&'static str, String, Tone)> {
    let (identity, time) = (&account.identity, &account.time);
    let mut facts = Vec::new();
    let mut fact = |name, value: String, tone| {
        if !value.is_empty() {
            facts.push((name, value, tone));
        }
    };
    fact(
        "record",
        verdict(account),
        if account.verdict.completeness == Completeness::Incomplete { Tone::Bad } else { Tone::Good },
    );
    let proof = if account.proof.proved {
        ("every entry is proved to be in the log", Tone::Good)
    } else {
        ("not proved: see below", Tone::Bad)
    };
    fact("proof", proof.0.to_owned(), proof.1);
    fact(
        "outcome",
        lines::outcome(identity),
        if identity.outcome.as_deref() == Some("answered") { Tone::Good } else { Tone::Bad },
    );
    fact("system", lines::system(identity), Tone::Plain);
    fact("began", time.began.clone().unwrap_or_else(|| "unknown".to_owned()), Tone::Plain);
    let after = |ns: Option<u64>, words: &str| {
        ns.map_or(String::new(), |ns| format!(", {words} after {}", lasted(ns)))
    };
    if let Some(ended) = &time.ended {
        let first_byte = after(time.time_to_first_byte_ns, "first byte");
        fact(
            "ended",
            format!(
                "{ended}{}{first_byte}",
                time.latency_ns.map_or(String::new(), |ns| format!(", after {}", lasted(ns)))
            ),
            Tone::Plain,
        );
    }
    fact(
        "last word",
        time.last_logged.clone().filter(|last| Some(last) > time.ended.as_ref()).unwrap_or_default(),
        Tone::Plain,
    );
    match time.clocks.as_slice() {
        [] => fact("clock", "no event says what the clock was worth".to_owned(), Tone::Quiet),
        clocks => clocks.iter().for_each(|one| fact("clock", clock(one), Tone::Plain)),
    }
    if !identity.subjects.is_empty() {
        fact("about", format!("{} (pseudonyms)", identity.subjects.join(", ")), Tone::Plain);
    }
    fact("in all", crate::story::in_all(&account.summary), Tone::Plain);
    if account.states.is_worth_telling() {
        let tone = if account.states.missing > 0 { Tone::Bad } else { Tone::Plain };
        fact("contents", account.states.said(), tone);
    }
    for purged in &account.entries_purged {
        fact("purged", purged.said(), Tone::Bad);
    }
    fact("captured", identity.capture.join("; "), Tone::Plain);
    fact("retention", identity.retention.join(", "), Tone::Plain);
    for notice in &account.notices {
        fact("note", notice.clone(), Tone::Bad);
    }
    facts
}

/// `incomplete: 2 items missing without a reason; 5 absences are explained`.
fn verdict(account: &Account) -> String {
    let verdict = &account.verdict;
    let mut parts = Vec::new();
    let items = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    if verdict.by_law > 0 {
        parts.push(format!("{} that the law requires of some systems", items(verdict.by_law, "item")));
    }
    if verdict.unexplained > 0 {
        parts.push(format!("{} missing without a reason", items(verdict.unexplained, "item")));
    }
    if !account.problems.is_empty() {
        parts.push(items(account.problems.len(), "contradiction"));
    }
    if verdict.explained > 0 {
        parts.push(format!("{} explained", items(verdict.explained, "absence")));
    }
    if !verdict.opened {
        parts.push("contents left sealed, so it is not known whether they open".to_owned());
    }
    let words = verdict.completeness.words();
    if parts.is_empty() { words.to_owned() } else { format!("{words}: {}", parts.join("; ")) }
}

fn clock(clock: &ClockTold) -> String {
    let Some(logged_at) = &clock.logged_at else {
        return format!("the clock event {} was not found", clock.event);
    };
    let state = if clock.synchronised == Some(true) { "synchronised" } else { "not synchronised" };
    let source = clock.source.as_ref().map_or(String::new(), |source| format!(", says {source}"));
    let offset = clock.offset_ns.map_or(String::new(), |ns| {
        format!(", offset {}{}", if ns < 0 { "−" } else { "" }, lasted(ns.unsigned_abs()))
    });
    let error = clock.max_error_ns.map_or(String::new(), |ns| format!(", at most {} off", lasted(ns)));
    format!("{state}{source}{offset}{error}; said at {logged_at}")
}
