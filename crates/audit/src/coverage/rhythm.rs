//! Silent hours, judged by the system's own rhythm.
//!
//! For each whole hour (UTC) of the window without a decision: how likely is that, by what the same hour of the week brought in the
//! other weeks that were read, those of the window included? With `n` other such hours that brought `s` decisions in all, a
//! Poisson process whose rate is not known but from these (Gamma posterior with Jeffreys' prior) is silent with the probability
//! `(n / (n + 1)) ^ (s + 1/2)`. Traffic varies more than chance makes it: `s` is divided by the dispersion, the mean of
//! (count − expected)² / expected over hours that were not silent, at least 1. With fewer than [`WEEKS_MIN`] other weeks the same hour of the other
//! days stands in for it, scaled by how busy this day is beside them, so that a first weekend is no finding; with fewer than
//! [`DAYS_MIN`] of these nothing is said. An hour is a finding where that probability is below [`PROBABILITY_MAX`]: of a
//! month's 720 hours, one in fourteen months would be by chance alone.

use std::collections::BTreeMap;
use std::ops::Range;

use super::report::Rhythm;

/// Silence less likely than this is a finding.
pub(super) const PROBABILITY_MAX: f64 = 1e-4;
/// Other weeks that the hour of the week needs.
const WEEKS_MIN: u64 = 2;
/// Other days that the hour of the day needs.
const DAYS_MIN: u64 = 3;
const DAY: u64 = 24;
const WEEK: u64 = 7 * DAY;

/// Hours in a row that were silent and should not have been.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Silence {
    /// Hours since 1970.
    pub(super) hours: Range<u64>,
    /// Decisions that the rhythm lets expect.
    pub(super) expected: f64,
}

/// What other hours brought.
#[derive(Clone, Copy, Default)]
struct Sum {
    hours: u64,
    decisions: u64,
}

struct Week<'a> {
    counts: &'a BTreeMap<u64, u64>,
    observed: Range<u64>,
    by_week: Vec<Sum>,
    by_day: Vec<Sum>,
    dispersion: f64,
}

/// Judges the hours of `window`, which were all `observed`, by their counts.
pub(super) fn judge(
    counts: &BTreeMap<u64, u64>,
    observed: Range<u64>,
    window: Range<u64>,
) -> (Vec<Silence>, Rhythm) {
    let week = Week::new(counts, observed);
    let mut rhythm = Rhythm { dispersion: (week.dispersion * 1e3).round() / 1e3, ..Rhythm::default() };
    let mut found: Vec<Silence> = Vec::new();
    for hour in window {
        let is_silent = week.count(hour) == 0;
        rhythm.hours_silent += u64::from(is_silent);
        let Some((expected, probability)) = week.silence(hour) else {
            rhythm.hours_unknown += 1;
            continue;
        };
        rhythm.hours_judged += 1;
        if !is_silent || probability >= PROBABILITY_MAX {
            continue;
        }
        match found.last_mut().filter(|last| last.hours.end == hour) {
            Some(last) => {
                last.hours.end = hour + 1;
                last.expected += expected;
            }
            None => found.push(Silence { hours: hour..hour + 1, expected }),
        }
    }
    (found, rhythm)
}

impl<'a> Week<'a> {
    fn new(counts: &'a BTreeMap<u64, u64>, observed: Range<u64>) -> Self {
        let (by_week, by_day) = (vec![Sum::default(); WEEK as usize], vec![Sum::default(); DAY as usize]);
        let mut week = Self { counts, observed, by_week, by_day, dispersion: 1.0 };
        for hour in week.observed.clone() {
            let count = week.count(hour);
            for sum in [&mut week.by_week[(hour % WEEK) as usize], &mut week.by_day[(hour % DAY) as usize]] {
                sum.hours += 1;
                sum.decisions += count;
            }
        }
        week.dispersion = week.dispersion().max(1.0);
        week
    }

    fn count(&self, hour: u64) -> u64 {
        self.counts.get(&hour).copied().unwrap_or(0)
    }

    /// What the other hours like this one brought, and in how many: decisions are scaled by how busy its day is, where days stand in.
    fn others(&self, hour: u64) -> Option<(f64, f64)> {
        let count = self.count(hour);
        let week = self.by_week[(hour % WEEK) as usize];
        if week.hours > WEEKS_MIN {
            return Some(((week.decisions - count) as f64, (week.hours - 1) as f64));
        }
        let day = self.by_day[(hour % DAY) as usize];
        if day.hours <= DAYS_MIN {
            return None;
        }
        // What the other hours of this day brought, beside what these hours bring as a rule.
        let (mut brought, mut usual) = (0.0, 0.0);
        let today = hour / DAY * DAY;
        for other in (today..today + DAY).filter(|other| *other != hour && self.observed.contains(other)) {
            let (count, sum) = (self.count(other), self.by_day[(other % DAY) as usize]);
            if sum.hours > 1 {
                brought += count as f64;
                usual += (sum.decisions - count) as f64 / (sum.hours - 1) as f64;
            }
        }
        let busy = if usual > 0.0 { (brought / usual).min(1.0) } else { 0.0 };
        Some(((day.decisions - count) as f64 * busy, (day.hours - 1) as f64))
    }

    /// How many decisions are expected in an hour, and how likely there is none.
    fn silence(&self, hour: u64) -> Option<(f64, f64)> {
        let (decisions, hours) = self.others(hour)?;
        let exponent = decisions / self.dispersion + 0.5;
        Some((decisions / hours, (hours / (hours + 1.0)).powf(exponent)))
    }

    /// How much more the counts of hours vary than chance makes them.
    fn dispersion(&self) -> f64 {
        let (mut sum, mut hours) = (0.0, 0_u64);
        for (hour, count) in self.counts.range(self.observed.clone()).filter(|(_, count)| **count > 0) {
            let Some((decisions, others)) = self.others(*hour) else { continue };
            let expected = decisions / others;
            if expected >= 1.0 {
                // The expectation is itself uncertain.
                sum += (*count as f64 - expected).powi(2) / (expected * (1.0 + 1.0 / others));
                hours += 1;
            }
        }
        if hours == 0 { 1.0 } else { sum / hours as f64 }
    }
}
