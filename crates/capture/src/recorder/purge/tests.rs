//! The calendar and what is due by it, against a plain reading of the rule.

use super::calendar::{Calendar, DAY_NS};
use super::due::{due_at, due_before};
use super::entry::Light;
use inferlog_policy::{Policy, Profile, Retention};
use inferlog_record::body::{Clock, LastEnd, RecorderStarted};
use inferlog_record::{ClearName, Digest, Entry, Event, Id, NodeId, RetentionClass, SystemName, Timestamp};
use proptest::prelude::*;

const START: u64 = 1_767_225_600_000_000_000;
const HOUR_NS: u64 = 3_600_000_000_000;

fn policy(target: &str) -> Policy {
    let text = format!(
        "system = \"credit\"\nversion = \"1\"\nprofile = \"other\"\n[[class]]\nname = \"default\"\nfloor = \"{target}\"\n\
         target = \"{target}\"\nlegal_basis = \"a test\"\n"
    );
    Policy::parse(&text).unwrap()
}

fn event(at: u64, body: impl Into<inferlog_record::body::Body>) -> Event {
    Event::new(Id::new(at / 1_000_000, &[0; 10]), SystemName::new("credit").unwrap(), Timestamp(at), body)
}

fn clock(at: u64, synchronised: bool, source: &str) -> Event {
    let body = Clock {
        by: None,
        disregard_first: None,
        disregard_last: None,
        max_error_ns: None,
        offset_ns: None,
        source: ClearName::new(source).unwrap(),
        synchronised,
    };
    event(at, body)
}

fn started(at: u64) -> Event {
    let body = RecorderStarted {
        build: ClearName::new("test").unwrap(),
        configuration: Digest([0; 32]),
        last_end: LastEnd::Clean,
        node: NodeId([0; 16]),
        policy: None,
        shard: ClearName::new("0").unwrap(),
    };
    event(at, body)
}

fn take(calendar: &mut Calendar, events: Vec<Event>) {
    let bytes = Entry::new(None, events).to_bytes().unwrap();
    let light = Light::parse(&bytes).unwrap();
    calendar.take(calendar.next(), &bytes, &light, true);
}

fn calendar(stamps: &[u64], disregarded: &[(u64, u64)]) -> Calendar {
    let mut calendar = Calendar::new(0, disregarded.to_vec());
    stamps.iter().for_each(|at| take(&mut calendar, vec![clock(*at, true, "kernel")]));
    calendar
}

/// The effective time of every entry, as the rule has it: the first stamp at or after it that counts and is later than all before.
fn effective(stamps: &[u64], disregarded: &[(u64, u64)]) -> Vec<Option<u64>> {
    let counts = |at: usize| !disregarded.iter().any(|(first, last)| (*first..=*last).contains(&(at as u64)));
    let is_record =
        |at: usize| counts(at) && (0..at).all(|before| !counts(before) || stamps[before] <= stamps[at]);
    let first = |from: usize| (from..stamps.len()).find(|at| is_record(*at)).map(|at| stamps[at]);
    (0..stamps.len()).map(first).collect()
}

/// Times that go on, and clocks that show them with errors: per run one offset, now and then a stamp of its own.
fn history() -> impl Strategy<Value = (Vec<u64>, Vec<u64>, Vec<(u64, u64)>)> {
    let gaps = prop::collection::vec(0..3 * DAY_NS, 1..60);
    let errors = prop::collection::vec(prop_oneof![4 => Just(0_i64), 1 => -400_i64..400, 1 => -3_i64..3], 60);
    (gaps, errors, prop::collection::vec((0_u64..60, 0_u64..9), 0..3)).prop_map(|(gaps, errors, ranges)| {
        let mut now = START + 1_000 * DAY_NS;
        let truth: Vec<u64> = gaps
            .iter()
            .map(|gap| {
                now += gap;
                now
            })
            .collect();
        let stamp = |(at, error): (&u64, &i64)| at.saturating_add_signed(error * DAY_NS as i64);
        let stamps = truth.iter().zip(&errors).map(stamp).collect();
        (truth, stamps, ranges.into_iter().map(|(first, more)| (first, first + more)).collect())
    })
}

