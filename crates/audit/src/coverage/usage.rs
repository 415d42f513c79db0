//! What a provider counted against what the log has, by UTC day and model.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use inferlog_record::body::{Inference, StepOutcome};
use inferlog_record::{Event, Timestamp};

use super::DAY_NS;
use super::events::day;
use super::report::{Reconciliation, UsageCounts, UsageRow};
use super::rules::{Finds, Rule, Sight};
use super::scan::Ended;

/// Days and models that are told apart.
const ROWS_MAX: usize = 100_000;

/// A UTC day (days since 1970) and a model.
pub type UsageKey = (u64, String);

/// What a provider counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// Its counts.
    pub rows: BTreeMap<UsageKey, UsageCounts>,
    /// Differences up to this share of the provider's number are let pass: 0.01 is one in a hundred.
    pub tolerance: f64,
}

/// What the log has.
#[derive(Debug, Default)]
pub(super) struct Counted(BTreeMap<UsageKey, UsageCounts>);

impl Counted {
    /// A model call; those that the server refused or failed are not counted by providers.
    pub(super) fn take(&mut self, event: &Event, body: &Inference) {
        let name = body.model.returned.as_ref().or(body.model.requested.as_ref());
        let Some(name) = name.filter(|_| matches!(body.outcome, StepOutcome::Ok | StepOutcome::Refused))
        else {
            return;
        };
        let at = event.started_at.unwrap_or(event.logged_at);
        let key = (at.nanos() / DAY_NS, name.to_string());
        if self.0.len() >= ROWS_MAX && !self.0.contains_key(&key) {
            return;
        }
        let usage = body.usage.as_ref();
        let counts = self.0.entry(key).or_default();
        counts.add(UsageCounts {
            input_tokens: usage.and_then(|usage| usage.input).map(|count| count.0),
            output_tokens: usage.and_then(|usage| usage.output).map(|count| count.0),
            requests: Some(1),
        });
    }
}

impl UsageCounts {
    /// Adds other counts to these.
    pub fn add(&mut self, other: UsageCounts) {
        let sum = |one: &mut Option<u64>, other: Option<u64>| {
            if let Some(other) = other {
                *one = Some(one.unwrap_or(0).saturating_add(other));
            }
        };
        sum(&mut self.requests, other.requests);
        sum(&mut self.input_tokens, other.input_tokens);
        sum(&mut self.output_tokens, other.output_tokens);
    }

    fn each(&self) -> [(&'static str, Option<u64>); 3] {
        [
            ("requests", self.requests),
            ("input tokens", self.input_tokens),
            ("output tokens", self.output_tokens),
        ]
    }
}

impl Usage {
    /// Compares the days that lie wholly in the window. Findings go to the system that called the model most.
    pub(super) fn reconcile(&self, systems: &mut [Ended], window: &Range<u64>) -> Reconciliation {
        let mut logged = BTreeMap::<UsageKey, UsageCounts>::new();
        for (key, counts) in systems.iter().flat_map(|system| &system.counted.0) {
            logged.entry(key.clone()).or_default().add(*counts);
        }
        let days = window.start.div_ceil(DAY_NS)..window.end / DAY_NS;
        let is_whole = |key: &&UsageKey| days.contains(&key.0);
        // Models that the export never names may be another provider's.
        let models: BTreeSet<&str> = self.rows.keys().map(|(_, model)| model.as_str()).collect();
        let of_log = logged.keys().filter(|(_, model)| models.contains(model.as_str()));
        let keys: BTreeSet<&UsageKey> = self.rows.keys().chain(of_log).filter(is_whole).collect();
        let mut finds = Finds::default();
        let rows = keys.into_iter().map(|key| self.compare(key, &logged, &mut finds)).collect();
        for finding in finds.end(|_| 0) {
            let model = finding.what.splitn(3, '/').nth(2).unwrap_or_default();
            let calls = |system: &Ended| {
                let of_model = system.counted.0.iter().filter(|((_, named), _)| named == model);
                of_model.filter_map(|(_, counts)| counts.requests).sum::<u64>()
            };
            let most = systems.iter().map(calls).max().unwrap_or(0);
            if let Some(system) = systems.iter_mut().find(|system| calls(system) == most) {
                system.coverage.findings.push(finding);
            }
        }
        let unnamed = logged.keys().map(|(_, model)| model).filter(|model| !models.contains(model.as_str()));
        let not_compared: BTreeSet<String> = unnamed.cloned().collect();
        Reconciliation {
            not_compared: not_compared.into_iter().collect(),
            outside: self.rows.keys().filter(|key| !is_whole(key)).count(),
            rows,
        }
    }

    fn compare(
        &self,
        key: &UsageKey,
        logged: &BTreeMap<UsageKey, UsageCounts>,
        finds: &mut Finds,
    ) -> UsageRow {
        let (day_number, model) = key;
        let day = day(Timestamp(day_number.saturating_mul(DAY_NS)));
        let provider = self.rows.get(key).copied().unwrap_or(UsageCounts {
            input_tokens: None,
            output_tokens: None,
            requests: Some(0),
        });
        let logged = logged.get(key).copied().unwrap_or_default();
        let mut fits = true;
        for ((what, counted), (_, has)) in provider.each().into_iter().zip(logged.each()) {
            let Some(counted) = counted else { continue };
            let has = has.unwrap_or(0);
            let allowed = counted.max(has) as f64 * self.tolerance;
            let difference = counted.abs_diff(has);
            if difference == 0 || difference as f64 <= allowed {
                continue;
            }
            fits = false;
            let (rule, word) =
                if counted > has { (Rule::UsageMore, "more") } else { (Rule::UsageLess, "fewer") };
            let about = format!("{}/{day}/{model}", what.replace(' ', "-"));
            let example = format!("{day} {model}: {counted} there, {has} here");
            let sight = Sight { count: difference, ..Sight::new(rule, &about, &example) };
            finds.add(&sight).says(|| {
                format!("the provider counted {difference} {what} {word} than the log has: {counted} there, {has} here")
            });
        }
        UsageRow { day, fits, logged, model: model.clone(), provider }
    }
}
