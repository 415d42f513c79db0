//! The fuzz targets of this crate, in their short form: on the seeds, and on mutations of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a target fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "reads seeds, and says where the input is that failed"
)]

#[path = "../../../fuzz/src/short.rs"]
mod short;
#[path = "../../../fuzz/src/log.rs"]
mod targets;

#[test]
fn wal_batches() {
    short::run("wal_batches", 80_000, targets::wal_batches);
}

#[test]
fn wal_segments() {
    short::run("wal_segments", 6_000, targets::wal_segments);
}

#[test]
fn states() {
    short::run("states", 80_000, targets::states);
}

#[test]
fn packs() {
    short::run("packs", 6_000, targets::packs);
}

#[test]
fn kept_entries() {
    short::run("kept_entries", 80_000, targets::kept_entries);
}