proptest! {
    /// What the calendar says is due is what the rule says, less what shares a day with something that is not.
    #[test]
    fn the_calendar_keeps_the_rule((_, stamps, disregarded) in history(), after in 0_u64..900) {
        let (calendar, policy) = (calendar(&stamps, &disregarded), policy("184 days"));
        let now = Timestamp(START + (700 + after) * DAY_NS);
        let due = due_before(&calendar, &policy, &policy.classes[0], u64::MAX, now, 0);
        let effective = effective(&stamps, &disregarded);
        for (index, time) in effective.iter().enumerate() {
            let is_due = |at: u64| due_at(&policy, &policy.classes[0], Timestamp(at)) <= now;
            if (index as u64) < due {
                prop_assert!(time.is_some_and(is_due), "entry {index} is due and should not be");
            } else if let Some(time) = time {
                // Everything of that day, to its last moment, would have to be due.
                prop_assert!(!is_due(time / DAY_NS * DAY_NS + DAY_NS - 1), "entry {index} is not due and should be");
            }
        }
    }

    /// Nothing is due before its time by the true clock, whatever was stamped, where the stamps that lag behind the truth are disregarded.
    #[test]
    fn nothing_is_removed_too_early((truth, stamps, mut disregarded) in history(), after in 0_u64..900) {
        for (index, (true_time, stamp)) in truth.iter().zip(&stamps).enumerate() {
            if stamp < true_time {
                disregarded.push((index as u64, index as u64));
            }
        }
        let (calendar, policy) = (calendar(&stamps, &disregarded), policy("200 days"));
        let now = Timestamp(START + (900 + after) * DAY_NS);
        let due = due_before(&calendar, &policy, &policy.classes[0], u64::MAX, now, 0);
        for (index, true_time) in truth.iter().enumerate().take(due as usize) {
            prop_assert!(due_at(&policy, &policy.classes[0], Timestamp(*true_time)) <= now, "entry {index}");
        }
    }

    /// One stamp out of place, in the past or in the future, makes nothing due that was not.
    #[test]
    fn a_stamp_out_of_place_makes_nothing_due(at in 0_usize..40, error in -4_000_i64..4_000, after in 0_u64..600) {
        let truth: Vec<u64> = (0..40).map(|day| START + 5_000 * DAY_NS + day * DAY_NS + HOUR_NS).collect();
        let mut stamps = truth.clone();
        stamps[at] = stamps[at].saturating_add_signed(error * DAY_NS as i64);
        let policy = policy("6 months");
        let now = Timestamp(START + (5_000 + after) * DAY_NS);
        let due = |stamps: &[u64]| due_before(&calendar(stamps, &[]), &policy, &policy.classes[0], u64::MAX, now, 0);
        // But for the first, before which nothing stands that it could be held against.
        prop_assert!(at == 0 || due(&stamps) <= due(&truth));
    }
}

#[test]
fn the_law_asks_for_six_months_and_184_days() {
    let mut policy = policy("1 days");
    let class = |policy: &Policy| -> Retention { policy.classes[0].clone() };
    let from: Timestamp = "2026-02-01T00:00:00.000000000Z".parse().unwrap();
    assert_eq!(due_at(&policy, &class(&policy), from).to_string(), "2026-02-02T00:00:00.000000000Z");
    policy.profile = Profile::HighRisk;
    assert_eq!(due_at(&policy, &class(&policy), from).to_string(), "2026-08-04T00:00:00.000000000Z");
    policy.classes[0].below_legal_floor = Some("the board answers for it".into());
    assert_eq!(due_at(&policy, &class(&policy), from).to_string(), "2026-02-02T00:00:00.000000000Z");
}

#[test]
fn a_leap_within_a_run_is_doubtful_and_one_over_a_start_where_nobody_vouched() {
    let day = |day: u64| START + day * DAY_NS;
    // What was said of the clock before, whether a recorder began there, what is said after; by how many days; whether it is doubtful.
    for (before, is_start, after, days, doubtful) in [
        (true, false, true, 1, false),
        (false, false, true, 1, true),
        (true, false, false, 1, true),
        (true, false, true, 8, true),
        (true, true, true, 90, false),
        (false, true, false, 6, false),
        (false, true, true, 8, true),
        (true, true, false, 8, true),
    ] {
        let mut calendar = Calendar::new(0, Vec::new());
        take(&mut calendar, vec![clock(day(0), before, "kernel")]);
        if is_start {
            take(&mut calendar, vec![started(day(days))]);
        }
        take(&mut calendar, vec![clock(day(days), after, "kernel")]);
        let case = (before, is_start, after, days);
        assert_eq!(!calendar.steps().is_empty(), doubtful, "{case:?}");
        take(&mut calendar, vec![clock(day(days) + 1, after, super::calendar::SETTLED_BY)]);
        assert!(calendar.steps().is_empty(), "a person settled it");
    }
}

#[test]
fn a_file_that_does_not_fit_is_not_read() {
    let known = calendar(&[START, START + DAY_NS], &[]);
    assert!(known.fits(0, &[], 2) && known.fits(0, &[], 9));
    assert!(!known.fits(0, &[], 1), "the log is shorter");
    assert!(!known.fits(0, &[(0, 0)], 2), "other ranges are disregarded");
    assert!(!known.fits(256, &[], 2), "the log was pruned since");
    let bytes = known.to_bytes();
    assert_eq!(Calendar::from_bytes(&bytes), Some(known));
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        assert_eq!(Calendar::from_bytes(&damaged), None, "byte {at}");
    }
    assert_eq!(Calendar::from_bytes(b""), None);
}

#[test]
fn days_are_whole_where_nothing_of_them_comes_later() {
    let mut known = Calendar::new(0, Vec::new());
    for at in [0, DAY_NS, DAY_NS + 1, DAY_NS / 2, 3 * DAY_NS] {
        take(&mut known, vec![clock(START + at, true, "kernel")]);
    }
    let day = Timestamp(START).day();
    let class = RetentionClass::default();
    assert_eq!(known.whole_days(&class, &(0..=2)), [day + 1], "the first day comes again");
    assert_eq!(known.whole_days(&class, &(0..=3)), [day, day + 1]);
    assert_eq!(known.whole_days(&class, &(4..=4)), [day + 3]);
}
