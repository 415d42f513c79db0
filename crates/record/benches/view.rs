//! What one core does with entries: `cargo bench -p inferlog-record`.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement reads the clock and prints"
)]

use std::hint::black_box;
use std::time::Instant;

use inferlog_record::{Entry, EntryError, EntryView, validate};

/// Short batches and many: the fastest is one that nothing disturbed.
const BATCHES: u32 = 400;
const RUNS: u32 = 200;

fn main() -> Result<(), EntryError> {
    let fixtures = [
        ("decision.opened", &include_bytes!("../../../fixtures/v1/record/good/decision.opened.json")[..]),
        ("inference", include_bytes!("../../../fixtures/v1/record/good/inference.json")),
        ("several-events", include_bytes!("../../../fixtures/v1/record/good/several-events.json")),
    ];
    for (name, bytes) in fixtures {
        let entry = Entry::from_bytes(bytes)?;
        measure(name, "view", bytes.len(), || drop(black_box(EntryView::parse(black_box(bytes)))));
        measure(name, "read", bytes.len(), || drop(black_box(Entry::from_bytes(black_box(bytes)))));
        measure(name, "write", bytes.len(), || drop(black_box(black_box(&entry).to_bytes())));
        measure(name, "validate", bytes.len(), || drop(black_box(validate(black_box(&entry.events[0])))));
    }
    Ok(())
}

fn measure(name: &str, what: &str, bytes: usize, mut run: impl FnMut()) {
    let best = (0..BATCHES).map(|_| {
        let start = Instant::now();
        (0..RUNS).for_each(|_| run());
        start.elapsed().as_nanos() as f64 / f64::from(RUNS)
    });
    let nanos = best.fold(f64::INFINITY, f64::min);
    let per_kib = nanos * 1024.0 / bytes as f64;
    println!("{name} ({bytes} bytes), {what}: {nanos:.0} ns, {per_kib:.0} ns per KiB");
}
