//! What sampling policies left out, and what the sample guarantees: read from the `sampling` events of the logs.

mod bound;
mod text;

pub use bound::{CONFIDENCE, Drawn, unseen_max};
pub use text::write_sampling;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_merkle::entries;
use inferlog_record::body::{Body, Sampling, SamplingMethod};
use inferlog_record::{Entry, Tally, Timestamp};
use memchr::memmem::Finder;
use serde::Serialize;

use crate::error::Result;
use crate::open::OpenLog;
use crate::select::Select;

const SAMPLING: &[u8] = br#""kind":"sampling""#;

/// What one sampling policy selected.
#[derive(Clone, Debug, Serialize)]
pub struct SamplingReport {
    /// The system.
    pub system: String,
    /// The policy, `<system>/<version>`.
    pub policy: String,
    /// How it selects.
    pub method: &'static str,
    /// First and last time that its counts are of.
    pub from: Option<Timestamp>,
    /// See `from`.
    pub to: Option<Timestamp>,
    /// Each stratum; one without a name where there are none, or for what is of none.
    pub strata: Vec<StratumReport>,
    /// Decisions, as far as they were counted.
    pub population: u64,
    /// Of these, selected.
    pub selected: u64,
    /// Recorded although not selected: failed, refused, broken off, or acted on by a person.
    pub always: u64,
    /// Times of which nobody knows how many decisions there were.
    pub uncounted: Vec<Uncounted>,
    /// The most decisions of one kind that there can have been without one of them being selected, with 95 % confidence.
    pub unseen_max: u64,
    /// The same as a share of the population.
    pub unseen_rate_max: Option<f64>,
    /// What that rests on.
    pub holds_if: &'static str,
}

/// What was selected in one stratum.
#[derive(Clone, Debug, Serialize)]
pub struct StratumReport {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stratum: Option<String>,
    /// The probability of being selected that the policy says.
    pub probability: Option<f64>,
    /// Decisions.
    pub population: u64,
    /// Of these, selected.
    pub selected: u64,
    /// Recorded although not selected.
    pub always: u64,
    /// The most decisions of one kind in it that went unselected, with 95 % confidence.
    pub unseen_max: u64,
}

/// A time of which the counts are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Uncounted {
    /// Its begin.
    pub from: Option<Timestamp>,
    /// Its end.
    pub to: Option<Timestamp>,
}

/// Reads what sampling policies selected, of the events logged between two times.
///
/// # Errors
/// Damage that keeps the logs from being read.
pub fn sampling(
    fs: &Arc<dyn Fs>,
    dir: &Path,
    select: &Select,
    (from, to): (Option<Timestamp>, Option<Timestamp>),
) -> Result<Vec<SamplingReport>> {
    let mut sums: BTreeMap<(String, String), Sum> = BTreeMap::new();
    let finder = Finder::new(SAMPLING);
    for log in OpenLog::all(fs, dir, select, &[])? {
        let start = from.map_or(Ok(0), |from| log.start(from.nanos()))?;
        log.bundles(start, log.size(), |first, bundle| {
            if finder.find(bundle).is_none() {
                return Ok(());
            }
            for (index, entry) in (first..).zip(entries(bundle)) {
                let entry = entry.map_err(|error| log.malformed(index, error))?;
                if finder.find(entry).is_none() {
                    continue;
                }
                let entry = Entry::from_bytes(entry).map_err(|error| log.malformed(index, error))?;
                for event in entry.events {
                    let is_asked = from.is_none_or(|from| event.logged_at >= from)
                        && to.is_none_or(|to| event.logged_at < to);
                    if let (Body::Sampling(body), true) = (event.body, is_asked) {
                        let key = (log.dir.system().to_owned(), body.policy.to_string());
                        sums.entry(key).or_default().add(&body);
                    }
                }
            }
            Ok(())
        })?;
    }
    Ok(sums.into_iter().map(|((system, policy), sum)| sum.report(system, policy)).collect())
}

#[derive(Default)]
struct Sum {
    method: Option<SamplingMethod>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    strata: BTreeMap<Option<String>, StratumReport>,
    uncounted: Vec<Uncounted>,
}

impl Sum {
    fn add(&mut self, body: &Sampling) {
        self.method = Some(body.method);
        let Tally::Known(population) = body.population else {
            self.uncounted.push(Uncounted { from: body.from, to: body.to });
            return;
        };
        self.from = [self.from, body.from].into_iter().flatten().min();
        self.to = [self.to, body.to].into_iter().flatten().max();
        let stratum = body.stratum.as_ref().map(ToString::to_string);
        let sum = self.strata.entry(stratum.clone()).or_insert_with(|| StratumReport {
            stratum,
            probability: None,
            population: 0,
            selected: 0,
            always: 0,
            unseen_max: 0,
        });
        sum.probability = body.probability_millionths.map(inferlog_record::Millionths::to_f64);
        sum.population = sum.population.saturating_add(population);
        sum.selected = sum.selected.saturating_add(body.selected.0);
        sum.always = sum.always.saturating_add(body.always.0);
    }

    fn report(self, system: String, policy: String) -> SamplingReport {
        let mut strata: Vec<StratumReport> = self.strata.into_values().collect();
        let drawn =
            |stratum: &StratumReport| Drawn { population: stratum.population, selected: stratum.selected };
        for stratum in &mut strata {
            stratum.unseen_max = unseen_max(&[drawn(stratum)]);
        }
        let all: Vec<Drawn> = strata.iter().map(drawn).collect();
        let sum = |of: fn(&StratumReport) -> u64| strata.iter().map(of).fold(0, u64::saturating_add);
        let (population, unseen_max) = (sum(|one| one.population), unseen_max(&all));
        let method = self.method.unwrap_or(SamplingMethod::All);
        SamplingReport {
            system,
            policy,
            method: method.as_str(),
            from: self.from,
            to: self.to,
            population,
            selected: sum(|one| one.selected),
            always: sum(|one| one.always),
            uncounted: self.uncounted,
            unseen_max,
            unseen_rate_max: (population > 0).then(|| unseen_max as f64 / population as f64),
            holds_if: holds_if(method),
            strata,
        }
    }
}

/// What a bound rests on.
fn holds_if(method: SamplingMethod) -> &'static str {
    match method {
        SamplingMethod::Systematic => {
            "the kind does not recur in step with the selection: of a kind that does, none may be selected at all"
        }
        _ => "nobody chose what is selected: a keyed digest of an id that inferlog minted does",
    }
}
