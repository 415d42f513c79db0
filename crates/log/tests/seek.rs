//! Entries found by their time, against the plain list of times.

#![allow(clippy::unwrap_used, reason = "a failure fails the test")]

mod world;

use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_log::prune::prune_entries;
use inferlog_log::{Append, LogReader, ReadError};
use inferlog_record::Timestamp;
use proptest::prelude::*;
use world::{Life, START_NS, World, with_pruner};

const SECOND_NS: u64 = 1_000_000_000;
const MARGIN_NS: u64 = 600 * SECOND_NS;

/// A log whose entries were logged at these times, published once under way, so that a partial bundle has given way.
fn log_of(times: &[u64]) -> (World, Life, LogReader) {
    let mut world = World::new(1);
    world.config.segment_bytes = 4 << 20;
    let mut life = world.start().unwrap();
    world.create(&mut life, "alpha").unwrap();
    for part in times.chunks(times.len().div_ceil(2).max(1)) {
        let appends = part.iter().map(|time| {
            let time = Timestamp(*time);
            // What comes before and after the time is passed over, whatever it holds.
            let entry = format!(
                r#"{{"events":[{{"body":{{"logged_at":"no"}},"logged_at":"{time}","x":"\"logged_at\":\"no\""}},{{"logged_at":"no"}}],"v":1}}"#
            );
            let (entry, class) = (entry.into_bytes(), "default".to_owned());
            ("alpha".to_owned(), Append { entry, class, logged_at_ns: time.nanos(), ..Append::default() })
        });
        assert!(world.commit(&mut life, appends.collect()));
        world.integrate(&mut life).unwrap();
    }
    let reader = LogReader::new(Arc::new(world.fs.clone()) as Arc<dyn Fs>, life.logs["alpha"].1.clone());
    (world, life, reader)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nothing_late_enough_stands_before_it(
        steps in prop::collection::vec(0_i64..4, 1..1500), back in prop::collection::vec((0_usize..1500, 0_i64..299), 0..3),
        wanted in 0_u64..7000, older in 0_u64..1500,
    ) {
        // Time goes on by some seconds each; now and then the clock is set back by less than the margin in all.
        let mut now = (START_NS / SECOND_NS) as i64;
        let times: Vec<u64> = (0..).zip(&steps).map(|(index, step)| {
            now += step * 2;
            now -= back.iter().take(2).filter(|(at, _)| *at == index).map(|(_, by)| by).sum::<i64>();
            now as u64 * SECOND_NS
        }).collect();
        let (_, _, reader) = log_of(&times);
        // Under an older checkpoint too.
        for size in [times.len() as u64, older.min(times.len() as u64)] {
            let wanted = START_NS + wanted * SECOND_NS;
            let found = reader.seek_time(wanted, size).unwrap();
            prop_assert!(found.is_multiple_of(256) && (found < size || size == 0));
            prop_assert!(times[..found as usize].iter().all(|time| *time < wanted));
            // And no more is read than must be: the next bundle, if there is one, begins late enough, or it is the last.
            let next = times[..size as usize].get(found as usize + 256);
            prop_assert!(next.is_none_or(|time| *time + MARGIN_NS >= wanted));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Of what was pruned it counts what was kept.
    #[test]
    fn nothing_that_was_kept_stands_before_it(
        steps in prop::collection::vec(0_u64..8, 600..1500), upto in 0_u64..1500, every in 1_u64..700, wanted in 0_u64..7000,
    ) {
        let mut now = START_NS;
        let times: Vec<u64> = steps.iter().map(|step| { now += step * SECOND_NS; now }).collect();
        let (world, life, reader) = log_of(&times);
        let keep = |index: u64, _: &[u8]| index % every == every / 2;
        let (_life, pruned) = with_pruner(&world, life, "alpha", |pruner| prune_entries(pruner, upto, &keep).unwrap());
        let is_left = |index: u64| index >= pruned.first || index % every == every / 2;
        let (size, wanted) = (times.len() as u64, START_NS + wanted * SECOND_NS);
        let found = reader.seek_time(wanted, size).unwrap();
        prop_assert!(found.is_multiple_of(256) && found < size);
        let before = (0..found).filter(|index| is_left(*index)).map(|index| times[index as usize]);
        prop_assert!(before.max().is_none_or(|time| time < wanted));
    }
}

#[test]
fn an_entry_without_a_time_is_told() {
    let mut world = World::new(2);
    let mut life = world.start().unwrap();
    world.create(&mut life, "alpha").unwrap();
    let none =
        Append { entry: b"{\"events\":[],\"v\":1}".to_vec(), class: "default".into(), ..Append::default() };
    assert!(world.commit(&mut life, vec![("alpha".into(), none)]));
    world.integrate(&mut life).unwrap();
    let reader = LogReader::new(Arc::new(world.fs.clone()) as Arc<dyn Fs>, life.logs["alpha"].1.clone());
    assert!(matches!(reader.seek_time(1, 1), Err(ReadError::Malformed(what)) if what == "entry 0"));
    assert_eq!(reader.seek_time(1, 0).unwrap(), 0);
    assert!(matches!(reader.seek_time(1, 2), Err(ReadError::Malformed(_) | ReadError::Disk(_))));
}
