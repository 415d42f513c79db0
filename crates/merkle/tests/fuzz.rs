//! The fuzz targets of this crate, in their short form: on the seeds, and on mutations of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a target fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "reads seeds, and says where the input is that failed"
)]

#[path = "../../../fuzz/src/short.rs"]
mod short;
#[path = "../../../fuzz/src/merkle.rs"]
mod targets;

#[test]
fn notes() {
    short::run("notes", 100_000, targets::notes);
}

#[test]
fn receipts() {
    short::run("receipts", 100_000, targets::receipts);
}

#[test]
fn proofs() {
    short::run("proofs", 25_000, targets::proofs);
}

#[test]
fn tiles() {
    short::run("tiles", 100_000, targets::tiles);
}
