//! What a coverage report says. It serialises with sorted members; the same log, window, profiles and `now` give the same bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::story::States;

/// The form of the report; a change of meaning changes it.
pub const FORMAT: &str = "inferlog-coverage/1";

/// What the report claims.
pub const CLAIM: &str = "Coverage is measured by inferlog's record profile, in what the log holds under its checkpoint. A provision \
beside a finding says what the missing part would serve; the Act itself requires only items of level M, of remote biometric \
identification systems (Article 12(3)). Whether obligations are met is for the organisation to judge.";

/// What the record of a window has and lacks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CoverageReport {
    /// What is claimed and what not.
    pub claim: &'static str,
    /// [`FORMAT`].
    pub format: &'static str,
    /// The time that acceptances, grace and the default window are measured by.
    pub now: String,
    /// Events logged at or after this time are judged; the earliest of the systems' where no begin was asked for.
    pub since: Option<String>,
    /// The systems, by name.
    pub systems: Vec<SystemCoverage>,
    /// Events logged before this time are judged.
    pub until: String,
    /// What a provider counted against what the logs have together; absent where no export was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Reconciliation>,
}

/// What the record of one system has and lacks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SystemCoverage {
    /// The latest acceptance of each finding that was ever accepted.
    pub acceptances: Vec<Acceptance>,
    /// By way of capture.
    pub captures: Vec<CaptureShare>,
    /// What became of the contents of the window's decisions.
    pub contents: States,
    /// How much there is.
    pub counts: Counts,
    /// By kind and member: there, explained, missing. Members that the format makes always there are left out.
    pub fields: Vec<FieldShare>,
    /// What is wrong, the gravest first.
    pub findings: Vec<Finding>,
    /// Events in the window by kind.
    pub kinds: BTreeMap<String, u64>,
    /// The logs that were read.
    pub logs: Vec<LogRead>,
    /// What a reader should know.
    pub notices: Vec<String>,
    /// The preset that the system was judged by.
    pub profile: String,
    /// What silent hours were judged by.
    pub rhythm: Rhythm,
    /// By route of admission.
    pub routes: Vec<RouteShare>,
    /// The begin of this system's window.
    pub since: Option<String>,
    /// The system.
    pub system: String,
}

/// One log, as far as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogRead {
    /// Its origin.
    pub origin: String,
    /// Entries under its checkpoint.
    pub size: u64,
}

/// How much a window holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Decisions that were admitted: those recorded, and those that gaps count.
    pub admitted: u64,
    /// Whether a gap does not know how many: then more were admitted.
    pub admitted_unknown: bool,
    /// Decisions that were opened in the window and closed, by the end of the log.
    pub closed: u64,
    /// Decisions that were opened in the window.
    pub decisions: u64,
    /// Entries in the window.
    pub entries: u64,
    /// Events in the window; one that a client sent again and that stands there twice counts twice.
    pub events: u64,
    /// Model calls.
    pub model_calls: u64,
    /// Decisions that are open, and began so short a time ago that they may be.
    pub open: u64,
    /// Calls of tools.
    pub tool_calls: u64,
}

/// Decisions admitted on one route.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RouteShare {
    /// Decisions.
    pub decisions: u64,
    /// Further requests that joined.
    pub joined: u64,
    /// The route; `-` where the record names none.
    pub route: String,
    /// Their share of all decisions.
    pub share: f64,
    /// Those a person acted on.
    pub with_human: u64,
    /// Those that belong to a session.
    pub with_session: u64,
    /// Those about a person who is named by a pseudonym.
    pub with_subject: u64,
}

/// Events captured one way.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CaptureShare {
    /// What understood the wire.
    pub adapter: String,
    /// Its version.
    pub adapter_version: String,
    /// Events.
    pub events: u64,
    /// The way in.
    pub method: String,
    /// Their share of the events of decisions.
    pub share: f64,
}

