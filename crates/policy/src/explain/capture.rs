//! What of it is personal, and what becomes of that.

use inferlog_detect::Kind;
use inferlog_record::{DataClass, PayloadRole};

use super::{Item, Section, list, row};
use crate::{CaptureRule, DetectorRule, FieldAction, Policy, Unreadable};

pub(super) fn section(policy: &Policy) -> Section {
    let capture = policy.capture.iter().map(|rule| Item {
        name: rule.name.to_string(),
        about: place(rule),
        rows: vec![row("becomes", becomes(rule.action))],
    });
    let detectors = policy.detectors.iter().map(|rule| Item {
        name: rule.name.to_string(),
        about: found(rule),
        rows: vec![row("becomes", becomes(rule.action))],
    });
    let named = match policy.capture.len() {
        0 => String::new(),
        1 => "One rule says what becomes of some of it. ".into(),
        rules => format!("{rules} rules say what becomes of some of it; the first that fits decides. "),
    };
    let searched = match (policy.detectors.len(), policy.capture.is_empty()) {
        (0, true) => "Nothing is taken out of it, and nothing is looked for in it.".into(),
        (0, false) => "Nothing is looked for in the rest.".into(),
        (1, _) => "One detector runs over the text.".into(),
        (detectors, _) => format!("{detectors} detectors run over the text."),
    };
    let unreadable = match (policy.detectors.is_empty(), policy.unreadable) {
        (true, _) => "",
        (false, Unreadable::Keep) => {
            " Pictures, sound and what else no detector can read is sealed as it is."
        }
        (false, Unreadable::Drop) => " Pictures, sound and what else no detector can read is left out.",
    };
    let lead = format!(
        "All content is sealed, as personal data unless a rule says otherwise. {named}{searched}{unreadable} The record says by each name how \
         often it was applied, never to what."
    );
    Section { heading: "What of it is personal?", lead, items: capture.chain(detectors).collect() }
}

/// What a role's content is, in words.
pub(super) fn role(role: PayloadRole) -> String {
    let at = PayloadRole::ALL.iter().position(|known| *known == role);
    let meaning = at.and_then(|at| PayloadRole::MEANINGS.get(at)).copied().unwrap_or_default();
    let meaning = meaning.trim().trim_end_matches('.');
    let mut letters = meaning.chars();
    let meaning = match letters.next() {
        Some(first) => first.to_lowercase().collect::<String>() + letters.as_str(),
        None => String::new(),
    };
    format!("{meaning} ({})", role.as_str())
}

fn place(rule: &CaptureRule) -> String {
    let of = rule.role.map_or_else(|| "all content".to_owned(), role);
    match &rule.pointer {
        Some(pointer) => format!("{pointer} in {of}"),
        None => of,
    }
}

fn found(rule: &DetectorRule) -> String {
    let what = match &rule.kind {
        Kind::Email => "e-mail addresses".to_owned(),
        Kind::Phone(countries) if countries.is_empty() => "international telephone numbers".to_owned(),
        Kind::Phone(countries) => {
            format!("telephone numbers, international ones and those of {}", list(countries))
        }
        Kind::Iban => "IBANs with the right check digits".to_owned(),
        Kind::Card => "payment card numbers with the right check digit".to_owned(),
        Kind::Ip => "IP addresses".to_owned(),
        Kind::Names(names) if names.len() == 1 => "one name from a list".to_owned(),
        Kind::Names(names) => format!("{} names from a list", names.len()),
        Kind::National(countries) => format!("national identification numbers of {}", list(countries)),
        Kind::Pattern(pattern) => format!("what {pattern} matches"),
    };
    match rule.roles.is_empty() {
        true => what,
        false => format!("{what}, in {}", list(rule.roles.iter().map(|one| role(*one)))),
    }
}

fn becomes(action: FieldAction) -> String {
    let of = |class| match class {
        DataClass::Personal => "personal data",
        DataClass::Pseudonymous => "pseudonymous data",
        DataClass::Shared => "data about nobody",
    };
    match action {
        FieldAction::Keep(DataClass::Shared) | FieldAction::Split(DataClass::Shared) => {
            "kept once, in clear and for ever, as data about nobody: no erasure reaches it".into()
        }
        FieldAction::Keep(class) => format!("kept in its place, sealed, as {}", of(class)),
        FieldAction::Split(class) => {
            format!("taken out and sealed by itself, as {}; a mark stands in its place", of(class))
        }
        FieldAction::Drop => "left out: nobody can bring it back; a mark stands in its place".into(),
    }
}
