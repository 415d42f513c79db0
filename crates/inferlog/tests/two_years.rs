//! Two years of a system's life on a clock that the test moves: decisions of several classes and persons, late events, holds placed and
//! released, erasures, purges, a clock that is set wrong both ways, restarts, a follower that is dead for months. Every day
//! a plain model, sets that this test keeps of its own, says which entries exist and whether payloads open, are erased, purged or held,
//! and the log agrees with it; every two months all payloads and the index do, `verify` finds nothing wrong, and receipts hold.
//!
//! `INFERLOG_DECISIONS=1000000 cargo test --release -p inferlog --test two_years -- --nocapture` lives through a million.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test")]
#![allow(unreachable_pub, reason = "modules of a test")]

#[path = "two_years/check.rs"]
mod check;
#[path = "two_years/life.rs"]
mod life;
#[path = "two_years/model.rs"]
mod model;
#[path = "two_years/quick.rs"]
mod quick;
#[path = "two_years/world.rs"]
mod world;

use world::World;

/// Decisions in all, unless `INFERLOG_DECISIONS` says otherwise.
const DECISIONS: u64 = 3_000;
const DAYS: u64 = 730;
/// Days between two purges where decisions are many: each reads what it keeps.
const PURGE_DAYS_LARGE: u64 = 7;
/// Days between two looks at everything: every payload, the index, `verify`.
const WHOLE_DAYS: u64 = 60;

#[test]
fn what_exists_is_what_should() {
    let decisions = std::env::var("INFERLOG_DECISIONS").map_or(DECISIONS, |text| text.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(live(decisions));
}

async fn live(decisions: u64) {
    let is_large = decisions > 50_000;
    let purge_days = if is_large { PURGE_DAYS_LARGE } else { 1 };
    let whole_days = if is_large { 4 * WHOLE_DAYS } else { WHOLE_DAYS };
    let mut world = World::new(decisions.div_ceil(DAYS)).await;
    for day in 0..DAYS {
        world.day = day;
        for tick in 0..life::TICKS {
            world.tick(tick).await;
        }
        world.turn_of_events().await;
        if day % purge_days == 0 {
            world.purge().await;
        }
        check::entries(&mut world).await;
        check::some_payloads(&mut world).await;
        if day % whole_days == whole_days - 1 || day == DAYS - 1 {
            world.purge().await;
            check::whole(&mut world).await;
            eprintln!("day {day}: {}", world.told());
        }
    }
    world.end().await;
}
