//! Which decisions a drill looks at: a seeded sample, drawn from the log itself.
//!
//! The logs are read once and every opening of a decision is counted, so that the population is known and not estimated. Each
//! decision has a priority, the first 8 bytes of SHA-256("inferlog drill v1" ‖ seed ‖ id); of each stratum the lowest ones are
//! drawn. So each decision of a stratum is as likely as any other, however many entries it has and however often a retry
//! repeated its opening; and the same seed draws the same decisions again.
//!
//! A stratum is a system and an age, by the time in the decision's id. The sample is divided evenly among systems, then among
//! the ages of each; what a stratum is too small to take goes to the others, and what cannot be divided to the oldest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_merkle::entries;
use inferlog_record::{Id, Kind, Timestamp};
use memchr::memmem::Finder;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::json::EntryScan;
use crate::open::OpenLog;
use crate::select::Select;
use crate::story::{Locator, ScanLocator};

/// Decisions of one drill at most: their outcomes are held in memory and stand in the report.
pub const SAMPLE_MAX: usize = 10_000;

const DOMAIN: &[u8] = b"inferlog drill v1";
const OPENING: &[u8] = br#""kind":"decision.opened""#;
const MS_PER_DAY: u64 = 24 * 60 * 60 * 1_000;

/// How old decisions are, the youngest first: a name, and the age that none of them has reached, days.
pub const AGES: [(&str, u64); 6] = [
    ("last day", 1),
    ("last week", 7),
    ("last month", 30),
    ("last quarter", 91),
    ("last half-year", 182),
    ("older", u64::MAX),
];

/// Which decisions may be drawn, and how many are.
#[derive(Clone, Debug)]
pub struct DrawOptions {
    /// Only of these systems; of all, if none is named.
    pub systems: Vec<String>,
    /// Begun at or after.
    pub since: Option<Timestamp>,
    /// Begun before; ages are measured from here.
    pub until: Timestamp,
    /// What the draw follows from.
    pub seed: u64,
    /// How many to draw; all, if there are fewer.
    pub sample: usize,
}

/// What was drawn.
#[derive(Clone, Debug, Default)]
pub struct Drawn {
    /// One for each system that has a log, by name.
    pub systems: Vec<DrawnSystem>,
}

/// What was drawn of one system.
#[derive(Clone, Debug)]
pub struct DrawnSystem {
    /// The system.
    pub system: String,
    /// The ages that have decisions, the youngest first.
    pub strata: Vec<Stratum>,
    /// The decisions drawn, the oldest first.
    pub decisions: Vec<Id>,
}

/// Decisions of one system and age.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stratum {
    /// The age's name in [`AGES`].
    pub age: &'static str,
    /// Decisions of that age: openings counted in the log.
    pub population: u64,
    /// How many of them were drawn.
    pub drawn: usize,
}

impl Drawn {
    /// Decisions drawn.
    pub fn decisions(&self) -> usize {
        self.systems.iter().map(|system| system.decisions.len()).sum()
    }
}

impl DrawnSystem {
    /// Decisions that could have been drawn.
    pub fn population(&self) -> u64 {
        self.strata.iter().map(|stratum| stratum.population).sum()
    }
}

