//! States of contents in words, with a mark for each that is told apart without colour.

use super::model::{HeldBy, RedactionTold, Removed, States, WithheldFrom};

/// A state, its mark and what it means; in the order in which a legend lists them.
pub(crate) const LEGEND: [(&str, &str, &str); 7] = [
    ("present", "●", "it is there"),
    ("held", "◉", "it is there, and a hold or a legal duty keeps it from being erased or purged"),
    ("redacted", "▬", "a rule of the policy left it out before it was recorded"),
    ("erased", "⊘", "its key was destroyed under an order: nobody can read it any more"),
    ("purged", "⊖", "it was removed when the time was over that the policy gives it"),
    ("not captured", "○", "it never reached the record; the reason stands beside it"),
    ("missing", "‼", "it is nowhere, and no event says why: a fault"),
];

/// The mark of a state; `is_held`: of one that is present.
pub(crate) fn mark(state: &str, is_held: bool) -> &'static str {
    let state = if is_held && state == "present" { "held" } else { state };
    let known = LEGEND.iter().find(|(name, ..)| name.replace(' ', "_") == state.replace(' ', "_"));
    known.map_or("?", |(_, mark, _)| mark)
}

/// A state and why, which says the state once: `missing: no pack holds it`, `purged under the policy …`.
pub(crate) fn told(state: &str, why: &str) -> String {
    let state = state.replace('_', " ");
    match why.strip_prefix(&*state) {
        Some(rest) if rest.starts_with(' ') => why.to_owned(),
        // The reason's own word repeats it, and what follows says what it means.
        Some(rest) if rest.starts_with("_by_policy: ") => format!("{state}{}", &rest["_by_policy".len()..]),
        _ => format!("{state}: {why}"),
    }
}

/// What removed a content, in one sentence; else its reason as the record has it.
pub(crate) fn why(removed: Option<&Removed>, reason: Option<&str>, problem: Option<&str>) -> String {
    match (removed, reason, problem) {
        (Some(removed), ..) => removed.said(),
        (None, Some(reason), _) => {
            reason.parse().map_or_else(|_| reason.to_owned(), super::assemble::explain)
        }
        (None, None, Some(problem)) => problem.to_owned(),
        (None, None, None) => "no reason is recorded".to_owned(),
    }
}

/// What keeps a content: each hold, each erasure that it was withheld from.
pub(crate) fn kept_by(held: &[HeldBy], withheld: &[WithheldFrom]) -> Vec<String> {
    let holds = held.iter().map(|hold| {
        let incident =
            hold.incident.map_or(String::new(), |incident| format!(", of the incident {incident}"));
        format!(
            "held by {} ({}{incident}) since {}",
            hold.hold,
            hold.basis.replace('_', " "),
            hold.since.get(..10).unwrap_or(&hold.since)
        )
    });
    let withheld = withheld.iter().map(|from| {
        let why: Vec<String> = from.because.iter().map(|why| why.replace('_', " ")).collect();
        let until = from.until.as_deref().map_or(String::new(), |until| {
            format!(", until {} at the earliest", until.get(..10).unwrap_or(until))
        });
        format!("withheld from the erasure {} ({}{until})", from.erasure, why.join(", "))
    });
    holds.chain(withheld).collect()
}

impl RedactionTold {
    /// `email: redacted 3 times`.
    pub fn said(&self) -> String {
        format!("{}: {} {}", self.rule, self.action, times(self.count))
    }
}

/// `once`, `3 times`.
pub(crate) fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// What rules did to the contents of an event.
pub(crate) fn taken_out(redactions: &[RedactionTold]) -> String {
    redactions.iter().map(RedactionTold::said).collect::<Vec<_>>().join(", ")
}

impl States {
    /// Adds what was counted elsewhere.
    pub(crate) fn add(&mut self, other: Self) {
        let Self { present, held, redacted, erased, purged, not_captured, missing, spans_redacted } = other;
        self.present += present;
        self.held += held;
        self.redacted += redacted;
        self.erased += erased;
        self.purged += purged;
        self.not_captured += not_captured;
        self.missing += missing;
        self.spans_redacted += spans_redacted;
    }

    /// `5 present (1 held), 2 erased, 1 purged, 3 missing, rules took something out 2 times`; empty where nothing is told of.
    pub fn said(&self) -> String {
        let held = if self.held > 0 { format!(" ({} held)", self.held) } else { String::new() };
        let mut parts: Vec<String> =
            (self.present > 0).then(|| format!("{} present{held}", self.present)).into_iter().collect();
        let counts = [
            (self.redacted, "redacted"),
            (self.erased, "erased"),
            (self.purged, "purged"),
            (self.not_captured, "not captured"),
            (self.missing, "missing"),
        ];
        parts.extend(counts.into_iter().filter(|(n, _)| *n > 0).map(|(n, name)| format!("{n} {name}")));
        if self.spans_redacted > 0 {
            parts.push(format!("rules took something out {}", times(self.spans_redacted)));
        }
        parts.join(", ")
    }

    /// Whether anything is to be told beside what is there.
    pub(crate) fn is_worth_telling(&self) -> bool {
        self.held + self.redacted + self.erased + self.purged + self.missing + self.spans_redacted > 0
    }
}
