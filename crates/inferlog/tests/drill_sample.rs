//! The draw of a drill, on generated logs: each decision of a stratum is as likely as any other, and every stratum has its share.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use inferlog::audit::drill::{AGES, DrawOptions, Drawn, draw, named};
use inferlog::generate::{Options, SYSTEMS, write};
use inferlog::log::{LogReader, list_logs};
use inferlog::real_env;
use inferlog::record::{EntryView, Id, Timestamp};

/// When the generated decisions begin: 2026-03-02; they end 42 days later.
const BEGIN_S: u64 = 1_772_409_600;
const DAY_S: u64 = 86_400;
/// Systems whose decisions have one or two entries, or up to dozens.
const AGENT: usize = 2;

fn at(seconds: u64) -> Timestamp {
    Timestamp(seconds * 1_000_000_000)
}

fn drawn(dir: &Path, until: Timestamp, seed: u64, sample: usize, systems: &[&str]) -> Drawn {
    let systems = systems.iter().map(|name| (*name).to_owned()).collect();
    let options = DrawOptions { systems, since: None, until, seed, sample };
    draw(&real_env().fs, dir, &options, &mut |_, _| {}).unwrap()
}

/// The decisions of a system, and how many entries each has.
fn lengths(dir: &Path, system: &str) -> BTreeMap<Id, usize> {
    let fs = real_env().fs;
    let mut lengths = BTreeMap::new();
    for log in list_logs(&*fs, dir).unwrap().into_iter().filter(|log| log.system() == system) {
        let reader = LogReader::new(fs.clone(), log);
        let size = reader.size().unwrap();
        let count = |_, entry: &[u8]| {
            if let Some(decision) = EntryView::parse(entry).unwrap().decision {
                *lengths.entry(decision).or_default() += 1;
            }
            true
        };
        reader.scan(0, size, count).unwrap();
    }
    lengths
}

async fn world(decisions: u64) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &Options::new(decisions)).await.unwrap();
    dir
}

/// Pearson's statistic in standard deviations from its expectation, of counts that all have the same expectation; `spread` is what is
/// left of the variance where draws are without replacement.
fn deviation(observed: &[f64], expected: &[f64], spread: f64) -> f64 {
    let statistic: f64 = observed.iter().zip(expected).map(|(o, e)| (o - e) * (o - e) / (e * spread)).sum();
    let degrees = observed.len() as f64 - 1.0;
    (statistic - degrees) / (2.0 * degrees).sqrt()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_decision_is_as_likely_as_any_other_however_long() {
    const SEEDS: u64 = 400;
    const SAMPLE: usize = 30;
    let dir = world(1_500).await;
    let lengths = lengths(dir.path(), SYSTEMS[AGENT]);
    let (shortest, longest) = (lengths.values().min().unwrap(), lengths.values().max().unwrap());
    assert!(*shortest == 1 && *longest > 8, "{shortest} to {longest} entries");
    // All of one age.
    let until = at(BEGIN_S + 400 * DAY_S);
    let mut counts: BTreeMap<Id, u64> = lengths.keys().map(|id| (*id, 0)).collect();
    for seed in 0..SEEDS {
        let drawn = drawn(dir.path(), until, seed, SAMPLE, &[SYSTEMS[AGENT]]);
        let [system] = &drawn.systems[..] else { panic!("{drawn:?}") };
        assert_eq!((system.population(), system.decisions.len()), (lengths.len() as u64, SAMPLE));
        assert_eq!(system.decisions.iter().collect::<BTreeSet<_>>().len(), SAMPLE, "each once");
        for decision in &system.decisions {
            *counts.get_mut(decision).expect("a decision of the log") += 1;
        }
    }
    let (population, draws) = (lengths.len() as f64, (SEEDS * SAMPLE as u64) as f64);
    let spread = 1.0 - SAMPLE as f64 / population;
    let observed: Vec<f64> = counts.values().map(|count| *count as f64).collect();
    let apart = deviation(&observed, &vec![draws / population; observed.len()], spread);
    assert!(apart.abs() < 4.5, "{apart} standard deviations from uniform");
    // By length: who has many entries is drawn no more often.
    let mut by_length: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for (decision, length) in &lengths {
        let class = by_length.entry((*length).min(6)).or_default();
        class.0 += counts[decision] as f64;
        class.1 += draws / population;
    }
    let (observed, expected): (Vec<f64>, Vec<f64>) = by_length.values().copied().unzip();
    let apart = deviation(&observed, &expected, spread);
    assert!(by_length.len() > 3 && apart.abs() < 4.5, "{apart}: {by_length:?}");
    // Such a statistic does find what is not uniform: one entry, one chance.
    let entries: usize = lengths.values().sum();
    let biased: Vec<f64> = lengths.values().map(|length| draws * *length as f64 / entries as f64).collect();
    assert!(deviation(&biased, &vec![draws / population; biased.len()], spread) > 20.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stratum_has_its_share_and_a_seed_draws_the_same_again() {
    let dir = world(3_000).await;
    // The youngest are hours old, the oldest six weeks.
    let until = at(BEGIN_S + 42 * DAY_S);
    let first = drawn(dir.path(), until, 9, 60, &[]);
    assert_eq!(first.systems.iter().map(|system| &system.system).collect::<Vec<_>>(), SYSTEMS);
    assert_eq!(first.decisions(), 60);
    for system in &first.systems {
        assert_eq!(system.decisions.len(), 20);
        let ages: Vec<(&str, usize)> =
            system.strata.iter().map(|stratum| (stratum.age, stratum.drawn)).collect();
        assert_eq!(ages, [(AGES[0].0, 5), (AGES[1].0, 5), (AGES[2].0, 5), (AGES[3].0, 5)]);
        for stratum in &system.strata {
            assert!(stratum.population > 5, "{stratum:?}");
        }
    }
    let again = drawn(dir.path(), until, 9, 60, &[]);
    let ids = |drawn: &Drawn| -> Vec<Vec<Id>> {
        drawn.systems.iter().map(|system| system.decisions.clone()).collect()
    };
    assert_eq!(ids(&first), ids(&again));
    assert_ne!(ids(&first), ids(&drawn(dir.path(), until, 10, 60, &[])));
    // More of the same seed holds less of it.
    let more = drawn(dir.path(), until, 9, 240, &[]);
    for (few, many) in ids(&first).iter().zip(ids(&more)) {
        assert!(few.iter().all(|decision| many.contains(decision)));
    }
    // All there are, and no more.
    let all = drawn(dir.path(), until, 9, 10_000, &[]);
    let population: u64 = all.systems.iter().map(|system| system.population()).sum();
    assert_eq!((all.decisions() as u64, population), (population, population));
    // By name: each under its system.
    let wanted: BTreeSet<Id> = ids(&first).into_iter().flatten().collect();
    let found = named(&real_env().fs, dir.path(), &wanted, &mut |_, _| {}).unwrap();
    assert_eq!(ids(&found), ids(&first));
}
