//! The rules: what each finds, how grave that is, which provision the missing part serves, what to do.

use std::collections::BTreeMap;

use super::report::{Finding, Severity};

/// Examples that a finding names.
const EXAMPLES_MAX: usize = 3;
/// Findings of one rule that are told apart; what comes beyond is one more finding, about `others`.
const FINDINGS_MAX: usize = 500;
/// The longest id of a finding, bytes: what a record can hold as a name (`ClearName`).
const ID_BYTES_MAX: usize = 128;

/// What a finding's count is a share of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Of {
    Decisions,
    ModelCalls,
    ToolCalls,
    Outputs,
    Clocks,
    Starts,
    Matches,
    Sessions,
    Hours,
    Events,
    Nothing,
}

impl Of {
    const fn words(self) -> Option<&'static str> {
        Some(match self {
            Of::Decisions => "decisions",
            Of::ModelCalls => "model calls",
            Of::ToolCalls => "tool calls",
            Of::Outputs => "output events",
            Of::Clocks => "clock events",
            Of::Starts => "starts",
            Of::Matches => "matches",
            Of::Sessions => "sessions",
            Of::Hours => "hours",
            Of::Events => "events",
            Of::Nothing => return None,
        })
    }
}

macro_rules! rules {
    ($($rule:ident $name:literal $severity:ident $of:ident $serves:literal $level:literal: $says:literal, $todo:literal;)*) => {
        /// A rule of coverage.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $(#[doc = $says] $rule,)*
        }

        impl Rule {
            /// All of them.
            pub const ALL: &'static [Rule] = &[$(Rule::$rule,)*];

            /// Its name, which begins the ids of its findings.
            pub const fn name(self) -> &'static str {
                match self { $(Rule::$rule => $name,)* }
            }

            /// How grave its findings are, as a rule.
            pub const fn severity(self) -> Severity {
                match self { $(Rule::$rule => Severity::$severity,)* }
            }

            /// What the missing part would serve, as in docs/record.md.
            pub const fn serves(self) -> &'static str {
                match self { $(Rule::$rule => $serves,)* }
            }

            /// `M` if the law requires it of the systems that it names, else `profile`.
            pub const fn level(self) -> &'static str {
                match self { $(Rule::$rule => $level,)* }
            }

            /// What is wrong.
            pub const fn says(self) -> &'static str {
                match self { $(Rule::$rule => $says,)* }
            }

            /// What to do.
            pub const fn todo(self) -> &'static str {
                match self { $(Rule::$rule => $todo,)* }
            }

            const fn of(self) -> Of {
                match self { $(Rule::$rule => Of::$of,)* }
            }
        }
    };
}

