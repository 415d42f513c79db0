//! Periods of the calendar: written, read, and when they are over.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

use inferlog_policy::{LEGAL_FLOOR, PERIOD_YEARS_MAX, Period};
use inferlog_record::Timestamp;
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    format!("{text}:00.000000001Z").parse().unwrap()
}

fn period(text: &str) -> Period {
    text.parse().unwrap()
}

#[test]
fn months_end_on_the_same_day_or_the_month_s_last() {
    for (from, length, to) in [
        ("2026-01-15T09:30", "1 month", "2026-02-15T09:30"),
        ("2026-01-31T09:30", "1 month", "2026-02-28T09:30"),
        ("2028-01-31T09:30", "1 month", "2028-02-29T09:30"),
        ("2028-02-29T09:30", "1 year", "2029-02-28T09:30"),
        ("2028-02-29T09:30", "4 years", "2032-02-29T09:30"),
        ("2096-02-29T00:00", "4 years", "2100-02-28T00:00"),
        ("2026-08-31T23:59", "6 months", "2027-02-28T23:59"),
        ("2026-12-31T00:00", "2 months", "2027-02-28T00:00"),
        ("2026-03-01T00:00", "184 days", "2026-09-01T00:00"),
        ("2026-08-31T00:00", "184 days", "2027-03-03T00:00"),
        ("2026-11-22T10:00", "0 days", "2026-11-22T10:00"),
    ] {
        assert_eq!(period(length).end(at(from)), at(to), "{from} and {length}");
    }
    let last = Timestamp(u64::MAX);
    assert_eq!(period("1 day").end(last), last);
    assert_eq!(period("1 month").end(last), last);
    assert_eq!(period("100 years").end(at("2500-01-01T00:00")), last);
}

#[test]
fn what_is_no_period_is_refused() {
    for text in [
        "",
        "6",
        "months",
        "6months",
        "6  months",
        " 6 months",
        "6 months ",
        "-6 months",
        "+6 months",
        "6.5 months",
        "6 Months",
        "6 weeks",
        "1200 years",
        "36526 days",
        "1201 months",
        "4294967296 days",
        "99999999999999999999 days",
        "٦ months",
    ] {
        let error = text.parse::<Period>().unwrap_err();
        assert!(error.to_string().contains("184 days, 7 months, 10 years"), "{text}: {error}");
    }
    assert_eq!(period("100 years"), Period::Months(PERIOD_YEARS_MAX * 12));
    assert_eq!(period("36525 days"), Period::Days(36_525));
}

#[test]
fn the_legal_floor_is_covered_by_what_is_never_shorter() {
    for (text, covers) in [
        ("183 days", false),
        ("184 days", true),
        ("6 months", false),
        ("7 months", true),
        ("1 year", true),
        ("0 days", false),
    ] {
        assert_eq!(period(text).covers_legal_floor(), covers, "{text}");
    }
    for (long, short, covers) in [
        ("1 year", "365 days", true),
        ("1 year", "366 days", false),
        ("366 days", "1 year", true),
        ("365 days", "1 year", false),
        ("1 month", "28 days", true),
        ("1 month", "29 days", false),
        ("31 days", "1 month", true),
        ("30 days", "1 month", false),
        ("59 days", "2 months", false),
        ("62 days", "2 months", true),
        ("7 years", "2556 days", false),
        ("7 years", "2555 days", true),
        ("4 years", "1460 days", true),
    ] {
        let found = period(long).covers(period(short));
        assert_eq!(found, covers, "{long} and {short}");
    }
}

fn any_period() -> impl Strategy<Value = Period> {
    prop_oneof![(0..=36_525u32).prop_map(Period::Days), (0..=1200u32).prop_map(Period::Months)]
}

proptest! {
    #[test]
    fn a_period_is_read_as_it_is_written(period in any_period()) {
        prop_assert_eq!(period.to_string().parse::<Period>().unwrap(), period);
    }

    #[test]
    fn what_begins_later_never_ends_sooner(period in any_period(), one: u64, other: u64) {
        let (early, late) = (one.min(other), one.max(other));
        prop_assert!(period.end(Timestamp(early)) <= period.end(Timestamp(late)));
        prop_assert!(period.end(Timestamp(early)) >= Timestamp(early));
    }

    #[test]
    fn what_is_longer_never_ends_sooner(one in 0..1200u32, other in 0..1200u32, from: u64) {
        let (short, long) = (one.min(other), one.max(other));
        for kind in [Period::Days, Period::Months] {
            prop_assert!(kind(short).end(Timestamp(from)) <= kind(long).end(Timestamp(from)));
        }
    }

    #[test]
    fn what_covers_never_ends_sooner(one in any_period(), other in any_period(), from: u64) {
        if one.covers(other) {
            prop_assert!(one.end(Timestamp(from)) >= other.end(Timestamp(from)));
        }
    }

    #[test]
    fn months_keep_the_time_of_day(months in 0..1200u32, from in 0..9_000_000_000_000_000_000u64) {
        let (day, end) = (86_400_000_000_000, Period::Months(months).end(Timestamp(from)));
        prop_assert_eq!(end.nanos() % day, from % day);
        prop_assert!(end.day() - Timestamp(from).day() <= months * 31);
        prop_assert!(end.day() - Timestamp(from).day() >= months * 28);
    }

    #[test]
    fn days_184_cover_six_months(from: u64) {
        let [months, days] = LEGAL_FLOOR;
        prop_assert!(days.end(Timestamp(from)) >= months.end(Timestamp(from)));
    }

    #[test]
    fn no_text_panics(text in ".*") {
        let _ = text.parse::<Period>();
    }
}
