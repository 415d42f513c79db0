//! The fuzz targets of this crate, in their short form: on the seeds, and on mutations of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a target fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "reads seeds, and says where the input is that failed"
)]

#[path = "../../../fuzz/src/short.rs"]
mod short;
#[path = "../../../fuzz/src/vault.rs"]
mod targets;

#[test]
fn keystores() {
    short::run("keystores", 4_000, targets::keystores);
}

#[test]
fn tables() {
    short::run("tables", 4_000, targets::tables);
}

#[test]
fn births() {
    short::run("births", 2_000, targets::births);
}

#[test]
fn payloads() {
    short::run("payloads", 40_000, targets::payloads);
}
