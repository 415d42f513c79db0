//! Rules of capture, and detectors: what contradicts, and what never applies.

use std::collections::BTreeSet;

use inferlog_detect::Detectors;
use inferlog_record::{DataClass, PayloadRole};

use super::{ACT_RECORDS, Findings, OWN, is_own};
use crate::{CaptureRule, FieldAction, Policy, Profile, Unreadable};

const CLEAR: &str = "Regulation (EU) 2016/679, Articles 17 and 25";

/// Content without which a decision cannot be reconstructed.
const ESSENTIAL: [PayloadRole; 4] =
    [PayloadRole::InputRaw, PayloadRole::InputAssembled, PayloadRole::OutputRaw, PayloadRole::OutputFinal];

/// Content that is seldom about nobody.
const OFTEN_PERSONAL: [PayloadRole; 10] = [
    PayloadRole::InputRaw,
    PayloadRole::InputEnriched,
    PayloadRole::InputAssembled,
    PayloadRole::OutputRaw,
    PayloadRole::OutputFinal,
    PayloadRole::Headers,
    PayloadRole::ExternalIds,
    PayloadRole::ToolArguments,
    PayloadRole::HumanReason,
    PayloadRole::BiometricInput,
];

pub(super) fn check(policy: &Policy, found: &mut Findings) {
    let mut names = BTreeSet::new();
    for (at, rule) in policy.capture.iter().enumerate() {
        let place = format!("capture {}", rule.name);
        if !names.insert(&rule.name) {
            found.refuse(
                &*place,
                "another rule has this name, and the record counts by names: choose another",
                OWN,
            );
        }
        shadowed(&place, rule, &policy.capture[..at], found);
        suits(&place, rule, policy.profile, found);
    }
    for rule in &policy.detectors {
        let place = format!("detector {}", rule.name);
        if !names.insert(&rule.name) {
            found.refuse(
                &*place,
                "another rule has this name, and the record counts by names: choose another",
                OWN,
            );
        }
        if rule.action == FieldAction::Split(DataClass::Shared) {
            found.refuse(
                &*place,
                "what a detector finds is about somebody, and never shared: write another class",
                CLEAR,
            );
        }
        let decided =
            |role: &PayloadRole| whole(policy, *role).is_some_and(|rule| rule.action == FieldAction::Drop);
        if !rule.roles.is_empty() && rule.roles.iter().all(decided) {
            let what = "rules of `capture` drop all that it would search: it never runs";
            found.warn(&*place, what, OWN);
        }
        if let Some(role) = rule.roles.iter().find(|role| is_own(**role)) {
            let what = format!("{} is the organisation's own account, which no rule changes", role.as_str());
            found.refuse(&*place, what, OWN);
        }
    }
    made(policy, found);
    if policy.unreadable == Unreadable::Keep && !policy.detectors.is_empty() {
        let what = "pictures, sound, tensors, protobuf and what is no UTF-8 are sealed as they are: no detector reads them; \
                    write \"drop\" to leave them out";
        found.warn("unreadable", what, "Regulation (EU) 2016/679, Article 5(1)(c)");
    }
    if policy.detectors.is_empty() && policy.profile != Profile::Other {
        let what = "there is none: nothing looks for personal data where no rule expects it";
        found.note("detector", what, "Regulation (EU) 2016/679, Article 5(1)(c)");
    }
}

/// Whether each detector can be made.
fn made(policy: &Policy, found: &mut Findings) {
    for rule in &policy.detectors {
        if let Err(error) = Detectors::new(&[(rule.name.as_str(), rule.kind.clone())]) {
            found.refuse(format!("detector {}", rule.name), error.to_string(), OWN);
        }
    }
}

/// The first rule for all of a role's content.
pub(super) fn whole(policy: &Policy, role: PayloadRole) -> Option<&CaptureRule> {
    let fits = |rule: &&CaptureRule| {
        rule.pointer.is_none() && rule.role.is_none_or(|of| of == role && !is_own(role))
    };
    policy.capture.iter().find(fits)
}

