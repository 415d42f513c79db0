//! The fuzz targets of this crate, in their short form: on the seeds, and on mutations of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a target fails by panicking")]
#![allow(clippy::print_stderr, reason = "says where the input is that failed")]

#[path = "../../../fuzz/src/short.rs"]
mod short;
#[path = "../../../fuzz/src/timestamp.rs"]
mod targets;

#[test]
fn timestamps() {
    short::run("timestamps", 100_000, targets::timestamps);
}
