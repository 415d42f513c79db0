//! Following logs into SQLite: the same tables whatever the batches, rollups that are sums, every view readable.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failure fails the test")]

mod world;

use proptest::prelude::*;
use world::dump::{check_rollups, dump, open, rows};
use world::stories::stories;
use world::{World, catch_up};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn tables_do_not_depend_on_where_batches_are_cut(seed in 0_u64..1000, cuts in prop::collection::vec(1_usize..60, 1..12)) {
        let entries = stories(seed, 260);
        let temp = tempfile::tempdir().unwrap();
        let (stepwise, at_once) = (temp.path().join("a.sqlite"), temp.path().join("b.sqlite"));
        let mut world = World::new();
        world.log("alpha");
        world.log("beta");
        let mut follower = world.follower(&stepwise);
        // One log at a time, so that both followers see decisions of both logs in the same order.
        for log in ["alpha", "beta"] {
            let of_log: Vec<_> = entries.iter().filter(|(name, _)| *name == log).cloned().collect();
            let mut rest = &of_log[..];
            for cut in cuts.iter().cycle() {
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                world.publish(now);
                catch_up(&mut follower);
                check_rollups(&stepwise);
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
        }
        catch_up(&mut world.follower(&at_once));
        check_rollups(&at_once);
        let (stepwise, at_once) = (dump(&stepwise), dump(&at_once));
        prop_assert!(stepwise.len() > 500);
        prop_assert_eq!(stepwise, at_once);
    }
}

#[test]
fn every_view_can_be_read() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("index.sqlite");
    let mut world = World::new();
    world.log("alpha");
    let entries: Vec<_> = stories(7, 300).into_iter().map(|(_, entry)| ("alpha", entry)).collect();
    world.publish(&entries);
    catch_up(&mut world.follower(&path));
    let connection = open(&path);
    let views = rows(&connection, "SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY 1");
    assert!(views.len() > 40, "{views:?}");
    for view in views {
        let view = view.trim_start_matches("Text(\"").trim_end_matches("\")");
        rows(&connection, &format!("SELECT * FROM {view}"));
    }
}
