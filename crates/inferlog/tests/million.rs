//! A log of many decisions says the same three ways: in SQLite, in PostgreSQL, and read entry by entry. And again after the store
//! was deleted and derived anew, and wherever batches were cut and the follower stopped.
//!
//! `INFERLOG_DECISIONS=1000000 cargo test --release -p inferlog --test million -- --nocapture` asks it of a million.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that fails, fails here"
)]
#![allow(unreachable_pub, reason = "modules of a test")]

#[path = "million/answers.rs"]
mod answers;
#[path = "million/plain.rs"]
mod plain;
#[path = "../../index/tests/support/postgres.rs"]
mod server;
#[path = "million/sql.rs"]
mod sql;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use inferlog::generate::{Options, write};
use inferlog::real_env;
use inferlog_index::postgres::{Interrupt, Place, PostgresEngine};
use inferlog_index::{Engine, FollowOptions, Follower, Reader, SqliteEngine};

const DECISIONS: u64 = 20_000;

#[test]
fn both_engines_say_what_the_log_says() {
    let decisions = std::env::var("INFERLOG_DECISIONS").map_or(DECISIONS, |text| text.parse().unwrap());
    let temp = tempfile::tempdir().unwrap();
    let (dir, file) = (temp.path().join("data"), temp.path().join("index.sqlite"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // References as long as sealed ones, while the log and three copies of it fit everywhere.
    let options = Options { sealed: decisions <= 100_000, ..Options::new(decisions) };
    let written = timed("generate", || runtime.block_on(write(&dir, &options)).unwrap());
    eprintln!("{written:?}");
    let plain = timed("plain scan", || plain::scan(&dir));
    assert_eq!(plain.outcomes.values().sum::<i64>(), decisions as i64);
    assert!(plain.digests.values().all(|rows| rows.rows > 100), "{:?}", plain.digests);

    let (entries, mut rng) = (written.entries, fastrand::Rng::with_seed(3));
    timed("SQLite, cut at random", || {
        in_pieces(&dir, entries, &mut rng, || SqliteEngine::open(&file).unwrap())
    });
    let ask = || sql::ask(&mut Reader::sqlite(&file).unwrap());
    same(&timed("ask SQLite", ask), &plain);
    std::fs::remove_file(&file).unwrap();
    timed("SQLite, rebuilt", || at_once(&dir, SqliteEngine::open(&file).unwrap()));
    same(&timed("ask SQLite", ask), &plain);

    let server = server::Server::start();
    let place = Place::parse(&server.database("million")).unwrap();
    let engine = || PostgresEngine::new(place.clone(), Interrupt::default());
    timed("PostgreSQL, cut at random", || in_pieces(&dir, entries, &mut rng, engine));
    let central =
        timed("ask PostgreSQL", || sql::ask(&mut Reader::postgres(&place, &Interrupt::default()).unwrap()));
    same(&central, &plain);
}

/// Field by field, for all of it at once would be unreadable.
fn same(index: &answers::Answers, plain: &answers::Answers) {
    assert_eq!(index.kinds, plain.kinds);
    assert_eq!(index.outcomes, plain.outcomes);
    assert_eq!(index.models, plain.models);
    assert_eq!(index.days, plain.days);
    assert_eq!(index.sums, plain.sums);
    assert_eq!(index.terms, plain.terms);
    assert_eq!(index.persons, plain.persons);
    assert_eq!(index.digests, plain.digests);
}

fn at_once<E: Engine>(dir: &Path, engine: E) {
    let mut follower = Follower::new(real_env().fs, dir, engine, FollowOptions::default());
    assert!(follower.catch_up(&mut |_| ControlFlow::Continue(())).unwrap().is_complete);
}

/// Follows in transactions of any size, and with a new follower after any number of them.
fn in_pieces<E: Engine>(dir: &Path, entries: u64, rng: &mut fastrand::Rng, engine: impl Fn() -> E) {
    let mut stops = 0;
    loop {
        let batch_entries_max = rng.u64(1..12_000.min(entries / 20));
        let options = FollowOptions { batch_entries_max, ..FollowOptions::default() };
        let mut follower = Follower::new(real_env().fs, dir, engine(), options);
        let mut left = rng.u32(1..8);
        let caught = follower.catch_up(&mut |_| {
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if caught.unwrap().is_complete {
            assert!(stops > 2, "the follower was never stopped");
            return;
        }
        stops += 1;
    }
}

fn timed<T>(what: &str, run: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = run();
    eprintln!("{what}: {:.1} s", began.elapsed().as_secs_f64());
    done
}
