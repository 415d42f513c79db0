//! The door: what a policy takes out of content before it is sealed.
//!
//! Every payload of every event passes here, whoever brought it: gateway, API, commands, streams. A rule of `capture` decides on a
//! field, by JSON pointer, or on a payload; detectors look through the text that is left, the names of JSON members included. What
//! is taken out is replaced by a mark, `[<rule>]` or `[split:<rule>:<n>]`, all other bytes stay as they came. The event counts it.
//!
//! - A payload with a rule for its fields that is not JSON is left out whole: nobody can say that the field is not in it.
//! - Answers that come in pieces are read as the texts that the pieces make (`stream`). A journalled piece alone is not: where a
//!   rule may take something out of answers, pieces are left out whole.
//! - Bytes that are no text are kept, or left out, as the policy says (`unreadable`).
//! - Names in clear are searched too: what is found in one becomes `unlisted` (`names`).
//!
//! The organisation's own accounts (orders, reports, reasons for accepted risks) are not changed.

mod content;
mod edit;
mod in_force;
mod json;
mod names;
mod shared;
mod stream;
mod taken;

pub(crate) use content::{Given, Passed};
pub(crate) use in_force::DoorInForce;
pub(crate) use shared::SharedStore;
pub(crate) use taken::Taken;

use inferlog_detect::{DetectError, Detectors, Span};
use inferlog_policy::{CaptureRule, DetectorRule, FieldAction, Policy, Unreadable, is_own};
use inferlog_record::{ClearName, DataClass, PayloadRole};
use json::Pointer;
use std::collections::{HashMap, HashSet};

/// What a policy takes out. Made once for a policy.
#[derive(Debug)]
pub(crate) struct Door {
    capture: Vec<CaptureRule>,
    detectors: Vec<DetectorRule>,
    unreadable: Unreadable,
    /// Of roles that a rule names.
    by_role: HashMap<PayloadRole, Rules>,
    /// Of all others.
    others: Rules,
    /// Of names in clear.
    names: Search,
}

/// What applies to payloads of one role.
#[derive(Debug, Default)]
struct Rules {
    /// The first rule for all of it, by its place in `capture`.
    whole: Option<usize>,
    /// Rules for its fields, by their place in `capture`; those after one that drops it all left out.
    fields: Vec<usize>,
    pointers: Vec<Pointer>,
    /// Whether a rule that names the role takes a field out.
    is_strict: bool,
    search: Search,
}

/// Detectors, and which of the policy's each is.
#[derive(Debug, Default)]
struct Search {
    detectors: Detectors,
    rules: Vec<usize>,
}

impl Door {
    /// The policy's rules, ready to be applied.
    pub(crate) fn new(policy: &Policy) -> Result<Self, DetectError> {
        let (capture, detectors) = (policy.capture.clone(), policy.detectors.clone());
        let named = capture.iter().filter_map(|rule| rule.role);
        let named = named.chain(detectors.iter().flat_map(|rule| rule.roles.iter().copied()));
        let named: HashSet<PayloadRole> = named.collect();
        let rules = |role| Ok((role, Rules::of(Some(role), &capture, &detectors)?));
        let by_role = named.into_iter().map(rules).collect::<Result<_, _>>()?;
        let others = Rules::of(None, &capture, &detectors)?;
        let names = Search::of(&detectors, |_| true)?;
        Ok(Self { capture, detectors, unreadable: policy.unreadable, by_role, others, names })
    }

    /// Whether nothing is ever changed.
    pub(crate) fn is_open(&self) -> bool {
        self.capture.is_empty() && self.detectors.is_empty()
    }

    /// Whether something may be stored in clear, for ever.
    pub(crate) fn shares(&self) -> bool {
        let is_shared = |rule: &CaptureRule| {
            matches!(
                rule.action,
                FieldAction::Keep(DataClass::Shared) | FieldAction::Split(DataClass::Shared)
            )
        };
        self.capture.iter().any(is_shared)
    }

    /// What applies to a role; nothing to the organisation's own accounts, and to what was taken out already.
    fn rules(&self, role: PayloadRole) -> Option<&Rules> {
        let is_exempt = is_own(role) || role == PayloadRole::Split;
        (!is_exempt).then(|| self.by_role.get(&role).unwrap_or(&self.others))
    }

    /// A rule that may take something out of answers: what is then left out of their pieces.
    fn of_pieces(&self) -> Option<&ClearName> {
        [PayloadRole::OutputPart, PayloadRole::OutputRaw].into_iter().find_map(|role| {
            let rules = self.rules(role)?;
            let whole = rules.whole.iter().chain(&rules.fields).map(|at| &self.capture[*at]);
            let takes = |rule: &&CaptureRule| !matches!(rule.action, FieldAction::Keep(_));
            let detector = rules.search.rules.first().map(|at| &self.detectors[*at].name);
            whole.filter(takes).map(|rule| &rule.name).next().or(detector)
        })
    }
}

impl Rules {
    fn of(
        role: Option<PayloadRole>,
        capture: &[CaptureRule],
        detectors: &[DetectorRule],
    ) -> Result<Self, DetectError> {
        let mut rules = Self::default();
        let fits = |rule: &CaptureRule| rule.role.is_none_or(|of| Some(of) == role);
        for (at, rule) in capture.iter().enumerate().filter(|(_, rule)| fits(rule)) {
            match &rule.pointer {
                None if rules.whole.is_none() => rules.whole = Some(at),
                None => {}
                // All of it is gone, or apart, already.
                Some(_)
                    if rules.whole.is_some_and(|at| !matches!(capture[at].action, FieldAction::Keep(_))) => {}
                Some(pointer) => {
                    rules.is_strict |= rule.role.is_some() && !matches!(rule.action, FieldAction::Keep(_));
                    rules.fields.push(at);
                    rules.pointers.push(Pointer::new(pointer));
                }
            }
        }
        let is_of = |rule: &DetectorRule| {
            rule.roles.is_empty() || role.is_some_and(|role| rule.roles.contains(&role))
        };
        rules.search = Search::of(detectors, is_of)?;
        Ok(rules)
    }

    /// Whether nothing is done to the role.
    fn is_open(&self) -> bool {
        self.whole.is_none() && self.fields.is_empty() && self.search.rules.is_empty()
    }
}

impl Search {
    fn of(detectors: &[DetectorRule], fits: impl Fn(&DetectorRule) -> bool) -> Result<Self, DetectError> {
        let rules: Vec<usize> = (0..detectors.len()).filter(|at| fits(&detectors[*at])).collect();
        let kinds: Vec<_> =
            rules.iter().map(|at| (detectors[*at].name.as_str(), detectors[*at].kind.clone())).collect();
        Ok(Self { detectors: Detectors::new(&kinds)?, rules })
    }

    fn find(&self, text: &str, field: &str) -> Vec<Span> {
        if self.rules.is_empty() { Vec::new() } else { self.detectors.find_in(text, field) }
    }
}

#[cfg(test)]
mod tests;
