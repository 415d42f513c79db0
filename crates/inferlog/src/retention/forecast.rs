//! What will be kept, month by month, if systems go on as they did in the last weeks.
//!
//! What is there goes when it comes to be due; what is added each day is the mean of the last whole [`GROWTH_DAYS`] days, or of those
//! since the first; a class whose target is longer than the forecast grows all the while. Holds are taken to stand as they do.

use inferlog_capture::recorder::{ClassHoldings, Holdings};
use inferlog_record::Timestamp;
use serde::{Deserialize, Serialize};

/// Days that growth is taken from.
pub(crate) const GROWTH_DAYS: u32 = 28;
/// Months that are forecast.
pub(crate) const MONTHS: u32 = 12;
/// Days of a month, as a forecast counts.
const MONTH_DAYS: u32 = 30;
const DAY_NS: u64 = 86_400_000_000_000;
/// Bytes of the gigabyte that storage is priced by.
const GIGABYTE: f64 = 1e9;

/// What a class will be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClassForecast {
    /// Bytes that a day adds.
    pub(crate) daily_bytes: u64,
    /// Bytes that are kept after so many months, from one on.
    pub(crate) months: Vec<u64>,
}

/// The forecast of a class as of `at`.
pub(crate) fn of_class(class: &ClassHoldings, at: Timestamp) -> ClassForecast {
    let today = at.day();
    let oldest = class.days.iter().map(|day| day.day).min().unwrap_or(today);
    let whole = today.saturating_sub(oldest).clamp(1, GROWTH_DAYS);
    let recent = class.days.iter().filter(|day| day.day < today && day.day + whole >= today);
    let daily_bytes = recent.map(|day| day.bytes).sum::<u64>() / u64::from(whole);
    // How many days a new day is kept: as long as the newest that is there.
    let newest = class.days.iter().rev().find_map(|day| Some((day.day, day.due?)));
    let kept_days = newest.map(|(day, due)| due.day().saturating_sub(day));
    let months = (1..=MONTHS).map(|month| {
        let ahead = month * MONTH_DAYS;
        let then = Timestamp(at.nanos().saturating_add(u64::from(ahead) * DAY_NS));
        let is_kept = |due: Option<Timestamp>| due.is_none_or(|due| due > then);
        let old: u64 = class.days.iter().filter(|day| is_kept(day.due)).map(|day| day.bytes).sum();
        let new_days = kept_days.map_or(ahead, |kept| kept.min(ahead));
        old + daily_bytes * u64::from(new_days)
    });
    ClassForecast { daily_bytes, months: months.collect() }
}

/// Bytes of all classes and of the rest after so many months, from one on.
pub(crate) fn of_all(holdings: &Holdings) -> Vec<u64> {
    let classes: Vec<ClassForecast> =
        holdings.classes.iter().map(|class| of_class(class, holdings.at)).collect();
    let rest = holdings.other_bytes + holdings.older_bytes;
    (0..MONTHS as usize)
        .map(|month| rest + classes.iter().map(|class| class.months[month]).sum::<u64>())
        .collect()
}

/// What bytes cost in a month.
pub(crate) fn cost(bytes: u64, gigabyte_month: f64) -> f64 {
    bytes as f64 / GIGABYTE * gigabyte_month
}

#[cfg(test)]
mod tests {
    use super::*;
    use inferlog_capture::recorder::DayHoldings;

    fn class(days: &[(u32, u64, Option<u32>)]) -> ClassHoldings {
        let day = |(day, bytes, due): &(u32, u64, Option<u32>)| {
            let due = due.map(|due| Timestamp(u64::from(due) * DAY_NS));
            DayHoldings { day: *day, entries: 1, bytes: *bytes, due }
        };
        ClassHoldings {
            class: "credit".into(),
            rule: None,
            entries: 0,
            log_bytes: 0,
            pack_bytes: 0,
            kept_bytes: 0,
            oldest: None,
            next_due: None,
            past_ceiling: 0,
            days: days.iter().map(day).collect(),
        }
    }

    fn at(day: u32) -> Timestamp {
        Timestamp(u64::from(day) * DAY_NS + 5)
    }

    #[test]
    fn a_steady_class_comes_to_rest_at_its_target() {
        // A hundred bytes a day, kept for ninety days, all of which are there.
        let days: Vec<_> = (910..1_000).map(|day| (day, 100, Some(day + 90))).collect();
        let found = of_class(&class(&days), at(1_000));
        assert_eq!(found.daily_bytes, 100);
        assert!(found.months.iter().all(|bytes| (8_900..=9_100).contains(bytes)), "{found:?}");
    }

    #[test]
    fn what_nothing_removes_grows_by_its_days() {
        let found = of_class(&class(&[(998, 300, None), (999, 100, None), (1_000, 7, None)]), at(1_000));
        assert_eq!(found.daily_bytes, 200, "of the two whole days");
        assert_eq!(found.months[0], 407 + 30 * 200);
        assert_eq!(found.months[11], 407 + 360 * 200);
    }

    #[test]
    fn nothing_grows_from_nothing() {
        assert_eq!(of_class(&class(&[]), at(5)).months, [0; 12]);
        assert!((cost(2_000_000_000, 0.02) - 0.04).abs() < 1e-12);
    }
}