/// How often a member of one kind of event is there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldShare {
    /// Events in which it is absent and the record says why.
    pub explained: u64,
    /// Kind and member, or kind and payload role: `inference.model.digest`, `inference.payloads[output.raw]`.
    pub field: String,
    /// `M`, `R` or `r` (docs/record.md).
    pub level: &'static str,
    /// Events in which it is absent though the record's tables ask for it.
    pub missing: u64,
    /// Events that could have it.
    pub of: u64,
    /// What it serves.
    pub serves: &'static str,
    /// Events in which it is there.
    pub there: u64,
}

/// What silent hours were judged by.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Rhythm {
    /// How much more the counts vary than chance alone makes them (variance by mean), at least 1.
    pub dispersion: f64,
    /// Whole hours of the window that could be judged.
    pub hours_judged: u64,
    /// Whole hours of the window that had no decision.
    pub hours_silent: u64,
    /// Whole hours for whose time of the week or day too little is known.
    pub hours_unknown: u64,
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// The record says less than it could.
    Warning,
    /// Something happened that the record does not tell, or that the law requires of it.
    Critical,
}

impl Severity {
    /// In a word.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// Something that the record lacks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Whether somebody answers for it; absent where nobody ever did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acceptance: Option<Acceptance>,
    /// How often.
    pub count: u64,
    /// Whether the count is not known to be all.
    pub count_unknown: bool,
    /// Some of them: decisions, events of the system's life, or hours.
    pub examples: Vec<String>,
    /// Rule and what it is about, the same in every report: by this it is accepted.
    pub id: String,
    /// `M`: the law requires it of the systems that it names; `profile`: inferlog's profile asks for it.
    pub level: &'static str,
    /// Of how many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<u64>,
    /// Of how many what: `decisions`, `model calls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_what: Option<&'static str>,
    /// The rule.
    pub rule: &'static str,
    /// What is wrong.
    pub says: String,
    /// The provision that the missing part would serve, as in docs/record.md.
    pub serves: String,
    /// How grave.
    pub severity: Severity,
    /// `count` by `of`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// What to do.
    pub todo: &'static str,
    /// What it is about: a model's name, a route, a day.
    pub what: String,
}

impl Finding {
    /// Whether somebody answers for it now.
    pub fn is_accepted(&self) -> bool {
        self.acceptance.as_ref().is_some_and(|acceptance| acceptance.in_force)
    }
}

/// Somebody answers for a finding until a date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Acceptance {
    /// When it was recorded.
    pub at: String,
    /// Who accepted it, by pseudonym.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The event; its reason is sealed.
    pub event: String,
    /// The finding.
    pub finding: String,
    /// Whether `now` is before `until`.
    pub in_force: bool,
    /// When it ends.
    pub until: String,
}

/// What a provider counted against what the logs have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reconciliation {
    /// Models that the logs name and the export does not: perhaps another provider's.
    pub not_compared: Vec<String>,
    /// Rows of the export whose day is not wholly in the window.
    pub outside: usize,
    /// By day and model.
    pub rows: Vec<UsageRow>,
}

/// One model on one day, as a provider and as the log count it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UsageRow {
    /// The UTC day.
    pub day: String,
    /// Whether the numbers fit together.
    pub fits: bool,
    /// What the log has.
    pub logged: UsageCounts,
    /// The model.
    pub model: String,
    /// What the provider counted.
    pub provider: UsageCounts,
}

/// Numbers of one model and day; absent where they are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UsageCounts {
    /// Tokens read, cached ones included.
    pub input_tokens: Option<u64>,
    /// Tokens written.
    pub output_tokens: Option<u64>,
    /// Requests.
    pub requests: Option<u64>,
}

impl CoverageReport {
    /// Findings of at least this gravity that nobody answers for.
    pub fn failing(&self, least: Severity) -> impl Iterator<Item = (&SystemCoverage, &Finding)> {
        self.systems.iter().flat_map(move |system| {
            let findings = system.findings.iter();
            let failing = findings.filter(move |finding| finding.severity >= least && !finding.is_accepted());
            failing.map(move |finding| (system, finding))
        })
    }
}