/// Draws a sample. `progress` is told how many entries of how many have been read.
///
/// # Errors
/// Damage that keeps a log from being read; a system that has no log.
pub fn draw(
    fs: &Arc<dyn Fs>,
    dir: &Path,
    options: &DrawOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Drawn> {
    let mut logs = Vec::new();
    if options.systems.is_empty() {
        logs = OpenLog::all(fs, dir, &Select::default(), &[])?;
    }
    for system in &options.systems {
        logs.extend(OpenLog::all(fs, dir, &Select::system(system), &[])?);
    }
    let mut starts = Vec::with_capacity(logs.len());
    for log in &logs {
        starts.push(options.since.map_or(Ok(0), |since| log.start(since.nanos()))?);
    }
    let total = logs.iter().zip(&starts).map(|(log, start)| log.size().saturating_sub(*start)).sum();
    let (mut done, mut candidates) = (0, Vec::<Candidates>::new());
    for (log, start) in logs.iter().zip(starts) {
        // Logs come by system, so that those of one stand beside each other.
        if candidates.last().is_none_or(|last| last.system != log.dir.system()) {
            candidates.push(Candidates::new(log.dir.system()));
        }
        let Some(of_system) = candidates.last_mut() else { continue };
        log.bundles(start, log.size(), |first, bundle| {
            done += of_system.bundle(log, options, first, bundle)?;
            progress(done.min(total), total);
            Ok(())
        })?;
    }
    Ok(Drawn { systems: allot(candidates, options.sample) })
}

/// Decisions that somebody names, by the systems whose logs have entries of them; those that no log has stand under a system
/// without a name. `progress` is told how many entries of how many have been read.
///
/// # Errors
/// Damage that keeps the logs from being read.
pub fn named(
    fs: &Arc<dyn Fs>,
    dir: &Path,
    decisions: &BTreeSet<Id>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Drawn> {
    let ids: Vec<Id> = decisions.iter().copied().collect();
    let found = ScanLocator::scan(fs, dir, &Select::default(), &ids, progress)?;
    let logs = OpenLog::all(fs, dir, &Select::default(), &[])?;
    let mut systems: BTreeMap<String, Vec<Id>> = BTreeMap::new();
    for decision in ids {
        let located = found.locate(decision).unwrap_or_default();
        let log = located.iter().find(|located| !located.entries.is_empty());
        let log = log.and_then(|located| logs.iter().find(|log| log.origin == located.origin));
        let system = log.map_or(String::new(), |log| log.dir.system().to_owned());
        systems.entry(system).or_default().push(decision);
    }
    let drawn = |(system, decisions)| DrawnSystem { system, strata: Vec::new(), decisions };
    Ok(Drawn { systems: systems.into_iter().map(drawn).collect() })
}

/// The decisions of one system that may be drawn.
struct Candidates {
    system: String,
    ages: [Age; AGES.len()],
}

#[derive(Default)]
struct Age {
    population: u64,
    /// The lowest priorities so far. An opening that stands twice is one decision.
    lowest: BTreeSet<(u64, Id)>,
}

impl Candidates {
    fn new(system: &str) -> Self {
        Self { system: system.to_owned(), ages: Default::default() }
    }

    /// Takes the openings of a bundle. How many entries it has.
    fn bundle(&mut self, log: &OpenLog, options: &DrawOptions, first: u64, bundle: &[u8]) -> Result<u64> {
        let opening = Finder::new(OPENING);
        let mut read = 0;
        for (index, entry) in (first..).zip(entries(bundle)) {
            let entry = entry.map_err(|error| log.malformed(index, error))?;
            read += 1;
            if opening.find(entry).is_none() {
                continue;
            }
            let mut scan = EntryScan::default();
            scan.read(entry).map_err(|malformed| log.malformed(index, malformed))?;
            if let Some(decision) = opened(&scan) {
                self.take(options, decision);
            }
        }
        Ok(read)
    }

    fn take(&mut self, options: &DrawOptions, decision: Id) {
        let (began, until) = (decision.millis(), options.until.nanos() / 1_000_000);
        if began >= until || options.since.is_some_and(|since| began < since.nanos() / 1_000_000) {
            return;
        }
        let Some(age) = self.ages.get_mut(age(until - began)) else { return };
        age.population += 1;
        age.lowest.insert((priority(options.seed, decision), decision));
        if age.lowest.len() > options.sample {
            age.lowest.pop_last();
        }
    }
}

/// The decision that an entry opens.
fn opened(scan: &EntryScan<'_>) -> Option<Id> {
    let kind = Kind::DecisionOpened.as_str().as_bytes();
    let opens = scan.events.iter().any(|event| event.kind == kind && !event.body.is_empty());
    let text = scan.decision.filter(|_| opens)?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Which of [`AGES`], of what began so long ago.
pub(super) fn age(ms: u64) -> usize {
    AGES.iter().position(|(_, days)| ms / MS_PER_DAY < *days).unwrap_or(AGES.len() - 1)
}

fn priority(seed: u64, decision: Id) -> u64 {
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash.update(seed.to_be_bytes());
    hash.update(decision.into_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hash.finalize()[..8]);
    u64::from_be_bytes(first)
}

/// Divides the sample among systems, then among the ages of each, and draws.
fn allot(candidates: Vec<Candidates>, sample: usize) -> Vec<DrawnSystem> {
    let there = |system: &Candidates| system.ages.iter().map(|age| age.lowest.len()).sum();
    let shares = shares(sample, &candidates.iter().map(there).collect::<Vec<_>>());
    candidates.into_iter().zip(shares).map(|(system, share)| system.draw(share)).collect()
}

impl Candidates {
    fn draw(self, share: usize) -> DrawnSystem {
        let there: Vec<usize> = self.ages.iter().map(|age| age.lowest.len()).collect();
        let (mut strata, mut decisions) = (Vec::new(), Vec::new());
        for (((name, _), age), share) in AGES.iter().zip(self.ages).zip(shares(share, &there)) {
            if age.population > 0 {
                strata.push(Stratum { age: name, population: age.population, drawn: share });
            }
            decisions.extend(age.lowest.into_iter().take(share).map(|(_, decision)| decision));
        }
        decisions.sort_unstable();
        DrawnSystem { system: self.system, strata, decisions }
    }
}

/// Divides `total` evenly among those that can take so many; what cannot be divided goes to the last ones.
fn shares(total: usize, room: &[usize]) -> Vec<usize> {
    let mut shares = vec![0; room.len()];
    let mut left = total.min(room.iter().sum());
    while left > 0 {
        let open: Vec<usize> = (0..room.len()).rev().filter(|at| shares[*at] < room[*at]).collect();
        let each = (left / open.len().max(1)).max(1);
        for at in open {
            let more = each.min(room[at] - shares[at]).min(left);
            shares[at] += more;
            left -= more;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::{age, shares};

    #[test]
    fn every_stratum_that_has_any_gets_its_share() {
        for (total, room, expected) in [
            (0, &[5, 5][..], &[0, 0][..]),
            (1, &[5, 5], &[0, 1]),
            (4, &[5, 5], &[2, 2]),
            (5, &[5, 5], &[2, 3]),
            (9, &[1, 9, 0, 9], &[1, 4, 0, 4]),
            (10, &[1, 2, 90], &[1, 2, 7]),
            (100, &[1, 2, 3], &[1, 2, 3]),
            (7, &[], &[]),
        ] {
            assert_eq!(shares(total, room), expected, "{total} among {room:?}");
        }
    }

    #[test]
    fn ages_have_no_gap() {
        let day = super::MS_PER_DAY;
        let ages = [0, day - 1, day, 7 * day - 1, 7 * day, 30 * day, 91 * day, 182 * day, u64::MAX];
        assert_eq!(ages.map(age), [0, 0, 1, 1, 2, 3, 4, 5, 5]);
    }
}