/// The rule that drops all of a role's content.
pub(super) fn drops(policy: &Policy, role: PayloadRole) -> Option<String> {
    let rule = whole(policy, role).filter(|rule| rule.action == FieldAction::Drop)?;
    Some(rule.name.to_string())
}

/// Whether detectors search what the rule decided on.
fn is_searched(rule: &CaptureRule) -> bool {
    !matches!(
        rule.action,
        FieldAction::Drop | FieldAction::Keep(DataClass::Shared) | FieldAction::Split(DataClass::Shared)
    )
}

/// Whether an earlier rule decides on all that this one would.
fn shadowed(place: &str, rule: &CaptureRule, earlier: &[CaptureRule], found: &mut Findings) {
    let reaches = |other: &&CaptureRule| other.role.is_none() || other.role == rule.role;
    for other in earlier.iter().filter(reaches) {
        let (name, did) = (&other.name, other.action.as_str());
        if other.pointer == rule.pointer {
            match other.action == rule.action {
                true => {
                    found.warn(place, format!("the rule {name} before it says the same: leave one out"), OWN)
                }
                false => {
                    let what = format!(
                        "the rule {name} before it says {did:?} of the same, and the first that fits is taken: leave one out"
                    );
                    found.refuse(place, what, OWN);
                }
            }
            return;
        }
        let is_within = match (&other.pointer, &rule.pointer) {
            (None, _) => !is_searched(other),
            (Some(outer), Some(inner)) => {
                is_below(outer, inner) && !matches!(other.action, FieldAction::Keep(_))
            }
            (Some(_), None) => false,
        };
        if is_within {
            let what =
                format!("the rule {name} before it says {did:?} of all that it is about: it never applies");
            found.warn(place, what, OWN);
            return;
        }
    }
}

/// Whether a pointer leads below another one, `*` standing for any one token.
fn is_below(outer: &str, inner: &str) -> bool {
    let (mut outer, mut inner) = (outer.split('/'), inner.split('/'));
    loop {
        match (outer.next(), inner.next()) {
            (None, Some(_)) => return true,
            (Some(outer), Some(inner)) if outer == inner || outer == "*" => {}
            _ => return false,
        }
    }
}

/// Whether the action suits what it is about.
fn suits(place: &str, rule: &CaptureRule, profile: Profile, found: &mut Findings) {
    let role = rule.role;
    if let Some(role) = role.filter(|role| is_own(*role)) {
        let what = format!("{} is the organisation's own account, which no rule changes", role.as_str());
        found.refuse(place, what, OWN);
    }
    if role == Some(PayloadRole::Split) {
        found.refuse(place, "what was taken out of other content is decided on there, not once more", OWN);
    }
    let is_whole = rule.pointer.is_none();
    let is_shared = !is_searched(rule) && rule.action != FieldAction::Drop;
    if rule.action == FieldAction::Keep(DataClass::Shared) && !is_whole {
        let what = "a field within sealed content is not shared: write the action \"split\"";
        found.refuse(place, what, OWN);
    }
    if is_shared && is_whole && role.is_none() {
        found.refuse(
            place,
            "all content would stand in clear, and no erasure would reach it: name a role",
            CLEAR,
        );
    } else if is_shared && role.is_none_or(|role| OFTEN_PERSONAL.contains(&role)) {
        let what = "what is shared stands in clear for ever, and no erasure reaches it: be sure that nobody is in it";
        found.warn(place, what, CLEAR);
    }
    if rule.action != FieldAction::Drop || !is_whole || profile == Profile::Other {
        return;
    }
    if profile == Profile::Biometric && role.is_none_or(|role| role == PayloadRole::BiometricInput) {
        let what = "the input that led to a match is to be recorded: do not drop it";
        found.refuse(place, what, "Regulation (EU) 2024/1689, Article 12(3)(c)");
    } else if role.is_none_or(|role| ESSENTIAL.contains(&role)) {
        let of = role.map_or("all content", PayloadRole::as_str);
        let what =
            format!("without {of} no decision can be reconstructed: drop fields of it by `pointer` instead");
        found.warn(place, what, ACT_RECORDS);
    }
}
