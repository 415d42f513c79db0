//! What the law, or a policy itself, speaks against in a policy.

mod capture;
mod retention;
mod sampling;

use std::collections::BTreeMap;
use std::fmt;

use inferlog_record::PayloadRole;
use serde::Serialize;

use crate::{Failure, Policy, Price, Profile};

/// The Act's articles that say how long logs are kept.
const ACT_FLOOR: &str = "Regulation (EU) 2024/1689, Articles 19(1) and 26(6)";
/// The Act's article on events that are recorded.
const ACT_RECORDS: &str = "Regulation (EU) 2024/1689, Article 12";
/// What is not law.
const OWN: &str = "inferlog";

/// What was found in a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How grave it is.
    pub severity: Severity,
    /// Where: `class default: floor`.
    pub place: String,
    /// What it is, and what to do.
    pub what: String,
    /// What it rests on: an article, or `inferlog`.
    pub source: &'static str,
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The policy is not put in force.
    Refused,
    /// It may well be a mistake, or somebody has to answer for it.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// As it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, place, what, source } = self;
        write!(f, "{}: {place}: {what} ({source})", severity.as_str())
    }
}

/// Findings as they are gathered.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn refuse(&mut self, place: impl Into<String>, what: impl Into<String>, source: &'static str) {
        self.add(Severity::Refused, place.into(), what.into(), source);
    }

    fn warn(&mut self, place: impl Into<String>, what: impl Into<String>, source: &'static str) {
        self.add(Severity::Warning, place.into(), what.into(), source);
    }

    fn note(&mut self, place: impl Into<String>, what: impl Into<String>, source: &'static str) {
        self.add(Severity::Note, place.into(), what.into(), source);
    }

    fn add(&mut self, severity: Severity, place: String, what: String, source: &'static str) {
        self.0.push(Finding { severity, place, what, source });
    }
}

impl Policy {
    /// What the law, or the policy itself, speaks against in it: the gravest first.
    pub fn check(&self) -> Vec<Finding> {
        let mut found = Findings::default();
        retention::check(self, &mut found);
        capture::check(self, &mut found);
        clear_content(self, &mut found);
        failure(self, &mut found);
        prices(self, &mut found);
        sampling::check(self, &mut found);
        found.0.sort_by_key(|finding| finding.severity);
        found.0
    }

    /// Whether it may be put in force.
    pub fn is_refused(&self) -> bool {
        self.check().iter().any(|finding| finding.severity == Severity::Refused)
    }
}

/// Whether the content of a role is the organisation's own account of what it did: no rule changes it.
pub fn is_own(role: PayloadRole) -> bool {
    matches!(
        role,
        PayloadRole::Order
            | PayloadRole::Certificate
            | PayloadRole::IncidentReport
            | PayloadRole::SamplingRationale
            | PayloadRole::SamplingAcceptance
            | PayloadRole::AccessQuery
            | PayloadRole::Report
            | PayloadRole::RiskReason
    )
}

fn clear_content(policy: &Policy, found: &mut Findings) {
    for (at, role) in policy.clear_content.iter().enumerate() {
        let (place, name) = (format!("clear_content: {}", role.as_str()), role.as_str());
        if policy.clear_content[..at].contains(role) {
            found.warn(&*place, "is named twice: leave one out", OWN);
            continue;
        }
        if is_own(*role) {
            found.refuse(
                &*place,
                "is the organisation's own account and never stands in an index: leave it out",
                OWN,
            );
        } else if let Some(rule) = capture::drops(policy, *role) {
            let what = format!("the rule {rule} drops all of {name}: nothing of it would stand in an index");
            found.refuse(&*place, what, OWN);
        } else {
            let what = format!(
                "whoever reads the index reads {name}; an erasure deletes it there too, and what was copied from the index \
                 stays where it was copied to"
            );
            found.note(&*place, what, "Regulation (EU) 2016/679, Articles 25 and 32");
        }
    }
}

fn failure(policy: &Policy, found: &mut Findings) {
    if policy.failure == Some(Failure::Degrade) && policy.profile != Profile::Other {
        let what = "a route may answer while nothing can be recorded; the answers are counted, and what they were is lost";
        found.warn("failure", what, ACT_RECORDS);
    }
}

fn prices(policy: &Policy, found: &mut Findings) {
    let mut seen = BTreeMap::new();
    for (at, price) in (1..).zip(&policy.prices) {
        let key = match price {
            Price::Storage { .. } => None,
            Price::Tokens { model, from_ns, .. } => Some((model.as_str(), *from_ns)),
        };
        if let Some(first) = seen.insert(key, at) {
            let of = key.map_or_else(|| "storage".to_owned(), |(model, _)| format!("the model {model}"));
            let what = format!("price {first} is one of {of} from the same time on: leave one out");
            found.refuse(format!("price {at}"), what, OWN);
        }
    }
}