rules! {
    Gap "gap" Critical Nothing "12(1)" "profile":
        "requests were answered and are not recorded",
        "look up what happened then; a route with `on_failure = \"block\"` answers nothing that it cannot record";
    NeverClosed "never-closed" Critical Decisions "12(1)" "profile":
        "opened, and no event says how it ended",
        "let the application close decisions that go on over several requests (`decision.closed`), or let them time out";
    Interrupted "interrupted" Warning Decisions "12(1)" "profile":
        "the process ended before the decision did; what came after is not recorded",
        "find out why the process ended; give it time to finish its requests when it is stopped";
    NoInference "no-inference" Critical Decisions "12(1), 12(2)(a)" "profile":
        "answered, and no model call is recorded",
        "attach the call (`inference` event), or route it through the gateway";
    NoOutput "no-output" Critical ModelCalls "12(2)(a), 86" "profile":
        "the model call succeeded, and its answer is not recorded",
        "raise `response_bytes_max` of the route, or send the answer with the `inference` event";
    ModelAlias "model-alias" Warning ModelCalls "12(2)(a)" "profile":
        "the name is an alias: it does not say which model answered",
        "ask for a dated or numbered version, or register the model with its digest (`inferlog models add`)";
    ModelUnknown "model-unknown" Warning ModelCalls "12(2)(a)" "profile":
        "nothing names the model that answered",
        "name the model in the request or in the route's configuration";
    ModelVersion "model-version" Info ModelCalls "12(2)(a)" "profile":
        "neither a version nor a digest says which weights answered",
        "register the model with its version and digest (`inferlog models add`)";
    PromptUnregistered "prompt-unregistered" Warning ModelCalls "12(2)(a)" "profile":
        "instructions that are not registered: no version says when they changed",
        "register them (`inferlog prompts add`)";
    ToolResult "tool-result" Warning ToolCalls "12(2)(a)" "profile":
        "the call succeeded, and its result is not recorded",
        "send the result with the `tool_call` event";
    ToolCall "tool-call" Warning Decisions "12(2)(a)" "profile":
        "the model asked for a tool, and no call is recorded",
        "let the requests of one run join one decision, or attach the call (`tool_call` event)";
    OutputUnknown "output-unknown" Info Outputs "12(2)(a)" "profile":
        "two stages of the answer are there, and whether they are the same is not known",
        "name the model call that the output `follows`, and send its stages in one `output` event";
    NoSubject "no-subject" Info Decisions "86; GDPR 15, 17" "profile":
        "nobody is named, though most decisions of the route name whom they are about",
        "look at the examples: does the request leave out the person, or say it elsewhere?";
    Field "field" Warning Events "12(2)(a)" "profile":
        "the record's tables ask for it, it is not there, and nothing says why",
        "see docs/record.md for where the field comes from";
    BytesDropped "bytes-dropped" Warning Events "12(2)" "profile":
        "bytes were seen and not recorded",
        "raise the limit that was met (`request_bytes_max`, `response_bytes_max`)";
    UncleanEnd "unclean-end" Warning Starts "12(1)" "profile":
        "the recorder before did not end in order",
        "find out why; decisions that it left open are closed as interrupted";
    RecorderFailed "recorder-failed" Warning Starts "12(1)" "profile":
        "the recorder ended because it could no longer record",
        "look at the disk and at the process's own log of that time";
    ClockUnsynchronised "clock-unsynchronised" Warning Clocks "profile" "profile":
        "the clock that stamps events follows no reference",
        "let the machine's clock follow a time server (chrony, systemd-timesyncd)";
    SilentHours "silent-hours" Warning Hours "12(1)" "profile":
        "no decision, where the system's rhythm lets expect some",
        "find out whether the system was idle or went around the record; accept the finding if it was idle";
    NothingRecorded "nothing-recorded" Warning Nothing "12(1)" "profile":
        "no decision in the whole window, though there were some before",
        "find out whether the system is still in use, and whether its traffic still passes the record";
    NoIntervention "no-intervention" Warning Decisions "14(4)(d)–(e), 26(2)" "profile":
        "fewer decisions than expected have a person's action on them",
        "attach what reviewers do (`human` event), or change what the profile expects";
    NoSession "no-session" Warning Decisions "12(3)(a)" "profile":
        "belongs to no period of use",
        "name the session in the request or in the route's configuration";
    SessionStart "session-start" Warning Sessions "12(3)(a)" "profile":
        "a period of use has no recorded beginning",
        "record `session.started` when a use begins";
    SessionEnd "session-end" Warning Sessions "12(3)(a)" "profile":
        "a period of use has no recorded end",
        "record `session.ended` when a use ends";
    BiometricDatabase "biometric-database" Warning Matches "12(3)(b)" "profile":
        "the reference database is named, but not which state of it",
        "send version and digest of the reference database with the match";
    BiometricInput "biometric-input" Critical Matches "12(3)(c)" "M":
        "the input data for which the search has led to a match is not recorded",
        "send the input with the match (`biometric.input`)";
    BiometricVerifiers "biometric-verifiers" Critical Matches "12(3)(d)" "M":
        "nobody who verified the match is identified",
        "send the verifiers with the match, or the exemption that applies";
    BiometricTwo "biometric-two-verifiers" Critical Matches "14(5)" "M":
        "fewer than two persons verified the match, and no exemption is recorded",
        "let two persons verify each match separately, or record the exemption";
    ErasureOpen "erasure-open" Critical Nothing "GDPR 17" "profile":
        "an erasure was announced more than a week ago, and no event says that it was completed",
        "see `inferlog erase --status`: a follower that is down holds it up";
    PastCeiling "past-ceiling" Critical Nothing "GDPR 5(1)(e)" "profile":
        "payloads are still there after the latest time that the policy in force gives their class, and no hold keeps them",
        "see `inferlog retention plan` for what keeps the purge from them, and `inferlog retention apply`";
    HoldLong "hold-long" Info Nothing "GDPR 5(1)(e)" "profile":
        "a hold has stood for more than half a year",
        "ask whoever placed it whether it is still needed (`inferlog hold list`, `inferlog hold release`)";
    IncidentOverdue "incident-overdue" Critical Nothing "73" "profile":
        "a serious incident is past its deadline, and no event says that it was reported",
        "report it, and record that (`inferlog incident report`)";
    PolicyChanged "policy-changed" Info Nothing "18, 19, 26(6)" "profile":
        "another policy was put in force",
        "look at what it changes (`inferlog policy show`)";
    UsageMore "usage-more" Critical Nothing "12(1)" "profile":
        "the provider counted more than the log has",
        "look for calls that go around the record: other keys, other programs, other routes";
    UsageLess "usage-less" Warning Nothing "12(1)" "profile":
        "the provider counted less than the log has",
        "check that the export covers the same account, models and days";
}

