//! The fuzz targets of this crate, in their short form: on the seeds, and on mutations of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a target fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "reads seeds, and says where the input is that failed"
)]

#[path = "../../../fuzz/src/short.rs"]
mod short;
#[path = "../../../fuzz/src/witness.rs"]
mod targets;

#[test]
fn witness_requests() {
    short::run("witness_requests", 20_000, targets::witness_requests);
}

#[test]
fn policies() {
    short::run("policies", 50_000, targets::policies);
}
