//! How fast `verify` is: entries a second, per thread, with parsing and reference checks. And how long it takes to find every
//! decision, and to tell the first.
//!
//! `cargo bench -p inferlog-audit`; `ENTRIES`, `PAYLOAD_BYTES` and `RUNS` change what is measured. The files are in the page
//! cache: this measures the work, not the disk. Beside the time on the wall it prints the time on the processor, which says
//! the same on a machine that others use.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "its result is what it prints, or why it cannot"
)]

#[path = "../tests/world/mod.rs"]
mod world;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use inferlog_audit::{FindOptions, FoundDecision, Options, StoryOptions, find, story, verify};
use inferlog_disk::{Fs, RealFs};
use world::{NoBirths, World};

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

fn main() {
    let (entries, payload_bytes, runs) =
        (number("ENTRIES", 200_000), number("PAYLOAD_BYTES", 284), number("RUNS", 5));
    let dir = tempfile::tempdir().expect("a temporary directory");
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    let started = Instant::now();
    let mut world = World::new(fs.clone(), dir.path(), 64 << 20, Arc::new(NoBirths));
    world.create("bench");
    let (mut entry_bytes, mut first) = (0, None);
    while world.size("bench") < entries as u64 {
        let mut batch = Vec::new();
        for _ in 0..2_500 {
            let (decision, appends) = world.decision("bench", "default", payload_bytes);
            first.get_or_insert(decision);
            batch.extend(appends);
        }
        entry_bytes += batch.iter().map(|append| append.entry.len()).sum::<usize>();
        world.commit("bench", &batch);
        world.integrate();
    }
    let size = world.size("bench");
    println!(
        "{size} entries of {} bytes, one payload of {payload_bytes} bytes each, written in {:.1} s",
        entry_bytes as u64 / size,
        started.elapsed().as_secs_f64()
    );
    drop(world);
    for threads in [1, 2] {
        let options = Options { threads, ..Options::default() };
        let mut runs_seconds: Vec<(f64, f64)> = Vec::new();
        for _ in 0..runs {
            let (wall, cpu) = (Instant::now(), cpu_seconds());
            let report = verify(&fs, dir.path(), &options, &|_| {}).expect("a data directory");
            runs_seconds.push((wall.elapsed().as_secs_f64(), cpu_seconds() - cpu));
            assert!(report.ok && report.size == size && report.payloads == size, "{report:#?}");
        }
        let wall = median(runs_seconds.iter().map(|run| run.0));
        let cpu = median(runs_seconds.iter().map(|run| run.1));
        println!(
            "{threads} threads: {wall:.3} s, {:.0} entries/s; {cpu:.3} s of one core, {:.0} entries/s per core (medians of {runs})",
            size as f64 / wall,
            size as f64 / cpu
        );
    }
    let (started, mut rows) = (Instant::now(), 0_u64);
    let count = |_: FoundDecision| {
        rows += 1;
        ControlFlow::Continue(())
    };
    find(&fs, dir.path(), &FindOptions::default(), &mut { count }).expect("a data directory");
    println!("find: {rows} decisions in {:.3} s", started.elapsed().as_secs_f64());
    let started = Instant::now();
    let story =
        story(&fs, dir.path(), first.expect("a decision"), &StoryOptions::default()).expect("a decision");
    assert!(story.is_proved() && story.events.len() == 3);
    println!("show: the first decision in {:.3} s", started.elapsed().as_secs_f64());
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Time that this process has spent on processors.
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