/// What a finding counts so far.
#[derive(Clone, Debug, Default)]
struct Found {
    count: u64,
    unknown: bool,
    severity: Option<Severity>,
    is_law: bool,
    says: Option<String>,
    serves: Option<&'static str>,
    examples: Vec<String>,
}

/// Findings as they come. Memory is bounded by the rules, not by the log.
#[derive(Debug, Default)]
pub(super) struct Finds(BTreeMap<(Rule, String), Found>, BTreeMap<Rule, usize>);

/// One sight of something.
pub(super) struct Sight<'a> {
    pub(super) rule: Rule,
    pub(super) what: &'a str,
    pub(super) example: Option<&'a dyn std::fmt::Display>,
    pub(super) count: u64,
}

impl<'a> Sight<'a> {
    pub(super) fn new(rule: Rule, what: &'a str, example: &'a dyn std::fmt::Display) -> Self {
        Self { rule, what, example: Some(example), count: 1 }
    }
}

impl Finds {
    /// Counts it.
    pub(super) fn add(&mut self, sight: &Sight<'_>) -> Noted<'_> {
        let what = self.told_apart(sight.rule, sight.what);
        let found = self.0.entry((sight.rule, what)).or_default();
        found.count += sight.count;
        if let Some(example) = sight.example.filter(|_| found.examples.len() < EXAMPLES_MAX) {
            let example = example.to_string();
            if !found.examples.contains(&example) {
                found.examples.push(example);
            }
        }
        Noted(found)
    }

    fn told_apart(&mut self, rule: Rule, what: &str) -> String {
        let what: String = what.chars().take(ID_BYTES_MAX - rule.name().len() - 1).collect();
        let key = (rule, what);
        if self.0.contains_key(&key) {
            return key.1;
        }
        let known = self.1.entry(rule).or_default();
        *known += 1;
        if *known > FINDINGS_MAX { "others".to_owned() } else { key.1 }
    }

    /// The findings, the gravest first; `population` says how many there are of what.
    pub(super) fn end(self, population: impl Fn(Of) -> u64) -> Vec<Finding> {
        let mut findings: Vec<Finding> =
            self.0.into_iter().map(|((rule, what), found)| finding(rule, what, found, &population)).collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        findings
    }
}

fn finding(rule: Rule, what: String, found: Found, population: &impl Fn(Of) -> u64) -> Finding {
    let of = rule.of().words().map(|_| population(rule.of())).filter(|of| *of >= found.count && *of > 0);
    let id = if what.is_empty() { rule.name().to_owned() } else { format!("{}/{what}", rule.name()) };
    Finding {
        acceptance: None,
        count: found.count,
        count_unknown: found.unknown,
        examples: found.examples,
        id,
        level: if found.is_law { "M" } else { rule.level() },
        of,
        of_what: rule.of().words().filter(|_| of.is_some()),
        rule: rule.name(),
        says: found.says.unwrap_or_else(|| rule.says().to_owned()),
        serves: found.serves.unwrap_or(rule.serves()).to_owned(),
        severity: found.severity.unwrap_or(rule.severity()),
        share: of.map(|of| share(found.count, of)),
        todo: rule.todo(),
        what,
    }
}

/// A finding that was counted: what is particular about it.
pub(super) struct Noted<'a>(&'a mut Found);

impl Noted<'_> {
    /// It is this grave at least.
    pub(super) fn severity(self, severity: Severity) -> Self {
        self.0.severity = self.0.severity.max(Some(severity));
        self
    }

    /// More precisely.
    pub(super) fn says(self, says: impl FnOnce() -> String) -> Self {
        self.0.says.get_or_insert_with(says);
        self
    }

    pub(super) fn serves(self, serves: &'static str) -> Self {
        self.0.serves.get_or_insert(serves);
        self
    }

    /// The law requires it.
    pub(super) fn law(self) -> Self {
        self.0.is_law = true;
        self
    }

    /// There are more, nobody knows how many.
    pub(super) fn unknown(self) -> Self {
        self.0.unknown = true;
        self
    }
}

/// A share to six decimals.
pub(super) fn share(count: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { (count as f64 / of as f64 * 1e6).round() / 1e6 }
}
